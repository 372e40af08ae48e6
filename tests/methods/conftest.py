import gin
import numpy as np
import pytest
import tensorflow as tf

from dl_condind.methods import architectures
from dl_condind.methods import losses
from dl_condind.methods import optimizers
from dl_condind.methods import posteriors

SHAPE = (4, 4, 1)
NUM_LATENT = 3
BATCH_SIZE = 6


@pytest.fixture
def bind_small_networks():
  """Binds linear networks for NUM_LATENT latents, equicorrelated noise and dlib's optimizers."""

  def bind(correlation=0.5, num_latent=NUM_LATENT):
    gin.bind_parameter("encoder.num_latent", num_latent)
    gin.bind_parameter("encoder.encoder_fn", architectures.test_encoder)
    gin.bind_parameter("decoder.decoder_fn", architectures.test_decoder)
    gin.bind_parameter("reconstruction_loss.loss_fn", losses.bernoulli_loss)
    gin.bind_parameter(
      "posterior.noise_correlation",
      lambda num_latent: posteriors.equicorrelated(num_latent, correlation),
    )
    gin.bind_parameter(
      "vae_optimizer.optimizer_fn", lambda: optimizers.adam_optimizer(1e-3, 0.9, 0.999, 1e-8)
    )

  return bind


@pytest.fixture
def build(bind_small_networks):
  """Builds a model of small networks."""

  def build_model(model, correlation=0.5, num_latent=NUM_LATENT, shape=SHAPE):
    bind_small_networks(correlation, num_latent)
    model.build(shape, seed=1)
    return model

  return build_model


@pytest.fixture
def observations():
  """Grey images, [BATCH_SIZE, *SHAPE]."""
  images = np.random.default_rng(0).uniform(size=(BATCH_SIZE, *SHAPE))
  return tf.constant(images, tf.float32)
