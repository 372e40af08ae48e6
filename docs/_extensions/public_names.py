"""The directive `public-names`: a table of the names of `dl_condind`, from the package itself."""

import inspect

from docutils import nodes
from docutils import statemachine
from sphinx.util import docutils
from sphinx.util.nodes import nested_parse_with_titles

import dl_condind


def rows() -> list[str]:
  """Returns the table's lines, in reStructuredText."""
  lines = [".. list-table::", "   :widths: auto", ""]
  for name in dl_condind.__all__:
    found = getattr(dl_condind, name)
    if not inspect.ismodule(found):
      kind = "class" if inspect.isclass(found) else "func"
      target = f"{found.__module__}.{found.__qualname__}"
      summary = inspect.getdoc(found).split("\n\n")[0].replace("\n", " ")
      lines += [f"   * - :py:{kind}:`dl.{name} <{target}>`", f"     - {summary}"]
  return lines


class PublicNames(docutils.SphinxDirective):
  """Writes the table."""

  def run(self):
    """Returns the table's nodes."""
    node = nodes.container()
    nested_parse_with_titles(self.state, statemachine.StringList(_parsed(rows())), node)
    return node.children


def _parsed(lines):
  return lines


def setup(app):
  """Adds the directive."""
  app.add_directive("public-names", PublicNames)
  return {"parallel_read_safe": True, "parallel_write_safe": True}
