"""Links from a page to files beside it."""

from collections.abc import Sequence
import os
import pathlib
from typing import NamedTuple
import urllib.parse

from dl_condind.reports import study_runs
from dl_condind.utils import run_folder

EXPLORER = "explorer.html"

_PICTURES = ("*.gif", "*.png")


class Link(NamedTuple):
  """A link."""

  text: str
  href: str


def to_file(text: str, path: pathlib.Path, page: pathlib.Path) -> Link:
  """Returns a link from a page to a file."""
  relative = os.path.relpath(path, page.parent)
  return Link(text, urllib.parse.quote(os.fsencode(pathlib.Path(relative).as_posix())))


def to_pictures(run: study_runs.Run, page: pathlib.Path) -> list[Link]:
  """Returns links to the pictures of a run: the first of each folder; none without pictures."""
  folder = run_folder.RunFolder(run.folder).pictures
  links = []
  for part in sorted(path for path in folder.glob("*") if path.is_dir()):
    found = [path for pattern in _PICTURES for path in sorted(part.glob(pattern))]
    if found:
      links.append(to_file(part.name.replace("_", " "), found[0], page))
  return links


def to_study(
  study_dir: pathlib.Path, table: pathlib.Path | None, page: pathlib.Path
) -> Sequence[Link]:
  """Returns links to the table of the runs, and to the explorer of their models, as far as made.

  Args:
    study_dir: Folder of the study.
    table: The table that the runs were read from, if it is not the study's.
    page: The page.
  """
  candidates = {
    "table of all runs (CSV)": table or study_dir / "runs.csv",
    "explorer of the models": study_dir / EXPLORER,
  }
  return [to_file(text, path, page) for text, path in candidates.items() if path.is_file()]
