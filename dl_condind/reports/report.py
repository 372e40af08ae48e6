"""A study as one self-contained HTML page."""

from collections.abc import Container
from collections.abc import Mapping
from collections.abc import Sequence
import os
import pathlib
from typing import NamedTuple

from absl import logging

from dl_condind.reports import caveats
from dl_condind.reports import claim_sections
from dl_condind.reports import comparisons
from dl_condind.reports import evaluation_spread
from dl_condind.reports import families
from dl_condind.reports import figures
from dl_condind.reports import headline
from dl_condind.reports import labels_and_puzzles
from dl_condind.reports import links
from dl_condind.reports import model_pairs
from dl_condind.reports import next_steps
from dl_condind.reports import page
from dl_condind.reports import reading
from dl_condind.reports import study_description
from dl_condind.reports import study_runs
from dl_condind.reports import tables
from dl_condind.reports import views
from dl_condind.studies import study_file
from dl_condind.utils import errors
from dl_condind.utils import files
from dl_condind.visualize import figures as visualize_figures

_Families = Mapping[families.Family, study_runs.Settings]
_Drawn = Mapping[families.Family, Sequence[figures.Drawn]]

_CONTENTS = (
  ("claims", "Claims"),
  ("figures", "Figures"),
  ("statistics", "Statistics"),
  ("runs", "Every run"),
  ("provenance", "What was run"),
  ("missing", "Missing"),
  ("next", "How to go on"),
)


_PAGE, _FIGURES = "report.html", "figures"  # The page, and the folder of its figures next to it.


class _Study(NamedTuple):
  """What a report is about: its place, its runs, and how they compare."""

  study_dir: pathlib.Path
  output_path: pathlib.Path
  settings: study_runs.Settings
  left_out: study_runs.Settings
  by_family: _Families
  tables: comparisons.Tables
  study: study_file.Study | None
  runs_csv: pathlib.Path | None

  @property
  def runs(self) -> list[study_runs.Run]:
    """The runs that count."""
    return [run for members in self.settings.values() for run in members]


class _Shown(NamedTuple):
  """The figures of each family: those of the first screen, and the others."""

  main: Mapping[families.Family, Sequence[views.Figure]]
  others: Mapping[families.Family, Sequence[views.Figure]]


def write_report(
  study_dir: str | os.PathLike | None,
  output_path: str | os.PathLike | None = None,
  show_models: bool = True,
  study: study_file.Study | None = None,
  runs_csv: str | os.PathLike | None = None,
  trust_gin_imports: bool = False,
  trust_model: bool = False,
) -> pathlib.Path:
  """Writes the report of a study, and next to it the folder of its figures.

  That is `figures`, of a page of another name `{page}_figures`, so that both pages can stay.

  Args:
    study_dir: Folder of the study, with a folder for each run; None for that of runs_csv.
    output_path: Name of the page; `{study_dir}/report.html` if None.
    show_models: Whether to show what two models do; for that of VAEs the data set must be there.
    study: The study whose runs these are, named by their numbers, to tell which are missing.
    runs_csv: A table of the runs to read instead of their folders, such as a published `runs.csv`.
      Then no models are shown.
    trust_gin_imports: Whether to run the modules that the trainings of the models imported.
    trust_model: Whether models may have operations that no model of this package has.

  Returns:
    The name of the page.

  Raises:
    ConfigError: If there is no trained run, or the page cannot be written.
    DatasetError: If a record or model is damaged, or the data set is missing.
  """
  study_dir = pathlib.Path(study_dir or pathlib.Path(runs_csv or ".").parent)
  output_path = pathlib.Path(output_path) if output_path else study_dir / _PAGE
  _check_replaceable(_figures_of(output_path))
  model_nums = study.model_nums if study else None
  if runs_csv:
    runs, left_out = reading.read_table(runs_csv, model_nums)
  else:
    runs, left_out = reading.read_study(study_dir, model_nums)
  found = _Study(
    study_dir=study_dir,
    output_path=output_path,
    settings=runs,
    left_out=left_out,
    by_family=families.by_family(runs),
    tables=comparisons.compare_all(runs),
    study=study,
    runs_csv=pathlib.Path(runs_csv) if runs_csv else None,
  )
  pairs = {
    family: model_pairs.choose(members) if show_models and not runs_csv else None
    for family, members in found.by_family.items()
  }
  models = {
    family: _draw_models(pair, trust_gin_imports, trust_model) if pair else []
    for family, pair in pairs.items()
  }
  shown = _save(found, models)
  targets = (figure for shown_first in shown.main.values() for figure in shown_first)
  pictured = {m.run for figure in targets if figure.is_target for m in figure.models if m.run}
  text = page.render(
    without_models=_without_models(models),
    **_context(found),
    **_figures(found, shown),
    **_links(found, pictured),
  )
  files.write_text(output_path, text)
  logging.info("Wrote %s, a report of %d runs.", output_path, len(found.runs))
  return output_path


def _context(found: _Study) -> dict[str, object]:
  """Returns what the templates say in words and in tables."""
  others = [run for members in found.left_out.values() for run in members]
  paper_claims, judged = claim_sections.of_paper(
    found.by_family, caveats.describe(found.settings, others)
  )
  other_claims = claim_sections.of_others(found.by_family)
  families_and_settings = found.by_family.items()
  return {
    "title": f"Factorized and correlated posteriors: {found.study_dir.resolve().name}",
    "headlines": [
      *(headline.describe(family, of, found.tables) for family, of in families_and_settings),
      *headline.count_all_verdicts(
        judged,
        {section.title: [*section.judged, *section.without_runs] for section in other_claims},
      ),
    ],
    "data_sets": study_description.data_sets(found.runs),
    "introductions": [family.sentences.INTRODUCTION for family in found.by_family],
    "contents": _CONTENTS,
    "claim_sets": [paper_claims, *other_claims],
    "told": [
      text for family, of in families_and_settings for text in family.sentences.describe(of)
    ],
    "statistics": tables.setting_statistics(found.tables, found.left_out),
    "statistics_notes": tables.statistics_notes(),
    "further": [
      (
        "Spread over evaluations",
        evaluation_spread.tables_of(found.settings),
        evaluation_spread.NOTE,
      ),
      (
        "Validations and puzzles",
        labels_and_puzzles.tables_of(found.settings),
        labels_and_puzzles.NOTE,
      ),
    ],
    "run_tables": [tables.every_run(family, of) for family, of in families_and_settings],
    "provenance": study_description.what_was_run(found.settings),
    "missing": study_description.what_is_missing(found.runs, others, found.study),
    "next_steps": next_steps.how_to_go_on(
      found.study_dir, found.output_path, found.runs, others, found.study, found.runs_csv
    ),
  }


def _figures(found: _Study, shown: _Shown) -> dict[str, object]:
  """Returns what the templates show in figures."""
  return {
    "main_figures": [shown.main[family] for family in found.by_family],
    "other_figures": [figure for family in found.by_family for figure in shown.others[family]],
    "points_note": figures.POINTS,
    "figure_folder": _figures_of(found.output_path).name,
  }


def _links(found: _Study, pictured: Container[str]) -> dict[str, object]:
  """Returns where links lead: those of points and runs, and to files beside the page.

  Args:
    found: The study.
    pictured: Names of the runs whose models are shown.
  """
  anchors = {run.name: f"run-{number}" for number, run in enumerate(found.runs)}
  return {
    "anchors": anchors,
    "targets": {
      name: f"pictures-of-{anchor}" if name in pictured else anchor
      for name, anchor in anchors.items()
    },
    "run_links": {run.name: links.to_pictures(run, found.output_path) for run in found.runs},
    "study_links": links.to_study(found.study_dir, found.runs_csv, found.output_path),
  }


def _figures_of(page: pathlib.Path) -> pathlib.Path:
  return page.with_name(_FIGURES if page.name == _PAGE else f"{page.stem}_{_FIGURES}")


def _check_replaceable(figure_dir: pathlib.Path) -> None:
  is_filled = figure_dir.is_dir() and any(figure_dir.iterdir())
  if is_filled and not (figure_dir / files.MANIFEST).is_file():
    raise errors.ConfigError(
      f"{figure_dir} would be replaced and is not from a report: name another page by "
      "output_path=..."
    )


def _draw_models(
  pair: model_pairs.Pair, trust_gin_imports: bool, trust_model: bool
) -> Sequence[figures.Drawn]:
  """Returns the pictures of two models."""
  try:
    return model_pairs.draw(pair, trust_gin_imports, trust_model)
  except errors.DatasetError as error:
    message = f"{error} With show_models=False the report leaves the models out."
    raise errors.DatasetError(message) from error


def _without_models(models: _Drawn) -> list[str]:
  return [
    f"No pictures of {family.name}s: they were left out, or no setting has stored models of two "
    "correlations."
    for family, drawn in models.items()
    if not drawn
  ]


def _save(found: _Study, models: _Drawn) -> _Shown:
  """Writes each figure as PNG and SVG file, and returns what the page shows of them."""
  main: dict[families.Family, list[views.Figure]] = {}
  others: dict[families.Family, list[views.Figure]] = {}
  with files.atomic_directory(_figures_of(found.output_path)) as folder:
    for family, members in found.by_family.items():
      drawn = family.figures.draw(members, found.tables)
      names = _main_names(family, drawn, models[family])
      main[family], others[family] = [], []
      for one in (*drawn, *models[family]):
        figure = one.figure
        (folder / f"{one.name}.png").write_bytes(visualize_figures.to_png(figure))
        (folder / f"{one.name}.svg").write_bytes(visualize_figures.to_svg(figure))
        view = views.of_figure(one)
        if one.name in names:
          main[family].append(view._replace(is_target=bool(view.models)))
        else:
          others[family].append(view)
  return _Shown(main, others)


def _main_names(
  family: families.Family, drawn: Sequence[figures.Drawn], models: Sequence[figures.Drawn]
) -> list[str]:
  """Names the figures of the first screen: the main measure, or the first there is, and models."""
  measured = [
    found
    for main in family.figures.MAIN_FIGURES
    for found in drawn
    if found.name.startswith(f"{main}_")
  ]
  pictured = [found for found in models if found.name == family.figures.MAIN_PICTURES]
  return [found.name for found in (*(measured or drawn)[:1], *(pictured or models)[:1])]
