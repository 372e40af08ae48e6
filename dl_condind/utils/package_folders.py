"""Folders that come with the package and are no modules of it."""

import pathlib

import dl_condind


def find(name: str) -> pathlib.Path:
  """Returns a folder such as `gin_configs`.

  It lies in the package, or beside it where the package is installed in editable mode.
  """
  package = pathlib.Path(dl_condind.__file__).parent
  inside = package / name
  return inside if inside.is_dir() else package.parent / name
