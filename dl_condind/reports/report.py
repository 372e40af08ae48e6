"""A study as one self-contained HTML page."""

from collections.abc import Mapping
from collections.abc import Sequence
import itertools
import os
import pathlib

from absl import logging

from dl_condind.reports import caveats
from dl_condind.reports import comparisons
from dl_condind.reports import evaluation_spread
from dl_condind.reports import families
from dl_condind.reports import figures
from dl_condind.reports import model_pairs
from dl_condind.reports import next_steps
from dl_condind.reports import page
from dl_condind.reports import protocol
from dl_condind.reports import reading
from dl_condind.reports import study_description
from dl_condind.reports import study_runs
from dl_condind.reports import tables
from dl_condind.studies import study_file
from dl_condind.utils import errors
from dl_condind.utils import files
from dl_condind.visualize import figures as visualize_figures

_Families = Mapping[families.Family, study_runs.Settings]


def write_report(
  study_dir: str | os.PathLike | None,
  output_path: str | os.PathLike | None = None,
  show_models: bool = True,
  study: study_file.Study | None = None,
  runs_csv: str | os.PathLike | None = None,
  trust_gin_imports: bool = False,
  trust_model: bool = False,
) -> pathlib.Path:
  """Writes the report of a study, with its figures in the folder `figures` beside it.

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
  study_dir = pathlib.Path(runs_csv).parent if study_dir is None else pathlib.Path(study_dir)
  output_path = pathlib.Path(output_path) if output_path else study_dir / "report.html"
  figure_dir = output_path.parent / "figures"
  _check_replaceable(figure_dir)
  model_nums = study.model_nums if study else None
  if runs_csv:
    settings, left_out = reading.read_table(runs_csv, model_nums)
    show_models = False
  else:
    settings, left_out = reading.read_study(study_dir, model_nums)
  runs = [run for members in settings.values() for run in members]
  others = [run for members in left_out.values() for run in members]
  found = comparisons.compare_all(settings)
  by_family = families.by_family(settings)
  models = {
    family: _draw_models(members, trust_gin_imports, trust_model) if show_models else []
    for family, members in by_family.items()
  }
  told = [text for family in by_family for text in family.sentences.describe(by_family[family])]
  title = f"Factorized and correlated posteriors: {study_dir.resolve().name}"
  sections = [
    _claims_section(by_family, caveats.describe(settings, others)),
    *_further_claims(by_family),
    page.section("Statistics", *tables.setting_statistics(found, left_out)),
    *evaluation_spread.section(settings),
    page.section("Figures", *_figures(figure_dir, by_family, models)),
    page.section("What the figures say and do not say", page.bullets(told)),
    page.section("Every run", *tables.every_run(settings)),
    page.section("What was run", *study_description.what_was_run(settings)),
    page.section("Missing or incomplete", *study_description.what_is_missing(runs, others, study)),
    page.section(
      "How to go on", *next_steps.how_to_go_on(study_dir, output_path, runs, others, study)
    ),
  ]
  banner = page.banner(study_description.data_sets(runs))
  introduction = [family.sentences.INTRODUCTION for family in by_family]
  files.write_text(output_path, page.document(title, introduction, [banner, *sections]))
  logging.info("Wrote %s, a report of %d runs.", output_path, len(runs))
  return output_path


def _check_replaceable(figure_dir: pathlib.Path) -> None:
  is_filled = figure_dir.is_dir() and any(figure_dir.iterdir())
  if is_filled and not (figure_dir / files.MANIFEST).is_file():
    raise errors.ConfigError(
      f"{figure_dir} would be replaced and is not from a report: name another page by "
      "output_path=..."
    )


def _draw_models(
  settings: study_runs.Settings, trust_gin_imports: bool, trust_model: bool
) -> list[figures.Drawn]:
  """Returns the pictures of two models, none if no setting has stored models to compare."""
  pair = model_pairs.choose(settings)
  if not pair:
    return []
  try:
    return model_pairs.draw(pair, trust_gin_imports, trust_model)
  except errors.DatasetError as error:
    message = f"{error} With show_models=False the report leaves the models out."
    raise errors.DatasetError(message) from error


def _claims_section(by_family: _Families, reservations: Sequence[str]) -> str:
  """Returns the verdicts under a title that says if they are not about the paper's protocol."""
  judged = [
    claim for family, members in by_family.items() for claim in family.claims.judge(members)
  ]
  deviations = list(dict.fromkeys(d for claim in judged for d in claim.deviations))
  title, banner = "Claims of the paper", []
  if deviations:
    title = f"Claims of the paper, judged in {protocol.name(deviations)}"
    banner = [page.banner(protocol.describe(deviations))]
  notes = [page.note(family.claims.NOTE) for family in by_family]
  return page.section(
    title, *banner, *tables.verdict_table(judged), *notes, page.bullets(reservations)
  )


def _further_claims(by_family: _Families) -> list[str]:
  """Returns a section for each set of claims beside the paper's that is about the runs."""
  return [
    page.section(
      claims.TITLE, tables.verdict_rows(judged, "Claim", "Setting"), page.note(claims.NOTE)
    )
    for family, members in by_family.items()
    for claims in family.claim_sets
    if (judged := claims.judge(members))
  ]


def _figures(
  figure_dir: pathlib.Path,
  by_family: _Families,
  models: Mapping[families.Family, Sequence[figures.Drawn]],
) -> list[str]:
  """Writes each figure as PNG and SVG file, and returns them as parts of the page."""
  drawn = [found for family, members in by_family.items() for found in family.figures.draw(members)]
  pictures = []
  with files.atomic_directory(figure_dir) as folder:
    for found in itertools.chain(drawn, *models.values()):
      png = visualize_figures.to_png(found.figure)
      (folder / f"{found.name}.png").write_bytes(png)
      (folder / f"{found.name}.svg").write_bytes(visualize_figures.to_svg(found.figure))
      pictures.append(page.picture(png, found.name.replace("_", " "), found.caption))
  notes = [
    f"No pictures of {family.name}s: they were left out, or no setting has stored models of two "
    "correlations."
    for family, shown in models.items()
    if not shown
  ]
  return [page.pictures(pictures), *map(page.note, notes)]
