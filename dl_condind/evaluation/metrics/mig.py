"""Mutual information gap of Chen et al. (2018), arXiv:1802.04942."""

from collections.abc import Callable
import functools
from typing import Any

import numpy as np

from dl_condind.evaluation import checks
from dl_condind.evaluation import gin_settings
from dl_condind.evaluation import metric
from dl_condind.evaluation.information import discrete_information
from dl_condind.evaluation.information import discretization
from dl_condind.evaluation.information import nearest_neighbors
from dl_condind.utils import errors


@metric.metric("mig", draw=metric.points, choices={"estimator": checks.ESTIMATORS})
def compute_mig(
  representations: np.ndarray, factors: np.ndarray, seed: int, estimator: str = "discretized"
) -> dict[str, Any]:
  """Returns the mutual information gap on sampled points, with gin's `discretizer`.

  A factor that is not a whole number everywhere is continuous: it is discretized too, as a latent
  is. Its gap then depends on the number of bins.

  Args:
    representations: `[num_train, num_latent]`.
    factors: `[num_train, num_factors]`.
    seed: Seed of the nearest neighbours.
    estimator: `discretized`, as in disentanglement_lib, or `nearest_neighbors`, which cuts no
      latent in bins and a continuous factor only for its entropy.

  Returns:
    The results of `gap_of_codes` or of `gap_of_neighbors`.

  Raises:
    ConfigError: If the estimator is unknown; see also `gap_of_codes` and `gap_of_neighbors`.
  """
  discretize = gin_settings.discretize
  cut_factors = discretization.discretize_continuous(factors, discretize)
  if estimator == "nearest_neighbors":
    information_fn = gin_settings.neighbor_information
    return gap_of_neighbors(representations, factors, cut_factors, seed, information_fn)
  return gap_of_codes(discretize(representations), cut_factors)


def mutual_information_gap(
  representations: np.ndarray,
  factors: np.ndarray,
  num_bins: int = 20,
  estimator: str = "discretized",
  seed: int = 0,
) -> dict[str, Any]:
  """Returns the mutual information gap of representations.

  Args:
    representations: `[num_points, num_latent]`.
    factors: Ground truth, `[num_points, num_factors]`.
    num_bins: Number of bins of equal width, of each latent if it is discretized and of each column
      of factors that is not a whole number everywhere.
    estimator: `discretized` or `nearest_neighbors`.
    seed: Seed of the nearest neighbours.

  Returns:
    The results of `gap_of_codes` or of `gap_of_neighbors`.

  Raises:
    ConfigError: If the estimator is unknown or a number is not finite; see also `gap_of_codes`
      and `gap_of_neighbors`.
    ValueError: If the arrays do not fit together.
  """
  checks.check_choice("estimator", estimator, checks.ESTIMATORS)
  representations, factors = np.asarray(representations), np.asarray(factors)
  discretize = functools.partial(discretization.histogram_discretizer, num_bins=num_bins)
  cut_factors = discretization.discretize_continuous(factors, discretize)
  if estimator == "nearest_neighbors":
    return gap_of_neighbors(representations, factors, cut_factors, seed)
  return gap_of_codes(discretize(representations), cut_factors)


def gap_of_codes(codes: np.ndarray, factors: np.ndarray) -> dict[str, Any]:
  """Returns the mutual information gap of discrete codes.

  Implements Eq. 6 of Chen et al. (2018) with empirical entropies: the gap of a factor is the
  difference of the two largest mutual informations that a code has with it, divided by the factor's
  entropy. A factor that has one value in these points has no entropy and no gap: it is left out of
  the mean (disentanglement_lib returns NaN).

  Args:
    codes: Discrete values, `[num_points, num_latent]`.
    factors: Discrete ground truth, `[num_points, num_factors]`.

  Returns:
    `discrete_mig`, the mean gap of the factors that vary, in [0, 1]; `mig.factor_{i}`, the gap of
    each of them; `constant_factors`, the indices of the others; `factor_entropy`, in nats,
    `[num_factors]`; `mutual_information_matrix`, in nats, `[num_latent][num_factors]`.

  Raises:
    ConfigError: If there are fewer than two latents, or no factor varies.
    ValueError: If the arrays do not fit together.
  """
  codes, factors = np.asarray(codes), np.asarray(factors)
  check_points(codes, factors)
  return _gaps(discrete_information.discrete_mutual_info(codes, factors), factors, "discrete_mig")


def gap_of_neighbors(
  representations: np.ndarray,
  factors: np.ndarray,
  cut_factors: np.ndarray,
  seed: int = 0,
  information_fn: Callable[..., np.ndarray] = nearest_neighbors.mutual_information,
) -> dict[str, Any]:
  """Returns the mutual information gap of latents that are not cut in bins.

  The gap is that of `gap_of_codes`, with the information of `nearest_neighbors.mutual_information`.
  What a continuous factor's gap is divided by is the entropy of the cut factor, which is the same
  as for discrete codes and does not depend on the number of points. A continuous factor's own
  (differential) entropy may be negative and changes with the unit of the factor, and what it shares
  with itself is infinite. The gap is then above 1 if a latent tells apart values of one bin.

  Args:
    representations: `[num_points, num_latent]`.
    factors: Ground truth, `[num_points, num_factors]`.
    cut_factors: The same, with the continuous ones cut in bins.
    seed: Seed of the estimator.
    information_fn: Function (representations, factors, seed) -> mutual information.

  Returns:
    `nearest_neighbor_mig`, at least 0 and at most 1 if all factors are whole numbers; the other
    keys of `gap_of_codes`; `num_distinct_points`.

  Raises:
    ConfigError: If there are fewer than two latents, no factor varies, or there are too few points.
    ValueError: If the arrays do not fit together.
  """
  representations, cut_factors = np.asarray(representations), np.asarray(cut_factors)
  check_points(representations, cut_factors)
  information = information_fn(representations, factors, seed)
  return {
    **_gaps(information, cut_factors, "nearest_neighbor_mig"),
    "num_distinct_points": nearest_neighbors.count_distinct(representations, factors),
  }


def gaps(mutual_information: np.ndarray, entropy: np.ndarray) -> np.ndarray:
  """Returns the gap of each factor: (largest - second mutual information) / entropy.

  Args:
    mutual_information: Nats, `[..., num_latent, num_factors]`.
    entropy: Entropies of the factors, nats, `[num_factors]`.

  Returns:
    `[..., num_factors]`.
  """
  ordered = np.sort(mutual_information, axis=-2)  # largest last
  return (ordered[..., -1, :] - ordered[..., -2, :]) / entropy


def check_points(codes: np.ndarray, factors: np.ndarray) -> None:
  """Checks that points have a gap; factors are discrete.

  Raises:
    ConfigError: If there are fewer than two latents, or no factor varies.
    ValueError: If the arrays do not fit together.
  """
  checks.check_arrays(codes, factors)
  checks.check_finite("The array of factors", factors)
  if codes.shape[1] < 2:
    raise errors.ConfigError(
      f"mig compares the two best latents of each factor, the representation has {codes.shape[1]}: "
      "set encoder.num_latent to at least 2."
    )
  if not checks.varies(factors).any():
    raise errors.ConfigError(
      f"mig has nothing to score: none of the {factors.shape[1]} factors varies in the "
      f"{len(factors)} points; take more points."
    )


def _gaps(mutual_information: np.ndarray, factors: np.ndarray, key: str) -> dict[str, Any]:
  """Returns the results, the mean gap under a key; factors are discrete."""
  varies = checks.varies(factors)
  entropy = discrete_information.discrete_entropy(factors)
  of_factors = gaps(mutual_information[:, varies], entropy[varies])
  return {
    key: float(np.mean(of_factors)),
    **metric.numbered("mig.factor", np.flatnonzero(varies), of_factors),
    "constant_factors": np.flatnonzero(~varies).tolist(),
    "factor_entropy": entropy.tolist(),
    "mutual_information_matrix": mutual_information.tolist(),
  }
