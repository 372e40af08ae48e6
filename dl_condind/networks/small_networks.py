"""Encoder and decoder of two small layers, for small images and trainings of a minute."""

import gin
import keras
from keras import layers

from dl_condind.networks import architectures

_NUM_UNITS = 128


@gin.register
def small_encoder(
  observation_shape: architectures.Shape, num_latent: int, seed: int
) -> keras.Model:
  """Builds a fully connected encoder (two ReLU layers of 128) for images of any size.

  Arguments and result as `architectures.conv_encoder`.
  """
  kernels = architectures.initializers(seed)
  images = keras.Input(observation_shape, name="images")
  hidden = layers.Flatten()(images)
  for name in ("e1", "e2"):
    layer = layers.Dense(_NUM_UNITS, activation="relu", kernel_initializer=next(kernels), name=name)
    hidden = layer(hidden)
  return architectures.gaussian_heads(images, hidden, num_latent, kernels)


@gin.register
def small_decoder(
  num_latent: int, observation_shape: architectures.Shape, seed: int
) -> keras.Model:
  """Builds a fully connected decoder (two tanh layers of 128) for images of any size.

  Arguments and result as `architectures.deconv_decoder`.
  """
  kernels = architectures.initializers(seed)
  z = keras.Input((num_latent,), name="latent_vectors")
  hidden = z
  for name in ("d1", "d2"):
    layer = layers.Dense(_NUM_UNITS, activation="tanh", kernel_initializer=next(kernels), name=name)
    hidden = layer(hidden)
  return architectures.linear_images(z, hidden, observation_shape, next(kernels))
