"""Mutual information gap with two factors replaced by their sum and their difference.

Position can be told along the edges of an image or along its diagonals, and both describe it
completely. A gap that falls with the labels, while the images stay, tells which of them the latents
have chosen.
"""

from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import numpy as np

from dl_condind.evaluation import checks
from dl_condind.evaluation import gin_settings
from dl_condind.evaluation import metric
from dl_condind.evaluation.information import discretization
from dl_condind.evaluation.metrics import mig
from dl_condind.utils import errors


@metric.metric("relabelled_mig", draw=metric.points)
def compute_relabelled_mig(
  representations: np.ndarray, factors: np.ndarray, pair: Sequence[int] = (0, 1)
) -> dict[str, Any]:
  """Returns `relabelled_mutual_information_gap` of sampled points, with gin's `discretizer`."""
  return relabelled_mutual_information_gap(representations, factors, pair, gin_settings.discretize)


def relabelled_mutual_information_gap(
  representations: np.ndarray,
  factors: np.ndarray,
  pair: Sequence[int] = (0, 1),
  discretize: Callable[[np.ndarray], np.ndarray] = discretization.histogram_of_20_bins,
) -> dict[str, Any]:
  """Returns the mutual information gap of two factors a and b, and that of a + b and a - b.

  The gap of a label is `mig.gaps`, divided by the entropy of that label.

  Args:
    representations: `[num_points, num_latent]`.
    factors: Ground truth, `[num_points, num_factors]`; a label that is not a whole number
      everywhere is discretized too.
    pair: Which two factors, whose values should mean the same, such as the two positions.
    discretize: Function of an array that returns the bins of each column; 20 of equal width
      unless it is given.

  Returns:
    `pair_mig`, the mean gap of a and b, and `sum_difference_mig`, that of a + b and a - b, both in
    [0, 1]; `gap.{first, second, sum, difference}` of each label.

  Raises:
    ConfigError: If pair does not name two factors that vary, there are fewer than two latents or a
      value is not finite.
    ValueError: If the arrays do not fit together.
  """
  representations, factors = np.asarray(representations), np.asarray(factors)
  checks.check_arrays(representations, factors)
  checks.check_finite("The array of factors", factors)
  first, second = _check_pair(pair, checks.widened(factors)).T
  labels = np.stack([first, second, first + second, first - second], axis=1)
  labels = discretization.discretize_continuous(labels, discretize)
  results = mig.gap_of_codes(discretize(representations), labels)
  gaps = [results[f"mig.factor_{i}"] for i in range(4)]
  names = ("first", "second", "sum", "difference")
  return {
    "pair_mig": float(np.mean(gaps[:2])),
    "sum_difference_mig": float(np.mean(gaps[2:])),
    **{f"gap.{name}": gap for name, gap in zip(names, gaps, strict=True)},
  }


def _check_pair(pair: Sequence[int], factors: np.ndarray) -> np.ndarray:
  """Returns the two columns of factors, `[num_points, 2]`."""
  varying = np.flatnonzero(checks.varies(factors)).tolist()
  if len(pair) != 2 or len(set(pair)) != 2 or not set(pair) <= set(varying):
    raise errors.ConfigError(
      f"relabelled_mig.pair must be two of the factors that vary, {varying}, got {tuple(pair)}."
    )
  return factors[:, list(pair)]
