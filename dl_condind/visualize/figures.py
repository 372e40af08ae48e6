"""What all figures have: size, colours, look, and how they become PNG and SVG files."""

from collections.abc import Mapping
from collections.abc import Sequence
import io
import textwrap
from typing import NamedTuple
from typing import TypeAlias

import numpy as np

from dl_condind.utils import errors

try:
  import matplotlib as mpl
  from matplotlib import axes as mpl_axes
  from matplotlib import colors
  from matplotlib import figure as mpl_figure
  from matplotlib import lines as mpl_lines
  from matplotlib.backends import backend_agg
  from matplotlib.backends import backend_svg
except ImportError as error:
  raise errors.ConfigError(
    "Figures need matplotlib, which is not installed: run `pip install matplotlib`, or `pip "
    "install '.[report]'` in a clone of the repository."
  ) from error

Axes: TypeAlias = mpl_axes.Axes
Figure: TypeAlias = mpl_figure.Figure
Line2D: TypeAlias = mpl_lines.Line2D

DOTS_PER_INCH = 144
_MAX_MARKED_POINTS = 20  # of a curve
PANEL_HEIGHT = 3.2  # inches
_MAX_LABEL = 40  # characters

# Okabe and Ito's colours, told apart by all common kinds of colour vision; markers differ as well.
STYLES = (
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
_LINES = ("solid", "dashed", "dashdot")
_DARK_PART = 0.75  # of the map of ordered colours; the rest is too light for white paper


class Look(NamedTuple):
  """How the points and lines of one name look.

  Attributes:
    color: As `#0072b2`.
    marker: As matplotlib calls it.
    number: Number of the marker, its position in STYLES.
    line: As matplotlib calls the style of a line.
  """

  color: str
  marker: str
  number: int
  line: str


def looks(names: Sequence[str], is_ordered: bool = False) -> list[Look]:
  """Returns a look for each name, of which no two among the first nine are alike, in grey neither.

  Args:
    names: The names. The look of `0`, the factorized posterior, is the same in every figure.
    is_ordered: Whether the names are steps of one quantity: then colours are a sequence.
  """
  others = [name for name in names if name != "0"]
  numbers = [0 if name == "0" else 1 + others.index(name) % (len(STYLES) - 1) for name in names]
  shades = [STYLES[number][0] for number in numbers]
  if is_ordered:
    shades = sequence(len(names))
  return [
    Look(color, STYLES[number][1], number, _LINES[index % len(_LINES)])
    for index, (color, number) in enumerate(zip(shades, numbers, strict=True))
  ]


def sequence(num: int) -> list[str]:
  """Returns a sequence of colours for steps of one quantity, from dark to light."""
  steps = np.linspace(0, _DARK_PART, num)
  return [colors.to_hex(color) for color in mpl.colormaps["plasma"](steps)]


def plain_label(name: str) -> str:
  r"""Returns a name without what matplotlib takes for formulas or for hidden, and not too long.

  >>> plain_label("$x"), plain_label("_x")
  ('\\$x', ' _x')
  """
  shown = name[:_MAX_LABEL].replace("$", r"\$")
  return f" {shown}" if shown.startswith("_") else shown


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
  figure = Figure((4.8 * len(panels), PANEL_HEIGHT), dpi=DOTS_PER_INCH, layout="constrained")
  grid = figure.subplots(1, len(panels), squeeze=False, sharex=True, sharey=True).flat
  names, drawn = list(dict.fromkeys(name for panel in panels.values() for name in panel)), {}
  for axes, (title, panel) in zip(grid, panels.items(), strict=True):
    finish(axes, title, x_label, y_label)
    for name, (x, y) in panel.items():
      index = names.index(name)
      color, line = STYLES[index % len(STYLES)][0], _LINES[index % len(_LINES)]
      marker = "o" if len(x) <= _MAX_MARKED_POINTS else ""
      (drawn[name],) = axes.plot(
        x, y, color=color, linestyle=line, linewidth=1.2, marker=marker, markersize=3
      )
  figure.legend(drawn.values(), drawn, loc="outside lower center", ncols=len(drawn), frameon=False)
  return figure


def finish(axes: Axes, title: str, x_label: str, y_label: str) -> None:
  """Gives a panel its title, names and look."""
  if title:
    axes.set_title("\n".join(textwrap.fill(line, 42) for line in title.split("\n")), fontsize=11)
  axes.set_xlabel(x_label)
  axes.set_ylabel(y_label)
  axes.spines[["top", "right"]].set_visible(False)
  axes.grid(axis="y", color="#e5e5e5", linewidth=0.8)
  axes.set_axisbelow(True)
