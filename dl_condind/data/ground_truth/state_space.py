"""Which combinations of factor values a data set has, and how they are drawn and numbered."""

from collections.abc import Sequence
import itertools

import numpy as np


def check_factors(factors: np.ndarray, factor_sizes: Sequence[int]) -> np.ndarray:
  """Returns factors as an integer array once every value lies in its range.

  Args:
    factors: Factor values, `[num, len(factor_sizes)]`.
    factor_sizes: Number of values of each factor.

  Raises:
    ValueError: If the shape or type does not fit, or a value is not in [0, its factor's size).
  """
  factors = np.asarray(factors)
  if factors.ndim != 2 or factors.shape[1] != len(factor_sizes):
    raise ValueError(f"factors must be [num, {len(factor_sizes)}], got shape {factors.shape}.")
  if not np.issubdtype(factors.dtype, np.integer):
    raise ValueError(f"factors must be integers, got {factors.dtype}.")
  wrong = (factors < 0) | (factors >= np.asarray(factor_sizes))
  if wrong.any():
    row, column = np.argwhere(wrong)[0]
    raise ValueError(
      f"factors[{row}, {column}] must be in [0, {factor_sizes[column] - 1}], "
      f"got {factors[row, column]}."
    )
  return factors


class SplitDiscreteStateSpace:
  """Discrete factors, some of them exposed and the rest drawn anew for every observation.

  The draws are those of disentanglement_lib, in the same order and of the same dtype, so one
  `RandomState` gives the same factors in both.
  """

  def __init__(self, factor_sizes: Sequence[int], latent_factor_indices: Sequence[int]):
    """Splits the factors.

    Args:
      factor_sizes: Number of values of each factor.
      latent_factor_indices: Which factors are exposed, in the order of the exposed columns.

    Raises:
      ValueError: If a size is not positive, or an index is out of range or there twice.
    """
    if any(size < 1 for size in factor_sizes):
      raise ValueError(f"factor_sizes must be positive, got {list(factor_sizes)}.")
    num_factors = len(factor_sizes)
    indices = list(latent_factor_indices)
    if len(set(indices)) != len(indices) or not set(indices) <= set(range(num_factors)):
      raise ValueError(
        f"latent_factor_indices must be different numbers in [0, {num_factors - 1}], got {indices}."
      )
    self.factor_sizes = list(factor_sizes)
    self.latent_factor_indices = indices
    self.observation_factor_indices = [i for i in range(num_factors) if i not in indices]

  @property
  def latent_factor_sizes(self) -> list[int]:
    """Number of values of each exposed factor."""
    return [self.factor_sizes[i] for i in self.latent_factor_indices]

  def sample_latent_factors(self, num: int, random_state: np.random.RandomState) -> np.ndarray:
    """Returns exposed factors drawn uniformly and independently, int64 `[num, exposed]`."""
    factors = np.empty((num, len(self.latent_factor_indices)), np.int64)
    # One column after the other: a single call for all columns would draw other values.
    for column, i in enumerate(self.latent_factor_indices):
      factors[:, column] = random_state.randint(self.factor_sizes[i], size=num)
    return factors

  def sample_all_factors(
    self, latent_factors: np.ndarray, random_state: np.random.RandomState
  ) -> np.ndarray:
    """Returns all factors, int64 `[num, all]`: the given ones and a draw of those not exposed.

    Raises:
      ValueError: If latent_factors has the wrong shape or type or a value out of range.
    """
    latent_factors = check_factors(latent_factors, self.latent_factor_sizes)
    factors = np.empty((len(latent_factors), len(self.factor_sizes)), np.int64)
    factors[:, self.latent_factor_indices] = latent_factors
    for i in self.observation_factor_indices:
      factors[:, i] = random_state.randint(self.factor_sizes[i], size=len(factors))
    return factors

  def all_factors_with(self, latent_factors: np.ndarray) -> np.ndarray:
    """Returns the given factors with every combination of those not exposed.

    Returns:
      int64 `[num, num_combinations, all]`.

    Raises:
      ValueError: If latent_factors has the wrong shape or type or a value out of range.
    """
    latent_factors = check_factors(latent_factors, self.latent_factor_sizes)
    hidden_sizes = [self.factor_sizes[i] for i in self.observation_factor_indices]
    hidden = np.array(list(itertools.product(*map(range, hidden_sizes))), np.int64)
    factors = np.empty((len(latent_factors), len(hidden), len(self.factor_sizes)), np.int64)
    factors[:, :, self.latent_factor_indices] = latent_factors[:, None]
    factors[:, :, self.observation_factor_indices] = hidden
    return factors


class StateSpaceAtomIndex:
  """Finds the row of a table from factor values, for a table whose rows come in any order.

  Differs from disentanglement_lib, which takes a value equal to its factor's size for another row.
  """

  def __init__(self, factor_sizes: Sequence[int], features: np.ndarray):
    """Builds the index.

    Args:
      factor_sizes: Number of values of each factor.
      features: Factor values of each row of the table, `[num_rows, len(factor_sizes)]`.

    Raises:
      ValueError: If a value is out of range, or a combination is missing or there twice.
    """
    self.factor_sizes = list(factor_sizes)
    atoms = self._atoms(features)
    counts = np.bincount(atoms, minlength=int(np.prod(self.factor_sizes)))
    if (counts != 1).any():
      raise ValueError(
        f"features must hold each of the {len(counts)} combinations of factors once: "
        f"{(counts == 0).sum()} are missing, {(counts > 1).sum()} are there more than once."
      )
    self._rows = np.empty(len(atoms), np.int64)
    self._rows[atoms] = np.arange(len(atoms))

  def features_to_index(self, features: np.ndarray) -> np.ndarray:
    """Returns the row of each combination of factors, int64 `[num]`.

    Raises:
      ValueError: If features has the wrong shape or type or a value out of range.
    """
    return self._rows[self._atoms(features)]

  def _atoms(self, features: np.ndarray) -> np.ndarray:
    features = check_factors(features, self.factor_sizes)
    return np.ravel_multi_index(tuple(features.T), self.factor_sizes)
