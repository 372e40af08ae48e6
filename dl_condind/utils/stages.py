"""What the stages after training share: made once from one input with one configuration."""

from collections.abc import Container
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import contextlib
import glob
import itertools
import os
import pathlib

from absl import logging
import gin

from dl_condind.utils import configs
from dl_condind.utils import errors
from dl_condind.utils import files
from dl_condind.utils import gin_types
from dl_condind.utils import results
from dl_condind.utils import run_config
from dl_condind.utils import run_folder
from dl_condind.utils import run_search


class Stage:
  """One stage in its folder.

  Attributes:
    is_complete: Whether the stage was made before, from the same input and configuration.
  """

  def __init__(
    self,
    directory: pathlib.Path,
    step: str,
    identity: Mapping[str, str],
    output: pathlib.Path | None = None,
  ):
    self.is_complete = False
    self._directory = directory
    self._step = step
    self._identity = identity
    self._output = output

  def finish(
    self, values: Mapping[str, object], provenance: Mapping[str, object], previous: pathlib.Path
  ) -> None:
    """Writes the record of the stage; arguments as `results.write_results`."""
    made = {} if self._output is None else results.model_provenance(self._output)
    results.write_results(
      self._directory, self._step, values, {**provenance, **self._identity, **made}, previous
    )


@contextlib.contextmanager
def stage(
  directory: pathlib.Path,
  step: str,
  model: pathlib.Path,
  overwrite: bool,
  output: pathlib.Path | None = None,
  data: Mapping[str, str] | None = None,
) -> Iterator[Stage]:
  """Yields the stage that is made in directory from a stored model with gin's bindings.

  Args:
    directory: Folder of the stage.
    step: Name of the stage's record.
    model: Folder of the SavedModel that the stage starts from.
    overwrite: Whether to make again what is there.
    output: Folder of the SavedModel that the stage writes beside its record. Where it was deleted,
      the stage is made again.
    data: What tells the data apart where gin's bindings do not: keys that begin with `dataset_`.

  Raises:
    DatasetError: If the model is missing, or it or output is not the one that its record names.
    ConfigError: If the folder holds a stage of another model, configuration or data.
    TryAgainError: If another process works in the folder.
  """
  if not (model / files.MANIFEST).is_file():
    raise errors.DatasetError(f"No complete model at {model}: finish the stage before first.")
  results.check_recorded_model(model)
  identity = {
    "input_sha256": files.manifest_digest(model),
    "bindings": gin.config_str(),
    **(data or {}),
  }
  with files.locked(directory):
    made = Stage(directory, step, identity, output)
    if results.is_complete(directory, step):
      if not overwrite:
        _check_same(directory, step, identity)
        made.is_complete = output is None or results.has_recorded_model(output)
      if made.is_complete:
        logging.info("%s is complete.", directory)
      else:  # First, so that what an interruption leaves does not pass for complete.
        files.remove_directory(run_folder.StageFolder(directory).results.path)
    yield made


def _check_same(directory: pathlib.Path, step: str, identity: Mapping[str, str]) -> None:
  found = results.read_provenance(directory, step)
  if found.get("input_sha256") != identity["input_sha256"]:
    difference = "was made from another model"
  elif (there := _settings(step, str(found.get("bindings", "")))) != (
    here := _settings(step, identity["bindings"])
  ):
    difference = "was made with other settings: " + "; ".join(sorted(there ^ here))
  elif any(found.get(k, v) != v for k, v in identity.items() if k.startswith("dataset_")):
    difference = "was made from other data"
  else:
    return
  raise errors.ConfigError(
    f"{directory} {difference}. Choose another folder, or replace it with overwrite=True."
  )


def _settings(step: str, bindings: str) -> set[str]:
  """Returns the settings in gin's bindings; for a representation without those of the data set.

  A representation is the same for all data, which only say how large an image is. Imports are left
  out: they say where names come from, and those of an earlier stage are there if they are trusted.
  """
  values = configs.values_of(bindings)
  name = run_config.setting(values, "dataset.name")
  of_data = ("dataset.", f"{name}.") if step == "postprocess" else ()
  return {f"{key} = {value}" for key, value in values.items() if not key.startswith(of_data)}


def check_folder(path: str | os.PathLike, argument: str | None = None) -> None:
  """Checks that a folder that is to be read is there.

  Args:
    path: The folder.
    argument: Name of the argument that names it, for the message.

  Raises:
    DatasetError: If it is not, with the most similar name of a folder beside it.
  """
  path = pathlib.Path(path)
  if path.is_dir():
    return
  name = f"{argument}={path}" if argument else str(path)
  if path.exists():
    raise errors.DatasetError(f"{name}: it must be a folder and is a file.")
  beside = path.parent.iterdir() if path.parent.is_dir() else ()
  names = [found.name for found in itertools.islice(beside, 1000) if found.is_dir()]
  hint = gin_types.did_you_mean(path.name, names) or "."
  raise errors.DatasetError(f"{name}: there is no such folder{hint}")


def representations_in(input_dir: pathlib.Path) -> list[str]:
  """Returns the subfolders of input_dir that are representations, or [""] if it is one itself."""
  found = run_search.stages_in(input_dir)
  is_one = run_folder.StageFolder(input_dir).saved_model.is_dir()
  return [""] if is_one or not found else [stage.path.name for stage in found]


def config_of(folder: pathlib.Path) -> pathlib.Path:
  """Returns the gin file saved with a representation, or with a model that metrics take itself."""
  stage = run_folder.StageFolder(folder)
  trained, made = stage.results.gin_file("train"), stage.results.gin_file("postprocess")
  return trained if trained.is_file() and not made.is_file() else made


def matching_representations(patterns: Sequence[str]) -> list[pathlib.Path]:
  """Returns the folders of representations that match patterns, in the order of the patterns.

  Raises:
    ConfigError: If there are fewer than two, which is what their ranking needs.
    DatasetError: If one holds no complete representation.
  """
  folders = [pathlib.Path(found) for name in patterns for found in sorted(glob.glob(name))]
  folders = list(dict.fromkeys(folders))
  if len(folders) < 2:
    raise errors.ConfigError(
      f"udr compares at least two models, {', '.join(patterns)} names {len(folders)} folders."
    )
  for folder in folders:
    if not (run_folder.StageFolder(folder).saved_model / files.MANIFEST).is_file():
      raise errors.DatasetError(f"No complete representation at {folder}: finish it before.")
  return folders


def parse_with_dataset(
  gin_files: Sequence[str],
  gin_bindings: Sequence[str],
  trust_gin_imports: bool,
  previous_config: str | os.PathLike,
  known_data_sets: Container[str],
) -> None:
  """Parses a configuration in which `dataset.name = "auto"` is the data set of an earlier stage.

  With the name come the parameters of the data set itself, such as `arrays.path`, where the
  configuration does not bind them. How factors are drawn does not come with it. The modules that
  the earlier stage imported are imported again if they are trusted.

  Args:
    gin_files: As `configs.parse`.
    gin_bindings: As `configs.parse`.
    trust_gin_imports: As `configs.parse`.
    previous_config: The gin file saved by that stage.
    known_data_sets: Names of data sets, to which an import may add.

  Raises:
    ConfigError: If the configuration is not valid, or the data set needs an import that is not
      trusted.
    DatasetError: If the earlier stage is not complete.
  """
  is_complete = pathlib.Path(previous_config).is_file()
  imported = previous_config if is_complete else None
  configs.parse(gin_files, gin_bindings, trust_gin_imports, imported)
  if configs.bound("dataset.name") != "auto":
    return
  check_previous(previous_config)
  found = dataset_bindings(previous_config)
  name = run_config.setting(found, "dataset.name")
  untrusted = [] if trust_gin_imports else configs.foreign_imports(previous_config)
  if name not in known_data_sets and untrusted:
    raise errors.ConfigError(
      f"{previous_config} has the data set {name!r} from code that is not dl_condind's "
      f"(`{'`, `'.join(untrusted)}`); allow it to run by trust_gin_imports=True."
    )
  # What is bound here goes before what was.
  kept = set(configs.bound_keys()) - {"dataset.name"}
  taken_over = [f"{key} = {value}" for key, value in found.items() if key not in kept]
  configs.parse(gin_files, [*gin_bindings, *taken_over], trust_gin_imports, imported)


def check_previous(config_file: str | os.PathLike) -> None:
  """Checks that the gin file is there that a stage saved last.

  Raises:
    DatasetError: If it or the folder of the stage is missing.
  """
  path = pathlib.Path(config_file)
  check_folder(run_folder.stage_of(path).path)
  if not path.is_file():
    raise errors.DatasetError(f"No {path}: finish the stage before first.")


def dataset_bindings(config_file: str | os.PathLike) -> dict[str, str]:
  """Returns what makes the data set of a stage: its name and its own parameters.

  Its parameters are those of the gin configurable that has the name of the data set. How factors
  are drawn is left out, for every stage chooses that itself.

  Args:
    config_file: The gin file saved by that stage, such as `model/results/gin/train.gin`.

  Returns:
    gin key to gin value, both as text, such as `{"dataset.name": "'arrays'", "arrays.path":
    "'own.npz'"}`.

  Raises:
    DatasetError: If the record of the stage is missing or damaged.
  """
  path = pathlib.Path(config_file)
  record = results.read_record(run_folder.stage_of(path).path, path.stem)
  saved = run_config.of_record(record, path.stem)
  for value in saved.values():
    if value.startswith("%"):
      raise errors.DatasetError(f"The record of {path} is damaged: {value} has no value.")
  name = run_config.setting(saved, "dataset.name")
  return {
    key: value
    for key, value in saved.items()
    if key == "dataset.name" or key.partition(".")[0] == name
  }
