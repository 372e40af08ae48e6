"""What the programs share: flags, logging and the way they end.

A program whose user made a mistake, or whose disk is full, ends with one line on stderr and an exit
code: 2 usage or configuration, 3 data, 4 diverged, 75 try again, 130 interrupted. Everything else
is a bug and keeps its traceback (exit code 1). Errors of the package name arguments, which that
line replaces by the flags of the program. Importing this module is fast: it loads neither gin nor
TensorFlow.
"""

from collections.abc import Callable
from collections.abc import Iterator
import contextlib
import functools
import logging as standard_logging
import os
import re
import shutil
import sys
import tempfile
import traceback

from absl import app
from absl import flags
from absl import logging

from dl_condind.utils import errors

flags.disclaim_key_flags()  # --help shows the flags below as those of the program.

_USER_ERRORS = (
  errors.ConfigError,
  errors.DatasetError,
  errors.DivergedError,
  errors.TryAgainError,
)
_MISSING_BINDING = ("Required bindings for", "No values supplied by Gin or caller")


def define_gin_flags() -> None:
  """Defines --gin_config, --gin_bindings and --trust_gin_imports."""
  define_trust_gin_imports_flag()
  flags.DEFINE_multi_string(
    "gin_config", [], "gin file to read: a path, or a file in gin_configs. May be repeated."
  )
  flags.DEFINE_multi_string(
    "gin_bindings", [], "gin binding, such as 'vae.beta = 4.', read last. May be repeated."
  )


def define_trust_gin_imports_flag() -> None:
  """Defines --trust_gin_imports."""
  flags.DEFINE_bool(
    "trust_gin_imports",
    False,
    "Let gin files, also those saved with a model, import (which is to run) any module.",
  )


def define_overwrite_flag() -> None:
  """Defines --overwrite."""
  flags.DEFINE_bool("overwrite", False, "Replace results that are already there.")


def define_trust_model_flag() -> None:
  """Defines --trust_model."""
  flags.DEFINE_bool(
    "trust_model",
    False,
    "Load models with operations that no model of dl_condind has: they can do anything here.",
  )


@contextlib.contextmanager
def quiet_imports() -> Iterator[None]:
  """Holds back what imports print on stderr, and shows it only if one fails by a bug.

  TensorFlow prints lines about the machine that no setting silences and that look like errors.
  """
  sys.stderr.flush()
  with tempfile.TemporaryFile() as held, os.fdopen(os.dup(2), "wb", closefd=True) as stderr:
    os.dup2(held.fileno(), 2)
    try:
      yield
    except _USER_ERRORS:  # Their one line says it all.
      raise
    except BaseException:
      held.seek(0)
      shutil.copyfileobj(held, stderr)
      raise
    finally:
      sys.stderr.flush()
      os.dup2(stderr.fileno(), 2)


def run(main: Callable[[list[str]], None]) -> None:
  """Parses the flags, calls main with what is left of the command line and ends the process.

  main imports what is slow to import itself, within `quiet_imports`, so that `--help` need not wait
  for it.
  """
  # TensorFlow reads this when it is imported; its start-up messages look like errors.
  os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
  app.run(functools.partial(_call, main), flags_parser=_parse_flags)


def run_program(
  main: Callable[[list[str]], None], define_flags: Callable[[], None], description: str
) -> None:
  """Runs a program of the package, whichever script started it: see `run`.

  Args:
    main: What the program does.
    define_flags: Defines the program's flags. They are defined here rather than on import, so that
      one process can import several programs.
    description: What --help shows above the flags.
  """
  known = set(flags.FLAGS)
  define_flags()
  for name in set(flags.FLAGS) - known:  # --help shows the flags of the script and its docstring.
    flags.FLAGS.register_key_flag_for_module(sys.argv[0], flags.FLAGS[name])
  sys.modules["__main__"].__doc__ = description
  run(main)


def _parse_flags(arguments: list[str]) -> list[str]:
  formatter = standard_logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S")
  logging.get_absl_handler().setFormatter(formatter)
  try:
    rest = flags.FLAGS(arguments)
  except flags.Error as error:
    _fail(f"{error} --help lists the flags.", errors.ConfigError.exit_code)
  except SystemExit as end:  # After --help, for which absl chose 1.
    sys.exit(0 if end.code == 1 else end.code)
  if len(rest) > 1:
    _fail(f"unexpected argument {rest[1]!r}. --help lists the flags.", errors.ConfigError.exit_code)
  return rest


def _call(main: Callable[[list[str]], None], arguments: list[str]) -> None:
  try:
    main(arguments)
  except KeyboardInterrupt:
    _fail("interrupted", 130)
  except app.UsageError as error:
    _fail(str(error), errors.ConfigError.exit_code)
  except _USER_ERRORS as error:
    _show_traceback_if_verbose()
    _fail(in_flags(str(error)), error.exit_code)
  except (RuntimeError, TypeError) as error:  # gin's, for a parameter that was not set.
    if not any(phrase in str(error) for phrase in _MISSING_BINDING):
      raise
    _show_traceback_if_verbose()
    hint = "set it in a gin file or by --gin_bindings"
    _fail(f"{str(error).splitlines()[0]}; {hint}", errors.ConfigError.exit_code)


def in_flags(message: str) -> str:
  """Returns a message that names the program's flags instead of arguments of the package.

  If the program has these flags, `overwrite=True` becomes `--overwrite`, `show_models=False`
  `--noshow_models`, `devices='cpu'` `--devices=cpu`, and `model_num must be` `--model_num must be`.
  """
  argument = rf"(?<![\w./'\"-])({'|'.join(map(re.escape, flags.FLAGS))})"
  message = re.sub(rf"{argument}=True\b", r"--\1", message)
  message = re.sub(rf"{argument}=False\b", r"--no\1", message)
  message = re.sub(rf"{argument}='(\w+)'", r"--\1=\2", message)
  return re.sub(rf"{argument}(?==| must )", r"--\1", message)


def _show_traceback_if_verbose() -> None:
  if logging.level_debug():
    traceback.print_exc()


def _fail(message: str, exit_code: int) -> None:
  first_line = (message.splitlines() or ["(no message)"])[0]  # gin appends lines of its own.
  print(f"error: {first_line}", file=sys.stderr)
  sys.exit(exit_code)
