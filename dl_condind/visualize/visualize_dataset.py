"""Pictures of a data set: samples, and traversals of each of its factors."""

from collections.abc import Sequence
import os
import pathlib
import re

from absl import logging
import gin
import numpy as np
from PIL import Image

from dl_condind.data import batches
from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.data.ground_truth import named_data
from dl_condind.utils import configs
from dl_condind.utils import errors
from dl_condind.utils import observations
from dl_condind.visualize import image_grids
from dl_condind.visualize import pair_pictures
from dl_condind.visualize import picture_folders

NUM_SAMPLES = 64
NUM_ROWS = 8
MAX_COLUMNS = 16

_SEED = 0
_PICTURES_PER_ROW = 8
_ANIMATIONS_PER_ROW = 5
_MIN_DURATION = 2.0  # seconds of an animation


def visualize_dataset_with_gin(
  output_dir: str | os.PathLike,
  overwrite: bool = False,
  num_animations: int = 5,
  gin_config_files: Sequence[str] = (),
  gin_bindings: Sequence[str] = (),
  trust_gin_imports: bool = False,
  pairs_k: int | None = None,
) -> None:
  """Writes pictures of the data set that a gin configuration describes; see `visualize_dataset`."""
  configs.parse(gin_config_files, gin_bindings, trust_gin_imports)
  try:
    visualize_dataset(output_dir, overwrite, num_animations, pairs_k=pairs_k)
  finally:
    gin.clear_config()


def visualize_dataset(
  output_dir: str | os.PathLike,
  overwrite: bool = False,
  num_animations: int = 5,
  num_frames: int = 64,
  fps: int = 10,
  pairs_k: int | None = None,
) -> None:
  """Writes pictures of the data set `dataset.name` into output_dir, unless they are there already.

  `samples.png` has random observations. The traversals start from the factors of the first of them:
  `traversals/factor_{i}_{name}.png` moves factor i over its values, one start in a row, and
  `animated_traversals/factor_{i}_{name}.gif` does so in time. All other factors stay, and so does
  what is drawn anew for every observation. With pairs_k, `pairs/pairs.png` and `pairs/pairs.gif`
  show pairs as weakly supervised methods see them. The same data set always gives the same
  pictures.

  A data set that lacks combinations of factors says so by an attribute `has_complete_grid` that is
  False; it has no traversals. Neither have vectors, whose samples are lines over the features.

  Args:
    output_dir: Folder of the pictures; replaced as a whole.
    overwrite: Whether to replace pictures of another data set or made with other settings.
    num_animations: Number of observations that each animation starts from; 0 for no animations.
    num_frames: Largest number of frames of an animation.
    fps: Frames per second; fewer for a factor of few values, so that no animation flashes.
    pairs_k: As `dl.Pairs`, the number of factors in which a pair may differ, or -1 for any number;
      None for no pairs.

  Raises:
    DatasetError: If the data set cannot be read.
    ConfigError: If a setting is out of range, output_dir holds something else, or the observations
      are neither images nor vectors.
  """
  picture_folders.check_in(0, NUM_SAMPLES, num_animations=num_animations)
  picture_folders.check_in(2, 1000, num_frames=num_frames)
  picture_folders.check_in(1, 50, fps=fps)
  output_dir = pathlib.Path(output_dir)
  dataset = named_data.get_named_ground_truth_data()
  _check_images(dataset)
  if pairs_k is not None and observations.is_vector(dataset.observation_shape):
    raise errors.ConfigError(
      f"pairs_k is {pairs_k}, but {dataset.name} has vectors, of which no pairs are drawn: leave "
      "pairs_k out."
    )
  pairs = None if pairs_k is None else batches.Pairs(dataset, pairs_k)
  settings = {
    **dataset.provenance(),
    "bindings": gin.config_str(),  # Parameters of the data set too.
    "num_animations": num_animations,
    "num_frames": num_frames,
    "fps": fps,
    "pairs_k": pairs_k,
    "random_seed": _SEED,
  }
  if picture_folders.is_complete(output_dir, settings, overwrite):
    logging.info("%s is complete.", output_dir)
    return
  factors, samples = dataset.sample(NUM_SAMPLES, np.random.RandomState(_SEED))
  with picture_folders.written(output_dir, settings) as folder:
    if observations.is_vector(dataset.observation_shape):
      from dl_condind.visualize import vector_pictures  # It needs matplotlib.

      vector_pictures.save_samples(dataset, samples, folder / "samples.png")
      logging.info("%s has vectors: samples only, no traversals.", dataset.name)
    else:
      _save_samples(dataset, samples, folder / "samples.png")
      _save_all_traversals(dataset, factors, num_animations, num_frames, fps, folder)
      if pairs:
        pair_pictures.save_pairs(pairs, np.random.RandomState(_SEED), folder / "pairs")
  logging.info("Wrote pictures of the data set %s to %s.", dataset.name, output_dir)


def _save_all_traversals(
  dataset: ground_truth_data.GroundTruthData,
  factors: np.ndarray,
  num_animations: int,
  num_frames: int,
  fps: int,
  folder: pathlib.Path,
) -> None:
  """Writes traversals, as pictures and as animations, from the first of factors."""
  if dataset.has_complete_grid:
    _save_traversals(dataset, factors[:NUM_ROWS], folder / "traversals")
    if num_animations:
      starts = factors[:num_animations]
      _save_animations(dataset, starts, num_frames, fps, folder / "animated_traversals")
  else:
    logging.info(
      "Single factors of %s cannot be set, for combinations of factors are missing or there are "
      "no factors: samples only, no traversals.",
      dataset.name,
    )


def _check_images(dataset: ground_truth_data.GroundTruthData) -> None:
  shape = dataset.observation_shape
  is_image = len(shape) == 3 and shape[2] in (1, 3)
  if not is_image and not observations.is_vector(shape):
    raise errors.ConfigError(
      f"Observations of {dataset.name} must be images [height, width, 1 or 3] or vectors "
      f"[features] to be shown, got shape {list(shape)}."
    )


def spread_values(num_values: int, max_values: int) -> np.ndarray:
  """Returns at most max_values of 0 ... num_values - 1, evenly spread, both ends included."""
  count = min(num_values, max_values)
  return np.round(np.linspace(0, num_values - 1, count)).astype(np.int64)


def traverse_factor(
  dataset: ground_truth_data.GroundTruthData, starts: np.ndarray, factor: int, values: np.ndarray
) -> np.ndarray:
  """Returns observations in which one factor changes and the others stay.

  Args:
    dataset: The data set.
    starts: Factors to start from, [num_starts, num_factors].
    factor: Index of the factor that changes.
    values: Values it takes, [num_values].

  Returns:
    [num_starts, num_values, height, width, channels].
  """
  rows = []
  for seed, start in enumerate(starts):
    factors = np.tile(start, (len(values), 1))
    factors[:, factor] = values
    # One by one and from the same seed, so that the factors not exposed stay along the row.
    row = [
      dataset.sample_observations_from_factors(one[np.newaxis], np.random.RandomState(seed))[0]
      for one in factors
    ]
    rows.append(np.stack(row))
  return np.stack(rows)


def _save_samples(
  dataset: ground_truth_data.GroundTruthData, samples: np.ndarray, path: pathlib.Path
) -> None:
  title = f"{NUM_SAMPLES} random observations"
  grid = image_grids.image_grid(image_grids.enlarged(samples), _PICTURES_PER_ROW, title)
  _captioned([grid], dataset)[0].save(path)


def _save_traversals(
  dataset: ground_truth_data.GroundTruthData, starts: np.ndarray, folder: pathlib.Path
) -> None:
  folder.mkdir()
  for factor, num_values in enumerate(dataset.factors_num_values):
    values = spread_values(num_values, MAX_COLUMNS)
    images = traverse_factor(dataset, starts, factor, values)
    shown = "" if len(values) == num_values else f", {len(values)} of them shown"
    grid = image_grids.image_grid(
      image_grids.enlarged(np.concatenate(images)),
      len(values),
      f"{_name(dataset, factor)}: {num_values} value{'s' * (num_values != 1)}{shown}",
      column_labels=[str(value) for value in values],
    )
    _captioned([grid], dataset)[0].save(folder / f"{_file_name(dataset, factor)}.png")


def _save_animations(
  dataset: ground_truth_data.GroundTruthData,
  starts: np.ndarray,
  num_frames: int,
  fps: int,
  folder: pathlib.Path,
) -> None:
  folder.mkdir()
  for factor, num_values in enumerate(dataset.factors_num_values):
    values = spread_values(num_values, num_frames)
    images = traverse_factor(dataset, starts, factor, values)
    # The title also makes every frame another one: Pillow joins frames that are equal.
    frames = [
      image_grids.image_grid(
        image_grids.enlarged(images[:, index]),
        _ANIMATIONS_PER_ROW,
        f"{_name(dataset, factor)}: value {value} of 0 to {num_values - 1}",
      )
      for index, value in enumerate(values)
    ]
    path = folder / f"{_file_name(dataset, factor)}.gif"
    image_grids.save_animation(
      _captioned(frames, dataset), path, min(fps, len(frames) / _MIN_DURATION)
    )


def _captioned(
  pictures: Sequence[Image.Image], dataset: ground_truth_data.GroundTruthData
) -> list[Image.Image]:
  return image_grids.with_caption(pictures, picture_folders.data_caption(dataset))


def _name(dataset: ground_truth_data.GroundTruthData, factor: int) -> str:
  return " ".join(dataset.factor_names[factor].split())  # A title is one line.


def _file_name(dataset: ground_truth_data.GroundTruthData, factor: int) -> str:
  """Returns `factor_{i}_{name}` without what a file name may not hold."""
  name = re.sub(r"[^\w-]+", "_", _name(dataset, factor)).strip("_")
  return f"factor_{factor}_{name[:50]}".rstrip("_")  # A name has at most 255 bytes.
