"""beta-TCVAE (Chen et al., 2018, arXiv:1802.04942)."""

from collections.abc import Sequence
import dataclasses
from typing import ClassVar

import tensorflow as tf

from dl_condind import posteriors
from dl_condind.methods import base_model
from dl_condind.methods import vae
from dl_condind.posteriors import gaussian_formulas


def total_correlation(
  z: tf.Tensor,
  encoded: posteriors.Encoded,
  posterior: posteriors.Posterior,
  density: str = "factorized",
) -> tf.Tensor:
  """Estimates the total correlation of the aggregate posterior from one batch.

  This is disentanglement_lib's estimate: the mixture of the batch's posteriors stands for q(z), and
  the constants are left out. It is lower than the total correlation of the batch's mixture by
  (num_latent - 1) * log(batch), and lower than the minibatch-weighted estimate of the paper by
  (num_latent - 1) * log(batch * data set size).

  Args:
    z: One sample of each posterior, [batch, num_latent].
    encoded: Parameters of the posteriors.
    posterior: The family the samples are drawn from.
    density: How q(z|x) enters q(z): "factorized", the product of its marginals, as in
      disentanglement_lib, or "full", the density z is drawn from. They differ where the noise is
      correlated.

  Returns:
    Scalar, nats.
  """
  z_mean, *parameters = encoded
  z_logvar = posterior.marginal_logvar(*parameters)
  # [batch, batch, num_latent], indexed [j, i, l]: q(z_l of sample j | x_i).
  log_q_latents = gaussian_formulas.log_density(z[:, None], z_mean[None], z_logvar[None])
  log_product = tf.reduce_sum(tf.reduce_logsumexp(log_q_latents, axis=1), axis=1)
  if density == "factorized":
    log_q_joint = tf.reduce_sum(log_q_latents, axis=2)
  else:
    # [1, batch, ...], so that each sample meets each posterior.
    each = posteriors.Encoded(*(part if part is None else part[None] for part in encoded))
    log_q_joint = posterior.full_log_density(z[:, None], *each)
  return tf.reduce_mean(tf.reduce_logsumexp(log_q_joint, axis=1) - log_product)


@base_model.register("beta_tc_vae")
@dataclasses.dataclass(eq=False)
class BetaTCVAE(vae.BaseVAE):
  """Minimizes reconstruction loss + KL + (beta - 1) * total correlation.

  Attributes:
    beta: Weight of the total correlation; the part of 1 is in the KL.
    density: See `total_correlation`. A ConfigError is raised if it is unknown.
  """

  WEIGHTS: ClassVar[Sequence[str]] = ("beta",)

  beta: float
  density: str = "factorized"

  def __post_init__(self):
    gaussian_formulas.check_density(self.density, "beta_tc_vae.density")

  def posterior_regularizer(self, kl_loss, encoded, z_sampled):
    """Returns kl_loss + (beta - 1) * total_correlation."""
    penalty = total_correlation(z_sampled, encoded, self.posterior, self.density)
    return kl_loss + (self.beta - 1) * penalty
