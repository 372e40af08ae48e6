"""DCI-ES of Eastwood et al. (2023), arXiv:2210.00364: explicitness and size beside DCI.

Explicitness asks how much capacity a probe needs to use a representation. The probes here are
random forests, and their capacity is the largest depth of a tree. Values compare only if both are
the same: the family of probes with its settings, and the capacities.
"""

from collections.abc import Sequence
import functools
from typing import Any

import numpy as np
from scipy import integrate
from sklearn import ensemble

from dl_condind.evaluation import checks
from dl_condind.evaluation import metric
from dl_condind.evaluation.metrics import dci
from dl_condind.evaluation.probes import predictors
from dl_condind.utils import errors

DEPTHS = (1, 2, 3, 4, 8, 10, 12, 14, 16, 18, 20, 32)  # those of the authors' code
NUM_TREES = 100


@metric.metric("dci_es", draw=metric.splits)
def compute_dci_es(
  x_train: np.ndarray,
  y_train: np.ndarray,
  x_test: np.ndarray,
  y_test: np.ndarray,
  seed: int,
  depths: Sequence[int] = DEPTHS,
  num_trees: int = NUM_TREES,
) -> dict[str, Any]:
  """Returns the results of `dci_es_scores` on sampled points."""
  return dci_es_scores(x_train, y_train, x_test, y_test, depths, num_trees, seed)


def dci_es_scores(
  x_train: np.ndarray,
  y_train: np.ndarray,
  x_test: np.ndarray,
  y_test: np.ndarray,
  depths: Sequence[int] = DEPTHS,
  num_trees: int = NUM_TREES,
  seed: int = 0,
) -> dict[str, Any]:
  """Returns disentanglement, completeness, informativeness, explicitness and size.

  Implements DCI-ES of Eastwood et al. (2023), arXiv:2210.00364, with the settings of the authors'
  code: for each depth and factor a random forest of scikit-learn's defaults; its loss is the share
  of test points it gets wrong. Explicitness is the mean over factors of `explicitness_of_curve`.
  Disentanglement, completeness and informativeness are those of the depth with the highest test
  accuracy (of equals the smallest); importances are the forest's. A factor that has one value in
  the train points is left out everywhere, also of size.

  Where implementations differ: the baseline loss here is that of the best constant prediction, the
  train points without a factor's most frequent value; the authors set 1 - 1 / num_values, which
  is the same if values are equally frequent. They also probe with MLPs and random Fourier features,
  over the logarithm of the number of parameters.

  A factor with a value that is not a whole number is continuous: forests of regression predict it,
  the loss is 1 - R2 (see `predictors.Scores`) and the baseline loss is 1, that of the mean.

  A representation that no probe can use has a flat curve, which is explicitness 1 by definition:
  read it beside informativeness, or look at `losses`.

  Args:
    x_train: Representations to fit, `[num_train, num_latent]`.
    y_train: Their factors, `[num_train, num_factors]`.
    x_test: Representations to test on, `[num_test, num_latent]`.
    y_test: Their factors, `[num_test, num_factors]`.
    depths: The largest depth of a tree of each probe, rising, at least two.
    num_trees: Number of trees of a probe.
    seed: Seed of the probes.

  Returns:
    `explicitness`, with `.factor_{i}`, at most 1, at least -1 if no loss exceeds its baseline;
    `size`: number of factors per latent, greater than 0; `disentanglement`, `completeness` and
    `informativeness_test` with their parts and `importance_matrix`, as `dci.dci_scores`;
    `best_depth`: the depth they are of; `depths`; `losses.factor_{i}`: test loss at each depth, and
    `baseline_loss.factor_{i}`; `constant_factors`: indices of the factors left out.

  Raises:
    ConfigError: If depths or num_trees is not allowed, no factor varies, a continuous one has a
      single value in the test points, a representation is not finite, or there are fewer than 5
      train points.
    ValueError: If the arrays do not fit together.
  """
  depths = _check_depths(depths)
  checks.check_count("dci_es.num_trees", num_trees, 1)
  x_train, y_train, x_test, y_test = checks.check_splits(x_train, y_train, x_test, y_test, True)
  varies = checks.varying_factors(y_train, "dci_es", y_test)
  baselines = baseline_losses(y_train[:, varies])
  baselines[checks.continuous_factors(y_train, y_test)[varies]] = 1.0
  probes = [
    predictors.score_factors(
      functools.partial(ensemble.RandomForestClassifier, num_trees, max_depth=depth),
      x_train,
      y_train[:, varies],
      x_test,
      y_test[:, varies],
      seed,
      with_importance=True,
    )
    for depth in depths
  ]
  scores = np.array([probe.test_score for probe in probes])  # [num_depths, num_factors]
  best = int(np.argmax(scores.mean(axis=1)))
  matrix = np.zeros((x_train.shape[1], y_train.shape[1]))
  matrix[:, varies] = probes[best].importance
  return {
    **_explicitness(varies, depths, 1.0 - scores, baselines),
    "size": len(varies) / x_train.shape[1],
    **dci.importance_scores(probes[best].importance, varies),
    "informativeness_test": float(np.mean(scores[best])),
    **metric.numbered("informativeness_test.factor", varies, scores[best]),
    "best_depth": depths[best],
    "depths": depths,
    "constant_factors": np.setdiff1d(np.arange(y_train.shape[1]), varies).tolist(),
    "importance_matrix": matrix.tolist(),
  }


def _check_depths(depths: Sequence[int]) -> list[int]:
  checks.check_is_list("dci_es.depths", depths)
  depths = list(depths)
  if len(depths) < 2 or np.any(np.diff(depths) <= 0):
    raise errors.ConfigError(
      f"dci_es.depths must be at least two depths in rising order, got {depths}."
    )
  return depths


def baseline_losses(factors: np.ndarray) -> np.ndarray:
  """Returns the share of points that have not the most frequent value, `[num_factors]`.

  Args:
    factors: Whole numbers, `[num_points, num_factors]`.
  """
  counts = [np.unique(factor, return_counts=True)[1] for factor in factors.T]
  return np.array([1.0 - count.max() / count.sum() for count in counts])


def explicitness_of_curve(
  capacities: Sequence[float], losses: Sequence[float], baseline_loss: float
) -> float:
  """Returns the explicitness of a loss-capacity curve.

  `1 - area / (0.5 * (capacities[-1] - capacities[0]) * baseline_loss)`, where area is the area
  under the loss-capacity curve (AULCC), above its lowest loss, by the trapezoidal rule. The curve
  is the lowest loss that any probe up to a capacity reaches. It is 1 if the probe of the lowest
  capacity reaches the lowest loss of all, 0 if the loss falls linearly from the baseline to 0.

  The normalizer takes the lowest loss attainable by any representation to be 0, as the authors do.

  Args:
    capacities: Of the probes, rising, `[num_probes]`.
    losses: Of the probes, `[num_probes]`.
    baseline_loss: Loss of predicting without the representation, greater than 0.
  """
  lowest = np.minimum.accumulate(losses)
  area = integrate.trapezoid(lowest - lowest[-1], capacities)
  return float(1.0 - area / (0.5 * (capacities[-1] - capacities[0]) * baseline_loss))


def _explicitness(
  factors: np.ndarray, depths: list[int], losses: np.ndarray, baselines: np.ndarray
) -> dict[str, Any]:
  """Returns the results about the curves, losses being `[num_depths, num_factors]`."""
  explicitness = [
    explicitness_of_curve(depths, curve, baseline)
    for curve, baseline in zip(losses.T, baselines, strict=True)
  ]
  return {
    "explicitness": float(np.mean(explicitness)),
    **metric.numbered("explicitness.factor", factors, explicitness),
    **{f"losses.factor_{i}": c.tolist() for i, c in zip(factors, losses.T, strict=True)},
    **metric.numbered("baseline_loss.factor", factors, baselines),
  }
