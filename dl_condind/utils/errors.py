"""The errors a user can cause, each with the exit code of the program it ends."""

from collections.abc import Iterator
import contextlib


class ConfigError(ValueError):
  """A setting, flag, path or run directory does not allow what was asked."""

  exit_code = 2


class DatasetError(Exception):
  """A file of data, or a stored model, is missing, damaged or not what it should be."""

  exit_code = 3


class DivergedError(ArithmeticError):
  """Training reached a loss, or a result has a number, that is not finite.

  Attributes:
    step: The step of the training; None where it is not known, or it is a result.
  """

  exit_code = 4

  def __init__(self, message: str, step: int | None = None):
    """Describes it; step as the attribute."""
    super().__init__(message)
    self.step = step


class TryAgainError(Exception):
  """The same command can succeed later: locked, preempted, or out of disk space."""

  exit_code = 75


@contextlib.contextmanager
def on_one_line() -> Iterator[None]:
  """Leaves out what gin appends to the message of an error: the functions that it called."""
  kinds = (ConfigError, DatasetError, DivergedError)
  try:
    yield
  except kinds as error:
    kind = next(kind for kind in kinds if isinstance(error, kind))  # gin derives one of its own.
    raise kind(str(error).partition("\n")[0]) from None
