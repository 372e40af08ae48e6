"""The functions of a SavedModel, with NumPy arrays in and out."""

import os
from typing import Any

import numpy as np
import tensorflow as tf

from dl_condind.saved_models import model_errors
from dl_condind.saved_models import network_layers
from dl_condind.saved_models import saved_model

_CHUNK = 1000  # images; large enough to be fast, small enough for any memory


class StoredModel:
  """A SavedModel that this package wrote."""

  def __init__(self, path: str | os.PathLike):
    """Loads it; errors as `saved_model.load`."""
    self._name = f"The model at {path}"
    self._model = saved_model.load(path)  # It owns the weights.

  def __contains__(self, signature: str) -> bool:
    return signature in self._model.signatures

  @property
  def weights(self) -> list[np.ndarray]:
    """All its variables."""
    return [variable.numpy() for variable in self._model.tracked_variables]

  def named_weights(self) -> list[tuple[str, np.ndarray]]:
    """Returns names, such as `means/kernel`, and values of its variables, in their order."""
    return [(v.name.removesuffix(":0"), v.numpy()) for v in self._model.tracked_variables]

  def arguments(self, signature: str) -> list[str]:
    """Returns the names of the arguments of a signature."""
    return list(self._model.signatures[signature].structured_input_signature[1])

  def takes(self, signature: str, argument: str) -> bool:
    """Returns whether a signature has an argument."""
    return argument in self.arguments(signature)

  def row_shape(self, signature: str, argument: str) -> tuple[int, ...]:
    """Returns the shape of one row of an argument of a signature.

    Raises:
      DatasetError: If the signature or the argument is missing.
    """
    with model_errors.clear_errors(self._name):
      arguments = self._model.signatures[signature].structured_input_signature[1]
      return tuple(arguments[argument].shape[1:])

  def signature(self, name: str) -> Any:
    """Returns a signature, a function of TensorFlow.

    Raises:
      DatasetError: If it is missing.
    """
    with model_errors.clear_errors(self._name):
      return self._model.signatures[name]

  def layers(self, signature: str, output: str = "images") -> network_layers.Network:
    """Returns a signature as plain layers, as far as an output needs them.

    Raises:
      ConfigError: If it consists of something else.
      DatasetError: If the model is damaged.
    """
    with model_errors.clear_errors(self._name):
      return network_layers.read(self._model.signatures[signature], output, self._name)

  def call(self, name: str, **inputs: np.ndarray) -> dict[str, np.ndarray]:
    """Calls a signature, or a function next to the signatures, once.

    Args:
      name: Name of the function.
      **inputs: Its arguments, of the types it takes.

    Raises:
      DatasetError: If the model is damaged.
    """
    with model_errors.clear_errors(self._name):
      is_signature = name in self._model.signatures
      function = self._model.signatures[name] if is_signature else getattr(self._model, name)
      outputs = function(**{key: tf.constant(value) for key, value in inputs.items()})
      return {key: value.numpy() for key, value in outputs.items()}

  def call_in_chunks(self, name: str, **inputs: np.ndarray) -> dict[str, np.ndarray]:
    """Calls a function as `call` does, with a part of the rows of its arguments at a time."""
    num_rows = len(next(iter(inputs.values())))
    chunks = [
      self.call(name, **{key: value[start : start + _CHUNK] for key, value in inputs.items()})
      for start in range(0, max(num_rows, 1), _CHUNK)
    ]
    return {key: np.concatenate([chunk[key] for chunk in chunks]) for key in chunks[0]}
