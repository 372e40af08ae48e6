"""The results of a study as a table for a terminal: a few measures of each setting."""

from collections.abc import Sequence
import os
import pathlib
import shlex

from dl_condind.reports import aggregate_results
from dl_condind.reports import families
from dl_condind.reports import grouping
from dl_condind.reports import measures
from dl_condind.reports import study_runs

_MAX_MEASURES = 5
_GAP = "  "


def describe(directory: str | os.PathLike) -> str:
  """Returns the medians of the main measures, a line for each setting and correlation.

  Args:
    directory: A folder with runs in it, or one run; nothing is written into it.

  Returns:
    A table for each kind of model that a report knows; "" without a trained run of one.

  Raises:
    DatasetError: If a record is damaged.
  """
  directory = pathlib.Path(directory)
  rows = aggregate_results.gather_runs(directory)
  runs = [study_runs.Run(str(row["run"]), directory / str(row["run"]), row, {}) for row in rows]
  kinds = {family.kind for family in families.FAMILIES}
  settings = grouping.group_by_setting([run for run in runs if run.kind in kinds])
  by_family = families.by_family(settings)
  tables = [_table(family.kind, settings) for family, settings in by_family.items()]
  return "\n\n".join(_aligned(table) for table in tables)


def report_command(
  program: str, study_dir: str | os.PathLike, study: str = "", trust_gin_imports: bool = False
) -> str:
  """Returns the command that writes the report of a study.

  Args:
    program: A program of the package, beside which the report's program is, such as
      `bin/dl_condind_reproduce`. The folder of one that was found by its name is left out.
    study_dir: Folder of the study.
    study: Name of the study or path of its gin file; without, all runs of the folder count.
    trust_gin_imports: Whether the runs import modules.
  """
  path = pathlib.Path(program).with_name("dl_condind_report")
  words = [path.name if path.is_absolute() else str(path), f"--study_dir={study_dir}"]
  words += [f"--study={study}"] if study else []
  return shlex.join([*words, *(["--trust_gin_imports"] if trust_gin_imports else [])])


def _table(kind: str, settings: study_runs.Settings) -> list[list[str]]:
  everything = [run for runs in settings.values() for run in runs]
  columns = [
    measure for measure in measures.compared(kind) if study_runs.values_of(everything, measure.name)
  ][:_MAX_MEASURES]
  table = [["setting", "c", "runs", *(measure.heading or measure.title for measure in columns)]]
  for name, runs in settings.items():
    for label in study_runs.correlation_labels(runs):
      members = study_runs.of_correlation(runs, label)
      cells = [_median(members, measure) for measure in columns]
      table.append([name, label, str(len(members)), *cells])
  return table


def _median(runs: Sequence[study_runs.Run], measure: measures.Measure) -> str:
  median = study_runs.median(runs, measure.name)
  return "-" if median is None else f"{median:,.{measure.digits}f}"


def _aligned(table: Sequence[Sequence[str]]) -> str:
  """Returns a table in columns, the first to the left and all others to the right."""
  widths = [max(map(len, column)) for column in zip(*table, strict=True)]
  lines = [
    _GAP.join(
      cell.rjust(width) if index else cell.ljust(width)
      for index, (cell, width) in enumerate(zip(row, widths, strict=True))
    ).rstrip()
    for row in table
  ]
  return "\n".join(lines)
