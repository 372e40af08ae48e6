"""The figures of a report: numbers of runs in, matplotlib figures out. Writes no file."""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses

import numpy as np

from dl_condind.reports import study_runs
from dl_condind.utils import run_config
from dl_condind.visualize import figures

POINTS = (
  "Each point is one run, the bar is the median of runs with equal correlation; from five runs on, "
  "the shape behind shows their distribution."
)
MIN_VIOLIN_RUNS = 5  # Fewer points do not show the shape of a distribution.

_PANEL_WIDTH = 3.6  # inches
_MAX_INNER_LEGEND = 3  # A longer legend hides points and goes beside the panels.


@dataclasses.dataclass(frozen=True)
class Drawn:
  """A figure with the name of its files and its caption."""

  name: str
  figure: figures.Figure
  caption: str


def panels_of(
  settings: study_runs.Settings, measure: str, labels: Sequence[str]
) -> dict[str, dict[str, list[float]]]:
  """Returns the values of a measure at each correlation, a panel for each setting."""
  return {
    title: {
      label: study_runs.values_of(study_runs.of_correlation(runs, label), measure)
      for label in labels
    }
    for title, runs in settings.items()
  }


def has_values(rows: Sequence[tuple[str, Mapping[str, Mapping[str, Sequence]]]]) -> bool:
  """Returns whether there is a point to draw in rows of panels of correlations."""
  return any(values for _, panels in rows for panel in panels.values() for values in panel.values())


def values_by_correlation(
  rows: Sequence[tuple[str, Mapping[str, Mapping[str, Sequence[float]]]]],
  correlations: Sequence[str],
) -> figures.Figure:
  """Draws each run's value as a point over its correlation, with the median of each correlation.

  A violin is drawn behind `MIN_VIOLIN_RUNS` or more points. Axes begin at 0; panels of a row share
  them. The medians of three or more correlations are joined by a line.

  Args:
    rows: (name and unit of the values, title of a panel -> correlation -> a value of each run).
    correlations: The correlations in their order, which also decides their colours.
  """
  width = max(_PANEL_WIDTH, 0.65 * len(correlations) + 0.8)  # Room for each label.
  figure, grid = _panels([len(panels) for _, panels in rows], width)
  for row, (axis_label, panels) in zip(grid, rows, strict=True):
    values = [value for panel in panels.values() for runs in panel.values() for value in runs]
    for axes, (title, panel) in zip(row, panels.items(), strict=True):
      figures.finish(axes, title, "noise correlation c", axis_label)
      for position, correlation in enumerate(correlations):
        style = _style(correlations, correlation)
        _draw_runs(axes, position, panel.get(correlation, ()), style)
      _join_medians(axes, [panel.get(c, ()) for c in correlations if run_config.is_number(c)])
      ticks = [f"{label}\n(n = {len(panel.get(label, ()))})" for label in correlations]
      axes.set_xticks(range(len(correlations)), ticks)
      axes.set_xlim(-0.6, len(correlations) - 0.4)
      low, high = min([0, *values]), max([0, *values])
      margin = 0.1 * (high - low)
      axes.set_ylim(low - margin if low < 0 else 0, high + margin or 1)
  return figure


def scatter(
  rows: Sequence[tuple[str, Mapping[str, Mapping[str, Sequence[tuple[float, float]]]]]],
  correlations: Sequence[str],
  x_label: str,
) -> figures.Figure:
  """Draws each run as a point of two measures.

  Args:
    rows: (name and unit of y, title of a panel -> correlation -> (x, y) of each run).
    correlations: The correlations in their order, which also decides their colours.
    x_label: Name and unit of x.
  """
  has_outer_legend = len(correlations) > _MAX_INNER_LEGEND
  width = _PANEL_WIDTH + (0.7 if has_outer_legend else 0)
  figure, grid = _panels([len(panels) for _, panels in rows], width)
  for row, (y_label, panels) in zip(grid, rows, strict=True):
    for axes, (title, panel) in zip(row, panels.items(), strict=True):
      figures.finish(axes, title, x_label, y_label)
      for correlation in correlations:
        points = np.reshape(panel.get(correlation, ()), (-1, 2))
        color, marker = _style(correlations, correlation)
        label = f"{run_config.name_correlation(correlation)} (n = {len(points)})"
        axes.plot(*points.T, marker, color=color, markersize=7, alpha=0.8, label=label)
      axes.margins(0.2)
      if not has_outer_legend:
        axes.legend(fontsize=9, handletextpad=0.1, framealpha=0.7, edgecolor="none")
  if has_outer_legend:
    names = [run_config.name_correlation(correlation) for correlation in correlations]
    lines = grid[0][0].lines
    figure.legend(lines, names, loc="outside right upper", handletextpad=0.1, edgecolor="none")
  return figure


def shares(
  rows: Sequence[tuple[str, Mapping[str, np.ndarray]]],
  row_labels: Sequence[str],
  column_labels: Sequence[str],
) -> figures.Figure:
  """Draws tables of shares, each cell with its number and the darker the larger it is.

  Args:
    rows: (label of a row of tables, title of a table -> shares in [0, 1] or NaN, [num_rows,
      num_columns]).
    row_labels: Of the rows of a table, from the top.
    column_labels: Of its columns.
  """
  width, height = 1.0 + 0.55 * len(column_labels), 0.9 + 0.35 * len(row_labels)
  num_columns = max(len(tables) for _, tables in rows)
  figure = figures.Figure(
    (max(0.8 + width * num_columns, 4.6), height * len(rows)),
    dpi=figures.DOTS_PER_INCH,
    layout="constrained",
  )
  grid = figure.subplots(len(rows), num_columns, squeeze=False)
  for row, (label, tables) in zip(grid, rows, strict=True):
    for axes in row[len(tables) :]:
      axes.set_axis_off()
    for axes, (title, values) in zip(row, tables.items(), strict=False):
      axes.imshow(values, cmap="Blues", vmin=0, vmax=1, aspect="auto")
      for (y, x), value in np.ndenumerate(values):
        color = "white" if value > 0.6 else "black"
        text = "-" if np.isnan(value) else f"{value:.2f}"
        axes.text(x, y, text, ha="center", va="center", color=color, fontsize=9)
      axes.set_title(title, fontsize=10)
      axes.set_xticks(range(len(column_labels)), column_labels, fontsize=9)
      axes.set_yticks(range(len(row_labels)), row_labels if axes is row[0] else [], fontsize=9)
      axes.tick_params(length=0)
    row[0].set_ylabel(label)
  return figure


def _style(correlations: Sequence[str], correlation: str) -> tuple[str, str]:
  """Returns colour and marker; those of the factorized posterior are the same in every study."""
  others = [label for label in correlations if label != "0"]
  return figures.STYLES[
    0 if correlation == "0" else 1 + others.index(correlation) % (len(figures.STYLES) - 1)
  ]


def _panels(
  row_sizes: Sequence[int], width: float
) -> tuple[figures.Figure, list[list[figures.Axes]]]:
  """Returns a figure with rows of panels, as many in each as are asked for."""
  num_rows, num_columns = len(row_sizes), max(row_sizes)
  figure = figures.Figure(
    (max(width * num_columns, 4.6), figures.PANEL_HEIGHT * num_rows),
    dpi=figures.DOTS_PER_INCH,
    layout="constrained",
  )
  grid = figure.subplots(num_rows, num_columns, squeeze=False)
  for row, size in zip(grid, row_sizes, strict=True):
    for axes in row[size:]:
      axes.set_axis_off()
  return figure, [list(row[:size]) for row, size in zip(grid, row_sizes, strict=True)]


def _draw_runs(
  axes: figures.Axes, position: int, values: Sequence[float], style: tuple[str, str]
) -> None:
  """Draws the runs of one correlation around an x position."""
  if not len(values):
    return
  color, marker = style
  if len(values) >= MIN_VIOLIN_RUNS and np.ptp(values) > 0:
    (body,) = axes.violinplot([values], [position], widths=0.7, showextrema=False)["bodies"]
    body.set(facecolor=color, alpha=0.2)
  width = 0.12 if len(values) > 1 else 0.0
  offsets = np.linspace(-width, width, num=len(values))
  axes.plot(position + offsets, values, marker, color=color, markersize=7, alpha=0.8)
  if len(values) > 1:
    axes.hlines(np.median(values), position - 0.25, position + 0.25, color=color, linewidth=2)


def _join_medians(axes: figures.Axes, values: Sequence[Sequence[float]]) -> None:
  """Joins the medians of three or more correlations."""
  medians = [(x, np.median(runs)) for x, runs in enumerate(values) if len(runs)]
  if len(medians) > 2:
    axes.plot(*zip(*medians, strict=True), color="#555555", linewidth=1, linestyle="dotted")
