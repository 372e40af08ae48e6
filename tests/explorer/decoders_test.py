import base64

import numpy as np
import pytest
import tensorflow as tf

from dl_condind.explorer import decoders
from dl_condind.saved_models import network_layers
from dl_condind.utils import errors


def dense(weights, activation="linear"):
  weights = np.asarray(weights, np.float32)
  bias = np.zeros(weights.shape[1], np.float32)
  shapes = ((weights.shape[0],), (1, weights.shape[1], 1))
  return network_layers.Layer("dense", weights, bias, activation, 0.0, 1, *shapes)


@pytest.mark.parametrize("size, stride", [(4, 2), (3, 2), (5, 2), (5, 3), (3, 1), (2, 2), (4, 4)])
def test_deconvolution_is_that_of_tensorflow(size, stride):
  rng = np.random.default_rng(0)
  inputs = rng.normal(size=(2, 3, 4, 5)).astype(np.float32)
  kernel = rng.normal(size=(size, size, 6, 5)).astype(np.float32)
  shape = (2, 3 * stride, 4 * stride, 6)
  expected = tf.nn.conv2d_transpose(inputs, kernel, shape, stride, "SAME")
  np.testing.assert_allclose(decoders._deconvolve(inputs, kernel, stride), expected, atol=1e-5)


def test_weights_are_half_precision_where_that_is_precise_enough():
  network = network_layers.Network([("z", (2,))], [dense([[0.1, 1.0], [0.3, 2.0]])])
  codes = np.eye(2, dtype=np.float32)
  packed = decoders.pack(network, lambda z: decoders.run(network, z), codes, "It", 1)
  assert packed["weights_type"] == "float16"
  rounded = np.frombuffer(base64.b64decode(packed["layers"][0]["weights"]), "<f2")
  np.testing.assert_array_equal(rounded, np.float16([0.1, 1.0, 0.3, 2.0]))
  assert packed["error"] == pytest.approx(abs(float(np.float16(0.3)) - 0.3), rel=1e-3)


@pytest.mark.parametrize("weight", [30.01, 1e6])  # The latter is infinite in half precision.
def test_weights_are_single_precision_otherwise(weight):
  network = network_layers.Network([("z", (2,))], [dense([[weight, 1.0], [-weight, 2.0]])])
  codes = np.array([[1.0, 1.0], [1.0, 0.0]], np.float32)
  packed = decoders.pack(network, lambda z: decoders.run(network, z), codes, "It", 1)
  assert packed["weights_type"] == "float32"
  weights = np.frombuffer(base64.b64decode(packed["layers"][0]["weights"]), "<f4")
  np.testing.assert_array_equal(weights, np.float32([weight, 1, -weight, 2]))
  assert packed["error"] == 0


def test_layers_that_give_other_images_are_refused():
  network = network_layers.Network([("z", (2,))], [dense(np.eye(2))])
  with pytest.raises(errors.ConfigError, match="It is not the chain of layers .* differ by 0.1"):
    decoders.pack(network, lambda z: decoders.run(network, z) + 0.1, np.eye(2), "It", 1)


def test_size_is_limited():
  network = network_layers.Network([("z", (3,))], [dense(np.zeros((3, 1000)))])
  with pytest.raises(
    errors.ConfigError,
    match=r"It has 3,000 weights, .* 0\.0 MB in the page; the limit is max_megabytes=0\.005\.",
  ):
    decoders.pack(network, lambda z: decoders.run(network, z), np.eye(3), "It", 0.005)
