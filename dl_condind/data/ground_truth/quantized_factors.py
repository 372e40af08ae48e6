"""A data set of which each factor takes only some of its values, evenly spaced."""

from collections.abc import Sequence
from typing import Any
from typing import Protocol
from typing import cast

import numpy as np

from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.utils import errors


class _WithRows(Protocol):
  """A data set whose observations have rows that can be found by their factors."""

  def sample_rows_from_factors(
    self, factors: np.ndarray, random_state: np.random.RandomState
  ) -> np.ndarray: ...

  def rows_with_factors(self, factors: np.ndarray) -> np.ndarray: ...

  def observations_from_rows(self, rows: np.ndarray) -> np.ndarray: ...


class QuantizedFactors(ground_truth_data.GroundTruthData):
  """A data set whose factors have at most a given number of values.

  Value v of a factor with m of its n values stands for the value floor(v * n / m) of the data set,
  as in van Steenkiste et al. (2019), arXiv:1905.12506. Of 15 values and m = 4 these are 0, 3, 7 and
  11.

  Attributes:
    data: The data set with all values.
  """

  def __init__(self, data: ground_truth_data.GroundTruthData, max_values: Sequence[int]):
    """Wraps a data set.

    Args:
      data: The data set.
      max_values: Largest number of values of each factor, at least 1.

    Raises:
      ConfigError: If there is not one number for each factor, or one is not positive.
    """
    if len(max_values) != data.num_factors or min(max_values) < 1:
      raise errors.ConfigError(
        f"The largest numbers of values must be {data.num_factors} positive numbers, one for each "
        f"factor of {data.name} ({', '.join(data.factor_names)}), got {list(max_values)}."
      )
    num_values = np.minimum(data.factors_num_values, max_values).tolist()
    super().__init__(data.name, data.factor_names, num_values, data.observation_shape)
    self.data = data
    self.options = data.options
    self.feature_names = data.feature_names
    self.has_complete_grid = data.has_complete_grid

  def original(self, factors: np.ndarray) -> np.ndarray:
    """Returns the values that factors stand for in the data set, int64 `[num, num_factors]`."""
    factors = np.asarray(factors, np.int64)
    return factors * np.array(self.data.factors_num_values) // np.array(self.factors_num_values)

  def all_factors(self) -> np.ndarray:
    """Returns every combination of factors, int64 `[product of numbers of values, num_factors]`."""
    return np.indices(self.factors_num_values).reshape(self.num_factors, -1).T

  def sample_factors(self, num: int, random_state: np.random.RandomState) -> np.ndarray:
    """Returns random factors, int64 `[num, num_factors]`."""
    columns = [random_state.randint(size, size=num) for size in self.factors_num_values]
    return np.stack(columns, axis=1)

  def sample_observations_from_factors(
    self, factors: np.ndarray, random_state: np.random.RandomState
  ) -> np.ndarray:
    """Returns an observation of each row of factors, with the draws of the data set."""
    return self.data.sample_observations_from_factors(self.original(factors), random_state)

  @property
  def has_rows(self) -> bool:
    """Whether observations have rows, of which there are finitely many; see `all_rows`."""
    return hasattr(self.data, "rows_with_factors")

  @property
  def _with_rows(self) -> _WithRows:
    return cast(_WithRows, self.data)

  def sample_rows_from_factors(
    self, factors: np.ndarray, random_state: np.random.RandomState
  ) -> np.ndarray:
    """Returns the row of an observation of each row of factors, with the same draws, `[num]`."""
    return self._with_rows.sample_rows_from_factors(self.original(factors), random_state)

  def all_rows(self) -> np.ndarray:
    """Returns the rows of all observations that there are, int64 `[num]`, sorted."""
    return np.unique(self._with_rows.rows_with_factors(self.original(self.all_factors())))

  def observations_from_rows(self, rows: np.ndarray) -> np.ndarray:
    """Returns the observations of rows, float32 `[num, *observation_shape]`."""
    return self._with_rows.observations_from_rows(rows)

  def check_files(self) -> None:
    """Checks that the files of the data set are there, without reading them."""
    self.data.check_files()

  def provenance(self) -> dict[str, Any]:
    """Returns where the observations come from."""
    return self.data.provenance()
