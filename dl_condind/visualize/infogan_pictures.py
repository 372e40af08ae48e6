"""Pictures of what an InfoGAN's codes do: codes in, images out, in grids."""

from collections.abc import Mapping
from collections.abc import Sequence

import numpy as np
from PIL import Image

from dl_condind.methods import stored_infogan
from dl_condind.visualize import image_grids
from dl_condind.visualize import traversals

_ENLARGED = 2  # pixels along a pixel, for images are small
_GAP = 12  # pixels between models

Models = Mapping[str, stored_infogan.StoredInfoGAN]  # by title


def two_codes(
  models: Models, values: np.ndarray, noise: np.ndarray, category: int | None
) -> Image.Image:
  """Returns a grid for each model: the first code varies along x, the second along y, upwards.

  Figure 3 of Yang et al. (2020). All other codes are 0, noise and category the same everywhere.

  Args:
    models: Title -> model with at least two continuous codes.
    values: Values of both codes, in ascending order.
    noise: `[num_noise]`.
    category: Value of the categorical code, or None if there is none.
  """
  second, first = (part.ravel() for part in np.meshgrid(values[::-1], values, indexing="ij"))
  grids = []
  for title, model in models.items():
    continuous = np.zeros((len(first), model.num_continuous))
    continuous[:, :2] = np.stack([first, second], axis=1)
    of_category = "" if category is None else f", category {category}"
    grids.append(
      image_grids.image_grid(
        _images(model, continuous, noise, category),
        len(values),
        f"{title}{of_category}: x is code 0, y is code 1",
        row_labels=[f"{value:.1f}" for value in values[::-1]],
        column_labels=[f"{value:.1f}" for value in values],
      )
    )
  return beside(grids)


def one_code(
  models: Models, code: int, values: np.ndarray, rows: Mapping[str, tuple[np.ndarray, int | None]]
) -> Image.Image:
  """Returns a grid for each model: one code varies along x, noise or category from row to row.

  Args:
    models: Title -> model.
    code: Index of the continuous code that varies; the others are 0.
    values: Its values.
    rows: Label -> noise, `[num_noise]`, and category of the row.
  """
  grids = []
  for title, model in models.items():
    continuous = np.zeros((len(values), model.num_continuous))
    continuous[:, code] = values
    images = [_images(model, continuous, noise, category) for noise, category in rows.values()]
    grids.append(
      image_grids.image_grid(
        np.concatenate(images),
        len(values),
        f"{title}: x is code {code}",
        row_labels=list(rows),
        column_labels=[f"{value:.1f}" for value in values],
      )
    )
  return beside(grids)


def animation(
  models: Models,
  code: int,
  limit: float,
  num_frames: int,
  starts: Sequence[tuple[np.ndarray, int | None]],
  num_columns: int,
) -> list[Image.Image]:
  """Returns frames in which one code moves from 0 through [-limit, limit] and back.

  Args:
    models: Title -> model.
    code: Index of the continuous code that moves; the others are 0.
    limit: End of the interval.
    num_frames: Number of frames.
    starts: Noise, `[num_noise]`, and category of each image of a frame.
    num_columns: Images in a row.
  """
  values = traversals.cycle_interval(0.0, num_frames, -limit, limit)
  images = {}
  for title, model in models.items():
    continuous = np.zeros((num_frames, model.num_continuous))
    continuous[:, code] = values
    images[title] = [_images(model, continuous, noise, category) for noise, category in starts]
  return [
    beside(
      [
        image_grids.image_grid(
          np.stack([series[frame] for series in of_model]), num_columns, f"{title}: code {code}"
        )
        for title, of_model in images.items()
      ]
    )
    for frame in range(num_frames)
  ]


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


def _images(
  model: stored_infogan.StoredInfoGAN,
  continuous: np.ndarray,
  noise: np.ndarray,
  category: int | None,
) -> np.ndarray:
  """Returns the enlarged images of continuous codes that share noise and category."""
  num = len(continuous)
  categories = None if category is None else np.full(num, category)
  images = model.generate(continuous, np.tile(noise, (num, 1)), categories)
  return images.repeat(_ENLARGED, axis=1).repeat(_ENLARGED, axis=2)
