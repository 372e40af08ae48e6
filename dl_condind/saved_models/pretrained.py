"""Trained models that come with the package, each an archive beside a card.

An archive holds the folder `model` of a run without its checkpoints. No TensorFlow is needed here.
"""

import os
import pathlib
import tarfile

from dl_condind.utils import errors
from dl_condind.utils import files
from dl_condind.utils import gin_types
from dl_condind.utils import package_folders
from dl_condind.utils import run_folder
from dl_condind.utils import temporary_folders

ARCHIVE = "model.tar.xz"


def pretrained_models() -> list[str]:
  """Returns the names of the models that come with the package; `docs/pretrained.md` has a list."""
  return sorted(
    path.parent.name for path in package_folders.find("pretrained").glob(f"*/{ARCHIVE}")
  )


def check_name(name: str) -> None:
  """Checks that a model of a name comes with the package.

  Raises:
    ConfigError: If there is none.
  """
  names = pretrained_models()
  if name not in names:
    hint = gin_types.did_you_mean(name, names)
    raise errors.ConfigError(f"name must be one of {', '.join(names)}; got {name!r}{hint}")


def unpack(name: str, directory: str | os.PathLike) -> None:
  """Unpacks a model into the folder of a run, unless it is there.

  Args:
    name: One of `pretrained_models()`.
    directory: The folder, which is made.

  Raises:
    ConfigError: If there is no model of this name, or directory has another one.
    TryAgainError: If the disk is full.
  """
  check_name(name)
  target = run_folder.RunFolder(pathlib.Path(directory)).model
  archive = package_folders.find("pretrained") / name / ARCHIVE
  with files.clear_write_errors(target.path):
    target.path.parent.mkdir(parents=True, exist_ok=True)
    with (
      temporary_folders.beside(target.path) as folder,
      tarfile.open(archive, encoding="utf-8") as tar,
    ):
      tar.extractall(folder, filter="data")
      unpacked = run_folder.RunFolder(folder).model
      if not target.path.exists():
        os.replace(unpacked.path, target.path)
        return
      found, expected = target.saved_model, files.manifest_digest(unpacked.saved_model)
      if not found.is_dir() or files.manifest_digest(found) != expected:
        raise errors.ConfigError(f"{target.path} holds something else: choose another directory.")
