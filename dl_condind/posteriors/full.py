"""A full covariance, which the encoder learns image by image."""

import gin
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from dl_condind.posteriors import posterior


@gin.register("full")
class Full(posterior.Posterior):
  """q(z|x) = N(z_mean, L L^T), where L depends on x in all its elements.

  L = diag(stddev) C with stddev = exp(z_logvar / 2). C is lower triangular with rows of length 1:
  ones on the diagonal and `extra` below it, each row divided by its length. So C C^T is the
  correlation of the noise, and z_logvar are the log variances of the latents, as in every other
  family. The encoder's extra output starts at 0, where the posterior is factorized.
  """

  def num_extra(self, num_latent: int) -> int:
    """Returns the number of elements below the diagonal."""
    return num_latent * (num_latent - 1) // 2

  def scale_tril(self, z_logvar: tf.Tensor, extra: tf.Tensor | None = None) -> tf.Tensor:
    """Returns L, [..., num_latent, num_latent]."""
    num_latent = z_logvar.shape[-1]
    if num_latent == 1:
      return tf.exp(0.5 * z_logvar)[..., None]
    # [..., num_latent - 1, num_latent - 1], then one row of zeros above, one column to the right.
    paddings = [*[[0, 0]] * (extra.shape.rank - 1), [1, 0], [0, 1]]
    below = tf.pad(tfp.math.fill_triangular(extra), paddings)
    rows = below + tf.eye(num_latent, dtype=z_logvar.dtype)
    return tf.exp(0.5 * z_logvar)[..., None] * tf.math.l2_normalize(rows, axis=-1)

  def marginal_logvar(self, z_logvar: tf.Tensor, extra: tf.Tensor | None = None) -> tf.Tensor:
    """Returns z_logvar: C has rows of length 1."""
    del extra
    return z_logvar


def extra_of(correlation: np.ndarray) -> np.ndarray:
  """Returns the `extra` of `Full` that gives a correlation C C^T, [num_extra].

  Args:
    correlation: Symmetric, positive definite, with ones on its diagonal, [num_latent, num_latent].
  """
  cholesky = np.linalg.cholesky(correlation)
  rows = cholesky / np.diag(cholesky)[:, None]  # Ones on the diagonal, as before the division.
  below = np.tril(rows, -1)[1:, :-1]
  return tfp.math.fill_triangular_inverse(tf.constant(below)).numpy()
