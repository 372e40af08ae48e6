"""Figures of images: arrays in, matplotlib figures out. Nothing here reads or writes a file."""

from collections.abc import Mapping
from collections.abc import Sequence

import numpy as np

from dl_condind.visualize import figures

_GAP = 3  # pixels between images


def traversals(panels: Mapping[str, np.ndarray], values: np.ndarray) -> figures.Figure:
  """Draws latent traversals side by side.

  Args:
    panels: Title -> images in [0, 1], [num_latent, num_values, height, width, channels].
    values: Values of the latent that changes, [num_values].
  """
  num_latent = len(next(iter(panels.values())))
  rows = [f"$z_{{{latent}}}$" for latent in range(num_latent)]
  columns = [f"{value:.1f}" for value in values]
  return image_grids(panels, rows, columns, "value of the latent that changes")


def image_grids(
  panels: Mapping[str, np.ndarray],
  row_labels: Sequence[str],
  column_labels: Sequence[str],
  x_label: str,
  y_label: str = "",
) -> figures.Figure:
  """Draws grids of images side by side.

  Args:
    panels: Title -> images in [0, 1], [num_rows, num_columns, height, width, channels].
    row_labels: Of the rows, from the top.
    column_labels: Of the columns.
    x_label: What differs from column to column.
    y_label: What differs from row to row.
  """
  mosaics = {title: mosaic(images) for title, images in panels.items()}
  height, width = next(iter(mosaics.values())).shape[:2]
  panel_width = 5.0
  figure = figures.Figure(
    (panel_width * len(panels), panel_width * height / width + 0.9),
    dpi=figures.DOTS_PER_INCH,
    layout="constrained",
  )
  for axes, (title, images) in zip(
    figure.subplots(1, len(panels), squeeze=False).flat, panels.items(), strict=True
  ):
    _show(axes, mosaics[title])
    axes.set_title(title, fontsize=11)
    rows, columns = (
      (np.arange(num) + 0.5) * size / num
      for num, size in zip(images.shape[:2], mosaics[title].shape[:2], strict=True)
    )
    axes.set_yticks(rows, row_labels)
    axes.set_xticks(columns, column_labels, fontsize=8)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
  return figure


def image_rows(rows: Mapping[str, np.ndarray]) -> figures.Figure:
  """Draws rows of images, such as observations above their reconstructions.

  Args:
    rows: Label -> images in [0, 1], [num_images, height, width, channels].
  """
  image = mosaic(np.stack(list(rows.values())))
  width = 9.0
  figure = figures.Figure(
    (width, (width - 1.5) * image.shape[0] / image.shape[1] + 0.1),
    dpi=figures.DOTS_PER_INCH,
    layout="constrained",
  )
  axes = figure.subplots()
  _show(axes, image)
  axes.set_yticks((np.arange(len(rows)) + 0.5) * image.shape[0] / len(rows), list(rows))
  axes.set_xticks([])
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
