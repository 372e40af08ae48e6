"""The script of an array job, run by bash as SLURM would, with a `scontrol` that takes notes."""

import os
import re
import signal
import subprocess
import sys
import time

import pytest

from dl_condind.studies import slurm
from dl_condind.studies import sweep

ENGINE = """
import signal, sys, time
print(*sys.argv[1:], flush=True)
def stop(number, frame):
  time.sleep(0.3)
  sys.exit(75)
signal.signal(signal.SIGTERM, stop)
if "--model_nums=7" in sys.argv:
  time.sleep(60)
sys.exit(int("--model_nums=5" in sys.argv) * 3)
"""


@pytest.fixture
def script(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  monkeypatch.setenv("DISENTANGLEMENT_LIB_DATA", "my data")
  monkeypatch.setenv("PYTHONPATH", f"my code{os.pathsep}/elsewhere")
  engine = tmp_path / "engine.py"
  engine.write_text(ENGINE)
  scontrol = tmp_path / "scontrol"
  scontrol.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/requeued\n')
  scontrol.chmod(0o755)
  path = tmp_path / "mine.sbatch"
  options = sweep.Options(workers=32, threads=2)
  slurm.write_script(path, "mine", [3, 5, 7], [sys.executable, str(engine)], options)
  return path


def start(script, task):
  return subprocess.Popen(
    ["bash", script],
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
    env={
      **os.environ,
      "PATH": f"{script.parent}:{os.environ['PATH']}",
      "SLURM_ARRAY_JOB_ID": "12",
      "SLURM_ARRAY_TASK_ID": str(task),
    },
  )


def test_what_the_script_asks_for(script):
  text = script.read_text()
  directives = dict(re.findall(r"^#SBATCH --([a-z-]+)(?:=(.*))?$", text, re.MULTILINE))
  assert directives["array"] == "0-2%32"
  assert directives["cpus-per-task"] == "2"
  assert directives["signal"] == "B:TERM@120"
  assert "requeue" in directives and "gpus-per-task" not in directives
  assert f"export DISENTANGLEMENT_LIB_DATA='{script.parent}/my data'\n" in text
  assert f"export PYTHONPATH='{script.parent}/my code:/elsewhere'\n" in text


@pytest.mark.parametrize(("task", "model_num", "exit_code"), [(0, 3, 0), (1, 5, 3)])
def test_a_task_makes_its_run(script, task, model_num, exit_code):
  process = start(script, task)
  stdout, stderr = process.communicate(timeout=30)
  assert process.returncode == exit_code, stderr
  assert stdout.split() == [
    "--engine=local", "--workers=1", "--threads=2", "--devices=cpu", "--retries=5",
    "--timeout_hours=96.0", f"--model_nums={model_num}",
  ]  # fmt: skip
  assert not (script.parent / "requeued").exists()


def test_a_task_that_has_to_make_room_is_queued_again(script):
  process = start(script, 2)
  assert "--model_nums=7" in process.stdout.readline()
  time.sleep(0.1)
  process.send_signal(signal.SIGTERM)
  process.communicate(timeout=30)
  assert process.returncode == 75
  assert (script.parent / "requeued").read_text() == "requeue 12_2\n"


def test_more_runs_than_an_array_may_have_are_shared_out(tmp_path):
  path = tmp_path / "many.sbatch"
  slurm.write_script(path, "many", list(range(2500)), ["p"], sweep.Options(devices="gpu"))
  text = path.read_text()
  assert "#SBATCH --array=0-999\n" in text and "#SBATCH --gpus-per-task=1\n" in text
  runs = re.search(r"^runs=\((.*)\)$", text, re.MULTILINE)[1].split()
  assert len(runs) == 1000 and runs[0] == "0,1000,2000"
  assert sorted(int(number) for part in runs for number in part.split(",")) == list(range(2500))
