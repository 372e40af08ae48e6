"""What validations with few labels and networks that solve puzzles found, as tables of a report."""

from collections.abc import Iterable
from collections.abc import Sequence
import re
import statistics

from dl_condind.reports import further_evaluations
from dl_condind.reports import study_runs
from dl_condind.reports import tables
from dl_condind.utils import run_config
from dl_condind.utils import run_folder

NOTE = (
  "Medians of runs with equal correlation. On puzzles, the best iteration is the one with the "
  "highest accuracy in its validation; its test has puzzles of its own, and guessing is right in "
  "one case of six. runs.csv has all results of these stages."
)

_COLUMN = re.compile(rf"(\w+)\.({run_folder.VALIDATION}|{run_folder.REASONING})\.([^.]+)\.(.+)")
_OF_PUZZLES = {
  "best.val.accuracy": "Best accuracy, validation",
  "best.test.accuracy": "Accuracy then, test",
  "best.test.global_step": "Steps until then",
}
_TITLES = {run_folder.VALIDATION: "Validation", run_folder.REASONING: "Puzzles"}
_NOT_SHOWN = re.compile(r"elapsed_time|config\..*|.*_\d+")  # Numbered ones are parts of a score.


def tables_of(settings: study_runs.Settings) -> list[tables.Table]:
  """Returns a table for each validation and each training on puzzles that a run has.

  Args:
    settings: Runs grouped by setting.
  """
  found: dict[tuple[str, str, str], dict[str, None]] = {}  # Stage -> its results, in order
  for run in (run for runs in settings.values() for run in runs):
    for column, value in run.row.items():
      match = _COLUMN.fullmatch(column)
      if match and further_evaluations.is_number(value):
        found.setdefault((match[2], match[1], match[3]), {})[match[4]] = None
  made = []
  for (kind, representation, file), results in sorted(found.items()):
    headings = _headings(kind, results)
    title = f"{_TITLES[kind]}: {file}, {representation} representation"
    columns = [f"{representation}.{kind}.{file}.{result}" for result in headings]
    names = ["Setting", "c", "Runs", *headings.values()]
    if columns:
      made.append(tables.Table(title, names, _rows(settings, columns)))
  return made


def _headings(kind: str, results: Iterable[str]) -> dict[str, str]:
  """Returns the results that are shown and their headings. Parts of a score are not shown."""
  if kind == run_folder.REASONING:
    return {result: _OF_PUZZLES[result] for result in _OF_PUZZLES if result in results}
  return {result: result for result in results if not _NOT_SHOWN.fullmatch(result)}


def _rows(settings: study_runs.Settings, columns: Sequence[str]) -> list[list[tables.Cell]]:
  """Returns a row for each setting and correlation that has one of the results."""
  rows = []
  for name, runs in settings.items():
    for label in study_runs.correlation_labels(runs):
      members = study_runs.of_correlation(runs, label)
      having = [run for run in members if any(_values([run], column) for column in columns)]
      if having:
        rows.append(
          [
            tables.Cell(name),
            tables.Cell(run_config.name_correlation(label), having[0].correlation),
            tables.Cell(str(len(having)), len(having)),
            *(_median(having, column) for column in columns),
          ]
        )
  return rows


def _median(runs: Sequence[study_runs.Run], column: str) -> tables.Cell:
  values = _values(runs, column)
  style = ",.0f" if column.endswith("global_step") else ".3f"
  return tables.number(statistics.median(values) if values else None, style)


def _values(runs: Sequence[study_runs.Run], column: str) -> list[float]:
  return [v for run in runs if further_evaluations.is_number(v := run.row.get(column))]
