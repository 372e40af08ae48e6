import hashlib

from helpers import testdata
import numpy as np
import pytest

from dl_condind.data.ground_truth import dsprites_renderer
from dl_condind.utils import errors


def _sprite(shape, scale, orientation):
  """Returns [posX, posY, row, column]."""
  packed = dsprites_renderer.render_sprite(shape, scale, orientation)
  return np.unpackbits(packed, axis=1).reshape(32, 32, 64, 64)


def test_genuine_frames_are_matched_to_the_pixel():
  images, rows = testdata.dsprites_frames()
  different = 0
  for index, image in zip(rows, images, strict=True):
    shape, scale, orientation, pos_x, pos_y = np.unravel_index(index, (3, 6, 40, 32, 32))
    different += (_sprite(shape, scale, orientation)[pos_x, pos_y] != image).sum()
  assert len(rows) >= 300
  assert different == 0


def test_whole_data_set_has_its_checksum():
  digest = hashlib.sha256()
  num_on_pixels = num_rows = 0
  for chunk in dsprites_renderer.render():
    assert chunk.dtype == np.uint8
    digest.update(chunk)
    num_on_pixels += int(np.bitwise_count(chunk).sum())
    num_rows += len(chunk)
  assert num_rows == 737280
  assert num_on_pixels == 128328864
  assert digest.hexdigest() == dsprites_renderer.SHA256


def test_wrong_number_of_on_pixels_is_an_error(monkeypatch):
  monkeypatch.setattr(dsprites_renderer, "NUM_SHAPES", 1)
  with pytest.raises(errors.DatasetError, match="on-pixels instead of 128328864"):
    list(dsprites_renderer.render())


@pytest.mark.parametrize(("shape", "scale", "orientation"), [(0, 5, 7), (0, 2, 0), (1, 0, 21)])
def test_convex_sprites_match_half_planes(shape, scale, orientation):
  """A pixel is on if it lies left of every edge: another algorithm, in floating point."""
  images = _sprite(shape, scale, orientation)
  vertices = [
    [(-0.15, -0.15), (0.15, -0.15), (0.15, 0.15), (-0.15, 0.15)],
    [(0.1995 * np.cos(t), 0.15 / 1.33 * np.sin(t)) for t in np.linspace(0, 2 * np.pi, 101)[:-1]],
  ][shape]
  angle = orientation * 2 * np.pi / 39
  turn = np.exp(1j * angle) * 64 * (0.5 + 0.1 * scale)
  row, column = np.mgrid[:64, :64]
  centres = column + 0.5 + 1j * (63.5 - row)
  for pos_x, pos_y in [(0, 0), (31, 0), (5, 30), (17, 12)]:
    middle = 16 + 32 * pos_x / 31 + 1j * (48 - 32 * pos_y / 31)
    corners = middle + turn * np.array([complex(*vertex) for vertex in vertices])
    corners = np.floor(corners.view(float) * 256 + 0.5).view(complex) / 256
    on = np.ones((64, 64), bool)
    for start, end in zip(corners, np.roll(corners, -1), strict=True):
      on &= ((end - start).conjugate() * (centres - start)).imag > 0
    np.testing.assert_array_equal(images[pos_x, pos_y], on)


@pytest.mark.parametrize("shape", range(3))
def test_full_turn_is_no_turn(shape):
  np.testing.assert_array_equal(_sprite(shape, 3, 0), _sprite(shape, 3, 39))
  assert (_sprite(shape, 3, 0) != _sprite(shape, 3, 1)).any()


@pytest.mark.parametrize(
  ("shape", "area"),
  [
    (0, 0.3**2),
    (1, np.pi * 0.15**2),
    # Integral of y dx, where x = 0.15 / 4 * (3 sin t - sin 3t), and in units of 0.15 / 14.5 y has
    # the coefficients 13 of cos t and -2 of cos 3t.
    (2, 0.15 * 3 / 4 * 0.15 / 14.5 * (13 + 2) * np.pi),
  ],
)
def test_areas_grow_with_the_square_of_the_scale(shape, area):
  for scale in range(6):
    found = _sprite(shape, scale, 11).sum(axis=(2, 3)).mean()
    assert found == pytest.approx(area * (64 * (0.5 + 0.1 * scale)) ** 2, rel=0.005)


@pytest.mark.parametrize("shape", [0, 1])
def test_centre_of_mass_follows_the_position(shape):
  images = _sprite(shape, 4, 9)
  mass = images.sum(axis=(2, 3))
  expected = 16 + 32 * np.arange(32) / 31
  x = (images.sum(axis=2) @ (np.arange(64) + 0.5)) / mass
  y = (images.sum(axis=3) @ (np.arange(64) + 0.5)) / mass
  assert np.abs(x - expected[:, None]).max() < 0.3  # pixels
  assert np.abs(y - expected[None, :]).max() < 0.3


def test_orientation_turns_counter_clockwise():
  row, column = np.nonzero(_sprite(1, 5, 5)[16, 16])  # 46 degrees
  assert np.corrcoef(row, column)[0, 1] < -0.4  # Rows count downwards.


def test_heart_stands_on_its_tip():
  rows = np.flatnonzero(_sprite(2, 5, 0)[16, 16].any(axis=1))
  widths = _sprite(2, 5, 0)[16, 16][rows].sum(axis=1)
  assert widths[-1] <= 3
  assert widths[3] >= 12
