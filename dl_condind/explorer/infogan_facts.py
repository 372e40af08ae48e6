"""What a page shows of a trained InfoGAN: its generator, draws of the noise, axes of its codes."""

import os
import pathlib
from typing import Any

import numpy as np

from dl_condind.evaluation.infogan import digit_attributes
from dl_condind.explorer import axes
from dl_condind.explorer import decoders
from dl_condind.saved_models import network_layers
from dl_condind.saved_models import stored_infogan
from dl_condind.utils import priors
from dl_condind.utils import results
from dl_condind.utils import run_config
from dl_condind.utils import run_folder

_SEED = 0
_LIMIT = 3.0  # stddevs of a normal prior: where a slider ends
_NUM_POINTS = 1000  # generated images whose posteriors give the axes of the noise


def describe(model_dir: str | os.PathLike, num_images: int, max_megabytes: float) -> dict[str, Any]:
  """Returns the facts of a model as JSON can hold them.

  The noise axes of the codes are those of the recognition network's posterior of generated images.

  Args:
    model_dir: Folder of the trained model.
    num_images: Number of draws of the noise to start from.
    max_megabytes: How much room the generator may take in the page.

  Raises:
    DatasetError: If the model is missing or damaged.
    ConfigError: If a page cannot show the model.
  """
  stage = run_folder.StageFolder(pathlib.Path(model_dir))
  model = stored_infogan.StoredInfoGAN(stage.saved_model)
  config = run_config.of_record(results.read_record(model_dir, "train"))
  prior = run_config.setting(config, f"{run_config.method(config)}.continuous_prior")
  random_state = np.random.RandomState(_SEED)
  noises = random_state.normal(size=(num_images, model.num_noise))
  network = model.generator_layers()
  codes = decoders.codes_to_try([], sum(size for _, (size,) in network.inputs))
  _choose_categories(network, codes)
  name = f"The generator at {model_dir}"
  decode = _decode_fn(model, network)
  return {
    "kind": "infogan",
    "size": model.num_continuous,
    "limit": 1.0 if prior == "uniform" else _LIMIT,
    "range": priors.traversal_limit(prior),
    "num_categories": model.num_categories,
    "noises": axes.rounded(noises, digits=4),
    "axes": _axes(model, prior, random_state, _recorded(stage, model.num_continuous)),
    "images": None,
    "starts": [],
    "decoder": decoders.pack(network, decode, codes, name, max_megabytes),
  }


def _choose_categories(network: network_layers.Network, codes: np.ndarray) -> None:
  """Replaces what codes have as categories by one category each, in turn."""
  start = 0
  for name, (size,) in network.inputs:
    if name == "categorical":
      codes[:, start : start + size] = np.eye(size)[np.arange(len(codes)) % size]
    start += size


def _decode_fn(model: stored_infogan.StoredInfoGAN, network: network_layers.Network):
  """Returns the model's own generator as a function of all parts of the code side by side."""
  names = [name for name, _ in network.inputs]
  splits = np.cumsum([size for _, (size,) in network.inputs])[:-1]

  def decode(codes: np.ndarray) -> np.ndarray:
    parts = dict(zip(names, np.split(codes, splits, axis=1), strict=True))
    categories = np.argmax(parts["categorical"], axis=1) if "categorical" in parts else None
    return model.generate(parts["continuous"], parts["noise"], categories)

  return decode


def _axes(
  model: stored_infogan.StoredInfoGAN,
  prior: str,
  random_state: np.random.RandomState,
  tells: axes.Tells | None,
) -> list[dict[str, Any]]:
  """Returns the codes and, if there are several, the axes of the noise of their posterior."""
  latents = axes.along_latents(model.num_continuous, tells, "code")
  if model.num_continuous == 1:
    return [latents]
  shape = (_NUM_POINTS, model.num_continuous)
  draws = {"uniform": lambda: random_state.uniform(-1, 1, shape)}
  continuous = draws.get(prior, lambda: random_state.normal(size=shape))()
  noise = random_state.normal(size=(_NUM_POINTS, model.num_noise))
  categories = None
  if model.num_categories:
    categories = random_state.randint(model.num_categories, size=_NUM_POINTS)
  recognized = model.recognize(model.generate(continuous, noise, categories))
  posteriors = axes.Posteriors(
    recognized["mean"], recognized["scale_tril"], np.zeros((_NUM_POINTS, 0))
  )
  of_noise = axes.of_posteriors(posteriors, [])[1]
  return [latents, of_noise | {"kl": None}]


def _recorded(stage: run_folder.StageFolder, num_continuous: int) -> axes.Tells | None:
  """Returns what the record of `infogan_disentanglement` says, None without one."""
  folder = run_folder.RunFolder(stage.path.parent)
  metric = folder.metric(run_folder.MODEL, "infogan_disentanglement")
  if not results.is_complete(metric.path, "evaluation"):
    return None
  found = results.read_results(metric.path, "evaluation")
  shares = [
    [found.get(f"conditional_r2.{name}.code_{code}") or 0.0 for name in digit_attributes.NAMES]
    for code in range(num_continuous)
  ]
  measure = "share of the attribute's variance within a category (R\u00b2)"
  return axes.Tells(measure, digit_attributes.NAMES, np.array(shares), "")
