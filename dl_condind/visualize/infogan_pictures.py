"""Pictures of what an InfoGAN's codes do, in grids, and of its losses in training."""

from collections.abc import Mapping
from collections.abc import Sequence

import numpy as np
from PIL import Image

from dl_condind.saved_models import stored_infogan
from dl_condind.visualize import figures
from dl_condind.visualize import image_grids
from dl_condind.visualize import traversals

LOSSES = ("discriminator_loss", "generator_loss", "mutual_information_penalty")

_NUM_VALUES = 11  # of a code
SEED = 0
_NUM_NOISES = 10  # rows of pictures of a model without categories
_ENLARGED = 2  # pixels along a pixel, for images are small
_GAP = 12  # pixels between models

Start = tuple[np.ndarray, int | None]  # noise, [num_noise], and category
Models = Mapping[str, stored_infogan.StoredInfoGAN]  # by title


def values_between(limit: float) -> np.ndarray:
  """Returns the values that a code takes in a picture, from -limit to limit."""
  return np.linspace(-limit, limit, num=_NUM_VALUES)


def starts_of(model: stored_infogan.StoredInfoGAN) -> dict[str, Start]:
  """Returns one noise with each category or, without a categorical code, ten draws of the noise."""
  noises = np.random.RandomState(SEED).normal(size=(_NUM_NOISES, model.num_noise))
  if model.num_categories:
    return {f"category {k}": (noises[0], k) for k in range(model.num_categories)}
  return {f"noise {k}": (noise, None) for k, noise in enumerate(noises)}


def vary_two_codes(
  model: stored_infogan.StoredInfoGAN, values: np.ndarray, start: Start
) -> np.ndarray:
  """Returns images in which the first code grows to the right and the second upwards.

  Args:
    model: A model with at least two continuous codes; the others are 0.
    values: Values of both codes, in ascending order.
    start: What all images have.

  Returns:
    `[num_values, num_values, height, width, channels]`.
  """
  second, first = (part.ravel() for part in np.meshgrid(values[::-1], values, indexing="ij"))
  continuous = np.zeros((len(first), model.num_continuous))
  continuous[:, :2] = np.stack([first, second], axis=1)
  images = _generate(model, continuous, start)
  return images.reshape(len(values), len(values), *images.shape[1:])


def vary_one_code(
  model: stored_infogan.StoredInfoGAN, code: int, values: np.ndarray, starts: Sequence[Start]
) -> np.ndarray:
  """Returns images in which one code varies to the right, from another start in each row.

  Args:
    model: A model.
    code: Index of the continuous code that varies; the others are 0.
    values: Its values.
    starts: What the images of each row have.

  Returns:
    `[num_starts, num_values, height, width, channels]`.
  """
  continuous = np.zeros((len(values), model.num_continuous))
  continuous[:, code] = values
  return np.stack([_generate(model, continuous, start) for start in starts])


def two_codes(models: Models, values: np.ndarray, start: Start) -> Image.Image:
  """Returns a grid for each model: the first code varies along x, the second along y, upwards.

  Figure 3 of Yang et al. (2020). All other codes are 0, noise and category the same everywhere.

  Args:
    models: Title -> model with at least two continuous codes.
    values: Values of both codes, in ascending order.
    start: Noise and category of all images.
  """
  grids = []
  for title, model in models.items():
    of_category = "" if start[1] is None else f", category {start[1]}"
    grids.append(
      image_grids.image_grid(
        _enlarge(np.concatenate(vary_two_codes(model, values, start))),
        len(values),
        f"{title}{of_category}: x is code 0, y is code 1",
        row_labels=[f"{value:.1f}" for value in values[::-1]],
        column_labels=[f"{value:.1f}" for value in values],
      )
    )
  return beside(grids)


def one_code(
  models: Models, code: int, values: np.ndarray, starts: Mapping[str, Start]
) -> Image.Image:
  """Returns a grid for each model: one code varies along x, noise or category from row to row.

  Args:
    models: Title -> model.
    code: Index of the continuous code that varies; the others are 0.
    values: Its values.
    starts: Label of a row -> its noise and category.
  """
  grids = []
  for title, model in models.items():
    images = vary_one_code(model, code, values, list(starts.values()))
    grids.append(
      image_grids.image_grid(
        _enlarge(np.concatenate(images)),
        len(values),
        f"{title}: x is code {code}",
        row_labels=list(starts),
        column_labels=[f"{value:.1f}" for value in values],
      )
    )
  return beside(grids)


def animation(
  models: Models,
  code: int,
  limit: float,
  num_frames: int,
  starts: Sequence[Start],
  num_columns: int,
) -> list[Image.Image]:
  """Returns frames in which one code moves from 0 through [-limit, limit] and back.

  Args:
    models: Title -> model.
    code: Index of the continuous code that moves; the others are 0.
    limit: End of the interval.
    num_frames: Number of frames.
    starts: Noise and category of each image of a frame.
    num_columns: Images in a row.
  """
  values = traversals.cycle_interval(0.0, num_frames, -limit, limit)
  images = {title: vary_one_code(model, code, values, starts) for title, model in models.items()}
  return [
    beside(
      [
        image_grids.image_grid(_enlarge(of_model[:, frame]), num_columns, f"{title}: code {code}")
        for title, of_model in images.items()
      ]
    )
    for frame in range(num_frames)
  ]


def losses(logs: Mapping[str, Mapping[str, np.ndarray]]) -> figures.Figure | None:
  """Draws the losses of trainings side by side; None if no log has two lines.

  Args:
    logs: Title -> log as of `training_logs.read`.
  """
  if max(len(log["step"]) for log in logs.values()) < 2:
    return None
  panels = {
    title: {
      name.removesuffix("_loss").replace("_", " "): (log["step"], log[name]) for name in LOSSES
    }
    for title, log in logs.items()
  }
  return figures.curves(panels, "training step", "loss [nats]")


def beside(pictures: Sequence[Image.Image]) -> Image.Image:
  """Returns pictures side by side on white."""
  width = sum(picture.width for picture in pictures) + _GAP * (len(pictures) - 1)
  height = max(picture.height for picture in pictures)
  canvas = Image.new(pictures[0].mode, (width, height), "white")
  left = 0
  for picture in pictures:
    canvas.paste(picture, (left, 0))
    left += picture.width + _GAP
  return canvas


def _generate(
  model: stored_infogan.StoredInfoGAN, continuous: np.ndarray, start: Start
) -> np.ndarray:
  """Returns the images of continuous codes that share noise and category."""
  noise, category = start
  num = len(continuous)
  categories = None if category is None else np.full(num, category)
  return model.generate(continuous, np.tile(noise, (num, 1)), categories)


def _enlarge(images: np.ndarray) -> np.ndarray:
  return images.repeat(_ENLARGED, axis=1).repeat(_ENLARGED, axis=2)
