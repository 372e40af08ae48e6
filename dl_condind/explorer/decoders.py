"""Decoders as lists of layers: run in NumPy, and packed for a page."""

import base64
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import special

from dl_condind.saved_models import network_layers
from dl_condind.utils import errors

MAX_ERROR = 1e-3  # of a pixel, between the page and TensorFlow
_HALF_ERROR = MAX_ERROR / 2  # Leaves room for codes that were not tried.
_NUM_TRIED = 64
_BYTES_PER_MEGABYTE = 1e6


def run(network: network_layers.Network, codes: np.ndarray) -> np.ndarray:
  """Returns the images of codes, `[num, height, width, channels]`.

  Args:
    network: The decoder.
    codes: All inputs side by side, `[num, num_inputs]`.
  """
  values = np.asarray(codes, np.float32)
  for layer in network.layers:
    values = values.reshape(-1, *layer.input_shape)
    if layer.kind == "convolution":
      raise errors.ConfigError("A page cannot run convolutions that are not transposed.")
    if layer.kind == "dense":
      values = values.reshape(len(values), -1) @ layer.weights
    else:
      values = _deconvolve(values, layer.weights, layer.stride)
    values = _activate(values + layer.bias, layer)
  return values.reshape(-1, *network.layers[-1].output_shape)


def _deconvolve(inputs: np.ndarray, kernel: np.ndarray, stride: int) -> np.ndarray:
  """Returns a transposed convolution with padding "same".

  Input pixel i adds kernel[a] times itself to output pixel stride * i + a - (size - stride) // 2.

  Args:
    inputs: `[num, height, width, in_channels]`.
    kernel: `[size, size, out_channels, in_channels]`.
    stride: Output pixels per input pixel.
  """
  num, height, width, _ = inputs.shape
  size, _, out_channels, _ = kernel.shape
  bottom, right = stride * (height - 1) + 1, stride * (width - 1) + 1
  padded = np.zeros((num, bottom + size - 1, right + size - 1, out_channels), np.float32)
  for a, b in np.ndindex(size, size):
    padded[:, a : a + bottom : stride, b : b + right : stride] += inputs @ kernel[a, b].T
  start = (size - stride) // 2
  return padded[:, start : start + stride * height, start : start + stride * width]


def _activate(values: np.ndarray, layer: network_layers.Layer) -> np.ndarray:
  functions: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "leaky_relu": lambda x: np.where(x > 0, x, layer.leak * x),
    "sigmoid": special.expit,
    "tanh": np.tanh,
  }
  return functions[layer.activation](values)


def pack(
  network: network_layers.Network,
  decode: Callable[[np.ndarray], np.ndarray],
  codes: np.ndarray,
  name: str,
  max_megabytes: float,
) -> dict[str, Any]:
  """Returns a decoder as JSON can hold it, for the page's own runtime.

  Weights are float16 if images then stay within half of `MAX_ERROR` of the model's own, or else
  float32.

  Args:
    network: The decoder.
    decode: Its model's own: codes -> images.
    codes: Codes to try, `[num, num_inputs]`.
    name: Whose decoder it is, for messages.
    max_megabytes: How much room it may take in the page.

  Raises:
    ConfigError: If it takes more, or the layers do not give the model's images.
  """
  images = decode(codes)
  error = float(np.max(np.abs(run(network, codes) - images)))
  if not error <= _HALF_ERROR / 10:  # NaN is an error, too.
    raise errors.ConfigError(
      f"{name} is not the chain of layers that its graph looks like: images differ by {error:.2g}."
    )
  with np.errstate(over="ignore", invalid="ignore"):  # A weight may be too large for float16.
    halves = [
      layer._replace(weights=layer.weights.astype(np.float16).astype(np.float32))
      for layer in network.layers
    ]
    rounded = network._replace(layers=halves)
    half_error = float(np.max(np.abs(run(rounded, codes) - images)))
  is_half = half_error <= _HALF_ERROR
  weights_type = np.float16 if is_half else np.float32
  layers = [_packed_layer(layer, weights_type) for layer in network.layers]
  megabytes = sum(len(layer["weights"]) for layer in layers) / _BYTES_PER_MEGABYTE
  if megabytes > max_megabytes:
    num_weights = sum(layer.weights.size for layer in network.layers)
    raise errors.ConfigError(
      f"{name} has {num_weights:,} weights, which take {megabytes:.1f} MB in the page; the limit "
      f"is max_megabytes={max_megabytes:g}. For a page of that size raise it."
    )
  return {
    "inputs": [[argument, size] for argument, (size,) in network.inputs],
    "layers": layers,
    "weights_type": "float16" if is_half else "float32",
    "error": half_error if is_half else error,
  }


def _packed_layer(layer: network_layers.Layer, weights_type: type) -> dict[str, Any]:
  return {
    "kind": layer.kind,
    "shape": list(layer.weights.shape),
    "input_shape": list(layer.input_shape),
    "output_shape": list(layer.output_shape),
    "stride": layer.stride,
    "activation": layer.activation,
    "leak": layer.leak,
    "weights": to_base64(layer.weights.astype(weights_type)),
    "bias": to_base64(layer.bias.astype(np.float32)),
  }


def to_base64(array: np.ndarray) -> str:
  """Returns the bytes of an array, little-endian, row by row, as text."""
  little = array.astype(array.dtype.newbyteorder("<"), copy=False)
  return base64.b64encode(np.ascontiguousarray(little).tobytes()).decode("ascii")


def codes_to_try(starts: Sequence[np.ndarray], num_inputs: int) -> np.ndarray:
  """Returns draws of N(0, I) times 1.5, which reach as far as sliders, and given codes.

  Args:
    starts: Arrays `[num, num_inputs]`.
    num_inputs: Size of a code.
  """
  drawn = 1.5 * np.random.default_rng(0).standard_normal((_NUM_TRIED, num_inputs))
  return np.concatenate([drawn, *starts]).astype(np.float32)
