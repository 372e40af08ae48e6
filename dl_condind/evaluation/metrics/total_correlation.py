"""Monte Carlo estimate of the total correlation of the aggregate posterior q(z).

Implements Appendix D of Yang et al. (2020), arXiv:1911.10922, whose last formula omits the
logarithm, and reports beside it what tells how far to trust it.
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
from dl_condind.evaluation.densities import marginals
from dl_condind.evaluation.densities import mixtures
from dl_condind.evaluation.densities import subset_information


@metric.metric("total_correlation")
def compute_total_correlation(
  ground_truth_data: ground_truth.GroundTruthData,
  representation_function: Callable,
  random_state: np.random.RandomState,
  num_posteriors: int = 64,
  num_samples: int = 30,
  num_repeats: int = 10,
  density: str = "factorized",
) -> dict[str, Any]:
  """Returns the estimated total correlation of q(z), the mean of several batches.

  Every z is drawn from its own posterior, correlated noise included, whatever the density. The
  estimate is biased, the more the narrower the posteriors are: log q(z) and each log q(z_j) come
  out too high. Where latents depend little on each other the first error is the largest and the
  estimate too high; where they depend strongly those of the latents outweigh it and the estimate is
  too low. These numbers tell how far to trust it:

  - The null value is the same estimate after the latents were made independent: means and standard
    deviations are shuffled over the observations and the noise is independent, so the truth is 0.
    Correlated noise fills less volume, so with the full density the estimate of an encoder with
    correlated noise is biased more than its null shows: with 10 latents, a standard deviation of
    0.6, a correlation of 0.9 and independent means it is 10.1 and the null 1.4, the truth 1.08.
  - The own-noise null shuffles the same and keeps the correlations of each posterior's noise. Its
    bias is the estimate's, about, but the truth is not 0: it is what the noise alone gives. An
    estimate above it shows that the means (or widths) depend on each other; in the example it is
    10.1 too. Where noise is independent, the two nulls are the same.
  - The leave-one-out value, for which each z is scored by the other posteriors only, has densities
    that come out too low instead and is too low where latents depend little, of either sign where
    they depend strongly.
  - The estimate saturates at the bound, `(num_latent - 1) * log(num_posteriors)`, to which the full
    density adds the total correlation of z given x.

  When they disagree, raise num_posteriors.

  Args:
    ground_truth_data: Data set to sample from.
    representation_function: `Representation` with a `gaussian_encoder`.
    random_state: State that every draw comes from.
    num_posteriors: Number of posteriors in the mixture (B in the paper), at least 2.
    num_samples: Number of samples of each posterior (B' in the paper).
    num_repeats: Number of batches.
    density: `factorized` as in the paper, or `full`, the density that z was drawn from.

  Returns:
    In nats: `total_correlation`, `total_correlation_null`, `total_correlation_own_noise_null` and
    `total_correlation_leave_one_out`, each with its `..._std_error` over the batches if there are
    several, and `total_correlation_bound`. And `total_correlation_density`, the name of the
    density.

  Raises:
    ConfigError: If a setting is out of range or the representation has no `gaussian_encoder`.
  """
  checks.check_count("total_correlation.num_posteriors", num_posteriors, 2)
  checks.check_count("total_correlation.num_samples", num_samples, 1)
  checks.check_count("total_correlation.num_repeats", num_repeats, 1)
  checks.check_choice("total_correlation.density", density, mixtures.DENSITIES)
  gaussian_encoder = representation.model_function(
    representation_function, "gaussian_encoder", metric="total_correlation"
  )
  batches = []
  for _ in range(num_repeats):
    posteriors = posterior_samples.sample_posteriors(
      ground_truth_data, gaussian_encoder, num_posteriors, random_state
    )
    batches.append(_estimate_batch(*posteriors, num_samples, density, random_state))
  results: dict[str, Any] = {"total_correlation_density": density}
  for name in batches[0]:
    values = [batch[name] for batch in batches]
    results[name] = float(np.mean(values))
    if num_repeats > 1 and name != "total_correlation_bound":
      results[f"{name}_std_error"] = float(np.std(values, ddof=1) / np.sqrt(num_repeats))
  return results


def _estimate_batch(mean, stddev, scale_tril, num_samples, density, random_state):
  """Returns the estimates of one batch of posteriors by name."""
  num_posteriors, num_latent = mean.shape
  z = gaussian_posteriors.sample_mixture(mean, scale_tril, num_samples, random_state)
  components = np.repeat(np.arange(num_posteriors), num_samples)
  null_mean, null_stddev = gaussian_posteriors.shuffle_latents(mean, stddev, random_state)
  null_noise = random_state.standard_normal((num_posteriors, num_samples, num_latent))
  null_scales = {
    "total_correlation_null": gaussian_posteriors.independent_scales(null_stddev),
    "total_correlation_own_noise_null": gaussian_posteriors.rescale(scale_tril, null_stddev),
  }
  nulls = {
    name: mixture_total_correlation(
      gaussian_posteriors.place_noise(null_mean, scale, null_noise),
      null_mean,
      null_stddev,
      scale,
      density,
    )
    for name, scale in null_scales.items()
  }
  bound = (num_latent - 1) * np.log(num_posteriors)
  if density == "full":
    all_latents = [range(num_latent)]
    bound += np.mean(subset_information.conditional_total_correlation(scale_tril, all_latents))
  return {
    "total_correlation": mixture_total_correlation(z, mean, stddev, scale_tril, density),
    **nulls,
    "total_correlation_leave_one_out": mixture_total_correlation(
      z, mean, stddev, scale_tril, density, leave_out=components
    ),
    "total_correlation_bound": bound,
  }


def mixture_total_correlation(
  z: np.ndarray,
  mean: np.ndarray,
  stddev: np.ndarray,
  scale_tril: np.ndarray | None = None,
  density: str = "factorized",
  leave_out: np.ndarray | None = None,
) -> float:
  """Returns the mean over z of log q(z) - sum_j log q(z_j) for an equally weighted mixture.

  `q(z) = mean_i N(z; mean_i, S_i)`, where S_i is `diag(stddev_i**2)` for the factorized density and
  `scale_tril_i @ scale_tril_i.T` for the full one. The marginals q(z_j) are the same for both.

  Args:
    z: Points, drawn from the mixture, `[num_points, num_latent]`.
    mean: Means of the posteriors, `[num_posteriors, num_latent]`.
    stddev: Standard deviation of each latent, `[num_posteriors, num_latent]`.
    scale_tril: Lower triangular scales, `[num_posteriors, num_latent, num_latent]`; only the full
      density needs them.
    density: `factorized` or `full`.
    leave_out: Index of the posterior that is left out of the mixture at each point, `[num_points]`,
      or None.

  Returns:
    The total correlation in nats. With the factorized density and no posterior left out it is at
    most `(num_latent - 1) * log(num_posteriors)`.

  Raises:
    ConfigError: If density is unknown or is `full` without scale_tril, shapes disagree, or a
      posterior has no density.
  """
  scale_tril = mixtures.density_scales(scale_tril, density)
  gaussian_posteriors.check_posteriors(mean, stddev, scale_tril)
  subsets = marginals.joint_and_latents(z.shape[1])
  log_q = mixtures.log_mixture_density(z, mean, stddev, scale_tril, subsets, leave_out)
  return float(np.mean(log_q[0] - np.sum(log_q[1:], axis=0)))
