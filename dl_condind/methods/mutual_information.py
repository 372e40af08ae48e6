"""Lower bounds of mutual informations by networks: MINE (Belghazi et al., 2018, arXiv:1801.04062).

One small network for each pair of a label and a latent, all as one: their weights are stacked, so
that element [k, j] of each is that of label k and latent j.
"""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

NUM_UNITS = 20

Weights = Mapping[str, tf.Tensor | tf.Variable]


def initial_weights(
  num_labels: int, num_latent: int, generator: np.random.Generator
) -> dict[str, np.ndarray]:
  """Returns the weights before the training: kernels by Glorot's uniform distribution, biases 0.

  Args:
    num_labels: Number of labels.
    num_latent: Number of latents.
    generator: What random numbers come from.

  Returns:
    Name -> array, [num_labels, num_latent, NUM_UNITS] or, of the last bias, without units.
  """
  pairs = (num_labels, num_latent)
  bound = np.sqrt(6 / (1 + NUM_UNITS))  # One input, NUM_UNITS outputs, or the other way round.
  kernels = ("latent_kernel", "label_kernel", "output_kernel")
  return {
    **{name: generator.uniform(-bound, bound, (*pairs, NUM_UNITS)) for name in kernels},
    **{name: np.zeros((*pairs, NUM_UNITS)) for name in ("latent_bias", "label_bias")},
    "output_bias": np.zeros(pairs),
  }


def lower_bounds(
  latents: tf.Tensor, labels: tf.Tensor, shuffled: tf.Tensor, weights: Weights
) -> tf.Tensor:
  """Estimates I(label; latent) from a batch, by the bound of Donsker and Varadhan.

    I >= mean_b T(z_b, y_b) - log mean_b exp(T(z_b, y'_b))

  T is a network, y' are labels of other rows. The larger the right side over all T, the tighter.

  Args:
    latents: z, [batch, num_latent].
    labels: y, [batch, num_labels].
    shuffled: y', labels in another order for each pair, [batch, num_labels, num_latent].
    weights: Those of `initial_weights`.

  Returns:
    [num_labels, num_latent], nats.
  """
  z = latents[:, None, :, None]  # [batch, num_labels, num_latent, NUM_UNITS]
  of_latents = z * weights["latent_kernel"] + weights["latent_bias"]

  def scores(y: tf.Tensor) -> tf.Tensor:
    of_labels = y[..., None] * weights["label_kernel"] + weights["label_bias"]
    hidden = tf.nn.elu(of_latents + of_labels)
    return tf.reduce_sum(hidden * weights["output_kernel"], axis=-1) + weights["output_bias"]

  batch_size = tf.cast(tf.shape(latents)[0], latents.dtype)
  log_mean = tf.reduce_logsumexp(scores(shuffled), axis=0) - tf.math.log(batch_size)
  return tf.reduce_mean(scores(labels[..., None]), axis=0) - log_mean
