"""What TensorFlow raises where it reads, runs or writes a model, as one clear line."""

from collections.abc import Iterator
import contextlib
import pathlib

from absl import logging
import tensorflow as tf

from dl_condind.utils import errors
from dl_condind.utils import files

_ERRORS = (
  AssertionError,
  AttributeError,
  LookupError,
  OSError,
  RuntimeError,
  TypeError,
  ValueError,
  tf.errors.OpError,
)


@contextlib.contextmanager
def clear_errors(what: str) -> Iterator[None]:
  """Turns what goes wrong while a stored model is read or run into one clear line.

  Args:
    what: Which model it is, as the beginning of the message.

  Raises:
    DatasetError: If it cannot be read, or a function is missing, takes or returns something else,
      or cannot be run.
  """
  try:
    yield
  except errors.ConfigError:  # A ValueError of this package.
    raise
  except _ERRORS as error:
    reason = (str(error).splitlines() or [""])[0][:200]
    raise errors.DatasetError(
      f"{what} is damaged or not one of dl_condind ({type(error).__name__}: {reason}): write it "
      "again."
    ) from error


@contextlib.contextmanager
def clear_write_errors(path: pathlib.Path) -> Iterator[None]:
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
  except (
    tf.errors.FailedPreconditionError,  # A file is where a folder is needed.
    tf.errors.NotFoundError,
    tf.errors.PermissionDeniedError,
  ) as error:
    raise errors.ConfigError(
      f"Cannot write {path}: choose a folder that can be written to."
    ) from error
  finally:
    logging.set_verbosity(verbosity)
