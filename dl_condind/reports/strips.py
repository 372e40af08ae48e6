"""Rows of images that models make, side by side: what a page and a file of figures show alike."""

from collections.abc import Sequence
import dataclasses

import numpy as np

from dl_condind.visualize import figures
from dl_condind.visualize import image_figures


@dataclasses.dataclass(frozen=True)
class Strip:
  """A row of images.

  Attributes:
    label: What the row is, such as `z3`.
    images: In [0, 1], [num_images, height, width, channels].
    detail: What to know about the row, such as its KL.
    is_faded: Whether nothing happens in it.
  """

  label: str
  images: np.ndarray
  detail: str = ""
  is_faded: bool = False


@dataclasses.dataclass(frozen=True)
class Column:
  """The rows of one model.

  Attributes:
    title: Which model it is.
    strips: Its rows, from the top.
    run: Name of its run; empty if the rows are those of several.
    single_images: Name -> image that stands above the rows, [height, width, channels].
  """

  title: str
  strips: Sequence[Strip]
  run: str = ""
  single_images: Sequence[tuple[str, np.ndarray]] = ()


@dataclasses.dataclass(frozen=True)
class Strips:
  """Columns of rows.

  Attributes:
    columns: The columns.
    values: Label of each image in a row; empty if they have none.
    x_label: What changes along a row.
  """

  columns: Sequence[Column]
  values: Sequence[str] = ()
  x_label: str = ""


def draw(content: Strips, title: str) -> figures.Figure:
  """Draws the rows as grids side by side, faded ones nearly white."""
  grids = []
  for column in content.columns:
    images = [
      0.75 + 0.25 * strip.images if strip.is_faded else strip.images for strip in column.strips
    ]
    labels = [f"{strip.label} {strip.detail}".strip() for strip in column.strips]
    grids.append(image_figures.Grid(column.title, np.stack(images), labels))
  return image_figures.image_grids(grids, content.values, content.x_label, title)
