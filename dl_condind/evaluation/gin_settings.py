"""What gin binds for several metrics at once, in disentanglement_lib's names.

The functions with the maths take these as arguments; only what `metric.metric` decorates asks here.
"""

from collections.abc import Callable
from typing import Any

import gin
import numpy as np

from dl_condind.evaluation.information import discretization
from dl_condind.evaluation.information import nearest_neighbors
from dl_condind.evaluation.probes import predictors


@gin.configurable("discretizer", denylist=["target"])
def discretize(
  target: np.ndarray,
  num_bins: int = 20,
  discretizer_fn: Callable[[np.ndarray, int], np.ndarray] = discretization.histogram_discretizer,
) -> np.ndarray:
  """Returns target discretized by the function and number of bins that gin binds.

  Args:
    target: Representations, `[num_points, num_latent]`.
    num_bins: Number of bins of each column.
    discretizer_fn: `(target, num_bins)` -> labels of the shape of target.
  """
  return discretizer_fn(target, num_bins)


@gin.configurable("nearest_neighbors", denylist=["representations", "factors", "seed"])
def neighbor_information(
  representations: np.ndarray, factors: np.ndarray, seed: int = 0, num_neighbors: int = 3
) -> np.ndarray:
  """Returns `nearest_neighbors.mutual_information` with the number of neighbors that gin binds."""
  return nearest_neighbors.mutual_information(representations, factors, seed, num_neighbors)


@gin.configurable("predictor")
def predictor_fns(
  predictor_fn: Callable[[], Any] = predictors.gradient_boosting_classifier,
  regressor_fn: Callable[[], Any] | None = None,
) -> tuple[Callable[[], Any], Callable[[], Any] | None]:
  """Returns the functions that make a classifier and a regressor which gin binds; see `predictors`.

  Args:
    predictor_fn: Makes a classifier.
    regressor_fn: Makes a regressor for continuous factors; None stands for the counterpart of the
      classifier.
  """
  return predictor_fn, regressor_fn


@gin.configurable("prune_dims")
def prune_threshold(threshold: float = 0.0) -> float:
  """Returns the standard deviation below which a latent has no vote, which gin binds."""
  return threshold
