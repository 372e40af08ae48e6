"""Places the panels of a chart on a page: data coordinates in, pixels of an SVG picture out."""

import dataclasses

from dl_condind.reports import charts

_WIDTH, _PLOT_HEIGHT = 340.0, 183.0  # pixels
_LEFT, _RIGHT, _TOP = 58.0, 12.0, 10.0
_LINE = 15.0  # Height of a line of text.
_PER_TICK = 46.0  # Width of a tick with a label.
_PER_CHARACTER = 4.6  # Height of a slanted label, for each of its characters.
_CAP = 4.0  # Half of the ends of an interval.


@dataclasses.dataclass(frozen=True)
class Tick:
  """A tick at a pixel, with the lines of its label."""

  at: float
  lines: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Mark:
  """A point at a pixel; run, style and text as of `charts.Mark`."""

  run: str
  x: float
  y: float
  style: int
  text: str


@dataclasses.dataclass(frozen=True)
class Path:
  """A line or shape; kind and style as of `charts.Line`, d as SVG has it."""

  kind: str
  d: str
  style: int


@dataclasses.dataclass(frozen=True)
class Panel:
  """A panel in pixels.

  Attributes:
    source: The panel.
    width: Of the picture.
    height: Of the picture.
    left: Left end of the x-axis.
    right: Its right end.
    top: Upper end of the y-axis.
    bottom: Its lower end.
    x_ticks: Ticks of the x-axis, which have one line each where labels are slanted.
    y_ticks: Ticks of the y-axis.
    paths: What is drawn behind the points.
    marks: The points.
  """

  source: charts.Panel
  width: float
  height: float
  left: float
  right: float
  top: float
  bottom: float
  x_ticks: tuple[Tick, ...]
  y_ticks: tuple[Tick, ...]
  paths: tuple[Path, ...]
  marks: tuple[Mark, ...]


def place(panel: charts.Panel) -> Panel:
  """Returns a panel in pixels, wide enough for its ticks and high enough for their labels."""
  labels = [label.replace("\n", " ") if panel.x.is_slanted else label for _, label in panel.x.ticks]
  below = _LINE * max(len(label.split("\n")) for label in labels)
  if panel.x.is_slanted:
    below = 10 + _PER_CHARACTER * max(map(len, labels))
  width = max(_WIDTH, _LEFT + _RIGHT + _PER_TICK * len(labels))
  left, right, top, bottom = _LEFT, width - _RIGHT, _TOP, _TOP + _PLOT_HEIGHT

  def x_of(value: float) -> float:
    return round(left + (right - left) * _share(value, panel.x.limits), 1)

  def y_of(value: float) -> float:
    return round(bottom - (bottom - top) * _share(value, panel.y.limits), 1)

  def path_of(line: charts.Line) -> Path:
    corners = [(x_of(x), y_of(y)) for x, y in line.points]
    d = "M" + "L".join(f"{x:g} {y:g}" for x, y in corners)
    if line.kind == charts.SHAPE:
      d += "Z"
    if line.kind == charts.INTERVAL:
      d += "".join(f"M{x - _CAP:g} {y:g}h{2 * _CAP:g}" for x, y in corners)
    return Path(line.kind, d, line.style)

  return Panel(
    panel,
    width,
    bottom + below + _LINE + 12,
    left,
    right,
    top,
    bottom,
    tuple(
      Tick(x_of(value), tuple(label.split("\n")))
      for (value, _), label in zip(panel.x.ticks, labels, strict=True)
    ),
    tuple(Tick(y_of(value), (label,)) for value, label in panel.y.ticks),
    tuple(map(path_of, panel.lines)),
    tuple(Mark(m.run, x_of(m.x), y_of(m.y), m.style, m.text) for m in panel.marks),
  )


def _share(value: float, limits: tuple[float, float]) -> float:
  low, high = limits
  return (value - low) / (high - low)
