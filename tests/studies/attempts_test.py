import json
import os
import signal
import sys
import time

import pytest

from dl_condind.studies import attempts
from dl_condind.studies import run_state
from dl_condind.utils import errors


def job(tmp_path, code, bindings=()):
  return attempts.Job(
    model_num=3,
    folder=str(tmp_path / "3"),
    command=[sys.executable, "-c", code],
    settings={"bindings": list(bindings)},
    directory=str(tmp_path),
  )


def run(tmp_path, code, limits=None, **options):
  """Returns how one attempt ended."""
  attempt = attempts.Attempt(job(tmp_path, code, **options), limits or attempts.Limits())
  while (outcome := attempt.poll()) is None:
    time.sleep(0.01)
  return outcome


@pytest.mark.parametrize(
  ("code", "state"),
  [(0, "done"), (2, "failed"), (3, "failed"), (4, "diverged"), (75, "missing"), (1, "missing")],
)
def test_exit_codes(tmp_path, code, state):
  outcome = run(tmp_path, f"import sys; print('error: why', file=sys.stderr); sys.exit({code})")
  assert outcome == attempts.Outcome(state, code, "why")


def test_a_signal_can_be_tried_again(tmp_path):
  outcome = run(tmp_path, "import os; os.kill(os.getpid(), 9)")
  assert outcome.state == run_state.MISSING and outcome.exit_code == -signal.SIGKILL
  assert outcome.message == "ended by SIGKILL; its last line: (none)"


def test_an_attempt_that_takes_too_long_is_stopped_and_can_be_tried_again(tmp_path):
  outcome = run(tmp_path, "import time; time.sleep(60)", attempts.Limits(timeout=0.3))
  assert outcome.state == run_state.MISSING
  assert outcome.message.startswith("stopped after 0 s, its limit; ended by SIGTERM")


def test_an_attempt_that_does_not_stop_is_killed(tmp_path, monkeypatch):
  monkeypatch.setattr(attempts, "GRACE", 0.3)
  code = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    "print('deaf', flush=True); time.sleep(60)"
  )
  attempt = attempts.Attempt(job(tmp_path, code), attempts.Limits())
  while run_state.last_line(tmp_path / "3") != "deaf":
    time.sleep(0.01)
  attempt.stop()
  while (outcome := attempt.poll()) is None:
    time.sleep(0.01)
  assert outcome.exit_code == -signal.SIGKILL


def test_what_a_run_started_ends_with_it(tmp_path):
  code = (
    "import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', "
    "'import time; time.sleep(60)']); print(p.pid)"
  )
  run(tmp_path, code)
  child = int(run_state.last_line(tmp_path / "3"))
  deadline = time.monotonic() + 5
  while time.monotonic() < deadline:
    try:
      with open(f"/proc/{child}/stat") as file:
        if file.read().split()[2] == "Z":
          break
    except FileNotFoundError:
      break
    time.sleep(0.02)
  else:
    pytest.fail(f"{child} lives")


def test_threads_and_devices_of_an_attempt(tmp_path):
  code = (
    "import json, os, sys; print(json.dumps([sys.argv[1:], os.environ['LOKY_MAX_CPU_COUNT'], "
    "os.environ.get('CUDA_VISIBLE_DEVICES'), os.environ.get('TF_FORCE_GPU_ALLOW_GROWTH')]))"
  )
  run(tmp_path, code, attempts.Limits(num_threads=3))
  threads = "--gin_bindings=model.num_threads = 3"
  assert json.loads(run_state.last_line(tmp_path / "3")) == [[threads], "3", "-1", None]
  run(tmp_path, code, attempts.Limits(3), bindings=["model.num_threads = 8"])
  assert json.loads(run_state.last_line(tmp_path / "3"))[0] == []

  limits = attempts.Limits(num_threads=1, devices="gpu")
  attempt = attempts.Attempt(job(tmp_path, code), limits, gpu="1")
  while attempt.poll() is None:
    time.sleep(0.01)
  assert json.loads(run_state.last_line(tmp_path / "3"))[1:] == ["1", "1", "true"]


def test_waits_double_up_to_a_minute():
  limits = attempts.Limits(wait=1.0)
  assert [limits.wait_after(n) for n in (1, 2, 3, 6, 7, 60)] == [1, 2, 4, 32, 60, 60]


def test_a_run_is_tried_again_until_it_is_given_up(tmp_path):
  told = []
  limits = attempts.Limits(retries=2, wait=0.01)
  code = "import sys; print('error: full'); sys.exit(75)"
  assert attempts.make(job(tmp_path, code), limits, told.append) == run_state.FAILED
  assert told == [f"Run 3 will be tried again in {wait} s: full" for wait in (0.01, 0.02)]
  why = run_state.why(tmp_path / "3")
  assert why == {"exit_code": 75, "message": "full", "attempts": 3}


def test_a_run_that_another_process_makes_is_waited_for(tmp_path):
  waited = job(tmp_path, "")
  (tmp_path / "3").mkdir()
  code = (
    f"from dl_condind.studies import run_state\nimport time\n"
    f"with run_state.making({waited.folder!r}, {waited.settings!r}, False):\n"
    "  print('ready', flush=True)\n  time.sleep(1)"
  )
  other = attempts.Attempt(job(tmp_path, code), attempts.Limits())
  while not run_state.is_locked(waited.folder):
    time.sleep(0.01)
  assert attempts.make(waited, attempts.Limits()) == run_state.DONE
  log = (tmp_path / "3" / "log.txt").read_text()
  assert log.count(run_state.HEADER) == 1
  while other.poll() is None:
    time.sleep(0.01)


def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path):
  (tmp_path / "3").write_text("a file")
  with pytest.raises(errors.ConfigError, match=r"Cannot write .*/3/log\.txt \(Not a directory\)"):
    attempts.Attempt(job(tmp_path, ""), attempts.Limits())
  assert os.path.isfile(tmp_path / "3")
