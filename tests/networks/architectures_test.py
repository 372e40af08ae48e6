import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from dl_condind.networks import architectures
from dl_condind.networks import deconvolution
from dl_condind.networks import network_parts
from dl_condind.training import gin_parts
from dl_condind.utils import configs
from dl_condind.utils import errors


def random_normal(shape, seed=0):
  return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def weights_of(network):
  """Returns [kernel, bias] by name of layer, after it gave the zero biases other values."""
  for seed, variable in enumerate(network.weights):
    if variable.name == "bias":
      variable.assign(random_normal(variable.shape, seed))
  return {layer.name: layer.get_weights() for layer in network.layers if layer.weights}


def shapes_of(network):
  return {layer.name: tuple(layer.kernel.shape) for layer in network.layers if layer.weights}


def relu(x):
  return np.maximum(x, 0)


def dense(x, kernel_and_bias):
  kernel, bias = kernel_and_bias
  return x @ kernel + bias


def convolve(x, kernel_and_bias):
  kernel, bias = kernel_and_bias
  return tf.nn.conv2d(x, kernel, strides=2, padding="SAME") + bias


def deconvolve(x, kernel_and_bias):
  kernel, bias = kernel_and_bias
  output_shape = [x.shape[0], 2 * x.shape[1], 2 * x.shape[2], kernel.shape[2]]
  return tf.nn.conv2d_transpose(x, kernel, output_shape, strides=2, padding="SAME") + bias


@pytest.mark.parametrize("channels", [1, 3])
def test_conv_encoder(channels):
  encoder = architectures.conv_encoder((64, 64, channels), 7, seed=0)
  assert shapes_of(encoder) == {
    "e1": (4, 4, channels, 32),
    "e2": (4, 4, 32, 32),
    "e3": (2, 2, 32, 64),
    "e4": (2, 2, 64, 64),
    "e5": (1024, 256),
    "means": (256, 7),
    "log_var": (256, 7),
  }
  weights = weights_of(encoder)
  images = random_normal((2, 64, 64, channels))
  hidden = images
  for name in ("e1", "e2", "e3", "e4"):
    hidden = tf.nn.relu(convolve(hidden, weights[name]))
  hidden = relu(dense(hidden.numpy().reshape(2, -1), weights["e5"]))
  z_mean, z_logvar = encoder(images)
  assert z_mean.shape == z_logvar.shape == (2, 7)
  np.testing.assert_allclose(z_mean, dense(hidden, weights["means"]), rtol=1e-4, atol=1e-4)
  np.testing.assert_allclose(z_logvar, dense(hidden, weights["log_var"]), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("channels", [1, 3])
def test_deconv_decoder_and_its_gradients(channels):
  decoder = architectures.deconv_decoder(7, (64, 64, channels), seed=0)
  assert shapes_of(decoder) == {
    "d1": (7, 256),
    "d2": (256, 1024),
    "d3": (4, 4, 64, 64),
    "d4": (4, 4, 32, 64),
    "d5": (4, 4, 32, 32),
    "logits": (4, 4, channels, 32),
  }
  weights = weights_of(decoder)
  flat = [tf.constant(value) for values in weights.values() for value in values]
  z, upstream = tf.constant(random_normal((2, 7))), random_normal((2, 64, 64, channels), seed=1)
  with tf.GradientTape() as tape:
    tape.watch([z, *flat])
    pairs = dict(zip(weights, zip(flat[::2], flat[1::2], strict=True), strict=True))
    hidden = tf.nn.relu(dense(tf.nn.relu(dense(z, pairs["d1"])), pairs["d2"]))
    hidden = tf.reshape(hidden, [2, 4, 4, 64])
    for name in ("d3", "d4", "d5"):
      hidden = tf.nn.relu(deconvolve(hidden, pairs[name]))
    expected = deconvolve(hidden, pairs["logits"])
    target = tf.reduce_sum(expected * upstream)
  expected_gradients = tape.gradient(target, [z, *flat])

  @tf.function
  def logits_and_gradients(z):
    with tf.GradientTape() as tape:
      tape.watch(z)
      logits = decoder(z)
      target = tf.reduce_sum(logits * upstream)
    return logits, tape.gradient(target, [z, *decoder.trainable_variables])

  logits, gradients = logits_and_gradients(z)
  assert logits.shape == (2, 64, 64, channels)
  np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5)
  for gradient, other in zip(gradients, expected_gradients, strict=True):
    np.testing.assert_allclose(gradient, other, rtol=1e-3, atol=1e-3)


def test_fc_encoder():
  encoder = architectures.fc_encoder((3, 5, 2), 7, seed=0)
  weights = weights_of(encoder)
  images = random_normal((4, 3, 5, 2))
  hidden = relu(dense(images.reshape(4, 30), weights["e1"]))
  hidden = relu(dense(hidden, weights["e2"]))
  assert hidden.shape == (4, 1200)
  z_mean, z_logvar = encoder(images)
  np.testing.assert_allclose(z_mean, dense(hidden, weights["means"]), rtol=1e-3, atol=1e-4)
  np.testing.assert_allclose(z_logvar, dense(hidden, weights["log_var"]), rtol=1e-3, atol=1e-4)


def test_fc_decoder():
  decoder = architectures.fc_decoder(7, (3, 5, 2), seed=0)
  weights = weights_of(decoder)
  z = random_normal((4, 7))
  hidden = z
  for name in ("d1", "d2", "d3"):
    hidden = np.tanh(dense(hidden, weights[name]))
    assert hidden.shape == (4, 1200)
  expected = dense(hidden, weights["logits"]).reshape(4, 3, 5, 2)
  np.testing.assert_allclose(decoder(z), expected, rtol=1e-3, atol=1e-4)


def test_linear_networks():
  encoder = architectures.test_encoder((3, 5, 2), 7, seed=0)
  decoder = architectures.test_decoder(7, (3, 5, 2), seed=0)
  images, z = random_normal((4, 3, 5, 2)), random_normal((4, 7))
  weights = weights_of(encoder)
  for values, name in zip(encoder(images), ("means", "log_var"), strict=True):
    expected = dense(images.reshape(4, 30), weights[name])
    np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-5)
  expected = dense(z, weights_of(decoder)["logits"]).reshape(4, 3, 5, 2)
  np.testing.assert_allclose(decoder(z), expected, rtol=1e-4, atol=1e-5)


def test_fc_discriminator():
  discriminator = architectures.fc_discriminator(10, seed=0)
  assert discriminator.count_params() == 5_018_002
  weights = weights_of(discriminator)
  z = random_normal((4, 10))
  hidden = z
  for index in range(1, 7):
    hidden = dense(hidden, weights[f"d{index}"])
    assert hidden.shape == (4, 1000)
    hidden = np.where(hidden > 0, hidden, 0.2 * hidden)
  np.testing.assert_allclose(
    discriminator(z), dense(hidden, weights["logits"]), rtol=1e-3, atol=1e-3
  )


@pytest.mark.parametrize(
  "encoder_fn, decoder_fn, num_parameters",
  [
    (architectures.conv_encoder, architectures.deconv_decoder, 690_517),
    (architectures.fc_encoder, architectures.fc_decoder, 14_196_516),
  ],
)
def test_number_of_parameters(encoder_fn, decoder_fn, num_parameters):
  encoder = encoder_fn((64, 64, 1), 10, seed=0)
  decoder = decoder_fn(10, (64, 64, 1), seed=0)
  assert encoder.count_params() + decoder.count_params() == num_parameters
  assert all(variable.trainable for variable in encoder.variables + decoder.variables)


def all_networks(seed):
  yield architectures.conv_encoder((64, 64, 1), 10, seed)
  yield architectures.deconv_decoder(10, (64, 64, 1), seed)
  yield architectures.fc_encoder((8, 8, 1), 10, seed)
  yield architectures.fc_decoder(10, (8, 8, 1), seed)
  yield architectures.test_encoder((8, 8, 1), 10, seed)
  yield architectures.test_decoder(10, (8, 8, 1), seed)
  yield architectures.fc_discriminator(10, seed)


def test_initial_kernels_are_glorot_uniform_and_biases_zero():
  for network in all_networks(seed=3):
    for variable in network.weights:
      values = variable.numpy()
      if variable.name == "bias":
        assert not np.any(values)
        continue
      receptive_field = np.prod(values.shape[:-2])
      limit = np.sqrt(6 / (receptive_field * sum(values.shape[-2:])))
      assert 0.95 * limit < np.max(values) <= limit
      assert -limit <= np.min(values) < -0.95 * limit
      # The mean of n uniform numbers in (-limit, limit) has a stddev of limit / sqrt(3 n).
      assert abs(np.mean(values)) < 4 * limit / np.sqrt(3 * values.size)


def test_weights_depend_on_the_seed_alone():
  keras.utils.set_random_seed(0)
  networks = list(all_networks(seed=3))
  keras.utils.set_random_seed(1)
  architectures.test_decoder(4, (5, 5, 1), seed=3)
  for network, same, other in zip(networks, all_networks(3), all_networks(4), strict=True):
    for name, (kernel, _) in weights_of(network).items():
      np.testing.assert_array_equal(kernel, same.get_layer(name).get_weights()[0])
      assert np.mean(kernel == other.get_layer(name).get_weights()[0]) < 0.01


def test_layers_start_from_different_weights():
  discriminator = architectures.fc_discriminator(10, seed=0)
  hidden = [discriminator.get_layer(f"d{index}").kernel.numpy() for index in range(2, 7)]
  encoders = [
    architectures.fc_encoder((8, 8, 1), 10, seed=0),
    architectures.test_encoder((8, 8, 1), 10, seed=0),
  ]
  heads = [
    [encoder.get_layer(name).kernel.numpy() for name in ("means", "log_var")]
    for encoder in encoders
  ]
  for kernels in (hidden, *heads):
    for first, second in itertools.combinations(kernels, 2):
      assert np.mean(first == second) < 0.01
      assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.2


@pytest.mark.parametrize("size", [(1, 1), (4, 4), (3, 5)])
@pytest.mark.parametrize("channels", [(1, 2), (3, 4), (1, 1)], ids=str)
def test_doubling_deconvolution_and_its_gradients(size, channels):
  out_channels, in_channels = channels
  inputs = tf.constant(random_normal((2, *size, in_channels)))
  kernel = tf.constant(random_normal((4, 4, out_channels, in_channels), seed=1))
  upstream = random_normal((2, 2 * size[0], 2 * size[1], out_channels), seed=2)

  def outputs_and_gradients(function):
    with tf.GradientTape() as tape:
      tape.watch([inputs, kernel])
      outputs = function(inputs, kernel)
      target = tf.reduce_sum(outputs * upstream)
    return [outputs, *tape.gradient(target, [inputs, kernel])]

  expected = outputs_and_gradients(lambda inputs, kernel: deconvolve(inputs, (kernel, 0)))
  for function in (
    deconvolution.doubling_deconvolution,
    tf.function(deconvolution.doubling_deconvolution),
  ):
    for value, other in zip(outputs_and_gradients(function), expected, strict=True):
      np.testing.assert_allclose(value, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("batch_size, num_slices", [(6, 1), (6, 2), (7, 2), (7, 3), (2, 3)])
def test_slices_give_what_the_whole_batch_gives(batch_size, num_slices):
  encoder = architectures.test_encoder((3, 3, 1), 4, seed=0)
  images = tf.constant(random_normal((batch_size, 3, 3, 1)))
  upstream = random_normal((batch_size, 4), seed=1)

  def outputs_and_gradients(apply):
    with tf.GradientTape() as tape:
      tape.watch(images)
      z_mean, z_logvar = apply(images)
      target = tf.reduce_sum(upstream * z_mean) + tf.reduce_sum(tf.square(z_logvar))
    sources = [images, *encoder.trainable_variables]
    return [z_mean, z_logvar, *tape.gradient(target, sources)]

  values = outputs_and_gradients(
    lambda images: network_parts.apply_in_slices(encoder, images, num_slices)
  )
  for value, expected in zip(values, outputs_and_gradients(encoder), strict=True):
    np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-5)


def test_slices_of_a_network_with_one_output():
  decoder = architectures.test_decoder(4, (3, 3, 1), seed=0)
  z = random_normal((5, 4))
  images = network_parts.apply_in_slices(decoder, tf.constant(z), 2)
  np.testing.assert_allclose(images, decoder(z), rtol=1e-5, atol=1e-6)


def test_batch_of_unknown_size_in_slices():
  decoder = architectures.test_decoder(4, (3, 3, 1), seed=0)
  decode = tf.function(
    lambda z: network_parts.apply_in_slices(decoder, z, 2), [tf.TensorSpec([None, 4])]
  )
  for batch_size in (1, 5):
    z = random_normal((batch_size, 4))
    np.testing.assert_allclose(decode(z), decoder(z), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("observation_shape", [(32, 64, 1), (64, 32, 3), (10,)])
def test_convolutional_networks_take_64_x_64_pixels(observation_shape):
  size = " x ".join(str(length) for length in observation_shape[:2])
  with pytest.raises(
    errors.ConfigError, match=rf"^conv_encoder takes images of 64 x 64 pixels, got {size};"
  ):
    architectures.conv_encoder(observation_shape, 10, seed=0)
  with pytest.raises(
    errors.ConfigError, match=rf"^deconv_decoder takes images of 64 x 64 pixels, got {size};"
  ):
    architectures.deconv_decoder(10, observation_shape, seed=0)


def test_configured_networks():
  configs.parse(
    [],
    [
      "encoder.num_latent = 7",
      "encoder.encoder_fn = @fc_encoder",
      "decoder.decoder_fn = @fc_decoder",
      "discriminator.discriminator_fn = @fc_discriminator",
    ],
  )
  parts = gin_parts.encoder() | gin_parts.decoder() | gin_parts.discriminator()
  encoder = network_parts.make_encoder(parts["encoder"], (4, 4, 1), parts["num_latent"], seed=0)
  decoder = network_parts.make_decoder(parts["decoder"], 7, (4, 4, 1), seed=0)
  discriminator = network_parts.make_discriminator(parts["discriminator"], 7, seed=0)
  assert [head.shape for head in encoder(np.zeros((2, 4, 4, 1)))] == [(2, 7), (2, 7)]
  assert decoder(np.zeros((2, 7))).shape == (2, 4, 4, 1)
  assert discriminator(np.zeros((2, 7))).shape == (2, 2)


@pytest.mark.parametrize(
  "binding",
  ["encoder.encoder_fn", "decoder.decoder_fn", "discriminator.discriminator_fn"],
)
def test_unknown_network(binding):
  with pytest.raises(errors.ConfigError, match="nothing configurable is called 'cnn_encoder'"):
    configs.parse([], [f"{binding} = @cnn_encoder"])


@pytest.mark.parametrize("num_latent", [0, -1])
def test_number_of_latents_out_of_range(num_latent):
  message = rf"encoder\.num_latent must be in \[1, 1000\], got {num_latent}"
  with pytest.raises(errors.ConfigError, match=message):
    network_parts.check_num_latent(num_latent)
