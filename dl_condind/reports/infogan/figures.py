"""The figures of a study of InfoGANs: what codes do to attributes of digits, and the losses."""

from collections.abc import Sequence
import itertools

import numpy as np

from dl_condind.reports import study_runs
from dl_condind.reports.vae import figures as vae_figures
from dl_condind.utils import run_config
from dl_condind.visualize import figures

_MAX_SHOWN_RUNS = 5  # of a correlation, in the tables of shares
_MAX_PANELS = 3  # side by side
_R2 = "model.infogan_disentanglement.conditional_r2."
_ATTRIBUTES = ("slant", "width", "height", "thickness")
_MEASURES = {
  "conditional_r2_mean_gap": "gap of R²",
  "conditional_r2_assigned": "R² of own attribute",
  "digit_change_rate": "digit changes",
  "error_correlation": "error correlation",
}


def draw(settings: vae_figures.Settings) -> list[vae_figures.Drawn]:
  """Draws the measures of all InfoGANs of a data set, and what each code of a run explains.

  Args:
    settings: Name of a setting of InfoGANs -> its runs; what has no value is left out.
  """
  labels = study_runs.correlation_labels([run for runs in settings.values() for run in runs])
  by_dataset: dict[str, dict[str, Sequence[study_runs.Run]]] = {}
  for name, runs in settings.items():
    by_dataset.setdefault(runs[0].dataset, {})[name] = runs
  drawn = []
  for dataset, cells in by_dataset.items():
    for start in range(0, len(cells), _MAX_PANELS):
      part = dict(itertools.islice(cells.items(), start, start + _MAX_PANELS))
      drawn.append(_draw_measures(part, labels, f"infogan_{dataset}_{start // _MAX_PANELS}"))
  for number, (name, runs) in enumerate(settings.items()):
    drawn.append(_draw_shares(runs, name, f"codes_{runs[0].dataset}_{number}"))
  return [found for found in drawn if found]


def _draw_measures(
  cells: vae_figures.Settings, labels: Sequence[str], name: str
) -> vae_figures.Drawn | None:
  rows = [
    (
      text,
      {title: vae_figures.by_correlation(runs, measure, labels) for title, runs in cells.items()},
    )
    for measure, text in _MEASURES.items()
  ]
  rows = [row for row in rows if vae_figures.has_values([row])]
  if not rows:
    return None
  caption = (
    "What the codes do: gap between the shares of an attribute's variance (R²) that the best "
    "and the second code explain; R² of a code with an attribute of its own; share of the "
    "traversals along which the digit changes; correlation of the recognition network's errors. "
    f"{vae_figures.POINTS}"
  )
  figure = figures.values_by_correlation(rows, labels)
  return vae_figures.Drawn(name, figure, caption)


def _draw_shares(
  runs: Sequence[study_runs.Run], setting: str, name: str
) -> vae_figures.Drawn | None:
  """Draws R² of attributes and codes of the first runs of each correlation."""
  codes = {key.rpartition(".")[2] for run in runs for key in run.row if key.startswith(_R2)}
  codes = sorted(codes, key=lambda code: (len(code), code))  # code_2 before code_10
  keys = [[f"{_R2}{attribute}.{code}" for code in codes] for attribute in _ATTRIBUTES]
  rows = []
  for label in study_runs.correlation_labels(runs):
    members = [
      run
      for run in study_runs.of_correlation(runs, label)
      if any(run.row.get(key) is not None for row in keys for key in row)
    ]
    tables = {
      f"run {run.name}": np.array([[run.row.get(key) for key in row] for row in keys], np.float64)
      for run in members[:_MAX_SHOWN_RUNS]
    }
    if tables:
      rows.append((run_config.name_correlation(label), tables))
  if not rows:
    return None
  caption = (
    f"{setting}: share of the variance of each attribute of generated digits that each code "
    "explains, within categories (or, without a categorical code, predicted digits). A code can be "
    "named after an attribute if its number is high in one row and those of all other codes are "
    f"low there. The first {_MAX_SHOWN_RUNS} runs of each correlation at most."
  )
  figure = figures.shares(rows, _ATTRIBUTES, [code.replace("_", " ") for code in codes])
  return vae_figures.Drawn(name, figure, caption)
