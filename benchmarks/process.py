"""Measures whole processes: data, start-up and memory of a training, time of an evaluation.

Everything is made in a temporary folder (400 MB). Prints a Markdown table. Needs Linux, whose /proc
tells the memory of a process. Run it on an idle machine.

Usage: python benchmarks/process.py
"""

from collections.abc import Callable
import importlib.metadata
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

from absl import app
from absl import flags
from absl import logging
import numpy as np
from peers import step_timing
import tensorflow as tf

from dl_condind.data import reading
from dl_condind.data.ground_truth import dsprites
from dl_condind.evaluation import codes
from dl_condind.evaluation import evaluate
from dl_condind.evaluation import stored_representations
from dl_condind.evaluation.metrics import mig
from dl_condind.postprocessing import postprocess
from dl_condind.saved_models import saved_model
from dl_condind.utils import configs

PROGRAM = pathlib.Path(__file__).resolve().parent.parent / "bin" / "dl_condind_train"
PACKAGES = ("dl_condind", "tensorflow", "tensorflow-probability", "keras", "numpy")
NUM_POINTS, DRAW_SIZE = 10_000, 16  # of the metric
POLL_SECONDS = 0.02
LOAD_DATA = """
import time
from dl_condind.data.ground_truth import dsprites
start = time.perf_counter()
dsprites.DSprites().load()
print(time.perf_counter() - start)
"""

_ROUNDS = flags.DEFINE_integer("rounds", 3, "Times that each time is measured.", lower_bound=1)
_TRAINING_STEPS = flags.DEFINE_integer(
  "training_steps", 200, "Steps of the training whose memory is measured.", lower_bound=1
)

Row = tuple[str, str]


def load_data() -> float:
  """Returns the seconds that a new process takes to load dSprites, rendering it if need be."""
  result = subprocess.run(
    [sys.executable, "-c", LOAD_DATA], stdout=subprocess.PIPE, text=True, check=True
  )
  return float(result.stdout)


def run_training(model_dir: pathlib.Path, training_steps: int) -> tuple[float, dict[str, int]]:
  """Trains a VAE with `dl_condind_train`.

  Returns:
    Seconds from the command to the first line of the log, and the highest value seen of each
    number of `read_memory`.

  Raises:
    RuntimeError: If the training fails.
  """
  command = [sys.executable, str(PROGRAM), f"--model_dir={model_dir}"]
  gin_files = ("shared.gin", "methods/vae.gin", "posteriors/equicorrelated.gin")
  command += [f"--gin_config={name}" for name in gin_files]
  bindings = {"training_steps": training_steps, "eval_steps": 10}
  command += [f"--gin_bindings=model.{name} = {value}" for name, value in bindings.items()]
  log = model_dir / "train_log.jsonl"
  first_step_seconds, peak = None, {}
  start = time.perf_counter()
  with (model_dir.parent / f"{model_dir.name}.stderr").open("w+", encoding="utf-8") as stderr:
    process = subprocess.Popen(command, stderr=stderr)
    while process.poll() is None:
      if first_step_seconds is None and log.is_file() and log.stat().st_size:
        first_step_seconds = time.perf_counter() - start
      for name, value in read_memory(process.pid).items():
        peak[name] = max(value, peak.get(name, 0))
      time.sleep(POLL_SECONDS)
    if process.returncode:
      stderr.seek(0)
      raise RuntimeError(f"{PROGRAM.name} failed ({process.returncode}):\n{stderr.read()}")
  return first_step_seconds, peak


def read_memory(pid: int) -> dict[str, int]:
  """Returns what a child has in memory, in kB; nothing if it has just ended.

  `VmHWM` is the most it ever had, `RssAnon` its own share now, `RssFile` what belongs to files, the
  table of images among them, and is in memory once for all processes that map them.
  """
  status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
  found = re.findall(r"^(VmHWM|RssAnon|RssFile):\s+(\d+) kB$", status, re.MULTILINE)
  return {name: int(value) for name, value in found}


def data_rows() -> list[Row]:
  """Returns the rows about loading dSprites."""
  rendering = load_data()
  warm = statistics.median(load_data() for _ in range(_ROUNDS.value))
  return [
    ("rendering dSprites and writing its cache file", f"{rendering:.2f} s"),
    ("loading dSprites from its cache file, checksum included", f"{warm:.2f} s"),
  ]


def training_rows(model_dir: pathlib.Path) -> list[Row]:
  """Trains into model_dir and returns the rows about training."""
  seconds = []
  for index in range(_ROUNDS.value):
    seconds.append(run_training(model_dir.with_name(f"start_{index}"), 1)[0])
    logging.info("First step after %.1f s", seconds[-1])
  _, peak = run_training(model_dir, _TRAINING_STEPS.value)
  labels = {
    "VmHWM": "training: peak resident memory (VmHWM)",
    "RssAnon": "of it the process's own (highest RssAnon)",
    "RssFile": "of it mapped files, the images' 377 MB among them (highest RssFile)",
  }
  return [
    (
      "training: from the command to the end of the first step",
      f"{statistics.median(seconds):.1f} s",
    ),
    *((label, f"{peak[name] * 1024 / 1e6:.0f} MB") for name, label in labels.items()),
  ]


def metric_seconds(dataset: dsprites.DSprites, represent: Callable, seed: int) -> float:
  """Returns the seconds that sampling and encoding the points and computing MIG take."""
  start = time.perf_counter()
  mig.compute_mig(dataset, represent, np.random.RandomState(seed))
  return time.perf_counter() - start


def forward_seconds(dataset: dsprites.DSprites, encoder: Callable, seed: int) -> float:
  """Returns the seconds of the encoder's forward pass over the observations of those points."""
  random_state = np.random.RandomState(seed)
  draws = [dataset.sample_rows(DRAW_SIZE, random_state)[1] for _ in range(NUM_POINTS // DRAW_SIZE)]
  observations = dataset.observations_from_rows(np.concatenate(draws))
  chunk = codes.ENCODE_CHUNK
  chunks = [tf.constant(observations[i : i + chunk]) for i in range(0, NUM_POINTS, chunk)]
  start = time.perf_counter()
  for images in chunks:
    encoder(images=images)["mean"].numpy()
  return time.perf_counter() - start


def evaluation_rows(model_dir: pathlib.Path) -> list[Row]:
  """Evaluates the model that was trained into model_dir and returns the rows about evaluation."""
  mean_dir = model_dir.with_name("mean")
  postprocess.postprocess_with_gin(model_dir, mean_dir, gin_config_files=["postprocess/mean.gin"])
  bindings = [f"mig.num_train = {NUM_POINTS}", f"mig.batch_size = {DRAW_SIZE}"]
  start = time.perf_counter()
  evaluate.evaluate_with_gin(
    mean_dir, model_dir.with_name("mig"), False, ["metrics/mig.gin"], bindings
  )
  whole = time.perf_counter() - start

  configs.parse(["metrics/mig.gin"], bindings)
  dataset = dsprites.DSprites()
  represent = stored_representations.load_representation(mean_dir / "saved_model")
  encoder = saved_model.load(model_dir / "saved_model").signatures["gaussian_encoder"]
  warmup = dataset.observations_from_rows(np.arange(codes.ENCODE_CHUNK))
  represent(warmup)  # The first call of a function prepares the others.
  encoder(images=tf.constant(warmup))
  metric, forward = [], []
  for seed in range(_ROUNDS.value):  # Points of another seed are not remembered.
    metric.append(metric_seconds(dataset, represent, seed))
    forward.append(forward_seconds(dataset, encoder, seed))
  ratio = statistics.median(a / b for a, b in zip(metric, forward, strict=True))
  return [
    (
      "evaluation: first call in a process, model and data loaded, record written",
      f"{whole:.2f} s",
    ),
    (f"sampling and encoding {NUM_POINTS:,} images, MIG", f"{statistics.median(metric):.2f} s"),
    ("the encoder's forward pass alone on the same images", f"{statistics.median(forward):.2f} s"),
    ("ratio of these two", f"{ratio:.2f}"),
  ]


def main(argv: list[str]) -> None:
  """Measures and prints the table."""
  if len(argv) > 1:
    raise app.UsageError(f"Unexpected arguments: {argv[1:]}.")
  load = os.getloadavg()[0]
  with tempfile.TemporaryDirectory() as folder:
    os.environ[reading.DATA_FOLDER_VARIABLE] = f"{folder}/data"
    model_dir = pathlib.Path(folder) / "model"
    rows = [*data_rows(), *training_rows(model_dir), *evaluation_rows(model_dir)]
  versions = {package: importlib.metadata.version(package) for package in PACKAGES}
  lines = [
    f"Default settings; a training of {_TRAINING_STEPS.value} steps for the memory, median of "
    f"{_ROUNDS.value} rounds of all else but rendering and the first call.",
    *step_timing.surroundings(versions, load),
    "",
    "| what | measured |",
    "| --- | ---: |",
    *(f"| {label} | {value} |" for label, value in rows),
  ]
  print("\n".join(lines))


if __name__ == "__main__":
  app.run(main)
