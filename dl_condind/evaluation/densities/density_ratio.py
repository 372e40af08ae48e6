"""Log density ratios by a classifier that tells two samples apart.

The log odds of the classifier that minimises the cross-entropy between two samples of equal size
are the log ratio of their densities, and the mean of these over the first sample is the KL
divergence. The classifier is logistic regression on features in which the log ratio is linear
wherever q(z) is Gaussian, so that nothing but sampling error is left where the truth is known. Log
odds are of points that were not fitted on: each half of the points is scored by the classifier of
the other half. Beyond the logarithm of the number of points the samples do not overlap, and the
strength of the regularisation decides.

With other points the classifiers would be others too, and this moves the mean of the log odds more
than the points that are scored do. Its standard error has both, to first order.
"""

from typing import NamedTuple

import numpy as np
from scipy import special
from sklearn import linear_model
from sklearn import pipeline
from sklearn import preprocessing

from dl_condind.evaluation import checks
from dl_condind.evaluation.densities import mixtures

# Weak enough for the mutual information of a Gaussian up to about the logarithm of half the number
# of points, strong enough for finite odds where the classes do not overlap.
_INVERSE_REGULARISATION = 10.0
# Plus num_latent, in nats. Of z drawn from the density itself less than one in 10**8 lies so far
# below the peak. The factorized density of correlated noise cuts off more of its own z, one in a
# hundred for 10 latents with a correlation of 0.9.
_LARGEST_DROP = 20.0
# Where z comes with the x of the row before, as for a null value, the second sample's x is two rows
# before, within a half: in a half of two that is z's own x again. A half of one has no other x.
FEWEST_POINTS = 6


class Ratios(NamedTuple):
  """Estimates of a log ratio of densities.

  Attributes:
    log_odds: Of each point by a classifier that was not fitted to it, nats, `[num_points]`.
    std_error: Standard error of their mean over other observations and draws of z, nats.
  """

  log_odds: np.ndarray
  std_error: float


def total_correlation_ratios(z: np.ndarray, random_state: np.random.RandomState) -> Ratios:
  """Returns estimates of log q(z) - sum_j log q(z_j) at each z.

  The second sample is z with every latent shuffled. The features are those of a polynomial of
  degree 2. The idea is that of FactorVAE (Kim and Mnih, 2018, arXiv:1802.05983).

  Args:
    z: One draw of each observation, in random order, `[num_points, num_latent]`, at least 6.
    random_state: State that the permutations come from.

  Raises:
    ConfigError: If there are too few points.
  """
  _check_points(z)
  sources = np.concatenate(
    [
      np.stack([random_state.permutation(half) for _ in range(z.shape[1])], axis=1)
      for half in np.array_split(np.arange(len(z)), 2)
    ]
  )
  shuffled = np.take_along_axis(z, sources, axis=0)
  return _held_out_ratios(_polynomial(z), _polynomial(shuffled), sources)


def mutual_information_ratios(
  z: np.ndarray, mean: np.ndarray, stddev: np.ndarray, scale_tril: np.ndarray | None = None
) -> Ratios:
  """Returns estimates of log q(z|x) - log q(z) at each pair of z and x of the same row.

  The second sample pairs z with the x of another row. x is given by its posterior: the features are
  log q(z|x) and, for log q(z), those of a polynomial of degree 2 in z. Where log q(z|x) is so far
  below its peak that z is not of this x for sure, it is cut off: features of a wide range would be
  shrunk by the regularisation. A classifier does not have to believe the density: if z and x are
  paired at random it learns to ignore it.

  Args:
    z: One draw of each observation, in random order, `[num_points, num_latent]`, at least 6.
    mean: Of the x paired with each z, `[num_points, num_latent]`.
    stddev: `[num_points, num_latent]`.
    scale_tril: `[num_points, num_latent, num_latent]`, or None for the factorized density.

  Raises:
    ConfigError: If there are too few points or shapes disagree.
  """
  _check_points(z)
  polynomial = _polynomial(z)

  def features(rows):
    scales = None if scale_tril is None else scale_tril[rows]
    posteriors = (mean[rows], stddev[rows], scales)
    log_density = mixtures.log_posterior_density(z, *posteriors)
    peak = mixtures.log_posterior_density(mean[rows], *posteriors)
    lowest = peak - (_LARGEST_DROP + z.shape[1])
    return np.concatenate([np.maximum(log_density, lowest).T, polynomial], axis=1)

  halves = np.array_split(np.arange(len(z)), 2)
  own = np.concatenate(halves)
  other = np.concatenate([np.roll(half, 1) for half in halves])
  return _held_out_ratios(features(own), features(other), np.stack([own, other], axis=1))


def _check_points(z):
  checks.check_count("The number of points of a classifier", len(z), FEWEST_POINTS)


def _polynomial(z):
  return preprocessing.PolynomialFeatures(2, include_bias=False).fit_transform(z)


def _held_out_ratios(sample, other_sample, sources):
  """Returns the log odds of each point of sample by a classifier of the other half.

  Args:
    sample: Features of points, each of another observation, `[num_points, num_features]`.
    other_sample: Features of points that were put together of several observations of their half.
    sources: Observations that each point of other_sample has parts of, `[num_points, num_parts]`.
  """
  halves = np.array_split(np.arange(len(sample)), 2)
  log_odds, of_sample, of_other_sample = np.empty((3, len(sample)))
  for fitted, held_out in (halves, halves[::-1]):
    classifier = pipeline.make_pipeline(
      preprocessing.StandardScaler(),
      linear_model.LogisticRegression(C=_INVERSE_REGULARISATION, solver="newton-cholesky"),
    )
    points = np.concatenate([sample[fitted], other_sample[fitted]])
    labels = np.repeat([1, 0], len(fitted))
    classifier.fit(points, labels)
    log_odds[held_out] = classifier.decision_function(sample[held_out])
    share = len(held_out) / len(sample)
    influence = share * _influence(classifier, points, labels, sample[held_out])
    of_sample[fitted], of_other_sample[fitted] = np.split(influence, 2)
  # The mean is to first order a sum over observations: as points that are scored, as points that a
  # classifier is fitted to, and as parts of such points.
  for half in halves:
    of_sample[half] += (log_odds[half] - np.mean(log_odds[half])) / len(sample)
  return Ratios(log_odds, _standard_error(of_sample, of_other_sample, sources))


def _influence(classifier, points, labels, held_out):
  """Returns how much each fitted point moves the mean log odds of held-out ones, `[num_points]`.

  The weights w minimise `C * sum_i cross_entropy_i + 0.5 * |w|**2`, the intercept apart. Without
  point i they are less by `C * H^-1 (label_i - p_i) features_i`, where p_i is its probability and
  `H = C * sum_i p_i (1 - p_i) features_i features_i^T + I`, and the mean log odds are w times the
  mean features.
  """
  scaler, regression = classifier[0], classifier[-1]
  features, scored = (
    np.pad(scaler.transform(values), ((0, 0), (0, 1)), constant_values=1)  # For the intercept.
    for values in (points, held_out)
  )
  probability = special.expit(features @ np.append(regression.coef_, regression.intercept_))
  slopes = probability * (1 - probability)
  penalty = np.append(np.ones(points.shape[1]), 0) / _INVERSE_REGULARISATION
  hessian = (features.T * slopes) @ features + np.diag(penalty)
  direction = np.linalg.lstsq(hessian, np.mean(scored, axis=0), rcond=None)[0]
  influence = (labels - probability) * (features @ direction)
  return influence - np.repeat([np.mean(half) for half in np.split(influence, 2)], len(points) // 2)


def _standard_error(of_sample, of_other_sample, sources):
  """Returns the standard error of a sum of terms of points, some of which share observations.

  Two points of the other sample depend on each other if they have parts of one observation. Adding
  up what each observation is part of, `u_i = a_i + sum_{k has a part of i} b_k`, the squares of u
  have the product of every two such terms once, and those of `b_k` with itself as often as it has
  parts instead of once: `variance = sum_i u_i**2 - (num_parts - 1) * sum_k b_k**2`.

  Args:
    of_sample: a, the term of each observation itself, `[num_points]`, 0 on average.
    of_other_sample: b, that of each point of the other sample, `[num_points]`, 0 on average.
    sources: Observations that each of these has parts of, `[num_points, num_parts]`.
  """
  num_parts = sources.shape[1]
  totals = of_sample + np.bincount(
    sources.ravel(), weights=np.repeat(of_other_sample, num_parts), minlength=len(of_sample)
  )
  variance = np.sum(totals**2) - (num_parts - 1) * np.sum(of_other_sample**2)
  # With a handful of points the difference can be negative.
  return float(np.sqrt(max(variance, np.sum(of_sample**2))))
