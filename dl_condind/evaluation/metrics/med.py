"""Mutual information based entropy disentanglement (MED) of Cao et al. (2022), arXiv:2206.04756."""

import functools
from typing import Any

import numpy as np

from dl_condind.evaluation import checks
from dl_condind.evaluation import gin_settings
from dl_condind.evaluation import metric
from dl_condind.evaluation.information import discrete_information
from dl_condind.evaluation.information import discretization
from dl_condind.evaluation.metrics import dci


@metric.metric("med", draw=metric.points)
def compute_med(
  representations: np.ndarray, factors: np.ndarray, top_k: int | None = None
) -> dict[str, Any]:
  """Returns the results of `scores_of_codes` on sampled points, with gin's `discretizer`."""
  factors = discretization.discretize_continuous(factors, gin_settings.discretize)
  return scores_of_codes(gin_settings.discretize(representations), factors, top_k)


def med_scores(
  representations: np.ndarray,
  factors: np.ndarray,
  num_bins: int = 20,
  top_k: int | None = None,
) -> dict[str, Any]:
  """Returns MED of representations, each latent cut in equal-width bins.

  Args:
    representations: `[num_points, num_latent]`.
    factors: Ground truth, `[num_points, num_factors]`. A column that is not a whole number
      everywhere is cut in bins too.
    num_bins: Number of bins of each column.
    top_k: As `scores_of_codes`.

  Returns:
    The results of `scores_of_codes`.
  """
  discretize = functools.partial(discretization.histogram_discretizer, num_bins=num_bins)
  factors = discretization.discretize_continuous(factors, discretize)
  return scores_of_codes(discretize(representations), factors, top_k)


def scores_of_codes(
  codes: np.ndarray, factors: np.ndarray, top_k: int | None = None
) -> dict[str, Any]:
  """Returns MED of discrete codes.

  Implements MED of Cao et al. (2022), arXiv:2206.04756: DCI's disentanglement (Eastwood and
  Williams, 2018) with an importance matrix that no classifier has to be fitted for. The importance
  of a code for a factor is their empirical mutual information, divided by its sum over codes. The
  score of a code is 1 less the entropy of its importances, to the base num_factors, and MED is the
  mean of these scores by the codes' total importances.

  A factor that has one value is left out everywhere; a factor that no code informs about has no
  importances (the authors' code divides 0 by 0 in both cases). That code also reports the accuracy
  of a linear classifier, which MED does not depend on.

  Empirical mutual information of independent values is not 0 but about `(num_bins - 1) *
  (num_values - 1) / (2 * num_points)` nats: with few points MED is too low.

  Args:
    codes: Discrete values, `[num_points, num_latent]`.
    factors: Discrete ground truth, `[num_points, num_factors]`.
    top_k: For Top-k MED, of the subset of codes that `top_k_codes` picks: how many at most for each
      factor. None leaves it out.

  Returns:
    `med`, with `.code_{j}` of each latent, None if only one factor varies; `med_completeness`, with
    `.factor_{i}`, None if there is only one latent; all in [0, 1]. With top_k also `top_k_med` and
    `top_k_completeness`, likewise of the subset, and `top_k_latents`, its indices; these are None
    if only one factor varies. `constant_factors`: indices of the factors left out;
    `importance_matrix`: `[num_latent][num_factors]`, 0 for those left out.

  Raises:
    ConfigError: If no factor varies, or top_k is not positive.
    ValueError: If the arrays do not fit together.
  """
  codes, factors = np.asarray(codes), np.asarray(factors)
  checks.check_arrays(codes, factors)
  if top_k is not None:
    checks.check_count("med.top_k", top_k, 1)
  varies = checks.varying_factors(factors, "med")
  importance = importance_of_codes(codes, factors[:, varies])
  matrix = np.zeros((codes.shape[1], factors.shape[1]))
  matrix[:, varies] = importance
  results = {
    key.replace("disentanglement", "med").replace("completeness", "med_completeness"): value
    for key, value in dci.importance_scores(importance, varies).items()
  }
  if top_k is not None:
    results |= _top_k_scores(importance, top_k)
  return {
    **results,
    "constant_factors": np.setdiff1d(np.arange(factors.shape[1]), varies).tolist(),
    "importance_matrix": matrix.tolist(),
  }


def importance_of_codes(codes: np.ndarray, factors: np.ndarray) -> np.ndarray:
  """Returns the share of each code in what all codes together inform about each factor.

  Args:
    codes: Discrete values, `[num_points, num_latent]`.
    factors: Discrete values, `[num_points, num_factors]`.

  Returns:
    `[num_latent, num_factors]`. A column sums to 1, or to 0 if no code informs about the factor.
  """
  information = discrete_information.discrete_mutual_info(codes, factors)
  total = information.sum(axis=0)
  return np.divide(information, total, out=np.zeros_like(information), where=total > 0)


def top_k_codes(importance: np.ndarray, top_k: int) -> np.ndarray:
  """Returns the indices of the most disentangled codes of each factor, in rising order.

  A code belongs to the factor it is most important for. Of equals the first counts.

  Args:
    importance: Not negative, `[num_latent, num_factors]`, with at least two factors.
    top_k: The largest number of codes of one factor.
  """
  most_disentangled = np.argsort(-dci.disentanglement_per_code(importance), kind="stable")
  factor_of_code = np.argmax(importance[most_disentangled], axis=1)
  picked = [most_disentangled[factor_of_code == i][:top_k] for i in range(importance.shape[1])]
  return np.sort(np.concatenate(picked))


def _top_k_scores(importance: np.ndarray, top_k: int) -> dict[str, Any]:
  if importance.shape[1] == 1:  # There is no disentanglement to pick codes by.
    return {"top_k_med": None, "top_k_completeness": None, "top_k_latents": None}
  picked = top_k_codes(importance, top_k)
  scores = dci.importance_scores(importance[picked])
  return {
    "top_k_med": scores["disentanglement"],
    "top_k_completeness": scores["completeness"],
    "top_k_latents": picked.tolist(),
  }
