import dataclasses

import pytest

from dl_condind.reports import axes
from dl_condind.reports import charts
from dl_condind.reports import svg


def panel_of(lines=(), num_ticks=2):
  ticks = tuple((float(i), f"{i}\n(n = 1)") for i in range(num_ticks))
  x = axes.Axis("c", (-0.5, num_ticks - 0.5), ticks)
  y = axes.Axis("MIG", (0.0, 1.0), ((0.0, "0"), (1.0, "1")))
  marks = (charts.Mark("3", 0.0, 0.0, 0, "run 3"), charts.Mark("4", 1.0, 0.5, 1, "run 4"))
  return charts.Panel("", x, y, marks, tuple(lines), "")


def test_data_are_placed_between_the_ends_of_the_axes():
  placed = svg.place(panel_of())
  low, high = placed.marks
  assert low.y == placed.bottom  # On the axis, where nothing cuts it off.
  assert high.y == pytest.approx((placed.top + placed.bottom) / 2, abs=0.1)
  assert low.x == pytest.approx(placed.left + (placed.right - placed.left) / 4, abs=0.1)
  assert [tick.at for tick in placed.y_ticks] == [placed.bottom, placed.top]
  assert placed.x_ticks[0].lines == ("0", "(n = 1)")
  assert (low.run, low.text) == ("3", "run 3")


def test_lines_become_paths():
  corners = ((0.0, 0.0), (0.0, 1.0))
  lines = [charts.Line(kind, corners) for kind in (charts.MEDIAN, charts.SHAPE, charts.INTERVAL)]
  placed = svg.place(panel_of(lines))
  x, low, high = placed.marks[0].x, placed.bottom, placed.top
  line = f"M{x:g} {low:g}L{x:g} {high:g}"
  ends = f"M{x - 4:g} {low:g}h8M{x - 4:g} {high:g}h8"
  assert [path.d for path in placed.paths] == [line, f"{line}Z", line + ends]


def test_many_ticks_make_a_panel_wider():
  assert svg.place(panel_of()).width == 340
  assert svg.place(panel_of(num_ticks=9)).width > 400


def test_long_labels_are_slanted_and_have_room():
  short = panel_of()
  ticks = tuple((at, f"independent {label}") for at, label in short.x.ticks)
  long = svg.place(dataclasses.replace(short, x=dataclasses.replace(short.x, ticks=ticks)))
  assert [tick.lines for tick in long.x_ticks] == [
    ("independent 0 (n = 1)",),
    ("independent 1 (n = 1)",),
  ]
  assert long.height > svg.place(short).height + 60
  assert long.bottom == svg.place(short).bottom
