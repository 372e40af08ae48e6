import numpy as np
from PIL import Image
import pytest

from dl_condind.visualize import infogan_pictures

VALUES = np.array([-2.0, 0.0, 2.0])


class Recorder:
  """A model that remembers its codes and draws the first one as a shade."""

  num_continuous = 3

  def __init__(self):
    self.calls = []

  def generate(self, continuous, noise, categories):
    self.calls.append((continuous, noise, categories))
    return np.tile((0.5 + continuous[:, :1] / 8)[:, :, None, None], (1, 5, 5, 1))


@pytest.fixture
def models():
  return {"first": Recorder(), "second": Recorder()}


def shades(picture, num_rows, num_columns, left):
  """Returns the shade in the middle of each image of a grid."""
  pixels = np.asarray(picture)
  return pixels[38 + 5 : 38 + 12 * num_rows : 12, left + 5 : left + 12 * num_columns : 12]


def test_first_code_goes_right_and_second_up(models):
  picture = infogan_pictures.two_codes(models, VALUES, (np.arange(4.0), 7))
  for model in models.values():
    ((continuous, noise, categories),) = model.calls
    expected = [[x, y, 0] for y in (2, 0, -2) for x in (-2, 0, 2)]
    np.testing.assert_array_equal(continuous, expected)
    np.testing.assert_array_equal(noise, np.tile(np.arange(4.0), (9, 1)))
    np.testing.assert_array_equal(categories, np.full(9, 7))
  # Grids are right of labels; find the first column of pixels that is one of the first shade.
  pixels = np.asarray(picture)
  left = np.flatnonzero((pixels[38:46] == 64).all(axis=0))[0]  # round(255 * 0.25)
  np.testing.assert_array_equal(shades(picture, 3, 3, left), np.tile([64, 128, 191], (3, 1)))


def test_without_categories_none_is_given(models):
  infogan_pictures.two_codes(models, VALUES, (np.zeros(4), None))
  assert models["first"].calls[0][2] is None


def test_rows_have_their_category_and_columns_the_value(models):
  rows = {"a": (np.zeros(4), 3), "b": (np.ones(4), 8)}
  infogan_pictures.one_code(models, 1, VALUES, rows)
  for (continuous, noise, categories), value, category in zip(
    models["second"].calls, (0, 1), (3, 8), strict=True
  ):
    np.testing.assert_array_equal(continuous, [[0, -2, 0], [0, 0, 0], [0, 2, 0]])
    np.testing.assert_array_equal(noise, np.full((3, 4), value))
    np.testing.assert_array_equal(categories, np.full(3, category))


def test_images_of_a_grid_are_rows_of_columns(models):
  model = models["first"]
  images = infogan_pictures.vary_two_codes(model, VALUES, (np.zeros(4), 1))
  assert images.shape == (3, 3, 5, 5, 1)
  np.testing.assert_array_equal(images[:, :, 0, 0, 0], np.tile(0.5 + VALUES / 8, (3, 1)))
  images = infogan_pictures.vary_one_code(model, 0, VALUES, [(np.zeros(4), 1), (np.ones(4), 2)])
  assert images.shape == (2, 3, 5, 5, 1)
  np.testing.assert_array_equal(images[:, :, 0, 0, 0], np.tile(0.5 + VALUES / 8, (2, 1)))


def test_starts_are_categories_or_draws_of_the_noise():
  model = Recorder()
  model.num_noise, model.num_categories = 4, 3
  starts = infogan_pictures.starts_of(model)
  assert [category for _, category in starts.values()] == [0, 1, 2]
  assert len({noise.tobytes() for noise, _ in starts.values()}) == 1
  model.num_categories = 0
  starts = infogan_pictures.starts_of(model)
  assert list(starts) == [f"noise {k}" for k in range(10)]
  assert {category for _, category in starts.values()} == {None}
  assert len({noise.tobytes() for noise, _ in starts.values()}) == 10


def test_animation_moves_through_the_interval_and_back(models):
  starts = [(np.zeros(4), 0), (np.zeros(4), 1), (np.zeros(4), 2)]
  frames = infogan_pictures.animation(models, 0, 2.0, 8, starts, num_columns=2)
  assert len(frames) == 8 and len({frame.size for frame in frames}) == 1
  continuous, _, categories = models["first"].calls[2]
  np.testing.assert_allclose(continuous[:, 0], [0, 1, 2, 1, 0, -1, -2, -1])
  np.testing.assert_array_equal(categories, np.full(8, 2))
  assert frames[1].tobytes() != frames[0].tobytes()
  assert frames[3].tobytes() == frames[1].tobytes()


def test_pictures_side_by_side_keep_their_pixels():
  dark, light = Image.new("L", (3, 4), 10), Image.new("L", (5, 2), 200)
  pixels = np.asarray(infogan_pictures.beside([dark, light]))
  assert pixels.shape == (4, 3 + 12 + 5)
  assert (pixels[:, :3] == 10).all() and (pixels[:2, 15:] == 200).all()
  assert (pixels[:, 3:15] == 255).all() and (pixels[2:, 15:] == 255).all()


def test_losses_of_each_model():
  names = ("discriminator_loss", "generator_loss", "mutual_information_penalty")
  log = {"step": np.arange(3.0), **{name: np.arange(3.0) + i for i, name in enumerate(names)}}
  first, second = infogan_pictures.losses({"a": log, "b": log}).axes
  assert (first.get_title(), second.get_title()) == ("a", "b")
  for i, line in enumerate(second.lines):
    np.testing.assert_array_equal(line.get_xydata(), np.stack([np.arange(3), np.arange(3) + i], 1))


def test_logs_of_one_line_are_not_drawn():
  names = ("step", "discriminator_loss", "generator_loss", "mutual_information_penalty")
  assert infogan_pictures.losses({"a": {name: np.zeros(1) for name in names}}) is None


@pytest.mark.parametrize(("num_lines", "marker"), [(20, "o"), (21, "")])
def test_points_of_short_logs_are_marked(num_lines, marker):
  names = ("discriminator_loss", "generator_loss", "mutual_information_penalty")
  log = {name: np.arange(float(num_lines)) for name in ("step", *names)}
  (axes,) = infogan_pictures.losses({"a": log}).axes
  assert {line.get_marker() for line in axes.lines} == {marker}
