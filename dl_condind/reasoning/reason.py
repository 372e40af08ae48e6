"""Abstract reasoning: how well a model solves puzzles from the codes of a representation.

The second stage of van Steenkiste et al. (2019), arXiv:1905.12506, with disentanglement_lib's gin
names.
"""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
import os
import pathlib
import time

from absl import logging
import gin

from dl_condind.data import puzzles
from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.data.ground_truth import named_data
from dl_condind.methods import optimizers
from dl_condind.reasoning import embeddings
from dl_condind.reasoning import network_settings
from dl_condind.reasoning import solver
from dl_condind.reasoning import two_stage_model
from dl_condind.saved_models import saved_model
from dl_condind.training import run_identity
from dl_condind.training import runtime
from dl_condind.training import training_progress
from dl_condind.utils import configs
from dl_condind.utils import errors
from dl_condind.utils import files
from dl_condind.utils import processes
from dl_condind.utils import results
from dl_condind.utils import run_folder
from dl_condind.utils import stages
from dl_condind.visualize import puzzle_pictures

STEP = "abstract_reasoning"

_CALLER = ["input_dir", "output_dir", "overwrite", "num_pictures", "dataset", "make_show"]


def reason_with_gin(
  input_dir: str | os.PathLike | None,
  output_dir: str | os.PathLike,
  overwrite: bool = False,
  gin_config_files: Sequence[str] = (),
  gin_bindings: Sequence[str] = (),
  trust_gin_imports: bool = False,
  trust_model: bool = False,
  num_pictures: int = 0,
  dataset: ground_truth_data.GroundTruthData | None = None,
  make_show: Callable[[int], training_progress.Show] | None = None,
) -> None:
  """Trains what gin files and bindings describe to solve puzzles; see `reason`.

  `dataset.name = "auto"` stands for the data set of the representation. Only with trust_model may
  its model have operations that no model of this package has.

  Raises:
    ConfigError: Also if the configuration is not valid, or needs a representation that is not
      given.
  """
  if input_dir is None:
    configs.parse(gin_config_files, gin_bindings, trust_gin_imports)
    if configs.bound("dataset.name") == "auto":
      gin.clear_config()
      raise errors.ConfigError(
        "dataset.name is 'auto', the data set of a representation, and no input_dir is given: name "
        "the folder of a representation, or the data set."
      )
  else:
    stages.parse_with_dataset(
      gin_config_files,
      gin_bindings,
      trust_gin_imports,
      stages.config_of(pathlib.Path(input_dir)),
      named_data.DATA_SETS,
    )
  try:
    with saved_model.trusting(trust_model):
      reason(
        input_dir,
        output_dir,
        overwrite,
        num_pictures=num_pictures,
        dataset=dataset,
        make_show=make_show,
      )
  finally:
    gin.clear_config()


@gin.configurable("abstract_reasoning", denylist=_CALLER)
def reason(
  input_dir: str | os.PathLike | None,
  output_dir: str | os.PathLike,
  overwrite: bool = False,
  model: two_stage_model.TwoStageModel = gin.REQUIRED,
  num_iterations: int = gin.REQUIRED,
  training_steps_per_iteration: int = gin.REQUIRED,
  eval_steps_per_iteration: int = gin.REQUIRED,
  random_seed: int = gin.REQUIRED,
  batch_size: int = gin.REQUIRED,
  name: str = "",
  num_threads: int = 2,
  log_steps: int = 100,
  checkpoint_steps: int | None = None,
  checkpoint_seconds: float = 600.0,
  num_pictures: int = 0,
  dataset: ground_truth_data.GroundTruthData | None = None,
  make_show: Callable[[int], training_progress.Show] | None = None,
) -> None:
  """Trains a model to solve puzzles, or continues where a call was interrupted, and records it.

  Writes `tf_checkpoint/`, `train_log.jsonl`, `iterations.jsonl` and, last, `results/` into
  output_dir. The record has `step{n}.val.accuracy`, `.loss`, `.global_step` and the same of `test`
  of the iteration that began at step n, and as `best` those of the iteration with the highest
  validation accuracy. A finished run is left as it is.

  Args:
    input_dir: Folder of a representation; None for embeddings that need none.
    output_dir: Folder to write to.
    overwrite: Whether to delete a run that is there and start again.
    model: The model.
    num_iterations: Number of iterations, each a training, a validation and a test.
    training_steps_per_iteration: Updates in an iteration.
    eval_steps_per_iteration: Batches of each validation and each test.
    random_seed: Seed of weights, puzzles and noise.
    batch_size: Puzzles in a batch.
    name: Label for the record.
    num_threads: Threads, and slices of the batch that are worked on at the same time. The result
      depends on it in its last bits.
    log_steps: Steps between entries of the log.
    checkpoint_steps: Steps between checkpoints; None leaves it to iterations and time.
    checkpoint_seconds: Seconds between checkpoints.
    num_pictures: Number of puzzles to draw into `visualizations/`.
    dataset: The data set; None stands for the one that gin's configuration names.
    make_show: Makes of the number of steps what shows how far the training has come; None stands
      for the way of a program.

  Raises:
    ConfigError: If a setting is out of range, something does not fit, or output_dir holds a run of
      another configuration.
    DatasetError: If model or data cannot be read.
    DivergedError: If a loss is not finite.
    TryAgainError: If the run is in use, SIGTERM or SIGINT came, or the disk is full. The same call
      continues it.
  """
  del name
  start_time = time.monotonic()
  settings = solver.Settings(
    num_iterations,
    training_steps_per_iteration,
    eval_steps_per_iteration,
    random_seed,
    batch_size,
    num_threads,
    log_steps,
    checkpoint_steps,
    checkpoint_seconds,
  )
  output_dir = pathlib.Path(output_dir)
  input_dir = None if input_dir is None else pathlib.Path(input_dir)
  made = puzzles.puzzles_of(dataset or named_data.get_named_ground_truth_data())
  puzzle_pictures.check(made, num_pictures)
  _build(model, made, settings, input_dir)
  config = configs.operative()
  identity = _identity(model, made, input_dir)  # Before the folder is made: data may be missing.
  with processes.Interruption(overwrite) as interruption, files.locked(output_dir):
    state = run_identity.claim(
      output_dir, config.values, identity, overwrite, STEP, stores_model=False
    )
    if num_pictures:
      folder = run_folder.StageFolder(output_dir).pictures
      puzzle_pictures.save(made, num_pictures, random_seed, folder)
    if state == run_identity.COMPLETE:
      logging.info("%s is complete.", output_dir)
      return
    logging.info("Solving %s puzzles of %s.", made.pgm_type, made.data.name)
    seen = model.prepare(made)
    show = (make_show or training_progress.in_program)(settings.training_steps)
    scores = solver.solve(model, seen, settings, output_dir, interruption, show)
    extra = {"random_seed": random_seed, **{f"runtime.{k}": v for k, v in identity.items()}}
    provenance = results.provenance(made.data.provenance(), extra)
    values = {**scores, "elapsed_time": time.monotonic() - start_time}
    results.write_results(output_dir, STEP, values, provenance, input_dir, config)
  best = scores["best"]
  logging.info("Finished %s: best accuracy %.4f (test).", output_dir, best["test.accuracy"])


def _build(
  model: two_stage_model.TwoStageModel,
  made: puzzles.Puzzles,
  settings: solver.Settings,
  input_dir: pathlib.Path | None,
) -> None:
  """Gives a model its parts under their gin names, the representation, and its weights."""
  model.activation = network_settings.bound_activation()
  model.kernel_initializer = network_settings.bound_initializer()
  if model.optimizer_fn is None:
    model.optimizer_fn = gin.get_configurable(optimizers.adam_optimizer)
  model.make_stages()
  embedding = model.embedding
  if isinstance(embedding, embeddings.HubEmbedding) and embedding.hub_path is None:
    path = input_dir and run_folder.StageFolder(input_dir).saved_model
    embedding.hub_path = str(path) if path else None
  runtime.configure(settings.num_threads)
  model.build(made, solver.Seeds(settings.random_seed, 1).weights)
  model.num_slices = 1 if runtime.has_gpu() else settings.num_threads


def _identity(
  model: two_stage_model.TwoStageModel, made: puzzles.Puzzles, input_dir: pathlib.Path | None
) -> Mapping[str, object]:
  """Returns what the result depends on, beside the configuration."""
  identity = {**runtime.fingerprint(), "dataset_sha256": made.data.provenance()["sha256"]}
  if input_dir is not None:
    stage = run_folder.StageFolder(input_dir)
    path = stage.saved_model
    if not (path / files.MANIFEST).is_file():
      raise errors.DatasetError(f"No complete model at {path}: finish the stage before first.")
    files.verify_manifest(stage.results.path)  # The record goes on from this one.
    identity["input_sha256"] = files.manifest_digest(path)
  if model.embedding.model_path is not None:
    identity["embedding_sha256"] = files.manifest_digest(model.embedding.model_path)
  return identity
