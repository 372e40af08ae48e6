"""What exported functions take: images, as floating point in [0, 1] or unsigned bytes, or vectors.

Vectors, of the shape [features], may have any finite values. They are checked for that.

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
from dl_condind.utils import observations as observation_shapes

TOLERANCE = 1e-3  # What rounding and half precision may add to a pixel.

_MESSAGE = (
  "images must be in [0, 1]: divide pixels of 0...255 by 255, or give them as uint8 to the "
  "function `{}` of this model; the smallest and the largest value are"
)


_VECTOR_MESSAGE = "observations must be finite numbers; the smallest and the largest value are"


def check(images: tf.Tensor, function: str) -> tf.Tensor:
  """Returns images, after an operation that fails if one is outside [0, 1] or NaN.

  XLA, which knows no assertions, leaves the check out.

  Args:
    images: float32 [batch, height, width, channels], or [batch, features] of vectors, which only
      have to be finite.
    function: Name of the exported function that takes bytes too, for the message.

  Raises:
    tf.errors.InvalidArgumentError: When the operation runs.
  """
  if observation_shapes.is_vector(images.shape[1:]):
    is_valid = tf.reduce_all(tf.abs(images) <= images.dtype.max)
    message = _VECTOR_MESSAGE
  else:
    # |x - 1/2| <= 1/2, which NaN does not fulfil.
    is_valid = tf.reduce_all(tf.abs(images - 0.5) <= 0.5 + TOLERANCE)
    message = _MESSAGE.format(function)
  extremes = [tf.reduce_min(images), tf.reduce_max(images)]
  assertion = tf.raw_ops.Assert(condition=is_valid, data=[message, *extremes])
  if assertion is None:  # Outside of a graph it ran already.
    return images
  with tf.control_dependencies([assertion]):
    return tf.identity(images)


def check_observations(
  observations: np.ndarray, dataset_name: str, are_probabilities: bool = False
) -> None:
  """Checks that observations of a data set are what exported functions take.

  Args:
    observations: [num, height, width, channels], or [num, features] of vectors.
    dataset_name: For the message.
    are_probabilities: Whether the model takes the values of vectors, too, to be in [0, 1].

  Raises:
    DatasetError: If a value of images is outside [0, 1] or NaN, or one of vectors is not finite.
    ConfigError: If vectors have values outside [0, 1] and the model does not allow for it.
  """
  if observation_shapes.is_vector(observations.shape[1:]):
    _check_vectors(observations, dataset_name, are_probabilities)
  elif observations.size and not (np.abs(observations - 0.5) <= 0.5 + TOLERANCE).all():
    extremes = f"{observations.min():g} to {observations.max():g}"
    raise errors.DatasetError(
      f"Observations of {dataset_name} must be in [0, 1], got values from {extremes}: let the data "
      "set divide pixels of 0...255 by 255."
    )


def _check_vectors(vectors: np.ndarray, dataset_name: str, are_probabilities: bool) -> None:
  if not np.isfinite(vectors).all():
    raise errors.DatasetError(
      f"Observations of {dataset_name} must be finite numbers, got {vectors.min():g} to "
      f"{vectors.max():g}: leave out or fill in what is missing."
    )
  if are_probabilities and vectors.size and not ((vectors >= 0) & (vectors <= 1)).all():
    raise errors.ConfigError(
      f"Vectors of {dataset_name} have values from {vectors.min():g} to {vectors.max():g}, and the "
      "decoder's outputs stand for values in [0, 1]: set reconstruction_loss.activation to "
      '"linear" and the loss to gaussian_loss, as vectors.gin does.'
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
    image_shape: (height, width, channels), or (features,) of vectors, which are never uint8.
  """
  exported = tf.function(lambda images: function(scale(images)))
  # The function that is loaded takes the first type that arrays can be converted to.
  types = (tf.float32, tf.float64)
  if not observation_shapes.is_vector(image_shape):
    types = (tf.uint8, *types)
  for dtype in types:
    exported.get_concrete_function(tf.TensorSpec([None, *image_shape], dtype, name="images"))
  return exported
