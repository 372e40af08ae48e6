import io

import numpy as np
from PIL import Image
import pytest

from dl_condind.visualize import image_grids


def test_images_are_placed_row_by_row_on_white():
  images = np.linspace(0, 0.8, 5).reshape(5, 1, 1, 1) * np.ones((5, 4, 6, 1))
  grid = np.array(image_grids.image_grid(images, num_columns=3))
  assert grid.shape == (2 + 2 * (4 + 2), 2 + 3 * (6 + 2))
  for index in range(5):
    row, column = divmod(index, 3)
    top, left = 2 + row * 6, 2 + column * 8
    assert np.all(grid[top : top + 4, left : left + 6] == round(255 * 0.2 * index))
    assert np.all(grid[top : top + 4, left + 6 : left + 8] == 255)
  assert np.all(grid[8:12, 18:] == 255)  # There is no sixth image.


def test_colours_are_kept():
  red = np.zeros((1, 3, 3, 3))
  red[..., 0] = 1
  grid = image_grids.image_grid(red, num_columns=1)
  assert grid.mode == "RGB"
  assert grid.getpixel((3, 3)) == (255, 0, 0)


def test_labels_take_space_and_show():
  images = np.zeros((2, 20, 30, 1))
  plain = image_grids.image_grid(images, 2)
  labelled = image_grids.image_grid(images, 2, "A long title of the grid", ["row"], ["a", "b"])
  assert labelled.height == plain.height + 2 * 18
  assert labelled.width > plain.width
  pixels = np.array(labelled)
  assert np.any(pixels[:18] < 128) and np.any(pixels[18:36] < 128)  # title, column labels
  assert np.any(pixels[38:, :20] < 128)  # row label


def test_values_outside_are_clipped():
  assert image_grids.to_bytes(np.array([-0.5, 0, 0.5, 1, 2.0])).tolist() == [0, 0, 128, 255, 255]


def test_grey_rows_are_kept_as_they_are_with_a_grey_pixel_between_images():
  images = np.random.default_rng(0).uniform(size=(3, 4, 5, 1))
  media_type, data = image_grids.encode_row(images)
  pixels = np.array(Image.open(io.BytesIO(data)))
  assert media_type == "image/png" and pixels.shape == (4, 3 * 5 + 2)
  assert np.all(pixels[:, [5, 11]] == 128)
  np.testing.assert_array_equal(pixels[:, 6:11], image_grids.to_bytes(images)[1, :, :, 0])


def test_coloured_rows_are_small():
  y, x = np.mgrid[0:64, 0:64] / 64
  image = np.stack([x, y, (x + y) / 2], axis=-1)
  media_type, data = image_grids.encode_row(np.stack([image] * 11))
  shown = Image.open(io.BytesIO(data))
  assert media_type == "image/jpeg" and shown.size == (11 * 64 + 10, 64)
  np.testing.assert_allclose(np.array(shown)[:, :60] / 255, image[:, :60], atol=0.06)
  assert len(data) < 12_000


@pytest.mark.parametrize("num_channels", [1, 3])
def test_animation_has_every_frame_and_repeats(tmp_path, num_channels):
  shades = [0.0, 0.5, 1.0]
  frames = [image_grids.image_grid(np.full((1, 8, 8, num_channels), shade), 1) for shade in shades]
  image_grids.save_animation(frames, tmp_path / "a.gif", frames_per_second=10)
  with Image.open(tmp_path / "a.gif") as animation:
    assert animation.n_frames == 3
    assert animation.info["loop"] == 0
    assert animation.info["duration"] == 100
    for index, shade in enumerate(shades):
      animation.seek(index)
      pixel = animation.convert("RGB").getpixel((5, 5))
      assert pixel == pytest.approx((255 * shade,) * 3, abs=2)
