"""Disentanglement, completeness and informativeness of Eastwood and Williams (2018)."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import stats

from dl_condind.evaluation import checks
from dl_condind.evaluation import metric
from dl_condind.evaluation.probes import predictors

_SMALLEST = 1e-11  # disentanglement_lib's, for the logarithm of an importance of 0


@metric.metric("dci", draw=metric.splits)
def compute_dci(
  x_train: np.ndarray,
  y_train: np.ndarray,
  x_test: np.ndarray,
  y_test: np.ndarray,
  seed: int,
  predictor_fn: Callable[[], Any] = predictors.gradient_boosting_classifier,
  regressor_fn: Callable[[], Any] | None = None,
) -> dict[str, Any]:
  """Returns the results of `dci_scores` on sampled points.

  Differs from disentanglement_lib in that the classifiers have a seed, and may be of another kind:
  `extra_trees_classifier` is faster.
  """
  return dci_scores(x_train, y_train, x_test, y_test, predictor_fn, seed, regressor_fn)


def dci_scores(
  x_train: np.ndarray,
  y_train: np.ndarray,
  x_test: np.ndarray,
  y_test: np.ndarray,
  predictor_fn: Callable[[], Any] = predictors.gradient_boosting_classifier,
  seed: int = 0,
  regressor_fn: Callable[[], Any] | None = None,
) -> dict[str, Any]:
  """Returns disentanglement, completeness and informativeness of representations.

  Implements Sec. 2 of Eastwood and Williams (2018), openreview.net/forum?id=By-7dz-AZ, as
  disentanglement_lib does: with boosted trees, whose accuracies are the informativeness. A factor
  that has one value in the train points is left out everywhere (disentanglement_lib fails).

  A factor with a value that is not a whole number is continuous: boosted trees of regression
  predict it, and its informativeness is R2 (see `predictors.Scores`), which does not depend on its
  unit. The paper has regressors for all factors and reports their normalized errors.

  Args:
    x_train: Representations to fit, `[num_train, num_latent]`.
    y_train: Their factors, `[num_train, num_factors]`.
    x_test: Representations to test on, `[num_test, num_latent]`.
    y_test: Their factors, `[num_test, num_factors]`.
    predictor_fn: Makes the classifiers.
    seed: Seed of the classifiers.
    regressor_fn: Makes the regressors of continuous factors; None stands for the counterpart of
      the classifiers (`predictors.make_regressor`).

  Returns:
    `informativeness_train`, `informativeness_test`: means of accuracies and R2, with `.factor_{i}`,
    in [0, 1] or, of continuous factors, at most 1;
    `disentanglement`, with `.code_{j}` of each latent, None if only one factor varies;
    `completeness`, with `.factor_{i}`, None if there is only one latent; both in [0, 1];
    `constant_factors`: indices of the factors left out; `continuous_factors`: indices of those with
    R2; `importance_matrix`: importance of each latent for each factor,
    `[num_latent][num_factors]`, 0 for those left out.

  Raises:
    ConfigError: If no factor varies, a continuous one has a single value in the test points, a
      representation is not finite, or there are fewer than 5 train points.
    ValueError: If the arrays do not fit together.
  """
  x_train, y_train, x_test, y_test = checks.check_splits(x_train, y_train, x_test, y_test, True)
  varies = checks.varying_factors(y_train, "dci", y_test)
  continuous = checks.continuous_factors(y_train, y_test)
  scores = predictors.score_factors(
    predictor_fn,
    x_train,
    y_train[:, varies],
    x_test,
    y_test[:, varies],
    seed,
    with_importance=True,
    regressor_fn=regressor_fn,
  )
  matrix = np.zeros((x_train.shape[1], y_train.shape[1]))
  matrix[:, varies] = scores.importance
  return {
    "informativeness_train": float(np.mean(scores.train_score)),
    "informativeness_test": float(np.mean(scores.test_score)),
    **importance_scores(scores.importance, varies),
    **metric.numbered("informativeness_train.factor", varies, scores.train_score),
    **metric.numbered("informativeness_test.factor", varies, scores.test_score),
    "constant_factors": np.setdiff1d(np.arange(y_train.shape[1]), varies).tolist(),
    "continuous_factors": varies[continuous[varies]].tolist(),
    "importance_matrix": matrix.tolist(),
  }


def importance_scores(importance: np.ndarray, factors: np.ndarray | None = None) -> dict[str, Any]:
  """Returns disentanglement and completeness of an importance matrix.

  Args:
    importance: Not negative, `[num_latent, num_factors]`.
    factors: The index by which to name each factor, `[num_factors]`; their order if None.

  Returns:
    `disentanglement`, `disentanglement.code_{j}`, `completeness`, `completeness.factor_{i}`, as
    `dci_scores`. What has no meaning is None, without parts.
  """
  num_latent, num_factors = importance.shape
  if factors is None:
    factors = np.arange(num_factors)
  results: dict[str, float | None] = {"disentanglement": None, "completeness": None}
  if num_factors > 1:
    per_code = disentanglement_per_code(importance)
    results["disentanglement"] = _weighted_mean(per_code, importance.sum(axis=1))
    results |= metric.numbered("disentanglement.code", np.arange(num_latent), per_code)
  if num_latent > 1:
    per_factor = completeness_per_factor(importance)
    results["completeness"] = _weighted_mean(per_factor, importance.sum(axis=0))
    results |= metric.numbered("completeness.factor", factors, per_factor)
  return results


def disentanglement_per_code(importance: np.ndarray) -> np.ndarray:
  """Returns how far each latent is important for a single factor, `[num_latent]`, in [0, 1].

  It is 1 less the entropy, to the base num_factors, of the latent's importances. A latent without
  importance has 0.

  Args:
    importance: Not negative, `[num_latent, num_factors]`, with at least two factors.
  """
  entropy = stats.entropy(importance + _SMALLEST, base=importance.shape[1], axis=1)
  return np.clip(1.0 - entropy, 0.0, 1.0)  # rounding can leave -1e-16


def completeness_per_factor(importance: np.ndarray) -> np.ndarray:
  """Returns how far a single latent is important for each factor, `[num_factors]`, in [0, 1].

  Args:
    importance: Not negative, `[num_latent, num_factors]`, with at least two latents.
  """
  return disentanglement_per_code(importance.T)


def _weighted_mean(values: np.ndarray, weights: np.ndarray) -> float:
  """Returns the mean of values by weights, or the plain mean if there is no weight."""
  if weights.sum() == 0:
    weights = np.ones_like(weights)
  return float(np.sum(values * weights) / np.sum(weights))
