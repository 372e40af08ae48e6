"""Training: from a model and a data set to a checkpointed, exported and evaluated run.

Every random draw of a step is a stateless function of (seed, step), so weights, optimizer slots and
the step are all there is to save, and an interrupted run continues bit for bit.
"""

from collections.abc import Callable
from collections.abc import Mapping
import dataclasses
import numbers
import pathlib
import time

from absl import logging
import numpy as np
import tensorflow as tf

from dl_condind.data import batches as batches_of_data
from dl_condind.data import input_pipeline
from dl_condind.methods import base_model
from dl_condind.methods import image_inputs
from dl_condind.saved_models import saved_model
from dl_condind.training import initial_weights
from dl_condind.training import run_identity
from dl_condind.training import run_seeds
from dl_condind.training import runtime
from dl_condind.training import training_loop
from dl_condind.training import training_progress
from dl_condind.utils import configs
from dl_condind.utils import errors
from dl_condind.utils import files
from dl_condind.utils import limits
from dl_condind.utils import processes
from dl_condind.utils import progress_lines
from dl_condind.utils import results
from dl_condind.utils import run_config
from dl_condind.utils import run_folder

STEP = "train"


@dataclasses.dataclass(frozen=True)
class Settings:
  """How a model is trained.

  Attributes:
    training_steps: Number of updates.
    random_seed: Seed of weights, batches and noise.
    batch_size: Observations, or pairs of them, in a batch.
    eval_steps: Batches that the final losses are averaged over.
    num_threads: Threads, and slices of the batch that are worked on at the same time. The result
      depends on it in its last bits.
    jit_compile: Whether XLA compiles the step. Changes the random numbers.
    log_steps: Steps between entries of the log.
    checkpoint_steps: Steps between checkpoints; None leaves it to the time.
    checkpoint_seconds: Seconds between checkpoints.
    initial_model_dir: Folder of a trained model whose weights the training starts from; None
      stands for random ones.
    snapshot_steps: Steps between snapshots, which are runs of their own; None stands for none.
    unsupervised_data_seed: Seed of the batches' images, None for one that random_seed determines.

  Raises:
    ConfigError: If a setting is out of range.
  """

  training_steps: int
  random_seed: int
  batch_size: int
  eval_steps: int = 1000
  num_threads: int = 2
  jit_compile: bool = False
  log_steps: int = 100
  checkpoint_steps: int | None = None
  checkpoint_seconds: float = 600.0
  initial_model_dir: str | None = None
  snapshot_steps: int | None = None
  unsupervised_data_seed: int | None = None

  def __post_init__(self):
    for name in ("training_steps", "eval_steps", "log_steps", "checkpoint_steps", "snapshot_steps"):
      self._check_in(1, limits.MAX_STEPS, name)
    self._check_in(1, limits.MAX_BATCH_SIZE, "batch_size")
    for name in ("random_seed", "unsupervised_data_seed"):
      self._check_in(0, 2**32 - 1, name)
    if not self.checkpoint_seconds >= 0:
      raise errors.ConfigError(
        f"model.checkpoint_seconds must be at least 0, got {self.checkpoint_seconds}."
      )

  @property
  def seeds(self) -> run_seeds.Seeds:
    """The seeds of the run."""
    return run_seeds.Seeds(self.random_seed, self.unsupervised_data_seed)

  def _check_in(self, lowest: int, highest: int, name: str) -> None:
    value = getattr(self, name)
    if value is None:
      return
    if not isinstance(value, numbers.Integral):
      raise errors.ConfigError(f"model.{name} must be a whole number, got {value!r}.")
    if not lowest <= value <= highest:
      raise errors.ConfigError(f"model.{name} must be in [{lowest}, {highest}], got {value}.")


def build(model: base_model.Model, batches: batches_of_data.Batches, settings: Settings) -> None:
  """Builds a model for the batches it learns from and runs through its losses, reading no data.

  The batches are `prepared`.

  Raises:
    ConfigError: If something in the model does not fit.
  """
  runtime.configure(settings.num_threads)
  model.check_batches(batches)
  model.build(batches.data.observation_shape, settings.seeds.weights)
  in_one_piece = runtime.has_gpu() or settings.jit_compile
  model.num_slices = 1 if in_one_piece else settings.num_threads
  tf.function(model.compute_losses).get_concrete_function(
    input_pipeline.specs(batches, settings.batch_size), tf.TensorSpec([2], tf.int32)
  )


def run(
  model: base_model.Model,
  batches: batches_of_data.Batches,
  settings: Settings,
  config: configs.Config,
  model_dir: pathlib.Path,
  overwrite: bool = False,
  make_show: Callable[[int], training_progress.Show] | None = None,
) -> bool:
  """Trains a model that is built, or continues where an interrupted call stopped, and records it.

  Writes `tf_checkpoint/`, `train_log.jsonl`, `saved_model/` and, last, `results/` into model_dir,
  and snapshots, which are runs of their own, into `snapshots/step_{step}`. A finished run is left
  as it is.

  Args:
    model: What `build` was called with.
    batches: What it learns from.
    settings: How to train.
    config: All of that in words: the identity of the run, and what its record says of it.
    model_dir: Folder of the run.
    overwrite: Whether to delete a run that is there and start again.
    make_show: Makes of the number of steps what shows how far the training has come; None stands
      for the way of a program.

  Returns:
    Whether anything was left to do.

  Raises:
    ConfigError: If model_dir holds a run of another configuration.
    DatasetError: If the data cannot be read, images are outside [0, 1], or vectors not finite.
    DivergedError: If a loss is not finite.
    TryAgainError: If the run is in use, SIGTERM or SIGINT came, or the disk is full. The same
      call continues it.
  """
  start_time = time.monotonic()
  # Before the folder is made, since data or initial model may be missing.
  provenance = batches.data.provenance()
  identity = {**runtime.fingerprint(), "dataset_sha256": provenance["sha256"]}
  if settings.initial_model_dir is not None:
    initial_model_dir = pathlib.Path(settings.initial_model_dir)
    identity["initial_model_sha256"] = initial_weights.digest(initial_model_dir)
  with processes.Interruption(overwrite) as interruption, files.locked(model_dir):
    state = run_identity.claim(model_dir, config.values, identity, overwrite)
    if state == run_identity.COMPLETE:
      logging.info("%s is complete.", model_dir)
      return False
    described = run_config.describe_training(config.values, provenance["source"])
    logging.info("Training %s.", described)
    if settings.initial_model_dir is not None:
      initial_weights.load(model, initial_model_dir)

    def record(folder: pathlib.Path, step: int) -> None:
      _record(model, batches, settings, config, identity, folder, step, start_time, interruption)

    def snapshot(step: int) -> None:
      folder = run_folder.StageFolder(model_dir).snapshot(step).model.path
      if not results.is_complete(folder, STEP):
        with files.locked(folder):
          record(folder, step)

    show = (make_show or training_progress.in_program)(settings.training_steps)
    _train(model, batches, settings, model_dir, interruption, show, snapshot)
    record(model_dir, settings.training_steps)
  return True


def _record(
  model: base_model.Model,
  batches: batches_of_data.Batches,
  settings: Settings,
  config: configs.Config,
  identity: Mapping[str, object],
  folder: pathlib.Path,
  step: int,
  start_time: float,
  interruption: processes.Interruption,
) -> None:
  """Exports the model, evaluates its losses and writes the record of a training.

  Args:
    model: The model.
    batches: What it learns from.
    settings: How it was trained.
    config: All of that in words.
    identity: What the result depends on in addition.
    folder: Folder of the record.
    step: Number of steps done.
    start_time: When the call began, as `time.monotonic` says it.
    interruption: Signals to stop.
  """
  seeds = settings.seeds
  path = run_folder.StageFolder(folder).saved_model
  saved_model.save(*model.exported(), path)
  batch_fn = input_pipeline.make_batch_fn(
    batches.for_evaluation(), settings.batch_size, seeds.evaluation_data
  )
  losses = evaluate_losses(
    model, batch_fn, seeds.evaluation_noise, settings.eval_steps, interruption
  )
  losses |= {name: problem is not None for name, problem in model.problems().items()}
  losses |= {"global_step": step, "elapsed_time": time.monotonic() - start_time}
  extra = {"kind": model.kind, "random_seed": settings.random_seed}
  extra |= {f"runtime.{key}": value for key, value in identity.items()}
  if model.kind == base_model.VAE:
    extra |= {"kl_loss": model.posterior.kl_kind}
  extra |= results.model_provenance(path)
  provenance = results.provenance(batches.data.provenance(), extra)
  results.write_results(folder, STEP, losses, provenance, config=config)
  logging.info("Finished %s: %s", folder, {key: round(v, 4) for key, v in losses.items()})


def _train(
  model: base_model.Model,
  batches: batches_of_data.Batches,
  settings: Settings,
  model_dir: pathlib.Path,
  interruption: processes.Interruption,
  show: training_progress.Show,
  snapshot: Callable[[int], None],
) -> None:
  """Runs the training steps that are missing."""
  seeds = settings.seeds
  batch_fn = input_pipeline.make_batch_fn(batches, settings.batch_size, seeds.data)
  observations = batches.data.sample_observations(
    settings.batch_size, np.random.RandomState(seeds.data)
  )
  image_inputs.check_observations(
    observations,
    batches.data.name,
    are_probabilities=getattr(model, "activation", "logits") != "linear",
  )
  loop = training_loop.TrainingLoop(model, batch_fn, seeds.noise, model_dir, settings.jit_compile)
  loop.run(
    settings.training_steps,
    settings.log_steps,
    settings.checkpoint_steps,
    settings.checkpoint_seconds,
    interruption,
    show,
    settings.snapshot_steps,
    snapshot,
  )


def evaluate_losses(
  model: base_model.Model,
  batch_fn: input_pipeline.BatchFn,
  noise_seed: int,
  eval_steps: int,
  interruption: processes.Interruption,
) -> dict[str, float]:
  """Returns the losses of a model, averaged over eval_steps batches.

  Raises:
    TryAgainError: If interrupted.
  """

  @tf.function
  def losses_of(step: tf.Tensor) -> dict[str, tf.Tensor]:
    seed = tf.stack([tf.constant(noise_seed), tf.cast(step, tf.int32)])
    return model.compute_losses(batch_fn(step), seed)

  logging.info("Evaluating the losses on %s batches.", f"{eval_steps:,}")
  totals = {}
  for step in progress_lines.each(range(eval_steps), "Evaluating the losses, batch", eval_steps):
    interruption.check("the training is saved, its losses are not evaluated")
    for key, value in losses_of(tf.constant(step, tf.int64)).items():
      totals[key] = totals.get(key, 0.0) + float(value)
  return {key: total / eval_steps for key, total in totals.items()}
