"""Training: from a configuration to a checkpointed, exported and evaluated model.

Every random draw of a step is a stateless function of (seed, step), so weights, optimizer slots and
the step are all there is to save, and an interrupted run continues bit for bit.
"""

from collections.abc import Sequence
import os
import pathlib
import time

from absl import logging
import gin
import numpy as np
import tensorflow as tf

from dl_condind.data import input_pipeline
from dl_condind.data.ground_truth import named_data
from dl_condind.methods import annealed_vae  # noqa: F401 (registers gin names, as those below)
from dl_condind.methods import base_model
from dl_condind.methods import beta_tc_vae  # noqa: F401
from dl_condind.methods import dip_vae  # noqa: F401
from dl_condind.methods import factor_vae  # noqa: F401
from dl_condind.methods import image_inputs
from dl_condind.methods import infogan  # noqa: F401
from dl_condind.methods import run_directory
from dl_condind.methods import runtime
from dl_condind.methods import saved_models
from dl_condind.methods import training_loop
from dl_condind.methods import vae  # noqa: F401
from dl_condind.utils import configs
from dl_condind.utils import errors
from dl_condind.utils import files
from dl_condind.utils import limits
from dl_condind.utils import processes
from dl_condind.utils import progress_lines
from dl_condind.utils import results
from dl_condind.utils import run_config

STEP = "train"


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
  model: base_model.Model = gin.REQUIRED,
  training_steps: int = gin.REQUIRED,
  random_seed: int = gin.REQUIRED,
  batch_size: int = gin.REQUIRED,
  eval_steps: int = 1000,
  name: str = "",
  model_num: int | None = None,
  num_threads: int = 2,
  jit_compile: bool = False,
  log_steps: int = 100,
  checkpoint_steps: int | None = None,
  checkpoint_seconds: float = 600.0,
) -> None:
  """Trains a model, or continues where an interrupted call stopped, and records the result.

  Writes `tf_checkpoint/`, `train_log.jsonl`, `saved_model/` and, last, `results/` into model_dir.
  A finished run is left as it is.

  Args:
    model_dir: Folder of the run.
    overwrite: Whether to delete a run that is there and start anew.
    check_only: Whether to stop once the model is built and every setting is checked, before any
      data is read or anything written.
    model: The objective.
    training_steps: Number of updates.
    random_seed: Seed of weights, batches and noise.
    batch_size: Observations in a batch.
    eval_steps: Batches that the final losses are averaged over.
    name: Label for the record.
    model_num: Number of the run in its study, for the record.
    num_threads: Threads, and slices of the batch that are worked on at the same time. The result
      depends on it in its last bits.
    jit_compile: Whether XLA compiles the step. Changes the random numbers.
    log_steps: Steps between entries of the log.
    checkpoint_steps: Steps between checkpoints; None leaves it to the time.
    checkpoint_seconds: Seconds between checkpoints.

  Raises:
    ConfigError: If a setting is out of range, or model_dir holds a run of another configuration.
    DatasetError: If the data cannot be read, or observations are outside [0, 1].
    DivergedError: If a loss is not finite.
    TryAgainError: If the run is in use, SIGTERM or SIGINT came, or the disk is full. The same
      command continues it.
  """
  del name, model_num
  _check_in(1, limits.MAX_STEPS, training_steps=training_steps, eval_steps=eval_steps)
  _check_in(1, limits.MAX_STEPS, log_steps=log_steps, checkpoint_steps=checkpoint_steps)
  _check_in(1, limits.MAX_BATCH_SIZE, batch_size=batch_size)
  _check_in(0, 2**32 - 1, random_seed=random_seed)
  if not checkpoint_seconds >= 0:
    raise errors.ConfigError(
      f"model.checkpoint_seconds must be at least 0, got {checkpoint_seconds}."
    )
  start_time = time.monotonic()
  model_dir = pathlib.Path(model_dir)
  runtime.configure(num_threads)
  dataset = named_data.get_named_ground_truth_data()
  seeds = Seeds(random_seed)
  num_slices = 1 if runtime.has_gpu() or jit_compile else num_threads
  model.build(dataset.observation_shape, seeds.weights, num_slices)
  _trace_losses(model, batch_size)
  if check_only:
    return
  with processes.Interruption() as interruption:
    provenance = dataset.provenance()
    with files.locked(model_dir):
      identity = {**runtime.fingerprint(), "dataset_sha256": provenance["sha256"]}
      if run_directory.claim(model_dir, identity, overwrite) == run_directory.COMPLETE:
        logging.info("%s is complete.", model_dir)
        return
      described = run_config.describe_training(configs.operative_config(), provenance["source"])
      logging.info("Training %s.", described)
      batch_fn = input_pipeline.make_batch_fn(dataset, batch_size, seeds.data)
      image_inputs.check_observations(batch_fn(tf.constant(0, tf.int64)).numpy(), dataset.name)
      loop = training_loop.TrainingLoop(model, batch_fn, seeds.noise, model_dir, jit_compile)
      loop.run(training_steps, log_steps, checkpoint_steps, checkpoint_seconds, interruption)
      saved_models.export(model, model_dir / "saved_model")
      batch_fn = input_pipeline.make_batch_fn(dataset, batch_size, seeds.evaluation_data)
      losses = evaluate_losses(model, batch_fn, seeds.evaluation_noise, eval_steps, interruption)
      losses |= {name: problem is not None for name, problem in model.problems().items()}
      losses |= {"global_step": training_steps, "elapsed_time": time.monotonic() - start_time}
      extra = {"kind": model.kind, "random_seed": random_seed}
      extra |= {f"runtime.{k}": v for k, v in identity.items()}
      extra |= results.model_provenance(model_dir / "saved_model")
      results.write_results(model_dir, STEP, losses, results.provenance(provenance, extra))
  logging.info("Finished %s: %s", model_dir, {key: round(v, 4) for key, v in losses.items()})


def _check_in(lowest: int, highest: int, **settings: int | None) -> None:
  for name, value in settings.items():
    if value is not None and not lowest <= value <= highest:
      raise errors.ConfigError(f"model.{name} must be in [{lowest}, {highest}], got {value}.")


def _trace_losses(model: base_model.Model, batch_size: int) -> None:
  """Runs through the model's losses, so that a setting that does not fit is found at once."""
  observations = tf.TensorSpec([batch_size, *model.observation_shape], tf.float32)
  tf.function(model.compute_losses).get_concrete_function(
    observations, tf.TensorSpec([2], tf.int32)
  )


class Seeds:
  """The seeds of a run. Those of training and evaluation data are drawn as in disentanglement_lib.

  Attributes:
    data: Of the training batches.
    evaluation_data: Of the batches of the final evaluation.
    weights: Of the initial weights.
    noise: Of the noise, and whatever else a training step draws.
    evaluation_noise: Of the noise of the final evaluation.
  """

  def __init__(self, random_seed: int):
    random_state = np.random.RandomState(random_seed)
    self.data = int(random_state.randint(2**32))
    self.evaluation_data = int(random_state.randint(2**32))
    words = np.random.SeedSequence(random_seed).generate_state(3) >> 1  # TensorFlow's are signed.
    self.weights, self.noise, self.evaluation_noise = words.tolist()


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
    interruption.check("training is done and saved, its evaluation is not")
    for key, value in losses_of(tf.constant(step, tf.int64)).items():
      totals[key] = totals.get(key, 0.0) + float(value)
  return {key: total / eval_steps for key, total in totals.items()}


def resolved_config(
  gin_config_files: Sequence[str], gin_bindings: Sequence[str], trust_gin_imports: bool = False
) -> str:
  """Returns the configuration of a training, defaults included, as the text of a gin file.

  Raises:
    ConfigError: If the configuration is not valid.
  """
  configs.parse(gin_config_files, gin_bindings, trust_gin_imports)
  try:
    train("", check_only=True)
    return configs.config_text()
  finally:
    gin.clear_config()
