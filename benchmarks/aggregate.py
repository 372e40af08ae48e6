"""Measures how long the records of many runs take to gather, against a plain loop with pandas.

Records are generated in a temporary folder: 12,600 evaluations of 2,100 runs by default (0.9 GB on
the disk), each with the configuration, results and provenance of three stages, as training,
postprocessing and evaluation leave them.

Usage: python benchmarks/aggregate.py --num_runs=2100
"""

from collections.abc import Callable
import glob
import json
import os
import pathlib
import tempfile
import time

from absl import app
from absl import flags
from absl import logging
import pandas as pd

from dl_condind.reports import aggregate_results
from dl_condind.utils import files

METRICS = ("mig", "total_correlation", "vae_terms")
REPRESENTATIONS = ("mean", "sampled")
STEPS = ("train", "postprocess", "evaluation")
METHODS = ("vae", "factor_vae", "beta_tc_vae")

_NUM_RUNS = flags.DEFINE_integer("num_runs", 2100, "Runs, each with six evaluations.")
_FOLDER = flags.DEFINE_string("folder", tempfile.gettempdir(), "Where records are written.")


def record_of(number: int, steps: tuple[str, ...]) -> dict[str, dict[str, object]]:
  """Returns the parts of a record as long as a real one."""
  config = {f"some_module.parameter_{i}": f"value {i}" for i in range(24)}
  config |= {
    "model.model": f"@{METHODS[number % 3]}()",
    "dataset.name": "'dsprites_full'",
    "encoder.num_latent": "10",
    "model.random_seed": str(number),
    "posterior.noise_correlation": "@equicorrelated",
    "equicorrelated.correlation": "0.9" if number % 2 else "0.0",
  }
  parts = {}
  for step in steps:
    parts[f"{step}_config"] = config
    parts[f"{step}_results"] = {
      "value": number / 7,
      "per_latent": [number / (i + 3) for i in range(10)],
      "elapsed_time": 1.5,
      "uuid": f"{step}-{number}",
    }
    parts[f"{step}_provenance"] = {f"package_{i}": f"{i}.0.1" for i in range(20)}
  return parts


def write_stage(stage: pathlib.Path, steps: tuple[str, ...], number: int) -> None:
  """Writes the record of a stage as `results.write_results` does, without waiting for the disk."""
  folder = stage / "results"
  contents = {f"gin/{step}.gin": "some_module.parameter = 1\n" * 30 for step in steps}
  parts = record_of(number, steps)
  contents |= {f"json/{part}.json": json.dumps(values, indent=2) for part, values in parts.items()}
  flat = {f"{part}.{key}": value for part, values in parts.items() for key, value in values.items()}
  contents |= {f"aggregate/{step}.json": json.dumps(flat, indent=2) for step in steps}
  for name in ("gin", "json", "aggregate"):
    (folder / name).mkdir(parents=True)
  for name, text in contents.items():
    (folder / name).write_text(text, encoding="utf-8")
  manifest = {name: files.sha256(folder / name) for name in contents}
  (folder / files.MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")


def write_run(run: pathlib.Path, number: int) -> None:
  """Writes the records of a run."""
  write_stage(run / "model", STEPS[:1], number)
  for representation in REPRESENTATIONS:
    for metric in METRICS:
      write_stage(run / "metrics" / representation / metric, STEPS, number)


def plain_loop(pattern: str, output_path: str) -> None:
  """Gathers records one data frame at a time, and checks nothing."""
  frames = []
  for path in sorted(glob.glob(pattern)):
    with open(path, encoding="utf-8") as file:
      frames.append(pd.DataFrame([{**json.load(file), "path": path}]))
  table = pd.concat(frames, ignore_index=True)
  table.to_json(output_path)
  table.to_csv(f"{output_path}.csv", index=False)


def seconds(function: Callable[..., object], *arguments: object) -> float:
  """Returns how long a call takes."""
  start = time.perf_counter()
  function(*arguments)
  return time.perf_counter() - start


def main(argv: list[str]) -> None:
  """Prints the table."""
  if len(argv) > 1:
    raise app.UsageError(f"Unexpected arguments: {argv[1:]}.")
  with tempfile.TemporaryDirectory(dir=_FOLDER.value) as temporary:
    study = pathlib.Path(temporary) / "output" / "study"
    for number in range(_NUM_RUNS.value):
      write_run(study / str(number), number)
    os.sync()
    num_records = _NUM_RUNS.value * len(METRICS) * len(REPRESENTATIONS)
    logging.info("Wrote %d records.", num_records)
    pattern = str(study.parents[1] / aggregate_results.DEFAULT_PATTERN)
    ours = seconds(aggregate_results.aggregate, pattern, f"{temporary}/results.json")
    runs = seconds(aggregate_results.runs_table, study)
    loop = seconds(plain_loop, pattern, f"{temporary}/loop.json")
  print("| what | s |\n| --- | ---: |")
  print(f"| JSON and CSV of {num_records:,} evaluations, each checked | {ours:.1f} |")
  print(f"| CSV of their {_NUM_RUNS.value:,} runs alone, as a report reads them | {runs:.1f} |")
  print(f"| a loop with pandas, nothing checked | {loop:.1f} |")
  print(f"| ratio to the loop | {ours / loop:.2f} |")


if __name__ == "__main__":
  app.run(main)
