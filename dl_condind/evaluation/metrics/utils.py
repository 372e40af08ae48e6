"""Discretization, discrete information measures and names of results that several metrics share.

Arrays have one row per point and one column per latent or factor, the transpose of
disentanglement_lib's.
"""

from collections.abc import Callable
from collections.abc import Iterable
import importlib.util  # noqa: F401  (gin uses it without importing it)

import gin
import numpy as np
from scipy import special

from dl_condind.evaluation import checks
from dl_condind.utils import errors

ESTIMATORS = ("discretized", "nearest_neighbors")  # of mutual information

_NEGLIGIBLE = 1e-13  # nats, which are rounding of terms that cancel
_MAX_DENSE = 1000  # values up to which those in between may be missing


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


def discrete_mutual_info(codes: np.ndarray, factors: np.ndarray) -> np.ndarray:
  """Returns the mutual information of every code with every factor, in nats.

  Args:
    codes: Discrete values, `[num_points, num_codes]`.
    factors: Discrete values, `[num_points, num_factors]`.

  Returns:
    `[num_codes, num_factors]`, not negative, 0 where a column has one value or two are independent.
  """
  codes, num_code_values = enumerate_values(codes)
  factors, num_factor_values = enumerate_values(factors)
  num_factors, num_points = factors.shape
  first = np.cumsum(num_factor_values) - num_factor_values  # column of a factor's smallest value
  num_columns = int(num_factor_values.sum())
  factors += first[:, None]
  counts = np.bincount(factors.ravel(), minlength=num_columns)
  factor_terms = np.add.reduceat(special.xlogy(counts, counts), first)
  information = np.zeros((len(codes), num_factors))
  for i, code in enumerate(codes):
    pairs = np.bincount(
      (code * num_columns + factors).ravel(), minlength=num_code_values[i] * num_columns
    ).reshape(-1, num_columns)  # [values of the code, values of all factors]
    pair_terms = np.add.reduceat(special.xlogy(pairs, pairs).sum(axis=0), first)
    code_counts = pairs[:, : num_factor_values[0]].sum(axis=1)
    code_term = special.xlogy(code_counts, code_counts).sum()
    information[i] = (pair_terms - code_term - factor_terms) / num_points + np.log(num_points)
  return np.where(information > _NEGLIGIBLE, information, 0.0)


def enumerate_values(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Numbers the values of each column from 0, in their order; a number may belong to no value.

  Args:
    values: Discrete values, `[num_points, num_columns]`.

  Returns:
    Numbers, a new int64 array `[num_columns, num_points]`, and how many there are, `[num_columns]`.
  """
  columns = np.ascontiguousarray(np.asarray(values).T)
  is_integer = np.issubdtype(columns.dtype, np.integer)
  numbers = np.empty(columns.shape, np.int64)
  for j, column in enumerate(columns):
    is_dense = is_integer and 0 <= np.ptp(column) < _MAX_DENSE  # Negative where it overflows.
    numbers[j] = column - column.min() if is_dense else np.unique(column, return_inverse=True)[1]
  return numbers, numbers.max(axis=1) + 1


def discrete_entropy(values: np.ndarray) -> np.ndarray:
  """Returns the empirical entropy of each column, in nats, `[num_columns]`.

  Args:
    values: Discrete values, `[num_points, num_columns]`.
  """
  columns = np.asarray(values).T[:, :, None]
  return np.array([discrete_mutual_info(column, column)[0, 0] for column in columns])


def is_continuous(values: np.ndarray) -> np.ndarray:
  """Returns which columns are not whole numbers everywhere, bool `[num_columns]`.

  Args:
    values: `[num_points, num_columns]`.
  """
  return (np.floor(values) != values).any(axis=0)


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
  continuous = is_continuous(factors)
  if continuous.any():
    factors = factors.copy()
    factors[:, continuous] = discretize(factors[:, continuous])
  return factors


def check_powers(what: str, values: np.ndarray, power: int) -> None:
  """Checks that sums of powers of differences of values do not overflow the values' type.

  Args:
    what: What the values are, such as "The representation".
    values: `[num_points, num_columns]`, finite.
    power: 2 for a variance.

  Raises:
    ConfigError: If they could.
  """
  dtype = values.dtype if np.issubdtype(values.dtype, np.floating) else np.dtype(np.float64)
  limit = 0.5 * (float(np.finfo(dtype).max) / len(values)) ** (1 / power)
  largest = max(abs(float(values.min())), abs(float(values.max())))
  if largest > limit:
    raise errors.ConfigError(
      f"{what} has values up to {largest:.3g}, and above {limit:.3g} powers of {len(values)} "
      f"values are not finite in {dtype}: the model has diverged or the data are damaged."
    )


def check_estimator(name: str, estimator: str) -> None:
  """Checks that a setting names an estimator of mutual information.

  Raises:
    ConfigError: If it does not.
  """
  checks.check_choice(name, estimator, ESTIMATORS)


def numbered(name: str, indices: Iterable[int], values: Iterable[float]) -> dict[str, float]:
  """Returns results named by the index of a factor or latent.

  Example:
    >>> numbered("mig.factor", [0, 2], [0.5, 0.25])
    {'mig.factor_0': 0.5, 'mig.factor_2': 0.25}
  """
  return {f"{name}_{i}": float(value) for i, value in zip(indices, values, strict=True)}
