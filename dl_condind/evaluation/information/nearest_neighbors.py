"""Mutual information of latents and factors from the distances to the nearest points, without bins.

Arrays have one row per point and one column per latent or factor.
"""

import numpy as np
from scipy import spatial
from scipy import special
from sklearn import feature_selection

from dl_condind.evaluation import checks
from dl_condind.evaluation.information import discrete_information
from dl_condind.utils import errors


def mutual_information(
  representations: np.ndarray, factors: np.ndarray, seed: int = 0, num_neighbors: int = 3
) -> np.ndarray:
  """Returns the mutual information of every latent with every factor.

  Of a continuous factor it is scikit-learn's estimate, by Kraskov et al. (2004),
  arXiv:cond-mat/0305641; of a factor of whole numbers that of `information_about_classes`, by Ross
  (2014), doi:10.1371/journal.pone.0087357.

  A point that was drawn several times is at distance 0 from its copies and shares its factors, so
  that noise would seem to inform about every factor. Only distinct points are neighbours here.
  For a factor of whole numbers each weighs as often as it was drawn, so that the estimate is of the
  distribution that the points were drawn from. For a continuous factor each weighs the same, which
  is right if points are copied by chance alone. With few distinct points of very unequal weights
  the estimate is too low, as neighbours are far: 0.75 of 0.99 nats with 100 of them.

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
  checks.check_count("nearest_neighbors.num_neighbors", num_neighbors, 1)
  representations, factors = np.asarray(representations), np.asarray(factors)
  checks.check_arrays(representations, factors)
  checks.check_finite("The representation", representations)
  checks.check_finite("The array of factors", factors)
  first, num_copies = _distinct_points(representations, factors)
  latents, targets = (
    _to_unit_range(x[first].astype(np.float64)) for x in (representations, factors)
  )
  varies = np.flatnonzero(latents.any(axis=0))
  information = np.zeros((representations.shape[1], factors.shape[1]))
  if not varies.size:
    return information
  apart = latents[:, varies] / latents[:, varies].std(axis=0)
  apart += 1e-10 * np.random.RandomState(seed).standard_normal(apart.shape)
  for i in np.flatnonzero(targets.any(axis=0)):
    if checks.is_continuous(factors[:, [i]]).any():
      _check_neighbors(len(first), num_neighbors)
      information[varies, i] = feature_selection.mutual_info_regression(
        latents[:, varies], targets[:, i], n_neighbors=num_neighbors, random_state=seed
      )
    else:
      _check_classes(targets[:, i], i)
      estimate = [
        information_about_classes(latent, targets[:, i], num_copies, num_neighbors)
        for latent in apart.T
      ]
      information[varies, i] = np.clip(
        estimate, 0.0, discrete_information.discrete_entropy(factors[:, [i]])
      )
  return information


def count_distinct(representations: np.ndarray, factors: np.ndarray) -> int:
  """Returns the number of points that differ in their representation or factors.

  Args:
    representations: `[num_points, num_latent]`.
    factors: `[num_points, num_factors]`.
  """
  return len(_distinct_points(representations, factors)[0])


def _distinct_points(
  representations: np.ndarray, factors: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  """Returns the index of each distinct point, where it is first, and how often it is there."""
  points = np.concatenate([representations, factors], axis=1, dtype=np.float64)
  _, first, num_copies = np.unique(points, axis=0, return_index=True, return_counts=True)
  order = np.argsort(first)
  return first[order], num_copies[order]


def information_about_classes(
  latent: np.ndarray, classes: np.ndarray, weights: np.ndarray, num_neighbors: int
) -> float:
  """Returns the mutual information of a latent and a discrete factor, in nats.

  The estimator of Ross (2014) with a weight for each point. A point's interval reaches to its
  num_neighbors-th neighbour of the same class; the estimate is the average over points of
  `log p(interval | class) - log p(interval)`. The probability of an interval is the share of the
  weights of all other points, of the class or of all classes, that lies in it. With the corrections
  of `_log_weight` this is Ross's difference of digammas if all weights are equal.

  A point has no part in its own probabilities: the weight of one that was drawn often says nothing
  about its surroundings.

  As in scikit-learn, a class of fewer points has as many neighbours as it can, and one of a single
  point is left out.

  Args:
    latent: Distinct values, `[num_points]`.
    classes: `[num_points]`; at least two points share one.
    weights: Positive, `[num_points]`.
    num_neighbors: Number of neighbours, at least 1.
  """
  _, index, sizes = np.unique(classes, return_inverse=True, return_counts=True)
  kept = np.flatnonzero(sizes[index] > 1)
  kept = kept[np.argsort(latent[kept])]
  latent, index, weights = latent[kept], index[kept], weights[kept].astype(np.float64)
  moments = np.stack([np.ones_like(weights), weights, weights**2])  # [3, num_points]
  below = np.concatenate([np.zeros((3, 1)), np.cumsum(moments, axis=1)], axis=1)
  estimates = np.empty(len(latent))
  for members in (np.flatnonzero(index == c) for c in np.unique(index)):
    x, own = latent[members], moments[:, members]
    tree = spatial.KDTree(x[:, None])
    # Of each member itself, at distance 0, and its neighbours.
    near = members[tree.query(x[:, None], min(num_neighbors + 1, len(members)))[1]]
    farthest = latent[near[:, -1]]
    radius = np.abs(farthest - x)
    # The farthest neighbour is in the interval, whatever rounding does to x + radius.
    start = np.searchsorted(latent, np.minimum(x - radius, farthest), side="left")
    end = np.searchsorted(latent, np.maximum(x + radius, farthest), side="right")
    estimates[members] = (
      _log_weight(*(moments[:, near].sum(axis=2) - own))
      - _log_total(*(own.sum(axis=1, keepdims=True) - own))
      - _log_weight(*(below[:, end] - below[:, start] - own))
      + _log_total(*(below[:, -1:] - own))
    )
  return float(np.average(estimates, weights=weights))


def _log_weight(num: np.ndarray, weight: np.ndarray, squares: np.ndarray) -> np.ndarray:
  """Returns the logarithm of the weight expected in an interval that ends at its last point.

  `digamma(num)` in place of `log(num)` corrects for the choice of the interval. The last term adds
  half the squared coefficient of variation of the mean weight, which the logarithm of a mean of
  unequal weights is too low by, to second order.

  Args:
    num: Number of points in the interval.
    weight: Sum of their weights.
    squares: Sum of the squares of their weights.
  """
  variation = (num * squares / weight**2 - 1.0) / np.maximum(num - 1.0, 1.0)
  return np.log(weight) + special.digamma(num) - np.log(num) + 0.5 * variation


def _log_total(num: np.ndarray, weight: np.ndarray, squares: np.ndarray) -> np.ndarray:
  """Returns what a share of the weight of all num other points is relative to, as a logarithm."""
  del squares
  return np.log(weight) + special.digamma(num + 1.0) - np.log(num)


def _to_unit_range(values: np.ndarray) -> np.ndarray:
  """Returns columns shifted and scaled to [0, 1], a constant one all 0.

  The noise is too small for a latent that is far from 0 relative to its range.
  """
  low, high = values.min(axis=0), values.max(axis=0)
  half = 0.5 * high - 0.5 * low  # which does not overflow, as the difference can
  return (0.5 * values - 0.5 * low) / np.where(half > 0, half, 1.0)


def _check_neighbors(num_points: int, num_neighbors: int) -> None:
  if num_points <= num_neighbors:
    raise errors.ConfigError(
      "num_neighbors must be less than the number of distinct points, got "
      f"{num_neighbors} and {num_points}: raise the number of points."
    )


def _check_classes(classes: np.ndarray, factor: int) -> None:
  if len(np.unique(classes)) == len(classes):
    raise errors.ConfigError(
      f"nearest_neighbors needs points that share a value of a factor, and the {len(classes)} "
      f"distinct points all differ in factor {factor}: raise the number of points."
    )
