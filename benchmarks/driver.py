"""Measures what running many runs costs beside the runs themselves.

`--part=status` makes the folders of 12,600 finished runs, each with the records of all stages of
`unsupervised_study_v1`, and times the state of all of them, as --status tells it. `--part=engine`
lets the local engine watch two runs that do nothing but sleep and say so in their logs, and counts
its processor time; a run of 10 minutes costs the start of the engine and as many seconds of
watching.

Usage: python benchmarks/driver.py --part=status
       python benchmarks/driver.py --part=engine --seconds=60
"""

import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

from absl import app
from absl import flags

from dl_condind.studies import attempts
from dl_condind.studies import local_engine
from dl_condind.studies import progress
from dl_condind.studies import study_file
from dl_condind.studies import sweep

_PART = flags.DEFINE_enum("part", "status", ["status", "engine"], "What to measure.")
_SECONDS = flags.DEFINE_integer("seconds", 60, "Seconds that the engine is watched.", lower_bound=2)
_STUDY = "unsupervised_study_v1"
_RUN_SECONDS = 600
_PROGRAM = pathlib.Path(__file__).parents[1] / "bin" / "dl_condind_reproduce"
_SLEEPER = """
import time
for step in range(int({seconds})):
  time.sleep(1)
  print(f"12:00:00 INFO step {{step}} of {seconds}, 1.0 steps/s, 10 s left", flush=True)
"""


def make_folders(study: study_file.Study, output: pathlib.Path) -> int:
  """Makes the folder of every run, as if it were done, and returns the number of records."""
  stages = ["model/results/aggregate/train.json", "visualizations/visualization.json"]
  for name in study.representations:
    stages.append(f"postprocessed/{name}/results/aggregate/postprocess.json")
    stages += [
      f"metrics/{name}/{metric}/results/aggregate/evaluation.json" for metric in study.metrics
    ]
  for number in study.model_nums:
    for name in stages:
      record = output / str(number) / name
      record.parent.mkdir(parents=True)
      record.write_text("{}")
    done = {"settings": study.settings(number), "run_id": "0" * 64, "records": sorted(stages)}
    (output / str(number) / "done.json").write_text(json.dumps(done, indent=2, sort_keys=True))
    (output / str(number) / ".lock").write_text("1\n")
  return len(study.model_nums) * len(stages)


def measure_status() -> None:
  """Times the state of 12,600 runs that are done, and of as many whose last record is gone."""
  study = study_file.load_study(_STUDY)
  with tempfile.TemporaryDirectory() as folder:
    output = pathlib.Path(folder)
    num_records = make_folders(study, output)
    print(f"{len(study.model_nums):,} runs with {num_records:,} records.")
    pattern = f"--output_directory={output}/{{model_num}}"
    command = [sys.executable, str(_PROGRAM), f"--study={_STUDY}", "--status", pattern]
    for state in ("done", "missing"):
      seconds = []
      for _ in range(3):
        start = time.monotonic()
        answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        seconds.append(time.monotonic() - start)
      print(f"--status, all {state}: {min(seconds):.2f}-{max(seconds):.2f} s: "
            f"{answer.splitlines()[1]}")  # fmt: skip
      for number in study.model_nums:
        (output / str(number) / "done.json").unlink(missing_ok=True)


def measure_engine() -> None:
  """Counts the processor time of an engine that watches two sleeping runs."""
  start = time.process_time()
  study = study_file.load_study("paper")
  code = _SLEEPER.format(seconds=_SECONDS.value)
  with tempfile.TemporaryDirectory() as folder:
    pattern = os.path.join(folder, "{model_num}")
    jobs = sweep.make_jobs(study, study.model_nums, pattern, [sys.executable, "-c", code])
    show = progress.Progress(sweep.states_of(jobs))
    limits = attempts.Limits(retries=0)
    before = time.process_time()
    # A run that ends well but leaves no record is not done; here that ends the measurement.
    local_engine.run(jobs[:2], 2, limits, show)
    watching = time.process_time() - before
  usage = resource.getrusage(resource.RUSAGE_SELF)
  total = usage.ru_utime + usage.ru_stime - watching
  per_run = total + watching / _SECONDS.value * _RUN_SECONDS
  print(f"Start of the engine: {total:.2f} s of processor time, {before - start:.2f} s of which "
        f"read the study and the state of {len(jobs)} runs.")  # fmt: skip
  print(f"Watching two runs: {watching / _SECONDS.value * 1000:.2f} ms of processor time a second.")
  print(f"Of a run of 10 minutes: {per_run:.2f} s, {100 * per_run / _RUN_SECONDS:.2f} %.")


def main(argv: list[str]) -> None:
  """Measures one part."""
  if len(argv) > 1:
    raise app.UsageError(f"Unexpected arguments: {argv[1:]}.")
  if _PART.value == "status":
    measure_status()
  else:
    measure_engine()


if __name__ == "__main__":
  app.run(main)
