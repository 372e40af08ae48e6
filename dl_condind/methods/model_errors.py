"""What TensorFlow raises for a stored model that is not what it should be, as one clear line."""

from collections.abc import Iterator
import contextlib

import tensorflow as tf

from dl_condind.utils import errors

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
