import hashlib

import numpy as np
from PIL import Image
import pytest

from dl_condind.data.ground_truth import dsprites
from dl_condind.data.ground_truth import dsprites_variants
from dl_condind.utils import errors

FACTORS = np.array([[0, 5, 0, 16, 16], [1, 2, 30, 31, 4], [2, 0, 17, 3, 31], [2, 3, 1, 9, 9]])


@pytest.fixture(scope="module", autouse=True)
def data_folder(tmp_path_factory):
  """A data folder with a rendered dSprites and a picture."""
  folder = tmp_path_factory.mktemp("data")
  (folder / "scream").mkdir()
  pixels = np.random.RandomState(0).randint(256, size=(300, 400, 3), dtype=np.uint8)
  Image.fromarray(pixels).save(folder / "scream" / "scream.jpg", quality=95)
  with pytest.MonkeyPatch.context() as patch:
    patch.setenv("DISENTANGLEMENT_LIB_DATA", str(folder))
    yield folder


def sprites(factors=FACTORS):
  """Returns the dSprites images of factors, and the state after their color was drawn."""
  random_state = np.random.RandomState(7)
  return dsprites.DSprites().sample_observations_from_factors(factors, random_state), random_state


def observe(data, factors=FACTORS):
  observations = data.sample_observations_from_factors(factors, np.random.RandomState(7))
  assert observations.dtype == np.float32
  assert observations.min() >= 0 and observations.max() <= 1
  return observations


@pytest.mark.parametrize(
  ("variant", "names", "sizes", "channels"),
  [
    (
      name,
      ["shape", "scale", "orientation", "posX", "posY"],
      [3, 6, 40, 32, 32],
      3,
    )
    for name in ("ColorDSprites", "NoisyDSprites", "ScreamDSprites")
  ]
  + [
    ("DSpritesNoShape", ["scale", "orientation", "posX", "posY"], [6, 40, 32, 32], 1),
    (
      "AbstractDSprites",
      ["background color", "object color", "shape", "scale", "posX", "posY"],
      [5, 6, 3, 6, 32, 32],
      3,
    ),
  ],
)
def test_factors_and_their_draws(variant, names, sizes, channels):
  data = getattr(dsprites_variants, variant)()
  assert data.factor_names == names and data.factors_num_values == sizes
  assert data.observation_shape == (64, 64, channels)
  expected = np.random.RandomState(3)
  columns = [expected.randint(size, size=40) for size in sizes]
  factors, observations = data.sample(40, np.random.RandomState(3))
  np.testing.assert_array_equal(factors, np.stack(columns, axis=1))
  assert observations.shape == (40, 64, 64, channels)


def test_color_is_uniform_and_the_same_in_all_of_a_sprite():
  masks, random_state = sprites()
  color = random_state.uniform(0.5, 1, [4, 1, 1, 3])
  np.testing.assert_array_equal(
    observe(dsprites_variants.ColorDSprites()), (masks * color).astype(np.float32)
  )


def test_noise_is_around_the_sprite():
  masks, random_state = sprites()
  noise = random_state.uniform(0, 1, [4, 64, 64, 3])
  expected = np.where(masks == 1, 1, noise).astype(np.float32)
  np.testing.assert_array_equal(observe(dsprites_variants.NoisyDSprites()), expected)


def test_scream_is_inverted_at_the_sprite(data_folder):
  masks, random_state = sprites()
  picture = Image.open(data_folder / "scream" / "scream.jpg")
  picture.thumbnail((350, 274))
  scream = np.asarray(picture) / 255
  assert scream.shape == (263, 350, 3)
  observations = observe(dsprites_variants.ScreamDSprites())
  for mask, observation in zip(masks, observations, strict=True):
    top, left = random_state.randint(0, 263 - 64), random_state.randint(0, 350 - 64)
    shift = random_state.uniform(0, 1, size=3)
    patch = (scream[top : top + 64, left : left + 64] + shift) / 2
    expected = mask * (1 - patch) + (1 - mask) * patch
    np.testing.assert_allclose(observation, expected, atol=1e-7)


def test_scream_is_part_of_the_provenance(data_folder):
  sprite = dsprites.DSprites().provenance()["sha256"]
  picture = hashlib.sha256((data_folder / "scream" / "scream.jpg").read_bytes()).hexdigest()
  assert dsprites_variants.ScreamDSprites().provenance() == {
    "dataset": "scream_dsprites",
    "source": "rendered",
    "sha256": hashlib.sha256(f"{sprite} {picture}".encode()).hexdigest(),
  }


def test_shape_that_is_not_exposed_is_drawn():
  data = dsprites_variants.DSpritesNoShape()
  factors = np.tile([[5, 0, 16, 16]], (200, 1))
  observations = data.sample_observations_from_factors(factors, np.random.RandomState(1))
  expected = np.random.RandomState(1)
  expected.randint(1, size=200)  # color
  shapes = expected.randint(3, size=200)
  assert len({image.tobytes() for image in observations}) == 3
  full = np.column_stack([shapes, factors])
  np.testing.assert_array_equal(
    observations,
    dsprites.DSprites().sample_observations_from_factors(full, np.random.RandomState(0)),
  )
  assert data.table is dsprites.DSprites().table  # One table for both.
  assert data.provenance()["dataset"] == "dsprites_noshape"


def test_abstract_colors_are_those_of_their_factors():
  data = dsprites_variants.AbstractDSprites()
  factors = np.array([[0, 1, 0, 5, 16, 16], [4, 5, 1, 5, 0, 31], [2, 0, 2, 5, 31, 0]])
  for (background, color, *_), image in zip(factors, observe(data, factors), strict=True):
    grey = background / 4
    is_object = np.isclose(image, dsprites_variants.OBJECT_COLORS[color]).all(axis=2)
    assert 100 < is_object.sum() < 1000
    np.testing.assert_allclose(image[~is_object], grey)
  with pytest.raises(ValueError, match=r"factors\[0, 0\] must be in \[0, 4\], got 5"):
    observe(data, np.array([[5, 0, 0, 0, 0, 0]]))


@pytest.mark.parametrize(
  ("write", "message"),
  [
    (lambda path: path.write_text("<html>"), "cannot identify image file"),
    (lambda path: path.write_bytes(b""), "cannot identify image file"),
    (lambda path: path.write_bytes(path.read_bytes()[:3000]), "truncated"),
    (lambda path: Image.new("RGB", (80, 60)).save(path), "too small for patches"),
    (lambda path: Image.new("L", (300, 300)).save(path), "its mode is L, not RGB"),
    (lambda path: Image.new("RGB", (9000, 9000)).save(path), "it has 9000 x 9000 pixels"),
  ],
)
def test_a_picture_that_is_wrong_is_refused(tmp_path, monkeypatch, data_folder, write, message):
  path = tmp_path / "scream" / "scream.jpg"
  path.parent.mkdir()
  path.write_bytes((data_folder / "scream" / "scream.jpg").read_bytes())
  write(path)
  with pytest.raises(errors.DatasetError, match=message) as error:
    dsprites_variants._read_scream(tmp_path)
  assert str(error.value).startswith(f"{path} is damaged or not the picture of The Scream (")
  path.unlink()
  with pytest.raises(errors.DatasetError, match=r"scream\.jpg is missing.*=scream_dsprites"):
    dsprites_variants._read_scream(tmp_path)
