"""Losses as pure functions of tensors: of reconstructions, and of the GAN game."""

from collections.abc import Callable

import gin
import tensorflow as tf

from dl_condind.utils import errors

ReconstructionLoss = Callable[[tf.Tensor, tf.Tensor, str], tf.Tensor]


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
    subtract_true_image_entropy: Whether to subtract the entropy of the images' own pixels, so that
      a perfect reconstruction of grey images has loss 0.

  Returns:
    Loss per image, [batch], nats.
  """
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
    activation: "logits": images are its sigmoid; "tanh": they are its tanh moved to [0, 1].
  """
  images = images_of(reconstructed_images, activation)
  return tf.reduce_sum(tf.square(_flat(true_images) - _flat(images)), axis=1)


def images_of(outputs: tf.Tensor, activation: str) -> tf.Tensor:
  """Returns the images in [0, 1] that a decoder's outputs stand for, of the same shape.

  Args:
    outputs: The decoder's output.
    activation: As `l2_loss`.
  """
  return tf.sigmoid(outputs) if activation == "logits" else tf.tanh(outputs) / 2 + 0.5


def check_activation(activation: str) -> None:
  """Checks the name of what a decoder's outputs mean.

  Raises:
    ConfigError: If activation is neither "logits" nor "tanh".
  """
  if activation not in ("logits", "tanh"):
    raise errors.ConfigError(
      f'reconstruction_loss.activation must be "logits" or "tanh", got {activation!r}.'
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
