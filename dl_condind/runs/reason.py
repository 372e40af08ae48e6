"""Abstract reasoning from Python, with the record that the program writes."""

from collections.abc import Mapping
import os
from typing import Any

from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.reasoning import embeddings
from dl_condind.reasoning import reason as reason_stage
from dl_condind.runs import run
from dl_condind.training import gin_description
from dl_condind.training import training_progress
from dl_condind.utils import errors
from dl_condind.utils import gin_types
from dl_condind.utils import results

CNN = "cnn"
_FILES = {embeddings.VALUES: "values", embeddings.ONE_HOT: "onehot", CNN: "cnn"}
_NOT_SCORES = ("elapsed_time", "uuid")


@errors.on_one_line()
def reason(
  embedding: str | run.Run,
  data: ground_truth_data.GroundTruthData,
  directory: str | os.PathLike,
  *,
  pgm_type: str = "easy1",
  representation: str = "mean",
  iterations: int = 100,
  steps_per_iteration: int = 1000,
  eval_steps: int = 100,
  batch_size: int = 32,
  learning_rate: float = 1e-3,
  seed: int = 0,
  settings: Mapping[str, Any] | None = None,
  num_pictures: int = 0,
  overwrite: bool = False,
) -> dict[str, Any]:
  """Trains a network to solve puzzles, or continues where a call was interrupted.

  The network and all other settings are those of `gin_configs/reasoning`. A finished training is
  read.

  Args:
    embedding: What the network sees of a panel: a run, whose codes stay as they are, "values" or
      "onehot" of the factors, or "cnn", a convolutional network that is trained along.
    data: The data set of the panels.
    directory: Folder to write to.
    pgm_type: How wrong answers are made, `easy` or `hard`, and how many factors are constant in a
      row: 1, 2, 3 or `_mixed`, as in "easy1" or "hard_mixed".
    representation: "mean" or "sampled", of a run.
    iterations: Number of iterations, each a training, a validation and a test.
    steps_per_iteration: Updates in an iteration.
    eval_steps: Batches of each validation and each test.
    batch_size: Puzzles in a batch.
    learning_rate: Learning rate of Adam.
    seed: Seed of weights, puzzles and noise, in [0, 2**32).
    settings: Other values by their gin names, such as `{"OptimizedWildRelNet.edge_mlp": [256]}`.
    num_pictures: Number of puzzles to draw into the subfolder `visualizations`.
    overwrite: Whether to delete a training that is there and start again.

  Returns:
    `best.test.accuracy`, `best.val.accuracy`, `step0.val.loss`, ...; see `reasoning.reason.reason`.

  Raises:
    ValueError: If a setting is out of range, the run or the data do not fit, or the directory holds
      a training of other settings.
    DatasetError: If data or model are damaged.
    DivergedError: If a loss is not finite.
    TryAgainError: If the directory is in use, the call was interrupted, or the disk is full.
  """
  input_dir, trust_model = None, False
  if isinstance(embedding, run.Run):
    _, stage = embedding.evaluated(representation, data)
    input_dir, trust_model, name = stage.path, embedding.trust_model, "representation"
  elif embedding in _FILES:
    name = _FILES[embedding]
  else:
    raise errors.ConfigError(
      f"embedding must be a run, {', '.join(map(repr, _FILES))}, got {embedding!r}."
    )
  values = {
    "pgm.pgm_type": pgm_type,
    "abstract_reasoning.num_iterations": iterations,
    "abstract_reasoning.training_steps_per_iteration": steps_per_iteration,
    "abstract_reasoning.eval_steps_per_iteration": eval_steps,
    "abstract_reasoning.batch_size": batch_size,
    "abstract_reasoning.random_seed": seed,
    "AdamOptimizer.learning_rate": learning_rate,
    **(settings or {}),
  }
  reason_stage.reason_with_gin(
    input_dir,
    directory,
    overwrite,
    [f"reasoning/{name}.gin"],
    [
      *_bindings_of(data),
      *(f"{key} = {gin_description.gin_text(value)}" for key, value in values.items()),
    ],
    trust_model=trust_model,
    num_pictures=num_pictures,
    dataset=data,
    make_show=training_progress.in_python,
  )
  record = results.read_results(directory, reason_stage.STEP)
  return {key: record[key] for key in record if key not in _NOT_SCORES}


def _bindings_of(data: ground_truth_data.GroundTruthData) -> list[str]:
  """Returns gin bindings that describe a data set; classes of the user may have no gin name."""
  found = gin_description.dataset_bindings(data)
  return [f"{key} = {v}" for key, v in found.items() if gin_types.is_known(key.rpartition(".")[0])]
