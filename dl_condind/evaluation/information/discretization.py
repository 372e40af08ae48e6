"""Latents and continuous factors cut in bins.

Arrays have one row per point and one column per latent or factor, the transpose of
disentanglement_lib's.
"""

from collections.abc import Callable

import gin
import numpy as np

from dl_condind.evaluation import checks
from dl_condind.utils import errors


@gin.register("histogram_discretizer", denylist=["target"])
def histogram_discretizer(target: np.ndarray, num_bins: int = 20) -> np.ndarray:
  """Returns the bin of each value, with bins of equal width between each column's min and max.

  The edges are those of `numpy.histogram`, in the floating point type of target as in
  disentanglement_lib. Two departures: columns instead of rows, and a column too narrow for that
  many distinct edges, on which `numpy.histogram` fails, gets the bins that its type can tell apart.

  Args:
    target: `[num_points, num_latent]`.
    num_bins: Number of bins, at least 1; by default the 20 of Locatello et al. (2019).

  Returns:
    Labels in 1..num_bins, int64 `[num_points, num_latent]`. A constant column has one label.

  Raises:
    ConfigError: If num_bins is not positive, a value is not finite, or a column is wider than the
      largest number of its type.
    ValueError: If target has the wrong shape or no entry.

  Example:
    >>> histogram_discretizer(np.array([[0.0], [0.1], [0.9], [1.0]]), num_bins=2).ravel()
    array([1, 1, 2, 2])
  """
  checks.check_count("num_bins", num_bins, 1)
  target = np.asarray(target)
  if target.ndim != 2 or target.size == 0:
    raise ValueError(
      f"What is discretized must be [num_points, num_columns], got shape {target.shape}."
    )
  checks.check_finite("The representation", target)
  target = checks.widened(target)
  columns = np.ascontiguousarray(target.T)  # Several times as fast to go through.
  labels = np.ones(columns.shape, dtype=np.int64)
  for column, values in enumerate(columns):
    low, high = values.min(), values.max()
    if low < high:
      _check_width(low, high)
      dtype = values.dtype if np.issubdtype(values.dtype, np.floating) else np.float64
      edges = np.linspace(low, high, num_bins + 1, dtype=dtype)
      labels[column] = _bins(values, edges)
  return labels.T


def histogram_of_20_bins(target: np.ndarray) -> np.ndarray:
  """Returns `histogram_discretizer` with the 20 bins of Locatello et al. (2019)."""
  return histogram_discretizer(target)


def _bins(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
  """Returns `numpy.digitize(values, edges[:-1])` for equally spaced edges, by guess and correction.

  Where bins are so narrow that rounding of the edges could make a guess wrong by more than one, the
  edges are searched.
  """
  num_bins = len(edges) - 1
  width = edges[-1] - edges[0]
  if width / num_bins < 1000 * np.spacing(np.abs(edges).max()):
    return np.digitize(values, edges[:-1])
  place = values - edges[0]
  place /= width
  place *= num_bins
  guess = np.minimum(place.astype(np.int64), num_bins - 1)
  guess -= values < edges[guess]
  ends = np.append(edges[1:-1], edges.dtype.type(np.inf))  # The last bin holds the largest value.
  guess += values >= ends[guess]
  return guess + 1


def _check_width(low: np.generic, high: np.generic) -> None:
  with np.errstate(over="ignore"):
    if not np.isfinite(high - low):
      raise errors.ConfigError(
        f"The representation has a column from {low:.3g} to {high:.3g}, whose width is not finite "
        f"in {low.dtype}: the model has diverged; train it again or choose another run."
      )


def discretize_continuous(
  factors: np.ndarray, discretize: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
  """Returns factors in which the columns that are not whole numbers everywhere are discretized.

  Args:
    factors: `[num_points, num_factors]`.
    discretize: Columns -> labels of their shape.

  Raises:
    ConfigError: If a value is not finite.
  """
  factors = np.asarray(factors)
  checks.check_finite("The array of factors", factors)
  factors = checks.widened(factors)
  continuous = checks.is_continuous(factors)
  if continuous.any():
    factors = factors.copy()
    factors[:, continuous] = discretize(factors[:, continuous])
  return factors
