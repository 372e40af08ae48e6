"""One run of a study, from training to the records of its metrics."""

from collections.abc import Sequence
import itertools
import os
import pathlib

from absl import logging

from dl_condind.evaluation import evaluate
from dl_condind.evaluation import validate
from dl_condind.postprocessing import postprocess
from dl_condind.reasoning import reason
from dl_condind.studies import repeated_evaluations
from dl_condind.studies import run_state
from dl_condind.studies import stage_files
from dl_condind.studies import study_file
from dl_condind.training import runtime
from dl_condind.training import train
from dl_condind.training import trainer
from dl_condind.utils import configs
from dl_condind.utils import errors
from dl_condind.utils import files
from dl_condind.utils import gin_texts
from dl_condind.utils import run_folder
from dl_condind.visualize import visualize_run

# What the files that a setting of a study names must bind, and the name of one that does.
_BOUND_BY = {
  "validation": ("validation.validation_fn", "labelled_mig"),
  "reasoning": ("TwoStageModel.embedding_model_class", "representation"),
}


def resolved_config(
  study: study_file.Study,
  model_num: int,
  gin_bindings: Sequence[str] = (),
  trust_gin_imports: bool = False,
) -> str:
  """Returns the configuration of a run's training, defaults included, as the text of a gin file.

  Raises:
    ConfigError: If there is no such run, or its configuration is not valid.
  """
  gin_files, bindings = study.run(model_num)
  return train.resolved_config(gin_files, [*bindings, *gin_bindings], trust_gin_imports)


def check(
  study: study_file.Study, gin_bindings: Sequence[str] = (), trust_gin_imports: bool = False
) -> None:
  """Checks every setting that occurs in a study, and the whole of its first run.

  Raises:
    ConfigError: If one is not valid.
  """
  _check_stages(study, trust_gin_imports)
  _check_bindings(study, study.model_nums[0], gin_bindings)
  for model_num in study.covering_runs():
    gin_files, bindings = study.run(model_num)
    configs.parse(gin_files, [*bindings, *gin_bindings], trust_gin_imports)
  resolved_config(study, study.model_nums[0], gin_bindings, trust_gin_imports)


def reproduce(
  study: study_file.Study,
  model_num: int,
  output_directory: str | os.PathLike,
  gin_bindings: Sequence[str] = (),
  overwrite: bool = False,
  model_dir: str | os.PathLike | None = None,
  trust_gin_imports: bool = False,
  trust_model: bool = False,
) -> None:
  """Makes one run: all that its study asks for, from training to pictures; leaves what is there.

  Args:
    study: The study.
    model_num: Number of the run.
    output_directory: Folder of the run.
    gin_bindings: Bindings of the training, read last.
    overwrite: Whether to start the run anew.
    model_dir: Folder of a trained model to take instead of training one.
    trust_gin_imports: Whether gin files may import any module.
    trust_model: Whether the model may have operations that no model of this package has.

  Raises:
    ConfigError: If the configuration is not valid, the folder holds another run or lacks something
      of a run whose model is not there, or a result of a later stage is not finite.
    DatasetError: If data or a stored model is damaged.
    DivergedError: If a loss of the training is not finite.
    TryAgainError: If interrupted, the disk is full or another process makes the run.
  """
  run = run_folder.RunFolder(pathlib.Path(output_directory))
  gin_files, bindings = study.run(model_num)
  # A mistake in one of them shows before the training, not after it.
  _check_stages(study, trust_gin_imports)
  _check_bindings(study, model_num, gin_bindings)
  config = (gin_files, [*bindings, *gin_bindings], trust_gin_imports)
  configs.parse(*config)
  bound = configs.bound(run_state.NUM_THREADS)
  num_threads = bound if isinstance(bound, int) else trainer.Settings.num_threads
  made_with = dict(study.settings(model_num, gin_bindings))
  if model_dir is not None:  # Not the run that the study describes.
    saved_model = run_folder.StageFolder(pathlib.Path(model_dir)).saved_model
    made_with["model_sha256"] = files.manifest_digest(saved_model)
  with run_state.making(run.path, made_with, overwrite):
    logging.info("Study %s, run %d of %d: %s", study.name, model_num, study.num_runs, run.path)
    if run_state.is_unpacked(run.path):
      logging.info("%s is complete; its records came out of an archive.", run.path)
      return
    if model_dir is None:
      model_dir = run.model.path
      train.train_with_gin(model_dir, overwrite, *config)
      num_threads = run_state.num_threads(run.path) or num_threads
    elif study.reasoning:
      runtime.configure(num_threads)
    model_dir = pathlib.Path(model_dir)
    trust = (trust_gin_imports, trust_model)
    _evaluate(study, study.metrics, model_dir, run, overwrite, *trust)
    if study.snapshot_metrics:
      for snapshot in run.model.snapshots():
        metrics, folder = study.snapshot_metrics, snapshot.model.path
        _evaluate(study, metrics, folder, snapshot, overwrite, *trust)
    _validate(study, model_dir, run, overwrite, *trust)
    _reason(study, model_dir, run, overwrite, num_threads, *trust)
    visualize_run.visualize_run(model_dir, run.pictures, overwrite, *trust)


def _evaluate(
  study: study_file.Study,
  metrics: Sequence[str],
  model_dir: pathlib.Path,
  run: run_folder.RunFolder,
  overwrite: bool,
  trust_gin_imports: bool,
  trust_model: bool,
) -> None:
  trust = (trust_gin_imports, trust_model)
  for name in study.representations:
    folder = run.representation(name).path
    gin_files = [stage_files.postprocess_file(name)]
    postprocess.postprocess_with_gin(model_dir, folder, overwrite, gin_files, (), *trust)
  # What evaluations of one seed draw and encode is shared if they follow each other.
  evaluations = list(itertools.product(range(study.num_evaluations), study.evaluated, metrics))
  for position, (number, name, metric) in enumerate(evaluations, start=1):
    folder = run.representation(name).path if study.representations else model_dir
    metric_name = stage_files.stage_name(metric)
    directory = run.metric(name, metric_name, number).path
    logging.info("[%d/%d] %s", position, len(evaluations), directory)
    bindings = repeated_evaluations.bindings(metric_name, number)
    gin_files = [stage_files.gin_file("metrics", metric)]
    try:
      evaluate.evaluate_with_gin(folder, directory, overwrite, gin_files, bindings, *trust)
    except errors.DivergedError as error:
      raise _failed_stage(model_dir, metric, "metrics", error) from error


def _validate(
  study: study_file.Study,
  model_dir: pathlib.Path,
  run: run_folder.RunFolder,
  overwrite: bool,
  trust_gin_imports: bool,
  trust_model: bool,
) -> None:
  trust = (trust_gin_imports, trust_model)
  for name, validation in itertools.product(study.representations, study.validation):
    directory = run.validation(name, stage_files.stage_name(validation)).path
    gin_files = [stage_files.gin_file("validation", validation)]
    folder = run.representation(name).path
    try:
      validate.validate_with_gin(folder, directory, overwrite, gin_files, (), *trust)
    except errors.DivergedError as error:
      raise _failed_stage(model_dir, validation, "validation", error) from error


def _reason(
  study: study_file.Study,
  model_dir: pathlib.Path,
  run: run_folder.RunFolder,
  overwrite: bool,
  num_threads: int,
  trust_gin_imports: bool,
  trust_model: bool,
) -> None:
  trust = (trust_gin_imports, trust_model)
  for name, reasoning in itertools.product(study.representations, study.reasoning):
    directory = run.reasoning(name, stage_files.stage_name(reasoning)).path
    gin_files = [stage_files.gin_file("reasoning", reasoning)]
    bindings = [f"abstract_reasoning.num_threads = {num_threads}"]
    folder = run.representation(name).path
    try:
      reason.reason_with_gin(folder, directory, overwrite, gin_files, bindings, *trust)
    except errors.DivergedError as error:
      raise _failed_stage(model_dir, reasoning, "reasoning", error) from error


def _failed_stage(
  model_dir: pathlib.Path, stage: str, setting: str, error: errors.DivergedError
) -> errors.ConfigError:
  """Returns what to raise of a stage with a number that is not finite; the model is fine."""
  return errors.ConfigError(
    f"{model_dir} is trained, but {stage} fails: {error} Leave it out of study.{setting}, or "
    "change its settings."
  )


def _check_stages(study: study_file.Study, trust_gin_imports: bool) -> None:
  for path in study.gin_files_of_stages():
    configs.parse([path], trust_gin_imports=trust_gin_imports)
  for setting, (key, example) in _BOUND_BY.items():
    for stage in getattr(study, setting):
      gin_file = stage_files.gin_file(setting, stage)
      configs.parse([gin_file], trust_gin_imports=trust_gin_imports)
      if configs.bound(key) is None:
        raise errors.ConfigError(
          f"study.{setting}: {gin_file} does not bind {key}: take another file, such as "
          f"{example!r}."
        )


def _check_bindings(study: study_file.Study, model_num: int, gin_bindings: Sequence[str]) -> None:
  """Checks that no binding of the training is one that only a later stage has a use for."""

  def owners(gin_files: Sequence[str], bindings: Sequence[str]) -> set[str]:
    """Returns the names of what is bound, without modules and scopes."""
    found = gin_texts.statements(gin_files, bindings)
    selectors = (getattr(statement, "selector", "") for statement, _ in found)
    return {selector.rpartition(".")[2] for selector in selectors}

  if not gin_bindings:
    return
  gin_files, bindings = study.run(model_num)
  given = owners([], gin_bindings) - owners(gin_files, bindings)
  for path in study.gin_files_of_stages():
    for name in sorted(given & owners([path], [])):
      raise errors.ConfigError(
        f"gin_bindings: {name} is set for {path} and has no effect on the training: put your "
        "settings into a gin file and name that in the study."
      )
