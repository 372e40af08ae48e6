import numpy as np
import pytest

from dl_condind.visualize import figures
from dl_condind.visualize import image_figures


def test_mosaic_joins_images_with_white_gaps():
  images = np.zeros((2, 3, 4, 5, 1))
  images[1, 2] = 0.5
  joined = image_figures.mosaic(images)
  assert joined.shape == (2 * 4 + 3, 3 * 5 + 2 * 3, 1)
  assert np.all(joined[:4, :5] == 0)
  assert np.all(joined[-4:, -5:] == 0.5)
  assert np.all(joined[4:7] == 1) and np.all(joined[:, 5:8] == 1)


@pytest.mark.parametrize("num_channels", [1, 3])
def test_image_grids_name_both_axes_from_the_top_and_from_the_left(num_channels):
  images = np.random.default_rng(0).uniform(size=(2, 3, 4, 4, num_channels))
  grids = [image_figures.Grid(title, images, ["r", "s"]) for title in "ab"]
  figure = image_figures.image_grids(grids, list("uvw"), "x", "title")
  assert figure.get_suptitle() == "title"
  for axes, title in zip(figure.axes, "ab", strict=True):
    assert (axes.get_title(), axes.get_xlabel()) == (title, "x")
    assert [label.get_text() for label in axes.get_xticklabels()] == ["u", "v", "w"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["r", "s"]
    first, second = axes.get_yticks()
    assert axes.transData.transform((0, first))[1] > axes.transData.transform((0, second))[1]
    (shown,) = axes.images
    mosaic = image_figures.mosaic(images)
    np.testing.assert_array_equal(np.reshape(shown.get_array(), mosaic.shape), mosaic)
    assert shown.get_clim() == (0, 1)
  assert figures.to_png(figure).startswith(b"\x89PNG")


def test_columns_need_no_labels():
  grid = image_figures.Grid("a", np.zeros((2, 3, 4, 4, 1)), ["r", "s"])
  (axes,) = image_figures.image_grids([grid], [], "").axes
  assert axes.get_xticklabels() == []
