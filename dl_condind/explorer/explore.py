"""Writes one static page in which a reader moves the latents of one or two trained models."""

from collections.abc import Sequence
import os
import pathlib
from typing import Any

from absl import logging

from dl_condind.explorer import infogan_facts
from dl_condind.explorer import page
from dl_condind.explorer import vae_facts
from dl_condind.saved_models import saved_model
from dl_condind.utils import errors
from dl_condind.utils import files
from dl_condind.utils import results
from dl_condind.utils import run_config

MAX_MEGABYTES = 2.5
_MAX_MODELS, _MAX_IMAGES = 2, 64


def write_explorer(
  model_dirs: Sequence[str | os.PathLike],
  output_path: str | os.PathLike,
  num_images: int = 8,
  max_megabytes: float = MAX_MEGABYTES,
  show_data: bool = True,
  trust_gin_imports: bool = False,
  trust_model: bool = False,
) -> pathlib.Path:
  """Writes the page, one HTML file that needs nothing else and no network.

  Of a VAE it has a slider for each latent, or for each axis of the posterior's noise, what each
  tells of the factors, and some images of the data set with their reconstructions and posterior
  stddevs. Of an InfoGAN it has the continuous codes, the category and draws of the noise. The
  decoder runs in the page; its images equal TensorFlow's within 1e-3.

  Args:
    model_dirs: Folders of one or two trained models.
    output_path: Name of the page.
    num_images: Number of images, or draws of an InfoGAN's noise, to start from.
    max_megabytes: How much room each decoder may take in the page.
    show_data: Whether to read the data sets of VAEs. Without them sliders start at 0, and there are
      no images and no axes of the noise.
    trust_gin_imports: Whether to run the modules that the trainings imported.
    trust_model: Whether models may have operations that no model of this package has.

  Returns:
    The name of the page.

  Raises:
    DatasetError: If a model is missing or damaged, or its data set cannot be read.
    ConfigError: If there are not one or two models, a setting is out of range, a page cannot show a
      model, or it cannot be written.
    TryAgainError: If the disk is full.
  """
  _check(len(model_dirs), num_images, max_megabytes)
  models = []
  for model_dir in model_dirs:
    record = results.read_record(model_dir, "train")
    with saved_model.trusting(trust_model):
      if run_config.kind(record) == run_config.INFOGAN:
        facts = infogan_facts.describe(model_dir, num_images, max_megabytes)
      else:
        facts = _vae(model_dir, num_images, max_megabytes, show_data, trust_gin_imports)
    models.append(facts | _names(record))
  output_path = pathlib.Path(output_path)
  files.write_text(output_path, page.render(models))
  megabytes = output_path.stat().st_size / 1e6
  logging.info("Wrote %s, an explorer of %d models, %.1f MB.", output_path, len(models), megabytes)
  return output_path


def _check(num_models: int, num_images: int, max_megabytes: float) -> None:
  if not 1 <= num_models <= _MAX_MODELS:
    raise errors.ConfigError(f"model_dir must be given once or twice, got {num_models} folders.")
  if not 1 <= num_images <= _MAX_IMAGES:
    raise errors.ConfigError(f"num_images must be in [1, {_MAX_IMAGES}], got {num_images}.")
  if not max_megabytes > 0:
    raise errors.ConfigError(f"max_megabytes must be positive, got {max_megabytes}.")


def _vae(model_dir, num_images, max_megabytes, show_data, trust_gin_imports) -> dict[str, Any]:
  try:
    return vae_facts.describe(model_dir, num_images, max_megabytes, show_data, trust_gin_imports)
  except errors.DatasetError as error:
    if not show_data:
      raise
    message = f"{error} With show_data=False the explorer does without the data set."
    raise errors.DatasetError(message) from error


def _names(record: dict[str, object]) -> dict[str, str]:
  """Returns a short name of a run and a sentence about its training."""
  config = run_config.of_record(record)
  noise = run_config.name_correlation(run_config.correlation_label(config))
  seed = run_config.setting(config, "model.random_seed")
  source = str(record.get("train_provenance.dataset_source", "unknown"))
  return {
    "title": f"{run_config.method_name(config)}, {noise}, seed {seed}",
    "description": run_config.describe_training(config, source),
  }
