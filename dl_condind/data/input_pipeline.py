"""Training batches: a stateless function of a seed and a step, inside a TensorFlow graph."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from dl_condind.data.ground_truth import ground_truth_data

BatchFn = Callable[[tf.Tensor], tf.Tensor]


def make_batch_fn(
  dataset: ground_truth_data.GroundTruthData, batch_size: int, seed: int
) -> BatchFn:
  """Returns the function from a step to its batch of observations.

  Observations are drawn uniformly with replacement. A table lies in the memory of the device and is
  read there; other data sets are sampled by NumPy, also from (seed, step) alone.

  Args:
    dataset: The data set.
    batch_size: Number of observations in a batch.
    seed: Non-negative seed.

  Returns:
    Function from the step, int64 scalar, to float32 [batch_size, height, width, channels].
  """
  if isinstance(dataset, ground_truth_data.TableData):
    return _table_batches(dataset, batch_size, seed)
  return _sampled_batches(dataset, batch_size, seed)


def _table_batches(dataset, batch_size, seed):
  table = tf.constant(dataset.table)
  shape = [batch_size, *dataset.observation_shape]

  def batch(step: tf.Tensor) -> tf.Tensor:
    seeds = tf.stack([tf.constant(seed, tf.int64), step])
    rows = tf.random.stateless_uniform([batch_size], seeds, maxval=dataset.num_rows, dtype=tf.int64)
    images = tf.gather(table, rows)
    if not dataset.packed:
      return tf.cast(images, tf.float32) / 255
    bits = tf.bitwise.right_shift(
      images[..., None], tf.constant([7, 6, 5, 4, 3, 2, 1, 0], tf.uint8)
    )
    pixels = tf.reshape(tf.bitwise.bitwise_and(bits, tf.constant(1, tf.uint8)), [batch_size, -1])
    return tf.reshape(tf.cast(pixels[:, : np.prod(shape[1:])], tf.float32), shape)

  return batch


def _sampled_batches(dataset, batch_size, seed):
  def sample(step: np.ndarray) -> np.ndarray:
    words = np.random.SeedSequence([seed, int(step)]).generate_state(8)
    return dataset.sample_observations(batch_size, np.random.RandomState(words)).astype(np.float32)

  def batch(step: tf.Tensor) -> tf.Tensor:
    observations = tf.numpy_function(sample, [step], tf.float32, stateful=False)
    return tf.ensure_shape(observations, [batch_size, *dataset.observation_shape])

  return batch
