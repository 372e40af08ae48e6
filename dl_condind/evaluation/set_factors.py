"""Codes of observations whose factors are set: for metrics that fix one factor and vary the others.

`DrawnCodes` encodes no row of a data set twice. `CodeTable` lets such metrics work on plain arrays.
"""

from collections.abc import Callable

import numpy as np

from dl_condind.data.ground_truth import ground_truth_data as ground_truth
from dl_condind.data.ground_truth import state_space
from dl_condind.evaluation import checks
from dl_condind.evaluation import encoding
from dl_condind.evaluation import representation
from dl_condind.utils import errors


class DrawnCodes:
  """Codes of observations that are drawn batch after batch, with the draws of the data set.

  Of a data set with rows, rows are drawn instead of images, and encoded at the end; see
  `representation.encode_rows`. Of any other every observation is encoded, in chunks of whole
  batches.
  """

  def __init__(
    self, ground_truth_data: ground_truth.GroundTruthData, representation_function: Callable
  ):
    """Starts without any observation.

    Args:
      ground_truth_data: Data set to draw from.
      representation_function: Observations -> representations.
    """
    self._data = ground_truth_data
    self._representation_function = representation_function
    self._has_rows = ground_truth_data.num_rows is not None
    self._drawn = []  # All rows, or the observations that are not encoded yet.
    self._num_drawn = 0
    self._codes = []

  def sample(self, num: int, random_state: np.random.RandomState) -> None:
    """Draws observations of random factors, with the draws of `sample_observations`."""
    if self._has_rows:
      self._add(self._data.sample_rows(num, random_state)[1])
    else:
      self._add(self._data.sample_observations(num, random_state))

  def draw(self, factors: np.ndarray, random_state: np.random.RandomState) -> None:
    """Draws an observation of each row of factors, `[num, num_factors]`."""
    if self._has_rows:
      self._add(self._data.sample_rows_from_factors(factors, random_state))
    else:
      self._add(self._data.sample_observations_from_factors(factors, random_state))

  def _add(self, drawn: np.ndarray) -> None:
    self._drawn.append(drawn)
    self._num_drawn += len(drawn)
    if not self._has_rows and self._num_drawn >= encoding.ENCODE_CHUNK:
      self._encode_waiting()

  def _encode_waiting(self) -> None:
    observations = np.concatenate(self._drawn)
    self._codes.append(encoding.encode(self._representation_function, observations))
    self._drawn, self._num_drawn = [], 0

  def codes(self) -> np.ndarray:
    """Returns the codes of all observations in the order they were drawn, `[num, num_latent]`."""
    if self._has_rows:
      rows = np.concatenate(self._drawn)
      return representation.encode_rows(self._representation_function, self._data, rows)
    if self._drawn:
      self._encode_waiting()
    return np.concatenate(self._codes)


class CodeTable(ground_truth.GroundTruthData):
  """A complete grid of factors whose observations are codes, from two arrays.

  Values of factors are replaced by their ranks, 0 for the smallest. Where a combination of factors
  has several points, which of them is drawn as one more factor that is not exposed.
  """

  def __init__(self, codes: np.ndarray, factors: np.ndarray):
    """Sorts the codes by their factors.

    Args:
      codes: `[num_points, num_latent]`.
      factors: `[num_points, num_factors]`.

    Raises:
      ConfigError: If a combination of factors is missing or has more points than another.
      ValueError: If an array has the wrong shape or no entry, or their lengths differ.
    """
    codes, factors = np.asarray(codes), np.asarray(factors)
    checks.check_arrays(codes, factors)
    ranks = [np.unique(column, return_inverse=True)[1] for column in factors.T]
    sizes = [int(column.max()) + 1 for column in ranks]
    num_cells = int(np.prod(sizes, dtype=object))  # Python integers do not overflow.
    counts = np.zeros(1, np.int64)
    if num_cells <= len(factors):
      cells = np.ravel_multi_index(ranks, sizes)
      counts = np.bincount(cells, minlength=num_cells)
    if counts.min() == 0 or counts.min() < counts.max():
      raise errors.ConfigError(
        f"factors must be a complete grid, each of its {num_cells} combinations in equally many of "
        f"the {len(factors)} points: choose a metric that does not set single factors."
      )
    super().__init__(
      "code_table", [f"factor_{i}" for i in range(len(sizes))], sizes, codes.shape[1:]
    )
    self._sizes = [*sizes, int(counts[0])]
    self._space = state_space.SplitDiscreteStateSpace(self._sizes, range(len(sizes)))
    self._codes = codes[np.argsort(cells, kind="stable")]

  def sample_factors(self, num: int, random_state: np.random.RandomState) -> np.ndarray:
    """Returns random factors, int64 `[num, num_factors]`."""
    return self._space.sample_latent_factors(num, random_state)

  def sample_observations_from_factors(
    self, factors: np.ndarray, random_state: np.random.RandomState
  ) -> np.ndarray:
    """Returns the code of a point with each row of factors, `[num, num_latent]`.

    Raises:
      ValueError: If factors has the wrong shape or type or a value out of range.
    """
    factors = self._space.sample_all_factors(factors, random_state)
    return self._codes[np.ravel_multi_index(tuple(factors.T), self._sizes)]
