"""Training a model that was made in Python."""

import copy
import os
import pathlib

from dl_condind.data import batches as batches_of_data
from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.methods import base_model
from dl_condind.methods import optimizers
from dl_condind.runs import load
from dl_condind.runs import run
from dl_condind.training import gin_description
from dl_condind.training import trainer
from dl_condind.training import training_progress
from dl_condind.utils import errors
from dl_condind.utils import run_folder


def train(
  model: base_model.Model,
  data: ground_truth_data.GroundTruthData | batches_of_data.Batches,
  directory: str | os.PathLike,
  *,
  steps: int,
  learning_rate: optimizers.LearningRate | None = None,
  seed: int = 0,
  batch_size: int = 64,
  eval_steps: int = 1000,
  num_threads: int = 2,
  jit_compile: bool = False,
  log_steps: int = 100,
  checkpoint_steps: int | None = None,
  checkpoint_seconds: float = 600.0,
  initial_model_dir: str | os.PathLike | None = None,
  snapshot_steps: int | None = None,
  unsupervised_data_seed: int | None = None,
  overwrite: bool = False,
) -> run.Run:
  """Trains a model, or continues where an interrupted call stopped, and returns the run.

  A finished run is loaded. The run is the one that gin files with the same settings describe, bit
  for bit, and either can continue the other. TensorFlow is made deterministic for the process.

  Args:
    model: The model. It stays as it is: what is trained is made from it and the seed.
    data: The data set, or what the model learns from: `dl.Pairs` or `dl.PartlyLabelled` of it.
    directory: Folder of the run; the trained model goes into its subfolder `model`.
    steps: Number of updates.
    learning_rate: Replaces that of the optimizer of encoder and decoder: a positive number or a
      function that returns a Keras schedule.
    seed: Seed of weights, batches and noise, in [0, 2**32).
    batch_size: Observations, or pairs of them, in a batch.
    eval_steps: Batches that the final losses are averaged over.
    num_threads: Threads, and slices of the batch that are worked on at the same time. The result
      depends on it in its last bits.
    jit_compile: Whether XLA compiles the step. Changes the random numbers.
    log_steps: Steps between entries of the log.
    checkpoint_steps: Steps between checkpoints; None leaves it to the time.
    checkpoint_seconds: Seconds between checkpoints.
    initial_model_dir: Folder of a trained model whose weights, not its optimizer's, the training
      starts from: a run with the same networks, and any posterior. None stands for random ones.
    snapshot_steps: Steps between snapshots: each is a run of its own, in `snapshots/step_{step}` of
      the model's folder, which can be loaded and evaluated. None stands for none.
    unsupervised_data_seed: Seed of the batches' images, in [0, 2**32); None stands for one that
      seed determines.
    overwrite: Whether to delete a run that is there and start again.

  Raises:
    ValueError: If a setting is out of range, a part of the model does not fit, or the directory
      holds a run of another configuration.
    DatasetError: If the data cannot be read.
    DivergedError: If a loss is not finite.
    TryAgainError: If the run is in use, the call was interrupted, or the disk is full. The same
      call continues it.
  """
  if not isinstance(model, base_model.Model):
    raise errors.ConfigError(
      f"model must be a model, such as dl.BetaVAE(beta=4.0), got {_what(model)}."
    )
  model = copy.copy(model)
  if learning_rate is not None:
    if not hasattr(model, "optimizer"):
      raise errors.ConfigError(
        f"{type(model).__name__} has more than one optimizer: give the learning rates to its "
        "constructor, such as generator_optimizer=dl.optimizers.adam(1e-3)."
      )
    model.optimizer = optimizers.with_learning_rate(model.optimizer, learning_rate)
  settings = trainer.Settings(
    training_steps=steps,
    random_seed=seed,
    batch_size=batch_size,
    eval_steps=eval_steps,
    num_threads=num_threads,
    jit_compile=jit_compile,
    log_steps=log_steps,
    checkpoint_steps=checkpoint_steps,
    checkpoint_seconds=checkpoint_seconds,
    initial_model_dir=None if initial_model_dir is None else str(initial_model_dir),
    snapshot_steps=snapshot_steps,
    unsupervised_data_seed=unsupervised_data_seed,
  )
  batches = data if isinstance(data, batches_of_data.Batches) else batches_of_data.Images(data)
  config = gin_description.describe(model, batches, settings)
  batches = batches.prepared(seed)
  trainer.build(model, batches, settings)
  model_dir = run_folder.RunFolder(pathlib.Path(directory)).model.path
  is_new = trainer.run(
    model, batches, settings, config, model_dir, overwrite, training_progress.in_python
  )
  return load.load(directory, trust_model=is_new)  # What this call wrote needs no check.


def _what(model: object) -> str:
  """Returns what was given in place of a model."""
  if isinstance(model, type):
    return f"the class {model.__name__} itself: call it with its settings"
  return f"a {type(model).__name__}"
