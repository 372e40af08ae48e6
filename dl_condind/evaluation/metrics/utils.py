"""Discretization, discrete information measures and names of results that several metrics share.

Arrays have one row per point and one column per latent or factor, the transpose of
disentanglement_lib's.
"""

from collections.abc import Callable
from collections.abc import Iterable
import importlib.util  # noqa: F401  (gin uses it without importing it)

import gin
import numpy as np
from sklearn import feature_selection
from sklearn import metrics

from dl_condind.evaluation import representation
from dl_condind.evaluation import set_factors
from dl_condind.utils import errors

ESTIMATORS = ("discretized", "nearest_neighbors")  # of mutual information


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
  representation.check_count("num_bins", num_bins, 1)
  target = np.asarray(target)
  if target.ndim != 2 or target.size == 0:
    raise ValueError(
      f"What is discretized must be [num_points, num_columns], got shape {target.shape}."
    )
  representation.check_finite("The representation", target)
  labels = np.ones(target.shape, dtype=np.int64)
  for column in range(target.shape[1]):
    values = target[:, column]
    low, high = values.min(), values.max()
    if low < high:
      _check_width(low, high)
      dtype = values.dtype if np.issubdtype(values.dtype, np.floating) else np.float64
      edges = np.linspace(low, high, num_bins + 1, dtype=dtype)
      labels[:, column] = np.digitize(values, edges[:-1])
  return labels


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
  representation.check_finite("The array of factors", factors)
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
  largest = float(np.abs(values).max())
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
  if estimator not in ESTIMATORS:
    raise errors.ConfigError(f"{name} must be one of {', '.join(ESTIMATORS)}, got {estimator!r}.")


@gin.configurable("nearest_neighbors", denylist=["representations", "factors", "seed"])
def nearest_neighbor_mutual_info(
  representations: np.ndarray, factors: np.ndarray, seed: int = 0, num_neighbors: int = 3
) -> np.ndarray:
  """Returns the mutual information of every latent with every factor, without bins.

  Estimated by scikit-learn from the distance to the k-th nearest point: of a continuous factor by
  Kraskov et al. (2004), arXiv:cond-mat/0305641, of a factor of whole numbers by Ross (2014),
  doi:10.1371/journal.pone.0087357. A point that was drawn several times counts once: its copies are
  at distance 0 and share its factors, so that noise would seem to inform about every factor.

  Args:
    representations: `[num_points, num_latent]`.
    factors: `[num_points, num_factors]`.
    seed: Seed of the noise, 1e-10 standard deviations, that tells equal values apart.
    num_neighbors: Number of neighbours (k). More have less variance and more bias.

  Returns:
    In nats, not negative, float64 `[num_latent, num_factors]`. That of a factor of whole numbers is
    at most its entropy. That of a continuous factor with a latent that determines it is infinite:
    the estimate is near `log(num_points / num_neighbors)` then.

  Raises:
    ConfigError: If a number is not finite, num_neighbors is not positive, or there are too few
      distinct points.
    ValueError: If the arrays do not fit together.
  """
  representation.check_count("nearest_neighbors.num_neighbors", num_neighbors, 1)
  representations, factors = np.asarray(representations), np.asarray(factors)
  set_factors.check_arrays(representations, factors)
  representation.check_finite("The representation", representations)
  representation.check_finite("The array of factors", factors)
  points = np.concatenate([representations, factors], axis=1, dtype=np.float64)
  first = np.sort(np.unique(points, axis=0, return_index=True)[1])
  latents, targets = (
    _to_unit_range(x[first].astype(np.float64)) for x in (representations, factors)
  )
  varies = latents.any(axis=0)
  information = np.zeros((representations.shape[1], factors.shape[1]))
  if not varies.any():
    return information
  for i in np.flatnonzero(targets.any(axis=0)):
    if is_continuous(factors[:, [i]]).any():
      _check_neighbors(len(first), num_neighbors)
      information[varies, i] = feature_selection.mutual_info_regression(
        latents[:, varies], targets[:, i], n_neighbors=num_neighbors, random_state=seed
      )
    else:
      _, classes = np.unique(targets[:, i], return_inverse=True)
      _check_classes(classes, i)
      estimate = feature_selection.mutual_info_classif(
        latents[:, varies], classes, n_neighbors=num_neighbors, random_state=seed
      )
      information[varies, i] = np.minimum(estimate, discrete_entropy(factors[:, [i]]))
  return information


def _to_unit_range(values: np.ndarray) -> np.ndarray:
  """Returns columns shifted and scaled to [0, 1], a constant one all 0.

  scikit-learn's noise is relative to the mean, so that a latent far from 0 would be all noise.
  """
  low, high = values.min(axis=0), values.max(axis=0)
  half = 0.5 * high - 0.5 * low  # which does not overflow, as the difference can
  return (0.5 * values - 0.5 * low) / np.where(half > 0, half, 1.0)


def _check_neighbors(num_points: int, num_neighbors: int) -> None:
  if num_points <= num_neighbors:
    raise errors.ConfigError(
      "nearest_neighbors.num_neighbors must be less than the number of distinct points, got "
      f"{num_neighbors} and {num_points}: raise the number of points."
    )


def _check_classes(classes: np.ndarray, factor: int) -> None:
  if len(np.unique(classes)) == len(classes):
    raise errors.ConfigError(
      f"nearest_neighbors needs points that share a value of a factor, and the {len(classes)} "
      f"distinct points all differ in factor {factor}: raise the number of points."
    )


def numbered(name: str, indices: Iterable[int], values: Iterable[float]) -> dict[str, float]:
  """Returns results named by the index of a factor or latent.

  Example:
    >>> numbered("mig.factor", [0, 2], [0.5, 0.25])
    {'mig.factor_0': 0.5, 'mig.factor_2': 0.25}
  """
  return {f"{name}_{i}": float(value) for i, value in zip(indices, values, strict=True)}
