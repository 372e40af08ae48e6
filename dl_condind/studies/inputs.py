"""What programs read, checked before TensorFlow is loaded, which takes seconds.

Only what is missing is found here: gin files, folders, and the files of a data set. Names and
values in gin files are checked when the modules are loaded that register them.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import os
import pathlib

import gin
from gin import config_parser

from dl_condind.data.ground_truth import named_data
from dl_condind.studies import study_file
from dl_condind.utils import configs
from dl_condind.utils import errors
from dl_condind.utils import gin_texts
from dl_condind.utils import gin_types
from dl_condind.utils import run_folder
from dl_condind.utils import stages

_Config = tuple[Sequence[str], Sequence[str]]

# gin names of data sets that have parameters of their own.
_DATA_SETS = ("dataset", "arrays", "image_folder", "mnist")


def check_training(config: _Config, reads_data: bool = True) -> None:
  """Checks what a training reads.

  Args:
    config: gin files and gin bindings.
    reads_data: Whether the data set is read, too.

  Raises:
    ConfigError: If there is no configuration, a gin file is missing or cannot be parsed.
    DatasetError: If a file of the data set is missing.
  """
  _check_given(config, "gin_config=shared.gin gin_config=methods/vae.gin")
  values = _dataset_values(config)
  if reads_data:
    _check_data(values)


def check_postprocessing(
  model_dir: str | os.PathLike, output_dir: str | os.PathLike, config: _Config
) -> None:
  """Checks what postprocessing reads; errors as `check_training`, and if there is no model."""
  _check_given(config, "gin_config=postprocess/mean.gin")
  values = _dataset_values(config)
  check_models([model_dir])
  _check_data_of_stage(values, _train_gin(model_dir), output_dir)


def check_evaluation(
  input_dir: str | os.PathLike,
  output_dir: str | os.PathLike,
  pattern: str | None,
  config: _Config,
) -> None:
  """Checks what an evaluation reads; errors as `check_training`, and if there is no input.

  Args:
    input_dir: Folder of a representation, or of folders of representations.
    output_dir: Folder to write to.
    pattern: Pattern of gin files, or None.
    config: gin files and gin bindings.
  """
  metrics = gin_texts.matching_files(pattern).values() if pattern else [[]]
  if pattern is None:
    _check_given(config, "gin_config=metrics/mig.gin")
  found = [_dataset_values(([*config[0], *files], config[1])) for files in metrics]
  stages.check_folder(input_dir, "input_dir")
  for name in stages.representations_in(pathlib.Path(input_dir)):
    folder = pathlib.Path(input_dir) / name
    _check_model(folder, "input_dir")
    for values in found:
      _check_data_of_stage(values, stages.config_of(folder), output_dir)


def check_validation(
  input_dir: str | os.PathLike, output_dir: str | os.PathLike, config: _Config
) -> None:
  """Checks what a validation reads; errors as `check_training`, and if there is no input."""
  _check_given(config, "gin_config=validation/labelled_mig.gin")
  values = _dataset_values(config)
  stages.check_folder(input_dir, "input_dir")
  folder = pathlib.Path(input_dir)
  _check_model(folder, "input_dir")
  _check_data_of_stage(values, stages.config_of(folder), output_dir)


def check_reasoning(
  input_dir: str | os.PathLike | None, output_dir: str | os.PathLike, config: _Config
) -> None:
  """Checks what abstract reasoning reads; errors as `check_validation`.

  Args:
    input_dir: Folder of a representation, or None.
    output_dir: Folder to write to.
    config: gin files and gin bindings.
  """
  if input_dir is not None:
    _check_given(config, "gin_config=reasoning/representation.gin")
    check_validation(input_dir, output_dir, config)
    return
  _check_given(config, "gin_config=reasoning/values.gin")
  values = _dataset_values(config)
  if values is not None and values.get("dataset.name") != "auto":  # A message of its own follows.
    _check_data(values)


def check_ranking(input_dirs: Sequence[str], output_dir: str, config: _Config) -> None:
  """Checks what a ranking of models reads; errors as `check_training`, and if there are no two."""
  _check_given(config, "gin_config=udr/udr.gin")
  values = _dataset_values(config)
  folder = stages.matching_representations(input_dirs)[0]
  _check_data_of_stage(values, stages.config_of(folder), output_dir)


def check_models(model_dirs: Sequence[str | os.PathLike]) -> None:
  """Checks that folders hold trained models.

  Raises:
    DatasetError: If one does not.
  """
  for model_dir in model_dirs:
    stages.check_folder(model_dir, "model_dir")
    _check_model(pathlib.Path(model_dir), "model_dir")


def check_pictured(model_dir: str | os.PathLike, output_dir: str | os.PathLike) -> None:
  """Checks that there is a model, and the data set it was trained on.

  Raises:
    DatasetError: If one is missing.
  """
  check_models([model_dir])
  config = _train_gin(model_dir)
  _check_data_of_stage({}, config, output_dir)


def check_study(study_dir: str | os.PathLike) -> None:
  """Checks that a study was begun.

  Raises:
    ConfigError: If its folder is missing.
  """
  if not pathlib.Path(study_dir).is_dir():
    raise errors.ConfigError(
      f"No trained run in {study_dir}, which is not there: is it the right folder?"
    )


def check_run(
  study: study_file.Study,
  model_num: int,
  gin_bindings: Sequence[str],
  model_dir: str | None = None,
  reads_data: bool = True,
) -> None:
  """Checks what a run of a study reads.

  Args:
    study: The study.
    model_num: Number of the run.
    gin_bindings: Bindings of the training, read last.
    model_dir: Folder of a trained model to take instead of training one.
    reads_data: Whether the data set is read.

  Raises:
    ConfigError: If there is no such run, or a gin file is missing or cannot be parsed.
    DatasetError: If a file of the data set or the model is missing.
  """
  gin_files, bindings = study.run(model_num)
  for path in study.gin_files_of_stages():
    _dataset_values(([path], []))
  if model_dir is not None:
    check_models([model_dir])
  is_read = reads_data and model_dir is None
  check_training((gin_files, [*bindings, *gin_bindings]), reads_data=is_read)


def _train_gin(model_dir: str | os.PathLike) -> pathlib.Path:
  return run_folder.StageFolder(pathlib.Path(model_dir)).results.gin_file("train")


def _check_given(config: _Config, example: str) -> None:
  if not any(config):
    raise errors.ConfigError(f"There is no configuration: try {example}")


def _check_model(folder: pathlib.Path, argument: str) -> None:
  if not run_folder.StageFolder(folder).saved_model.is_dir():
    raise errors.DatasetError(
      f"{argument}={folder}: no model is stored there (it has no folder saved_model); finish the "
      "stage before first, or name its folder."
    )


def _dataset_values(config: _Config) -> dict[str, object] | None:
  """Returns what a configuration says of the data set, by gin key, without looking up names.

  None stands for what cannot be known: a configuration that imports code, which may add data sets.

  Raises:
    ConfigError: If a gin file is missing or cannot be parsed.
  """
  values, macros, has_own_code = {}, {}, False
  for statement, _ in gin_texts.statements(*config):
    if isinstance(statement, config_parser.ImportStatement):
      has_own_code |= statement.module.partition(".")[0] != "dl_condind"
    elif isinstance(statement, config_parser.BindingStatement):
      name = statement.selector.rpartition(".")[2]
      if not statement.arg_name:
        macros[statement.selector] = statement.value
      elif name in _DATA_SETS and not statement.scope:
        values[f"{name}.{statement.arg_name}"] = statement.value
  if has_own_code:
    return None
  return {key: _without_macro(value, macros) for key, value in values.items()}


def _without_macro(value: object, macros: Mapping[str, object]) -> object:
  for _ in macros:
    if isinstance(value, gin_types.Reference) and value.prefix == "%":
      value = macros.get(value.name)
  return value


def _check_data_of_stage(
  values: dict[str, object] | None, previous_config: pathlib.Path, output_dir: str | os.PathLike
) -> None:
  """Checks the data set of a stage, which may be that of an earlier one.

  Where something was written before, the stage may be complete, which needs no data.
  """
  if values is None or pathlib.Path(output_dir).exists():
    return
  if values.get("dataset.name", "auto") == "auto":
    stages.check_previous(previous_config)
    own = {key: value for key, value in values.items() if key != "dataset.name"}
    texts = stages.dataset_bindings(previous_config)
    earlier = _dataset_values(([], [f"{key} = {value}" for key, value in texts.items()]))
    values = (earlier or {}) | own
    if values.get("dataset.name") not in named_data.DATA_SETS:  # The earlier stage imported code.
      return
  _check_data(values)


def _check_data(values: Mapping[str, object] | None) -> None:
  if values is None or not isinstance(values.get("dataset.name"), str):
    return
  bindings = [f"{key} = {value!r}" for key, value in values.items() if isinstance(value, str)]
  configs.parse([], bindings)
  try:
    named_data.get_named_ground_truth_data().check_files()
  finally:
    gin.clear_config()
