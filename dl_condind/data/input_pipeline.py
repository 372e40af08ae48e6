"""Training batches: a stateless function of a seed and a step, inside a TensorFlow graph."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from dl_condind.data import batches as batches_of_data
from dl_condind.utils import errors

BatchFn = Callable[[tf.Tensor], Any]


def specs(batches: batches_of_data.Batches, batch_size: int) -> Any:
  """Returns the shapes and types of a batch, as a nest of `tf.TensorSpec`."""
  return tf.nest.map_structure(
    lambda layout: tf.TensorSpec(layout.shape, layout.dtype), batches.layout(batch_size)
  )


def make_batch_fn(batches: batches_of_data.Batches, batch_size: int, seed: int) -> BatchFn:
  """Returns the function from a step to its batch.

  Observations are sampled independently, as in disentanglement_lib, by a generator that is made
  anew from (seed, step). The images stay where the data set keeps them: processes that train on one
  table share its memory.

  Args:
    batches: What the batches are drawn from.
    batch_size: Number of draws in a batch.
    seed: Non-negative seed.

  Returns:
    Function from the step, int64 scalar, to a nest of tensors; of single observations, float32
    [batch_size, *observation_shape].

  Raises:
    DatasetError: If the data set has fewer images than a batch.
  """
  _check_num_rows(batches, batch_size)
  expected = specs(batches, batch_size)
  flat = tf.nest.flatten(expected)
  types = [spec.dtype for spec in flat]

  def sample(step: np.ndarray) -> list[np.ndarray]:
    random_state = np.random.RandomState(
      np.random.SeedSequence([seed, int(step)]).generate_state(8)
    )
    arrays = tf.nest.flatten(batches.sample(batch_size, random_state, int(step)))
    return [
      array.astype(dtype.as_numpy_dtype, copy=False)
      for array, dtype in zip(arrays, types, strict=True)
    ]

  def batch(step: tf.Tensor) -> Any:
    # Eagerly, a list of one tensor comes back as that tensor.
    tensors = tf.nest.flatten(tf.numpy_function(sample, [step], types, stateful=False))
    shaped = [
      tf.ensure_shape(tensor, spec.shape) for tensor, spec in zip(tensors, flat, strict=True)
    ]
    return tf.nest.pack_sequence_as(expected, shaped)

  return batch


def _check_num_rows(batches: batches_of_data.Batches, batch_size: int) -> None:
  data = batches.data
  if data.num_rows is not None and data.num_rows < batch_size:
    path = f" ({data.path})" if hasattr(data, "path") else ""
    raise errors.DatasetError(
      f"{data.name}{path} has {data.num_rows} images, fewer than a batch of {batch_size}: add "
      f"images or set model.batch_size to {data.num_rows} or less."
    )
