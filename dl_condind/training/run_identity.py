"""The identity of a run: what its directory was made with, and may be continued with."""

from collections.abc import Mapping
from collections.abc import Sequence
import pathlib

from dl_condind.utils import errors
from dl_condind.utils import files
from dl_condind.utils import json_objects
from dl_condind.utils import results
from dl_condind.utils import run_config
from dl_condind.utils import run_folder

NEW, UNFINISHED, COMPLETE = "new", "unfinished", "complete"

# These settings decide when and how a run is observed, not what it computes. (Of an initial model
# the digest counts, not the folder.)
_NOT_IDENTITY = (
  "abstract_reasoning.checkpoint_seconds",
  "abstract_reasoning.checkpoint_steps",
  "abstract_reasoning.log_steps",
  "abstract_reasoning.name",
  "model.checkpoint_seconds",
  "model.checkpoint_steps",
  "model.initial_model_dir",
  "model.log_steps",
  "model.model_num",
  "model.name",
  "model.snapshot_steps",
)

# What decides the last bits of a training says nothing against one that is finished.
_ENVIRONMENT = (
  "runtime.device",
  "runtime.dl_condind",
  "runtime.intra_op_threads",
  "runtime.keras",
  "runtime.onednn",
  "runtime.tensorflow",
)


def claim(
  model_dir: pathlib.Path,
  config: Mapping[str, str],
  fingerprint: Mapping[str, object],
  overwrite: bool,
  step: str = "train",
  stores_model: bool = True,
) -> str:
  """Makes model_dir the directory of the run that a configuration describes.

  Args:
    model_dir: Folder of the run, which the caller holds the lock of.
    config: gin key to gin value, both as text.
    fingerprint: What the result depends on in addition to the configuration.
    overwrite: Whether to delete a run that is there.
    step: Name of the record of the run.
    stores_model: Whether the run is complete only with its SavedModel.

  Returns:
    NEW, UNFINISHED or COMPLETE: the state of the run found there. A finished run may be of other
    versions, threads or another device. A run whose SavedModel was deleted is unfinished, and loses
    its record, which would not name the next one.

  Raises:
    ConfigError: If a run of another configuration is there, or something that is not a run.
    DatasetError: If the SavedModel is not the one that the record names.
  """
  config = {k: v for k, v in config.items() if k not in _NOT_IDENTITY}
  identity = {**config, **{f"runtime.{key}": value for key, value in fingerprint.items()}}
  stage = run_folder.StageFolder(model_dir)
  if not stage.identity.is_file():
    _check_empty(stage)
  elif overwrite:
    _clear(stage)
  else:
    found = _read(stage.identity)
    if not results.is_complete(model_dir, step):
      _check_same(model_dir, identity, found)
      return UNFINISHED
    _check_same(model_dir, identity, found, ignored=_ENVIRONMENT)
    if not stores_model or results.has_recorded_model(stage.saved_model):
      return COMPLETE
    _check_same(model_dir, identity, found)
    files.remove_directory(stage.results.path)
    return UNFINISHED
  files.write_json(stage.identity, identity)
  return NEW


def _check_empty(stage: run_folder.StageFolder) -> None:
  foreign = sorted(p.name for p in stage.path.iterdir() if not p.name.startswith("."))
  if foreign:
    raise errors.ConfigError(
      f"{stage.path} holds {', '.join(foreign[:3])} but no {stage.identity.name}, so it is not the "
      "directory of a run: choose another one."
    )


def _clear(stage: run_folder.StageFolder) -> None:
  """Deletes what a run writes, its record first; anything else in the folder stays.

  The identity stays until it is replaced: if interrupted, what is left is a part of the old run.
  """
  with files.clear_write_errors(stage.path):
    for path in stage.contents():
      if path.is_dir():
        files.remove_directory(path)
      else:
        path.unlink(missing_ok=True)


def _read(path: pathlib.Path) -> dict[str, object]:
  try:
    return json_objects.read(path)
  except ValueError as error:
    raise errors.ConfigError(
      f"{path} is damaged ({error}); start the run again with overwrite=True."
    ) from error


def _check_same(
  model_dir: pathlib.Path,
  identity: Mapping[str, object],
  found: Mapping[str, object],
  ignored: Sequence[str] = (),
) -> None:
  differences = [
    f"{key} is {found.get(key, 'absent')} there and {identity.get(key, 'absent')} here"
    for key in sorted(identity.keys() | found.keys())
    if key not in ignored and _meaning(key, identity) != _meaning(key, found)
  ]
  if differences:
    raise errors.ConfigError(
      f"{model_dir} holds a run of another configuration: {'; '.join(differences)}. Choose another "
      "directory, or delete that run with overwrite=True."
    )


def _meaning(key: str, identity: Mapping[str, object]) -> object:
  """Returns a value in a form that is the same for all texts that mean the same."""
  value = identity.get(key)
  if key in run_config.DEFAULTS and value in (None, "None"):
    return run_config.DEFAULTS[key]
  return run_config.canonical(value) if isinstance(value, str) else value
