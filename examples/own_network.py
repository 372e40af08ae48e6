r"""A network of your own: an encoder with pooling in place of strides.

  PYTHONPATH=examples dl_condind_train --model_dir=output/pooling/model \
    --gin_config=examples/own_network.gin --trust_gin_imports

A decoder is a function `(num_latent, observation_shape, seed)` to a Keras model from latents to
logits of images, bound to `decoder.decoder_fn`. Weights must depend on the seed alone, so each
layer gets an initializer of its own.
"""

import gin
import keras
from keras import layers
import numpy as np


@gin.register
def pooling_encoder(observation_shape, num_latent: int, seed: int) -> keras.Model:
  """Returns a model from images to means and log variances, `[batch, num_latent]` each."""
  seeds = iter(np.random.SeedSequence(seed).generate_state(5) >> 1)

  def glorot():
    return keras.initializers.GlorotUniform(seed=int(next(seeds)))

  images = keras.Input(observation_shape, name="images")
  hidden = images
  for filters in (32, 64, 64):
    convolution = layers.Conv2D(
      filters, 3, padding="same", activation="relu", kernel_initializer=glorot()
    )
    hidden = layers.MaxPooling2D(4)(convolution(hidden))
  hidden = layers.Flatten()(hidden)
  means = layers.Dense(num_latent, kernel_initializer=glorot(), name="means")(hidden)
  log_var = layers.Dense(num_latent, kernel_initializer=glorot(), name="log_var")(hidden)
  return keras.Model(images, [means, log_var], name="encoder")
