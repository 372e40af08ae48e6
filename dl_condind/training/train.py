"""Training as gin files describe it."""

from collections.abc import Callable
from collections.abc import Sequence
import importlib
import os
import pathlib

import gin

import dl_condind
from dl_condind.data.ground_truth import named_data
from dl_condind.methods import base_model
from dl_condind.training import gin_labels
from dl_condind.training import gin_parts
from dl_condind.training import trainer
from dl_condind.utils import configs

STEP = trainer.STEP

for _module in dl_condind.MODELS.values():  # Gin knows their names from here on.
  importlib.import_module(_module)


def train_with_gin(
  model_dir: str | os.PathLike,
  overwrite: bool = False,
  gin_config_files: Sequence[str] = (),
  gin_bindings: Sequence[str] = (),
  trust_gin_imports: bool = False,
) -> None:
  """Trains the model that gin files and bindings describe. Arguments and errors as `train`.

  Raises:
    ConfigError: Also if the configuration is not valid.
  """
  configs.parse(gin_config_files, gin_bindings, trust_gin_imports)
  try:
    train(model_dir, overwrite)
  finally:
    gin.clear_config()


@gin.configurable("model", denylist=["model_dir", "overwrite", "check_only"])
def train(
  model_dir: str | os.PathLike,
  overwrite: bool = False,
  check_only: bool = False,
  model: base_model.Model | Callable[..., base_model.Model] = gin.REQUIRED,
  training_steps: int = gin.REQUIRED,
  random_seed: int | None = None,
  batch_size: int = gin.REQUIRED,
  eval_steps: int = 1000,
  name: str = "",
  model_num: int | None = None,
  num_threads: int = 2,
  jit_compile: bool = False,
  log_steps: int = 100,
  checkpoint_steps: int | None = None,
  checkpoint_seconds: float = 600.0,
  initial_model_dir: str | None = None,
  snapshot_steps: int | None = None,
  num_labelled_samples: int | None = None,
  train_percentage: float = 0.9,
  supervised_data_seed: int | None = None,
  unsupervised_data_seed: int | None = None,
  model_seed: int | None = None,
) -> configs.Config:
  """Trains a model, or continues where an interrupted call stopped, and records the result.

  Writes `tf_checkpoint/`, `train_log.jsonl`, `saved_model/` and, last, `results/` into model_dir.
  A finished run is left as it is.

  Args:
    model_dir: Folder of the run.
    overwrite: Whether to delete a run that is there and start again.
    check_only: Whether to stop once the model is built and every setting is checked, before any
      data is read or anything written.
    model: The objective, or, as semi-supervised files of disentanglement_lib have it, its class.
    training_steps: Number of updates.
    random_seed: Seed of weights, batches and noise. Required, if not under the name `model_seed`.
    batch_size: Observations, or pairs of them, in a batch.
    eval_steps: Batches that the final losses are averaged over.
    name: Label for the record.
    model_num: Number of the run in its study, for the record.
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
    num_labelled_samples: Number of labelled observations, of a semi-supervised method. With the
      class of another method, which is their baseline there, it has no effect.
    train_percentage: Fraction of them to train on.
    supervised_data_seed: Seed of them; None stands for that of the run.
    unsupervised_data_seed: Seed of the batches' images; None stands for one that the seed of the
      run determines.
    model_seed: Another name of random_seed.

  Returns:
    The configuration, defaults included.

  Raises:
    ConfigError: If a setting is missing or out of range, or model_dir holds a run of another
      configuration.
    DatasetError: If the data cannot be read, images are outside [0, 1], or vectors not finite.
    DivergedError: If a loss is not finite.
    TryAgainError: If the run is in use, SIGTERM or SIGINT came, or the disk is full. The same
      command continues it.
  """
  del name, model_num
  seed = gin_labels.seed(random_seed, model_seed)
  model, is_class = gin_labels.made(model, num_labelled_samples)
  settings = trainer.Settings(
    training_steps=training_steps,
    random_seed=seed,
    batch_size=batch_size,
    eval_steps=eval_steps,
    num_threads=num_threads,
    jit_compile=jit_compile,
    log_steps=log_steps,
    checkpoint_steps=checkpoint_steps,
    checkpoint_seconds=checkpoint_seconds,
    initial_model_dir=initial_model_dir,
    snapshot_steps=snapshot_steps,
    unsupervised_data_seed=unsupervised_data_seed,
  )
  dataset = named_data.get_named_ground_truth_data()
  gin_parts.complete(model)
  if gin_labels.needs_labels(model):
    batches = gin_labels.batches(
      model, dataset, num_labelled_samples, train_percentage, supervised_data_seed
    )
  else:
    gin_labels.check_no_labels(model, num_labelled_samples, is_class)
    batches = gin_parts.batches(model, dataset)
  batches = batches.prepared(seed, reads_data=not check_only)
  trainer.build(model, batches, settings)
  config = gin_labels.normalized(configs.operative(), model, seed)
  if not check_only:
    trainer.run(model, batches, settings, config, pathlib.Path(model_dir), overwrite)
  return config


def resolved_config(
  gin_config_files: Sequence[str], gin_bindings: Sequence[str], trust_gin_imports: bool = False
) -> str:
  """Returns the configuration of a training, defaults included, as the text of a gin file.

  Raises:
    ConfigError: If the configuration is not valid.
  """
  configs.parse(gin_config_files, gin_bindings, trust_gin_imports)
  try:
    return train("", check_only=True).text
  finally:
    gin.clear_config()
