"""Measures a training step of abstract reasoning, and what its parts cost.

The network is the largest of van Steenkiste et al. (2019): four edge layers of 512 units. Prints a
Markdown table of the median step with each embedding, on puzzles of abstract_dsprites, which is
rendered if it is not there; of drawing a batch of puzzles; and of encoding all panels once. Next to
each stands the processor time of all threads, which a busy machine changes less. The model of the
representation is untrained. Run it on an idle machine.

Usage: python benchmarks/reasoning_step.py --num_threads=2
"""

import os
import pathlib
import statistics
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

from absl import app
from absl import flags
import numpy as np
import tensorflow as tf

from dl_condind.data import input_pipeline
from dl_condind.data import puzzles
from dl_condind.data.ground_truth import named_data
from dl_condind.postprocessing import postprocess
from dl_condind.reasoning import embeddings
from dl_condind.reasoning import relational_network
from dl_condind.reasoning import two_stage_model
from dl_condind.training import runtime
from dl_condind.training import train

_THREADS = flags.DEFINE_integer("num_threads", 2, "Threads of TensorFlow.", lower_bound=1)
_STEPS = flags.DEFINE_integer("num_steps", 20, "Steps that the median is of.", lower_bound=1)
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 32, "Puzzles in a batch.", lower_bound=1)
_DATASET = flags.DEFINE_string("dataset", "abstract_dsprites", "Name of the data set.")
_EMBEDDINGS = flags.DEFINE_list(
  "embeddings", ["values", "onehot", "mean", "sampled", "cnn"], "Embeddings to measure."
)


def make_representation(folder: pathlib.Path, name: str) -> pathlib.Path:
  """Trains a VAE for one step and returns the folder of the SavedModel of a representation."""
  bindings = [f"dataset.name = {_DATASET.value!r}", "model.training_steps = 1"]
  bindings += ["model.eval_steps = 1", f"model.num_threads = {_THREADS.value}"]
  train.train_with_gin(folder / "model", False, ["shared.gin", "methods/vae.gin"], bindings)
  output = folder / "postprocessed" / name
  postprocess.postprocess_with_gin(folder / "model", output, False, [f"postprocess/{name}.gin"])
  return output / "saved_model"


class Stopwatch:
  """Seconds, and seconds of the processor, since it was made."""

  def __init__(self):
    self._start = (time.perf_counter(), time.process_time())

  def read(self) -> tuple[float, float]:
    """Returns both."""
    return time.perf_counter() - self._start[0], time.process_time() - self._start[1]


def medians(times: list[tuple[float, float]]) -> tuple[float, float]:
  """Returns the median of seconds and of processor seconds."""
  wall, processor = zip(*times, strict=True)
  return statistics.median(wall), statistics.median(processor)


def measure(embedding: object) -> tuple[tuple[float, float], tuple[float, float]]:
  """Returns the times that preparing an embedding took, and those of a step with it."""
  made = puzzles.Puzzles(named_data.DATA_SETS[_DATASET.value](), "easy1")
  network = relational_network.OptimizedWildRelNet([512] * 4, [256, 256], 0.5)
  model = two_stage_model.TwoStageModel(embedding, network)
  model.make_stages()
  model.build(made, seed=0)
  model.num_slices = _THREADS.value
  watch = Stopwatch()
  seen = model.prepare(made)
  prepared = watch.read()
  batch_fn = input_pipeline.make_batch_fn(seen, _BATCH_SIZE.value, seed=0)

  @tf.function
  def step(number: tf.Tensor) -> tf.Tensor:
    return model.train_step(batch_fn(number), tf.stack([0, tf.cast(number, tf.int32)]))["loss"]

  times = []
  for number in range(_STEPS.value + 2):
    watch = Stopwatch()
    step(tf.constant(number, tf.int64)).numpy()
    times.append(watch.read())
  return prepared, medians(times[2:])


def draw() -> tuple[float, float]:
  """Returns the times that drawing a batch of puzzles takes, which a step includes."""
  made = puzzles.Puzzles(named_data.DATA_SETS[_DATASET.value](), "easy1")
  made = made.seen_as(puzzles.FACTORS)
  random_state = np.random.RandomState(0)
  times = []
  for _ in range(_STEPS.value):
    watch = Stopwatch()
    made.sample(_BATCH_SIZE.value, random_state)
    times.append(watch.read())
  return medians(times)


def show(what: str, times: tuple[float, float]) -> None:
  """Prints a row."""
  print(f"| {what} | {times[0]:.3f} | {times[1]:.3f} |", flush=True)


def main(_) -> None:
  """Prints the table."""
  runtime.configure(_THREADS.value)
  print(f"{_DATASET.value}, {_BATCH_SIZE.value} puzzles a batch, {_THREADS.value} threads\n")
  print("| what | seconds | processor seconds |\n| --- | ---: | ---: |")
  show("drawing a batch", draw())
  for name in _EMBEDDINGS.value:
    with tempfile.TemporaryDirectory() as folder:
      embedding = embeddings.BaselineCNNEmbedder() if name == "cnn" else name
      if name in ("mean", "sampled"):
        path = make_representation(pathlib.Path(folder), name)
        embedding = embeddings.HubEmbedding(str(path))
      prepared, step = measure(embedding)
    if name in ("mean", "sampled"):
      show(f"encoding all panels once, {name}", prepared)
    show(f"a step, embedding {name}", step)


if __name__ == "__main__":
  app.run(main)
