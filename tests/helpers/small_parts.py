"""Models of small networks, with correlated noise."""

import functools

import keras
import tensorflow as tf

import dl_condind as dl
from dl_condind import posteriors
from dl_condind.data import labelled_samples
from dl_condind.methods import base_model
from dl_condind.methods import optimizers
from dl_condind.networks import architectures


def small_discriminator(num_latent, seed):
  kernels = [keras.initializers.GlorotUniform(seed + index) for index in range(2)]
  z = keras.Input((num_latent,))
  hidden = keras.layers.Dense(20, tf.nn.leaky_relu, kernel_initializer=kernels[0])(z)
  logits = keras.layers.Dense(2, kernel_initializer=kernels[1])(hidden)
  return keras.Model(z, logits, name="discriminator")


def give(model, correlation=0.5, num_latent=3):
  """Gives a model linear networks, a small discriminator, equicorrelated noise and Adam."""
  parts = {
    "num_latent": num_latent,
    "encoder": architectures.test_encoder,
    "decoder": architectures.test_decoder,
    "discriminator": small_discriminator,
    "posterior": posteriors.Equicorrelated(correlation),
    "optimizer": optimizers.adam(1e-3, 0.9, 0.999),
    "discriminator_optimizer": optimizers.adam(2e-3, 0.5, 0.9),
  }
  for field in base_model.parts(model):
    if field.name in parts:
      setattr(model, field.name, parts[field.name])
  return model


def dummy_data_for(model):
  """Returns noise as data of the kind that a model learns from."""
  data = dl.load_data("dummy_data")
  if model.learns_from is dl.Pairs:
    return dl.Pairs(data, k=1)
  if model.learns_from is dl.PartlyLabelled:
    labeller = functools.partial(labelled_samples.partial_labeller, num_observed_factors=4)
    return dl.PartlyLabelled(data, 100, labeller_fn=labeller)
  return data
