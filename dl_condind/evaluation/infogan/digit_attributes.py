"""Slant, width, height and thickness of handwritten digits, measured from their pixels.

What is darker than `BACKGROUND` counts as paper. An image with less ink than `MIN_INK` is blank and
has no attributes. Attributes describe the shape of the ink alone: no digit is recognised here.
"""

import numpy as np
from scipy import ndimage

NAMES = ("slant", "width", "height", "thickness")
BACKGROUND = 0.1  # intensity; a generator's haze would else dominate the second moments
MIN_INK = 10.0  # sum of intensities; the faintest digit of MNIST has 20
OUTSIDE = 0.02  # share of the ink beyond each end of an extent

_CHUNK = 500  # images; bounds the memory of the finer grids
_FINER = 4  # fine pixels along a pixel, on which stroke edges are located


def is_blank(images: np.ndarray) -> np.ndarray:
  """Returns whether each image has too little ink to be measured, bool `[num_images]`.

  Args:
    images: `[num_images, height, width]` or with one channel, in [0, 1], ink bright.
  """
  return _ink(images).sum(axis=(1, 2)) < MIN_INK


def measure(images: np.ndarray) -> np.ndarray:
  """Returns the attributes of images that are not blank, in the order of `NAMES`.

  - slant, degrees: arctan of the shear `-cov(x, y) / var(y)` of the ink, y downwards. Positive
    leans to the right. 0 if all ink is in one row.
  - width, pixels: extent along x after the shear is taken back, between the points beyond which
    `OUTSIDE` of the ink lies on either side.
  - height, pixels: extent along y, likewise. The shear does not change it.
  - thickness, pixels: 4 times the mean distance of the ink to the edge of the stroke. In a band
    much longer than wide, that is its width w; in a rectangle of length L, w * (1 - w / (3 * L)).
    The edge is where the interpolated image crosses half its largest value.

  Args:
    images: `[num_images, height, width]` or with one channel, in [0, 1], ink bright.

  Returns:
    float64 `[num_images, 4]`.

  Raises:
    ValueError: If an image is blank.
  """
  ink = _ink(images)
  if is_blank(images).any():
    raise ValueError("A blank image has no attributes: leave out those that is_blank finds.")
  num_images, height, width = ink.shape
  y, x = np.mgrid[:height, :width].astype(np.float64)
  weights = ink / ink.sum(axis=(1, 2), keepdims=True)
  x_offset = x - np.sum(weights * x, axis=(1, 2), keepdims=True)
  y_offset = y - np.sum(weights * y, axis=(1, 2), keepdims=True)
  covariance = np.sum(weights * x_offset * y_offset, axis=(1, 2))
  variance = np.sum(weights * y_offset**2, axis=(1, 2))
  shear = -np.divide(covariance, variance, out=np.zeros(num_images), where=variance > 0)
  upright = x_offset + shear[:, None, None] * y_offset
  return np.stack(
    [
      np.degrees(np.arctan(shear)),
      _extents(upright, ink),
      _extents(y_offset, ink),
      _thicknesses(ink),
    ],
    axis=1,
  )


def _ink(images: np.ndarray) -> np.ndarray:
  """Returns `[num_images, height, width]`, 0 where there is paper."""
  images = np.asarray(images, np.float64)
  if images.ndim == 4:
    images = images[..., 0]
  return np.where(images < BACKGROUND, 0.0, images)


def _extents(positions: np.ndarray, ink: np.ndarray) -> np.ndarray:
  """Returns the extent of each image's ink along one axis, in pixels, `[num_images]`.

  Args:
    positions: Centre of each pixel on the axis, `[num_images, height, width]`.
    ink: Of the same shape.
  """
  pairs = zip(positions, ink, strict=True)
  return np.array([_extent(place[image > 0], image[image > 0]) for place, image in pairs])


def _extent(positions: np.ndarray, ink: np.ndarray) -> float:
  """Returns the length that all but `OUTSIDE` of the ink on either side takes.

  Args:
    positions: Centre of each pixel, whose ink is spread evenly over a unit of length,
      `[num_pixels]`.
    ink: `[num_pixels]`.
  """
  edges = np.concatenate([positions - 0.5, positions + 0.5])
  order = np.argsort(edges)
  edges = edges[order]
  density = np.cumsum(np.concatenate([ink, -ink])[order])  # between an edge and the next one
  cumulative = np.append(0.0, np.cumsum(density[:-1] * np.diff(edges)))
  first, last = np.interp([OUTSIDE, 1 - OUTSIDE], cumulative / cumulative[-1], edges)
  return last - first


def _thicknesses(ink: np.ndarray) -> np.ndarray:
  """Returns the width of each image's strokes, in pixels, `[num_images]`."""
  rows, columns = (_interpolation(size) for size in ink.shape[1:])
  found = []
  for start in range(0, len(ink), _CHUNK):
    images = ink[start : start + _CHUNK]
    fine = rows @ images @ columns.T
    for image, peak in zip(fine, images.max(axis=(1, 2)), strict=True):
      stroke = image >= peak / 2
      stroke = stroke[ndimage.find_objects(stroke.astype(np.uint8))[0]]
      # The border of the image is an edge too.
      distance = ndimage.distance_transform_edt(np.pad(stroke, 1))
      # It is between centres of fine pixels, half a fine pixel more than to the edge.
      found.append(4 * (distance.sum() / stroke.sum() - 0.5) / _FINER)
  return np.array(found)


def _interpolation(size: int) -> np.ndarray:
  """Returns the matrix of linear interpolation to `_FINER` times as many pixels."""
  centers = (np.arange(size * _FINER) + 0.5) / _FINER - 0.5
  return np.maximum(0, 1 - np.abs(centers[:, None] - np.arange(size)))
