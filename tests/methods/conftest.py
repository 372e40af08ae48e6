import keras
import numpy as np
import pytest
import tensorflow as tf

from dl_condind import posteriors
from dl_condind.methods import base_model
from dl_condind.methods import optimizers
from dl_condind.networks import architectures
from dl_condind.training import runtime

runtime.configure(num_threads=2)  # As a training does, and before a test starts TensorFlow.


def _small_discriminator(num_latent, seed):
  kernels = [keras.initializers.GlorotUniform(seed + index) for index in range(2)]
  z = keras.Input((num_latent,))
  hidden = keras.layers.Dense(20, tf.nn.leaky_relu, kernel_initializer=kernels[0])(z)
  logits = keras.layers.Dense(2, kernel_initializer=kernels[1])(hidden)
  return keras.Model(z, logits, name="discriminator")


@pytest.fixture
def give_small_parts():
  """Gives a model linear networks, a small discriminator, equicorrelated noise and Adam."""

  def give(model, correlation=0.5, num_latent=3):
    parts = {
      "num_latent": num_latent,
      "encoder": architectures.test_encoder,
      "decoder": architectures.test_decoder,
      "discriminator": _small_discriminator,
      "posterior": posteriors.Equicorrelated(correlation),
      "optimizer": optimizers.adam(1e-3, 0.9, 0.999),
      "discriminator_optimizer": optimizers.adam(2e-3, 0.5, 0.9),
    }
    for field in base_model.parts(model):
      if field.name in parts:
        setattr(model, field.name, parts[field.name])
    return model

  return give


@pytest.fixture
def build(give_small_parts):
  """Builds a model of small networks for the images of `observations`."""

  def build_model(model, correlation=0.5, num_latent=3, shape=(4, 4, 1)):
    give_small_parts(model, correlation, num_latent).build(shape, seed=1)
    return model

  return build_model


@pytest.fixture
def observations():
  """Grey images, [6, 4, 4, 1]."""
  return tf.constant(np.random.default_rng(0).uniform(size=(6, 4, 4, 1)), tf.float32)
