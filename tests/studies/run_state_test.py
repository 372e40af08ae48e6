import json
import os
import signal
import subprocess
import sys

import pytest

from dl_condind.studies import run_state
from dl_condind.utils import errors
from dl_condind.utils import files

SETTINGS = {"bindings": ["vae.beta = 1.0"], "metrics": ["mig"]}


def make(folder, settings=SETTINGS, overwrite=False):
  with run_state.making(folder, settings, overwrite):
    assert run_state.state_of(folder, settings) in (run_state.RUNNING, run_state.DONE)
    files.write_json(folder / "model" / "run.json", {"vae.beta": "1.0"})
    files.write_json(folder / "model" / "results" / "aggregate" / "train.json", {"loss": 1})


def test_a_run_is_missing_then_running_then_done(tmp_path):
  folder = tmp_path / "0"
  assert run_state.state_of(folder, SETTINGS) == run_state.MISSING
  make(folder)
  assert run_state.state_of(folder, SETTINGS) == run_state.DONE
  record = json.loads((folder / "done.json").read_text())
  assert record["settings"] == SETTINGS
  assert record["run_id"] == files.sha256(folder / "model" / "run.json")
  assert record["records"] == ["model/results/aggregate/train.json"]


@pytest.mark.parametrize(
  ("settings", "state"),
  [
    ({"bindings": ["vae.beta = 1.0", "model.num_threads = 1"], "metrics": ["mig"]}, "done"),
    ({"bindings": ["vae.beta = 2.0"], "metrics": ["mig"]}, "missing"),
    ({"bindings": ["vae.beta = 1.0"], "metrics": ["mig", "dci"]}, "missing"),
  ],
)
def test_a_run_with_other_settings_is_not_done(tmp_path, settings, state):
  make(tmp_path)
  assert run_state.state_of(tmp_path, settings) == state


STAGE_RECORDS = [
  "model/results/aggregate/train.json",
  "postprocessed/mean/results/aggregate/postprocess.json",
  "metrics/mean/mig/results/aggregate/evaluation.json",
  "visualizations/visualization.json",
]


@pytest.mark.parametrize("deleted", STAGE_RECORDS)
def test_a_run_whose_record_was_deleted_is_not_done(tmp_path, deleted):
  for name in STAGE_RECORDS:
    files.write_json(tmp_path / name, {})
  make(tmp_path)
  assert run_state.state_of(tmp_path, SETTINGS) == run_state.DONE
  (tmp_path / deleted).unlink()
  assert run_state.state_of(tmp_path, SETTINGS) == run_state.MISSING


def test_a_run_that_was_trained_again_is_not_done(tmp_path):
  make(tmp_path)
  files.write_json(tmp_path / "model" / "run.json", {"vae.beta": "2.0"})
  assert run_state.state_of(tmp_path, SETTINGS) == run_state.MISSING


@pytest.mark.parametrize("text", ["", "{", "[]", '{"settings": 3}', '{"settings": ' + "[" * 10**5])
def test_a_damaged_record_means_that_the_run_is_made_again(tmp_path, text):
  make(tmp_path)
  (tmp_path / "done.json").write_text(text)
  assert run_state.state_of(tmp_path, SETTINGS) == run_state.MISSING


@pytest.mark.parametrize("records", [3, None, {}, [3], [None], [["a"]], ["absent"]])
def test_a_damaged_list_of_records_means_that_the_run_is_made_again(tmp_path, records):
  make(tmp_path)
  record = json.loads((tmp_path / "done.json").read_text())
  files.write_json(tmp_path / "done.json", {**record, "records": records})
  assert run_state.state_of(tmp_path, SETTINGS) == run_state.MISSING


def test_a_diverged_run_is_recorded_and_not_made_again(tmp_path):
  message = "loss is nan at step 41 of output/0/model: lower the learning rate."
  with (
    pytest.raises(errors.DivergedError, match="step 41"),
    run_state.making(tmp_path, SETTINGS, overwrite=False),
  ):
    raise errors.DivergedError(message, step=41)
  assert run_state.state_of(tmp_path, SETTINGS) == run_state.DIVERGED
  record = {"step": 41, "message": message, "settings": SETTINGS}
  assert json.loads((tmp_path / "diverged.json").read_text()) == record
  # With other settings it has not diverged.
  others = {**SETTINGS, "bindings": ["vae.beta = 2.0"]}
  assert run_state.state_of(tmp_path, others) == run_state.MISSING
  with pytest.raises(errors.DivergedError, match=r"has diverged: loss is nan.*overwrite=True"):
    make(tmp_path)
  make(tmp_path, overwrite=True)
  assert run_state.state_of(tmp_path, SETTINGS) == run_state.DONE
  assert not (tmp_path / "diverged.json").exists()


def test_a_failed_run_says_why_until_it_succeeds(tmp_path):
  run_state.give_up(tmp_path, 3, "no data", 1)
  assert run_state.state_of(tmp_path, SETTINGS) == run_state.FAILED
  why = run_state.why(tmp_path)
  assert why == {"exit_code": 3, "message": "no data", "attempts": 1}
  make(tmp_path)
  assert run_state.state_of(tmp_path, SETTINGS) == run_state.DONE
  assert not (tmp_path / "failed.json").exists()


def test_an_error_leaves_no_record(tmp_path):
  with pytest.raises(errors.ConfigError), run_state.making(tmp_path, SETTINGS, overwrite=False):
    raise errors.ConfigError("wrong")
  assert [path.name for path in tmp_path.iterdir()] == [".lock"]
  assert run_state.state_of(tmp_path, SETTINGS) == run_state.MISSING


def test_a_run_that_is_made_elsewhere_is_left_alone_also_if_its_process_is_stopped(tmp_path):
  code = (
    "import sys, time\nfrom dl_condind.utils import files\n"
    "with files.locked(sys.argv[1]):\n  print('ready', flush=True)\n  time.sleep(60)"
  )
  process = subprocess.Popen(
    [sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE, text=True
  )
  try:
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGSTOP)
    assert run_state.state_of(tmp_path, SETTINGS) == run_state.RUNNING
    with pytest.raises(errors.TryAgainError, match=f"in use by process {process.pid}"):
      make(tmp_path)
    with pytest.raises(errors.TryAgainError, match="in use"):
      run_state.clear(tmp_path)
  finally:
    process.kill()
    process.communicate()
  assert run_state.state_of(tmp_path, SETTINGS) == run_state.MISSING
  make(tmp_path)


def test_overwriting_deletes_what_followed_the_training_first(tmp_path):
  make(tmp_path)
  later = [tmp_path / name for name in ("postprocessed", "metrics", "reasoning", "visualizations")]
  for folder in later:
    (folder / "mean").mkdir(parents=True)
  (tmp_path / "notes").mkdir()
  with pytest.raises(RuntimeError), run_state.making(tmp_path, SETTINGS, overwrite=True):
    assert not any(folder.exists() for folder in later)
    raise RuntimeError("killed")  # Now it goes on without overwrite: nothing old is left.
  assert (tmp_path / "model" / "run.json").is_file() and (tmp_path / "notes").is_dir()


def test_a_run_made_with_another_file_of_the_same_name_is_not_done(tmp_path):
  def state(own_files):
    return run_state.state_of(tmp_path, {**SETTINGS, "own_files": own_files})

  make(tmp_path, {**SETTINGS, "own_files": {"my.gin": "a"}})
  assert state({"my.gin": "a"}) == run_state.DONE
  assert state({"my.gin": "b"}) == run_state.MISSING
  assert state({"my.gin": "a", "others.gin": "c"}) == run_state.DONE
  # Runs that were made before the digests were recorded count.
  assert run_state.state_of(tmp_path, SETTINGS) == run_state.DONE


def test_clear_deletes_what_a_run_wrote_and_nothing_else(tmp_path):
  make(tmp_path)
  (tmp_path / "notes.txt").write_text("precious")
  run_state.clear(tmp_path)
  assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "notes.txt"]
  run_state.clear(tmp_path / "absent")
  assert not (tmp_path / "absent").exists()


def test_a_run_goes_on_with_the_threads_it_was_begun_with(tmp_path):
  assert run_state.num_threads(tmp_path) is None
  files.write_json(tmp_path / "model" / "run.json", {"model.num_threads": "2"})
  assert run_state.num_threads(tmp_path) == 2
  files.write_json(tmp_path / "model" / "run.json", {"model.num_threads": "2" * 5000})
  assert run_state.num_threads(tmp_path) is None


def test_the_last_line_of_a_log_is_found_without_reading_it(tmp_path):
  assert run_state.last_line(tmp_path) == ""
  log = tmp_path / "log.txt"
  log.write_text("=== began\n")
  assert run_state.last_line(tmp_path) == ""
  log.write_text("x" * 10_000 + "\nstep 1\nstep 2\n\n")
  assert run_state.last_line(tmp_path) == "step 2"
  # What an earlier attempt said does not explain how this one ended.
  log.write_text("error: the disk is full\n=== began again\n")
  assert run_state.last_line(tmp_path) == ""


def test_a_record_that_cannot_be_read_is_one_clear_line(tmp_path):
  (tmp_path / "done.json").mkdir()
  with pytest.raises(errors.ConfigError, match=r"Cannot read .*done\.json: Is a directory"):
    run_state.state_of(tmp_path, SETTINGS)
  assert os.path.isdir(tmp_path / "done.json")
