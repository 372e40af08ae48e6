import subprocess
import sys

import numpy as np
import pytest

from dl_condind.visualize import figures


def points(axes):
  """Returns the runs drawn in a panel, a list of [x, y] for each correlation."""
  return [line.get_xydata() for line in axes.lines if line.get_marker() not in ("None", "", None)]


def test_each_run_is_a_point_and_each_correlation_has_its_median():
  panel = {"0": [0.3, 0.1, 0.2], "0.9": [0.05]}
  figure = figures.values_by_correlation({"a": panel}, ["0", "0.9"], "MIG", 1)
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
  figure = figures.values_by_correlation({"a": {"0": values}}, ["0"], "MIG", 1)
  assert len(figure.axes[0].collections) == 1 + has_violin
  assert len(points(figure.axes[0])[0]) == num_runs


def test_equal_values_have_no_violin():
  figure = figures.values_by_correlation({"a": {"0": [0.1] * 6}}, ["0"], "MIG", 1)
  assert len(figure.axes[0].collections) == 1


def test_panels_share_an_axis_from_zero():
  panels = {"a": {"0": [1.0]}, "b": {"0": [4.0], "0.9": []}}
  figure = figures.values_by_correlation(panels, ["0", "0.9"], "nats", 2)
  assert [axes.get_ylim()[0] for axes in figure.axes] == [0, 0]
  assert figure.axes[0].get_ylim() == figure.axes[1].get_ylim()
  assert figure.axes[0].get_ylim()[1] > 4
  assert [axes.get_title() for axes in figure.axes] == ["a", "b"]
  assert figure.axes[1].get_xticklabels()[1].get_text() == "0.9\n(n = 0)"


def test_figure_without_any_value_can_be_drawn():
  figure = figures.values_by_correlation({"a": {}}, ["0"], "MIG", 1)
  assert figures.to_png(figure).startswith(b"\x89PNG")


def test_unused_places_of_the_grid_are_empty():
  panels = {name: {"0": [1.0]} for name in "abc"}
  figure = figures.values_by_correlation(panels, ["0"], "nats", 2)
  assert [axes.axison for axes in figure.axes] == [True, True, True, False]


def test_correlations_differ_in_colour_and_marker_in_every_figure():
  labels = ["0", "0.5", "0.9", "given"]
  by_correlation = figures.values_by_correlation(
    {"a": {label: [1.0] for label in labels}}, labels, "nats", 1
  )
  scatter = figures.kl_against_total_correlation(
    {"a": {label: [(1.0, 2.0)] for label in labels}}, labels, 1
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
  alone = figures.values_by_correlation({"a": {"0.5": [1.0]}}, ["0.5"], "nats", 1)
  assert alone.axes[0].lines[0].get_color() != styles[0][0][0]


def test_scatter_has_kl_to_the_right_and_units():
  runs = {"0": [(10.0, 1.0), (12.0, 2.0)], "given": [(9.0, 3.0)]}
  figure = figures.kl_against_total_correlation({"a": runs}, ["0", "given"], 1)
  (axes,) = figure.axes
  low, high = points(axes)
  assert low.tolist() == [[10, 1], [12, 2]]
  assert high.tolist() == [[9, 3]]
  assert axes.get_xlabel() == "factorized KL [nats]"
  assert "[nats]" in axes.get_ylabel()
  texts = [text.get_text() for text in axes.get_legend().get_texts()]
  assert texts == ["c\u00a0=\u00a00 (n = 2)", "given (n = 1)"]


def test_mosaic_joins_images_with_white_gaps():
  images = np.zeros((2, 3, 4, 5, 1))
  images[1, 2] = 0.5
  joined = figures.mosaic(images)
  assert joined.shape == (2 * 4 + 3, 3 * 5 + 2 * 3, 1)
  assert np.all(joined[:4, :5] == 0)
  assert np.all(joined[-4:, -5:] == 0.5)
  assert np.all(joined[4:7] == 1) and np.all(joined[:, 5:8] == 1)


@pytest.mark.parametrize("num_channels", [1, 3])
def test_traversals_name_latents_and_values(num_channels):
  images = np.random.default_rng(0).uniform(size=(4, 3, 8, 8, num_channels))
  figure = figures.traversals({"c = 0": images, "c = 0.9": images}, np.array([-2.0, 0.0, 2.0]))
  for axes, title in zip(figure.axes, ["c = 0", "c = 0.9"], strict=True):
    assert axes.get_title() == title
    assert len(axes.get_yticklabels()) == 4
    assert [label.get_text() for label in axes.get_xticklabels()] == ["-2.0", "0.0", "2.0"]
    (shown,) = axes.images
    np.testing.assert_array_equal(
      np.reshape(shown.get_array(), figures.mosaic(images).shape), figures.mosaic(images)
    )
    assert shown.get_clim() == (0, 1)
  assert figures.to_png(figure).startswith(b"\x89PNG")


def test_image_rows_are_labelled_in_order():
  images = np.zeros((5, 8, 8, 1))
  figure = figures.image_rows({"image": images, "c = 0": images + 0.5})
  (axes,) = figure.axes
  assert [label.get_text() for label in axes.get_yticklabels()] == ["image", "c = 0"]
  pixels = np.asarray(axes.images[0].get_array())
  assert np.all(pixels[:8, :8] == 0) and np.all(pixels[-8:, -8:] == 0.5)


def test_pictures_are_repeatable():
  def draw():
    panels = {"a": {"0": [0.1, 0.2, 0.3, 0.4, 0.6]}}
    return figures.to_png(figures.values_by_correlation(panels, ["0"], "MIG", 1))

  assert draw() == draw()


def run_python(code):
  return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_missing_matplotlib_is_one_clear_error():
  code = "import sys; sys.modules['matplotlib'] = None; from dl_condind.visualize import figures"
  last_line = run_python(code).stderr.splitlines()[-1]
  assert "ConfigError" in last_line and "pip install 'dl_condind[report]'" in last_line


def test_pyplot_is_not_used():
  code = (
    "import sys; from dl_condind.visualize import figures; "
    "figures.to_png(figures.values_by_correlation({'a': {'0': [1.0]}}, ['0'], 'y', 1)); "
    "print('matplotlib.pyplot' in sys.modules)"
  )
  assert run_python(code).stdout.strip() == "False"
