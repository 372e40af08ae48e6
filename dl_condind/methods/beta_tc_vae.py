"""beta-TCVAE (Chen et al., 2018, arXiv:1802.04942)."""

import gin
import tensorflow as tf

from dl_condind.methods import posteriors
from dl_condind.methods import vae


def total_correlation(
  z: tf.Tensor,
  z_mean: tf.Tensor,
  z_logvar: tf.Tensor,
  posterior: posteriors.GaussianPosterior,
  density: str = "factorized",
) -> tf.Tensor:
  """Estimates the total correlation of the aggregate posterior from one batch.

  This is disentanglement_lib's estimate: the mixture of the batch's posteriors stands for q(z), and
  the constants are left out. It is lower than the total correlation of the batch's mixture by
  (num_latent - 1) * log(batch), and lower than the minibatch-weighted estimate of the paper by
  (num_latent - 1) * log(batch * data set size).

  Args:
    z: One sample of each posterior, [batch, num_latent].
    z_mean: Means, [batch, num_latent].
    z_logvar: Log variances, [batch, num_latent].
    posterior: The family the samples are drawn from.
    density: How q(z|x) enters q(z): "factorized", the product of its marginals, as in
      disentanglement_lib, or "full", the density z is drawn from. They differ where the noise is
      correlated.

  Returns:
    Scalar, nats.
  """
  # [batch, batch, num_latent], indexed [j, i, l]: q(z_l of sample j | x_i).
  log_q_latents = posteriors.gaussian_log_density(z[:, None], z_mean[None], z_logvar[None])
  log_product = tf.reduce_sum(tf.reduce_logsumexp(log_q_latents, axis=1), axis=1)
  if density == "factorized":
    log_q_joint = tf.reduce_sum(log_q_latents, axis=2)
  else:
    log_q_joint = posterior.log_density(z[:, None], z_mean[None], z_logvar[None], density)
  return tf.reduce_mean(tf.reduce_logsumexp(log_q_joint, axis=1) - log_product)


@gin.register("beta_tc_vae")
class BetaTCVAE(vae.BaseVAE):
  """Minimizes reconstruction loss + KL + (beta - 1) * total correlation."""

  def __init__(self, beta: float, density: str = "factorized"):
    """Creates the objective.

    Args:
      beta: Weight of the total correlation; the part of 1 is in the KL.
      density: See `total_correlation`.

    Raises:
      ConfigError: If density is unknown.
    """
    posteriors.check_density(density, "beta_tc_vae.density")
    self.beta = beta
    self.density = density

  def regularizer(self, kl_loss, z_mean, z_logvar, z_sampled):
    """Returns kl_loss + (beta - 1) * total_correlation."""
    penalty = total_correlation(z_sampled, z_mean, z_logvar, self.posterior, self.density)
    return kl_loss + (self.beta - 1) * penalty
