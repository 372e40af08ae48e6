"""Checkpoints that survive being killed at any instant.

A checkpoint is a folder that is either whole, with a checksum for each of its files, or absent. The
newest whole one counts; a damaged one is passed over.
"""

from collections.abc import Iterator
import contextlib
import pathlib
import re

from absl import logging
import tensorflow as tf

from dl_condind.utils import errors
from dl_condind.utils import files
from dl_condind.utils import temporary_folders

_NUM_KEPT = 2
_NAME = re.compile(r"step_(\d+)")


@contextlib.contextmanager
def tensorflow_writes(path: pathlib.Path) -> Iterator[None]:
  """Turns TensorFlow's refusal to write below path into one clear line, and quiets its progress.

  Raises:
    TryAgainError: If the disk is full.
    ConfigError: If path cannot be written.
  """
  verbosity = logging.get_verbosity()
  logging.set_verbosity(min(verbosity, logging.WARNING))
  try:
    yield
  except tf.errors.ResourceExhaustedError as error:
    raise files.no_space(path) from error
  except (tf.errors.PermissionDeniedError, tf.errors.FailedPreconditionError) as error:
    raise errors.ConfigError(
      f"Cannot write {path}: choose a folder that can be written to."
    ) from error
  finally:
    logging.set_verbosity(verbosity)


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
  with tensorflow_writes(folder), files.atomic_directory(folder) as temporary:
    checkpoint.write(str(temporary / "checkpoint"))
  for _, old in _folders(directory)[_NUM_KEPT:]:
    files.remove_directory(old)


def restore_newest(checkpoint: tf.train.Checkpoint, directory: pathlib.Path) -> int:
  """Restores the newest whole checkpoint and returns its step, 0 if there is none."""
  temporary_folders.remove_leftovers(directory)
  for step, folder in _folders(directory):
    try:
      files.verify_manifest(folder)
    except errors.DatasetError as error:
      logging.warning("Passing over a damaged checkpoint: %s", error)
      continue
    checkpoint.read(str(folder / "checkpoint")).assert_consumed()
    return step
  return 0
