"""Reads docstrings as what they are: plain text with code between backticks.

Sphinx takes docstrings for reStructuredText, to which `|KL - C|`, `z_` and `**` are markup. Here
such signs are escaped, and indented paragraphs and tables become code.
"""

import inspect
import re

from pygments import lexers
from sphinx.domains import python

_CODE = re.compile(r"``.+?``|`[^`]+`")
_MARKUP = re.compile(r"([*|\\])|(?<=\w)_(?!\w)")


def as_rst(lines: list[str]) -> list[str]:
  """Returns the lines of a docstring as reStructuredText."""
  done: list[str] = []
  is_code, is_doctest = False, False
  previous = ""  # The last line of text that is not empty.
  for number, line in enumerate(lines):
    is_first = not number or not lines[number - 1].strip()  # Of a paragraph.
    if not line.strip():
      is_doctest = False
    elif line.lstrip().startswith(">>>"):
      is_doctest = True
    is_table = line.startswith("|")
    if line.strip() and not is_doctest:
      deeper = _indent(line) > _indent(previous) and is_first and bool(previous)
      if (deeper or is_table) and not is_code:
        done += [" " * _indent(previous) + "::", ""]
        is_code = True
      elif is_code and not is_table and _indent(line) <= _indent(previous):
        is_code = False
    if is_code:
      done.append("  " + line if is_table else line)
      continue
    done.append(line if is_doctest else _escaped(line))
    previous = line if line.strip() else previous
  return done


def _indent(line: str) -> int:
  return len(line) - len(line.lstrip())


def _escaped(line: str) -> str:
  parts, end = [], 0
  for code in [*_CODE.finditer(line), None]:
    text = line[end : code.start() if code else len(line)]
    parts.append(_MARKUP.sub(r"\\\g<0>", text))
    if code:
      parts.append(f"``{code.group().strip('`')}``")
      end = code.end()
  return "".join(parts)


def _process(app, what, name, obj, options, lines):
  del app, what, name, obj, options
  lines[:] = as_rst(lines)


def _skip(app, what, name, obj, skip, options):
  """Leaves out the fields of a NamedTuple, which the class describes."""
  del app, what, name, options
  return True if (getattr(obj, "__doc__", "") or "").startswith("Alias for field") else skip


def _sign(app, what, name, obj, options, signature, returned):
  """Returns the signature of a class whose `__new__` takes anything: that of `__init__`."""
  del app, name, options
  if what != "class" or signature not in ("(*args, **kwargs)", "(*args: Any, **kwargs: Any)"):
    return None
  _, *parameters = inspect.signature(obj.__init__).parameters.values()
  texts, is_keyword = [], False
  for parameter in parameters:
    if parameter.kind == parameter.KEYWORD_ONLY and not is_keyword:
      texts.append("*")
      is_keyword = True
    default = "" if parameter.default is parameter.empty else f"={_default(parameter.default)}"
    texts.append(f"{parameter.name}{default}")
  return f"({', '.join(texts)})", returned


def _default(value: object) -> str:
  if callable(value):
    return getattr(value, "__name__", "...").replace("<lambda>", "...")
  return repr(value)


class GinLexer(lexers.PythonLexer):
  """Highlights gin files, which look like Python."""

  name = "gin"
  aliases = ["gin"]  # noqa: RUF012 (As Pygments wants it.)
  filenames = ["*.gin"]  # noqa: RUF012


def _name_attributes() -> None:
  """Heads the attributes of a class by that word, where Sphinx writes "Variables"."""
  for field in python.PyObject.doc_field_types:
    if field.name == "variable":
      field.label = "Attributes"


def setup(app):
  """Connects the reading of docstrings, before napoleon reads their sections."""
  app.connect("autodoc-process-docstring", _process, priority=400)
  app.connect("autodoc-process-signature", _sign)
  app.connect("autodoc-skip-member", _skip)
  _name_attributes()
  app.add_lexer("gin", GinLexer)
  return {"parallel_read_safe": True, "parallel_write_safe": True}
