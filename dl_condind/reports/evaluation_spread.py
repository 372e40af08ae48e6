"""How far the evaluations of one metric of one run lie apart, as tables of a report."""

from collections.abc import Sequence
import statistics

from dl_condind.reports import further_evaluations
from dl_condind.reports import measures
from dl_condind.reports import study_runs
from dl_condind.reports import tables
from dl_condind.utils import run_config

NOTE = (
  "Every metric was evaluated several times, each time on other points. “sd within a run” is the "
  "standard deviation over the evaluations of one run (root of the mean variance), “sd between "
  "runs” that of the means of runs that differ in their seed. All other numbers of this page are "
  "of the first evaluation, in which all runs share their points."
)

_HEADINGS = ("Setting", "c", "Runs", "Evaluations", "Mean", "sd within a run", "sd between runs")


def tables_of(settings: study_runs.Settings) -> list[tables.Table]:
  """Returns a table for each measure that was evaluated more than once.

  Args:
    settings: Runs grouped by setting.
  """
  found = []
  for measure in measures.compared():
    rows = [
      cells
      for name, runs in settings.items()
      for label in study_runs.correlation_labels(runs)
      if (cells := _cells(name, label, study_runs.of_correlation(runs, label), measure))
    ]
    if rows:
      found.append(tables.Table(measure.title, _HEADINGS, rows))
  return found


def _cells(
  setting: str, label: str, runs: Sequence[study_runs.Run], measure: measures.Measure
) -> list[tables.Cell]:
  """Returns the cells of a row of the table, none if no run was evaluated more than once."""
  found = [
    (
      run.row[f"{column}{further_evaluations.MEAN}"],
      run.row[f"{column}{further_evaluations.SD}"],
      run.row.get(_counted(column), ""),
    )
    for run in runs
    for column in [c for c in measure.columns if f"{c}{further_evaluations.SD}" in run.row][:1]
  ]
  if not found:
    return []
  means, deviations, counts = zip(*found, strict=True)
  digits = measure.digits + 2
  within = statistics.fmean(deviation**2 for deviation in deviations) ** 0.5
  between = statistics.stdev(means) if len(means) > 1 else None
  style = f".{digits}f"
  return [
    tables.Cell(setting),
    tables.Cell(run_config.name_correlation(label), runs[0].correlation),
    tables.Cell(str(len(found)), len(found)),
    tables.Cell(", ".join(map(str, sorted(set(counts))))),
    tables.number(statistics.fmean(means), style),
    tables.number(within, style),
    tables.number(between, style),
  ]


def _counted(column: str) -> str:
  """Returns the column of the number of evaluations of the metric that a column is of."""
  return ".".join(column.split(".")[:2]) + further_evaluations.NUMBER
