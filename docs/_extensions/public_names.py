"""The directive `public-names`: a table of the names of `dl_condind`, from the package itself."""

import inspect

from docutils import nodes
from docutils import statemachine
from sphinx.util import docutils

import dl_condind


def rows() -> list[str]:
  """Returns the table's lines, in Markdown."""
  lines = ["| name | what it is |", "| --- | --- |"]
  for name in dl_condind.__all__:
    found = getattr(dl_condind, name)
    if not inspect.ismodule(found):
      kind = "class" if inspect.isclass(found) else "func"
      target = f"{found.__module__}.{found.__qualname__}"
      summary = inspect.getdoc(found).split("\n\n")[0].replace("\n", " ").replace("|", "\\|")
      lines.append(f"| {{py:{kind}}}`dl.{name} <{target}>` | {summary} |")
  return lines


class PublicNames(docutils.SphinxDirective):
  """Writes the table."""

  def run(self):
    """Returns the table's nodes."""
    node = nodes.container()
    self.state.nested_parse(statemachine.StringList(rows()), self.content_offset, node)
    return node.children


def setup(app):
  """Adds the directive, which is for Markdown pages."""
  app.add_directive("public-names", PublicNames)
  return {"parallel_read_safe": True, "parallel_write_safe": True}
