import gin
import keras
import numpy as np
import pytest
import tensorflow as tf

from dl_condind.methods import architectures
from dl_condind.methods import losses
from dl_condind.methods import optimizers
from dl_condind.methods import posteriors
from dl_condind.methods import runtime

runtime.configure(num_threads=2)  # As a training does, and before a test starts TensorFlow.


def _small_discriminator(num_latent, seed):
  kernels = [keras.initializers.GlorotUniform(seed + index) for index in range(2)]
  z = keras.Input((num_latent,))
  hidden = keras.layers.Dense(20, tf.nn.leaky_relu, kernel_initializer=kernels[0])(z)
  logits = keras.layers.Dense(2, kernel_initializer=kernels[1])(hidden)
  return keras.Model(z, logits, name="discriminator")


@pytest.fixture
def bind_small_networks():
  """Binds linear networks, a small discriminator, equicorrelated noise and Adam."""

  def bind(correlation=0.5, num_latent=3):
    bindings = {
      "encoder.num_latent": num_latent,
      "encoder.encoder_fn": architectures.test_encoder,
      "decoder.decoder_fn": architectures.test_decoder,
      "discriminator.discriminator_fn": _small_discriminator,
      "reconstruction_loss.loss_fn": losses.bernoulli_loss,
      "posterior.noise_correlation": lambda size: posteriors.equicorrelated(size, correlation),
      "vae_optimizer.optimizer_fn": lambda: optimizers.adam_optimizer(1e-3, 0.9, 0.999),
      "discriminator_optimizer.optimizer_fn": lambda: optimizers.adam_optimizer(2e-3, 0.5, 0.9),
    }
    for name, value in bindings.items():
      gin.bind_parameter(name, value)

  return bind


@pytest.fixture
def build(bind_small_networks):
  """Builds a model of small networks for the images of `observations`."""

  def build_model(model, correlation=0.5, num_latent=3, shape=(4, 4, 1)):
    bind_small_networks(correlation, num_latent)
    model.build(shape, seed=1)
    return model

  return build_model


@pytest.fixture
def observations():
  """Grey images, [6, 4, 4, 1]."""
  return tf.constant(np.random.default_rng(0).uniform(size=(6, 4, 4, 1)), tf.float32)
