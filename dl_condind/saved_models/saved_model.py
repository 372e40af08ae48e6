"""Trained models as TensorFlow SavedModels: no code of this package is needed to load them.

A SavedModel is a program. Its manifest proves that its files belong together, not who made them, so
`load` also reads the program first and refuses one that models of this package do not consist of.
"""

from collections.abc import Iterator
from collections.abc import Mapping
import contextlib
import contextvars
import os
import pathlib
from typing import Any

from absl import logging
import tensorflow as tf

from dl_condind.saved_models import allowed_models
from dl_condind.saved_models import model_errors
from dl_condind.utils import errors
from dl_condind.utils import files
from dl_condind.utils import results

_is_trusted = contextvars.ContextVar("_is_trusted", default=False)


@contextlib.contextmanager
def trusting(trust_model: bool) -> Iterator[None]:
  """Says for a block whether `load` skips the check of what a model consists of.

  Programs and the functions behind them open the block; the metrics and pictures in between, which
  gin calls, need not hand the answer on. It ends with the block, an inner block overrides an outer
  one, and another thread starts without trust.
  """
  token = _is_trusted.set(trust_model)
  try:
    yield
  finally:
    _is_trusted.reset(token)


def is_trusting() -> bool:
  """Returns whether the innermost `trusting` block around the caller trusts models."""
  return _is_trusted.get()


def save(module: tf.Module, signatures: Mapping[str, Any], path: str | os.PathLike) -> None:
  """Writes a module and its functions atomically, with the checksums of its files.

  Logs a warning if it has operations, such as those of a network of the user, for which `load`
  will need trust.

  Args:
    module: What owns the weights.
    signatures: Its functions, or those of another module, by name.
    path: Folder to write.

  Raises:
    TryAgainError: If the disk is full.
    ConfigError: If path cannot be written.
  """
  path = pathlib.Path(path)
  with model_errors.clear_write_errors(path), files.atomic_directory(path) as temporary:
    tf.saved_model.save(module, str(temporary), signatures=signatures)
  try:
    allowed_models.check(path)
  except errors.DatasetError as error:
    logging.warning("The stages after this one need trust_model=True: %s", error)


def load(path: str | os.PathLike) -> Any:
  """Loads a model that this package wrote, after checking that it is whole and harmless.

  Its files must be those of its manifest, it must be the one that the record next to it names, and
  it must have only operations that models of this package have, unless in a `trusting` block.

  Raises:
    DatasetError: If the model is missing, has no manifest, was changed, is not the recorded one, is
      damaged, or has another operation, which the message names.
  """
  path = pathlib.Path(path)
  if not path.is_dir():
    raise errors.DatasetError(f"No model at {path}: train it, or name the folder of its run.")
  files.verify_manifest(path)
  results.check_recorded_model(path)
  if not is_trusting():
    allowed_models.check(path)
  with model_errors.clear_errors(f"The model at {path}"):
    return tf.saved_model.load(str(path))
