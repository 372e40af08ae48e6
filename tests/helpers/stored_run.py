"""Trained runs without a training: a model with weights of one's choice, stored with its record."""

import numpy as np

import dl_condind as dl
from dl_condind.saved_models import saved_model
from dl_condind.utils import configs
from dl_condind.utils import results
from dl_condind.utils import run_folder

_SLOW_TO_TRACE = ("elbo_terms", "decoder_jacobian", "fisher_gram")


def write(model, folder, seed=0, dataset="dummy_data", **settings):
  """Stores a built model in the folder of a run's model, and returns that.

  Losses and derivatives are left out.

  Args:
    model: The model.
    folder: Folder of the run.
    seed: Seed that the record names.
    dataset: Name of its data set.
    **settings: gin values as text, `vae__beta="4.0"` for `vae.beta`.
  """
  stage = run_folder.RunFolder(folder).model
  module, signatures = model.exported()
  for name in _SLOW_TO_TRACE:
    if hasattr(module, name):
      delattr(module, name)
  signatures = {name: signatures[name] for name in signatures if name not in _SLOW_TO_TRACE}
  saved_model.save(module, signatures, stage.saved_model)
  activation = getattr(model, "activation", "logits")
  values = {
    "model.model": "@infogan()" if isinstance(model, dl.InfoGAN) else "@vae()",
    "dataset.name": repr(dataset),
    "model.random_seed": str(seed),
    "model.training_steps": "1",
    "model.batch_size": "64",
    "reconstruction_loss.activation": repr(activation),
    **{key.replace("__", "."): value for key, value in settings.items()},
  }
  # What gin has to know to read the data set from it; the record has all.
  text = f"dataset.name = {dataset!r}\nreconstruction_loss.activation = {activation!r}\n"
  provenance = {"kind": model.kind, "dataset_source": "made up"}
  provenance |= results.model_provenance(stage.saved_model)
  results.write_results(stage.path, "train", {}, provenance, config=configs.Config(values, text))
  return stage.path


def make_vivid(network, seed=0, gain=2.0):
  """Makes the images of a new network differ: larger kernels, and biases and statistics drawn."""
  rng = np.random.default_rng(seed)
  for variable in network.variables:
    name, value = variable.path.rpartition("/")[2], variable.numpy()
    if name == "kernel":
      value = value * gain
    elif name in ("gamma", "moving_variance"):
      value = rng.uniform(0.5, 1.5, value.shape)
    else:
      value = rng.normal(0, 0.1, value.shape)
    variable.assign(value)
