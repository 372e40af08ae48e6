"""Discretization and discrete information measures that several metrics share.

Arrays have one row per point and one column per latent or factor, the transpose of
disentanglement_lib's.
"""

from collections.abc import Callable
import importlib.util  # noqa: F401  (gin uses it without importing it)

import gin
import numpy as np
from sklearn import metrics

from dl_condind.evaluation import representation


@gin.configurable("discretizer", denylist=["target"])
def make_discretizer(
  target: np.ndarray,
  num_bins: int = gin.REQUIRED,
  discretizer_fn: Callable[[np.ndarray, int], np.ndarray] = gin.REQUIRED,
) -> np.ndarray:
  """Returns target discretized by the function and number of bins that gin binds.

  Args:
    target: Representations, `[num_points, num_latent]`.
    num_bins: Number of bins of each column.
    discretizer_fn: `(target, num_bins)` -> labels of the shape of target.
  """
  return discretizer_fn(target, num_bins)


@gin.register("histogram_discretizer", denylist=["target", "num_bins"])
def histogram_discretizer(target: np.ndarray, num_bins: int) -> np.ndarray:
  """Returns the bin of each value, with bins of equal width between each column's min and max.

  The edges are those of `numpy.histogram`, in the floating point type of target as in
  disentanglement_lib. Two departures: columns instead of rows, and a column too narrow for that
  many distinct edges, on which `numpy.histogram` fails, gets the bins that its type can tell apart.

  Args:
    target: `[num_points, num_latent]`.
    num_bins: Number of bins, at least 1.

  Returns:
    Labels in 1..num_bins, int64 `[num_points, num_latent]`. A constant column has one label.

  Raises:
    ConfigError: If num_bins is not positive or a value is not finite.

  Example:
    >>> histogram_discretizer(np.array([[0.0], [0.1], [0.9], [1.0]]), num_bins=2).ravel()
    array([1, 1, 2, 2])
  """
  representation.check_count("num_bins", num_bins, 1)
  target = np.asarray(target)
  representation.check_finite("The representation", target)
  labels = np.ones(target.shape, dtype=np.int64)
  for column in range(target.shape[1]):
    values = target[:, column]
    low, high = values.min(), values.max()
    if low < high:
      dtype = values.dtype if np.issubdtype(values.dtype, np.floating) else np.float64
      edges = np.linspace(low, high, num_bins + 1, dtype=dtype)
      labels[:, column] = np.digitize(values, edges[:-1])
  return labels


def discrete_mutual_info(codes: np.ndarray, factors: np.ndarray) -> np.ndarray:
  """Returns the mutual information of every code with every factor, in nats.

  Args:
    codes: Discrete values, `[num_points, num_codes]`.
    factors: Discrete values, `[num_points, num_factors]`.

  Returns:
    `[num_codes, num_factors]`.
  """
  codes, num_code_values = _enumerate_values(codes)
  factors, num_factor_values = _enumerate_values(factors)
  information = np.zeros((len(codes), len(factors)))
  for i, code in enumerate(codes):
    for j, factor in enumerate(factors):
      shape = (num_code_values[i], num_factor_values[j])
      pairs = np.bincount(code * shape[1] + factor, minlength=shape[0] * shape[1])
      # scikit-learn would sort the labels of each pair again.
      information[i, j] = metrics.mutual_info_score(None, None, contingency=pairs.reshape(shape))
  return information


def _enumerate_values(values: np.ndarray) -> tuple[list[np.ndarray], list[int]]:
  """Numbers the distinct values of each column from 0."""
  columns = [np.unique(column, return_inverse=True) for column in np.asarray(values).T]
  return [index for _, index in columns], [len(distinct) for distinct, _ in columns]


def discrete_entropy(values: np.ndarray) -> np.ndarray:
  """Returns the empirical entropy of each column, in nats, `[num_columns]`.

  Args:
    values: Discrete values, `[num_points, num_columns]`.
  """
  columns = np.asarray(values).T[:, :, None]
  return np.array([discrete_mutual_info(column, column)[0, 0] for column in columns])
