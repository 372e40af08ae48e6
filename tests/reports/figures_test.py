import subprocess
import sys

import numpy as np
import pytest

from dl_condind.reports import axes as chart_axes
from dl_condind.reports import charts
from dl_condind.reports import figures
from dl_condind.visualize import figures as drawing


def panel_of(by_style, title="", lines=()):
  """Returns a panel; style -> (x, y) of its marks."""
  marks = tuple(
    charts.Mark("0", x, y, style, "") for style, points in by_style.items() for x, y in points
  )
  axis = chart_axes.Axis("noise correlation c", (-1.0, 3.0), ((0.0, "0"), (1.0, "0.9")))
  return charts.Panel(title, axis, axis, marks, tuple(lines), "")


def drawn(chart, title="MIG"):
  figure = figures.draw_chart(chart, title)
  return figure, [axes for axes in figure.axes if axes.axison]


def points(axes):
  return [line.get_xydata().tolist() for line in axes.lines if line.get_linestyle() == "None"]


def test_a_figure_has_one_title_and_panels_have_what_differs():
  panels = [panel_of({0: [(0, 1)], 1: [(1, 2), (1, 3)]}, title) for title in ("VAE", "FactorVAE")]
  figure, shown = drawn(charts.Chart(tuple(panels), ("0", "0.9")))
  assert figure.get_suptitle() == "MIG"
  assert [axes.get_title() for axes in shown] == ["VAE", "FactorVAE"]
  for axes in shown:
    assert points(axes) == [[[0, 1]], [[1, 2], [1, 3]]]
    assert axes.get_xlim() == axes.get_ylim() == (-1, 3)
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "0.9"]
  assert not figure.legends


def test_no_point_is_cut_off_by_an_axis():
  _, (axes,) = drawn(charts.Chart((panel_of({0: [(0, -1.0)]}),), ("0",)))
  assert not axes.lines[0].get_clip_on()


def test_lines_of_each_kind():
  kinds = (charts.MEDIAN, charts.INTERVAL, charts.SHAPE, charts.TREND, charts.CURVE)
  corners = ((0.0, 0.0), (1.0, 1.0), (2.0, 1.0))
  lines = [charts.Line(kind, corners) for kind in kinds]
  _, (axes,) = drawn(charts.Chart((panel_of({}, lines=lines),), ("0",)))
  assert len(axes.patches) == 1 and len(axes.lines) == 4  # The shape is filled.
  assert all(line.get_xydata().tolist() == [list(c) for c in corners] for line in axes.lines)


@pytest.mark.parametrize("number", [5, 8])
def test_panels_beyond_four_take_another_row(number):
  figure, shown = drawn(charts.Chart((panel_of({0: [(0, 1)]}),) * number, ("0",)))
  assert len(shown) == number and len(figure.axes) == number + number % 2


def test_legends_name_what_axes_do_not():
  curve = charts.Line(charts.CURVE, ((0.0, 0.0), (1.0, 1.0)))
  chart = charts.Chart((panel_of({0: [(0, 1)]}),), ("0", "rotated"), legend=("c = 0", "$rotated$"))
  figure, _ = drawn(chart)
  (legend,) = figure.legends
  assert [text.get_text() for text in legend.get_texts()] == ["c = 0", r"\$rotated\$"]
  assert [line.get_marker() for line in legend.get_lines()] == ["o", "^"]
  figure, _ = drawn(charts.Chart((panel_of({}, lines=[curve]),), ("a", "b"), legend=("a", "b")))
  assert [line.get_linestyle() for line in figure.legends[0].get_lines()] == ["-", "--"]


def test_shares_are_tables_of_numbers():
  values = np.array([[0.125, 0.875], [np.nan, 0.0]])
  rows = [("c = 0", {"run 0": values, "run 1": values[::-1]}), ("c = 0.9", {"run 5": values})]
  tables = figures.Shares(rows, ["slant", "width"], ["code 0", "code 1"])
  figure = figures.draw_shares(tables, "What codes explain")
  first, second, third, empty = figure.axes
  for axes, title, shown in ((first, "run 0", values), (second, "run 1", values[::-1])):
    assert axes.get_title() == title
    np.testing.assert_array_equal(axes.images[0].get_array().filled(np.nan), shown)
  assert [text.get_text() for text in first.texts] == ["0.12", "0.88", "-", "0.00"]
  assert [label.get_text() for label in first.get_yticklabels()] == ["slant", "width"]
  assert [label.get_text() for label in second.get_yticklabels()] == ["", ""]
  assert [label.get_text() for label in third.get_xticklabels()] == ["code 0", "code 1"]
  assert (first.get_ylabel(), third.get_ylabel()) == ("c = 0", "c = 0.9")
  assert third.get_title() == "run 5" and not empty.axison


def test_files_of_a_figure_are_repeatable():
  chart = charts.Chart((panel_of({0: [(0, 1)], 1: [(1, 2)]}),), ("0", "0.9"))
  found = figures.Drawn("mig", "MIG", "caption", chart)
  png, svg = drawing.to_png(found.figure), drawing.to_svg(found.figure)
  assert (png, svg) == (drawing.to_png(found.figure), drawing.to_svg(found.figure))
  assert png.startswith(b"\x89PNG") and svg.startswith(b"<?xml") and b"<svg" in svg


def test_pyplot_is_not_used():
  code = (
    "import sys; from dl_condind.reports import figures, charts, axes; "
    "from dl_condind.visualize import figures as drawing; "
    "axis = axes.Axis('c', (0, 1), ((0, '0'),)); "
    "panel = charts.Panel('', axis, axis, (charts.Mark('0', 0, 0, 0, ''),), (), ''); "
    "drawing.to_png(figures.draw_chart(charts.Chart((panel,), ('0',)), 'title')); "
    "print('matplotlib.pyplot' in sys.modules)"
  )
  done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
  assert done.stdout.strip() == "False"
