import pathlib
import signal
import subprocess
import sys
import time

import pytest

PROGRAM = '''"""Does what --what names."""
import os, sys
from absl import app, flags, logging
from dl_condind.utils import cli, errors

cli.define_gin_flags()
cli.define_overwrite_flag()
flags.DEFINE_string("what", "nothing", "What to do.")


def main(arguments):
  import gin
  FLAGS = flags.FLAGS

  @gin.configurable(module="probe")
  def needs(beta=gin.REQUIRED):
    pass

  @gin.configurable(module="probe")
  def lacks(beta):
    pass

  @gin.configurable(module="probe")
  def config():
    raise errors.ConfigError("first line\\nsecond line")

  def arguments_named():
    raise errors.ConfigError(
      "what must be x, not gin_bindings='a.overwrite = 1': overwrite=True, overwrite=False, "
      "what='y', gin_config=..., model.overwrite=True, other=True, /overwrite=True"
    )

  def data():
    raise errors.DatasetError("data.npz is damaged")

  def diverged():
    raise errors.DivergedError("loss is nan at step 3")

  def again():
    raise errors.TryAgainError("disk full")

  def usage():
    raise app.UsageError("a and b exclude each other")

  def bug():
    raise RuntimeError("not your fault")

  def wait():
    print("ready", flush=True)
    import time
    time.sleep(60)

  def show():
    print(FLAGS.gin_config, FLAGS.gin_bindings, FLAGS.overwrite, FLAGS.trust_gin_imports)
    print(len(arguments), "tensorflow" in sys.modules)

  def log():
    logging.info("started %s", "x")
    logging.debug("hidden")

  def nothing():
    pass

  locals()[FLAGS.what]()


if __name__ == "__main__":
  cli.run(main)
'''


@pytest.fixture(scope="module")
def program(tmp_path_factory):
  path = tmp_path_factory.mktemp("bin") / "program.py"
  path.write_text(PROGRAM)
  return path


def run(program: pathlib.Path, *arguments: str) -> tuple[int, str, str]:
  command = [sys.executable, str(program), *arguments]
  result = subprocess.run(command, capture_output=True, text=True)
  return result.returncode, result.stdout, result.stderr


@pytest.mark.parametrize(
  ("what", "exit_code", "line"),
  [
    ("nothing", 0, ""),
    ("config", 2, "error: first line\n"),
    (
      "arguments_named",
      2,
      "error: --what must be x, not --gin_bindings='a.overwrite = 1': --overwrite, --nooverwrite, "
      "--what=y, --gin_config=..., model.overwrite=True, other=True, /overwrite=True\n",
    ),
    ("data", 3, "error: data.npz is damaged\n"),
    ("diverged", 4, "error: loss is nan at step 3\n"),
    ("again", 75, "error: disk full\n"),
    ("usage", 2, "error: a and b exclude each other\n"),
    (
      "needs",
      2,
      "error: Required bindings for `needs` not provided in config: ['beta']; "
      "set it in a gin file or by --gin_bindings\n",
    ),
  ],
)
def test_errors_are_one_line_and_an_exit_code(program, what, exit_code, line):
  assert run(program, f"--what={what}") == (exit_code, "", line)


def test_missing_argument_without_a_default(program):
  exit_code, _, stderr = run(program, "--what=lacks")
  assert exit_code == 2
  assert stderr.startswith("error: ")
  assert "missing 1 required positional argument: 'beta'; set it in a gin file" in stderr
  assert stderr.count("\n") == 1


def test_verbose_shows_the_traceback(program):
  exit_code, _, stderr = run(program, "--what=data", "--verbosity=1")
  assert exit_code == 3
  assert "Traceback" in stderr
  assert stderr.endswith("error: data.npz is damaged\n")


def test_bug_keeps_its_traceback(program):
  exit_code, _, stderr = run(program, "--what=bug")
  assert exit_code == 1
  assert "Traceback" in stderr
  assert "RuntimeError: not your fault" in stderr


@pytest.mark.parametrize(
  ("argument", "message"),
  [
    ("--whatt=x", "Unknown command line flag 'whatt'. Did you mean: what ?"),
    (
      "--overwrite=maybe",
      "flag --overwrite=maybe: ('Non-boolean argument to boolean flag', 'maybe')",
    ),
    ("stray", "unexpected argument 'stray'."),
  ],
)
def test_usage_errors(program, argument, message):
  exit_code, stdout, stderr = run(program, argument)
  assert (exit_code, stdout) == (2, "")
  assert stderr == f"error: {message} --help lists the flags.\n"


def test_help_is_fast_and_lists_the_shared_flags(program):
  began = time.monotonic()
  exit_code, stdout, stderr = run(program, "--help")
  assert time.monotonic() - began < 5  # TensorFlow alone takes longer on a busy machine.
  assert (exit_code, stderr) == (0, "")
  assert "Does what --what names." in stdout
  for flag in ("--gin_config", "--gin_bindings", "--[no]trust_gin_imports", "--[no]overwrite"):
    assert flag in stdout


def test_flags(program):
  arguments = ["--gin_config=a.gin", "--gin_config=b.gin", "--gin_bindings=x.y = [1, 2]"]
  exit_code, stdout, _ = run(program, "--what=show", *arguments, "--overwrite")
  assert exit_code == 0
  assert stdout == "['a.gin', 'b.gin'] ['x.y = [1, 2]'] True False\n1 False\n"
  assert run(program, "--what=show")[1] == "[] [] False False\n1 False\n"


def test_logging(program):
  exit_code, stdout, stderr = run(program, "--what=log")
  assert (exit_code, stdout) == (0, "")
  time_of_day, rest = stderr.split(" ", 1)
  assert time.strptime(time_of_day, "%H:%M:%S")
  assert rest == "INFO started x\n"
  assert "DEBUG hidden" in run(program, "--what=log", "--verbosity=1")[2]
  assert run(program, "--what=log", "--verbosity=-1")[2] == ""


def test_interrupt(program):
  process = subprocess.Popen(
    [sys.executable, str(program), "--what=wait"],
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
    # A shell makes what it runs in the background ignore the signal, and that is inherited.
    preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
  )
  assert process.stdout.readline() == "ready\n"
  process.send_signal(signal.SIGINT)
  _, stderr = process.communicate(timeout=30)
  assert (process.returncode, stderr) == (130, "error: interrupted\n")


@pytest.mark.parametrize("module, shown", [("loud", False), ("failing", True)])
def test_what_imports_print_on_stderr_is_shown_only_if_one_fails(tmp_path, module, shown):
  (tmp_path / "loud.py").write_text("import os\nos.write(2, b'start-up message\\n')\n")
  (tmp_path / "failing.py").write_text("import loud\nimport absent\n")
  program = f"""
import sys
from dl_condind.utils import cli
with cli.quiet_imports():
  import {module}
print("after", file=sys.stderr)
"""
  done = subprocess.run(
    [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=tmp_path
  )
  assert ("start-up message" in done.stderr) == shown
  assert ("No module named 'absent'" in done.stderr) == shown
  assert done.stderr.endswith("after\n") != shown
