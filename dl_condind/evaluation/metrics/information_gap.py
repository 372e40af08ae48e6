"""Theorem 1 of Yang et al. (2020), arXiv:1911.10922, on a model: both sides of Eq. 8, apart.

For a subset S of the latents,

    I(z_S; x) - sum_{i in S} I(z_i; x)  =  E_x[TC(z_S|x)] - TC(z_S)

The left-hand side, the information gap, is 0 for every S in a representation that satisfies the
paper's Assumption 3, the reformulation of Assumption 2. Each side is estimated from a sample of
observations and z of its own. About the q(z|x) that z is drawn from: there is no choice of density.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from dl_condind.data.ground_truth import ground_truth_data as ground_truth
from dl_condind.evaluation import checks
from dl_condind.evaluation import metric
from dl_condind.evaluation import posterior_samples
from dl_condind.evaluation import representation
from dl_condind.evaluation.densities import gaussian_posteriors
from dl_condind.evaluation.densities import mixtures
from dl_condind.evaluation.densities import subset_information


@metric.metric("information_gap")
def compute_information_gap(
  ground_truth_data: ground_truth.GroundTruthData,
  representation_function: Callable,
  random_state: np.random.RandomState,
  num_posteriors: int = 10000,
  num_samples: int = 2000,
  num_subsets: int = 5,
  mixture: str = "in_sample",
) -> dict[str, Any]:
  """Returns both sides of Theorem 1 and the terms of Assumption 2, of many subsets of latents.

  Args:
    ground_truth_data: Data set to sample from.
    representation_function: `Representation` with a `gaussian_encoder`.
    random_state: State that every draw comes from.
    num_posteriors: Number of posteriors that q(z) is the mixture of, for each side.
    num_samples: Number of z for each side, one of each of as many posteriors; at least 2.
    num_subsets: Number of subsets of each size from 3 to num_latent - 2. Of the other sizes, all
      subsets are taken.
    mixture: `in_sample`, the mixture of all posteriors, or `leave_one_out`, without the one that z
      was drawn from. The former's mutual information is too low and saturates at
      `log(num_posteriors)`; the latter's is too high and has no bound.

  Returns:
    The results of `theorem_terms`.

  Raises:
    ConfigError: If a setting is out of range, the representation has no `gaussian_encoder` or a
      posterior is not finite.
  """
  checks.check_count("information_gap.num_samples", num_samples, 2)
  checks.check_count("information_gap.num_posteriors", num_posteriors, num_samples)
  checks.check_count("information_gap.num_subsets", num_subsets, 1)
  checks.check_choice("information_gap.mixture", mixture, subset_information.MIXTURES)
  gaussian_encoder = representation.model_function(
    representation_function, "gaussian_encoder", metric="information_gap"
  )
  left, right = (
    posterior_samples.sample_posteriors(
      ground_truth_data, gaussian_encoder, num_posteriors, random_state
    )
    for _ in range(2)
  )
  return theorem_terms(left, right, num_samples, num_subsets, random_state, mixture)


def theorem_terms(
  left: tuple[np.ndarray, np.ndarray, np.ndarray],
  right: tuple[np.ndarray, np.ndarray, np.ndarray],
  num_samples: int,
  num_subsets: int,
  random_state: np.random.RandomState,
  mixture: str = "in_sample",
) -> dict[str, Any]:
  """Estimates both sides of Eq. 8, each from its own posteriors and its own z.

  Both sides have the same expectation, whatever the estimate of log q(z_S) is: a finite mixture
  biases the gap and minus the total correlation alike. So `theorem_difference` tells whether the
  densities are those of the z (many standard errors from 0: they are not), and the lower and upper
  values how far the finite mixture is from q(z). Where they are far apart, the value between them
  means little, its sign included.

  A standard error is that of a mean over z, for one mixture. Which posteriors the mixture has adds
  nothing to first order.

  Args:
    left: Means `[num_posteriors, num_latent]`, standard deviations of the same shape and lower
      triangular scales `[num_posteriors, num_latent, num_latent]`, for the mutual informations.
    right: The same of other observations, for the total correlations.
    num_samples: Number of z of each side, at least 2 and at most the number of posteriors.
    num_subsets: Number of subsets of each size, see `subset_information.choose_subsets`.
    random_state: State that subsets, z and nulls come from.
    mixture: `in_sample` or `leave_one_out`.

  Returns:
    Nats. Of all latents:

    - `mutual_information`, I(z;x), with its `..._bound`, where in_sample saturates (None for
      leave_one_out), and `..._shuffled`, the value for z and the x of another z (at most 0);
    - `information_gap`, the left-hand side of Eq. 8;
    - `conditional_total_correlation`, E_x[TC(z|x)], in closed form, and `total_correlation`, TC(z),
      with its `..._null`, the estimate where means and noise are independent (correlated noise is
      biased more than it shows);
    - `theorem_difference`, the left-hand side of Eq. 8 minus the right-hand side.

    Each term of Eq. 8 and the difference also `..._per_pair`, `[num_latent][num_latent]`, 0 where a
    latent meets itself; `..._per_size`, averages over the chosen subsets of each of `subset_sizes`;
    and `..._per_subset`, of each of `subsets`, lists of three or more latents.

    Assumption 2: `mutual_information_per_latent`, I(z_j;x);
    `conditional_mutual_information_per_latent`, I(z_j;x|all other latents); and
    `conditional_mutual_information_difference_per_latent`, the latter minus the former.

    Mutual informations, gaps and differences of Assumption 2 have a `..._lower` and a `..._upper`
    that have the true value between them in expectation (in_sample and leave_one_out where they
    help), as in `information_gap_lower_per_size`. Every estimate has its `..._std_error`. And
    `information_gap_mixture`, the name.

  Raises:
    ConfigError: If mixture is unknown, shapes disagree, a posterior has no density or there are too
      few posteriors.
  """
  checks.check_choice("information_gap.mixture", mixture, subset_information.MIXTURES)
  for side, posteriors in (("left", left), ("right", right)):
    gaussian_posteriors.check_posteriors(*posteriors, whose=f"The {side} side's")
    checks.check_count("The number of posteriors", len(posteriors[0]), num_samples)
  num_posteriors, num_latent = left[0].shape
  subsets = subset_information.choose_subsets(num_latent, num_subsets, random_state)
  information, shuffled = _mutual_informations(left, subsets, num_samples, random_state)
  right_side, null = _total_correlations(right, subsets, num_samples, random_state, mixture)
  results = {
    "information_gap_mixture": mixture,
    "mutual_information_bound": float(np.log(num_posteriors)) if mixture == "in_sample" else None,
    **_named("mutual_information_shuffled", shuffled[mixture]),
    **_named("total_correlation_null", null),
  }
  low, high = information["in_sample"], information["leave_one_out"]
  chosen = information[mixture]
  left_side = {}
  for bound, added, subtracted in (
    ("", chosen, chosen),
    ("_lower", low, high),
    ("_upper", high, low),
  ):
    results |= _named(f"mutual_information{bound}", added[-1])
    results |= _assumption_2(added, subtracted, num_latent, bound)
    left_side[f"information_gap{bound}"] = subset_information.minus_singles(
      added, subtracted[:num_latent], subsets
    )
  return {**results, **_levels(left_side | right_side, subsets, num_latent)}


def _draw(posteriors, num_samples, random_state):
  """Returns one z of each of the first posteriors, which are those of independent observations."""
  mean, _, scale_tril = (array[:num_samples] for array in posteriors)
  return gaussian_posteriors.sample_mixture(mean, scale_tril, 1, random_state)


def _mutual_informations(posteriors, subsets, num_samples, random_state):
  """Returns log q(z_S|x) - log q(z_S), `[num_subsets, num_samples]`, by mixture.

  And log q(z|x) - log q(z) of z and the next z's x, `[num_samples]`, by mixture.
  """
  z = _draw(posteriors, num_samples, random_state)
  log_posterior, log_mixture = subset_information.log_densities(z, *posteriors, subsets)
  others = [np.roll(array[:num_samples], -1, axis=0) for array in posteriors]
  log_other = mixtures.log_posterior_density(z, *others)[0]
  information = {name: log_posterior - log_q for name, log_q in log_mixture.items()}
  return information, {name: log_other - log_q[-1] for name, log_q in log_mixture.items()}


def _total_correlations(posteriors, subsets, num_samples, random_state, mixture):
  """Returns the terms of the right-hand side of Eq. 8 by name, and TC(z) of independent latents.

  `[num_subsets, num_posteriors]`, `[num_subsets, num_samples]` and `[num_samples]`.
  """
  mean, stddev, scale_tril = posteriors
  num_latent = mean.shape[1]
  z = _draw(posteriors, num_samples, random_state)
  log_q = subset_information.log_densities(z, *posteriors, subsets)[1][mixture]
  null_mean, null_stddev = gaussian_posteriors.shuffle_latents(mean, stddev, random_state)
  null_scale = gaussian_posteriors.independent_scales(null_stddev)
  null_z = _draw((null_mean, null_stddev, null_scale), num_samples, random_state)
  ends = [*subsets[:num_latent], subsets[-1]]
  null_posteriors = (null_mean, null_stddev, None)
  null_log_q = subset_information.log_densities(null_z, *null_posteriors, ends)[1][mixture]
  minus_singles = subset_information.minus_singles
  return {
    "conditional_total_correlation": subset_information.conditional_total_correlation(
      scale_tril, subsets
    ),
    "total_correlation": minus_singles(log_q, log_q[:num_latent], subsets),
  }, minus_singles(null_log_q, null_log_q[:num_latent], ends)[-1]


def _assumption_2(added, subtracted, num_latent, bound):
  """Returns I(z_j;x), I(z_j;x|z_-j) = I(z;x) - I(z_-j;x) by the chain rule, and their difference.

  Args:
    added: log q(z_S|x) - log q(z_S) for the terms with a plus sign, `[num_subsets, num_points]`.
    subtracted: Another estimate of it for those with a minus sign.
    num_latent: Number of latents.
    bound: End of the names.
  """
  without_each = slice(-2, -2 - num_latent, -1)  # Without the first latent, the second, ...
  # One latent has no others, and nothing tells nothing.
  others = subtracted[without_each] if num_latent > 1 else np.zeros_like(subtracted)
  conditional = added[-1:] - others
  name = "conditional_mutual_information"
  return {
    **_named(f"mutual_information{bound}_per_latent", added[:num_latent]),
    **_named(f"{name}{bound}_per_latent", conditional),
    **_named(f"{name}_difference{bound}_per_latent", conditional - subtracted[:num_latent]),
  }


def _levels(terms, subsets, num_latent):
  """Returns the terms of Eq. 8 and the difference of its sides: overall, per pair, size, subset.

  Args:
    terms: Values of each subset by name, `[num_subsets, any number of draws]`.
    subsets: Indices of the latents of each subset.
    num_latent: Number of latents.
  """
  one_each = np.eye(len(subsets))
  sizes = np.array([len(subset) for subset in subsets])
  sizes_above_1 = list(range(2, num_latent + 1))
  of_size = np.array([sizes == size for size in sizes_above_1]).reshape(-1, len(subsets))
  levels = {  # Weights of the subsets in each value, `[..., num_subsets]`.
    "": one_each[-1],
    "_per_pair": one_each[sizes == 2],
    "_per_size": of_size / np.sum(of_size, axis=1, keepdims=True),
    "_per_subset": one_each[sizes > 2],
  }
  results = {
    "subset_sizes": sizes_above_1,
    "subsets": [list(subset) for subset in subsets if len(subset) > 2],
  }
  for level, weights in levels.items():
    estimates = {name: _mean_and_error(weights @ values) for name, values in terms.items()}
    estimates["theorem_difference"] = _theorem_difference(estimates)
    for name, (mean, error) in estimates.items():
      if level == "_per_pair":
        mean, error = (_symmetric(values, num_latent) for values in (mean, error))
      results[f"{name}{level}"] = mean.tolist()
      results[f"{name}{level}_std_error"] = error.tolist()
  return results


def _theorem_difference(estimates):
  """Returns the left-hand side of Eq. 8 minus the right-hand side, with its standard error.

  The variances of the three estimates are added. E_x[TC(z|x)] and TC(z) come from the same
  posteriors: where the correlation of the noise differs between these, the two rise and fall
  together, and the error of their difference is less than stated.
  """
  gap, gap_error = estimates["information_gap"]
  conditional, conditional_error = estimates["conditional_total_correlation"]
  total, total_error = estimates["total_correlation"]
  error = np.sqrt(gap_error**2 + conditional_error**2 + total_error**2)
  return gap - (conditional - total), error


def _symmetric(values, num_latent):
  """Returns the matrix with the values of the pairs on both sides of a diagonal of 0."""
  matrix = np.zeros((num_latent, num_latent))
  matrix[np.triu_indices(num_latent, k=1)] = values
  return matrix + matrix.T


def _mean_and_error(values):
  """Returns the mean over the last axis and its standard error."""
  error = np.std(values, axis=-1, ddof=1) / np.sqrt(values.shape[-1])
  return np.mean(values, axis=-1), error


def _named(name, values):
  mean, error = _mean_and_error(values)
  return {name: mean.tolist(), f"{name}_std_error": error.tolist()}
