"""What gin binds for several metrics at once, in disentanglement_lib's names.

The functions with the maths take these as arguments; only what `metric.metric` decorates asks here.
"""

from collections.abc import Callable
import inspect
from typing import Any

import gin
import numpy as np

from dl_condind.evaluation.information import discretization
from dl_condind.evaluation.information import nearest_neighbors
from dl_condind.evaluation.probes import predictors
from dl_condind.utils import configs
from dl_condind.utils import errors


@gin.configurable("discretizer", denylist=["target"])
def discretize(
  target: np.ndarray,
  num_bins: int | None = None,
  discretizer_fn: Callable[[np.ndarray, int], np.ndarray] = discretization.histogram_discretizer,
) -> np.ndarray:
  """Returns target discretized by the function and number of bins that gin binds.

  In disentanglement_lib this number is required and `histogram_discretizer.num_bins` never read.
  Here that one counts where this one is not bound.

  Args:
    target: Representations, `[num_points, num_latent]`.
    num_bins: Number of bins of each column; None for that of the histogram discretizer, or 20 for
      another function.
    discretizer_fn: `(target, num_bins)` -> labels of the shape of target.

  Raises:
    ConfigError: If `histogram_discretizer.num_bins` is bound and would have no effect.
  """
  is_histogram = inspect.unwrap(discretizer_fn) is discretization.histogram_discretizer
  _check_bins(num_bins, is_histogram)
  if num_bins is None and is_histogram:
    return gin.get_configurable(discretization.histogram_discretizer)(target)
  return discretizer_fn(target, 20 if num_bins is None else num_bins)


def _check_bins(num_bins: int | None, is_histogram: bool) -> None:
  own = configs.bound("histogram_discretizer.num_bins")
  if own is None or (is_histogram and num_bins in (None, own)):
    return
  reason = f"discretizer.num_bins = {num_bins} is the one that counts"
  if not is_histogram:
    reason = "discretizer.discretizer_fn is another function"
  raise errors.ConfigError(
    f"histogram_discretizer.num_bins = {own} has no effect, for {reason}: take it out, or bind "
    "discretizer.num_bins alone."
  )


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
