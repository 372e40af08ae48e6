"""Starting a training from the weights of another run: its networks, not its optimizers."""

from collections.abc import Sequence
import itertools
import pathlib
from typing import Any

from absl import logging

from dl_condind.methods import base_model
from dl_condind.saved_models import stored_model
from dl_condind.utils import errors
from dl_condind.utils import files
from dl_condind.utils import run_folder

_EXTRA = "extra/"  # What one family of posteriors has and another has not.


def digest(initial_model_dir: pathlib.Path) -> str:
  """Returns the SHA-256 of the manifest of the model in a run's folder.

  Raises:
    DatasetError: If there is none.
  """
  path = run_folder.StageFolder(initial_model_dir).saved_model
  if not (path / files.MANIFEST).is_file():
    raise errors.DatasetError(
      f"No trained model at {path}: model.initial_model_dir is the folder `model` of a run."
    )
  return files.manifest_digest(path)


def load(model: base_model.Model, initial_model_dir: pathlib.Path) -> None:
  """Gives the networks of a model the weights of another one of the same networks.

  The two may have different families of posteriors: weights of the encoder's third output, of which
  one has more than the other, stay as they are. Networks that are not exported, such as FactorVAE's
  discriminator, stay as they are, too.

  Args:
    model: What was built.
    initial_model_dir: Folder of the other trained model.

  Raises:
    DatasetError: If the other model is missing, damaged or not harmless.
    ConfigError: If it has other networks.
  """
  path = run_folder.StageFolder(initial_model_dir).saved_model
  there = stored_model.StoredModel(path).named_weights()
  here = [(variable.path, variable) for variable in model.exported_variables()]
  pairs = list(itertools.zip_longest(_without_extra(there), _without_extra(here)))
  for of_found, of_model in pairs:
    if of_found is None or of_model is None or of_found[1].shape != tuple(of_model[1].shape):
      raise errors.ConfigError(
        f"model.initial_model_dir: the networks of {path} are not those of this model, which has "
        f"{_describe(of_model)} where they have {_describe(of_found)}: name a run with the same "
        "networks, latents and images."
      )
  for (_, value), (_, variable) in pairs:
    variable.assign(value)
  extra = dict(there)
  for name, variable in here:
    if name.startswith(_EXTRA) and name in extra and extra[name].shape == tuple(variable.shape):
      variable.assign(extra[name])
  logging.info("Starting from the weights of %s.", path)


def _without_extra(weights: Sequence[tuple[str, Any]]) -> list[tuple[str, Any]]:
  return [(name, value) for name, value in weights if not name.startswith(_EXTRA)]


def _describe(weight: tuple[str, Any] | None) -> str:
  return "nothing" if weight is None else f"{weight[0]} of shape {list(weight[1].shape)}"
