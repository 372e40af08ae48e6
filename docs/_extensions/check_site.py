"""Checks a built site: it loads nothing from elsewhere, and its links lead somewhere.

python docs/_extensions/check_site.py docs/_build/html
"""

import html.parser
import pathlib
import re
import sys
import urllib.parse

# Attributes whose address a browser loads without being asked to.
_LOADED = {"src", "srcset", "poster", "data", "background", "xlink:href"}
_FOREIGN = re.compile(r"(?:[a-z][a-z0-9+.-]*:)?//", re.IGNORECASE)
_IN_STYLE = re.compile(
  r"url\(\s*['\"]?((?:https?:)?//[^)'\"]*)|@import\s+['\"]((?:https?:)?//[^'\"]*)"
)


class _Page(html.parser.HTMLParser):
  """Gathers what a page loads, where it links to, and its anchors."""

  def __init__(self):
    super().__init__()
    self.loads: list[str] = []
    self.links: list[str] = []
    self.anchors: set[str] = set()

  def handle_starttag(self, tag, attrs):
    for name, value in attrs:
      if name in ("id", "name") and value:
        self.anchors.add(value)
      elif name in _LOADED or (name == "href" and tag in ("link", "image", "use")):
        self.loads.append(value or "")
      elif name == "href" and tag in ("a", "area"):
        self.links.append(value or "")
      elif name == "style":
        self.loads += _styled(value or "")

  def handle_data(self, data):
    if self.cdata_elem == "style":
      self.loads += _styled(data)


def _styled(text: str) -> list[str]:
  return [first or second for first, second in _IN_STYLE.findall(text)]


def problems(site: pathlib.Path) -> list[str]:
  """Returns a line for each problem of a site."""
  pages = {}
  for path in sorted(site.rglob("*.html")):
    page = pages[path.resolve()] = _Page()
    page.feed(path.read_text(encoding="utf-8"))
  found = []
  for path in sorted(site.rglob("*.css")):
    text = path.read_text(encoding="utf-8")
    found += [f"{path.relative_to(site)} loads {address}" for address in _styled(text)]
  for path, page in pages.items():
    name = path.relative_to(site.resolve())
    found += [f"{name} loads {load}" for load in page.loads if _FOREIGN.match(load)]
    local = [load for load in page.loads if load and not re.match(r"[a-z]+:|//", load)]
    for link in [*local, *page.links]:
      if not re.match(r"[a-z]+:|//", link) and not _leads_somewhere(link, path, pages):
        found.append(f"{name} links to {link}, which is not there")
  return found


def _leads_somewhere(link: str, path: pathlib.Path, pages: dict[pathlib.Path, _Page]) -> bool:
  parts = urllib.parse.urlsplit(link)
  target = (path.parent / urllib.parse.unquote(parts.path)).resolve() if parts.path else path
  if not target.is_file():
    return False
  anchor = urllib.parse.unquote(parts.fragment)
  return not anchor or target not in pages or anchor in pages[target].anchors


if __name__ == "__main__":
  lines = problems(pathlib.Path(sys.argv[1]))
  print("\n".join(lines) or "Every link leads somewhere, and nothing is loaded from elsewhere.")
  sys.exit(1 if lines else 0)
