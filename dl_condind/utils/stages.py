"""What the stages after training share: made once from one input with one configuration."""

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import contextlib
import os
import pathlib

from absl import logging
import gin

from dl_condind.utils import configs
from dl_condind.utils import errors
from dl_condind.utils import files
from dl_condind.utils import results

# What can be configured of the data set that a name stands for.
_DATA_SETS = ("arrays", "image_folder", "mnist")


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
) -> Iterator[Stage]:
  """Yields the stage that is made in directory from a stored model with gin's bindings.

  Args:
    directory: Folder of the stage.
    step: Name of the stage's record.
    model: Folder of the SavedModel that the stage starts from.
    overwrite: Whether to make again what is there.
    output: Folder of the SavedModel that the stage writes beside its record. Where it was deleted,
      the stage is made again.

  Raises:
    DatasetError: If the model is missing, or it or output is not the one that its record names.
    ConfigError: If the folder holds a stage of another model or configuration.
    TryAgainError: If another process works in the folder.
  """
  if not (model / files.MANIFEST).is_file():
    raise errors.DatasetError(f"No complete model at {model}: finish the stage before first.")
  results.check_recorded_model(model)
  identity = {"input_sha256": files.manifest_digest(model), "bindings": gin.config_str()}
  with files.locked(directory):
    made = Stage(directory, step, identity, output)
    if results.is_complete(directory, step):
      if not overwrite:
        _check_same(directory, step, identity)
        made.is_complete = output is None or results.has_recorded_model(output)
      if made.is_complete:
        logging.info("%s is complete.", directory)
      else:  # First, so that what an interruption leaves does not pass for complete.
        files.remove_directory(directory / "results")
    yield made


def _check_same(directory: pathlib.Path, step: str, identity: Mapping[str, str]) -> None:
  found = results.read_provenance(directory, step)
  if found.get("input_sha256") != identity["input_sha256"]:
    difference = "was made from another model"
  elif found.get("bindings") != identity["bindings"]:
    lines = set(found.get("bindings", "").splitlines()) ^ set(identity["bindings"].splitlines())
    difference = "was made with other settings: " + "; ".join(sorted(filter(None, lines)))
  else:
    return
  raise errors.ConfigError(
    f"{directory} {difference}. Choose another folder, or replace it with --overwrite."
  )


def parse_with_dataset(
  gin_files: Sequence[str],
  gin_bindings: Sequence[str],
  trust_gin_imports: bool,
  previous_config: str | os.PathLike,
) -> None:
  """Parses a configuration in which `dataset.name = "auto"` is the data set of an earlier stage.

  With the name come the parameters of the data set itself, such as `arrays.path`, where the
  configuration does not bind them. How factors are drawn does not come with it.

  Args:
    gin_files: As `configs.parse`.
    gin_bindings: As `configs.parse`.
    trust_gin_imports: As `configs.parse`.
    previous_config: The gin file saved by that stage.

  Raises:
    ConfigError: If the configuration is not valid.
    DatasetError: If the earlier stage is not complete.
  """
  configs.parse(gin_files, gin_bindings, trust_gin_imports)
  if configs.bound("dataset.name") != "auto":
    return
  if not pathlib.Path(previous_config).is_file():
    raise errors.DatasetError(f"No {previous_config}: finish the stage before first.")
  found = dataset_bindings(previous_config)
  # What is bound here goes before what was.
  kept = set(configs.bound_keys()) - {"dataset.name"}
  taken_over = [f"{key} = {value}" for key, value in found.items() if key not in kept]
  configs.parse(gin_files, [*gin_bindings, *taken_over], trust_gin_imports)


def dataset_bindings(config_file: str | os.PathLike) -> dict[str, str]:
  """Returns what makes the data set of a stage: its name and its own parameters.

  How factors are drawn is left out, for every stage chooses that itself.

  Args:
    config_file: The gin file saved by that stage, such as `model/results/gin/train.gin`.

  Returns:
    gin key to gin value, both as text, such as `{"dataset.name": "'arrays'", "arrays.path":
    "'own.npz'"}`.

  Raises:
    DatasetError: If the record of the stage is missing or damaged.
  """
  path = pathlib.Path(config_file)
  record = results.read_aggregate(path.parents[1] / "aggregate" / f"{path.stem}.json")
  prefix = f"{path.stem}_config."
  saved = {key.removeprefix(prefix): record[key] for key in record if key.startswith(prefix)}
  found = {}
  for key, value in saved.items():
    if key == "dataset.name" or key.partition(".")[0] in _DATA_SETS:
      while value.startswith("%"):
        value = saved[value[1:]]
      found[key] = value
  return found
