import io
import os
import termios

import pytest

from dl_condind.studies import attempts
from dl_condind.studies import progress
from dl_condind.studies import run_state


@pytest.fixture
def terminal():
  """Returns a terminal of 60 columns, to write to, and what reads all that was written."""
  controller, device = os.openpty()
  termios.tcsetwinsize(device, (24, 60))
  with open(device, "w") as stream:

    def shown():
      stream.flush()
      return os.read(controller, 100_000).decode().replace("\r\n", "\n")

    yield stream, shown
  os.close(controller)


def job(tmp_path, number):
  (tmp_path / str(number)).mkdir(exist_ok=True)
  return attempts.Job(number, str(tmp_path / str(number)), ["p"], {"bindings": []}, ".")


@pytest.fixture
def clock(monkeypatch):
  """A clock that is set by hand, in seconds."""
  now = [1000.0]
  monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
  return now


def test_the_table_of_a_terminal(tmp_path, clock, terminal):
  stream, shown = terminal
  show = progress.Progress({0: "done", 1: "missing", 2: "missing"}, stream)
  show.started(job(tmp_path, 1), 2)
  log = tmp_path / "1" / "log.txt"
  log.write_text("=== began\n12:00:00 INFO step 100 of 1000, 10.0 steps/s\n")
  clock[0] += 5
  show.refresh()
  lines = [
    "1 of 3 done, 1 running, 0 failed, 0 diverged, 1 missing",
    "  run 1      attempt 2       5 s  step 100 of 1000, 10.0 steps/s",
  ]
  # Lines that the terminal wrapped would not be erased.
  assert shown() == "".join(f"{line[:59]}\n" for line in lines)
  show.refresh()  # Not before a second has passed.
  termios.tcsetwinsize(stream.fileno(), (24, 200))
  clock[0] += 10
  log.write_text("12:00:00 INFO step 200 of 1000, 10.0 steps/s\n")
  show.refresh()
  before, erased, last = shown().partition("\x1b[2A\x1b[J")
  assert erased and not before
  # 100 steps in 10 s: 100 s a run, of which 15 have passed; two runs are left.
  assert last.splitlines()[0].endswith("1 missing, about 3 min left")


def test_elsewhere_there_are_lines_only(tmp_path, clock, caplog):
  stream = io.StringIO()
  show = progress.Progress({0: "missing", 1: "missing", 2: "missing"}, stream)
  caplog.set_level("INFO", logger="absl")
  for number in (0, 1):
    show.started(job(tmp_path, number), 1)
  clock[0] += 60
  show.retried(job(tmp_path, 0), 4.0, "killed")
  show.ended(job(tmp_path, 1), "done", "")
  show.elsewhere(job(tmp_path, 2))
  show.elsewhere(job(tmp_path, 2))
  show.ended(job(tmp_path, 0), "failed", "no data.")
  show.refresh()
  assert stream.getvalue() == ""
  assert [record.getMessage() for record in caplog.records] == [
    f"Run 0 started: {tmp_path}/0",
    f"Run 1 started: {tmp_path}/1",
    "Run 0 will be tried again in 4 s: killed",
    # Two runs of 60 s each on two workers.
    "Run 1 done. 1 of 3 done, 0 running, 0 failed, 0 diverged, 2 missing, about 60 s left",
    "Run 2 is made by another process.",
    "Run 0 failed: no data. 1 of 3 done, 1 running, 1 failed, 0 diverged, 0 missing, "
    "about 30 s left",
  ]
  assert show.states == {0: "failed", 1: "done", 2: "running"}


def test_the_status_of_a_study(tmp_path):
  jobs = [job(tmp_path, number) for number in range(30)]
  states = dict.fromkeys(range(30), "missing") | {0: "done", 1: "running", 2: "diverged"}
  states |= dict.fromkeys(range(3, 8), "failed")
  (tmp_path / "1" / "log.txt").write_text("12:00:00 INFO step 5 of 9\n")
  (tmp_path / "2" / "diverged.json").write_text('{"step": 7, "message": "nan at step 7"}')
  for number in range(3, 8):
    run_state.give_up(jobs[number].folder, 3, "no data", 1)
  assert progress.describe_study(jobs, states, most=2) == [
    "1 of 30 done, 1 running, 5 failed, 1 diverged, 22 missing",
    "  run 1      running   step 5 of 9",
    "  run 3      failed    no data",
    "  run 4      failed    no data",
    "  ... and 3 more are failed",
    "  run 2      diverged  nan at step 7",
    "  missing: 8-29",
  ]


@pytest.mark.parametrize(
  ("numbers", "text"), [([3], "3"), ([0, 1, 2, 4, 6, 7], "0-2,4,6-7"), ([], "")]
)
def test_numbers(numbers, text):
  assert progress.format_numbers(numbers) == text
