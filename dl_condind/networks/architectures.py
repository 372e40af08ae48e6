"""Encoder, decoder and discriminator networks of disentanglement_lib, as Keras models.

Layers, activations and initializers are disentanglement_lib's: Glorot-uniform kernels, zero biases,
no normalization. Decoders return logits. Every layer draws its kernel from a seed of its own, so
the weights depend on the seed alone and not on the order in which networks are built.
"""

from collections.abc import Iterator

import gin
import keras
from keras import layers
import numpy as np
import tensorflow as tf

from dl_condind.networks import deconvolution
from dl_condind.utils import errors

Shape = tuple[int, ...]


def initializers(seed: int) -> Iterator[keras.initializers.Initializer]:
  """Yields Glorot-uniform initializers with independent seeds."""
  sequence = np.random.SeedSequence(seed)
  while True:
    (child,) = sequence.spawn(1)
    yield keras.initializers.GlorotUniform(seed=int(child.generate_state(1)[0] >> 1))


def _check_64(observation_shape: Shape, name: str) -> None:
  if tuple(observation_shape[:2]) != (64, 64):
    raise errors.ConfigError(
      f"{name} takes images of 64 x 64 pixels, got {' x '.join(map(str, observation_shape[:2]))}; "
      "use fc_encoder and fc_decoder for other sizes and for vectors."
    )


@gin.register
def conv_encoder(observation_shape: Shape, num_latent: int, seed: int) -> keras.Model:
  """Builds the convolutional encoder of Locatello et al. (2019).

  Args:
    observation_shape: (64, 64, channels).
    num_latent: Number of latents.
    seed: Seed of the initial weights.

  Returns:
    Model from images, [batch, 64, 64, channels], to means and log variances, [batch, num_latent].

  Raises:
    ConfigError: If images are not 64 x 64.
  """
  _check_64(observation_shape, "conv_encoder")
  kernels = initializers(seed)
  images = keras.Input(observation_shape, name="images")
  hidden = images
  for index, (filters, kernel_size) in enumerate([(32, 4), (32, 4), (64, 2), (64, 2)], start=1):
    hidden = layers.Conv2D(
      filters,
      kernel_size,
      strides=2,
      padding="same",
      activation="relu",
      kernel_initializer=next(kernels),
      name=f"e{index}",
    )(hidden)
  hidden = layers.Flatten()(hidden)
  hidden = layers.Dense(256, activation="relu", kernel_initializer=next(kernels), name="e5")(hidden)
  return gaussian_heads(images, hidden, num_latent, kernels)


def gaussian_heads(
  images: keras.KerasTensor,
  hidden: keras.KerasTensor,
  num_latent: int,
  kernels: Iterator[keras.initializers.Initializer],
) -> keras.Model:
  """Returns the encoder from images to the means and log variances that linear layers make."""
  means = layers.Dense(num_latent, kernel_initializer=next(kernels), name="means")(hidden)
  log_var = layers.Dense(num_latent, kernel_initializer=next(kernels), name="log_var")(hidden)
  return keras.Model(images, [means, log_var], name="encoder")


@gin.register
def fc_encoder(observation_shape: Shape, num_latent: int, seed: int) -> keras.Model:
  """Builds the fully connected encoder (two layers of 1200) for images of any size and vectors.

  Arguments and result as conv_encoder.
  """
  kernels = initializers(seed)
  images = keras.Input(observation_shape, name="images")
  hidden = layers.Flatten()(images)
  for name in ("e1", "e2"):
    hidden = layers.Dense(1200, activation="relu", kernel_initializer=next(kernels), name=name)(
      hidden
    )
  return gaussian_heads(images, hidden, num_latent, kernels)


@gin.register
def test_encoder(observation_shape: Shape, num_latent: int, seed: int) -> keras.Model:
  """Builds a linear encoder, for tests. Arguments and result as conv_encoder."""
  images = keras.Input(observation_shape, name="images")
  return gaussian_heads(images, layers.Flatten()(images), num_latent, initializers(seed))


@gin.register
def deconv_decoder(num_latent: int, observation_shape: Shape, seed: int) -> keras.Model:
  """Builds the deconvolutional decoder of Locatello et al. (2019).

  Args:
    num_latent: Number of latents.
    observation_shape: (64, 64, channels).
    seed: Seed of the initial weights.

  Returns:
    Model from latents, [batch, num_latent], to logits, [batch, 64, 64, channels].

  Raises:
    ConfigError: If images are not 64 x 64.
  """
  _check_64(observation_shape, "deconv_decoder")
  kernels = initializers(seed)
  z = keras.Input((num_latent,), name="latent_vectors")
  hidden = layers.Dense(256, activation="relu", kernel_initializer=next(kernels), name="d1")(z)
  hidden = layers.Dense(1024, activation="relu", kernel_initializer=next(kernels), name="d2")(
    hidden
  )
  hidden = layers.Reshape((4, 4, 64))(hidden)
  for name, filters in (("d3", 64), ("d4", 32), ("d5", 32)):
    hidden = layers.Conv2DTranspose(
      filters,
      4,
      strides=2,
      padding="same",
      activation="relu",
      kernel_initializer=next(kernels),
      name=name,
    )(hidden)
  logits = deconvolution.DoublingConv2DTranspose(
    observation_shape[-1], next(kernels), name="logits"
  )(hidden)
  return keras.Model(z, logits, name="decoder")


@gin.register
def fc_decoder(num_latent: int, observation_shape: Shape, seed: int) -> keras.Model:
  """Builds the fully connected decoder (three tanh layers of 1200) for any images and vectors.

  Arguments and result as deconv_decoder.
  """
  kernels = initializers(seed)
  z = keras.Input((num_latent,), name="latent_vectors")
  hidden = z
  for name in ("d1", "d2", "d3"):
    hidden = layers.Dense(1200, activation="tanh", kernel_initializer=next(kernels), name=name)(
      hidden
    )
  return linear_images(z, hidden, observation_shape, next(kernels))


@gin.register
def test_decoder(num_latent: int, observation_shape: Shape, seed: int) -> keras.Model:
  """Builds a linear decoder, for tests. Arguments and result as deconv_decoder."""
  z = keras.Input((num_latent,), name="latent_vectors")
  return linear_images(z, z, observation_shape, next(initializers(seed)))


def linear_images(
  z: keras.KerasTensor,
  hidden: keras.KerasTensor,
  observation_shape: Shape,
  kernel: keras.initializers.Initializer,
) -> keras.Model:
  """Returns the decoder from latents to the logits that a linear layer makes of hidden units."""
  pixels = layers.Dense(int(np.prod(observation_shape)), kernel_initializer=kernel, name="logits")
  return keras.Model(z, layers.Reshape(observation_shape)(pixels(hidden)), name="decoder")


@gin.register
def fc_discriminator(num_latent: int, seed: int) -> keras.Model:
  """Builds FactorVAE's discriminator: six layers of 1000, leaky ReLU of slope 0.2.

  Args:
    num_latent: Number of latents.
    seed: Seed of the initial weights.

  Returns:
    Model from latents, [batch, num_latent], to logits of (joint, product of marginals), [batch, 2].
  """
  kernels = initializers(seed)
  z = keras.Input((num_latent,), name="latent_vectors")
  hidden = z
  for index in range(1, 7):
    hidden = layers.Dense(
      1000, activation=tf.nn.leaky_relu, kernel_initializer=next(kernels), name=f"d{index}"
    )(hidden)
  logits = layers.Dense(2, kernel_initializer=next(kernels), name="logits")(hidden)
  return keras.Model(z, logits, name="discriminator")
