"""The section of a report on how far the evaluations of one metric of one run lie apart."""

import statistics

from dl_condind.reports import further_evaluations
from dl_condind.reports import measures
from dl_condind.reports import page
from dl_condind.reports import study_runs
from dl_condind.utils import run_config


def section(settings: study_runs.Settings) -> list[str]:
  """Returns a section of the page if a measure was evaluated more than once, otherwise nothing.

  Args:
    settings: Runs grouped by setting.
  """
  headings = ["Setting", "c", "Runs", "Evaluations", "Mean", "sd within a run", "sd between runs"]
  rows = []
  for measure in measures.compared():
    cells = [
      cells
      for name, runs in settings.items()
      for label in study_runs.correlation_labels(runs)
      if (cells := _cells(name, label, study_runs.of_correlation(runs, label), measure))
    ]
    if cells:
      rows.append(page.row([measure.title], "setting", span=len(headings)))
      rows += map(page.row, cells)
  if not rows:
    return []
  note = (
    "Every metric was evaluated several times, each time on other points. “sd within a run” is the "
    "standard deviation over the evaluations of one run (root of the mean variance), “sd between "
    "runs” that of the means of runs that differ in their seed. All other numbers of this page are "
    "of the first evaluation, in which all runs share their points."
  )
  return [page.section("Spread over evaluations", page.table(headings, rows), page.note(note))]


def _cells(
  setting: str, label: str, runs: list[study_runs.Run], measure: measures.Measure
) -> list[str]:
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
  between = f"{statistics.stdev(means):.{digits}f}" if len(means) > 1 else "-"
  return [
    setting,
    run_config.name_correlation(label),
    str(len(found)),
    ", ".join(map(str, sorted(set(counts)))),
    f"{statistics.fmean(means):.{digits}f}",
    f"{within:.{digits}f}",
    between,
  ]


def _counted(column: str) -> str:
  """Returns the column of the number of evaluations of the metric that a column is of."""
  return ".".join(column.split(".")[:2]) + further_evaluations.NUMBER
