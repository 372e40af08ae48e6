"""Log density ratios by a classifier that tells two samples apart.

The log odds of the classifier that minimises the cross-entropy between two samples of equal size
are the log ratio of their densities, and the mean of these over the first sample is the KL
divergence. The classifier is logistic regression on features in which the log ratio is linear
wherever q(z) is Gaussian, so that nothing but sampling error is left where the truth is known. Log
odds are of points that were not fitted on: each half of the points is scored by the classifier of
the other half. Beyond the logarithm of the number of points the samples do not overlap, and the
strength of the regularisation decides.
"""

import numpy as np
from sklearn import linear_model
from sklearn import pipeline
from sklearn import preprocessing

from dl_condind.evaluation import checks
from dl_condind.evaluation.metrics import mixtures

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


def total_correlation_log_odds(z: np.ndarray, random_state: np.random.RandomState) -> np.ndarray:
  """Returns estimates of log q(z) - sum_j log q(z_j) at each z.

  The second sample is z with every latent shuffled. The features are those of a polynomial of
  degree 2. The idea is that of FactorVAE (Kim and Mnih, 2018, arXiv:1802.05983).

  Args:
    z: One draw of each observation, in random order, `[num_points, num_latent]`, at least 6.
    random_state: State that the permutations come from.

  Returns:
    Nats, `[num_points]`.

  Raises:
    ConfigError: If there are too few points.
  """
  _check_points(z)
  shuffled = np.concatenate(
    [
      np.stack([random_state.permutation(latent) for latent in half.T], axis=1)
      for half in np.array_split(z, 2)
    ]
  )
  return _held_out_log_odds(_polynomial(z), _polynomial(shuffled))


def mutual_information_log_odds(
  z: np.ndarray, mean: np.ndarray, stddev: np.ndarray, scale_tril: np.ndarray | None = None
) -> np.ndarray:
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

  Returns:
    Nats, `[num_points]`.

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
  return _held_out_log_odds(
    features(np.concatenate(halves)),
    features(np.concatenate([np.roll(half, 1) for half in halves])),
  )


def _check_points(z):
  checks.check_count("The number of points of a classifier", len(z), FEWEST_POINTS)


def _polynomial(z):
  return preprocessing.PolynomialFeatures(2, include_bias=False).fit_transform(z)


def _held_out_log_odds(sample, other_sample):
  """Returns the log odds of each point of sample by a classifier of the other half, `[num]`."""
  halves = np.array_split(np.arange(len(sample)), 2)
  log_odds = np.empty(len(sample))
  for fitted, held_out in (halves, halves[::-1]):
    classifier = pipeline.make_pipeline(
      preprocessing.StandardScaler(),
      linear_model.LogisticRegression(C=_INVERSE_REGULARISATION, solver="newton-cholesky"),
    )
    points = np.concatenate([sample[fitted], other_sample[fitted]])
    classifier.fit(points, np.repeat([1, 0], len(fitted)))
    log_odds[held_out] = classifier.decision_function(sample[held_out])
  return log_odds
