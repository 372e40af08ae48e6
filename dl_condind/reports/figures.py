"""The figures of a report, and how its charts become matplotlib figures. Writes no file."""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses

import numpy as np

from dl_condind.reports import charts
from dl_condind.reports import strips
from dl_condind.visualize import figures

POINTS = (
  f"Each point is one run, the wide bar is the median of runs with equal correlation. From "
  f"{charts.MIN_SHAPE_RUNS} runs on, the shape behind them shows their distribution, and the thin "
  "bar with ends is the 95 % interval of their mean."
)

_PANEL_WIDTH = 3.6  # inches
_MAX_COLUMNS = 4
_GREY = "#555555"
_SLANTED = {"rotation": 38, "ha": "right"}


@dataclasses.dataclass(frozen=True)
class Shares:
  """Tables of shares.

  Attributes:
    rows: (label of a row of tables, title of a table -> shares in [0, 1] or NaN, [num_rows,
      num_columns]).
    row_labels: Of the rows of a table, from the top.
    column_labels: Of its columns.
  """

  rows: Sequence[tuple[str, Mapping[str, np.ndarray]]]
  row_labels: Sequence[str]
  column_labels: Sequence[str]


@dataclasses.dataclass(frozen=True)
class Drawn:
  """A figure.

  Attributes:
    name: Name of its files.
    title: What it shows.
    caption: What to know about it.
    content: What is drawn: a chart, rows of images or tables of shares.
  """

  name: str
  title: str
  caption: str
  content: charts.Chart | strips.Strips | Shares

  @property
  def figure(self) -> figures.Figure:
    """A new matplotlib figure of the same content."""
    if isinstance(self.content, charts.Chart):
      return draw_chart(self.content, self.title)
    if isinstance(self.content, strips.Strips):
      return strips.draw(self.content, self.title)
    return draw_shares(self.content, self.title)


def draw_chart(chart: charts.Chart, title: str) -> figures.Figure:
  """Draws the panels of a chart, at most four side by side, and in rows of about equal length."""
  num_rows = -(-len(chart.panels) // _MAX_COLUMNS)
  num_columns = -(-len(chart.panels) // num_rows)
  width = max(_PANEL_WIDTH, 0.65 * max(len(panel.x.ticks) for panel in chart.panels) + 0.8)
  figure = figures.Figure(
    (max(width * num_columns, 4.6), figures.PANEL_HEIGHT * num_rows + 0.4),
    dpi=figures.DOTS_PER_INCH,
    layout="constrained",
  )
  figure.suptitle(title, fontsize=12)
  looks = figures.looks(chart.names, chart.is_ordered)
  grid = figure.subplots(num_rows, num_columns, squeeze=False).ravel()
  for axes, panel in zip(grid, chart.panels, strict=False):
    figures.finish(axes, panel.title, panel.x.label, panel.y.label)
    for line in panel.lines:
      _draw_line(axes, line, looks[line.style])
    for style in sorted({mark.style for mark in panel.marks}):
      points = [(mark.x, mark.y) for mark in panel.marks if mark.style == style]
      color, marker = looks[style].color, looks[style].marker
      # Not clipped: a run at 0 lies on the axis.
      axes.plot(
        *np.transpose(points), marker, color=color, markersize=7, alpha=0.8, clip_on=False, zorder=3
      )
    positions = [at for at, _ in panel.x.ticks]
    gap = " " if panel.x.is_slanted else "\n"
    labels = [label.replace("\n", gap) for _, label in panel.x.ticks]
    axes.set_xticks(positions, labels, **(_SLANTED if panel.x.is_slanted else {}))
    axes.set_yticks([at for at, _ in panel.y.ticks], [label for _, label in panel.y.ticks])
    axes.set(xlim=panel.x.limits, ylim=panel.y.limits)
  for axes in grid[len(chart.panels) :]:
    axes.set_axis_off()
  if chart.legend:
    _add_legend(figure, chart, looks)
  return figure


def _draw_line(axes: figures.Axes, line: charts.Line, look: figures.Look) -> None:
  x, y = np.transpose(line.points)
  if line.kind == charts.SHAPE:
    axes.fill(x, y, color=look.color, alpha=0.2, linewidth=0)
  elif line.kind == charts.TREND:
    axes.plot(x, y, color=_GREY, linewidth=1, linestyle="dotted")
  elif line.kind == charts.CURVE:
    axes.plot(x, y, color=look.color, linewidth=1.2, linestyle=look.line)
  elif line.kind == charts.INTERVAL:
    axes.plot(x, y, color=look.color, linewidth=1.2, marker="_", markersize=7, clip_on=False)
  else:
    axes.plot(x, y, color=look.color, linewidth=2)


def _add_legend(figure: figures.Figure, chart: charts.Chart, looks: Sequence[figures.Look]) -> None:
  has_curves = any(line.kind == charts.CURVE for panel in chart.panels for line in panel.lines)
  handles = [
    figures.Line2D([], [], color=look.color, linestyle=look.line)
    if has_curves
    else figures.Line2D([], [], color=look.color, marker=look.marker, linestyle="none")
    for look in looks
  ]
  labels = list(map(figures.plain_label, chart.legend))
  columns = min(len(labels), _MAX_COLUMNS)
  figure.legend(handles, labels, loc="outside lower center", ncols=columns, frameon=False)


def draw_shares(tables: Shares, title: str) -> figures.Figure:
  """Draws tables of shares, each cell with its number and the darker the larger it is."""
  row_labels, column_labels = tables.row_labels, tables.column_labels
  width, height = 1.0 + 0.55 * len(column_labels), 0.9 + 0.35 * len(row_labels)
  num_columns = max(len(row) for _, row in tables.rows)
  figure = figures.Figure(
    (max(0.8 + width * num_columns, 4.6), height * len(tables.rows) + 0.4),
    dpi=figures.DOTS_PER_INCH,
    layout="constrained",
  )
  figure.suptitle(title, fontsize=12)
  grid = figure.subplots(len(tables.rows), num_columns, squeeze=False)
  for row, (label, of_label) in zip(grid, tables.rows, strict=True):
    for axes in row[len(of_label) :]:
      axes.set_axis_off()
    for axes, (name, values) in zip(row, of_label.items(), strict=False):
      axes.imshow(values, cmap="Blues", vmin=0, vmax=1, aspect="auto")
      for (y, x), value in np.ndenumerate(values):
        color = "white" if value > 0.6 else "black"
        axes.text(x, y, share_text(value), ha="center", va="center", color=color, fontsize=9)
      axes.set_title(name, fontsize=10)
      axes.set_xticks(range(len(column_labels)), column_labels, fontsize=9)
      axes.set_yticks(range(len(row_labels)), row_labels if axes is row[0] else [], fontsize=9)
      axes.tick_params(length=0)
    row[0].set_ylabel(label)
  return figure


def share_text(value: float) -> str:
  """Returns a share with two digits, or `-` if it is NaN."""
  return "-" if np.isnan(value) else f"{value:.2f}"
