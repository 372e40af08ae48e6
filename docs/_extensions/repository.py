"""Links from docs/ to other files of the repository, and pages of files outside docs/.

Markdown links stay as GitHub needs them. Here they lead to a page that shows the file or folder,
below `source/`; to the page that includes the file, if there is one; or, for an HTML file, to a
copy of it. A page whose text is an `include` of a Markdown file shows it with its links.
"""

import html
import os
import pathlib
import re
import shutil

from sphinx.util import logging

DOCS = pathlib.Path(__file__).resolve().parents[1]
ROOT = DOCS.parent
_INCLUDE = re.compile(r"^```\{include\} (\S+)\n```$", re.MULTILINE)
_FENCED = re.compile(r"^( *)```.*?^\1```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")
_LEXERS = {".py": "python", ".gin": "gin", ".md": "markdown", ".toml": "toml", ".sh": "sh"}
_logger = logging.getLogger(__name__)


def pages_of_files(docs: pathlib.Path = DOCS) -> dict[pathlib.Path, str]:
  """Returns the files outside docs that a page includes -> the name of the page."""
  found = {}
  for page in docs.glob("[!_]*/**/*.md"), docs.glob("*.md"):
    for path in page:
      for name in _INCLUDE.findall(path.read_text(encoding="utf-8")):
        target = (path.parent / name).resolve()
        if not target.is_relative_to(docs):
          found[target] = path.relative_to(docs).with_suffix("").as_posix()
  return found


def rewrite(text: str, origin: pathlib.Path, docname: str, shown: set[pathlib.Path]) -> str:
  """Returns the text of a page with links that lead somewhere in the site.

  Args:
    text: Markdown.
    origin: The file it is from: links are relative to it.
    docname: The page it is on.
    shown: Set that linked files and folders without a page of their own are added to.
  """
  pages = pages_of_files()
  parts, end = [], 0
  for block in [*_FENCED.finditer(text), None]:
    start = block.start() if block else len(text)
    link = lambda match: _link(match, origin, docname, pages, shown)  # noqa: E731
    parts += [_LINK.sub(link, text[end:start]), block.group() if block else ""]
    end = block.end() if block else end
  return "".join(parts)


def _link(match, origin, docname, pages, shown) -> str:
  picture, label, address = match.groups()
  name, _, anchor = address.partition("#")
  if not name or re.match(r"[a-z]+:", name):
    return match.group()
  target = (origin.parent / name).resolve()
  if not target.exists():
    _logger.warning("%s: no %s, to which a link leads", origin.name, name)
    return match.group()
  here = DOCS / docname
  if target in pages:
    target = DOCS / f"{pages[target]}.md"
  if (target / "index.md").is_file():
    target /= "index.md"
  if target.is_relative_to(DOCS) and target.suffix != ".html" and target.is_file():
    path = os.path.relpath(target, here.parent)
    return f"{picture}[{label}]({path}{'#' * bool(anchor)}{anchor})"
  shown.add(target)
  path = os.path.relpath(DOCS / _address(target), here.parent)
  return f'<a class="reference internal" href="{path}">{label}</a>'


def _address(target: pathlib.Path) -> str:
  """Returns where the site has a file or folder, relative to its root."""
  if target.is_relative_to(DOCS) and target.is_file():
    return target.relative_to(DOCS).as_posix()
  return f"source/{target.relative_to(ROOT).as_posix()}.html"


def _read(app, docname, source):
  origin = pathlib.Path(app.env.doc2path(docname))
  shown: set[pathlib.Path] = set()

  def include(match):
    path = (origin.parent / match.group(1)).resolve()
    app.env.note_dependency(str(path), docname=docname)
    return rewrite(path.read_text(encoding="utf-8"), path, docname, shown)

  source[0] = _INCLUDE.sub(include, rewrite(source[0], origin, docname, shown))
  _shown(app.env)[docname] = shown


def _shown(env) -> dict[str, set[pathlib.Path]]:
  """Returns the files to which the links of each page lead, kept between builds."""
  if not hasattr(env, "repository_files"):
    env.repository_files = {}
  return env.repository_files


def _purge(app, env, docname):
  del app
  _shown(env).pop(docname, None)


def _source_pages(app):
  """Yields a page for each file, and for each folder and the files in it."""
  targets = set().union(*_shown(app.env).values())
  folders = {target for target in targets if target.is_dir()}
  targets |= {path for folder in folders for path in _files_in(folder)}
  for target in sorted(targets):
    if target.is_relative_to(DOCS) and target.is_file():
      continue
    name = target.relative_to(ROOT).as_posix()
    body = _listing(target) if target.is_dir() else _content(app, target)
    title = f"<h1>{html.escape(name)}</h1>"
    yield f"source/{name}", {"parents": [], "title": name, "body": title + body}, "page.html"


def _files_in(folder: pathlib.Path) -> list[pathlib.Path]:
  return sorted(path for path in folder.iterdir() if path.suffix in _LEXERS)


def _listing(folder: pathlib.Path) -> str:
  links = [
    f'<li><a href="{folder.name}/{path.name}.html">{path.name}</a></li>'
    for path in _files_in(folder)
  ]
  return f"<ul>{''.join(links)}</ul>"


def _content(app, path: pathlib.Path) -> str:
  text = path.read_text(encoding="utf-8")
  code = app.builder.highlighter.highlight_block(text, _LEXERS.get(path.suffix, "text"))
  return f'<div class="highlight">{code}</div>'


def _copy_pages(app, exception):
  """Copies the HTML files to which links lead, with the files beside them."""
  if exception or app.builder.format != "html":
    return
  for target in set().union(*_shown(app.env).values()):
    if target.is_relative_to(DOCS) and target.is_file():
      folder = pathlib.Path(app.outdir) / target.parent.relative_to(DOCS)
      folder.mkdir(parents=True, exist_ok=True)
      beside = target.parent.iterdir() if target.suffix == ".html" else [target]
      for path in beside:
        if path.is_file():
          shutil.copyfile(path, folder / path.name)


def setup(app):
  """Connects the reading of pages and the writing of those of files."""
  app.connect("source-read", _read)
  app.connect("env-purge-doc", _purge)
  app.connect("html-collect-pages", _source_pages)
  app.connect("build-finished", _copy_pages)
  return {"parallel_read_safe": False, "parallel_write_safe": True}
