"""Images, or vectors, with a table of their factors; combinations may be missing or repeated."""

import abc
from collections.abc import Hashable
from collections.abc import Sequence
import functools
import pathlib

import numpy as np

from dl_condind.data import checksums
from dl_condind.data import reading
from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.utils import errors


class LabelledImages(ground_truth_data.RowData):
  """A data set that is a list of images, each with its factors.

  Sampling draws images uniformly, so combinations of factors appear as often as they are in the
  list. Images are read on first use, once in a process, and factors with them or before.

  Attributes:
    num_rows: Number of images.
    path: Where the images come from.
    version: What tells apart the contents of one path at different times, where they may change.
  """

  def __init__(
    self,
    name: str,
    path: pathlib.Path,
    factor_names: Sequence[str],
    factors_num_values: Sequence[int],
    num_rows: int,
    observation_shape: Sequence[int],
    version: Hashable = None,
  ):
    """Describes the data set.

    Args:
      name: Name of the data set.
      path: Where the images come from.
      factor_names: Name of each factor.
      factors_num_values: Number of values of each factor; of a continuous one, the number of
        different values that the images have.
      num_rows: Number of images.
      observation_shape: (height, width, channels), or (features,) of vectors.
      version: What tells apart the contents of one path at different times.
    """
    super().__init__(name, factor_names, factors_num_values, observation_shape)
    self.path = path
    self.version = version
    self.num_rows = num_rows
    self._sorted: tuple[np.ndarray, np.ndarray] | None = None

  @functools.cached_property
  def factors(self) -> np.ndarray:
    """What `read_factors` returned.

    Raises:
      DatasetError: If a file is missing, damaged or not what it should be.
    """
    return self.read_factors()

  @property
  def has_complete_grid(self) -> bool:  # type: ignore[override]
    """Whether every combination of factors has an image. Never so with continuous factors."""
    if self.num_factors == 0 or not np.issubdtype(self.factors.dtype, np.integer):
      return False
    size = int(np.prod(self.factors_num_values, dtype=object))
    return size <= self.num_rows and len(np.unique(self.factors, axis=0)) == size

  @abc.abstractmethod
  def read_factors(self) -> np.ndarray:
    """Returns the factors of each image, `[num_rows, num_factors]`; there may be no columns.

    They are int64 in [0, number of values) or, if one is continuous, float64.

    Raises:
      DatasetError: If a file is missing, damaged or not what it should be.
    """

  @abc.abstractmethod
  def read_images(self, folder: pathlib.Path) -> tuple[np.ndarray, dict[str, str]]:
    """Returns all images, uint8 or float32 `[num_rows, *observation_shape]`, and their provenance.

    The provenance has the keys `source` and `sha256`.

    Raises:
      DatasetError: If a file is missing, damaged or not what it should be.
    """

  def _read(self) -> tuple[np.ndarray, dict[str, str]]:
    key = (type(self), str(self.path), self.version)
    images, provenance = ground_truth_data.read_once(key, self.read_images)
    shapes = images.shape, self.factors.shape
    if shapes != ((self.num_rows, *self.observation_shape), (self.num_rows, self.num_factors)):
      raise errors.DatasetError(f"{self.path} has changed since it was opened: start again.")
    return images, provenance

  def load(self) -> None:
    """Reads factors and images now rather than on first use.

    Raises:
      DatasetError: If a file is missing, damaged or not what it should be.
    """
    self._read()

  def observations_from_rows(self, rows: np.ndarray) -> np.ndarray:
    """Returns observations as float32 `[num, *observation_shape]`, images in [0, 1]."""
    images = self._read()[0][rows]
    if images.dtype == np.uint8:
      return images.astype(np.float32) / np.float32(255)
    return images

  def sample_factors(self, num: int, random_state: np.random.RandomState) -> np.ndarray:
    """Returns the factors of random images, `[num, num_factors]`."""
    return self.factors[random_state.randint(self.num_rows, size=num)]

  def sample_rows(
    self, num: int, random_state: np.random.RandomState
  ) -> tuple[np.ndarray, np.ndarray]:
    """Returns the factors and the rows of random images."""
    rows = random_state.randint(self.num_rows, size=num)
    return self.factors[rows], rows

  def sample(self, num: int, random_state: np.random.RandomState) -> tuple[np.ndarray, np.ndarray]:
    """Returns the factors of random images and these images."""
    factors, rows = self.sample_rows(num, random_state)
    return factors, self.observations_from_rows(rows)

  def sample_rows_from_factors(
    self, factors: np.ndarray, random_state: np.random.RandomState
  ) -> np.ndarray:
    """Returns an image's row for each row of factors, drawn from those that have these factors.

    Raises:
      ConfigError: If there is none.
      ValueError: If factors does not have a column for each factor.
    """
    factors = np.asarray(factors)
    if factors.ndim != 2 or factors.shape[1] != self.num_factors:
      raise ValueError(f"factors must be [num, {self.num_factors}], got shape {factors.shape}.")
    order, keys = self._sorted_keys()
    wanted = _keys(factors)
    first = np.searchsorted(keys, wanted, "left")
    count = np.searchsorted(keys, wanted, "right") - first
    if (count == 0).any():
      missing = factors[count == 0][0].tolist()
      raise errors.ConfigError(
        f"{self.name} ({self.path}) has no image with {', '.join(self.factor_names)} = {missing}: "
        "what sets single factors needs a complete grid, an image of every combination of factors."
      )
    return order[first + random_state.randint(count)]

  def _sorted_keys(self) -> tuple[np.ndarray, np.ndarray]:
    """Returns the rows in the order of their keys, and these keys."""
    if self._sorted is None:
      keys = _keys(self.factors)
      order = np.argsort(keys, kind="stable")
      self._sorted = order, keys[order]
    return self._sorted

  def provenance(self) -> dict[str, str]:
    """Returns where the images come from: keys `dataset`, `source` and `sha256`. Loads them."""
    return {"dataset": self.name, **self._read()[1]}


def _keys(factors: np.ndarray) -> np.ndarray:
  """Returns one sortable value for each row, equal where all factors are."""
  if factors.shape[1] == 0:
    return np.zeros(len(factors))
  # As float64, in which 0.5 is no integer factor; -0.0 becomes 0.0.
  rows = np.ascontiguousarray(factors, np.float64) + 0.0
  return rows.view(f"V{8 * rows.shape[1]}").reshape(-1)


def own_path(setting: str, path: str | None, what: str) -> pathlib.Path:
  """Returns where the user's own data lie: as named, or else in the data folder.

  Args:
    setting: The gin key that names the place.
    path: Its value, absolute, or relative to the current folder or the data folder.
    what: What it has to name.

  Returns:
    The absolute path.

  Raises:
    ConfigError: If it is not set.
    DatasetError: If nothing is there.
  """
  if not path or not isinstance(path, str):
    raise errors.ConfigError(f"{setting} must be the name of {what}, got {path!r}.")
  folders = (pathlib.Path(), reading.data_folder())
  places = list(dict.fromkeys((folder / path).absolute() for folder in folders))
  for place in places:
    with checksums.clear_read_errors(place):
      if place.exists():
        return place
  searched = " and ".join(map(str, places))
  raise errors.DatasetError(
    f"{path} is missing: {setting} must be the name of {what}; looked for {searched} "
    f"(in the data folder, {reading.DATA_FOLDER_VARIABLE})."
  )
