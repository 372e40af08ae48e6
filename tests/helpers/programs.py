"""The programs without a process of their own for each: an import of TensorFlow costs seconds.

What a test asserts about the process itself (its start, its signals, its log) needs a real one.
"""

import contextlib
import importlib
import io
import json
import os
import pathlib
import subprocess
import sys

from absl import flags
from absl import logging
import gin

from dl_condind.utils import cli

ROOT = pathlib.Path(__file__).parents[2]


def run(program, *arguments):
  """Runs a program, such as "dl_condind_train", in this process and returns how it ended."""
  module = importlib.import_module(f"dl_condind.programs.{program.removeprefix('dl_condind_')}")
  words = [program, *map(str, arguments)]
  stdout, stderr, code = io.StringIO(), io.StringIO(), 0
  known, formatter, argv = set(flags.FLAGS), logging.get_absl_handler().formatter, sys.argv
  sys.argv = words
  try:
    with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
      module.define_flags()
      cli._call(module.main, cli._parse_flags(words))
  except SystemExit as end:
    code = end.code
  finally:
    sys.argv = argv
    logging.get_absl_handler().setFormatter(formatter)
    for name in set(flags.FLAGS) - known:
      delattr(flags.FLAGS, name)
    flags.FLAGS.unparse_flags()
    gin.clear_config()
  return subprocess.CompletedProcess(words, code, stdout.getvalue(), stderr.getvalue())


def run_each(commands, **environment):
  """Runs programs, each in a fork of one new process that has only loaded what all of them load.

  Args:
    commands: Program and arguments of each.
    **environment: Variables to set.

  Returns:
    For each, how it ended and the modules it had loaded by then.
  """
  done = subprocess.run(
    [sys.executable, "-m", "helpers.programs"],
    input=json.dumps([[str(word) for word in command] for command in commands]),
    capture_output=True,
    text=True,
    check=True,
    env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", **environment},
  )
  found = json.loads(done.stdout)
  return [
    (subprocess.CompletedProcess(command, *ended), set(modules))
    for command, (*ended, modules) in zip(commands, found, strict=True)
  ]


def _run_in_fork(command):
  reader, writer = os.pipe()
  if os.fork() == 0:
    ended = run(*command)
    report = (ended.returncode, ended.stdout, ended.stderr, list(sys.modules))
    with open(writer, "w") as file:
      json.dump(report, file)
    os._exit(0)
  os.close(writer)
  with open(reader) as file:
    report = json.load(file)
  os.wait()
  return report


if __name__ == "__main__":
  from dl_condind.studies import inputs  # noqa: F401  (Most programs begin with it.)
  from dl_condind.studies import study_file  # noqa: F401

  print(json.dumps([_run_in_fork(command) for command in json.load(sys.stdin)]))
