import os
import pathlib
import signal
import subprocess
import sys
import time

from helpers import toy_study
import pytest

from dl_condind.studies import run_state

TOY = pathlib.Path(toy_study.__file__)


@pytest.fixture
def kills(request):
  """Returns a function of the number of kills in the normal suite and with --all_kills."""
  return lambda few, many: many if request.config.getoption("--all_kills") else few


def pids_of(text):
  """Returns the processes whose command line has a text in it."""
  found = []
  for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
    try:
      if text in path.read_bytes().replace(b"\0", b" ").decode(errors="replace"):
        found.append(int(path.parent.name))
    except (FileNotFoundError, ProcessLookupError):
      continue
  return sorted(set(found) - {os.getpid()})


class ToyDriver:
  """Engines of one folder, as processes; whatever is left of them is killed at the end."""

  def __init__(self, folder):
    self.folder = folder
    self.processes = []
    self.toy = toy_study

  def start(self, num_runs, workers=2, *engine):
    """Starts an engine."""
    command = [sys.executable, TOY, "drive", self.folder, num_runs, workers, *engine]
    process = subprocess.Popen(
      [str(word) for word in command],
      stdout=subprocess.PIPE,
      stderr=subprocess.PIPE,
      text=True,
      env={**os.environ, "PYTHONPATH": str(TOY.parents[2])},
    )
    self.processes.append(process)
    return process

  def workers(self):
    """Returns the processes that make runs."""
    return pids_of(f"toy_study.py make {self.folder}")

  def wait_until(self, condition, seconds=60):
    """Waits for a condition."""
    deadline = time.monotonic() + seconds
    while not condition():
      assert time.monotonic() < deadline
      time.sleep(0.02)

  def done(self, num_runs):
    """Returns the runs that are done, each with when that was recorded."""
    return {
      number: path.stat().st_mtime_ns
      for number in range(num_runs)
      if (path := self.folder / str(number) / "done.json").is_file()
    }

  def assert_complete(self, num_runs):
    """Every run is done, with the digest that it has when nothing disturbs it."""
    assert len(self.done(num_runs)) == num_runs
    for number in range(num_runs):
      assert self.toy.result_of(self.folder, number)["digest"] == self.toy.digest_of(number)

  def attempts_at(self, model_num):
    """Returns the number of attempts at a run."""
    log = (self.folder / str(model_num) / "log.txt").read_text()
    return log.count(f"{run_state.HEADER} ")

  def end(self):
    """Kills what is left."""
    for process in self.processes:
      process.kill()
      process.communicate()
    for pid in self.workers():
      os.kill(pid, signal.SIGKILL)


@pytest.fixture
def driver(tmp_path):
  """A folder for the toy study, and engines in it."""
  toy = ToyDriver(tmp_path)
  yield toy
  toy.end()
