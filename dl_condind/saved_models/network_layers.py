"""The layers of a stored network as plain arrays, read from its graph.

Nothing but the SavedModel is needed: neither the code that built the network nor its configuration.
What is known: dense layers, convolutions and transposed convolutions with padding "same", each
followed by any number of additions and multiplications by constants (such as batch normalization,
which becomes part of the layer) and one of `ACTIVATIONS`.
"""

from collections.abc import Callable
from collections.abc import Sequence
import functools
from typing import Any
from typing import NamedTuple

import numpy as np
from tensorflow.python.framework import convert_to_constants

from dl_condind.utils import errors

ACTIVATIONS = ("linear", "relu", "leaky_relu", "sigmoid", "tanh")

_ACTIVATION_OPS = {
  "Relu": "relu",
  "LeakyRelu": "leaky_relu",
  "Sigmoid": "sigmoid",
  "Tanh": "tanh",
}
_AFFINE_OPS = ("BiasAdd", "Add", "AddV2", "Mul", "Sub")
_LAYER_OPS = ("MatMul", "Conv2D", "Conv2DBackpropInput")
_SAME_VALUES = ("Identity", "Reshape")


class Layer(NamedTuple):
  """One layer: its weights, and the activation after it.

  Attributes:
    kind: "dense", "convolution" or "deconvolution", the latter two with padding "same".
    weights: float32 `[num_inputs, num_outputs]`, `[size, size, in_channels, out_channels]` or
      `[size, size, out_channels, in_channels]`, in this order of kinds.
    bias: float32, one for each output or output channel.
    activation: One of `ACTIVATIONS`.
    leak: Slope of a leaky relu below 0.
    stride: That of a convolution of either kind, 1 for a dense layer.
    input_shape: Shape of the input, `(num_inputs,)` or `(height, width, channels)`.
    output_shape: The same of the output.
  """

  kind: str
  weights: np.ndarray
  bias: np.ndarray
  activation: str
  leak: float
  stride: int
  input_shape: tuple[int, ...]
  output_shape: tuple[int, ...]


class Network(NamedTuple):
  """Layers that are applied one after the other.

  Attributes:
    inputs: Names of the arguments and their shapes without the batch, in the order in which the
      first layer takes them side by side.
    layers: The layers.
  """

  inputs: list[tuple[str, tuple[int, ...]]]
  layers: list[Layer]


class _Step(NamedTuple):
  """An operation on the data with the constants it takes."""

  op: Any
  constants: list[Any]
  shape: tuple[int, ...]  # of its result, without the batch


def read(function: Any, output: str, name: str) -> Network:
  """Reads the layers between the arguments of a signature and one of its outputs.

  Args:
    function: Signature of a loaded SavedModel.
    output: Name of the output.
    name: What the network is, for messages, such as "The decoder at output/vae".

  Raises:
    ConfigError: If it has an operation that is not among those above, which the message names.
  """
  frozen, tensor = _frozen(function, output)
  refuse = functools.partial(_refuse, name)
  inputs, steps = _trace(tensor, refuse)
  tensors = [tensor for step in steps for tensor in step.constants]
  values = iter([value.numpy() for value in frozen.prune([], tensors)()])
  layers: list[Layer] = []
  shape = inputs[0][1] if len(inputs) == 1 else (sum(size for _, (size,) in inputs),)
  for step in steps:
    constants = [next(values) for _ in step.constants]
    if step.op.type in _LAYER_OPS or step.op.type == "IdentityN":
      layers.append(_layer(step, constants[0], shape, refuse))
    elif step.op.type == "Reshape":
      layers[-1:] = [layer._replace(output_shape=step.shape) for layer in layers[-1:]]
    else:
      if not layers:
        refuse(step.op)
      layers[-1] = _extended(layers[-1], step, constants, refuse)
    shape = step.shape
  return Network(inputs, layers)


def operations(function: Any, output: str) -> set[str]:
  """Returns the types of the operations that an output of a signature depends on."""
  _, tensor = _frozen(function, output)
  return {op.type for op in _ancestors(tensor)}


def _frozen(function: Any, output: str) -> tuple[Any, Any]:
  """Returns a function without calls of others and without variables, and its output."""
  frozen = convert_to_constants.convert_variables_to_constants_v2(function)
  return frozen, frozen.outputs[sorted(function.structured_outputs).index(output)]


def _refuse(name: str, op: Any) -> None:
  raise errors.ConfigError(
    f"{name} has the operation {op.type} ({op.name}), which is not understood here: it must "
    "consist of dense layers, convolutions (also transposed ones) with padding 'same', batch "
    f"normalization and the activations {', '.join(ACTIVATIONS)}, one after the other."
  )


def _trace(tensor: Any, refuse: Callable) -> tuple[list[tuple[str, tuple[int, ...]]], list[_Step]]:
  """Returns the inputs of a graph and the operations from there to a tensor."""
  steps: list[_Step] = []
  while tensor.op.type not in ("Placeholder", "ConcatV2"):
    op, constants = tensor.op, []
    if op.type in _AFFINE_OPS:
      data = [tensor for tensor in op.inputs if _depends_on_input(tensor)]
      constants = [tensor for tensor in op.inputs if not _depends_on_input(tensor)]
      if len(data) != 1 or (op.type == "Sub" and data[0] is not op.inputs[0]):
        refuse(op)
      (source,) = data
    elif op.type in ("MatMul", "Conv2D"):
      source, constants = op.inputs[0], [op.inputs[1]]
    elif op.type == "Conv2DBackpropInput":
      source, constants = op.inputs[2], [op.inputs[1]]
    elif _is_doubling(op):  # The gradient's arguments are the input and the kernel.
      source, constants = op.inputs[1], [op.inputs[2]]
    elif op.type in _ACTIVATION_OPS or op.type in _SAME_VALUES:
      source = op.inputs[0]
    else:
      refuse(op)
    if op.type in _LAYER_OPS and (not _depends_on_input(source) or _depends_on_input(*constants)):
      refuse(op)
    if op.type != "Identity":
      steps.append(_Step(op, constants, tuple(tensor.shape[1:])))
    tensor = source
  return _inputs(tensor, refuse), steps[::-1]


def _is_doubling(op: Any) -> bool:
  """Returns whether an operation is the result of `deconvolution.doubling_deconvolution`."""
  return (
    op.type == "IdentityN"
    and len(op.inputs) == 3
    and op.inputs[0].op.type == "StridedSlice"
    and op.inputs[0].op.inputs[0].op.type == "DepthToSpace"
  )


def _depends_on_input(tensor: Any) -> bool:
  return any(op.type == "Placeholder" for op in _ancestors(tensor))


def _ancestors(tensor: Any) -> list[Any]:
  """Returns the operations that a tensor depends on, its own among them."""
  found, waiting = {}, [tensor.op]
  while waiting:
    op = waiting.pop()
    if op.name not in found:
      found[op.name] = op
      waiting += [source.op for source in op.inputs]
  return list(found.values())


def _inputs(tensor: Any, refuse: Callable) -> list[tuple[str, tuple[int, ...]]]:
  """Returns names and shapes of the arguments that a tensor has side by side."""
  parts = [tensor] if tensor.op.type == "Placeholder" else list(tensor.op.inputs)[:-1]
  named = []
  for part in parts:
    while part.op.type == "Identity":
      part = part.op.inputs[0]
    if part.op.type != "Placeholder" or (len(parts) > 1 and part.shape.rank != 2):
      refuse(part.op)
    named.append((part.op.name, tuple(part.shape[1:])))
  return named


def _layer(step: _Step, weights: np.ndarray, shape: tuple[int, ...], refuse: Callable) -> Layer:
  """Returns a layer without what comes after it."""
  op = step.op
  if op.type == "MatMul":
    if op.get_attr("transpose_a") or op.get_attr("transpose_b"):
      refuse(op)
    bias = np.zeros(weights.shape[1], np.float32)
    return Layer("dense", weights, bias, "linear", 0.0, 1, shape, step.shape)
  stride = 2
  if not _is_doubling(op):
    _, stride, other, _ = op.get_attr("strides")
    is_plain = op.get_attr("padding") == b"SAME" and op.get_attr("data_format") == b"NHWC"
    if stride != other or not is_plain or set(op.get_attr("dilations")) != {1}:
      refuse(op)
  if weights.shape[0] != weights.shape[1]:
    refuse(op)
  if op.type == "Conv2D":
    bias = np.zeros(weights.shape[3], np.float32)
    return Layer("convolution", weights, bias, "linear", 0.0, stride, shape, step.shape)
  if weights.shape[0] < stride or step.shape[:2] != (stride * shape[0], stride * shape[1]):
    refuse(op)
  bias = np.zeros(weights.shape[2], np.float32)
  return Layer("deconvolution", weights, bias, "linear", 0.0, stride, shape, step.shape)


def _extended(
  layer: Layer, step: _Step, constants: Sequence[np.ndarray], refuse: Callable
) -> Layer:
  """Returns a layer with the operation after it."""
  op = step.op
  if layer.activation != "linear":  # What follows is no longer part of a linear layer.
    refuse(op)
  if op.type in _ACTIVATION_OPS:
    leak = op.get_attr("alpha") if op.type == "LeakyRelu" else 0.0
    return layer._replace(activation=_ACTIVATION_OPS[op.type], leak=leak)
  constant = constants[0].astype(np.float64)
  if constant.size not in (1, layer.bias.size) or constant.shape[-1:] not in ((), (constant.size,)):
    refuse(op)
  constant = constant.reshape(-1)
  if op.type != "Mul":
    bias = layer.bias - constant if op.type == "Sub" else layer.bias + constant
    return layer._replace(bias=bias.astype(np.float32))
  by_output = constant[:, None] if layer.kind == "deconvolution" else constant
  return layer._replace(
    weights=(layer.weights * by_output).astype(np.float32),
    bias=(layer.bias * constant).astype(np.float32),
  )
