"""DIP-VAE (Kumar et al., 2018, arXiv:1711.00848)."""

import dataclasses

import tensorflow as tf

from dl_condind.methods import base_model
from dl_condind.methods import vae
from dl_condind.utils import errors


def covariance(samples: tf.Tensor) -> tf.Tensor:
  """Returns the covariance over the batch, [num_latent, num_latent], divided by the batch size.

  Args:
    samples: [batch, num_latent].
  """
  centred = samples - tf.reduce_mean(samples, axis=0)
  return tf.matmul(centred, centred, transpose_a=True) / tf.cast(tf.shape(samples)[0], tf.float32)


@base_model.register("dip_vae")
@dataclasses.dataclass(eq=False)
class DIPVAE(vae.BaseVAE):
  """Minimizes reconstruction loss + KL + the distance of a covariance from the identity.

  Attributes:
    lambda_od: Weight of the squares off the diagonal.
    lambda_d_factor: Weight of the diagonal's distance from 1, in units of lambda_od.
    dip_type: "i": covariance of the posterior means; "ii": of the aggregate posterior. A
      ConfigError is raised if it is neither.
  """

  lambda_od: float
  lambda_d_factor: float
  dip_type: str = "i"

  def __post_init__(self):
    if self.dip_type not in ("i", "ii"):
      raise errors.ConfigError(f'dip_vae.dip_type must be "i" or "ii", got {self.dip_type!r}.')

  def posterior_regularizer(self, kl_loss, encoded, z_sampled):
    """Returns kl_loss + the weighted distance of the covariance from the identity."""
    del z_sampled
    z_mean, *parameters = encoded
    matrix = covariance(z_mean)
    if self.dip_type == "ii":
      # E[Cov(z|x)], whose entries off the diagonal are not zero where the noise is correlated.
      scale = self.posterior.scale_tril(*parameters)
      matrix += tf.reduce_mean(tf.matmul(scale, scale, transpose_b=True), axis=0)
    diagonal = tf.linalg.diag_part(matrix)
    off_diagonal = tf.reduce_sum(tf.square(matrix)) - tf.reduce_sum(tf.square(diagonal))
    distance = off_diagonal + self.lambda_d_factor * tf.reduce_sum(tf.square(diagonal - 1))
    return kl_loss + self.lambda_od * distance
