"""The README and the pages of docs/: what they name exists."""

import ast
import pathlib
import re
import textwrap

import pytest

import dl_condind
from dl_condind.utils import gin_texts

ROOT = pathlib.Path(__file__).parents[1]
PAGES = [
  *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "gin_configs/README.md")),
  *sorted((ROOT / "docs").glob("**/*.md")),
]
each_page = pytest.mark.parametrize("page", PAGES, ids=[str(p.relative_to(ROOT)) for p in PAGES])


def blocks(page, language):
  text = page.read_text(encoding="utf-8")
  found = re.findall(rf"^ *```{language}\n(.*?)\n *```$", text, re.MULTILINE | re.DOTALL)
  return [textwrap.dedent(block) for block in found]


def anchors(page):
  """Returns the anchors that GitHub gives the headings of a page."""
  headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
  return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_readme_is_short():
  assert len((ROOT / "README.md").read_text(encoding="utf-8").split()) <= 1200


@each_page
def test_links_lead_somewhere(page):
  for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
    if not link.startswith("http"):
      path, _, anchor = link.partition("#")
      target = page.parent / path if path else page
      assert target.exists(), link
      assert not anchor or anchor in anchors(target), link


@each_page
def test_programs_and_their_gin_files_exist(page):
  text = page.read_text(encoding="utf-8")
  programs = {path.name for path in (ROOT / "bin").iterdir()}
  assert set(re.findall(r"\bdl_condind_[a-z_]*[a-z]\b", text)) <= programs
  for name in re.findall(r"--gin_config=([\w/]+\.gin)", text):
    assert (ROOT / name).exists() or (gin_texts.gin_config_folder() / name).exists(), name


@each_page
def test_python_is_python_with_names_that_exist(page):
  for block in blocks(page, "python"):
    names = {
      node.attr
      for node in ast.walk(ast.parse(block))
      if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "dl"
    }
    assert names <= set(dl_condind.__all__)
