import os
import signal
import subprocess
import sys
import time

import pytest

from dl_condind.utils import processes

CHILD = (
  "import time\nfrom dl_condind.utils import processes\nprocesses.end_with_parent()\n"
  "print('ready', flush=True)\ntime.sleep(60)"
)
PARENT = (
  "import os, subprocess, sys, time\n"
  f"environment = {{**os.environ, {processes.PARENT!r}: str(os.getpid())}}\n"
  f"child = subprocess.Popen([sys.executable, '-c', {CHILD!r}], env=environment)\n"
  "print(child.pid, flush=True)\ntime.sleep(60)"
)


def is_alive(pid):
  try:
    with open(f"/proc/{pid}/stat") as file:
      return file.read().rpartition(")")[2].split()[0] != "Z"
  except FileNotFoundError:
    return False


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux sends the signal")
def test_a_process_ends_with_the_one_that_asked_for_it():
  parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
  child = int(parent.stdout.readline())
  try:
    assert parent.stdout.readline() == "ready\n"
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 5
    while is_alive(child):
      assert time.monotonic() < deadline
      time.sleep(0.01)
  finally:
    parent.kill()
    parent.communicate()
    if is_alive(child):
      os.kill(child, signal.SIGKILL)


def test_a_process_whose_parent_had_ended_before_ends():
  done = subprocess.run(
    [sys.executable, "-c", CHILD], env={**os.environ, processes.PARENT: "1"}, check=False
  )
  assert done.returncode == -signal.SIGTERM


def test_without_being_asked_nothing_happens(monkeypatch):
  monkeypatch.delenv(processes.PARENT, raising=False)
  processes.end_with_parent()
