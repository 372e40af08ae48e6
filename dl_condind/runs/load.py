"""Loading a run from its folder."""

import os
import pathlib

from dl_condind.methods import base_model
from dl_condind.runs import infogan_run
from dl_condind.runs import run
from dl_condind.runs import vae_run
from dl_condind.training import trainer
from dl_condind.utils import errors
from dl_condind.utils import results
from dl_condind.utils import run_config
from dl_condind.utils import run_folder
from dl_condind.utils import stages


def load(directory: str | os.PathLike, trust_model: bool = False) -> run.Run:
  """Loads a run.

  Args:
    directory: Folder of a run, which has a subfolder `model`, or of a trained model.
    trust_model: Whether its SavedModel may have operations that no model of this package has. A
      SavedModel is a program: trust only what you made yourself.

  Raises:
    DatasetError: If there is no finished run, or its record is damaged.
  """
  folder = run_folder.RunFolder(pathlib.Path(directory))
  stages.check_folder(folder.path, "directory")
  if folder.model.path.is_dir():
    stage = folder.model
  else:
    stage = run_folder.StageFolder(folder.path)
    if folder.path.name == run_folder.MODEL:
      folder = run_folder.RunFolder(folder.path.parent)
  if not results.is_complete(stage.path, trainer.STEP):
    raise errors.DatasetError(f"{directory} does not hold a finished run: train it to its end.")
  record = results.read_aggregate(stage.results.flat(trainer.STEP))
  kind = run_config.kind(record)
  run_class = {base_model.VAE: vae_run.VAERun, base_model.INFOGAN: infogan_run.InfoGANRun}.get(kind)
  if run_class is None:
    raise errors.ConfigError(f"{directory} holds a model of another kind: {kind!r}.")
  return run_class(folder, stage, record, trust_model)
