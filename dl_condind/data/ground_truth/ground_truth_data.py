"""The interface of data sets whose factors of variation are known."""

import abc
from collections.abc import Callable
from collections.abc import Hashable
from collections.abc import Mapping
from collections.abc import Sequence
import pathlib
import threading
import types
from typing import Any

import numpy as np

from dl_condind.data import reading
from dl_condind.data.ground_truth import state_space

# What was read in this process: a data set made twice is read once.
_loaded: dict[Hashable, Any] = {}
_loading = threading.RLock()  # One data set may need another.


def read_once(key: Hashable, read: Callable[[pathlib.Path], Any]) -> Any:
  """Returns what read makes of the data folder, which is called once in a process for each key."""
  folder = reading.data_folder().resolve()
  with _loading:
    if (key, folder) not in _loaded:
      _loaded[key, folder] = read(folder)
    return _loaded[key, folder]


class GroundTruthData(abc.ABC):
  """Observations with the factors they were made from.

  All draws come from the `np.random.RandomState` passed in, in disentanglement_lib's order.

  Attributes:
    name: Name of the data set, as in `dataset.name`.
    factor_names: Name of each factor.
    factors_num_values: Number of values of each factor.
    observation_shape: (height, width, channels), or (features,) of vectors.
    feature_names: Name of each feature of vectors, if they have names.
    options: What the data set was made with, by the names of its constructor's arguments.
    has_complete_grid: Whether there is an observation of every combination of factors, so that
      single factors can be set.
    num_rows: Number of images of a data set that is a list of images, a `RowData`. None where
      observations are made anew.
  """

  feature_names: Sequence[str] | None = None
  options: Mapping[str, Any] = types.MappingProxyType({})
  has_complete_grid = True
  num_rows: int | None = None

  def __init__(
    self,
    name: str,
    factor_names: Sequence[str],
    factors_num_values: Sequence[int],
    observation_shape: Sequence[int],
  ):
    self.name = name
    self.factor_names = list(factor_names)
    self.factors_num_values = list(factors_num_values)
    self.observation_shape = tuple(observation_shape)

  @property
  def num_factors(self) -> int:
    """Number of factors."""
    return len(self.factors_num_values)

  @abc.abstractmethod
  def sample_factors(self, num: int, random_state: np.random.RandomState) -> np.ndarray:
    """Returns random factors, int64 `[num, num_factors]`."""

  @abc.abstractmethod
  def sample_observations_from_factors(
    self, factors: np.ndarray, random_state: np.random.RandomState
  ) -> np.ndarray:
    """Returns an observation of each row of factors, float32 `[num, *observation_shape]`.

    Images are in [0, 1]; vectors have any finite values.
    """

  def sample(self, num: int, random_state: np.random.RandomState) -> tuple[np.ndarray, np.ndarray]:
    """Returns random factors and an observation of each."""
    factors = self.sample_factors(num, random_state)
    return factors, self.sample_observations_from_factors(factors, random_state)

  def sample_observations(self, num: int, random_state: np.random.RandomState) -> np.ndarray:
    """Returns random observations."""
    return self.sample(num, random_state)[1]

  def check_files(self) -> None:  # noqa: B027 (Without files there is nothing to check.)
    """Checks that the files of the data set are there, without reading them.

    Raises:
      DatasetError: If one is missing. A data set that needs no file has nothing to check.
    """

  def provenance(self) -> dict[str, Any]:
    """Returns where the observations come from: keys `dataset`, `source` and `sha256`."""
    return {"dataset": self.name, "source": "synthetic", "sha256": "none"}


class RowData(GroundTruthData):
  """A data set that is a list of images: an observation has a row, and can be found again by it.

  Attributes:
    num_rows: Number of images.
  """

  num_rows: int

  @abc.abstractmethod
  def sample_rows_from_factors(
    self, factors: np.ndarray, random_state: np.random.RandomState
  ) -> np.ndarray:
    """Returns a row for each row of factors, `[num]`; draws it where several have these factors."""

  @abc.abstractmethod
  def observations_from_rows(self, rows: np.ndarray) -> np.ndarray:
    """Returns the observations of rows, float32 `[num, *observation_shape]`, images in [0, 1]."""

  def sample_rows(
    self, num: int, random_state: np.random.RandomState
  ) -> tuple[np.ndarray, np.ndarray]:
    """Returns factors and rows with the same draws as `sample`, without touching an image."""
    factors = self.sample_factors(num, random_state)
    return factors, self.sample_rows_from_factors(factors, random_state)

  def sample_observations_from_factors(
    self, factors: np.ndarray, random_state: np.random.RandomState
  ) -> np.ndarray:
    """Returns an observation of each row of factors, float32 `[num, height, width, channels]`.

    Raises:
      ValueError: If factors has the wrong shape or type or a value out of range.
    """
    return self.observations_from_rows(self.sample_rows_from_factors(factors, random_state))


class TableData(RowData):
  """A data set that is a finite table of images, one for each combination of all factors.

  Construction is cheap. The table is read on first use, or by `load`, from the data folder as it is
  set at that moment, once in a process and read-only.

  Attributes:
    packed: Whether the table holds one bit for each pixel instead of one byte.
    table_arguments: What, beside the class's `read_table`, decides which table is read.
  """

  table_arguments: tuple[Hashable, ...] = ()

  def __init__(
    self,
    name: str,
    factor_names: Sequence[str],
    factor_sizes: Sequence[int],
    latent_factor_indices: Sequence[int],
    observation_shape: Sequence[int],
    packed: bool,
  ):
    """Describes the table.

    Args:
      name: Name of the data set.
      factor_names: Name of each factor of the table, the not exposed ones too.
      factor_sizes: Number of values of each factor of the table.
      latent_factor_indices: Which factors are exposed, in their order. The others are drawn anew
        for every observation.
      observation_shape: (height, width, channels).
      packed: Whether the table holds bits (in `np.packbits` order) instead of bytes.
    """
    self._state_space = state_space.SplitDiscreteStateSpace(factor_sizes, latent_factor_indices)
    super().__init__(
      name=name,
      factor_names=[factor_names[i] for i in latent_factor_indices],
      factors_num_values=self._state_space.latent_factor_sizes,
      observation_shape=observation_shape,
    )
    self.packed = packed
    self.num_rows = int(np.prod(factor_sizes))
    self._loaded: tuple[np.ndarray, dict[str, str]] | None = None

  @abc.abstractmethod
  def read_table(self, folder: pathlib.Path) -> tuple[np.ndarray, dict[str, str]]:
    """Returns the table and its provenance (`source`, `sha256`), read from the data folder.

    Raises:
      DatasetError: If a file is missing, damaged or not what it should be.
    """

  def rows_from_all_factors(self, factors: np.ndarray) -> np.ndarray:
    """Returns the row of each combination of all factors, where the last factor changes fastest."""
    return np.ravel_multi_index(tuple(factors.T), self._state_space.factor_sizes)

  def load(self) -> None:
    """Reads the table now rather than on first use.

    Raises:
      DatasetError: If a file is missing, damaged or not what it should be.
    """
    self._load()

  def _load(self) -> tuple[np.ndarray, dict[str, str]]:
    if self._loaded is None:
      key = (type(self).read_table, *self.table_arguments)
      self._loaded = read_once(key, self.read_table)
      self._loaded[0].flags.writeable = False
    return self._loaded

  @property
  def table(self) -> np.ndarray:
    """Read-only uint8 `[num_rows, bytes]` if packed, else `[num_rows, height, width, channels]`."""
    return self._load()[0]

  def sample_factors(self, num: int, random_state: np.random.RandomState) -> np.ndarray:
    """Returns random factors, int64 `[num, num_factors]`."""
    return self._state_space.sample_latent_factors(num, random_state)

  def sample_rows_from_factors(
    self, factors: np.ndarray, random_state: np.random.RandomState
  ) -> np.ndarray:
    """Returns a row of the table for each row of factors, `[num]`; draws the factors not exposed.

    Raises:
      ValueError: If factors has the wrong shape or type or a value out of range.
    """
    return self.rows_from_all_factors(self._state_space.sample_all_factors(factors, random_state))

  def rows_with_factors(self, factors: np.ndarray) -> np.ndarray:
    """Returns all rows of the table with these factors, int64 `[num, num_rows_of_each]`.

    Raises:
      ValueError: If factors has the wrong shape or type or a value out of range.
    """
    found = self._state_space.all_factors_with(factors)
    return self.rows_from_all_factors(found.reshape(-1, found.shape[2])).reshape(found.shape[:2])

  def observations_from_rows(self, rows: np.ndarray) -> np.ndarray:
    """Returns rows of the table as float32 `[num, height, width, channels]` in [0, 1]."""
    images = self.table[rows]
    if self.packed:
      pixels = np.unpackbits(images, axis=1, count=int(np.prod(self.observation_shape)))
      return pixels.reshape(-1, *self.observation_shape).astype(np.float32)
    return images.astype(np.float32) / np.float32(255)

  def provenance(self) -> dict[str, str]:
    """Returns where the table comes from: keys `dataset`, `source` and `sha256`. Loads it."""
    return {"dataset": self.name, **self._load()[1]}
