import subprocess
import sys

import numpy as np
import pytest

from dl_condind.reports import figures
from dl_condind.visualize import figures as drawing


def points(axes):
  """Returns the runs drawn in a panel, a list of [x, y] for each correlation."""
  return [line.get_xydata() for line in axes.lines if line.get_marker() not in ("None", "", None)]


def test_each_run_is_a_point_and_each_correlation_has_its_median():
  panel = {"0": [0.3, 0.1, 0.2], "0.9": [0.05]}
  figure = figures.values_by_correlation([("MIG", {"a": panel})], ["0", "0.9"])
  (axes,) = figure.axes
  low, high = points(axes)
  assert low[:, 1].tolist() == [0.3, 0.1, 0.2]
  assert np.all(np.abs(low[:, 0]) < 0.3) and len(set(low[:, 0])) == 3
  assert high.tolist() == [[1, 0.05]]
  (median,) = axes.collections  # None for the single run, and no violin.
  assert median.get_segments()[0][:, 1].tolist() == [0.2, 0.2]
  assert [label.get_text() for label in axes.get_xticklabels()] == ["0\n(n = 3)", "0.9\n(n = 1)"]
  assert axes.get_ylabel() == "MIG"


@pytest.mark.parametrize(("num_runs", "has_violin"), [(4, False), (5, True)])
def test_violins_need_five_runs(num_runs, has_violin):
  values = np.linspace(0.1, 0.2, num_runs).tolist()
  figure = figures.values_by_correlation([("MIG", {"a": {"0": values}})], ["0"])
  assert len(figure.axes[0].collections) == 1 + has_violin
  assert len(points(figure.axes[0])[0]) == num_runs


def test_equal_values_have_no_violin():
  figure = figures.values_by_correlation([("MIG", {"a": {"0": [0.1] * 6}})], ["0"])
  assert len(figure.axes[0].collections) == 1


def test_panels_of_a_row_share_an_axis_from_zero():
  rows = [
    ("MIG", {"a": {"0": [1.0]}, "b": {"0": [4.0], "0.9": []}}),
    ("nats", {"c": {"0": [-2.0]}}),
  ]
  first, second, third, empty = figures.values_by_correlation(rows, ["0", "0.9"]).axes
  assert first.get_ylim() == second.get_ylim() == (0, 4.4)
  assert third.get_ylim() == (-2.2, 0.2)
  assert [axes.get_title() for axes in (first, second, third)] == ["a", "b", "c"]
  assert [axes.get_ylabel() for axes in (first, second, third)] == ["MIG", "MIG", "nats"]
  assert second.get_xticklabels()[1].get_text() == "0.9\n(n = 0)"
  assert not empty.axison


def test_a_value_just_below_zero_is_not_cut_off():
  figure = figures.values_by_correlation([("r", {"a": {"0": [-0.05], "0.9": [0.6]}})], ["0", "0.9"])
  assert figure.axes[0].get_ylim() == pytest.approx((-0.115, 0.665))


def test_shares_are_tables_of_numbers():
  values = np.array([[0.125, 0.875], [np.nan, 0.0]])
  rows = [("c = 0", {"run 0": values, "run 1": values[::-1]}), ("c = 0.9", {"run 5": values})]
  figure = figures.shares(rows, ["slant", "width"], ["code 0", "code 1"])
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


def test_medians_of_three_correlations_are_joined_but_not_to_other_noise():
  panel = {"0": [3.0, 1.0], "0.5": [1.5], "0.9": [], "0.95": [1.0], "given": [9.0]}
  figure = figures.values_by_correlation([("MIG", {"a": panel})], list(panel))
  (line,) = (line for line in figure.axes[0].lines if line.get_linestyle() == ":")
  assert line.get_xydata().tolist() == [[0, 2], [1, 1.5], [3, 1]]
  two = {"0": [3.0], "0.5": [1.5]}
  figure = figures.values_by_correlation([("MIG", {"a": two})], list(two))
  assert not [line for line in figure.axes[0].lines if line.get_linestyle() == ":"]


def test_long_legends_do_not_hide_points():
  labels = [f"0.{digit}" for digit in range(1, 9)]
  panel = {label: [(1.0, 2.0)] for label in labels}
  figure = figures.scatter([("nats", {"a": panel})], labels, "nats")
  assert figure.axes[0].get_legend() is None
  (legend,) = figure.legends
  assert len(legend.get_texts()) == 8


def test_figure_without_any_value_can_be_drawn():
  figure = figures.values_by_correlation([("MIG", {"a": {}})], ["0"])
  assert drawing.to_png(figure).startswith(b"\x89PNG")


def test_correlations_differ_in_colour_and_marker_in_every_figure():
  labels = ["0", "0.5", "0.9", "given"]
  by_correlation = figures.values_by_correlation(
    [("nats", {"a": {label: [1.0] for label in labels}})], labels
  )
  scatter = figures.scatter(
    [("nats", {"a": {label: [(1.0, 2.0)] for label in labels}})], labels, "nats"
  )
  styles = [
    [
      (line.get_color(), line.get_marker())
      for line in figure.axes[0].lines
      if len(line.get_xdata()) == 1
    ]
    for figure in (by_correlation, scatter)
  ]
  assert styles[0] == styles[1]
  assert len({color for color, _ in styles[0]}) == len({marker for _, marker in styles[0]}) == 4
  alone = figures.values_by_correlation([("nats", {"a": {"0.5": [1.0]}})], ["0.5"])
  assert alone.axes[0].lines[0].get_color() != styles[0][0][0]


def test_scatter_has_points_and_units():
  runs = {"0": [(10.0, 1.0), (12.0, 2.0)], "given": [(9.0, 3.0)]}
  figure = figures.scatter([("TC [nats]", {"a": runs})], ["0", "given"], "factorized KL [nats]")
  (axes,) = figure.axes
  low, high = points(axes)
  assert low.tolist() == [[10, 1], [12, 2]]
  assert high.tolist() == [[9, 3]]
  assert axes.get_xlabel() == "factorized KL [nats]"
  assert axes.get_ylabel() == "TC [nats]"
  texts = [text.get_text() for text in axes.get_legend().get_texts()]
  assert texts == ["c\u00a0=\u00a00 (n = 2)", "given (n = 1)"]


def test_pictures_are_repeatable():
  def draw():
    panels = {"a": {"0": [0.1, 0.2, 0.3, 0.4, 0.6]}}
    figure = figures.values_by_correlation([("MIG", panels)], ["0"])
    return drawing.to_png(figure), drawing.to_svg(figure)

  png, svg = draw()
  assert (png, svg) == draw()
  assert svg.startswith(b"<?xml") and b"<svg" in svg


def test_pyplot_is_not_used():
  code = (
    "import sys; from dl_condind.reports import figures; "
    "from dl_condind.visualize import figures as drawing; "
    "drawing.to_png(figures.values_by_correlation([('y', {'a': {'0': [1.0]}})], ['0'])); "
    "print('matplotlib.pyplot' in sys.modules)"
  )
  assert (
    subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip()
    == "False"
  )
