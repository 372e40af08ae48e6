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
def test_traversals_name_latents_and_values(num_channels):
  images = np.random.default_rng(0).uniform(size=(4, 3, 8, 8, num_channels))
  figure = image_figures.traversals(
    {"c = 0": images, "c = 0.9": images}, np.array([-2.0, 0.0, 2.0])
  )
  for axes, title in zip(figure.axes, ["c = 0", "c = 0.9"], strict=True):
    assert axes.get_title() == title
    assert len(axes.get_yticklabels()) == 4
    assert [label.get_text() for label in axes.get_xticklabels()] == ["-2.0", "0.0", "2.0"]
    (shown,) = axes.images
    np.testing.assert_array_equal(
      np.reshape(shown.get_array(), image_figures.mosaic(images).shape),
      image_figures.mosaic(images),
    )
    assert shown.get_clim() == (0, 1)
  assert figures.to_png(figure).startswith(b"\x89PNG")


def test_image_rows_are_labelled_in_order():
  images = np.zeros((5, 8, 8, 1))
  figure = image_figures.image_rows({"image": images, "c = 0": images + 0.5})
  (axes,) = figure.axes
  assert [label.get_text() for label in axes.get_yticklabels()] == ["image", "c = 0"]
  pixels = np.asarray(axes.images[0].get_array())
  assert np.all(pixels[:8, :8] == 0) and np.all(pixels[-8:, -8:] == 0.5)


def test_image_grids_name_both_axes_from_the_top_and_from_the_left():
  images = np.random.default_rng(0).uniform(size=(2, 3, 4, 4, 1))
  figure = image_figures.image_grids({"a": images, "b": images}, ["r", "s"], list("uvw"), "x", "y")
  for axes, title in zip(figure.axes, "ab", strict=True):
    assert (axes.get_title(), axes.get_xlabel(), axes.get_ylabel()) == (title, "x", "y")
    assert [label.get_text() for label in axes.get_xticklabels()] == ["u", "v", "w"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["r", "s"]
    first, second = axes.get_yticks()
    assert axes.transData.transform((0, first))[1] > axes.transData.transform((0, second))[1]
