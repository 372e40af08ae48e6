import keras
import numpy as np
import pytest
import tensorflow as tf

from dl_condind.networks import infogan_networks
from dl_condind.utils import errors

CODE_SIZES = {"categorical": 10, "continuous": 2, "noise": 62}
SMALL = (4, 4, 1)
EPSILON = 1e-5


def networks(shape=SMALL, seed=1):
  """Returns all networks."""
  return {
    "generator": infogan_networks.generator(CODE_SIZES, shape, seed),
    "features": infogan_networks.feature_network(shape, seed + 1),
    "discriminator": infogan_networks.discriminator_head(seed + 2),
    "recognition": infogan_networks.recognition_head(2, 10, seed + 3),
  }


@pytest.fixture(scope="module")
def small():
  """Networks whose normalizations have been given statistics and parameters of their own."""
  built = networks()
  rng = np.random.default_rng(0)
  for network in built.values():
    for variable in network.variables:
      if variable.name in ("gamma", "beta", "moving_mean", "moving_variance", "bias"):
        variable.assign(rng.uniform(0.5, 1.5, size=variable.shape))
  return built


def random_code(num, seed=0):
  rng = np.random.default_rng(seed)
  return {
    name: rng.normal(size=(num, size)).astype(np.float32) for name, size in CODE_SIZES.items()
  }


def value_of(network, layer, name):
  return np.float64(getattr(network.get_layer(layer), name).numpy())


def normalize(network, layer, x):
  """Applies a normalization with its moving statistics."""
  mean, variance, gamma, beta = (
    value_of(network, layer, name) for name in ("moving_mean", "moving_variance", "gamma", "beta")
  )
  return (x - mean) / np.sqrt(variance + EPSILON) * gamma + beta


def convolve(x, kernel):
  """Convolution with stride 2, kernel 4 and padding 1, written out."""
  padded = np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])
  num_rows, num_columns = x.shape[1] // 2, x.shape[2] // 2
  outputs = np.empty((len(x), num_rows, num_columns, kernel.shape[3]))
  for i in range(num_rows):
    for j in range(num_columns):
      patch = padded[:, 2 * i : 2 * i + 4, 2 * j : 2 * j + 4]
      outputs[:, i, j] = np.einsum("nhwc,hwco->no", patch, kernel)
  return outputs


def deconvolve(x, kernel):
  """Transposed convolution with stride 2, kernel 4 and padding 1, written out."""
  num, num_rows, num_columns, _ = x.shape
  padded = np.zeros((num, 2 * num_rows + 2, 2 * num_columns + 2, kernel.shape[2]))
  for i in range(num_rows):
    for j in range(num_columns):
      patch = np.einsum("hwoc,nc->nhwo", kernel, x[:, i, j])
      padded[:, 2 * i : 2 * i + 4, 2 * j : 2 * j + 4] += patch
  return padded[:, 1:-1, 1:-1]


def leaky_relu(x):
  return np.where(x > 0, x, 0.1 * x)


def test_generator_is_that_of_table_1(small):
  network, code = small["generator"], random_code(3)
  x = np.concatenate([code["categorical"], code["continuous"], code["noise"]], axis=1)
  for layer in ("g1", "g2"):
    x = np.maximum(normalize(network, f"{layer}_norm", x @ value_of(network, layer, "kernel")), 0)
  x = x.reshape(3, 1, 1, 128)
  x = np.maximum(normalize(network, "g3_norm", deconvolve(x, value_of(network, "g3", "kernel"))), 0)
  x = deconvolve(x, value_of(network, "g4", "kernel")) + value_of(network, "g4", "bias")
  np.testing.assert_allclose(network(code), 1 / (1 + np.exp(-x)), rtol=1e-4, atol=1e-5)


def test_features_and_heads_are_those_of_table_1(small):
  images = np.random.default_rng(1).uniform(size=(3, *SMALL)).astype(np.float32)
  network = small["features"]
  x = convolve(np.float64(images), value_of(network, "d1", "kernel"))
  x = leaky_relu(x + value_of(network, "d1", "bias"))
  x = leaky_relu(normalize(network, "d2_norm", convolve(x, value_of(network, "d2", "kernel"))))
  x = x.reshape(3, -1) @ value_of(network, "d3", "kernel")
  features = leaky_relu(normalize(network, "d3_norm", x))
  np.testing.assert_allclose(network(images), features, rtol=1e-4, atol=1e-5)

  def dense(network, layer, x):
    return x @ value_of(network, layer, "kernel") + value_of(network, layer, "bias")

  network = small["discriminator"]
  logits = dense(network, "logits", features)
  np.testing.assert_allclose(network(np.float32(features)), logits, rtol=1e-4, atol=1e-4)
  network = small["recognition"]
  hidden = features @ value_of(network, "q1", "kernel")
  hidden = leaky_relu(normalize(network, "q1_norm", hidden))
  outputs = network(np.float32(features))
  assert outputs.keys() == {"mean", "logvar", "categorical_logits"}
  for name, values in outputs.items():
    np.testing.assert_allclose(values, dense(network, name, hidden), rtol=1e-4, atol=1e-4)


def test_sizes_for_mnist():
  built = networks((28, 28, 1))
  num_trainable = {
    name: sum(int(np.prod(v.shape)) for v in network.trainable_variables)
    for name, network in built.items()
  }
  # Kernels, biases where no normalization follows, and two parameters of each normalized channel.
  assert num_trainable == {
    "generator": 74 * 1024
    + 2 * 1024
    + 1024 * 6272
    + 2 * 6272
    + 16 * 128 * 64
    + 2 * 64
    + 16 * 64
    + 1,
    "features": 16 * 64 + 64 + 16 * 64 * 128 + 2 * 128 + 6272 * 1024 + 2 * 1024,
    "discriminator": 1024 + 1,
    "recognition": 1024 * 128 + 2 * 128 + 129 * (2 + 2 + 10),
  }
  images = built["generator"](random_code(2))
  assert images.shape == (2, 28, 28, 1)
  assert built["recognition"](built["features"](images))["categorical_logits"].shape == (2, 10)


@pytest.mark.parametrize("shape", [(8, 12, 3), (4, 20, 1)])
def test_images_may_have_any_size_that_is_a_multiple_of_4(shape):
  built = networks(shape)
  images = built["generator"](random_code(2)).numpy()
  assert images.shape == (2, *shape)
  assert images.min() > 0 and images.max() < 1
  features = built["features"](images)
  assert features.shape == (2, 1024)
  assert built["discriminator"](features).shape == (2, 1)


@pytest.mark.parametrize("shape", [(30, 28, 1), (28, 27, 3)])
def test_other_sizes_are_refused(shape):
  message = rf"multiples of 4, got {shape[0]} x {shape[1]}: choose another dataset\.name"
  with pytest.raises(errors.ConfigError, match=message):
    infogan_networks.generator(CODE_SIZES, shape, 0)


def test_codes_that_are_left_out():
  network = infogan_networks.generator({"noise": 5}, SMALL, 0)
  assert network({"noise": np.ones((2, 5), np.float32)}).shape == (2, *SMALL)
  head = infogan_networks.recognition_head(3, 0, 0)
  outputs = head(np.ones((2, 1024), np.float32))
  assert {name: values.shape for name, values in outputs.items()} == {
    "mean": (2, 3),
    "logvar": (2, 3),
  }


def test_training_normalizes_by_the_batch_and_notes_its_statistics():
  built = networks()["features"]
  images = np.random.default_rng(1).uniform(size=(5, *SMALL)).astype(np.float32)
  probe = keras.Model(
    built.input, [built.get_layer("d3").output, built.get_layer("d3_norm").output]
  )
  hidden, normalized = (np.float64(x) for x in probe(images, training=True))
  mean, variance = hidden.mean(axis=0), hidden.var(axis=0)
  expected = (hidden - mean) / np.sqrt(variance + EPSILON)
  np.testing.assert_allclose(normalized, expected, rtol=1e-3, atol=1e-4)
  # A tenth of what is new, nine tenths of the 0 and 1 they start from.
  np.testing.assert_allclose(value_of(built, "d3_norm", "moving_mean"), 0.1 * mean, atol=1e-6)
  moving_variance = value_of(built, "d3_norm", "moving_variance")
  np.testing.assert_allclose(moving_variance, 0.9 + 0.1 * variance, rtol=1e-5)


def test_weights_depend_on_the_seed_alone():
  tf.random.set_seed(7)
  first, again, other = networks(seed=1), networks(seed=1), networks(seed=11)
  for name, network in first.items():
    for variable, same, different in zip(
      network.variables, again[name].variables, other[name].variables, strict=True
    ):
      np.testing.assert_array_equal(variable, same)
      if variable.name == "kernel":
        assert np.mean(variable.numpy() == different.numpy()) < 0.01


def test_kernels_start_as_those_of_dcgan():
  for network in networks().values():
    for variable in network.variables:
      values = variable.numpy()
      if variable.name == "kernel" and values.size > 1e4:
        # Standard errors of a mean and a standard deviation of n normal numbers, five of them.
        assert abs(values.mean()) < 5 * 0.02 / np.sqrt(values.size)
        assert abs(values.std() / 0.02 - 1) < 5 / np.sqrt(2 * values.size)
