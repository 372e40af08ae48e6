"""Separated attribute predictability of Kumar et al. (2018), arXiv:1711.00848."""

from typing import Any
import warnings

import numpy as np
from sklearn import exceptions
from sklearn import svm

from dl_condind.evaluation import checks
from dl_condind.evaluation import metric
from dl_condind.utils import errors
from dl_condind.utils import progress_lines

_LARGEST_MATRIX = 10_000  # scores that a record lists
_SMALLEST_VARIANCE = 1e-12  # disentanglement_lib's, below which a latent counts as constant


@metric.metric("sap_score", draw=metric.splits)
def compute_sap(
  x_train: np.ndarray,
  y_train: np.ndarray,
  x_test: np.ndarray,
  y_test: np.ndarray,
  seed: int,
  continuous_factors: bool = False,
) -> dict[str, Any]:
  """Returns the results of `sap_scores` on sampled points.

  Differs from disentanglement_lib in that the classifiers have a seed; there they draw from NumPy's
  global state.
  """
  return sap_scores(x_train, y_train, x_test, y_test, continuous_factors, seed)


def sap_scores(
  x_train: np.ndarray,
  y_train: np.ndarray,
  x_test: np.ndarray,
  y_test: np.ndarray,
  continuous_factors: bool = False,
  seed: int = 0,
) -> dict[str, Any]:
  """Returns the separated attribute predictability of representations.

  Implements Sec. 3 of Kumar et al. (2018): the gap of a factor is the difference of the two largest
  scores that single latents have for it. A factor that has one value in the train points is left
  out (disentanglement_lib fails or returns NaN).

  As in the paper, the score of a latent for a continuous factor, which is one with a value that is
  not a whole number, is their squared correlation in the train points, and for a discrete one the
  test accuracy of a linear classifier.

  Args:
    x_train: Representations to fit, `[num_train, num_latent]`.
    y_train: Their factors, `[num_train, num_factors]`.
    x_test: Representations to test on, `[num_test, num_latent]`. Not used for continuous factors.
    y_test: Their factors, `[num_test, num_factors]`.
    continuous_factors: Whether all factors are to be scored as continuous ones, whatever their
      values.
    seed: Seed of the classifiers.

  Returns:
    `SAP_score`, the mean gap of the factors that vary, in [0, 1]; `SAP_score.factor_{i}`, the gap
    of each of them; `constant_factors`, the indices of the others; `score_matrix`,
    `[num_latent][num_factors]`, 0 for those left out, unless it has more than 10000 entries.

  Raises:
    ConfigError: If there are fewer than two latents, no factor varies, or a representation is not
      finite.
    ValueError: If the arrays do not fit together.
  """
  x_train, y_train = np.asarray(x_train), np.asarray(y_train)
  if continuous_factors:
    checks.check_arrays(x_train, y_train)
    checks.check_finite("The representation", x_train)
    checks.check_finite("The array of factors", y_train)
    checks.check_powers("The representation", x_train.astype(np.float64), power=2)
    checks.check_powers("The array of factors", y_train.astype(np.float64), power=2)
  else:
    x_train, y_train, x_test, y_test = checks.check_splits(x_train, y_train, x_test, y_test, True)
  if x_train.shape[1] < 2:
    raise errors.ConfigError(
      "sap_score compares the two best latents of each factor, the representation has "
      f"{x_train.shape[1]}: set encoder.num_latent to at least 2."
    )
  varies = checks.varying_factors(y_train, "sap_score")
  if continuous_factors:
    scores = squared_correlations(x_train, y_train[:, varies])
  else:
    scores = latent_scores(x_train, y_train[:, varies], x_test, y_test[:, varies], seed)
  return _summary(scores, varies, y_train.shape[1])


def latent_scores(
  x_train: np.ndarray, y_train: np.ndarray, x_test: np.ndarray, y_test: np.ndarray, seed: int = 0
) -> np.ndarray:
  """Returns `classifier_accuracies` of discrete and `squared_correlations` of continuous factors.

  Arguments and result as `classifier_accuracies`.
  """
  continuous = checks.continuous_factors(y_train, y_test)
  scores = np.zeros((x_train.shape[1], y_train.shape[1]))
  scores[:, continuous] = squared_correlations(x_train, y_train[:, continuous])
  classes_train, classes_test = (y[:, ~continuous].astype(np.int64) for y in (y_train, y_test))
  scores[:, ~continuous] = classifier_accuracies(x_train, classes_train, x_test, classes_test, seed)
  return scores


def _summary(scores: np.ndarray, varies: np.ndarray, num_factors: int) -> dict[str, Any]:
  gaps = gaps_of_best(scores)
  results = {
    "SAP_score": float(np.mean(gaps)),
    **metric.numbered("SAP_score.factor", varies, gaps),
    "constant_factors": np.setdiff1d(np.arange(num_factors), varies).tolist(),
  }
  matrix = np.zeros((len(scores), num_factors))
  matrix[:, varies] = scores
  if matrix.size <= _LARGEST_MATRIX:
    results["score_matrix"] = matrix.tolist()
  return results


def gaps_of_best(scores: np.ndarray) -> np.ndarray:
  """Returns the difference of the two largest scores of each factor, `[num_factors]`.

  Args:
    scores: `[num_latent, num_factors]`, at least two latents.
  """
  ordered = np.sort(scores, axis=0)
  return ordered[-1] - ordered[-2]


def squared_correlations(representations: np.ndarray, factors: np.ndarray) -> np.ndarray:
  """Returns the squared correlation of every latent with every factor.

  Args:
    representations: `[num_points, num_latent]`.
    factors: `[num_points, num_factors]`, none of them constant.

  Returns:
    `[num_latent, num_factors]`, in [0, 1]. A latent whose variance is at most 1e-12 has 0.
  """
  num_latent = representations.shape[1]
  columns = np.concatenate([representations.astype(np.float64), factors], axis=1)
  covariance = np.cov(columns, rowvar=False)
  variance = np.diag(covariance)
  varies = variance[:num_latent] > _SMALLEST_VARIANCE
  squared = np.zeros((num_latent, factors.shape[1]))
  squared[varies] = covariance[:num_latent, num_latent:][varies] ** 2 / np.outer(
    variance[:num_latent][varies], variance[num_latent:]
  )
  return np.minimum(squared, 1.0)  # rounding can leave 1 + 1e-16


def classifier_accuracies(
  x_train: np.ndarray, y_train: np.ndarray, x_test: np.ndarray, y_test: np.ndarray, seed: int = 0
) -> np.ndarray:
  """Returns the test accuracy of a linear classifier from every latent to every factor.

  The classifier is disentanglement_lib's: a linear support vector machine with C = 0.01 and classes
  weighted equally. scikit-learn solves it for one latent without drawing numbers; its releases
  before 1.5 did draw. A value of a factor that only the test points have counts as wrong.

  Args:
    x_train: Representations to fit, `[num_train, num_latent]`.
    y_train: Their factors, none of them constant, `[num_train, num_factors]`.
    x_test: Representations to test on, `[num_test, num_latent]`.
    y_test: Their factors, `[num_test, num_factors]`.
    seed: Seed of the classifiers.

  Returns:
    `[num_latent, num_factors]`, in [0, 1].
  """
  accuracy = np.zeros((x_train.shape[1], y_train.shape[1]))
  with warnings.catch_warnings():
    # Stopping early is part of the metric.
    warnings.simplefilter("ignore", exceptions.ConvergenceWarning)
    pairs = np.ndindex(*accuracy.shape)
    what = "Fitting classifiers, pair of latent and factor"
    for i, j in progress_lines.each(pairs, what, accuracy.size):
      classifier = svm.LinearSVC(C=0.01, class_weight="balanced", random_state=seed)
      classifier.fit(x_train[:, i : i + 1], y_train[:, j])
      accuracy[i, j] = np.mean(classifier.predict(x_test[:, i : i + 1]) == y_test[:, j])
  return accuracy
