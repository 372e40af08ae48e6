"""Records what the package computes, to show that a change of its code changes no number.

Trains every method for some steps, once with independent and once with correlated noise, evaluates
every metric on both representations of the VAEs and the InfoGANs' own, and writes the report. All
of it goes into one JSON file: digests of weights, losses, values of metrics, the table of runs.
With --compare it lists every number that differs from an earlier file of the same machine.

Usage:
  python benchmarks/record_numbers.py --output_path=before.json
  python benchmarks/record_numbers.py --output_path=after.json --compare=before.json
"""

import csv
import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile

from absl import app
from absl import flags

from dl_condind.evaluation import evaluate
from dl_condind.postprocessing import postprocess
from dl_condind.training import train

ROOT = pathlib.Path(__file__).parents[1]
METHODS = {
  "annealed_vae": [],
  "beta_tc_vae": [],
  "beta_tc_vae_full": ["beta_tc_vae.density = 'full'"],
  "dip_vae": [],
  "dip_vae_ii": ["dip_vae.dip_type = 'ii'"],
  "factor_vae": [],
  "infogan": [],
  "vae": [],
}
CORRELATIONS = (0.0, 0.9)
MEASURED = "vae"  # Metrics are evaluated on this one.
LEFT_OUT = (  # Too long.
  "downstream_task_boosted_trees",
  "fairness",
  "reduced_downstream_task",
  "strong_downstream_task",
)
SETTINGS = {
  "beta_vae_sklearn": ["beta_vae_sklearn.num_train = 200", "beta_vae_sklearn.num_eval = 100"],
  "decoder_geometry": ["decoder_geometry.num_points = 20"],
  "factor_vae_metric": [
    "factor_vae_score.num_train = 200",
    "factor_vae_score.num_eval = 100",
    "factor_vae_score.num_variance_estimate = 200",
  ],
  "infogan_disentanglement": [
    "infogan_disentanglement.num_points = 200",
    "infogan_disentanglement.num_traversals = 20",
  ],
  "information_estimators": [
    "information_estimators.num_posteriors = 500",
    "information_estimators.num_points = 200",
    "information_estimators.num_ratio_points = 500",
    "information_estimators.num_resamples = 20",
  ],
  "information_gap": [
    "information_gap.num_posteriors = 300",
    "information_gap.num_samples = 100",
  ],
  "total_correlation": ["total_correlation.num_posteriors = 100"],
  "vae_terms": ["vae_terms.num_points = 200"],
}
NOT_COMPARED = ("uuid", "elapsed_time", "date", "command_line", "dl_condind", "path")

_OUTPUT_PATH = flags.DEFINE_string("output_path", None, "File to write.", required=True)
_COMPARE = flags.DEFINE_string("compare", None, "Earlier file to compare with.")
_STEPS = flags.DEFINE_integer("steps", 50, "Training steps.", lower_bound=1)
_EVALUATE = flags.DEFINE_bool("evaluate", True, "Evaluate the metrics and write the report, too.")
_WORK_DIR = flags.DEFINE_string("work_dir", None, "Folder of the runs; by default a temporary one.")


def small(name: str) -> list[str]:
  """Returns the bindings that make a metric short, by the name of its gin file."""
  if name in SETTINGS:
    return SETTINGS[name]
  bindings = []
  for line in (ROOT / "gin_configs" / "metrics" / f"{name}.gin").read_text().splitlines():
    key, _, value = line.partition(" = ")
    if key.endswith((".num_train", ".num_test", ".num_points")):
      bindings.append(f"{key} = [150]" if value.startswith("[") else f"{key} = 150")
  return bindings


def train_run(run: pathlib.Path, method: str, correlation: float) -> None:
  """Trains a method and makes its representations."""
  gin_file = method.removesuffix("_full").removesuffix("_ii")
  gin_files = [] if method == "infogan" else ["shared.gin"]
  gin_files += [f"methods/{gin_file}.gin", "posteriors/equicorrelated.gin"]
  bindings = [
    f"model.training_steps = {_STEPS.value}",
    "model.eval_steps = 5",
    "model.log_steps = 1",
    f"equicorrelated.correlation = {correlation}",
    *METHODS[method],
  ]
  train.train_with_gin(run / "model", False, gin_files, bindings)
  if method != "infogan":
    for name in ("mean", "sampled"):
      directory = run / "postprocessed" / name
      postprocess.postprocess_with_gin(run / "model", directory, False, [f"postprocess/{name}.gin"])


def evaluate_run(run: pathlib.Path, method: str) -> None:
  """Evaluates every metric."""
  if method == "infogan":
    name = "infogan_disentanglement"
    evaluate.evaluate_with_gin(
      run / "model", run / "metrics" / name, False, [f"infogan/{name}.gin"], SETTINGS[name]
    )
  elif method == MEASURED:
    paths = sorted((ROOT / "gin_configs" / "metrics").glob("*.gin"))
    for path in [path for path in paths if path.stem not in LEFT_OUT]:
      for name in ("mean", "sampled"):
        evaluate.evaluate_with_gin(
          run / "postprocessed" / name,
          run / "metrics" / name / path.stem,
          False,
          [f"metrics/{path.name}"],
          small(path.stem),
        )


def numbers_of(run: pathlib.Path) -> dict[str, object]:
  """Returns everything a run's folder says, as name -> value."""
  found = {"log": hashlib.sha256((run / "model" / "train_log.jsonl").read_bytes()).hexdigest()}
  (checkpoint,) = (run / "model" / "tf_checkpoint").glob("step_*")
  import tensorflow as tf  # After dl_condind, which decides how TensorFlow starts.

  reader = tf.train.load_checkpoint(str(checkpoint / "checkpoint"))
  for name in sorted(reader.get_variable_to_shape_map()):
    value = reader.get_tensor(name)
    data = value if isinstance(value, bytes) else value.tobytes()
    if not name.startswith("_CHECKPOINTABLE"):
      found[f"weights/{name}"] = hashlib.sha256(data).hexdigest()
  for path in sorted(run.glob("**/aggregate/*.json")):
    for key, value in json.loads(path.read_text()).items():
      if key.rpartition(".")[2] not in NOT_COMPARED and "sha256" not in key:
        found[f"{path.relative_to(run)}:{key}"] = value
  return found


def table_of(study: pathlib.Path) -> dict[str, object]:
  """Writes the report of the runs and returns its table."""
  command = [ROOT / "bin" / "dl_condind_report", f"--study_dir={study}", "--noshow_models"]
  subprocess.run([sys.executable, *command], check=True)
  with open(study / "runs.csv", newline="", encoding="utf-8") as file:
    rows = list(csv.DictReader(file))
  return {
    f"{row['run']}:{key}": value
    for row in rows
    for key, value in row.items()
    if not any(name in key for name in (*NOT_COMPARED, "sha256"))
  }


def main(_) -> None:
  """Records and compares."""
  study = pathlib.Path(_WORK_DIR.value or tempfile.mkdtemp()) / "study"
  numbers = {}
  number = 0
  for method in METHODS:
    for correlation in CORRELATIONS:
      run = study / str(number)
      train_run(run, method, correlation)
      if _EVALUATE.value:
        evaluate_run(run, method)
      for key, value in numbers_of(run).items():
        numbers[f"{method}, c = {correlation}:{key}"] = value
      number += 1
  if _EVALUATE.value:
    numbers |= {f"runs.csv:{key}": value for key, value in table_of(study).items()}
  pathlib.Path(_OUTPUT_PATH.value).write_text(json.dumps(numbers, indent=1, sort_keys=True))
  print(f"{len(numbers):,} values in {_OUTPUT_PATH.value}")
  if _COMPARE.value:
    earlier = json.loads(pathlib.Path(_COMPARE.value).read_text())
    if not _EVALUATE.value:
      earlier = {key: value for key, value in earlier.items() if key in numbers}
    differing = [k for k in sorted(numbers.keys() | earlier) if numbers.get(k) != earlier.get(k)]
    for key in differing:
      print(f"{key}: {earlier.get(key, 'absent')} -> {numbers.get(key, 'absent')}")
    print(f"{len(differing)} of {len(numbers.keys() | earlier):,} values differ.")


if __name__ == "__main__":
  app.run(main)
