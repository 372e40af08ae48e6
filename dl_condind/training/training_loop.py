"""The loop over training steps: compiled, logged, checkpointed, interruptible."""

from collections.abc import Callable
from collections.abc import Mapping
import contextlib
import importlib.util
import json
import pathlib
import time
from typing import Any
from typing import ClassVar
from typing import Protocol

from absl import logging
import numpy as np
import tensorflow as tf

from dl_condind.data import input_pipeline
from dl_condind.saved_models import model_errors
from dl_condind.training import checkpoints
from dl_condind.training import training_progress
from dl_condind.utils import errors
from dl_condind.utils import files
from dl_condind.utils import processes
from dl_condind.utils import run_folder
from dl_condind.utils import training_logs

_STEPS_PER_CALL = 20


class Trainable(Protocol):
  """What the loop needs of what it trains; `base_model.Model` says what each is."""

  main_losses: ClassVar[tuple[str, ...]]
  negative_losses: ClassVar[Mapping[str, str]]

  def train_step(self, batch: Any, seed: tf.Tensor) -> dict[str, tf.Tensor]:
    """Updates the weights once and returns losses of the weights before."""

  def state(self) -> Mapping[str, Any]:
    """Returns everything that training changes, by name."""

  def problems(self) -> Mapping[str, str | None]:
    """Returns silent failures of training: name -> description, or None."""


class TrainingLoop:
  """Trains a model in a run directory, from the newest checkpoint there or from the start."""

  def __init__(
    self,
    model: Trainable,
    batch_fn: input_pipeline.BatchFn,
    noise_seed: int,
    directory: pathlib.Path,
    jit_compile: bool = False,
  ):
    """Prepares to train.

    Args:
      model: What is trained, such as a model that has been built.
      batch_fn: Function from the step to a batch, a nest of tensors.
      noise_seed: Seed of what the model draws in a step.
      directory: The run directory.
      jit_compile: Whether XLA compiles the step.
    """
    self._model = model
    self._checkpoint = tf.train.Checkpoint(**model.state())
    self._checkpoint_folder = run_folder.StageFolder(directory).checkpoints
    self._log = run_folder.StageFolder(directory).log
    self._directory = directory
    self._batch_fn = batch_fn
    self._noise_seed = noise_seed
    self._train_step = tf.function(model.train_step, jit_compile=jit_compile)

  @tf.function(autograph=False)
  def run_steps(self, start: tf.Tensor, count: tf.Tensor) -> dict[str, tf.Tensor]:
    """Runs count steps and returns each scalar the model reports, [count]."""

    def run_step(index: tf.Tensor) -> dict[str, tf.Tensor]:
      step = start + index
      seed = tf.stack([tf.constant(self._noise_seed), tf.cast(step, tf.int32)])
      return self._train_step(self._batch_fn(step), seed)

    batch = tf.nest.map_structure(tf.type_spec_from_value, self._batch_fn(start))
    specs = tf.nest.map_structure(
      lambda tensor: tf.TensorSpec([], tensor.dtype),
      self._train_step.get_concrete_function(
        batch, tf.TensorSpec([2], tf.int32)
      ).structured_outputs,
    )
    return tf.map_fn(run_step, tf.range(count), fn_output_signature=specs, parallel_iterations=1)

  def run(
    self,
    training_steps: int,
    log_steps: int,
    checkpoint_steps: int | None,
    checkpoint_seconds: float,
    interruption: processes.Interruption,
    show: training_progress.Show,
    snapshot_steps: int | None = None,
    snapshot: Callable[[int], None] | None = None,
  ) -> None:
    """Trains up to step training_steps and leaves a checkpoint of it.

    Args:
      training_steps: Number of steps in all.
      log_steps: Steps between entries of the log.
      checkpoint_steps: Steps between checkpoints; None leaves it to the time.
      checkpoint_seconds: Seconds between checkpoints.
      interruption: Signals to stop.
      show: What shows how far the training has come.
      snapshot_steps: Steps between snapshots; None stands for none.
      snapshot: What is called with the number of steps done, for a snapshot.

    Raises:
      DivergedError: If a reported scalar is not finite. The checkpoint before it stays.
      TryAgainError: If interrupted, after a checkpoint was written, or if the disk is full.
    """
    step = checkpoints.restore_newest(self._checkpoint, self._checkpoint_folder)
    saved_step, saved_time = step, time.monotonic()
    progress = training_progress.Progress(
      step, training_steps, self._model.main_losses, self._model.negative_losses, show
    )
    known_problems = set()
    if step and snapshot_steps and step % snapshot_steps == 0:
      snapshot(step)  # The run may have been stopped in the middle of it.
    if step:
      logging.info("Continuing %s at step %d of %d.", self._directory, step, training_steps)
    log = _Log(self._log, step, log_steps, run_folder.StageFolder(self._directory).tensorboard)
    with log, progress:
      while step < training_steps:
        if interruption.signal_name:
          self._save(step, saved_step)
          interruption.check(f"{self._directory} is saved at step {step}")
        end = _next_stop(step, training_steps, checkpoint_steps, snapshot_steps)
        scalars = self.run_steps(tf.constant(step, tf.int64), tf.constant(end - step, tf.int64))
        scalars = {name: values.numpy() for name, values in scalars.items()}
        _check_finite(scalars, step, self._directory)
        log.write(step, scalars)
        step = end
        progress.update(step, scalars)
        for name, problem in self._model.problems().items():
          if problem and name not in known_problems:
            logging.warning("%s: %s", self._directory, problem)
            known_problems.add(name)
        due = checkpoint_steps and step % checkpoint_steps == 0
        if due or time.monotonic() - saved_time >= checkpoint_seconds:
          self._save(step, saved_step)
          saved_step, saved_time = step, time.monotonic()
        if snapshot_steps and step % snapshot_steps == 0:
          self._save(step, saved_step)
          saved_step, saved_time = step, time.monotonic()
          snapshot(step)
      self._save(step, saved_step)

  def _save(self, step: int, saved_step: int) -> None:
    if step != saved_step:
      checkpoints.save(self._checkpoint, self._checkpoint_folder, step)


def _next_stop(step: int, training_steps: int, *intervals: int | None) -> int:
  """Returns where the steps of one call end: at a multiple of each interval at the latest."""
  ends = [(step // interval + 1) * interval for interval in intervals if interval]
  return min(step + _STEPS_PER_CALL, training_steps, *ends)


def _check_finite(scalars: dict[str, np.ndarray], start: int, directory: pathlib.Path) -> None:
  for name, values in scalars.items():
    finite = np.isfinite(values)
    if not finite.all():
      index = int(np.argmin(finite))
      raise errors.DivergedError(
        f"{name} is {values[index]} at step {start + index} of {directory}: lower the learning "
        "rate or choose another seed.",
        step=start + index,
      )


class _Log(contextlib.AbstractContextManager):
  """The log of a run: a line of JSON every log_steps steps, also for TensorBoard if installed.

  Lines of steps that a restored run will repeat are dropped.
  """

  def __init__(self, path: pathlib.Path, step: int, log_steps: int, tensorboard: pathlib.Path):
    self._path = path
    self._log_steps = log_steps
    if path.is_file():
      steps = training_logs.whole_lines(path.parent)
      kept = [f"{line}\n" for found, line in steps if found < step]
      files.write_text(path, "".join(kept))
    self._writer = None
    if importlib.util.find_spec("tensorboard") is not None:
      with model_errors.clear_write_errors(tensorboard):
        self._writer = tf.summary.create_file_writer(str(tensorboard))

  def write(self, start: int, scalars: dict[str, np.ndarray]) -> None:
    """Writes the entries due among the steps from start on."""
    num_steps = len(next(iter(scalars.values())))
    lines = []
    for index in range(-start % self._log_steps, num_steps, self._log_steps):
      values = {name: float(values[index]) for name, values in scalars.items()}
      lines.append(json.dumps({"step": start + index, **values}))
      if self._writer:
        with self._writer.as_default(step=start + index):
          for name, value in values.items():
            tf.summary.scalar(name, value)
    if lines:
      with files.clear_write_errors(self._path), self._path.open("a", encoding="utf-8") as file:
        file.write("".join(f"{line}\n" for line in lines))

  def __exit__(self, *exc_info) -> None:
    if self._writer:
      self._writer.close()
