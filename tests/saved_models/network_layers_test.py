from helpers import stored_run
import keras
import numpy as np
import pytest
import tensorflow as tf

import dl_condind as dl
from dl_condind.explorer import decoders
from dl_condind.saved_models import saved_model
from dl_condind.saved_models import stored_infogan
from dl_condind.saved_models import stored_vae
from dl_condind.utils import errors


def own_decoder(num_latent, observation_shape, seed):
  """All kinds of layers that dlib's decoders do not have."""
  del seed
  layers = keras.layers
  z = keras.Input((num_latent,))
  hidden = layers.BatchNormalization()(layers.Dense(2 * 3 * 5)(z))
  hidden = layers.Reshape((2, 3, 5))(layers.LeakyReLU(0.3)(hidden))
  hidden = layers.Conv2DTranspose(6, 3, 2, "same", activation="tanh")(hidden)
  hidden = layers.Conv2DTranspose(3, 5, 3, "same", activation="sigmoid", use_bias=False)(hidden)
  return keras.Model(z, layers.Conv2DTranspose(observation_shape[2], 3, 1, "same")(hidden))


def vae(decoder, shape, num_latent=4, **keywords):
  model = dl.BetaVAE(
    beta=1.0,
    num_latent=num_latent,
    encoder=dl.networks.test_encoder,
    decoder=decoder,
    **keywords,
  )
  model.build(shape, 1)
  stored_run.make_vivid(model.decoder)
  return model


@pytest.mark.parametrize(
  "decoder, shape, activation",
  [
    pytest.param("deconv_decoder", (64, 64, 3), "logits", marks=pytest.mark.slow),
    pytest.param("deconv_decoder", (64, 64, 1), "tanh", marks=pytest.mark.slow),
    pytest.param("fc_decoder", (5, 4, 1), "logits", marks=pytest.mark.slow),
    pytest.param("test_decoder", (5, 4, 1), "logits", marks=pytest.mark.slow),
    (own_decoder(4, (12, 18, 1), 0), (12, 18, 1), "logits"),
  ],
)
def test_layers_give_the_images_of_the_stored_decoder(decoder, shape, activation, tmp_path):
  decoder = getattr(dl.networks, decoder) if isinstance(decoder, str) else decoder
  path = tmp_path / "saved_model"
  saved_model.save(*vae(decoder, shape, activation=activation).exported(), path)
  with saved_model.trusting(True):
    model = stored_vae.StoredVAE(path, activation)
  z = np.random.default_rng(2).normal(size=(6, 4)).astype(np.float32)
  network = model.decoder_layers()
  assert network.inputs == [("latent_vectors", (4,))]
  images = model.decode(z)
  assert np.std(images) > 0.02
  np.testing.assert_allclose(decoders.run(network, z), images, atol=2e-6)


def test_layers_of_a_generator_take_the_parts_of_the_code_in_the_order_of_the_network(tmp_path):
  model = dl.InfoGAN(num_continuous=3, num_categories=5, num_noise=4)
  model.build((12, 8, 1), 1)
  stored_run.make_vivid(model.generator, gain=5.0)
  saved_model.save(*model.exported(), tmp_path / "saved_model")
  stored = stored_infogan.StoredInfoGAN(tmp_path / "saved_model")
  network = stored.generator_layers()
  assert network.inputs == [("categorical", (5,)), ("continuous", (3,)), ("noise", (4,))]
  rng = np.random.default_rng(2)
  continuous, noise, categories = rng.normal(size=(7, 3)), rng.normal(size=(7, 4)), np.arange(7) % 5
  codes = np.concatenate([np.eye(5)[categories], continuous, noise], axis=1)
  images = stored.generate(continuous, noise, categories)
  assert np.std(images) > 0.02
  np.testing.assert_allclose(decoders.run(network, codes), images, atol=2e-6)


def skip_connection(z):
  hidden = keras.layers.Dense(6)(z)
  return keras.layers.Dense(6)(hidden) + hidden


def linear_after_relu(z):
  return keras.layers.Rescaling(2.0)(keras.layers.Dense(6, activation="relu")(z))


@pytest.mark.parametrize(
  "layers, operation",
  [
    (skip_connection, "AddV2"),
    *(
      pytest.param(*case, marks=pytest.mark.slow)
      for case in (
        (linear_after_relu, "Mul"),
        (lambda z: keras.layers.Dense(6, activation="softplus")(z), "Softplus"),
        (lambda z: keras.layers.Dense(6)(keras.layers.Rescaling(2.0)(z)), "Mul"),
        (lambda z: keras.layers.Dense(6)(1.0 - z), "Sub"),
      )
    ),
  ],
)
def test_other_operations_are_named(layers, operation, tmp_path):
  def decoder(num_latent, observation_shape, seed):
    del seed
    z = keras.Input((num_latent,))
    hidden = keras.layers.Dense(int(np.prod(observation_shape)))(layers(z))
    return keras.Model(z, keras.layers.Reshape(observation_shape)(hidden))

  saved_model.save(*vae(decoder, (2, 2, 1)).exported(), tmp_path / "saved_model")
  with saved_model.trusting(True):
    model = stored_vae.StoredVAE(tmp_path / "saved_model", "logits")
  with pytest.raises(errors.ConfigError, match=rf"saved_model has the operation {operation} \("):
    model.decoder_layers()


@pytest.mark.slow
def test_last_layer_must_be_linear(tmp_path):
  def decoder(num_latent, observation_shape, seed):
    del seed
    z = keras.Input((num_latent,))
    hidden = keras.layers.Dense(int(np.prod(observation_shape)), activation=tf.nn.relu)(z)
    return keras.Model(z, keras.layers.Reshape(observation_shape)(hidden))

  saved_model.save(*vae(decoder, (2, 2, 1)).exported(), tmp_path / "saved_model")
  model = stored_vae.StoredVAE(tmp_path / "saved_model", "logits")
  with pytest.raises(errors.ConfigError, match="last layer of the decoder has the activation relu"):
    model.decoder_layers()
