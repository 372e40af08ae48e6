import numpy as np
import pytest

from dl_condind.evaluation.infogan import digit_attributes

SLANT, WIDTH, HEIGHT, THICKNESS = range(4)


def stroke(slant=0.0, width=4.0, height=16.0, size=28, intensity=1.0):
  """A filled parallelogram, each pixel the share of it that is covered.

  Its sides lie between pixels where width and height are even and it is upright.
  """
  samples = 16  # along a pixel
  fine = (np.arange(size * samples) + 0.5) / samples - size / 2
  y, x = fine[:, None], fine[None, :]
  inside = (np.abs(y) <= height / 2) & (np.abs(x + np.tan(np.radians(slant)) * y) <= width / 2)
  return intensity * inside.reshape(size, samples, size, samples).mean(axis=(1, 3))


def ring(outer, inner, size=28):
  samples = 16
  fine = (np.arange(size * samples) + 0.5) / samples - size / 2
  radius = np.hypot(fine[:, None], fine[None, :])
  inside = (radius <= outer) & (radius >= inner)
  return inside.reshape(size, samples, size, samples).mean(axis=(1, 3))


def measure(*images):
  return digit_attributes.measure(np.stack(images))


@pytest.mark.parametrize("slant", [-35.0, -10.0, 0.0, 20.0, 35.0])
def test_slant_is_the_angle_of_the_stroke(slant):
  found = measure(stroke(slant))[0]
  # Covered shares below BACKGROUND are cut off at the edges.
  assert found[SLANT] == pytest.approx(slant, abs=0.2)
  assert found[HEIGHT] == pytest.approx(0.96 * 16.0, abs=1e-2)
  # A pixel that is partly covered has its ink spread over a whole one.
  assert found[WIDTH] == pytest.approx(0.96 * 4.0, abs=0.75)


@pytest.mark.parametrize("width, height", [(2.0, 20.0), (6.0, 14.0), (12.0, 18.0), (20.0, 8.0)])
def test_extents_are_those_of_a_rectangle(width, height):
  found = measure(stroke(width=width, height=height))[0]
  # Of uniform ink, 96 % of the length lies between the ends.
  assert found[WIDTH] == pytest.approx(0.96 * width, rel=1e-9)
  assert found[HEIGHT] == pytest.approx(0.96 * height, rel=1e-9)
  assert found[SLANT] == pytest.approx(0, abs=1e-9)


def test_extents_of_partly_covered_pixels_are_within_a_pixel():
  for width in np.arange(3.0, 20.0, 0.5):
    found = measure(stroke(width=width))[0, WIDTH]
    assert found == pytest.approx(0.96 * width, abs=1.0)


@pytest.mark.parametrize("width, height", [(2.0, 20.0), (4.0, 20.0), (6.0, 20.0), (8.0, 16.0)])
def test_thickness_is_that_of_a_rectangle(width, height):
  found = measure(stroke(width=width, height=height))[0]
  # 4 times the mean distance to the nearest side, integrated over a rectangle.
  assert found[THICKNESS] == pytest.approx(width * (1 - width / (3 * height)), abs=0.05)


def test_thickness_is_that_of_a_ring_and_independent_of_its_size():
  found = measure(ring(10.0, 8.0), ring(6.0, 4.0), ring(10.0, 6.0))
  np.testing.assert_allclose(found[:, THICKNESS], [2.0, 2.0, 4.0], atol=0.2)
  np.testing.assert_allclose(found[:, SLANT], 0, atol=1e-9)
  np.testing.assert_allclose(found[0, WIDTH], found[0, HEIGHT])


def test_mirrored_image_leans_the_other_way():
  image = np.random.default_rng(0).uniform(size=(3, 28, 28)) ** 8
  found, mirrored = (digit_attributes.measure(x) for x in (image, image[:, :, ::-1]))
  np.testing.assert_allclose(mirrored * [-1, 1, 1, 1], found, atol=1e-8)


def test_transposing_swaps_the_extents_of_an_upright_image():
  image = stroke(width=5.0, height=14.0)
  found, transposed = measure(image, image.T)
  assert transposed[WIDTH] == pytest.approx(found[HEIGHT])
  assert transposed[HEIGHT] == pytest.approx(found[WIDTH])


def test_neither_brightness_nor_place_nor_haze_changes_anything():
  image = stroke(15.0)
  moved = np.roll(image, (2, -3), axis=(0, 1))
  hazy = np.maximum(image, 0.09)
  found = measure(image, moved, hazy)
  np.testing.assert_allclose(found[1:], found[[0, 0]], atol=1e-8)
  # Dimming moves some covered shares below BACKGROUND.
  np.testing.assert_allclose(measure(0.6 * image)[0], found[0], atol=0.15)


def test_channel_axis_makes_no_difference_and_images_are_independent():
  images = np.stack([stroke(a, w) for a, w in ((0.0, 3.0), (20.0, 5.0), (-20.0, 2.0))])
  found = digit_attributes.measure(images)
  np.testing.assert_array_equal(digit_attributes.measure(images[..., None]), found)
  for image, attributes in zip(images, found, strict=True):
    np.testing.assert_allclose(measure(image)[0], attributes, atol=1e-9)


def test_one_row_of_ink_has_no_slant():
  image = np.zeros((28, 28))
  image[10, 4:24] = 1.0
  found = measure(image)[0]
  assert found[SLANT] == 0
  assert found[WIDTH] == pytest.approx(0.96 * 20)
  assert found[THICKNESS] == pytest.approx(1.0, abs=0.05)


def test_ink_far_from_the_regression_line_is_within_reach():
  image = np.zeros((28, 28))
  image[13, :14] = image[14, 14:] = 1.0  # Two halves of a nearly level line.
  assert np.isfinite(measure(image)).all()


def test_blank_images_are_found_and_refused():
  images = np.stack([stroke(), np.zeros((28, 28)), np.full((28, 28), 0.09), stroke(height=2.0)])
  np.testing.assert_array_equal(digit_attributes.is_blank(images), [False, True, True, True])
  with pytest.raises(ValueError, match="A blank image has no attributes"):
    digit_attributes.measure(images)


def test_no_images_have_no_attributes():
  assert digit_attributes.measure(np.zeros((0, 28, 28))).shape == (0, 4)
