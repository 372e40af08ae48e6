"""What a page shows of a trained VAE: its decoder, some images with their posteriors, axes."""

import os
import pathlib
from typing import Any

import numpy as np

from dl_condind.explorer import axes
from dl_condind.explorer import decoders
from dl_condind.utils import errors
from dl_condind.utils import results
from dl_condind.utils import run_folder
from dl_condind.visualize import trained_vae

_SEED = 0
_NUM_POINTS, _BATCH_SIZE = 10_000, 16  # Those of gin_configs/metrics/mig.gin: the same points.
_LIMIT = 3.0  # stddevs of the prior: where a slider ends
_CHUNK = 1000  # images encoded at a time


def describe(
  model_dir: str | os.PathLike,
  num_images: int,
  max_megabytes: float,
  show_data: bool = True,
  trust_gin_imports: bool = False,
) -> dict[str, Any]:
  """Returns the facts of a model as JSON can hold them.

  Args:
    model_dir: Folder of the trained model.
    num_images: Number of images of its data set to show.
    max_megabytes: How much room the decoder may take in the page.
    show_data: Whether to read its data set, for the images and the axes of the noise. Otherwise
      what the latents tell is read from the record of `mig`, if there is one.
    trust_gin_imports: Whether to run the modules that the training imported.

  Raises:
    DatasetError: If the model is missing or damaged, or its data set cannot be read.
    ConfigError: If a page cannot show the model, or its data set needs an import that is not
      trusted.
  """
  model = trained_vae.TrainedVAE(model_dir, trust_gin_imports)
  name = f"The decoder at {model_dir}"
  if len(model.image_shape) != 3 or model.image_shape[2] not in (1, 3):
    raise errors.ConfigError(
      f"{name} makes arrays of shape {list(model.image_shape)}: a page shows images, [height, "
      "width, 1 or 3]."
    )
  facts: dict[str, Any] = {"kind": "vae", "size": model.num_latent, "limit": _LIMIT, "range": 2.0}
  starts = []
  if show_data:
    of_data, means = _of_data(model, num_images)
    facts |= of_data
    starts.append(means)
  else:
    tells = _recorded(pathlib.Path(model_dir), model.dataset.factor_names)
    facts |= {"axes": [axes.along_latents(model.num_latent, tells)], "images": None, "starts": []}
  codes = decoders.codes_to_try(starts, model.num_latent)
  facts["decoder"] = decoders.pack(model.decoder_layers(), model.decode, codes, name, max_megabytes)
  return facts


def _of_data(model: trained_vae.TrainedVAE, num_images: int) -> tuple[dict[str, Any], np.ndarray]:
  """Returns what needs the data set, and the means of the images that are shown."""
  posteriors = _sample(model)
  observations = model.dataset.sample_observations(num_images, np.random.RandomState(_SEED))
  shown = model.posterior(observations)
  code_covariance = np.atleast_2d(np.cov(posteriors.mean, rowvar=False, ddof=0))
  starts = [
    {
      "mean": axes.rounded(mean),
      "scale_tril": axes.rounded(scale_tril),
      "axes": axes.of_image(mean, scale_tril, code_covariance),
    }
    for mean, scale_tril in zip(shown.mean, shown.scale_tril, strict=True)
  ]
  pixels = np.round(255 * np.clip(observations, 0, 1)).astype(np.uint8)
  images = [decoders.to_base64(image) for image in pixels]
  described = axes.of_posteriors(posteriors, model.dataset.factor_names)
  return {"axes": described, "images": images, "starts": starts}, shown.mean


def _sample(model: trained_vae.TrainedVAE) -> axes.Posteriors:
  """Returns the posteriors of the images that `mig` draws, and their factors."""
  random_state = np.random.RandomState(_SEED)
  means, scales, factors, waiting = [], [], [], []
  for start in range(0, _NUM_POINTS, _BATCH_SIZE):
    size = min(_BATCH_SIZE, _NUM_POINTS - start)
    drawn, observations = model.dataset.sample(size, random_state)
    factors.append(drawn)
    waiting.append(observations)
    if len(waiting) * _BATCH_SIZE >= _CHUNK or start + size == _NUM_POINTS:
      encoded = model.posterior(np.concatenate(waiting))
      means.append(encoded.mean)
      scales.append(encoded.scale_tril)
      waiting = []
  parts = [np.concatenate(part) for part in (means, scales, factors)]
  if not all(np.isfinite(part).all() for part in parts[:2]):
    raise errors.DatasetError("The model's posteriors are not finite: it has diverged.")
  return axes.Posteriors(*parts)


def _recorded(model_dir: pathlib.Path, factor_names: list[str]) -> axes.Tells | None:
  """Returns what the record of `mig` of the mean representation says, None without one."""
  stage = run_folder.RunFolder(model_dir.parent).metric("mean", "mig")
  if not results.is_complete(stage.path, "evaluation"):
    return None
  found = results.read_results(stage.path, "evaluation")
  information = np.array(found["mutual_information_matrix"])
  return axes.information_shares(information, np.array(found["factor_entropy"]), factor_names)
