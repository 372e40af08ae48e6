"""The local engine with real processes, killed at random instants."""

import contextlib
import json
import os
import random
import re
import signal
import time

import pytest

from dl_condind.studies import local_engine
from dl_condind.utils import errors


def test_runs_are_made_once_and_a_second_call_makes_none(driver):
  process = driver.start(5)
  stdout, stderr = process.communicate(timeout=60)
  assert process.returncode == 0, stderr
  assert stdout == "5 of 5 done, 0 running, 0 failed, 0 diverged, 0 missing\n"
  driver.assert_complete(5)
  assert [driver.attempts_at(number) for number in range(5)] == [1] * 5
  before = driver.done(5)
  again = driver.start(5)
  assert again.communicate(timeout=60)[0] == stdout and again.returncode == 0
  assert driver.done(5) == before
  assert [driver.attempts_at(number) for number in range(5)] == [1] * 5


def test_workers_run_at_the_same_time_and_no_more_than_asked_for(driver):
  (driver.folder / "behaviour.json").write_text(json.dumps({str(n): "sleep" for n in range(4)}))
  driver.start(4, 3)
  driver.wait_until(lambda: len(driver.workers()) == 3)
  time.sleep(0.5)
  assert len(driver.workers()) == 3


@pytest.mark.slow
def test_killed_engines_leave_no_orphan_and_redo_nothing_that_is_done(driver, kills):
  num_runs, generator = 24, random.Random(0)
  for _ in range(kills(3, 20)):
    before = driver.done(num_runs)
    process = driver.start(num_runs)
    driver.wait_until(lambda process=process: process.poll() is not None or driver.workers())
    time.sleep(generator.uniform(0, 1.5))
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 5
    while driver.workers() and time.monotonic() < deadline:
      time.sleep(0.05)
    assert driver.workers() == []
    assert before.items() <= driver.done(num_runs).items()
  before = driver.done(num_runs)
  attempts_before = {number: driver.attempts_at(number) for number in before}
  process = driver.start(num_runs)
  _, stderr = process.communicate(timeout=120)
  assert process.returncode == 0, stderr
  assert before.items() <= driver.done(num_runs).items()
  assert attempts_before == {number: driver.attempts_at(number) for number in before}
  driver.assert_complete(num_runs)


@pytest.mark.slow
def test_killed_workers_are_started_again_and_change_no_result(driver, kills):
  num_runs, generator = 12, random.Random(1)
  process = driver.start(num_runs)
  killed = 0
  while killed < kills(5, 50) and process.poll() is None:
    time.sleep(generator.uniform(0.05, 0.4))
    workers = driver.workers()
    if workers:
      with contextlib.suppress(ProcessLookupError):
        os.kill(generator.choice(workers), signal.SIGKILL)
        killed += 1
    if process.poll() is not None and killed < kills(5, 50):  # Done before: make them anew.
      num_runs += 12
      process = driver.start(num_runs)
  _, stderr = process.communicate(timeout=300)
  assert process.returncode == 0, stderr
  assert "ended by SIGKILL" in stderr
  driver.assert_complete(num_runs)
  assert all(driver.attempts_at(number) <= 9 for number in range(num_runs))


@pytest.mark.slow
def test_two_engines_never_write_into_one_run_at_once(driver):
  num_runs = 12
  processes = [driver.start(num_runs), driver.start(num_runs)]
  for process in processes:
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 0, stderr
  driver.assert_complete(num_runs)
  for number in range(num_runs):
    lines = (driver.folder / str(number) / "writers.txt").read_text().splitlines()
    assert lines
    for begin, end in zip(lines[::2], lines[1::2], strict=True):
      assert begin.startswith("begin ") and end == begin.replace("begin", "end")


def test_each_ending_is_recorded_and_only_what_can_succeed_is_tried_again(driver):
  behaviour = {"0": "refuse", "1": "lack_data", "2": "diverge", "3": "crash_once"}
  (driver.folder / "behaviour.json").write_text(json.dumps(behaviour))
  process = driver.start(5)
  _, stderr = process.communicate(timeout=60)
  assert process.returncode == errors.ConfigError.exit_code
  last = stderr.splitlines()[-1]
  assert re.fullmatch(
    r"error: 2 of 5 runs failed; the first, run 0: .*/0 is refused\. \(dl_condind_rep.* --status.*",
    last,
  )
  assert [driver.attempts_at(number) for number in range(5)] == [1, 1, 1, 2, 1]
  read = {
    name: json.loads((driver.folder / name).read_text())
    for name in ("0/failed.json", "1/failed.json", "2/diverged.json")
  }
  assert read["0/failed.json"]["exit_code"] == 2 and read["0/failed.json"]["attempts"] == 1
  assert read["1/failed.json"]["exit_code"] == 3
  assert read["1/failed.json"]["message"].endswith("/1 has no data.")
  assert read["2/diverged.json"]["step"] == 17
  assert "loss is nan at step 17" in read["2/diverged.json"]["message"]
  assert sorted(driver.done(5)) == [3, 4]

  behaviour = {"2": "diverge"}  # The others were mended: failed runs are tried again, diverged not.
  (driver.folder / "behaviour.json").write_text(json.dumps(behaviour))
  process = driver.start(5)
  _, stderr = process.communicate(timeout=60)
  assert process.returncode == errors.DivergedError.exit_code
  assert "1 of 5 runs diverged; the first, run 2: loss is nan at step 17" in stderr
  assert [driver.attempts_at(number) for number in range(5)] == [2, 2, 1, 2, 1]
  assert not (driver.folder / "0" / "failed.json").exists()


def test_sigterm_ends_the_workers_and_the_engine_with_75(driver):
  (driver.folder / "behaviour.json").write_text(json.dumps({"0": "sleep"}))
  process = driver.start(3, 1)
  driver.wait_until(lambda: (driver.folder / "0" / "writers.txt").exists())
  process.send_signal(signal.SIGTERM)
  _, stderr = process.communicate(timeout=20)
  assert process.returncode == errors.TryAgainError.exit_code
  assert "SIGTERM: every run is saved" in stderr.splitlines()[-1]
  assert driver.workers() == []
  assert not (driver.folder / "0" / "failed.json").exists()


def test_gpus_are_those_that_are_visible(monkeypatch):
  monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,GPU-5f")
  assert local_engine.visible_gpus() == ["2", "GPU-5f"]
  for none in ("", "-1"):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", none)
    with pytest.raises(errors.ConfigError, match="devices='gpu', but there is no GPU here"):
      local_engine.visible_gpus()
