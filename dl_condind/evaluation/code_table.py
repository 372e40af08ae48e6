"""Points as a data set: for metrics that fix one factor and vary the others, on plain arrays."""

import numpy as np

from dl_condind.data.ground_truth import ground_truth_data as ground_truth
from dl_condind.data.ground_truth import state_space
from dl_condind.evaluation import checks
from dl_condind.utils import errors


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
