"""Executes the pages in docs/tutorials: blocks marked `python` and `sh`, from top to bottom.

The pages are plain Markdown, which GitHub shows as it is; here each block becomes a cell of a
notebook. A block marked `py` or `text` is shown only.
"""

import re

from myst_nb.core import render

_LOG = "INFO:tensorflow:"
_HEADER = """---
file_format: mystnb
kernelspec: {name: python3, display_name: Python 3, language: python}
---
"""
_BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def as_notebook(text: str) -> str:
  """Returns a page whose blocks are cells; commands are shown as they are typed."""
  return _HEADER + _BLOCK.sub(_cell, text)


def _cell(block: re.Match) -> str:
  language, code = block.groups()
  if language == "python":
    return f"```{{code-cell}}\n{code}```"
  shown = f"```sh\n{code}```\n\n"
  return f"{shown}```{{code-cell}}\n:tags: [remove-input]\n%%bash\nset -e\nexec 2>&1\n{code}```"


def shown_in_terminal(outputs: list) -> list:
  """Returns the outputs of a cell, each stream as one text that shows what a terminal would.

  What TensorFlow logs is left out. A progress bar goes back to the start of its line, so only its
  end is left. (What myst-nb has for this puts every part of a stream on a line of its own.)
  """
  streams: dict[str, list[str]] = {}
  kept = []
  for output in outputs:
    if output["output_type"] != "stream":
      kept.append(output)
    elif output["name"] in streams:
      streams[output["name"]].append(output["text"])
    else:
      streams[output["name"]] = [output["text"]]
      kept.append(output)
  for output in kept:
    if output["output_type"] == "stream":
      lines = "".join(streams[output["name"]]).replace("\b", "").split("\n")
      lines = [line.rstrip("\r").rpartition("\r")[2] for line in lines]
      output["text"] = "\n".join(line for line in lines if not line.startswith(_LOG))
  return kept


def _read(app, docname, source):
  del app
  if docname.startswith("tutorials/") and docname != "tutorials/index":
    source[0] = as_notebook(source[0])


def setup(app):
  """Connects the reading of pages."""
  app.connect("source-read", _read, priority=900)  # After links are rewritten.
  render.coalesce_streams = shown_in_terminal
  return {"parallel_read_safe": True, "parallel_write_safe": True}
