"""Trained models as TensorFlow SavedModels: no code of this package is needed to load them."""

from collections.abc import Mapping
import os
import pathlib
from typing import Any

import tensorflow as tf

from dl_condind.methods import base_model
from dl_condind.methods import checkpoints
from dl_condind.methods import model_errors
from dl_condind.utils import errors
from dl_condind.utils import files


def export(model: base_model.Model, path: str | os.PathLike) -> None:
  """Writes a model with the functions it exports, each for any batch size.

  Raises:
    TryAgainError: If the disk is full.
    ConfigError: If path cannot be written.
  """
  save(*model.exported(), path)


def save(module: tf.Module, signatures: Mapping[str, Any], path: str | os.PathLike) -> None:
  """Writes a module atomically, with the checksums of its files."""
  path = pathlib.Path(path)
  with checkpoints.tensorflow_writes(path), files.atomic_directory(path) as temporary:
    tf.saved_model.save(module, str(temporary), signatures=signatures)


def load(path: str | os.PathLike) -> Any:
  """Loads a model written by this package, after checking that its files are unchanged.

  A SavedModel is a program: one without the manifest it was written with is refused.

  Raises:
    DatasetError: If the model is missing, has no manifest, was changed or is damaged.
  """
  if not pathlib.Path(path).is_dir():
    raise errors.DatasetError(f"No model at {path}: train it, or name the folder of its run.")
  files.verify_manifest(path)
  with model_errors.clear_errors(f"The model at {path}"):
    return tf.saved_model.load(str(path))
