"""Trained models that come with the package."""

import os
import pathlib
import shutil
import tempfile
import weakref

from dl_condind.runs import load
from dl_condind.runs import run
from dl_condind.utils import errors
from dl_condind.utils import files
from dl_condind.utils import gin_types
from dl_condind.utils import package_folders
from dl_condind.utils import run_folder
from dl_condind.utils import temporary_folders


def pretrained_models() -> list[str]:
  """Returns the names of the models that come with the package; `docs/pretrained.md` has a list."""
  folder = package_folders.find("pretrained")
  return sorted(path.parent.name for path in folder.glob(f"*/{run_folder.MODEL}"))


def load_pretrained(name: str, directory: str | os.PathLike | None = None) -> run.Run:
  """Loads a copy of a model that comes with the package.

  Args:
    name: One of `pretrained_models()`, such as "vae_spots_rotated".
    directory: Folder of the copy, which `evaluate` writes its records to. It is made, or has the
      copy from before. None stands for a temporary folder, which goes with the returned object.

  Raises:
    ValueError: If there is no model of this name, or directory has another one.
  """
  names = pretrained_models()
  if name not in names:
    hint = gin_types.did_you_mean(name, names)
    raise errors.ConfigError(f"name must be one of {', '.join(names)}; got {name!r}{hint}")
  source = run_folder.RunFolder(package_folders.find("pretrained") / name).model
  if directory is not None:
    _copy(source, run_folder.RunFolder(pathlib.Path(directory)).model)
    return load.load(directory)
  temporary = tempfile.mkdtemp(prefix=f"{name}.")
  _copy(source, run_folder.RunFolder(pathlib.Path(temporary)).model)
  loaded = load.load(temporary)
  weakref.finalize(loaded, shutil.rmtree, temporary, ignore_errors=True)
  return loaded


def _copy(source: run_folder.StageFolder, target: run_folder.StageFolder) -> None:
  """Copies the folder of a model, unless it is there."""
  if target.path.exists():
    found, expected = target.saved_model, files.manifest_digest(source.saved_model)
    if not found.is_dir() or files.manifest_digest(found) != expected:
      raise errors.ConfigError(f"{target.path} holds something else: choose another directory.")
    return
  with files.clear_write_errors(target.path):
    target.path.parent.mkdir(parents=True, exist_ok=True)
    with temporary_folders.beside(target.path) as folder:
      os.replace(shutil.copytree(source.path, folder / "new"), target.path)
