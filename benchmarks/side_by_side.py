"""Compares trainings side by side, each on one thread, with one training on all threads.

Both arrangements have --threads threads and take turns for a few rounds. Trainings of a sweep are
best run in the arrangement with more steps a second in total. Prints a Markdown table. Run it on an
idle machine.

Usage: python benchmarks/side_by_side.py --model=vae --threads=2
"""

from collections.abc import Mapping
from collections.abc import Sequence
import json
import os
import pathlib
import statistics
import subprocess
import sys

from absl import app
from absl import flags
from absl import logging
from peers import step_timing

OWN_STEP = pathlib.Path(__file__).with_name("own_step.py")

_MODEL = flags.DEFINE_enum(
  "model", "vae", ["vae", "beta_tc_vae", "factor_vae"], "Objective to train."
)
_ROUNDS = flags.DEFINE_integer("rounds", 3, "Times that each is run.", lower_bound=1)


def train_at_once(num_processes: int, num_threads: int) -> list[dict]:
  """Runs trainings at the same time and returns the record of each.

  Raises:
    RuntimeError: If one fails.
  """
  command = [sys.executable, str(OWN_STEP), f"--model={_MODEL.value}", f"--threads={num_threads}"]
  command += [f"--{name}={flags.FLAGS[name].value}" for name in ("steps", "warmup")]
  processes = [
    subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for _ in range(num_processes)
  ]
  outputs = [process.communicate() for process in processes]
  for process, (_, stderr) in zip(processes, outputs, strict=True):
    if process.returncode:
      raise RuntimeError(f"{OWN_STEP.name} failed ({process.returncode}):\n{stderr}")
  return [json.loads(stdout.strip().splitlines()[-1]) for stdout, _ in outputs]


def steps_per_second(records: Sequence[Mapping]) -> float:
  """Returns the steps a second of all trainings that ran at the same time."""
  return sum(1000 / record["median_ms"] for record in records)


def row(arrangement: tuple[int, int], rounds: Sequence[Sequence[Mapping]]) -> str:
  """Returns the row of an arrangement: (processes, threads of each) and its records by round."""
  rates = [steps_per_second(records) for records in rounds]
  step_ms = statistics.median(record["median_ms"] for records in rounds for record in records)
  num_processes, num_threads = arrangement
  return (
    f"| {num_processes} x {num_threads} | {step_ms:.1f} | {statistics.median(rates):.1f} "
    f"| {min(rates):.1f}-{max(rates):.1f} |"
  )


def main(argv: list[str]) -> None:
  """Runs both arrangements in turn and prints the table."""
  if len(argv) > 1:
    raise app.UsageError(f"Unexpected arguments: {argv[1:]}.")
  load = os.getloadavg()[0]
  num_threads = step_timing.threads()
  results = {(num_threads, 1): [], (1, num_threads): []}  # By (processes, threads of each).
  for index in range(_ROUNDS.value):
    for arrangement, rounds in results.items():
      rounds.append(train_at_once(*arrangement))
      rate = steps_per_second(rounds[-1])
      logging.info("Round %d, %d x %d: %.1f steps/s", index + 1, *arrangement, rate)
  record = results[(1, num_threads)][0][0]
  lines = [
    f"{_MODEL.value}, batch {step_timing.BATCH_SIZE}; median of {_ROUNDS.value} rounds of "
    f"{record['steps']} steps.",
    *step_timing.surroundings(record["versions"], load),
    "",
    "| processes x threads | step, ms | steps/s in total | lowest-highest |",
    "| --- | ---: | ---: | ---: |",
    *(row(arrangement, rounds) for arrangement, rounds in results.items()),
  ]
  print("\n".join(lines))


if __name__ == "__main__":
  app.run(main)
