import numpy as np
import pytest

from dl_condind.data.ground_truth import resizing


def test_overshoot_is_clipped():
  edge = np.zeros((1, 96, 96), np.uint8)
  edge[:, :, 47:] = 255
  row = resizing.resize(edge, (64, 64))[0, 0].astype(int)
  assert (row[:31] <= 10).all() and (row[32:] >= 245).all()  # Nothing wrapped around.
  assert row[30] == 0 and row[32] == 255  # The filter rings at an edge.


@pytest.mark.parametrize("shape", [(3, 20, 20), (3, 20, 20, 3)])
def test_constant_images_stay_constant(shape):
  images = np.broadcast_to(
    np.array([0, 17, 255], np.uint8).reshape(-1, *[1] * (len(shape) - 1)), shape
  )
  resized = resizing.resize(np.ascontiguousarray(images), (7, 9))
  assert resized.shape == (3, 7, 9, *shape[3:]) and resized.dtype == np.uint8
  for image, value in zip(resized, (0, 17, 255), strict=True):
    assert (image == value).all()


def test_images_of_the_same_size_are_unchanged():
  images = np.random.RandomState(0).randint(256, size=(2, 8, 8, 3), dtype=np.uint8)
  np.testing.assert_array_equal(resizing.resize(images, (8, 8)), images)
