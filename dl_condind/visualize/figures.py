"""Figures of numbers: data in, matplotlib figures out. Nothing here reads or writes a file."""

from collections.abc import Mapping
from collections.abc import Sequence
import io
import textwrap

import numpy as np

from dl_condind.utils import errors
from dl_condind.utils import run_config

try:
  import matplotlib as mpl
  from matplotlib import axes as mpl_axes
  from matplotlib import figure as mpl_figure
  from matplotlib.backends import backend_agg
  from matplotlib.backends import backend_svg
except ImportError as error:
  raise errors.ConfigError(
    "Figures need matplotlib, which is not installed: run `pip install matplotlib`, or `pip "
    "install '.[report]'` in a clone of the repository."
  ) from error

Axes = mpl_axes.Axes
Figure = mpl_figure.Figure

MIN_VIOLIN_RUNS = 5  # Fewer points do not show the shape of a distribution.

DOTS_PER_INCH = 144
_PANEL_WIDTH = 3.6  # inches
_MAX_MARKED_POINTS = 20  # of a curve
_PANEL_HEIGHT = 3.2  # inches

# Okabe and Ito's colours, told apart by all common kinds of colour vision; markers differ as well.
_STYLES = (
  ("#0072B2", "o"),
  ("#D55E00", "^"),
  ("#009E73", "s"),
  ("#CC79A7", "D"),
  ("#E69F00", "v"),
  ("#56B4E9", "P"),
  ("#000000", "X"),
  ("#999999", "p"),
  ("#882255", "*"),
)
_MAX_INNER_LEGEND = 3  # A longer legend hides points and goes beside the panels.
_LINES = ("solid", "dashed", "dashdot")


def to_png(figure: Figure) -> bytes:
  """Returns a figure as a PNG file."""
  buffer = io.BytesIO()
  canvas = backend_agg.FigureCanvasAgg(figure)
  canvas.print_figure(buffer, format="png", bbox_inches="tight", pad_inches=0.05)
  return buffer.getvalue()


def to_svg(figure: Figure) -> bytes:
  """Returns a figure as an SVG file, the same for the same figure."""
  buffer = io.BytesIO()
  canvas = backend_svg.FigureCanvasSVG(figure)
  with mpl.rc_context({"svg.hashsalt": "dl_condind"}):
    canvas.print_figure(
      buffer, format="svg", bbox_inches="tight", pad_inches=0.05, metadata={"Date": None}
    )
  return buffer.getvalue()


def values_by_correlation(
  rows: Sequence[tuple[str, Mapping[str, Mapping[str, Sequence[float]]]]],
  correlations: Sequence[str],
) -> Figure:
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
      _finish(axes, title, "noise correlation c", axis_label)
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
) -> Figure:
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
      _finish(axes, title, x_label, y_label)
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


def curves(
  panels: Mapping[str, Mapping[str, tuple[Sequence[float], Sequence[float]]]],
  x_label: str,
  y_label: str,
) -> Figure:
  """Draws curves in panels side by side that share both axes; those of few points with the points.

  Args:
    panels: Title of a panel -> name of a curve -> its x and y. A name has the same colour and line
      in all panels.
    x_label: Name of x.
    y_label: Name and unit of y.
  """
  figure = Figure((4.8 * len(panels), _PANEL_HEIGHT), dpi=DOTS_PER_INCH, layout="constrained")
  grid = figure.subplots(1, len(panels), squeeze=False, sharex=True, sharey=True).flat
  names, drawn = list(dict.fromkeys(name for panel in panels.values() for name in panel)), {}
  for axes, (title, panel) in zip(grid, panels.items(), strict=True):
    _finish(axes, title, x_label, y_label)
    for name, (x, y) in panel.items():
      index = names.index(name)
      color, line = _STYLES[index % len(_STYLES)][0], _LINES[index % len(_LINES)]
      marker = "o" if len(x) <= _MAX_MARKED_POINTS else ""
      (drawn[name],) = axes.plot(
        x, y, color=color, linestyle=line, linewidth=1.2, marker=marker, markersize=3
      )
  figure.legend(drawn.values(), drawn, loc="outside lower center", ncols=len(drawn), frameon=False)
  return figure


def shares(
  rows: Sequence[tuple[str, Mapping[str, np.ndarray]]],
  row_labels: Sequence[str],
  column_labels: Sequence[str],
) -> Figure:
  """Draws tables of shares, each cell with its number and the darker the larger it is.

  Args:
    rows: (label of a row of tables, title of a table -> shares in [0, 1] or NaN, [num_rows,
      num_columns]).
    row_labels: Of the rows of a table, from the top.
    column_labels: Of its columns.
  """
  width, height = 1.0 + 0.55 * len(column_labels), 0.9 + 0.35 * len(row_labels)
  num_columns = max(len(tables) for _, tables in rows)
  figure = Figure(
    (max(0.8 + width * num_columns, 4.6), height * len(rows)),
    dpi=DOTS_PER_INCH,
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
  return _STYLES[0 if correlation == "0" else 1 + others.index(correlation) % (len(_STYLES) - 1)]


def _panels(row_sizes: Sequence[int], width: float) -> tuple[Figure, list[list[Axes]]]:
  """Returns a figure with rows of panels, as many in each as are asked for."""
  num_rows, num_columns = len(row_sizes), max(row_sizes)
  figure = Figure(
    (max(width * num_columns, 4.6), _PANEL_HEIGHT * num_rows),
    dpi=DOTS_PER_INCH,
    layout="constrained",
  )
  grid = figure.subplots(num_rows, num_columns, squeeze=False)
  for row, size in zip(grid, row_sizes, strict=True):
    for axes in row[size:]:
      axes.set_axis_off()
  return figure, [list(row[:size]) for row, size in zip(grid, row_sizes, strict=True)]


def _finish(axes: Axes, title: str, x_label: str, y_label: str) -> None:
  axes.set_title("\n".join(textwrap.fill(line, 42) for line in title.split("\n")), fontsize=11)
  axes.set_xlabel(x_label)
  axes.set_ylabel(y_label)
  axes.spines[["top", "right"]].set_visible(False)
  axes.grid(axis="y", color="#e5e5e5", linewidth=0.8)
  axes.set_axisbelow(True)


def _draw_runs(axes: Axes, position: int, values: Sequence[float], style: tuple[str, str]) -> None:
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


def _join_medians(axes: Axes, values: Sequence[Sequence[float]]) -> None:
  """Joins the medians of three or more correlations."""
  medians = [(x, np.median(runs)) for x, runs in enumerate(values) if len(runs)]
  if len(medians) > 2:
    axes.plot(*zip(*medians, strict=True), color="#555555", linewidth=1, linestyle="dotted")
