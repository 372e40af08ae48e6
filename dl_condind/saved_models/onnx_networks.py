"""Stored networks in the ONNX format, converted by tf2onnx."""

from typing import Any

from absl import logging
import tensorflow as tf

from dl_condind.saved_models import network_layers
from dl_condind.saved_models import stored_model
from dl_condind.utils import errors

try:
  import onnx
  import onnxruntime
  import tf2onnx
except ImportError as error:
  raise errors.ConfigError(
    "An export to ONNX needs onnx, onnxruntime and tf2onnx, which are not all installed: run `pip "
    "install onnx onnxruntime tf2onnx`, or `pip install '.[onnx]'` in a clone of the repository."
  ) from error

_OPSET = 18
_UNKNOWN = {"Cholesky", "Qr"}  # Operations that ONNX does not have.


def convert(model: stored_model.StoredModel, signature: str) -> Any:
  """Returns the network of a signature as ONNX model, whose names are those of the signature.

  An output that needs an operation that ONNX does not have is left out: the Cholesky factors of
  some families of posteriors.

  Args:
    model: The stored model.
    signature: Name of its function.

  Raises:
    DatasetError: If the signature is missing.
  """
  function = model.signature(signature)
  arguments = function.structured_input_signature[1]
  specs = [tf.TensorSpec(spec.shape, spec.dtype, name=name) for name, spec in arguments.items()]
  kept = [
    name
    for name in function.structured_outputs
    if not _UNKNOWN & network_layers.operations(function, name)
  ]
  for name in sorted({*function.structured_outputs} - {*kept}):
    logging.warning("Left out %s of %s, which ONNX has no operation for.", name, signature)

  def network(*values):
    outputs = function(**dict(zip(arguments, values, strict=True)))
    return {name: outputs[name] for name in kept}

  traced = tf.function(network, input_signature=specs, autograph=False)
  converted, _ = tf2onnx.convert.from_function(traced, input_signature=specs, opset=_OPSET)
  onnx.checker.check_model(converted)
  return converted


def run(converted: Any, **inputs: Any) -> dict[str, Any]:
  """Returns the outputs of an ONNX model for arrays, by name."""
  session = onnxruntime.InferenceSession(
    converted.SerializeToString(), providers=["CPUExecutionProvider"]
  )
  names = [output.name for output in session.get_outputs()]
  return dict(zip(names, session.run(names, inputs), strict=True))
