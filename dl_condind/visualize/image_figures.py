"""Figures of images: arrays in, matplotlib figures out. Nothing here reads or writes a file."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dl_condind.visualize import figures

_GAP = 3  # pixels between images


class Grid(NamedTuple):
  """A grid of images.

  Attributes:
    title: Above it.
    images: In [0, 1], [num_rows, num_columns, height, width, channels].
    row_labels: Of its rows, from the top.
  """

  title: str
  images: np.ndarray
  row_labels: Sequence[str]


def image_grids(
  grids: Sequence[Grid], column_labels: Sequence[str], x_label: str, title: str = ""
) -> figures.Figure:
  """Draws grids of images side by side.

  Args:
    grids: The grids, which have images of one size, and as many rows and columns each.
    column_labels: Of the columns; none if they have no labels.
    x_label: What differs from column to column.
    title: Above all grids.
  """
  mosaics = [mosaic(grid.images) for grid in grids]
  height, width = mosaics[0].shape[:2]
  panel_width = 5.6 if len(grids) > 1 else 9.0
  figure = figures.Figure(
    (panel_width * len(grids), panel_width * height / width + 1.2),
    dpi=figures.DOTS_PER_INCH,
    layout="constrained",
  )
  if title:
    figure.suptitle(title, fontsize=12)
  all_axes = figure.subplots(1, len(grids), squeeze=False).flat
  for axes, grid, image in zip(all_axes, grids, mosaics, strict=True):
    _show(axes, image)
    axes.set_title(grid.title, fontsize=11)
    rows, columns = (
      (np.arange(num) + 0.5) * size / num
      for num, size in zip(grid.images.shape[:2], image.shape[:2], strict=True)
    )
    axes.set_yticks(rows, grid.row_labels, fontsize=8)
    axes.set_xticks(columns[: len(column_labels)], column_labels, fontsize=8)
    axes.set_xlabel(x_label)
  return figure


def mosaic(images: np.ndarray) -> np.ndarray:
  """Joins images [rows, columns, height, width, channels] with white gaps, as [..., channels]."""
  padding = ((0, 0), (0, 0), (0, _GAP), (0, _GAP), (0, 0))
  padded = np.pad(images, padding, constant_values=1)
  rows, columns, height, width, channels = padded.shape
  joined = padded.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, channels)
  return joined[:-_GAP, :-_GAP]


def _show(axes: figures.Axes, image: np.ndarray) -> None:
  """Shows a mosaic, each pixel in coordinates [0, width] x [0, height]."""
  height, width, num_channels = image.shape
  axes.imshow(
    image[:, :, 0] if num_channels == 1 else image,
    cmap="gray",
    vmin=0,
    vmax=1,
    extent=(0, width, height, 0),
  )
  axes.tick_params(length=0)
  axes.spines[:].set_visible(False)
