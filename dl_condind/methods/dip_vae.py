"""DIP-VAE (Kumar et al., 2018, arXiv:1711.00848)."""

from collections.abc import Sequence
import dataclasses
from typing import ClassVar

import tensorflow as tf

from dl_condind import posteriors
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


def check_type(dip_type: str, name: str) -> None:
  """Checks a `dip_type`.

  Args:
    dip_type: Which covariance.
    name: What the error calls it.

  Raises:
    ConfigError: If it is unknown.
  """
  if dip_type not in ("i", "ii"):
    raise errors.ConfigError(f'{name} must be "i" or "ii", got {dip_type!r}.')


def distance_from_identity(
  encoded: posteriors.Encoded,
  posterior: posteriors.Posterior,
  dip_type: str,
  lambda_d_factor: float,
) -> tf.Tensor:
  """Returns how far a covariance is from the identity, a scalar.

    sum_(i != j) C_ij^2 + lambda_d_factor * sum_i (C_ii - 1)^2

  Args:
    encoded: Parameters of the posteriors.
    posterior: Their family.
    dip_type: "i": C is the covariance of the means; "ii": that of the aggregate posterior.
    lambda_d_factor: Weight of the diagonal.
  """
  z_mean, *parameters = encoded
  matrix = covariance(z_mean)
  if dip_type == "ii":
    # E[Cov(z|x)], whose entries off the diagonal are not zero where the noise is correlated.
    scale = posterior.scale_tril(*parameters)
    matrix += tf.reduce_mean(tf.matmul(scale, scale, transpose_b=True), axis=0)
  diagonal = tf.linalg.diag_part(matrix)
  off_diagonal = tf.reduce_sum(tf.square(matrix)) - tf.reduce_sum(tf.square(diagonal))
  return off_diagonal + lambda_d_factor * tf.reduce_sum(tf.square(diagonal - 1))


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

  WEIGHTS: ClassVar[Sequence[str]] = ("lambda_od", "lambda_d_factor")

  lambda_od: float
  lambda_d_factor: float
  dip_type: str = "i"

  def __post_init__(self):
    check_type(self.dip_type, "dip_vae.dip_type")

  def posterior_regularizer(self, kl_loss, encoded, z_sampled):
    """Returns kl_loss + the weighted distance of the covariance from the identity."""
    del z_sampled
    distance = distance_from_identity(encoded, self.posterior, self.dip_type, self.lambda_d_factor)
    return kl_loss + self.lambda_od * distance
