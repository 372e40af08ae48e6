"""Mutual information gap of Chen et al. (2018), arXiv:1802.04942."""

from collections.abc import Callable
import functools
import importlib.util  # noqa: F401  (gin uses it without importing it)
from typing import Any

import gin
import numpy as np

from dl_condind.data.ground_truth import ground_truth_data as ground_truth
from dl_condind.evaluation import representation
from dl_condind.evaluation.metrics import utils
from dl_condind.utils import errors


@gin.configurable(
  "mig",
  denylist=["ground_truth_data", "representation_function", "random_state", "artifact_dir"],
)
def compute_mig(
  ground_truth_data: ground_truth.GroundTruthData,
  representation_function: Callable,
  random_state: np.random.RandomState,
  artifact_dir: str | None = None,
  num_train: int = gin.REQUIRED,
  batch_size: int = 16,
) -> dict[str, Any]:
  """Returns the mutual information gap on sampled points, with gin's `discretizer`.

  A factor that is not a whole number everywhere is continuous: it is discretized too, as a latent
  is. Its gap then depends on the number of bins.

  Args:
    ground_truth_data: Data set to sample from.
    representation_function: Observations -> representations.
    random_state: State that every draw comes from.
    artifact_dir: Not used.
    num_train: Number of points.
    batch_size: Number of points of one draw.

  Returns:
    The results of `gap_of_codes`.
  """
  del artifact_dir
  representations, factors = representation.generate_batch_factor_code(
    ground_truth_data, representation_function, num_train, random_state, batch_size
  )
  factors = _discretize_continuous(factors, utils.make_discretizer)
  return gap_of_codes(utils.make_discretizer(representations), factors)


def discretize_factors(factors: np.ndarray) -> np.ndarray:
  """Returns factors in which the continuous ones are cut in bins by gin's `discretizer`.

  Args:
    factors: `[num_points, num_factors]`.
  """
  return _discretize_continuous(factors, utils.make_discretizer)


def mutual_information_gap(
  representations: np.ndarray, factors: np.ndarray, num_bins: int = 20
) -> dict[str, Any]:
  """Returns the mutual information gap of representations, each latent cut in equal-width bins.

  Args:
    representations: `[num_points, num_latent]`.
    factors: Ground truth, `[num_points, num_factors]`. A column that is not a whole number
      everywhere is cut in bins too.
    num_bins: Number of bins of each column.

  Returns:
    The results of `gap_of_codes`.
  """
  discretize = functools.partial(utils.histogram_discretizer, num_bins=num_bins)
  return gap_of_codes(discretize(representations), _discretize_continuous(factors, discretize))


def _discretize_continuous(
  factors: np.ndarray, discretize: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
  """Returns factors in which columns that are not whole numbers everywhere are discretized."""
  factors = np.asarray(factors)
  continuous = (np.floor(factors) != factors).any(axis=0)
  if continuous.any():
    factors = factors.copy()
    factors[:, continuous] = discretize(factors[:, continuous])
  return factors


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
  """
  codes, factors = np.asarray(codes), np.asarray(factors)
  if codes.shape[1] < 2:
    raise errors.ConfigError(
      f"mig compares the two best latents of each factor, the representation has {codes.shape[1]}: "
      "set encoder.num_latent to at least 2."
    )
  varies = np.ptp(factors, axis=0) > 0
  if not varies.any():
    raise errors.ConfigError(
      f"mig has nothing to score: none of the {len(varies)} factors varies in the "
      f"{len(factors)} points; raise mig.num_train."
    )
  mutual_information = utils.discrete_mutual_info(codes, factors)
  entropy = utils.discrete_entropy(factors)
  ordered = np.sort(mutual_information, axis=0)  # [num_latent, num_factors], largest last
  gaps = (ordered[-1] - ordered[-2])[varies] / entropy[varies]
  indices = np.flatnonzero(varies)
  return {
    "discrete_mig": float(np.mean(gaps)),
    **{f"mig.factor_{i}": float(gap) for i, gap in zip(indices, gaps, strict=True)},
    "constant_factors": np.flatnonzero(~varies).tolist(),
    "factor_entropy": entropy.tolist(),
    "mutual_information_matrix": mutual_information.tolist(),
  }
