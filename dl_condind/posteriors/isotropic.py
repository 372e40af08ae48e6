"""One standard deviation for all latents of an image."""

import gin
import tensorflow as tf

from dl_condind.posteriors import posterior


@gin.register("isotropic")
class Isotropic(posterior.Posterior):
  """q(z|x) = N(z_mean, s^2 I), where log s^2 is the mean of z_logvar over the latents.

  The latents are independent given the data, and no axis differs from another: any rotation of the
  latents is as good.
  """

  def scale_tril(self, z_logvar: tf.Tensor, extra: tf.Tensor | None = None) -> tf.Tensor:
    """Returns s I, [batch, num_latent, num_latent]."""
    return tf.linalg.diag(tf.exp(0.5 * self.marginal_logvar(z_logvar, extra)))

  def marginal_logvar(self, z_logvar: tf.Tensor, extra: tf.Tensor | None = None) -> tf.Tensor:
    """Returns log s^2 for each latent, [batch, num_latent]."""
    del extra
    return tf.reduce_mean(z_logvar, axis=-1, keepdims=True) + tf.zeros_like(z_logvar)
