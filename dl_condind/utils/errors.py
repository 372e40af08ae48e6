"""The errors a user can cause, each with the exit code of the program it ends."""


class ConfigError(ValueError):
  """A setting, flag, path or run directory does not allow what was asked."""

  exit_code = 2


class DatasetError(Exception):
  """A file of data, or a stored model, is missing, damaged or not what it should be."""

  exit_code = 3


class DivergedError(ArithmeticError):
  """Training reached a loss that is not finite."""

  exit_code = 4


class TryAgainError(Exception):
  """The same command can succeed later: locked, preempted, or out of disk space."""

  exit_code = 75
