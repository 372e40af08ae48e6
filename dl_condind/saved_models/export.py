"""Writes stored models in formats that others read: ONNX, and Keras without this package."""

from collections.abc import Mapping
import os
import pathlib

from absl import logging
import numpy as np

from dl_condind.saved_models import saved_model
from dl_condind.saved_models import stored_model
from dl_condind.utils import errors
from dl_condind.utils import files
from dl_condind.utils import run_folder

FORMATS = ("keras", "onnx")

# File -> signature and its outputs, of a VAE and of an InfoGAN.
_NETWORKS: Mapping[str, Mapping[str, tuple[str, tuple[str, ...]]]] = {
  "gaussian_encoder": {
    "encoder": ("gaussian_encoder", ("mean", "logvar")),
    "decoder": ("decoder", ("images",)),
  },
  "generator": {
    "generator": ("generator", ("images",)),
    "recognition_network": ("recognition_network", ("mean", "logvar", "categorical_logits")),
  },
}
_NUM_TRIED = 8
_TOLERANCE = 1e-4  # of outputs, relative to the largest


def export_model(
  model_dir: str | os.PathLike,
  output_path: str | os.PathLike,
  format: str,
  overwrite: bool = False,
  trust_model: bool = False,
) -> pathlib.Path:
  """Writes the networks of a trained model into a folder.

  Of a VAE these are `encoder` and `decoder`, of an InfoGAN `generator` and `recognition_network`,
  each a file whose name ends in the format. They take and return what the signatures of the
  SavedModel do; Keras's encoder returns `mean` and `logvar` only. What was written is run, and
  compared with the stored model.

  Args:
    model_dir: Folder of the trained model.
    output_path: Folder to write.
    format: "keras" or "onnx".
    overwrite: Whether to replace an export that is there.
    trust_model: Whether the model may have operations that no model of this package has.

  Returns:
    The folder.

  Raises:
    ConfigError: If the format is unknown, packages that it needs are not installed, the format
      cannot hold the model, or output_path is not empty or cannot be written.
    DatasetError: If the model is missing, damaged or not harmless.
    TryAgainError: If the disk is full.
  """
  if format not in FORMATS:
    raise errors.ConfigError(f"format must be {' or '.join(FORMATS)}, got {format!r}.")
  output_path = pathlib.Path(output_path)
  _check_replaceable(output_path, overwrite)
  with saved_model.trusting(trust_model):
    model = stored_model.StoredModel(run_folder.StageFolder(pathlib.Path(model_dir)).saved_model)
  networks = next((found for name, found in _NETWORKS.items() if name in model), None)
  if networks is None:
    raise errors.ConfigError(f"{model_dir} holds neither a VAE nor an InfoGAN: nothing to export.")
  write = _write_keras if format == "keras" else _write_onnx
  with files.atomic_directory(output_path) as folder:
    for name, (signature, outputs) in networks.items():
      write(model, signature, outputs, folder / f"{name}.{format}")
  logging.info("Wrote %s of %s to %s.", " and ".join(networks), model_dir, output_path)
  return output_path


def _check_replaceable(path: pathlib.Path, overwrite: bool) -> None:
  if not path.is_dir() or not any(path.iterdir()):
    return
  if not (path / files.MANIFEST).is_file():
    raise errors.ConfigError(f"{path} is not empty and not from an export: choose another folder.")
  if not overwrite:
    raise errors.ConfigError(
      f"{path} is there already: choose another folder, or replace it with overwrite=True."
    )


def _write_keras(model, signature, outputs, path: pathlib.Path) -> None:
  from dl_condind.saved_models import keras_networks

  inputs, expected = _tried(model, signature)
  kept = [name for name in outputs if name in expected]
  network = keras_networks.build(model, signature, kept)
  found = network(inputs if len(inputs) > 1 else next(iter(inputs.values())))
  found = found if len(kept) > 1 else {kept[0]: found}
  _check(signature, {name: np.asarray(value) for name, value in found.items()}, expected)
  network.save(path)


def _write_onnx(model, signature, outputs, path: pathlib.Path) -> None:
  del outputs
  from dl_condind.saved_models import onnx_networks

  inputs, expected = _tried(model, signature)
  converted = onnx_networks.convert(model, signature)
  _check(signature, onnx_networks.run(converted, **inputs), expected)
  path.write_bytes(converted.SerializeToString())


def _tried(model, signature: str) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
  """Returns inputs in [0, 1] and what the stored model makes of them."""
  rng = np.random.default_rng(0)
  inputs = {
    name: rng.random((_NUM_TRIED, *model.row_shape(signature, name)), np.float32)
    for name in model.arguments(signature)
  }
  return inputs, model.call(signature, **inputs)


def _check(
  signature: str, found: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]
) -> None:
  for name, values in found.items():
    error = np.max(np.abs(values - expected[name]))
    if not error <= _TOLERANCE * max(1.0, np.max(np.abs(expected[name]))):  # NaN is an error, too.
      raise errors.ConfigError(
        f"{name} of the exported {signature} differs by {error:.2g} from the stored model's: this "
        "network cannot be exported."
      )
