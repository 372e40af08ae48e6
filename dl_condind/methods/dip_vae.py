"""DIP-VAE (Kumar et al., 2018, arXiv:1711.00848)."""

import gin
import tensorflow as tf

from dl_condind.methods import vae
from dl_condind.utils import errors


def covariance(samples: tf.Tensor) -> tf.Tensor:
  """Returns the covariance over the batch, [num_latent, num_latent], divided by the batch size.

  Args:
    samples: [batch, num_latent].
  """
  centred = samples - tf.reduce_mean(samples, axis=0)
  return tf.matmul(centred, centred, transpose_a=True) / tf.cast(tf.shape(samples)[0], tf.float32)


@gin.register("dip_vae")
class DIPVAE(vae.BaseVAE):
  """Minimizes reconstruction loss + KL + the distance of a covariance from the identity."""

  def __init__(self, lambda_od: float, lambda_d_factor: float, dip_type: str = "i"):
    """Creates the objective.

    Args:
      lambda_od: Weight of the squares off the diagonal.
      lambda_d_factor: Weight of the diagonal's distance from 1, in units of lambda_od.
      dip_type: "i": covariance of the posterior means; "ii": of the aggregate posterior.

    Raises:
      ConfigError: If dip_type is neither.
    """
    if dip_type not in ("i", "ii"):
      raise errors.ConfigError(f'dip_vae.dip_type must be "i" or "ii", got {dip_type!r}.')
    self.lambda_od = lambda_od
    self.lambda_d_factor = lambda_d_factor
    self.dip_type = dip_type

  def regularizer(self, kl_loss, z_mean, z_logvar, z_sampled):
    """Returns kl_loss + the weighted distance of the covariance from the identity."""
    del z_sampled
    matrix = covariance(z_mean)
    if self.dip_type == "ii":
      # E[Cov(z|x)], whose entries off the diagonal are not zero where the noise is correlated.
      scale = self.posterior.scale_tril(z_logvar)
      matrix += tf.reduce_mean(tf.matmul(scale, scale, transpose_b=True), axis=0)
    diagonal = tf.linalg.diag_part(matrix)
    off_diagonal = tf.reduce_sum(tf.square(matrix)) - tf.reduce_sum(tf.square(diagonal))
    distance = off_diagonal + self.lambda_d_factor * tf.reduce_sum(tf.square(diagonal - 1))
    return kl_loss + self.lambda_od * distance
