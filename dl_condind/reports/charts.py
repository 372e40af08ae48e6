"""Charts of runs as numbers: points, lines and axes, which pages and files of figures draw alike.

Nothing here knows how a chart is drawn. `svg` places it on a page, `figures` draws it with
matplotlib.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses

import numpy as np
from scipy import stats

from dl_condind.reports import axes
from dl_condind.reports import comparisons
from dl_condind.reports import sentences
from dl_condind.reports import study_runs
from dl_condind.utils import run_config

MIN_SHAPE_RUNS = 5  # Fewer points do not show the shape of a distribution.

MEDIAN, INTERVAL, SHAPE, TREND, CURVE = "median", "interval", "shape", "trend", "curve"

_Points = tuple[tuple[float, float], ...]
_SHAPE_WIDTH = 0.35  # Half of the width of the shape behind points, in steps between correlations.
_NUM_SHAPE_POINTS = 40


@dataclasses.dataclass(frozen=True)
class Mark:
  """A point, which is one run.

  Attributes:
    run: Name of the run.
    x: Where it is.
    y: Where it is.
    style: Position of its style among those of the chart.
    text: The run and its values, in words.
  """

  run: str
  x: float
  y: float
  style: int
  text: str


@dataclasses.dataclass(frozen=True)
class Line:
  """A line, or the outline of a shape.

  Attributes:
    kind: MEDIAN, INTERVAL, SHAPE, TREND or CURVE.
    points: (x, y) of its corners.
    style: As of `Mark`.
  """

  kind: str
  points: _Points
  style: int = 0


@dataclasses.dataclass(frozen=True)
class Panel:
  """A panel of a chart.

  Attributes:
    title: What tells it from the other panels.
    x: The axis.
    y: The axis.
    marks: The runs.
    lines: What is drawn behind them.
    alternative: What it shows, in words.
  """

  title: str
  x: axes.Axis
  y: axes.Axis
  marks: tuple[Mark, ...]
  lines: tuple[Line, ...]
  alternative: str


@dataclasses.dataclass(frozen=True)
class Chart:
  """Panels of one figure.

  Attributes:
    panels: The panels.
    names: Name of each style.
    is_ordered: Whether the styles are steps of one quantity, whose colours are a sequence.
    legend: What a legend calls each style; empty if the axes name them.
  """

  panels: tuple[Panel, ...]
  names: tuple[str, ...]
  is_ordered: bool = False
  legend: tuple[str, ...] = ()


def is_ordered(labels: Sequence[str]) -> bool:
  """Returns whether there are three or more correlations, and all are numbers c."""
  return len(labels) > 2 and all(map(run_config.is_number, labels))


def of_values(
  settings: study_runs.Settings,
  measure: str,
  table: comparisons.Table,
  labels: Sequence[str],
  y_label: str,
  digits: int,
) -> Chart | None:
  """Returns a measure over the correlation, a panel for each setting; None without values.

  Each run is a point. Several have a bar at their median; from five on the shape of their
  distribution and, from the table, the interval of their mean. The y-axis has its 0, and all panels
  share it. The medians of three or more numbers c are joined.

  Args:
    settings: The runs of each setting.
    measure: Name of the measure.
    table: The same measure as `comparisons.compare` returns it.
    labels: The correlations in their order.
    y_label: Name and unit of the measure.
    digits: Decimal places to show.
  """
  by_setting = {
    name: [
      [(run, v) for run in runs if (v := _of(run, label, measure)) is not None] for label in labels
    ]
    for name, runs in settings.items()
  }
  values = [v for groups in by_setting.values() for group in groups for _, v in group]
  if not values:
    return None
  y = axes.around(y_label, min(0.0, *values), max(0.0, *values), from_zero=True)
  _, titles = sentences.split_names(settings)
  panels = []
  for name, groups in by_setting.items():
    marks: list[Mark] = []
    lines: list[Line] = []
    for position, (label, group) in enumerate(zip(labels, groups, strict=True)):
      interval = table[name, label].summary.interval if (name, label) in table else None
      lines += _lines_of(position, [v for _, v in group], interval)
      marks += _marks_of(position, group, f"{y_label} ", digits)
    lines += _trend(labels, groups)
    ticks = tuple((float(i), f"{c}\n(n = {len(groups[i])})") for i, c in enumerate(labels))
    x = axes.Axis("noise correlation c", (-0.6, len(labels) - 0.4), ticks)
    told = [_told(label, group, digits) for label, group in zip(labels, groups, strict=True)]
    text = f"{y_label} over the noise correlation, {name}. {' '.join(told)}"
    panels.append(Panel(titles[name], x, y, tuple(marks), tuple(lines), text))
  return Chart(tuple(panels), tuple(labels), is_ordered(labels))


def of_points(
  settings: study_runs.Settings,
  measures: tuple[str, str],
  labels: Sequence[str],
  axis_labels: tuple[str, str],
  digits: int,
) -> Chart | None:
  """Returns a measure over another one, a panel for each setting; None without values.

  Args:
    settings: The runs of each setting.
    measures: Names of the measures on x and y.
    labels: The correlations in their order.
    axis_labels: Name and unit of both measures.
    digits: Decimal places to show.
  """
  _, titles = sentences.split_names(settings)
  panels = []
  for name, runs in settings.items():
    marks = []
    for style, label in enumerate(labels):
      for run in study_runs.of_correlation(runs, label):
        x, y = (run.measure(measure) for measure in measures)
        if x is not None and y is not None:
          values = [f"{a} {v:.{digits}f}" for a, v in zip(axis_labels, (x, y), strict=True)]
          marks.append(Mark(run.name, x, y, style, f"{_name(run)}: {', '.join(values)}"))
    if marks:
      x_axis, y_axis = (
        axes.around(label, min(values), max(values))
        for label, values in zip(
          axis_labels, ([mark.x for mark in marks], [mark.y for mark in marks]), strict=True
        )
      )
      text = f"{axis_labels[1]} over {axis_labels[0]}, {name}: {len(marks)} runs."
      panels.append(Panel(titles[name], x_axis, y_axis, tuple(marks), (), text))
  legend = tuple(map(run_config.name_correlation, labels))
  return Chart(tuple(panels), tuple(labels), is_ordered(labels), legend) if panels else None


def of_curves(
  panels: Mapping[str, Mapping[str, tuple[Sequence[float], Sequence[float]]]],
  x_label: str,
  y_label: str,
) -> Chart:
  """Returns curves in panels that share both axes.

  Args:
    panels: Title of a panel -> name of a curve -> its x and y.
    x_label: Name of x.
    y_label: Name and unit of y.
  """
  names = list(dict.fromkeys(name for panel in panels.values() for name in panel))
  curves = [curve for panel in panels.values() for curve in panel.values()]
  x_axis, y_axis = (
    axes.around(label, min(map(min, values)), max(map(max, values)))
    for label, values in zip((x_label, y_label), zip(*curves, strict=True), strict=True)
  )
  drawn = []
  for title, panel in panels.items():
    lines = [
      Line(CURVE, tuple(zip(map(float, x), map(float, y), strict=True)), names.index(name))
      for name, (x, y) in panel.items()
    ]
    ends = [f"{name} ends at {y[-1]:.2f}" for name, (_, y) in panel.items()]
    text = f"{y_label}, {title}: {', '.join(ends)}."
    drawn.append(Panel(title, x_axis, y_axis, (), tuple(lines), text))
  return Chart(tuple(drawn), tuple(names), legend=tuple(names))


def _of(run: study_runs.Run, label: str, measure: str) -> float | None:
  return run.measure(measure) if run.correlation_label == label else None


def _name(run: study_runs.Run) -> str:
  return f"run {run.name}, {run_config.name_correlation(run.correlation_label)}, seed {run.seed}"


def _told(label: str, group: Sequence[tuple[study_runs.Run, float]], digits: int) -> str:
  where = run_config.name_correlation(label)
  if not group:
    return f"{where}: no run."
  median = f"{float(np.median([value for _, value in group])):.{digits}f}"
  return f"{where}: {median}." if len(group) == 1 else f"{where}: median {median} of {len(group)}."


def _marks_of(
  position: int, group: Sequence[tuple[study_runs.Run, float]], before: str, digits: int
) -> list[Mark]:
  width = 0.12 if len(group) > 1 else 0.0
  offsets = np.linspace(-width, width, num=len(group)).tolist()
  return [
    Mark(run.name, position + x, v, position, f"{_name(run)}: {before}{v:.{digits}f}")
    for x, (run, v) in zip(offsets, group, strict=True)
  ]


def _lines_of(
  position: int, values: Sequence[float], interval: tuple[float, float] | None
) -> list[Line]:
  """Returns the median, the interval of the mean and the shape of values around a position."""
  if len(values) < 2:
    return []
  lines = []
  if len(values) >= MIN_SHAPE_RUNS and np.ptp(values) > 0:
    heights = np.linspace(min(values), max(values), _NUM_SHAPE_POINTS)
    density = stats.gaussian_kde(values)(heights)
    widths = _SHAPE_WIDTH * density / density.max()
    sides = [zip(position + sign * widths, heights, strict=True) for sign in (-1, 1)]
    outline = [*sides[0], *reversed(list(sides[1]))]
    lines.append(Line(SHAPE, tuple((float(x), float(v)) for x, v in outline), position))
  if interval:
    x = position + _SHAPE_WIDTH + 0.06
    lines.append(Line(INTERVAL, ((x, interval[0]), (x, interval[1])), position))
  middle = float(np.median(values))
  lines.append(Line(MEDIAN, ((position - 0.25, middle), (position + 0.25, middle)), position))
  return lines


def _trend(
  labels: Sequence[str], groups: Sequence[Sequence[tuple[study_runs.Run, float]]]
) -> list[Line]:
  """Joins the medians of three or more numbers c."""
  corners = [
    (float(x), float(np.median([value for _, value in group])))
    for x, (label, group) in enumerate(zip(labels, groups, strict=True))
    if group and run_config.is_number(label)
  ]
  return [Line(TREND, tuple(corners))] if len(corners) > 2 else []
