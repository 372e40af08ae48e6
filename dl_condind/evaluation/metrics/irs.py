"""Interventional robustness score of Suter et al. (2019), arXiv:1811.00007."""

from typing import Any

import numpy as np

from dl_condind.evaluation import checks
from dl_condind.evaluation import gin_settings
from dl_condind.evaluation import metric
from dl_condind.evaluation.information import discrete_information
from dl_condind.evaluation.information import discretization
from dl_condind.utils import errors


@metric.metric("irs", draw=metric.points)
def compute_irs(
  representations: np.ndarray, factors: np.ndarray, diff_quantile: float = 0.99
) -> dict[str, Any]:
  """Returns `robustness_scores` of sampled points, with factors cut by gin's `discretizer`.

  The factors are discretized, not the latents, as in disentanglement_lib.
  """
  checks.check_finite("The array of factors", np.asarray(factors))
  return robustness_scores(representations, gin_settings.discretize(factors), diff_quantile)


def interventional_robustness(
  representations: np.ndarray, factors: np.ndarray, num_bins: int = 20, diff_quantile: float = 0.99
) -> dict[str, Any]:
  """Returns the interventional robustness score, each factor cut in equal-width bins.

  Args:
    representations: `[num_points, num_latent]`.
    factors: Ground truth, `[num_points, num_factors]`.
    num_bins: Number of bins of each factor.
    diff_quantile: Quantile of deviations that stands for the largest one, in [0, 1].

  Returns:
    The results of `robustness_scores`.
  """
  factors = np.asarray(factors)
  checks.check_finite("The array of factors", factors)
  factors = discretization.histogram_discretizer(factors, num_bins)
  return robustness_scores(representations, factors, diff_quantile)


def robustness_scores(
  representations: np.ndarray, factors: np.ndarray, diff_quantile: float = 0.99
) -> dict[str, Any]:
  """Returns the interventional robustness score of representations for discrete factors.

  Implements Sec. 4 of Suter et al. (2019) as disentanglement_lib does. The robustness of a latent
  for a factor is 1 less its deviation, averaged over the values of the factor, from its mean for
  this value, in units of its largest deviation from its mean. The score of a latent is the largest
  of its factors, and the mean over latents is weighted by their largest deviation. A factor that
  has one value is kept as in disentanglement_lib: if diff_quantile < 1, its robustness is that of
  a quantile against the maximum.

  Differs from disentanglement_lib in `num_active_dims`, where it sums up the latents' values.

  Args:
    representations: `[num_points, num_latent]`. Computed in float32 if they are that, else in
      float64.
    factors: Discrete ground truth, `[num_points, num_factors]`.
    diff_quantile: Quantile of deviations that stands for the largest one, in [0, 1].

  Returns:
    `IRS`, at most 1 and 0 if all latents are constant, negative where the points of one value
    deviate further from their own mean than any point from the common one; `IRS.code_{j}` and
    `IRS.parent_of_code_{j}`, the score of each latent that varies and the factor it is robust for;
    `num_active_dims`, their number; `robustness_matrix`, `[num_latent][num_factors]`, 0 for
    constant latents.

  Raises:
    ConfigError: If diff_quantile is out of range or a number is not finite.
    ValueError: If the arrays do not fit together.
  """
  if not 0 <= diff_quantile <= 1:
    raise errors.ConfigError(f"irs.diff_quantile must be in [0, 1], got {diff_quantile}.")
  representations, factors = np.asarray(representations), np.asarray(factors)
  checks.check_arrays(representations, factors)
  checks.check_finite("The representation", representations)
  checks.check_finite("The array of factors", factors)
  if representations.dtype not in (np.float32, np.float64):
    representations = representations.astype(np.float64)
  # Means add up float32 in the order in which disentanglement_lib does: here the values of a latent
  # in pairs, in `mean_deviations` point by point.
  by_latent = np.ascontiguousarray(representations.T)
  active = np.flatnonzero(by_latent.min(axis=1) < by_latent.max(axis=1))
  largest = np.abs(by_latent - by_latent.mean(axis=1, keepdims=True)).max(axis=1)
  matrix = np.zeros((len(by_latent), factors.shape[1]))
  results = {"IRS": 0.0, "num_active_dims": len(active)}
  if len(active):
    deviations = mean_deviations(representations, factors, diff_quantile)
    matrix[active] = 1.0 - deviations[active] / largest[active, None]
    scores = matrix[active].max(axis=1)
    results["IRS"] = float(np.average(scores, weights=largest[active]))
    for j, score in zip(active, scores, strict=True):
      results[f"IRS.code_{j}"] = float(score)
      results[f"IRS.parent_of_code_{j}"] = int(np.argmax(matrix[j]))
  return {**results, "robustness_matrix": matrix.tolist()}


def mean_deviations(latents: np.ndarray, factors: np.ndarray, diff_quantile: float) -> np.ndarray:
  """Returns the deviation of latents from their mean for a value, averaged over a factor's values.

  Args:
    latents: float32 or float64 `[num_points, num_latent]`.
    factors: Discrete ground truth, `[num_points, num_factors]`.
    diff_quantile: Quantile of the deviations for a value that stands for the largest one.

  Returns:
    float64 `[num_latent, num_factors]`.
  """
  deviations = np.zeros((latents.shape[1], factors.shape[1]))
  for i, (numbers, num_numbers) in enumerate(
    zip(*discrete_information.enumerate_values(factors), strict=True)
  ):
    counts = np.bincount(numbers)
    counts = counts[counts > 0]
    # The points of a value side by side, so that no value has to be searched for. Small integers
    # are sorted in linear time.
    order = np.argsort(numbers.astype(np.min_scalar_type(num_numbers)), kind="stable")
    differences = np.take(latents, order, axis=0)
    ends = np.cumsum(counts)[:-1]
    for group in np.split(differences, ends):
      # Adds point by point, as `sum` does in three times the time.
      group -= np.einsum("ij->j", group) / len(group)
    differences = np.abs(differences.T, order="C")
    for group in np.split(differences, ends, axis=1):
      deviations[:, i] += _quantile_of_rows(group, diff_quantile)
    deviations[:, i] /= len(counts)
  return deviations


def _quantile_of_rows(values: np.ndarray, quantile: float) -> np.ndarray:
  """Returns `np.quantile(values, quantile, axis=1)`, which takes several times as long."""
  place = (values.shape[1] - 1) * quantile
  index = int(place)
  weight = place - index
  ordered = np.partition(values, index, axis=1)
  low = ordered[:, index]
  if weight == 0:
    return low
  high = ordered[:, index + 1 :].min(axis=1)
  # From the nearer end, as NumPy does.
  return low + (high - low) * weight if weight < 0.5 else high - (high - low) * (1 - weight)
