"""What bin/quickstart says before it installs anything."""

import os
import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).parents[1]
# Stands for every Python: notes that it was started, and is no Python that could be used.
NO_PYTHON = """#!/bin/sh
touch "$STARTED"
exit 1
"""


@pytest.fixture
def quickstart(tmp_path):
  """Returns a function that runs a copy without an environment, and says if it began to install."""
  shutil.copytree(ROOT / "bin", tmp_path / "clone" / "bin")
  for name in ("pyproject.toml", "setup.py"):
    shutil.copy(ROOT / name, tmp_path / "clone")
  (tmp_path / "path").mkdir()
  for name in ("python3", "python3.11", "python3.12", "python3.13"):
    (tmp_path / "path" / name).write_text(NO_PYTHON)
    (tmp_path / "path" / name).chmod(0o755)
  started = tmp_path / "started"
  path = f"{tmp_path / 'path'}:{os.environ['PATH']}"

  def run(*arguments):
    done = subprocess.run(
      [tmp_path / "clone" / "bin" / "quickstart", *arguments],
      capture_output=True,
      text=True,
      check=False,
      env={**os.environ, "PATH": path, "STARTED": str(started)},
    )
    return done, started.exists() or (tmp_path / "clone" / ".venv").exists()

  return run


@pytest.mark.parametrize("argument", ["--help", "-h"])
def test_help_is_shown_before_anything_is_installed(argument, quickstart):
  done, installs = quickstart(argument)
  assert (done.returncode, done.stderr, installs) == (0, "", False)
  assert done.stdout.startswith("Set-up and main job: ")
  assert done.stdout.endswith(
    "usage: bin/quickstart [--steps=N], N being a whole number of at least 1\n"
  )


@pytest.mark.parametrize(
  "arguments, problem",
  [
    (["--step=3"], "unknown argument --step=3"),
    (["3"], "unknown argument 3"),
    (["--steps="], "--steps="),
    (["--steps=0"], "--steps=0"),
    (["--steps=-3"], "--steps=-3"),
    (["--steps=1e3"], "--steps=1e3"),
    (["--steps=3", "--help"], "too many arguments"),
  ],
)
def test_wrong_argument_ends_it_before_anything_is_installed(arguments, problem, quickstart):
  done, installs = quickstart(*arguments)
  assert (done.returncode, done.stdout, installs) == (2, "", False)
  assert done.stderr.startswith(f"error: {problem}; usage: bin/quickstart [--steps=N]")
  assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [[], ["--steps=20"]])
def test_right_arguments_begin_the_installation(arguments, quickstart):
  done, installs = quickstart(*arguments)
  assert installs
  assert done.returncode == 2
  assert "no Python 3.11, 3.12 or 3.13 found" in done.stderr
