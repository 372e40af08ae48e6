"""Pictures of trained InfoGANs, side by side: what each code does, and the losses in training."""

from collections.abc import Sequence
import os
import pathlib

from absl import logging

from dl_condind.saved_models import saved_model
from dl_condind.saved_models import stored_infogan
from dl_condind.utils import errors
from dl_condind.utils import files
from dl_condind.utils import priors
from dl_condind.utils import results
from dl_condind.utils import run_config
from dl_condind.utils import run_folder
from dl_condind.utils import training_logs
from dl_condind.visualize import figures
from dl_condind.visualize import image_grids
from dl_condind.visualize import infogan_pictures
from dl_condind.visualize import picture_folders

_PER_ROW = 5  # images of an animation


def visualize_infogan(
  model_dirs: Sequence[str | os.PathLike],
  output_dir: str | os.PathLike,
  overwrite: bool = False,
  num_frames: int = 20,
  fps: int = 10,
  trust_model: bool = False,
) -> None:
  """Writes pictures of InfoGANs into output_dir, unless they are there already.

  `losses.png` has the losses in the course of training (Figure 4 of Yang et al., 2020), unless the
  logs have one line only.
  `two_codes/category{k}.png`, or `two_codes/noise0.png` of a model without a categorical code,
  varies the first two continuous codes on [-2, 2]^2 with all else fixed (their Figure 3), or on
  [-1, 1]^2 if a model has a uniform prior.
  `one_code/code{j}.png` has a row for each category (or draw of the noise) and varies code j along
  it, `animated_codes/code{j}.gif` in time. Models get the same codes, noise and categories, and the
  same models always give the same pictures.

  Args:
    model_dirs: Folders of the trained models, such as one of correlation 0 and one of 0.9.
    output_dir: Folder of the pictures; replaced as a whole.
    overwrite: Whether to replace pictures of other models or made with other settings.
    num_frames: Frames of an animation.
    fps: Frames per second.
    trust_model: Whether models may have operations that no model of this package has.

  Raises:
    DatasetError: If a model, its record or its log is missing or damaged.
    ConfigError: If one is no InfoGAN, two have codes of different sizes, a setting is out of range,
      or output_dir holds something else.
  """
  picture_folders.check_in(2, 1000, num_frames=num_frames)
  picture_folders.check_in(1, 50, fps=fps)
  folders, output_dir = [pathlib.Path(folder) for folder in model_dirs], pathlib.Path(output_dir)
  with saved_model.trusting(trust_model):
    models = _load(folders)
  limit = min(priors.traversal_limit(_prior(folder)) for folder in folders)
  logs = [training_logs.read(folder) for folder in folders]
  settings = {
    "input_sha256": [
      files.manifest_digest(run_folder.StageFolder(folder).saved_model) for folder in folders
    ],
    "num_frames": num_frames,
    "fps": fps,
    "random_seed": infogan_pictures.SEED,
    "interval": [-limit, limit],
  }
  if picture_folders.is_complete(output_dir, settings, overwrite):
    logging.info("%s is complete.", output_dir)
    return
  caption = _caption(folders[0])
  with picture_folders.written(output_dir, settings) as folder:
    figure = infogan_pictures.losses(dict(zip(models, logs, strict=True)))
    if figure:
      (folder / "losses.png").write_bytes(figures.to_png(figure))
    else:
      logging.info("No losses.png: the logs have one line only (model.log_steps).")
    _save_pictures(models, limit, num_frames, fps, caption, folder)
  logging.info("Wrote pictures of %d InfoGANs to %s.", len(models), output_dir)


def _load(folders: Sequence[pathlib.Path]) -> infogan_pictures.Models:
  """Returns models with codes of the same sizes, each under a title of its own."""
  models, sizes = {}, set()
  for folder in folders:
    model = stored_infogan.StoredInfoGAN(run_folder.StageFolder(folder).saved_model)
    sizes.add((model.num_continuous, model.num_categories, model.num_noise))
    title = _title(folder)
    models[title if title not in models else f"{title} ({folder})"] = model
  if len(sizes) > 1:
    raise errors.ConfigError(
      "InfoGANs side by side need codes of the same sizes, got (continuous, categories, noise) "
      f"{' and '.join(map(str, sorted(sizes)))}: make pictures of each alone."
    )
  return models


def _config(folder: pathlib.Path) -> dict[str, str]:
  return run_config.of_record(results.read_record(folder, "train"))


def _prior(folder: pathlib.Path) -> str:
  config = _config(folder)
  return run_config.setting(config, f"{run_config.method(config)}.continuous_prior")


def _title(folder: pathlib.Path) -> str:
  config = _config(folder)
  correlation = run_config.name_correlation(run_config.correlation_label(config))
  seed = run_config.setting(config, "model.random_seed")
  return f"{correlation}, seed {seed}".replace("\u00a0", " ")  # Pillow's font lacks it.


def _caption(folder: pathlib.Path) -> str:
  provenance = results.read_provenance(folder, "train")
  return f"Trained on {provenance.get('dataset')} ({provenance.get('dataset_source')})"


def _save_pictures(
  models: infogan_pictures.Models,
  limit: float,
  num_frames: int,
  fps: int,
  caption: str,
  folder: pathlib.Path,
) -> None:
  """Writes all pictures of images."""
  model = next(iter(models.values()))
  starts, values = infogan_pictures.starts_of(model), infogan_pictures.values_between(limit)
  for name in ("two_codes", "one_code", "animated_codes"):
    (folder / name).mkdir()
  if model.num_continuous > 1:
    for label, start in list(starts.items())[: model.num_categories or 1]:
      picture = infogan_pictures.two_codes(models, values, start)
      path = folder / "two_codes" / f"{label.replace(' ', '')}.png"
      image_grids.with_caption([picture], caption)[0].save(path)
  for code in range(model.num_continuous):
    picture = infogan_pictures.one_code(models, code, values, starts)
    path = folder / "one_code" / f"code{code}.png"
    image_grids.with_caption([picture], caption)[0].save(path)
    frames = infogan_pictures.animation(
      models, code, limit, num_frames, list(starts.values()), _PER_ROW
    )
    path = folder / "animated_codes" / f"code{code}.gif"
    image_grids.save_animation(image_grids.with_caption(frames, caption), path, fps)
