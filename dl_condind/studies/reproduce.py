"""One run of a study, from training to the records of its metrics."""

from collections.abc import Sequence
import os
import pathlib

from absl import logging

from dl_condind.evaluation import evaluate
from dl_condind.methods import train
from dl_condind.postprocessing import postprocess
from dl_condind.studies import study
from dl_condind.utils import configs
from dl_condind.visualize import visualize_model


def resolved_config(grid: study.Study, model_num: int, gin_bindings: Sequence[str] = ()) -> str:
  """Returns the configuration of a run's training, defaults included, as the text of a gin file.

  Raises:
    ConfigError: If there is no such run, or its configuration is not valid.
  """
  gin_files, bindings = grid.run(model_num)
  return train.resolved_config(gin_files, [*bindings, *gin_bindings])


def reproduce(
  grid: study.Study,
  model_num: int,
  output_directory: str | os.PathLike,
  gin_bindings: Sequence[str] = (),
  overwrite: bool = False,
  model_dir: str | os.PathLike | None = None,
) -> None:
  """Trains, postprocesses, evaluates and pictures one run; what is there already is left as it is.

  Args:
    grid: The study.
    model_num: Number of the run.
    output_directory: Folder of the run.
    gin_bindings: Bindings of the training, read last.
    overwrite: Whether to start the run anew.
    model_dir: Folder of a trained model to take instead of training one.

  Raises:
    ConfigError: If the configuration is not valid, or the folder holds another run.
    DatasetError: If data or a stored model is damaged.
    DivergedError: If a loss is not finite.
    TryAgainError: If interrupted or the disk is full.
  """
  output = pathlib.Path(output_directory)
  gin_files, bindings = grid.run(model_num)
  representations = {name: f"postprocess/{name}.gin" for name in grid.representations}
  metrics = {pathlib.Path(name).stem: _metric_file(name) for name in grid.metrics}
  for path in [*representations.values(), *metrics.values()]:
    configs.parse([path])  # A mistake in one of them shows before the training, not after it.
  logging.info("Study %s, run %d of %d: %s", grid.name, model_num, grid.num_runs, output)
  if model_dir is None:
    model_dir = output / "model"
    train.train_with_gin(model_dir, overwrite, gin_files, [*bindings, *gin_bindings])
  for name, path in representations.items():
    representation_dir = output / "postprocessed" / name
    postprocess.postprocess_with_gin(model_dir, representation_dir, overwrite, [path])
    for metric, metric_path in metrics.items():
      metric_dir = output / "metrics" / name / metric
      evaluate.evaluate_with_gin(representation_dir, metric_dir, overwrite, [metric_path])
  visualize_model.visualize_model(model_dir, output / "visualizations", overwrite)


def _metric_file(name: str) -> str:
  return name if name.endswith(".gin") else f"metrics/{name}.gin"
