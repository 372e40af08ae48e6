"""Folders of pictures that know what they were made of."""

from collections.abc import Iterator
from collections.abc import Mapping
import contextlib
import json
import pathlib

from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.utils import errors
from dl_condind.utils import files
from dl_condind.utils import results
from dl_condind.utils import run_folder
from dl_condind.utils import temporary_folders

SETTINGS = run_folder.PICTURE_SETTINGS


def check_in(lowest: int, highest: int, **settings: int) -> None:
  """Checks that settings are in [lowest, highest].

  Raises:
    ConfigError: If one is not.
  """
  for name, value in settings.items():
    if not lowest <= value <= highest:
      raise errors.ConfigError(f"{name} must be in [{lowest}, {highest}], got {value}.")


def is_complete(output_dir: pathlib.Path, settings: Mapping[str, object], overwrite: bool) -> bool:
  """Returns whether the pictures of these settings are there.

  Raises:
    ConfigError: If something else is, that may not be replaced.
    DatasetError: If the pictures are damaged.
  """
  temporary_folders.remove_leftovers(output_dir.parent)
  path = output_dir / SETTINGS
  if not path.is_file():
    if output_dir.is_dir() and any(output_dir.iterdir()):
      raise errors.ConfigError(
        f"{output_dir} is not empty and holds no {SETTINGS}, so it is not a folder of pictures: "
        "choose another one."
      )
    return False
  if overwrite:
    return False
  files.verify_manifest(output_dir)
  found = results.read_object(path, "make the pictures again with overwrite=True")
  changed = [key for key in settings if found.get(key) != settings[key]]
  if changed:
    raise errors.ConfigError(
      f"{output_dir} holds pictures of something else or with other settings "
      f"({', '.join(changed)} differ): choose another folder, or replace it with overwrite=True."
    )
  return True


@contextlib.contextmanager
def written(output_dir: pathlib.Path, settings: Mapping[str, object]) -> Iterator[pathlib.Path]:
  """Yields a temporary folder for pictures, which becomes output_dir as a whole.

  Args:
    output_dir: Folder of the pictures; replaced if it is there.
    settings: What the pictures are made of, for `is_complete`; JSON can hold it.
  """
  with files.atomic_directory(output_dir) as folder:
    yield folder
    (folder / SETTINGS).write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def data_caption(dataset: ground_truth_data.GroundTruthData) -> str:
  """Returns a line that says which data set it is and where it comes from. Loads it."""
  provenance = dataset.provenance()
  return f"Data set: {provenance['dataset']} ({provenance['source']})"
