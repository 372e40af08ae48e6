"""What exported functions take as images: floating point in [0, 1], or unsigned bytes.

A model knows nothing of how images were stored: given pixels of 0...255 as numbers it returns codes
that look like any others. So exported functions refuse such images. A signature of a SavedModel has
one element type, hence bytes are taken by functions next to the signatures.
"""

from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from dl_condind.utils import errors

TOLERANCE = 1e-3  # What rounding and half precision may add to a pixel.

_MESSAGE = (
  "images must be in [0, 1]: divide pixels of 0...255 by 255, or give them as uint8 to the "
  "function `{}` of this model; the smallest and the largest value are"
)


def check(images: tf.Tensor, function: str) -> tf.Tensor:
  """Returns images, after an operation that fails if one is outside [0, 1] or NaN.

  XLA, which knows no assertions, leaves the check out.

  Args:
    images: float32 of any shape.
    function: Name of the exported function that takes bytes too, for the message.

  Raises:
    tf.errors.InvalidArgumentError: When the operation runs.
  """
  # |x - 1/2| <= 1/2, which NaN does not fulfil.
  is_valid = tf.reduce_all(tf.abs(images - 0.5) <= 0.5 + TOLERANCE)
  extremes = [tf.reduce_min(images), tf.reduce_max(images)]
  assertion = tf.raw_ops.Assert(condition=is_valid, data=[_MESSAGE.format(function), *extremes])
  if assertion is None:  # Outside of a graph it ran already.
    return images
  with tf.control_dependencies([assertion]):
    return tf.identity(images)


def check_observations(observations: np.ndarray, dataset_name: str) -> None:
  """Checks that observations of a data set are what exported functions take.

  Raises:
    DatasetError: If a value is outside [0, 1] or NaN.
  """
  if observations.size and not (np.abs(observations - 0.5) <= 0.5 + TOLERANCE).all():
    extremes = f"{observations.min():g} to {observations.max():g}"
    raise errors.DatasetError(
      f"Observations of {dataset_name} must be in [0, 1], got values from {extremes}: let the data "
      "set divide pixels of 0...255 by 255."
    )


def scale(images: tf.Tensor) -> tf.Tensor:
  """Returns images as float32, bytes divided by 255 as data sets here do it, to the last bit."""
  if images.dtype == tf.uint8:
    # In float64: TensorFlow multiplies by 1/255 instead, which in float32 rounds otherwise.
    return tf.cast(tf.cast(images, tf.float64) / 255, tf.float32)
  return tf.cast(images, tf.float32)


def for_all_types(
  function: Callable[[tf.Tensor], Any], image_shape: Sequence[int]
) -> tf.types.experimental.PolymorphicFunction:
  """Returns a function of uint8, float32 or float64 images, to be exported next to the signatures.

  Args:
    function: float32 `[batch, *image_shape]` -> anything.
    image_shape: (height, width, channels).
  """
  exported = tf.function(lambda images: function(scale(images)))
  # The function that is loaded takes the first type that arrays can be converted to.
  for dtype in (tf.uint8, tf.float32, tf.float64):
    exported.get_concrete_function(tf.TensorSpec([None, *image_shape], dtype, name="images"))
  return exported
