import numpy as np
import pytest

from dl_condind.data.ground_truth import spots


@pytest.fixture(scope="module")
def data():
  return spots.Spots()


def test_images_are_spots_where_their_factors_say(data):
  factors = np.array([[0, 0, 0, 5], [9, 0, 0, 5], [9, 9, 5, 0], [4, 5, 2, 3]])
  images = data.sample_observations_from_factors(factors, np.random.RandomState(0))[..., 0]
  pixels = (np.arange(16) + 0.5) / 8 - 1
  x, y = np.linspace(-0.6, 0.6, 10), np.linspace(-0.3, 0.3, 10)
  for image, (i, j, width, brightness) in zip(images, factors, strict=True):
    scale = np.linspace(0.2, 0.4, 6)[width]
    of_row, of_column = (np.exp(-((pixels - c) ** 2) / (2 * scale**2)) for c in (y[j], x[i]))
    expected = np.linspace(0.4, 1, 6)[brightness] * np.outer(of_row, of_column)
    np.testing.assert_allclose(image, expected, atol=0.5 / 255 + 1e-6)


def test_all_images_differ_and_no_factor_is_lost(data):
  assert data.table.shape == (3600, 16, 16, 1)
  assert len(np.unique(data.table.reshape(3600, -1), axis=0)) == 3600
  assert data.provenance()["source"] == "rendered"


def test_positions_change_the_images_to_different_degrees(data):
  grid = data.table.reshape(10, 10, 6, 6, -1).astype(float)
  x, y = (np.square(np.diff(grid, axis=k)).sum(-1).mean() for k in (0, 1))
  assert x == pytest.approx(4 * y, rel=0.05)
