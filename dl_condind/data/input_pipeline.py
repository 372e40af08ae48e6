"""Training batches: a stateless function of a seed and a step, inside a TensorFlow graph."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.utils import errors

BatchFn = Callable[[tf.Tensor], tf.Tensor]


def make_batch_fn(
  dataset: ground_truth_data.GroundTruthData, batch_size: int, seed: int
) -> BatchFn:
  """Returns the function from a step to its batch of observations.

  Observations are sampled independently, as in disentanglement_lib, by a generator that is made
  anew from (seed, step). The images stay where the data set keeps them: processes that train on one
  table share its memory.

  Args:
    dataset: The data set.
    batch_size: Number of observations in a batch.
    seed: Non-negative seed.

  Returns:
    Function from the step, int64 scalar, to float32 [batch_size, *observation_shape].

  Raises:
    DatasetError: If the data set has fewer images than a batch.
  """
  num_rows = dataset.num_rows
  if num_rows is not None and num_rows < batch_size:
    path = f" ({dataset.path})" if hasattr(dataset, "path") else ""
    raise errors.DatasetError(
      f"{dataset.name}{path} has {num_rows} images, fewer than a batch of {batch_size}: add images "
      f"or set model.batch_size to {num_rows} or less."
    )

  def sample(step: np.ndarray) -> np.ndarray:
    random_state = np.random.RandomState(
      np.random.SeedSequence([seed, int(step)]).generate_state(8)
    )
    return dataset.sample_observations(batch_size, random_state).astype(np.float32, copy=False)

  def batch(step: tf.Tensor) -> tf.Tensor:
    observations = tf.numpy_function(sample, [step], tf.float32, stateful=False)
    return tf.ensure_shape(observations, [batch_size, *dataset.observation_shape])

  return batch
