"""Grids of images, as pictures and animations made with Pillow."""

from collections.abc import Sequence
import io
import os

import numpy as np
from PIL import Image
from PIL import ImageDraw
from PIL import ImageFont

_GAP = 2  # pixels between images
_FONT_SIZE = 12  # pixels
_LINE = 18  # pixels, height of a line of text
_MIN_SIZE = 32  # pixels; smaller images are enlarged, so that labels of columns do not overlap.


def image_grid(
  images: np.ndarray,
  num_columns: int,
  title: str = "",
  row_labels: Sequence[str] = (),
  column_labels: Sequence[str] = (),
) -> Image.Image:
  """Returns images side by side on white, row after row.

  Args:
    images: [num_images, height, width, 1 or 3], in [0, 1].
    num_columns: Images in a row.
    title: A line of text at the top.
    row_labels: Text to the left of each row, or none.
    column_labels: Text above each column, or none.
  """
  num_images, height, width, num_channels = images.shape
  num_rows = -(-num_images // num_columns)
  font = ImageFont.load_default(_FONT_SIZE)
  left = max((int(font.getlength(label)) + 8 for label in row_labels), default=_GAP)
  top = _GAP + _LINE * (bool(title) + bool(column_labels))
  right = max(left + num_columns * (width + _GAP), int(font.getlength(title)) + 8)
  canvas = Image.new(
    "L" if num_channels == 1 else "RGB", (right, top + num_rows * (height + _GAP)), "white"
  )
  draw = ImageDraw.Draw(canvas)
  draw.text((4, 2), title, "black", font)
  for row, label in enumerate(row_labels):
    middle = top + row * (height + _GAP) + height // 2
    draw.text((4, middle), label, "black", font, anchor="lm")
  for column, label in enumerate(column_labels):
    middle = left + column * (width + _GAP) + width // 2
    draw.text((middle, top - _LINE // 2), label, "black", font, anchor="mm")
  for index, pixels in enumerate(to_bytes(images)):
    row, column = divmod(index, num_columns)
    image = Image.fromarray(pixels[:, :, 0] if num_channels == 1 else pixels)
    canvas.paste(image, (left + column * (width + _GAP), top + row * (height + _GAP)))
  return canvas


def encode_row(images: np.ndarray) -> tuple[str, bytes]:
  """Returns images side by side as a small picture file: its media type and its bytes.

  There is a grey pixel between images. Grey images are kept as they are, as PNG; those with
  colours become JPEG, a fifth of the size.

  Args:
    images: [num_images, height, width, 1 or 3], in [0, 1].
  """
  padded = np.pad(to_bytes(images), ((0, 0), (0, 0), (0, 1), (0, 0)), constant_values=128)
  row = np.concatenate(list(padded), axis=1)[:, :-1]
  buffer = io.BytesIO()
  if row.shape[-1] == 1:
    Image.fromarray(row[:, :, 0]).save(buffer, "PNG", optimize=True)
    return "image/png", buffer.getvalue()
  Image.fromarray(row).save(buffer, "JPEG", quality=85)
  return "image/jpeg", buffer.getvalue()


def with_caption(pictures: Sequence[Image.Image], caption: str) -> list[Image.Image]:
  """Returns pictures, all as wide as the widest, each above a line of text."""
  font = ImageFont.load_default(_FONT_SIZE)
  width = max(*(picture.width for picture in pictures), int(font.getlength(caption)) + 8)
  captioned = []
  for picture in pictures:
    canvas = Image.new(picture.mode, (width, picture.height + _LINE), "white")
    canvas.paste(picture)
    ImageDraw.Draw(canvas).text((4, picture.height), caption, "black", font)
    captioned.append(canvas)
  return captioned


def enlarged(images: np.ndarray) -> np.ndarray:
  """Returns images with each pixel repeated where their longer side has fewer than 32 pixels."""
  scale = max(1, -(-_MIN_SIZE // max(images.shape[1:3])))
  return images.repeat(scale, axis=1).repeat(scale, axis=2)


def to_bytes(images: np.ndarray) -> np.ndarray:
  """Returns images in [0, 1] as uint8; what is outside is clipped."""
  return np.round(255 * np.clip(images, 0, 1)).astype(np.uint8)


def save_animation(
  frames: Sequence[Image.Image], path: str | os.PathLike, frames_per_second: float
) -> None:
  """Writes frames as a GIF that repeats for ever."""
  first, *others = frames
  duration = round(1000 / frames_per_second)  # milliseconds
  first.save(path, save_all=True, append_images=others, duration=duration, loop=0)
