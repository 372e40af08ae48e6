"""Stored networks as plain Keras models, which Keras loads without this package."""

from collections.abc import Sequence

import keras
from keras import layers
import numpy as np

from dl_condind.saved_models import network_layers
from dl_condind.saved_models import stored_model


def build(model: stored_model.StoredModel, signature: str, outputs: Sequence[str]) -> keras.Model:
  """Returns the network of a signature, made of Keras's own layers.

  Batch normalization is part of the layer before it. Layers that lead to several outputs are there
  once.

  Args:
    model: The stored model.
    signature: Name of its function.
    outputs: Names of the outputs to keep.

  Returns:
    Model from the arguments of the signature, a dictionary if there are several, to a dictionary of
    outputs or, if there is one, to it.

  Raises:
    ConfigError: If the network does not consist of such layers.
    DatasetError: If the stored model is damaged.
  """
  networks = {output: model.layers(signature, output) for output in outputs}
  inputs = {
    name: keras.Input(shape, name=name) for name, shape in next(iter(networks.values())).inputs
  }
  parts = list(inputs.values())
  start = layers.Concatenate()(parts) if len(parts) > 1 else parts[0]
  made: dict[int, list[tuple[network_layers.Layer, keras.KerasTensor]]] = {}
  results = {output: _apply(network, start, made) for output, network in networks.items()}
  return keras.Model(
    inputs if len(inputs) > 1 else parts[0],
    results if len(results) > 1 else next(iter(results.values())),
    name=signature,
  )


def _apply(
  network: network_layers.Network,
  tensor: keras.KerasTensor,
  made: dict[int, list[tuple[network_layers.Layer, keras.KerasTensor]]],
) -> keras.KerasTensor:
  """Returns a network's output; takes the layers from `made` that another output has, too."""
  is_shared = True
  for depth, layer in enumerate(network.layers):
    others = made.setdefault(depth, [])
    found = [result for other, result in others if is_shared and _same(other, layer)]
    is_shared = bool(found)
    if not found:
      others.append((layer, _made(layer, tensor)))
    tensor = found[0] if found else others[-1][1]
  return _reshaped(tensor, network.layers[-1].output_shape)


def _same(first: network_layers.Layer, second: network_layers.Layer) -> bool:
  return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def _made(layer: network_layers.Layer, tensor: keras.KerasTensor) -> keras.KerasTensor:
  """Returns the output of a new Keras layer with the weights of a layer."""
  activation = None if layer.activation in ("linear", "leaky_relu") else layer.activation
  if layer.kind == "dense":
    made = layers.Dense(layer.bias.size, activation=activation)
    shape = (layer.weights.shape[0],)
  else:
    kinds = {"convolution": layers.Conv2D, "deconvolution": layers.Conv2DTranspose}
    size = layer.weights.shape[0]
    made = kinds[layer.kind](layer.bias.size, size, layer.stride, "same", activation=activation)
    shape = layer.input_shape
  result = made(_reshaped(tensor, shape))
  made.set_weights([layer.weights, layer.bias])
  return layers.LeakyReLU(layer.leak)(result) if layer.activation == "leaky_relu" else result


def _reshaped(tensor: keras.KerasTensor, shape: tuple[int, ...]) -> keras.KerasTensor:
  return tensor if tuple(tensor.shape[1:]) == shape else layers.Reshape(shape)(tensor)
