"""Draws the images of dSprites, bit for bit, without a file.

Every sprite is a polygon on a canvas of 64 x 64 pixels, drawn the way a graphics card does it
without antialiasing: vertices are rounded to 1/256 pixel, and a pixel is on if its centre lies
inside the polygon, where a centre on a left or bottom edge is inside and one on a right or top edge
is not. After the rounding everything is integer arithmetic. No vertex comes closer than 2e-7 / 256
pixel to a point where its rounding tips, far more than the sines of two machines differ by, so
every machine draws the same bits.

The y axis points up here, and orientation turns counter-clockwise.
"""

from collections.abc import Iterator

from absl import logging
import numpy as np

from dl_condind.utils import errors

NUM_SHAPES, NUM_SCALES, NUM_ORIENTATIONS, NUM_POSITIONS = 3, 6, 40, 32
NUM_ROWS = NUM_SHAPES * NUM_SCALES * NUM_ORIENTATIONS * NUM_POSITIONS**2
SIZE = 64  # pixels
ROW_BYTES = SIZE * SIZE // 8

# Of all images together: the number of pixels that are on, and the checksum of the packed bits.
NUM_ON_PIXELS = 128_328_864
SHA256 = "3a228f4037ef3d42a42588e0e01f1078aa2df13cfa17584e88c95ed9fb5672da"

_SUBPIXELS = 256  # to a pixel
_SCALES = SIZE * np.linspace(0.5, 1, NUM_SCALES)  # pixels to a unit of the outlines
_ANGLES = np.arange(NUM_ORIENTATIONS) * (2 * np.pi / (NUM_ORIENTATIONS - 1))
_CENTRES_X = 16 + 32 * np.arange(NUM_POSITIONS) / (NUM_POSITIONS - 1)  # pixels
_CENTRES_Y = SIZE - _CENTRES_X  # posY counts downwards.
_PIXEL_CENTRES_Y = _SUBPIXELS * np.arange(SIZE)[::-1] + _SUBPIXELS // 2  # of image rows, from above

# _FROM_COLUMN[c] is one image row, as the bytes of np.packbits, in which columns c and up are on.
_FROM_COLUMN = np.packbits(np.arange(SIZE) >= np.arange(SIZE + 1)[:, None], axis=1)
_FROM_COLUMN = _FROM_COLUMN.view(np.uint64)[:, 0]


def _square() -> np.ndarray:
  half = 0.15
  return np.array([(-half, -half), (half, -half), (half, half), (-half, half)])


def _ellipse() -> np.ndarray:
  t = np.arange(100) * (2 * np.pi / 100)
  return np.stack([0.15 * 1.33 * np.cos(t), 0.15 / 1.33 * np.sin(t)], axis=1)


def _heart() -> np.ndarray:
  t = np.arange(150) * (2 * np.pi / 150)
  outline = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
  return np.stack([0.15 * np.sin(t) ** 3, 0.0225 + 0.15 / 14.5 * outline], axis=1)


_OUTLINES = (_square, _ellipse, _heart)  # Vertices, [num_vertices, (x, y)].


def _edges(starts: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Returns one coordinate of the edges' ends at each position, in subpixels, [position, edge]."""
  starts = np.floor((centres[:, None] + starts) * _SUBPIXELS + 0.5).astype(np.int64)
  return starts, np.roll(starts, -1, axis=1)


def render_sprite(shape: int, scale: int, orientation: int) -> np.ndarray:
  """Draws one sprite at all positions.

  In each image row, every edge that crosses the line through the pixel centres flips all pixels
  whose centre is on the crossing or right of it. What is flipped an odd number of times is inside.

  Args:
    shape: 0 (square), 1 (ellipse) or 2 (heart).
    scale: In [0, 5].
    orientation: In [0, 39].

  Returns:
    Packed bits, uint8 `[1024, 512]`, row 32 * posX + posY.
  """
  outline_x, outline_y = (_OUTLINES[shape]() * _SCALES[scale]).T
  cos, sin = np.cos(_ANGLES[orientation]), np.sin(_ANGLES[orientation])
  x0, x1 = _edges(outline_x * cos - outline_y * sin, _CENTRES_X)  # [pos_x, edge]
  y0, y1 = _edges(outline_x * sin + outline_y * cos, _CENTRES_Y)  # [pos_y, edge]

  # Which edges cross which image rows depends on posY only. [pos_y, row, edge]
  above = y0[:, None, :] > _PIXEL_CENTRES_Y[:, None]
  crosses = above != (y1[:, None, :] > _PIXEL_CENTRES_Y[:, None])
  pos_y, row, edge = np.nonzero(crosses)
  y0, y1 = y0[pos_y, edge], y1[pos_y, edge]  # [crossing]

  # The first column whose centre is not left of the crossing: all of it times height, so that only
  # one division is left, rounded up. [pos_x, crossing]
  height = np.abs(y1 - y0)
  rise = (_PIXEL_CENTRES_Y[row] - y0) * np.sign(y1 - y0)
  x0, x1 = x0[:, edge], x1[:, edge]
  numerator = (x0 - _SUBPIXELS // 2) * height + (x1 - x0) * rise
  column = -(-numerator // (height * _SUBPIXELS))

  image_row = pos_y * SIZE + row  # In ascending order, so equal ones are neighbours.
  first = np.flatnonzero(np.diff(image_row, prepend=-1))
  bits = np.zeros((NUM_POSITIONS, NUM_POSITIONS * SIZE), np.uint64)
  bits[:, image_row[first]] = np.bitwise_xor.reduceat(_FROM_COLUMN[column], first, axis=1)
  return bits.view(np.uint8).reshape(-1, ROW_BYTES)


def render() -> Iterator[np.ndarray]:
  """Yields all images in order, as packed bits, uint8 `[n, 512]`.

  Raises:
    DatasetError: If the number of pixels that are on is not what it must be.
  """
  num_on_pixels = 0
  for shape in range(NUM_SHAPES):
    for scale in range(NUM_SCALES):
      images = [render_sprite(shape, scale, angle) for angle in range(NUM_ORIENTATIONS)]
      chunk = np.concatenate(images)
      num_on_pixels += int(np.bitwise_count(chunk.view(np.uint64)).sum())
      yield chunk
    logging.info("Rendered dSprites shape %d of %d.", shape + 1, NUM_SHAPES)
  if num_on_pixels != NUM_ON_PIXELS:
    raise errors.DatasetError(
      f"Rendering dSprites gave {num_on_pixels} on-pixels instead of {NUM_ON_PIXELS}: NumPy "
      f"{np.__version__} computes wrongly here, use another build of it."
    )
