"""Training a model that solves puzzles, with a validation and a test after each iteration.

The loop is that of other trainings, and so are checkpoints: a run that was killed continues bit for
bit. The puzzles of validations and tests are those of disentanglement_lib for the same seed.
"""

import dataclasses
import json
import pathlib

from absl import logging
import numpy as np
import tensorflow as tf

from dl_condind.data import input_pipeline
from dl_condind.data import puzzles
from dl_condind.reasoning import two_stage_model
from dl_condind.training import training_loop
from dl_condind.training import training_progress
from dl_condind.utils import errors
from dl_condind.utils import files
from dl_condind.utils import json_objects
from dl_condind.utils import limits
from dl_condind.utils import processes
from dl_condind.utils import progress_lines
from dl_condind.utils import run_folder
from dl_condind.utils import seeds
from dl_condind.utils import training_logs

_PARTS = ("val", "test")
_BEST = "val.accuracy"  # What the best iteration is chosen by.
Scores = dict[str, dict[str, float]]  # "val" and "test" -> accuracy, loss, global_step


@dataclasses.dataclass(frozen=True)
class Settings:
  """How a model is trained and tested.

  Attributes:
    num_iterations: Number of iterations.
    training_steps_per_iteration: Updates in each.
    eval_steps_per_iteration: Batches of each validation and each test.
    random_seed: Seed of weights, puzzles and noise.
    batch_size: Puzzles in a batch.
    num_threads: Threads, and slices of the batch that are worked on at the same time.
    log_steps: Steps between entries of the log.
    checkpoint_steps: Steps between checkpoints; None leaves it to iterations and time.
    checkpoint_seconds: Seconds between checkpoints.

  Raises:
    ConfigError: If a setting is out of range.
  """

  num_iterations: int
  training_steps_per_iteration: int
  eval_steps_per_iteration: int
  random_seed: int
  batch_size: int
  num_threads: int = 2
  log_steps: int = 100
  checkpoint_steps: int | None = None
  checkpoint_seconds: float = 600.0

  def __post_init__(self):
    seeds.check_seed("abstract_reasoning.random_seed", self.random_seed)
    of_steps = ("training_steps_per_iteration", "eval_steps_per_iteration", "log_steps")
    highest = {
      **dict.fromkeys(("num_iterations", *of_steps, "checkpoint_steps"), limits.MAX_STEPS),
      "batch_size": limits.MAX_BATCH_SIZE,
      "num_threads": limits.MAX_THREADS,
    }
    for name, most in highest.items():
      value = getattr(self, name)
      if value is not None and not 1 <= value <= most:
        raise errors.ConfigError(f"abstract_reasoning.{name} must be in [1, {most}], got {value}.")
    if self.training_steps > limits.MAX_STEPS:
      raise errors.ConfigError(
        "abstract_reasoning.num_iterations times training_steps_per_iteration must be at most "
        f"{limits.MAX_STEPS}, got {self.training_steps}."
      )
    if not self.checkpoint_seconds >= 0:
      raise errors.ConfigError(
        f"abstract_reasoning.checkpoint_seconds must be at least 0, got {self.checkpoint_seconds}."
      )

  @property
  def training_steps(self) -> int:
    """Number of updates in all."""
    return self.num_iterations * self.training_steps_per_iteration


class Seeds:
  """The seeds of a run. Those of validations and tests are drawn as in disentanglement_lib.

  Attributes:
    data: Seeds the training puzzles; disentanglement_lib has one for each iteration, of which it is
      the first.
    evaluations: Seeds of the puzzles of validation and test of each iteration, `[num, 2]`.
    weights: Seeds the initial weights.
    noise: Seeds noise and dropped units of a training step.
    evaluation_noise: Seeds the noise of validations and tests.
  """

  def __init__(self, random_seed: int, num_iterations: int):
    random_state = np.random.RandomState(random_seed)
    drawn = [[int(random_state.randint(2**32)) for _ in range(3)] for _ in range(num_iterations)]
    self.data = drawn[0][0]
    self.evaluations = [seeds[1:] for seeds in drawn]
    words = np.random.SeedSequence(random_seed).generate_state(3) >> 1  # TensorFlow's are signed.
    self.weights, self.noise, self.evaluation_noise = words.tolist()


def solve(
  model: two_stage_model.TwoStageModel,
  made: puzzles.Puzzles,
  settings: Settings,
  directory: pathlib.Path,
  interruption: processes.Interruption,
  show: training_progress.Show,
) -> Scores:
  """Trains a model that is built and prepared, or continues, and returns all scores.

  Args:
    model: The model.
    made: The puzzles, as its embedding sees them.
    settings: How to train.
    directory: Folder of the run.
    interruption: Signals to stop.
    show: What shows how far the training has come.

  Returns:
    `step{n}` -> scores after the iteration that began at step n, and `best` -> those of the
    iteration with the highest accuracy in its validation.

  Raises:
    DatasetError: If the file with the scores of earlier iterations is damaged.
    DivergedError: If a loss is not finite.
    TryAgainError: If interrupted, or the disk is full.
  """
  drawn = Seeds(settings.random_seed, settings.num_iterations)
  per_iteration = settings.training_steps_per_iteration
  evaluator = _Evaluator(model, made, settings, drawn, interruption)
  path = run_folder.StageFolder(directory).iterations

  def evaluate(step: int) -> None:
    start = step - per_iteration
    found = _read(path)
    if start not in found:
      found[start] = evaluator.scores(start // per_iteration)
      _write(path, found)
      accuracies = ", ".join(f"{part} {found[start][f'{part}.accuracy']:.4f}" for part in _PARTS)
      logging.info("After %s steps the accuracy is: %s.", f"{step:,}", accuracies)

  batch_fn = input_pipeline.make_batch_fn(made, settings.batch_size, drawn.data)
  loop = training_loop.TrainingLoop(model, batch_fn, drawn.noise, directory)
  loop.run(
    settings.training_steps,
    settings.log_steps,
    settings.checkpoint_steps,
    settings.checkpoint_seconds,
    interruption,
    show,
    per_iteration,
    evaluate,
  )
  found = _read(path)
  if missing := set(range(0, settings.training_steps, per_iteration)) - found.keys():
    raise errors.DatasetError(
      f"{path} is damaged: it lacks the scores of the iteration that began at step {min(missing)}. "
      "Start the training again with overwrite=True."
    )
  best = max(found.values(), key=lambda scores: scores[_BEST])  # The first of several.
  return {**{f"step{start}": scores for start, scores in found.items()}, "best": best}


class _Evaluator:
  """Validates and tests a model on the puzzles of an iteration."""

  def __init__(
    self,
    model: two_stage_model.TwoStageModel,
    made: puzzles.Puzzles,
    settings: Settings,
    drawn: Seeds,
    interruption: processes.Interruption,
  ):
    self._made = made
    self._settings = settings
    self._seeds = drawn
    self._interruption = interruption
    specs = input_pipeline.specs(made, settings.batch_size)
    signature = [specs, tf.TensorSpec([2], tf.int32)]
    self._losses = tf.function(model.compute_losses, input_signature=signature)

  def scores(self, iteration: int) -> dict[str, float]:
    """Returns `val.accuracy`, `val.loss`, `val.global_step` and the same of the test."""
    step = (iteration + 1) * self._settings.training_steps_per_iteration
    found: dict[str, float] = {}
    for number, part in enumerate(_PARTS):
      seed = self._seeds.evaluations[iteration][number]
      noise = (self._seeds.evaluation_noise + len(_PARTS) * iteration + number) % 2**31
      means = self._means(seed, noise)
      found |= {f"{part}.{name}": value for name, value in means.items()}
      found[f"{part}.global_step"] = step
    return found

  def _means(self, seed: int, noise: int) -> dict[str, float]:
    random_state = np.random.RandomState(seed)
    num = self._settings.eval_steps_per_iteration
    specs = input_pipeline.specs(self._made, self._settings.batch_size)
    totals: dict[str, float] = {}
    for index in progress_lines.each(range(num), "Solving puzzles, batch", num):
      self._interruption.check("the training is saved")
      batch = self._made.sample(self._settings.batch_size, random_state)
      tensors = tf.nest.map_structure(
        lambda array, spec: tf.constant(array, spec.dtype), batch, specs
      )
      for name, value in self._losses(tensors, tf.constant([noise, index], tf.int32)).items():
        totals[name] = totals.get(name, 0.0) + float(value)
    return {name: total / num for name, total in totals.items()}


def _read(path: pathlib.Path) -> dict[int, dict[str, float]]:
  """Returns the scores by the step at which the iteration began."""
  found = {}
  for step, line in training_logs.whole_lines_of(path):
    values = json_objects.parse(line).items()
    scores = {k: v for k, v in values if k != "step" and isinstance(v, int | float)}
    if _BEST in scores:  # Other lines hold no scores.
      found[step] = scores
  return found


def _write(path: pathlib.Path, found: dict[int, dict[str, float]]) -> None:
  lines = [json.dumps({"step": step, **found[step]}) for step in sorted(found)]
  files.write_text(path, "".join(f"{line}\n" for line in lines))
