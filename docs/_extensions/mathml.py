"""Renders equations as MathML, which browsers draw without a script or a font of the site."""

from docutils import nodes
from docutils.utils.math import latex2mathml


def _visit_inline(translator, node):
  translator.body.append(str(latex2mathml.tex2mathml(node.astext())))
  raise nodes.SkipNode


def _visit_block(translator, node):
  equation = latex2mathml.tex2mathml(node.astext(), as_block=True)
  translator.body.append(f'<div class="math">{equation}</div>')
  raise nodes.SkipNode


def setup(app):
  """Adds the renderer `mathml`."""
  app.add_html_math_renderer("mathml", (_visit_inline, None), (_visit_block, None))
  return {"parallel_read_safe": True, "parallel_write_safe": True}
