"""Runs with real models, stopped, killed and starved of disk: each starts TensorFlow."""

import contextlib
import csv
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest

from dl_condind.evaluation import evaluate
from dl_condind.reports import aggregate_results
from dl_condind.reports import report
from dl_condind.studies import reproduce
from dl_condind.studies import run_state
from dl_condind.studies import study_file
from dl_condind.studies import sweep
from dl_condind.utils import errors
from dl_condind.utils import files
from dl_condind.utils import results

pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).parents[2]
PROGRAM = ROOT / "bin" / "dl_condind_reproduce"
VARIABLES = "model/saved_model/variables/variables.data-00000-of-00001"


@pytest.fixture(scope="module")
def write_study(tmp_path_factory, tiny_training):
  """Returns a function that writes a study of the smallest runs and returns its path."""
  folder = tmp_path_factory.mktemp("studies")
  (folder / "few.gin").write_text('include "metrics/mig.gin"\nmig.num_train = 50\n')

  def write(name, seeds, *bindings):
    path = folder / f"{name}.gin"
    path.write_text(
      'study.gin_files = ["shared.gin", "methods/vae.gin", "posteriors/equicorrelated.gin"]\n'
      f"study.bindings = {[*tiny_training, 'model.num_threads = 1', *bindings]}\n"
      f'study.axes = [("model.random_seed", {seeds})]\n'
      f'study.metrics = ["{folder}/few.gin"]\n'
      'study.representations = ["mean"]\n'
    )
    return str(path)

  return write


def start(*arguments, program=PROGRAM):
  return subprocess.Popen(
    [sys.executable, program, *map(str, arguments)],
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
    env={**os.environ, "PYTHONPATH": str(ROOT)},
  )


def run(*arguments, program=PROGRAM, seconds=300):
  """Runs a program to its end and returns its exit code, output and last line of errors."""
  process = start(*arguments, program=program)
  stdout, stderr = process.communicate(timeout=seconds)
  return process.returncode, stdout, (stderr.splitlines() or [""])[-1]


def wait_for(condition, process, seconds=120):
  deadline = time.monotonic() + seconds
  while not condition():
    assert process.poll() is None, process.communicate()[1]
    assert time.monotonic() < deadline
    time.sleep(0.02)


def digest(folder):
  """Returns a digest of a run's weights and of the numbers of its records, times excepted."""
  numbers = []
  for path in sorted(folder.glob("**/json/*_results.json")):
    values = json.loads(path.read_text())
    numbers.append({k: v for k, v in values.items() if k not in ("uuid", "elapsed_time")})
  return files.sha256(folder / VARIABLES), numbers


def test_sigterm_saves_within_ten_seconds_and_the_run_continues_exactly(write_study, tmp_path):
  name = write_study("long", [0], "model.training_steps = 1500", "model.log_steps = 20")
  reproduce.reproduce(study_file.load_study(name), 0, tmp_path / "whole")
  output = f"--output_directory={tmp_path}/{{model_num}}"
  process = start(f"--study={name}", "--engine=local", "--workers=1", output)
  log = tmp_path / "0" / "model" / "train_log.jsonl"
  wait_for(lambda: log.is_file() and log.stat().st_size > 500, process)
  process.send_signal(signal.SIGTERM)
  start_time = time.monotonic()
  _, stderr = process.communicate(timeout=60)
  assert time.monotonic() - start_time < 10
  assert process.returncode == errors.TryAgainError.exit_code
  assert stderr.splitlines()[-1].startswith("error: SIGTERM: every run is saved")
  (checkpoint,) = (tmp_path / "0" / "model" / "tf_checkpoint").glob("step_*")
  files.verify_manifest(checkpoint)
  assert not (tmp_path / "0" / "model" / "results").exists()

  code, stdout, _ = run(f"--study={name}", "--engine=local", "--workers=1", output)
  assert (code, stdout[:11]) == (0, "1 of 1 done")
  assert digest(tmp_path / "0") == digest(tmp_path / "whole")
  logs = [(tmp_path / name / "model/train_log.jsonl").read_text() for name in ("0", "whole")]
  assert logs[0] == logs[1]


def test_killed_engines_and_workers_change_no_result_of_real_runs(write_study, tmp_path, kills):
  """Twelve runs whose engine is killed, and whose workers are, against runs made in sequence."""
  name = write_study("study", list(range(12)), "model.training_steps = 40")
  study = study_file.load_study(name)
  for number in study.model_nums:
    reproduce.reproduce(study, number, tmp_path / "sequential" / str(number))
  output = f"--output_directory={tmp_path}/{{model_num}}"
  generator = random.Random(0)
  for _ in range(kills(3, 20)):
    process = start(f"--study={name}", "--engine=local", "--workers=2", output)
    time.sleep(generator.uniform(5, 40))
    for pid in _workers(tmp_path)[:1]:
      os.kill(pid, signal.SIGKILL)
    time.sleep(generator.uniform(1, 10))
    process.kill()
    process.communicate()
    _wait_for_the_end_of_workers(tmp_path)
  arguments = f"--study={name}", "--engine=local", "--workers=2", output
  code, stdout, _ = run(*arguments, seconds=1200)  # Each run starts TensorFlow, up to a minute.
  assert (code, stdout[:13]) == (0, "12 of 12 done")
  for number in study.model_nums:
    assert digest(tmp_path / str(number)) == digest(tmp_path / "sequential" / str(number))


def _wait_for_the_end_of_workers(folder, seconds=120):
  """Waits until the workers of an engine that was killed have saved their runs and ended."""
  deadline = time.monotonic() + seconds
  while found := _workers(folder):
    assert time.monotonic() < deadline, found
    time.sleep(0.2)


def _workers(folder):
  found = []
  for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
      words = path.read_bytes().decode(errors="replace").split("\0")
      makes_run = any(word.startswith("--model_num=") for word in words)
      if makes_run and any(word.startswith(f"--output_directory={folder}/") for word in words):
        found.append(int(path.parent.name))
  return found


@pytest.fixture(scope="module")
def finished(write_study, tmp_path_factory):
  """A study of one run that is done: its file and its folder."""
  name = write_study("one", [0])
  folder = tmp_path_factory.mktemp("finished")
  reproduce.reproduce(study_file.load_study(name), 0, folder / "0")
  return name, folder


def loop(code, *arguments):
  """Starts a process that says `ready` and then repeats a piece of code until it is killed."""
  program = f"import pathlib, sys\n{code}\nwork()\nprint('ready', flush=True)\nwhile True: work()"
  return subprocess.Popen(
    [sys.executable, "-c", program, *map(str, arguments)],
    stdout=subprocess.PIPE,
    stderr=subprocess.DEVNULL,
    text=True,
    env={**os.environ, "PYTHONPATH": str(ROOT)},
  )


def kill_at_random(code, arguments, num_kills, check):
  """Kills a process that repeats a piece of code at random instants and checks what is left."""
  generator = random.Random(3)
  for _ in range(num_kills):
    process = loop(code, *arguments)
    try:
      assert process.stdout.readline() == "ready\n"
      time.sleep(generator.uniform(0, 0.5))
    finally:
      process.kill()
      process.communicate()
    check()


def test_killed_evaluations_leave_a_whole_record_or_none(finished, tmp_path, kills):
  name, folder = finished
  code = (
    "from dl_condind.evaluation import evaluate\n"
    "def work(): evaluate.evaluate_with_gin(sys.argv[1], sys.argv[2], True, [sys.argv[3]])"
  )
  few = str(pathlib.Path(name).with_name("few.gin"))
  arguments = (folder / "0" / "postprocessed" / "mean", tmp_path / "mig", few)
  expected = results.read_results(folder / "0" / "metrics" / "mean" / "few", "evaluation")

  def check():
    if results.is_complete(tmp_path / "mig", "evaluation"):
      found = results.read_results(tmp_path / "mig", "evaluation")
      assert found["discrete_mig"] == expected["discrete_mig"]
    else:
      assert not (tmp_path / "mig" / "results").exists()

  kill_at_random(code, arguments, kills(2, 30), check)
  evaluate.evaluate_with_gin(*arguments[:2], True, [few])
  assert not list(tmp_path.rglob("*.tmp"))


def test_killed_aggregations_leave_the_old_table_or_the_new_one(finished, tmp_path, kills):
  _, folder = finished
  code = (
    "from dl_condind.reports import aggregate_results\n"
    "def work(): aggregate_results.aggregate(sys.argv[1], sys.argv[2])"
  )
  for number in range(20):
    source = folder / "0" / "metrics" / "mean" / "few" / "results" / "aggregate" / "evaluation.json"
    target = tmp_path / "records" / str(number) / "aggregate" / "evaluation.json"
    target.parent.mkdir(parents=True)
    shutil.copy(source, target)
  pattern = tmp_path / "records" / "*" / "aggregate" / "*.json"

  def check():
    table = json.loads((tmp_path / "results.json").read_text())
    assert len(table["path"]) == 20
    with open(tmp_path / "results.csv", newline="") as file:
      rows = list(csv.DictReader(file, strict=True))
    assert [row["path"] for row in rows] == list(table["path"].values())

  kill_at_random(code, (pattern, tmp_path / "results.json"), kills(3, 30), check)
  aggregate_results.aggregate(pattern, tmp_path / "results.json")
  assert not list(tmp_path.rglob("*.tmp"))


def test_killed_reports_leave_the_old_page_or_the_new_one(finished, tmp_path, kills):
  _, folder = finished
  shutil.copytree(folder, tmp_path / "study")
  code = (
    "from dl_condind.reports import report\n"
    "def work(): report.write_report(sys.argv[1], show_models=False)"
  )

  def check():
    page = (tmp_path / "study" / "report.html").read_text()
    assert page.startswith("<!") and page.rstrip().endswith("</html>")

  kill_at_random(code, (tmp_path / "study",), kills(3, 30), check)
  report.write_report(tmp_path / "study", show_models=False)
  assert not list(tmp_path.rglob("*.tmp"))


def test_a_full_disk_is_one_line_and_the_checkpoint_is_whole(write_study, tmp_path, mount_tmpfs):
  name = write_study("full", [0], "model.training_steps = 2000000", "model.checkpoint_steps = 20")
  with mount_tmpfs(tmp_path / "disk", "size=20m") as disk:
    process = start(f"--study={name}", "--model_num=0", f"--output_directory={disk}/0")
    checkpoints = disk / "0" / "model" / "tf_checkpoint"
    wait_for(lambda: len(list(checkpoints.glob("step_*"))) >= 1, process)
    with contextlib.suppress(OSError), open(disk / "filler", "wb", buffering=0) as file:
      while True:
        file.write(bytes(2**16))
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == errors.TryAgainError.exit_code, stderr
    message = rf"^error: No space left to write {disk}/0/model/\S+ \([\d,]+ bytes free\): free some"
    assert re.match(message, stderr.splitlines()[-1])
    assert "Traceback" not in stderr
    newest = max(checkpoints.glob("step_*"))
    files.verify_manifest(newest)

    code, _, line = run(
      f"--study={name}", "--engine=local", "--workers=1", "--retries=0",
      f"--output_directory={disk}/{{model_num}}",
    )  # fmt: skip
    assert code == errors.TryAgainError.exit_code
    assert "No space left to write" in line and "bytes free" in line
    files.verify_manifest(newest)


def test_a_folder_that_is_read_only_is_one_line(write_study, tmp_path, mount_tmpfs):
  name = write_study("read_only", [0])
  with mount_tmpfs(tmp_path / "disk", "ro") as disk:
    code, _, line = run(f"--study={name}", "--model_num=0", f"--output_directory={disk}/0")
    assert code == errors.ConfigError.exit_code
    assert (
      line == f"error: Cannot write {disk}/0 (Read-only file system): choose a folder that can "
      "be written to."
    )
    jobs = sweep.make_jobs(study_file.load_study(name), [0], f"{disk}/{{model_num}}", ["true"])
    with pytest.raises(errors.ConfigError, match=r"Cannot write .*/0/log\.txt \(Read-only file sy"):
      sweep.make_runs(jobs, sweep.Options(workers=1))


def test_a_damaged_record_is_named_and_its_stage_redone_on_request(finished, tmp_path):
  name, folder = finished
  shutil.copytree(folder, tmp_path / "study")
  run_folder = tmp_path / "study" / "0"
  stage = run_folder / "metrics" / "mean" / "few"
  record = stage / "results" / "aggregate" / "evaluation.json"
  record.write_text(record.read_text()[:-20])
  study = study_file.load_study(name)
  with pytest.raises(errors.DatasetError, match=rf"{re.escape(str(record))} has changed since it"):
    reproduce.reproduce(study, 0, run_folder)
  code, _, line = run(
    f"--input_dir={run_folder}/postprocessed/mean", f"--output_dir={stage}", "--overwrite",
    f"--gin_config={pathlib.Path(name).with_name('few.gin')}",
    program=ROOT / "bin" / "dl_condind_evaluate",
  )  # fmt: skip
  assert code == 0, line
  reproduce.reproduce(study, 0, run_folder)
  assert run_state.state_of(run_folder, study.settings(0)) == run_state.DONE
  assert digest(run_folder) == digest(folder / "0")


def test_a_run_of_another_configuration_is_refused(finished, tmp_path):
  name, folder = finished
  shutil.copytree(folder, tmp_path / "study")
  code, _, line = run(
    f"--study={name}", "--engine=local", f"--output_directory={tmp_path}/study/{{model_num}}",
    "--gin_bindings=vae.beta = 3.0",
  )  # fmt: skip
  assert code == errors.ConfigError.exit_code
  assert "1 of 1 runs failed; the first, run 0: " in line
  assert "holds a run of another configuration: vae.beta is 1.0 there and 3.0 here" in line
