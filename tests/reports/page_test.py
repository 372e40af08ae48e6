import re

import jinja2
import pytest

from dl_condind.reports import headline
from dl_condind.reports import next_steps
from dl_condind.reports import page
from dl_condind.reports import study_description
from dl_condind.reports import tables
from dl_condind.reports import verdicts
from dl_condind.reports import views

HOSTILE = "<script>alert(1)</script>\"'&"


def context_of(text):
  """Returns a context of the smallest page in which each text is the same."""
  cell = tables.Cell(text, 1.0, text)
  table = tables.Table(text, [text], [[cell]], text)
  claim = verdicts.Claim(text, text, verdicts.OPEN, text, text)
  rows = [("a", {text: [[views.Share(text, 0.5)]]})]
  picture = views.Picture("data:image/png;base64,AA==", 1, 1, text)
  model = views.Model(text, text, [(text, picture)], [views.Row(text, text, True, picture)])
  figure = views.Figure(
    text, text, text, shares=rows, row_labels=[text], column_labels=[text], models=[model]
  )
  claims = {
    "id": "claims",
    "title": text,
    "judged": [claim],
    "without_runs": [claim],
    "notes": [text],
    "banner": text,
    "reservations": [text],
    "are_of_several_protocols": True,
  }
  return {
    "title": text,
    "headlines": [text],
    "data_sets": text,
    "introductions": [text],
    "contents": [("claims", text)],
    "study_links": [],
    "main_figures": [[figure]],
    "other_figures": [],
    "points_note": text,
    "figure_folder": text,
    "without_models": [text],
    "claim_sets": [claims],
    "told": [text],
    "statistics": [table],
    "statistics_notes": [text],
    "further": [(text, [table], text)],
    "run_tables": [tables.RunTables(table, table, text)],
    "anchors": {text: "run-0"},
    "targets": {text: "run-0"},
    "run_links": {text: []},
    "provenance": study_description.Provenance({text: [(text, text)]}, [text]),
    "missing": study_description.Missing(text, [text]),
    "next_steps": next_steps.NextSteps(text, [text], [text]),
  }


def test_text_is_escaped():
  rendered = page.render(**context_of(HOSTILE))
  assert rendered.count("<script") == 1 and "alert(1)<" not in rendered
  assert "&lt;script&gt;alert(1)&lt;/script&gt;&#34;&#39;&amp;" in rendered
  # Each text of the smallest page is somewhere in it.
  marked = page.render(**context_of("TEXT"))
  assert rendered.count("&lt;script&gt;") == marked.count("TEXT") > 30


def test_what_a_template_names_must_be_given():
  context = context_of("text")
  del context["told"]
  with pytest.raises(jinja2.UndefinedError, match="told"):
    page.render(**context)


def test_names_that_are_not_text_can_be_written():
  name = b"r\xe9sum\xe9".decode("utf-8", "surrogateescape")
  rendered = page.render(**context_of(name))
  assert "r\\udce9sum\\udce9" in rendered
  rendered.encode("utf-8")


def test_policy_comes_before_what_it_rules():
  rendered = page.render(**context_of("text"))
  assert rendered.startswith("<!DOCTYPE html>")
  assert rendered.index("Content-Security-Policy") < rendered.index("<style>")
  assert not re.search(r"\son\w+=", rendered)


def claims_of(kinds, num_without_runs=0):
  claims = [verdicts.Claim("", "", kind, "", "") for kind in kinds]
  without = verdicts.Claim("", "", verdicts.OPEN, verdicts.NO_RUNS, "")
  return [*claims, *[without] * num_without_runs]


@pytest.mark.parametrize(
  ("kinds", "expected"),
  [
    ([], "None of the claims of the paper is about these runs."),
    (["holds"], "Of 2 claims of the paper, 1 has runs: 1 holds."),
    (
      ["open", "opposite", "open", "too small"],
      "Of 5 claims of the paper, 4 have runs: 1 is the opposite, 1 is too small, 2 are open.",
    ),
  ],
)
def test_headline_counts_verdicts(kinds, expected):
  claims = claims_of(kinds, num_without_runs=1)
  assert headline.count_verdicts(claims, " of the paper") == expected


def test_headline_leaves_out_the_paper_if_only_others_are_about_the_runs():
  (held,), (none,) = claims_of([verdicts.HOLDS]), claims_of([], 1)
  assert headline.count_all_verdicts([none], {}) == [
    "None of the claims of the paper is about these runs."
  ]
  other = "Axes? Of 1 claims, 1 has runs: 1 holds."
  assert headline.count_all_verdicts([none], {"Axes?": [held]}) == [other]
  both = headline.count_all_verdicts([held], {"Axes?": [held]})
  assert both == ["Of 1 claims of the paper, 1 has runs: 1 holds.", other]
