"""Loading trained models that come with the package."""

import os
import tempfile
import weakref

from dl_condind.runs import load
from dl_condind.runs import run
from dl_condind.saved_models import pretrained


def load_pretrained(name: str, directory: str | os.PathLike | None = None) -> run.Run:
  """Loads a copy of a model that comes with the package.

  Args:
    name: One of `pretrained_models()`, such as "vae_spots_rotated".
    directory: Folder of the copy, which `evaluate` writes its records to. It is made, or has the
      copy from before. None stands for a temporary folder, which goes with the returned object.

  Raises:
    ValueError: If there is no model of this name, or directory has another one.
  """
  if directory is not None:
    pretrained.unpack(name, directory)
    return load.load(directory)
  pretrained.check_name(name)
  temporary = tempfile.TemporaryDirectory(prefix=f"{name}.", ignore_cleanup_errors=True)
  pretrained.unpack(name, temporary.name)
  loaded = load.load(temporary.name)
  weakref.finalize(loaded, temporary.cleanup)
  return loaded
