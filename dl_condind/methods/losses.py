"""Losses as pure functions of tensors: of reconstructions, and of the GAN game."""

from collections.abc import Callable
import math

import gin
import tensorflow as tf

from dl_condind.utils import errors

ReconstructionLoss = Callable[[tf.Tensor, tf.Tensor, str], tf.Tensor]
ACTIVATIONS = ("logits", "tanh", "linear")  # What a decoder's outputs may mean.


def _flat(images: tf.Tensor) -> tf.Tensor:
  return tf.reshape(images, [tf.shape(images)[0], -1])


@tf.custom_gradient
def summed_sigmoid_cross_entropy(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
  """Returns the Bernoulli cross-entropy summed over the last axis, [batch], nats.

  Its gradient is `sigmoid(logits) - labels`; writing it out saves the passes over the image that
  automatic differentiation of the stable formula takes. The labels get no gradient.
  """
  cross_entropy = tf.nn.relu(logits) - labels * logits + tf.math.log1p(tf.exp(-tf.abs(logits)))

  def gradient(upstream):
    return None, upstream[:, None] * (tf.sigmoid(logits) - labels)

  return tf.reduce_sum(cross_entropy, axis=1), gradient


@gin.register
def bernoulli_loss(
  true_images: tf.Tensor,
  reconstructed_images: tf.Tensor,
  activation: str,
  subtract_true_image_entropy: bool = False,
) -> tf.Tensor:
  """Computes the Bernoulli cross-entropy, summed over pixels and channels.

  Args:
    true_images: Images in [0, 1], [batch, height, width, channels].
    reconstructed_images: The decoder's output, same shape.
    activation: What the decoder's output means: "logits", or "tanh" if its tanh is in [-1, 1].
      "linear" outputs are not probabilities.
    subtract_true_image_entropy: Whether to subtract the entropy of the images' own pixels, so that
      a perfect reconstruction of grey images has loss 0.

  Returns:
    Loss per image, [batch], nats.

  Raises:
    ConfigError: If the activation is "linear".
  """
  if activation == "linear":
    raise errors.ConfigError(
      "bernoulli_loss needs outputs that are probabilities, and reconstruction_loss.activation is "
      '"linear": use gaussian_loss or l2_loss, or the activation "logits" for values in [0, 1].'
    )
  labels, outputs = _flat(true_images), _flat(reconstructed_images)
  if activation == "logits":
    loss = summed_sigmoid_cross_entropy(labels, outputs)
  else:
    probability = tf.clip_by_value(tf.tanh(outputs) / 2 + 0.5, 1e-6, 1 - 1e-6)
    loss = _cross_entropy(labels, probability)
  if subtract_true_image_entropy:
    clipped = tf.clip_by_value(labels, 1e-6, 1 - 1e-6)
    loss -= _cross_entropy(clipped, clipped)
  return loss


def _cross_entropy(labels: tf.Tensor, probability: tf.Tensor) -> tf.Tensor:
  return -tf.reduce_sum(
    labels * tf.math.log(probability) + (1 - labels) * tf.math.log(1 - probability), axis=1
  )


@gin.register
def l2_loss(true_images: tf.Tensor, reconstructed_images: tf.Tensor, activation: str) -> tf.Tensor:
  """Computes the squared error, summed over pixels and channels, [batch].

  Args:
    true_images: Images in [0, 1], [batch, height, width, channels].
    reconstructed_images: The decoder's output, same shape.
    activation: "logits": images are its sigmoid; "tanh": they are its tanh moved to [0, 1];
      "linear": they are the output.
  """
  images = images_of(reconstructed_images, activation)
  return tf.reduce_sum(tf.square(_flat(true_images) - _flat(images)), axis=1)


@gin.register
def gaussian_loss(
  true_images: tf.Tensor, reconstructed_images: tf.Tensor, activation: str, stddev: float = 1.0
) -> tf.Tensor:
  """Computes the negative log-likelihood of independent normal values, [batch], nats.

    -log N(x; m, stddev^2 I) = sum_i 0.5 ((x_i - m_i) / stddev)^2 + log(stddev) + 0.5 log(2 pi)

  The sum runs over pixels and channels, or over the features of vectors; m is what the decoder's
  output stands for. The loss is negative where the density exceeds 1, as that of a good
  reconstruction does if stddev is below 0.4. Up to constants, stddev weights the KL: the objective
  is that of stddev 1 with the KL weighted by stddev^2. Of all constants, the root mean squared
  error of the reconstructions is the one that minimizes the loss (Rybkin et al., 2021,
  arXiv:2006.13202).

  Args:
    true_images: Images in [0, 1] or vectors, [batch, ...].
    reconstructed_images: The decoder's output, same shape.
    activation: As `l2_loss`; "linear" for values of any range.
    stddev: Standard deviation of each value, in its unit, greater than 0.

  Raises:
    ConfigError: If stddev is not a positive number.
  """
  if not 0 < stddev < math.inf:
    raise errors.ConfigError(f"gaussian_loss.stddev must be a positive number, got {stddev!r}.")
  means = images_of(reconstructed_images, activation)
  squared = tf.square((_flat(true_images) - _flat(means)) / stddev)
  return tf.reduce_sum(0.5 * squared + math.log(stddev) + 0.5 * math.log(2 * math.pi), axis=1)


def images_of(outputs: tf.Tensor, activation: str) -> tf.Tensor:
  """Returns the observations that a decoder's outputs stand for, of the same shape.

  They are in [0, 1], unless the activation is "linear".

  Args:
    outputs: The decoder's output.
    activation: As `l2_loss`.
  """
  if activation == "linear":
    return outputs
  return tf.sigmoid(outputs) if activation == "logits" else tf.tanh(outputs) / 2 + 0.5


def check_activation(activation: str) -> None:
  """Checks the name of what a decoder's outputs mean.

  Raises:
    ConfigError: If the activation is unknown.
  """
  if activation not in ACTIVATIONS:
    raise errors.ConfigError(
      f'reconstruction_loss.activation must be "logits", "tanh" or "linear", got {activation!r}.'
    )


def adversarial_losses(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> dict[str, tf.Tensor]:
  """Returns the non-saturating losses of the GAN game (Goodfellow et al., 2014).

  Args:
    real_logits: The discriminator's logits of real images being real.
    fake_logits: Those of generated images.

  Returns:
    `discriminator_loss`, the sum of its cross-entropies on real and on generated images (2 log 2
    where it cannot tell), `generator_loss` = -mean(log D(generated)), nats, and
    `discriminator_accuracy_real` and `discriminator_accuracy_fake`.
  """
  return {
    "discriminator_loss": tf.reduce_mean(tf.nn.softplus(-real_logits))
    + tf.reduce_mean(tf.nn.softplus(fake_logits)),
    "generator_loss": tf.reduce_mean(tf.nn.softplus(-fake_logits)),
    "discriminator_accuracy_real": tf.reduce_mean(tf.cast(real_logits > 0, tf.float32)),
    "discriminator_accuracy_fake": tf.reduce_mean(tf.cast(fake_logits < 0, tf.float32)),
  }
