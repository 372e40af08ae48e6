"""Checkpoints that survive being killed at any instant.

A checkpoint is a folder that is either whole, with a checksum for each of its files, or absent. The
newest whole one counts; a damaged one is passed over. The file `step` in it says of which step it
is, so that a folder that was given another name is damaged.
"""

import pathlib
import re

from absl import logging
from google.protobuf import message
import tensorflow as tf

from dl_condind.saved_models import model_errors
from dl_condind.utils import errors
from dl_condind.utils import files
from dl_condind.utils import temporary_folders

_NUM_KEPT = 2
_NAME = re.compile(r"step_(\d{1,18})")
_CHECKPOINT, _STEP = "checkpoint", "step"  # Files of a checkpoint.

# What TensorFlow raises for files that are not the checkpoint of the model they are read into.
_READ_ERRORS = (
  AssertionError,
  IndexError,
  KeyError,
  TypeError,
  ValueError,
  message.DecodeError,
  tf.errors.OpError,
)


def _folders(directory: pathlib.Path) -> list[tuple[int, pathlib.Path]]:
  """Returns (step, folder) of each checkpoint, newest first."""
  matches = ((_NAME.fullmatch(path.name), path) for path in directory.glob("step_*"))
  return sorted(((int(match[1]), path) for match, path in matches if match), reverse=True)


def save(checkpoint: tf.train.Checkpoint, directory: pathlib.Path, step: int) -> None:
  """Writes a checkpoint and removes all but the newest two.

  Raises:
    TryAgainError: If the disk is full. Earlier checkpoints stay.
    ConfigError: If directory cannot be written.
  """
  folder = directory / f"step_{step:09d}"
  with model_errors.clear_write_errors(folder), files.atomic_directory(folder) as temporary:
    checkpoint.write(str(temporary / _CHECKPOINT))
    (temporary / _STEP).write_bytes(_step_text(step))
  for _, old in _folders(directory)[_NUM_KEPT:]:
    files.remove_directory(old)


def restore_newest(checkpoint: tf.train.Checkpoint, directory: pathlib.Path) -> int:
  """Restores the newest whole checkpoint and returns its step, 0 if there is none.

  Raises:
    DatasetError: If no checkpoint can be read although one fits its manifest.
    ConfigError: If a checkpoint does not say of which step it is.
  """
  temporary_folders.remove_leftovers(directory)
  unreadable = ""
  for step, folder in _folders(directory):
    try:
      files.verify_manifest(folder)
      _check_step(folder, step)
    except errors.DatasetError as error:
      logging.warning("Passing over a damaged checkpoint: %s", error)
      continue
    try:
      checkpoint.read(str(folder / _CHECKPOINT)).assert_consumed()
      return step
    except _READ_ERRORS as error:
      reason = (str(error).splitlines() or [""])[0][:200]
      unreadable = f"{folder} fits its manifest but not the model that reads it ({reason})"
      logging.warning("Passing over a checkpoint: %s", unreadable)
  if unreadable:  # Which may have changed some of the variables.
    raise errors.DatasetError(
      f"{unreadable}: restore it, or start the run anew with overwrite=True."
    )
  return 0


def _check_step(folder: pathlib.Path, step: int) -> None:
  path = folder / _STEP
  if not path.is_file():
    raise errors.ConfigError(
      f"{folder} is of an earlier version, which did not note the step: continue the run with that "
      "version, or start it anew with overwrite=True."
    )
  if path.read_bytes() != _step_text(step):
    raise errors.DatasetError(f"{folder} is named after a step that is not its own.")


def _step_text(step: int) -> bytes:
  return f"{step}\n".encode()
