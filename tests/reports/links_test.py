import pathlib

from dl_condind.reports import links
from dl_condind.reports import study_runs


def test_links_are_relative_and_quoted(tmp_path):
  page = tmp_path / "pages" / "report.html"
  link = links.to_file("text", tmp_path / 'a <b> "c"' / "d.png", page)
  assert link == links.Link("text", "../a%20%3Cb%3E%20%22c%22/d.png")


def test_a_run_has_its_first_picture_of_each_kind(tmp_path):
  run = study_runs.Run("0", tmp_path / "0", {}, {})
  page = tmp_path / "report.html"
  assert links.to_pictures(run, page) == []
  for name in ("traversals/b.png", "traversals/a.png", "animated_traversals/c.gif", "note.txt"):
    path = tmp_path / "0" / "visualizations" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
  assert links.to_pictures(run, page) == [
    links.Link("animated traversals", "0/visualizations/animated_traversals/c.gif"),
    links.Link("traversals", "0/visualizations/traversals/a.png"),
  ]


def test_a_study_has_links_to_what_is_there(tmp_path):
  page = tmp_path / "report.html"
  assert links.to_study(tmp_path, None, page) == []
  (tmp_path / "runs.csv").touch()
  (tmp_path / links.EXPLORER).touch()
  assert [link.href for link in links.to_study(tmp_path, None, page)] == [
    "runs.csv",
    "explorer.html",
  ]
  table = pathlib.Path(tmp_path / "published.csv")
  table.touch()
  assert links.to_study(tmp_path, table, page)[0].href == "published.csv"
