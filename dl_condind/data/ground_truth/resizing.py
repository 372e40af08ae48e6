"""Resizing of images as disentanglement_lib did it, in 8 bits."""

import numpy as np
from PIL import Image

# To be raised when pixels change, so that cached tables are made again.
VERSION = 1


def resize(images: np.ndarray, size: tuple[int, int]) -> np.ndarray:
  """Returns images resized with a Lanczos filter; what overshoots is clipped to [0, 255].

  Args:
    images: uint8 `[num, height, width]` or `[num, height, width, 3]`.
    size: New (height, width).

  Returns:
    uint8 `[num, *size]` or `[num, *size, 3]`.
  """
  height, width = size
  resized = np.empty((len(images), height, width, *images.shape[3:]), np.uint8)
  for image, target in zip(images, resized, strict=True):
    target[:] = Image.fromarray(image).resize((width, height), Image.Resampling.LANCZOS)
  return resized
