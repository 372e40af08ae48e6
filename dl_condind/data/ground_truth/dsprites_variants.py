"""Variants of dSprites that change its colors, its background or its factors (Locatello et al.).

Each draws from the random state what disentanglement_lib draws, in the same order.
"""

import hashlib
import pathlib

import numpy as np
from PIL import Image

from dl_condind.data import reading
from dl_condind.data.ground_truth import dsprites
from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.data.ground_truth import state_space

SCREAM_FOLDER = "scream"
SCREAM_FILE = "scream.jpg"
_SCREAM_SIZE = (350, 274)  # pixels at most: width, height
_MAX_SCREAM_PIXELS = 50_000_000

BACKGROUND_COLORS = np.array([0, 0.25, 0.5, 0.75, 1])  # shades of grey
# Evenly spaced hues of the HUSL color space, saturation and lightness 0.7.
OBJECT_COLORS = np.array(
  [
    [0.9096231780824386, 0.5883403686424795, 0.3657680693481871],
    [0.6350181801577739, 0.6927729880940552, 0.3626904230371999],
    [0.3764832455369271, 0.7283900430001952, 0.5963114605342514],
    [0.39548987063404156, 0.7073922557810771, 0.7874577552076919],
    [0.6963644829189117, 0.6220697032672371, 0.899716387820763],
    [0.90815966835861, 0.5511103319168646, 0.7494337214212151],
  ]
)


class _OnSprites(ground_truth_data.GroundTruthData):
  """Observations made from those of dSprites, 64 x 64 x 3."""

  def __init__(self, name: str, factor_names=(), factors_num_values=(), exposed=(1, 2, 3, 4, 5)):
    self._sprites = dsprites.DSprites(latent_factor_indices=exposed)
    super().__init__(
      name,
      [*factor_names, *self._sprites.factor_names],
      [*factors_num_values, *self._sprites.factors_num_values],
      (*dsprites.IMAGE_SHAPE, 3),
    )

  def sample_factors(self, num: int, random_state: np.random.RandomState) -> np.ndarray:
    """Returns random factors, int64 `[num, num_factors]`."""
    return self._sprites.sample_factors(num, random_state)

  def provenance(self) -> dict[str, str]:
    """Returns where the sprites come from: keys `dataset`, `source` and `sha256`. Loads them."""
    return {**self._sprites.provenance(), "dataset": self.name}


class ColorDSprites(_OnSprites):
  """dSprites in colors drawn uniformly from [0.5, 1]^3 for each observation, 64 x 64 x 3.

  | index | factor      | values |
  | ----- | ----------- | ------ |
  | 0     | shape       | 3      |
  | 1     | scale       | 6      |
  | 2     | orientation | 40     |
  | 3     | posX        | 32     |
  | 4     | posY        | 32     |
  """

  def __init__(self):
    super().__init__("color_dsprites")

  def sample_observations_from_factors(
    self, factors: np.ndarray, random_state: np.random.RandomState
  ) -> np.ndarray:
    """Returns an observation of each row of factors, float32 `[num, 64, 64, 3]`."""
    sprites = self._sprites.sample_observations_from_factors(factors, random_state)
    color = random_state.uniform(0.5, 1, [len(sprites), 1, 1, 3])
    return (sprites * color).astype(np.float32)


class NoisyDSprites(_OnSprites):
  """dSprites on a background of uniform noise, 64 x 64 x 3.

  | index | factor      | values |
  | ----- | ----------- | ------ |
  | 0     | shape       | 3      |
  | 1     | scale       | 6      |
  | 2     | orientation | 40     |
  | 3     | posX        | 32     |
  | 4     | posY        | 32     |
  """

  def __init__(self):
    super().__init__("noisy_dsprites")

  def sample_observations_from_factors(
    self, factors: np.ndarray, random_state: np.random.RandomState
  ) -> np.ndarray:
    """Returns an observation of each row of factors, float32 `[num, 64, 64, 3]`."""
    sprites = self._sprites.sample_observations_from_factors(factors, random_state)
    noise = random_state.uniform(0, 1, [len(sprites), *self.observation_shape])
    return np.minimum(sprites + noise, 1).astype(np.float32)


class ScreamDSprites(_OnSprites):
  """dSprites as inverted pixels in random patches of The Scream, 64 x 64 x 3.

  | index | factor      | values |
  | ----- | ----------- | ------ |
  | 0     | shape       | 3      |
  | 1     | scale       | 6      |
  | 2     | orientation | 40     |
  | 3     | posX        | 32     |
  | 4     | posY        | 32     |

  The picture is `scream.jpg` in the folder `scream` of the data folder.
  """

  def __init__(self):
    super().__init__("scream_dsprites")

  def check_files(self) -> None:
    """Checks that the picture is there, without reading it.

    Raises:
      DatasetError: If it is missing.
    """
    _find_scream(reading.data_folder().resolve())

  @property
  def _scream(self) -> tuple[np.ndarray, str]:
    """The picture, float64 `[height, width, 3]` in [0, 1], and its SHA-256."""
    return ground_truth_data.read_once(ScreamDSprites, _read_scream)

  def sample_observations_from_factors(
    self, factors: np.ndarray, random_state: np.random.RandomState
  ) -> np.ndarray:
    """Returns an observation of each row of factors, float32 `[num, 64, 64, 3]`."""
    sprites = self._sprites.sample_observations_from_factors(factors, random_state)
    scream, _ = self._scream
    size = dsprites.IMAGE_SHAPE[0]
    observations = np.empty((len(sprites), *self.observation_shape), np.float32)
    for sprite, observation in zip(sprites[..., 0], observations, strict=True):
      top = random_state.randint(0, scream.shape[0] - size)
      left = random_state.randint(0, scream.shape[1] - size)
      patch = scream[top : top + size, left : left + size]
      patch = (patch + random_state.uniform(0, 1, size=3)) / 2
      observation[:] = np.where(sprite[..., None] == 1, 1 - patch, patch)
    return observations

  def provenance(self) -> dict[str, str]:
    """Returns where sprites and picture come from; `sha256` stands for both. Loads them."""
    sprites = super().provenance()
    both = f"{sprites['sha256']} {self._scream[1]}"
    return {**sprites, "sha256": hashlib.sha256(both.encode()).hexdigest()}


def _find_scream(folder: pathlib.Path) -> pathlib.Path:
  return reading.find(folder / SCREAM_FOLDER, [SCREAM_FILE], "scream_dsprites")


def _read_scream(folder: pathlib.Path) -> tuple[np.ndarray, str]:
  path = _find_scream(folder)
  remedy = "fetch it again with dl_condind_download_data --datasets=scream_dsprites"
  with reading.clear_errors(path, "the picture of The Scream", remedy), Image.open(path) as image:
    if image.width * image.height > _MAX_SCREAM_PIXELS:
      raise ValueError(f"it has {image.width} x {image.height} pixels")
    if image.mode != "RGB":
      raise ValueError(f"its mode is {image.mode}, not RGB")
    image.thumbnail(_SCREAM_SIZE)
    if min(image.size) <= dsprites.IMAGE_SHAPE[0]:
      raise ValueError(f"resized to {image.size} pixels it is too small for patches of 64 x 64")
    return np.asarray(image) / 255, reading.sha256(path)


class DSpritesNoShape(dsprites.DSprites):
  """dSprites whose shape is drawn anew for every observation, 64 x 64 x 1.

  | index | factor      | values         |
  | ----- | ----------- | -------------- |
  | -     | shape       | 3, not exposed |
  | 0     | scale       | 6              |
  | 1     | orientation | 40             |
  | 2     | posX        | 32             |
  | 3     | posY        | 32             |
  """

  def __init__(self):
    super().__init__(latent_factor_indices=(2, 3, 4, 5), name="dsprites_noshape")


class AbstractDSprites(_OnSprites):
  """dSprites for abstract reasoning (van Steenkiste et al., 2019), 64 x 64 x 3.

  | index | factor           | values                 |
  | ----- | ---------------- | ---------------------- |
  | 0     | background color | 5 (black to white)     |
  | 1     | object color     | 6 (hues)               |
  | 2     | shape            | 3                      |
  | 3     | scale            | 6                      |
  | -     | orientation      | 40, not exposed        |
  | 4     | posX             | 32                     |
  | 5     | posY             | 32                     |
  """

  def __init__(self):
    super().__init__(
      "abstract_dsprites",
      ["background color", "object color"],
      [len(BACKGROUND_COLORS), len(OBJECT_COLORS)],
      exposed=(1, 2, 4, 5),
    )

  def sample_factors(self, num: int, random_state: np.random.RandomState) -> np.ndarray:
    """Returns random factors, int64 `[num, 6]`."""
    colors = [random_state.randint(size, size=num) for size in self.factors_num_values[:2]]
    return np.column_stack([*colors, self._sprites.sample_factors(num, random_state)])

  def sample_observations_from_factors(
    self, factors: np.ndarray, random_state: np.random.RandomState
  ) -> np.ndarray:
    """Returns an observation of each row of factors, float32 `[num, 64, 64, 3]`.

    Raises:
      ValueError: If factors has the wrong shape or type or a value out of range.
    """
    return self.observations_from_rows(self.sample_rows_from_factors(factors, random_state))

  def sample_rows_from_factors(
    self, factors: np.ndarray, random_state: np.random.RandomState
  ) -> np.ndarray:
    """Returns a row for each row of factors, `[num]`; draws the orientation.

    The row of an observation is `(background * 6 + color) * 737280 + row of its sprite`. There are
    22 million, too many to keep in a table.

    Raises:
      ValueError: If factors has the wrong shape or type or a value out of range.
    """
    factors = state_space.check_factors(factors, self.factors_num_values)
    sprites = self._sprites.sample_rows_from_factors(factors[:, 2:], random_state)
    return self._colors(factors) * dsprites.NUM_ROWS + sprites

  def rows_with_factors(self, factors: np.ndarray) -> np.ndarray:
    """Returns the rows with these factors, one of each orientation, int64 `[num, 40]`.

    Raises:
      ValueError: If factors has the wrong shape or type or a value out of range.
    """
    factors = state_space.check_factors(factors, self.factors_num_values)
    sprites = self._sprites.rows_with_factors(factors[:, 2:])
    return self._colors(factors)[:, None] * dsprites.NUM_ROWS + sprites

  def observations_from_rows(self, rows: np.ndarray) -> np.ndarray:
    """Returns the observations of rows, float32 `[num, 64, 64, 3]`."""
    colors, sprite_rows = np.divmod(rows, dsprites.NUM_ROWS)
    backgrounds, objects = np.divmod(colors, len(OBJECT_COLORS))
    sprites = self._sprites.observations_from_rows(sprite_rows)
    background = BACKGROUND_COLORS[backgrounds, None, None, None]
    color = OBJECT_COLORS[objects, None, None, :]
    return (sprites * color + (1 - sprites) * background).astype(np.float32)

  def _colors(self, factors: np.ndarray) -> np.ndarray:
    """Returns the number of each pair of background and object color."""
    return factors[:, 0] * len(OBJECT_COLORS) + factors[:, 1]
