"""The terms of a VAE's own objective, averaged over the data set."""

from collections.abc import Callable
from typing import Any

import numpy as np

from dl_condind.data.ground_truth import ground_truth_data as ground_truth
from dl_condind.evaluation import checks
from dl_condind.evaluation import metric
from dl_condind.evaluation import posterior_samples
from dl_condind.evaluation import representation

_TERMS = ("reconstruction_loss", "kl_loss", "kl_loss_full")


@metric.metric("vae_terms")
def compute_vae_terms(
  ground_truth_data: ground_truth.GroundTruthData,
  representation_function: Callable,
  random_state: np.random.RandomState,
  num_points: int = 10000,
  active_variance: float = 0.01,
) -> dict[str, Any]:
  """Returns the terms of the evidence lower bound and which latents carry information.

  Args:
    ground_truth_data: Data set to sample from.
    representation_function: `Representation` with `elbo_terms` and `gaussian_encoder`.
    random_state: State that the observations come from.
    num_points: Number of observations.
    active_variance: Variance of a latent's posterior mean above which the latent is active.

  Returns:
    The results of `summarize`.

  Raises:
    ConfigError: If num_points is not positive, the representation lacks a function or a number is
      not finite.
  """
  checks.check_count("vae_terms.num_points", num_points, 1)
  elbo_terms = representation.model_function(representation_function, "elbo_terms", "vae_terms")
  gaussian_encoder = representation.model_function(
    representation_function, "gaussian_encoder", "vae_terms"
  )
  chunks = []
  for observations in posterior_samples.sample_observation_chunks(
    ground_truth_data, num_points, random_state
  ):
    posterior = gaussian_encoder(observations)
    terms = elbo_terms(observations)
    chunks.append([terms[name] for name in _TERMS] + [posterior["mean"], posterior["logvar"]])
  arrays = [np.concatenate(parts).astype(np.float64) for parts in zip(*chunks, strict=True)]
  for name, values in zip((*_TERMS, "posterior mean", "posterior logvar"), arrays, strict=True):
    checks.check_finite(f"The model's {name}", values)
  return summarize(*arrays, active_variance=active_variance)


def summarize(
  reconstruction_loss: np.ndarray,
  kl_loss: np.ndarray,
  kl_loss_full: np.ndarray,
  z_mean: np.ndarray,
  z_logvar: np.ndarray,
  *,
  active_variance: float = 0.01,
) -> dict[str, Any]:
  """Averages the terms of the evidence lower bound.

  A latent is active if the variance of its posterior mean over the observations exceeds
  active_variance (Burda et al., 2016, arXiv:1509.00519).

  Args:
    reconstruction_loss: Nats of each observation, `[num_points]`.
    kl_loss: KL(N(z_mean, diag(stddev**2)) || N(0, I)), `[num_points]`.
    kl_loss_full: KL(q(z|x) || N(0, I)) of the posterior with its correlated noise, `[num_points]`.
    z_mean: `[num_points, num_latent]`.
    z_logvar: `[num_points, num_latent]`.
    active_variance: See above.

  Returns:
    In nats: `reconstruction_loss`, `kl_loss`, `kl_loss_full`; `elbo` and `elbo_full`, minus the
    reconstruction loss and the KL of that name; `kl_loss_per_latent`, whose sum is `kl_loss`;
    `conditional_total_correlation`, the mean total correlation of z given x, `kl_loss_full` minus
    `kl_loss`. And `active_units`, the number of active latents.
  """
  reconstruction, kl, kl_full = (
    float(np.mean(values)) for values in (reconstruction_loss, kl_loss, kl_loss_full)
  )
  return {
    "reconstruction_loss": reconstruction,
    "kl_loss": kl,
    "kl_loss_full": kl_full,
    "elbo": -(reconstruction + kl),
    "elbo_full": -(reconstruction + kl_full),
    "conditional_total_correlation": kl_full - kl,
    "kl_loss_per_latent": kl_per_latent(z_mean, z_logvar).tolist(),
    "active_units": int(np.count_nonzero(np.var(z_mean, axis=0) > active_variance)),
  }


def kl_per_latent(z_mean: np.ndarray, z_logvar: np.ndarray) -> np.ndarray:
  """Returns KL(q(z_j|x) || N(0, 1)) of each latent, averaged over observations.

  It is that of the latent's marginal, so the same whatever the noise correlation is.

  Args:
    z_mean: `[num_points, num_latent]`.
    z_logvar: `[num_points, num_latent]`.

  Returns:
    Nats, `[num_latent]`.
  """
  return 0.5 * np.mean(z_mean**2 + np.exp(z_logvar) - z_logvar - 1.0, axis=0)
