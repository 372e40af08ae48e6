"""Result records: what a stage computed, with which settings and on what.

`{stage}/results/` holds, for the stage's own step and those before it,

    gin/{step}.gin               the operative configuration
    json/{step}_config.json      the same as an object
    json/{step}_results.json     what was computed
    json/{step}_provenance.json  program, versions, data
    aggregate/{step}.json        all of the above, flat, up to this step

The folder appears as a whole, so its presence means that the stage is complete.
"""

from collections.abc import Mapping
import datetime
import importlib.metadata
import json
import math
import os
import pathlib
import platform
import shlex
import shutil
import sys
import uuid

import numpy as np

import dl_condind
from dl_condind.utils import configs
from dl_condind.utils import errors
from dl_condind.utils import files
from dl_condind.utils import json_objects
from dl_condind.utils import run_folder

_DISTRIBUTIONS = (
  "gin-config",
  "keras",
  "numpy",
  "scikit-learn",
  "scipy",
  "tensorflow",
  "tensorflow_probability",
)
_MODEL_DIGEST = "saved_model_sha256"  # In the provenance of a step that stores a model.
_REMEDY = "run its stage again"
_STORE_MODELS = ("postprocess", "train")  # Those steps, the later one first.


def write_results(
  directory: str | os.PathLike,
  step: str,
  results: Mapping[str, object],
  provenance: Mapping[str, object],
  previous: str | os.PathLike | None = None,
  config: configs.Config | None = None,
) -> None:
  """Writes the record of a stage.

  Args:
    directory: The stage's folder; the record is `{directory}/results`, which is replaced.
    step: "train", "postprocess", "evaluation", ...
    results: Numbers, strings and lists, also NumPy's; nested mappings are flattened with dots. A
      `uuid` is added.
    provenance: What `provenance()` returns.
    previous: Folder of the stage before, whose record is taken over.
    config: What the stage was made with; None stands for gin's operative configuration.

  Raises:
    DivergedError: If a number is not finite.
    DatasetError: If the record of the stage before is missing or damaged.
  """
  config = config or configs.operative()
  parts: dict[str, Mapping[str, object]] = {
    "config": config.values,
    "results": _flat({**results, "uuid": str(uuid.uuid4())}),
    "provenance": _flat(provenance),
  }
  if previous is not None:
    files.verify_manifest(_record(previous).path)
  with files.atomic_directory(_record(directory).path) as folder:
    if previous is not None:
      skip_manifest = shutil.ignore_patterns(files.MANIFEST)
      shutil.copytree(_record(previous).path, folder, ignore=skip_manifest, dirs_exist_ok=True)
    record = run_folder.RecordFolder(folder)
    _write(record.gin_file(step), config.text)
    for part, values in parts.items():
      _write(record.part(step, part), _json(values))
    aggregate: dict[str, object] = {}
    for path in record.parts():
      values = read_object(path, _REMEDY, nan_is_none=True)
      aggregate |= {f"{path.stem}.{key}": value for key, value in values.items()}
    _write(record.flat(step), _json(aggregate))


def is_complete(directory: str | os.PathLike, step: str) -> bool:
  """Returns whether a stage's folder holds the record of a step."""
  return _record(directory).flat(step).is_file()


def read_results(directory: str | os.PathLike, step: str) -> dict[str, object]:
  """Reads what a stage computed (`{step}_results.json`).

  Raises:
    DatasetError: If the record is missing or damaged.
  """
  return _read_part(directory, step, "results")


def read_provenance(directory: str | os.PathLike, step: str) -> dict[str, object]:
  """Reads what a stage's results depend on beside its configuration.

  Raises:
    DatasetError: If the record is missing or damaged.
  """
  return _read_part(directory, step, "provenance")


def _record(directory: str | os.PathLike) -> run_folder.RecordFolder:
  return run_folder.StageFolder(pathlib.Path(directory)).results


def _read_part(directory: str | os.PathLike, step: str, part: str) -> dict[str, object]:
  record = _record(directory)
  files.verify_manifest(record.path)
  return read_object(record.part(step, part), _REMEDY, nan_is_none=True)


def model_provenance(path: str | os.PathLike) -> dict[str, str]:
  """Returns what names a SavedModel in the provenance of the step that stored it at path."""
  return {_MODEL_DIGEST: files.manifest_digest(path)}


def has_recorded_model(path: str | os.PathLike) -> bool:
  """Returns whether there is a SavedModel at path, next to its record.

  Raises:
    DatasetError: As `check_recorded_model`.
  """
  if not (pathlib.Path(path) / files.MANIFEST).is_file():
    return False
  check_recorded_model(path)
  return True


def check_recorded_model(path: str | os.PathLike) -> None:
  """Checks that a SavedModel is the one that the record next to it was written with.

  Args:
    path: Folder of the SavedModel. Without a record next to it, or with one of a version that did
      not name its model, there is nothing to check.

  Raises:
    DatasetError: If it is another one, or the record is damaged.
  """
  stage = run_folder.StageFolder(pathlib.Path(path).parent)
  step = next((step for step in _STORE_MODELS if stage.results.flat(step).is_file()), None)
  if step is None:
    return
  record = read_record(stage.path, step)
  recorded = record.get(f"{step}_provenance.{_MODEL_DIGEST}")
  if recorded not in (None, files.manifest_digest(path)):
    raise errors.DatasetError(
      f"{path} is not the model that {stage.results.path} was written with: restore it, or "
      f"delete it and run the {step} stage again."
    )


def read_record(directory: str | os.PathLike, step: str) -> dict[str, object]:
  """Reads the flat record of a step and of those before it; errors as `read_aggregate`."""
  return read_aggregate(_record(directory).flat(step))


def read_aggregate(path: str | os.PathLike) -> dict[str, object]:
  """Reads an `aggregate/{step}.json`, checked against the manifest of its record if it has one.

  Raises:
    DatasetError: If it is missing or damaged.
  """
  folder = pathlib.Path(path).parent.parent
  if (folder / files.MANIFEST).is_file():  # The records of disentanglement_lib have none.
    files.verify_manifest(folder)
  return read_object(path, _REMEDY, nan_is_none=True)


def provenance(
  dataset_provenance: Mapping[str, object] | None = None,
  extra: Mapping[str, object] | None = None,
) -> dict[str, object]:
  """Returns what a result depends on beside its configuration.

  Args:
    dataset_provenance: What the data set's `provenance()` returns: keys `dataset`, `source`, ...
    extra: More entries, such as seeds.

  Returns:
    `dl_condind` and `python` versions, `{distribution}` version of each dependency (None where it
    is not installed), `command_line`, `cpu`, `date` (UTC), `dataset`, `dataset_source`, ...
  """
  versions = {name: _version(name) for name in _DISTRIBUTIONS}
  dataset = {
    key if key == "dataset" else f"dataset_{key}": value
    for key, value in (dataset_provenance or {}).items()
  }
  return {
    "dl_condind": dl_condind.__version__,
    "python": platform.python_version(),
    **versions,
    "command_line": _command_line(),
    "cpu": _cpu(),
    "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    **dataset,
    **(extra or {}),
  }


def _command_line() -> str:
  """Returns the command, without the folder of a program that was not named relative to here."""
  program = pathlib.Path(sys.argv[0])
  return shlex.join([program.name if program.is_absolute() else sys.argv[0], *sys.argv[1:]])


def _version(distribution: str) -> str | None:
  try:
    return importlib.metadata.version(distribution)
  except importlib.metadata.PackageNotFoundError:
    return None


def _cpu() -> str:
  """Returns the processor's model and those of its features on which floating point depends."""
  cpuinfo = pathlib.Path("/proc/cpuinfo")
  if not cpuinfo.is_file():
    return platform.processor() or platform.machine()
  entries: dict[str, str] = {}
  for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
    name, _, value = line.partition(":")
    entries.setdefault(name.strip(), value.strip())
  flags = set(entries.get("flags", "").split())
  found = [flag for flag in ("fma", "avx2", "avx512f", "amx_tile") if flag in flags]
  return " ".join([entries.get("model name", platform.machine()), *found])


def _flat(values: Mapping[str, object], prefix: str = "") -> dict[str, object]:
  """Returns a flat mapping of JSON's own types."""
  flat: dict[str, object] = {}
  for name, value in values.items():
    key = f"{prefix}{name}"
    flat |= _flat(value, f"{key}.") if isinstance(value, Mapping) else {key: _plain(key, value)}
  return flat


def _plain(key: str, value: object) -> object:
  if isinstance(value, np.ndarray | np.generic):
    value = value.tolist()
  if isinstance(value, list | tuple):
    return [_plain(key, item) for item in value]
  if isinstance(value, float) and not math.isfinite(value):
    raise errors.DivergedError(f"{key} is {value}, not a finite number; no result was written.")
  if value is None or isinstance(value, str | int | float):
    return value
  raise TypeError(f"{key} is a {type(value).__name__}, which JSON cannot hold.")


def _json(values: Mapping[str, object]) -> str:
  return json.dumps(values, indent=2, sort_keys=True, allow_nan=False) + "\n"


def _write(path: pathlib.Path, text: str) -> None:
  path.parent.mkdir(exist_ok=True)
  path.write_text(text, encoding="utf-8")


def read_object(
  path: str | os.PathLike, remedy: str, nan_is_none: bool = False
) -> dict[str, object]:
  """Reads a JSON object. NaN and infinity, which disentanglement_lib writes, may stand for None.

  Args:
    path: The file.
    remedy: What to do where it cannot be read, for the message.
    nan_is_none: As `json_objects.parse`.

  Raises:
    DatasetError: If the file is missing or damaged.
  """
  try:
    return json_objects.read(path, nan_is_none)
  except FileNotFoundError as error:
    raise errors.DatasetError(f"{path} is missing; {remedy}.") from error
  except ValueError as error:
    raise errors.DatasetError(f"{path} is damaged ({error}); {remedy}.") from error
