"""How the weight of labels changes during a training."""

from collections.abc import Callable

import gin
import tensorflow as tf

from dl_condind.utils import errors

# (weight, step from 0 on, iteration_threshold) -> the weight at this step.
Annealer = Callable[[float, tf.Tensor, int | None], float | tf.Tensor]

_DENYLIST = ["gamma", "step", "iteration_threshold"]


@gin.register("fixed", denylist=_DENYLIST)
def fixed(gamma: float, step: tf.Tensor, iteration_threshold: int | None) -> float:
  """Returns gamma at all steps, whatever the threshold is."""
  del step, iteration_threshold
  return gamma


@gin.register("anneal", denylist=_DENYLIST)
def anneal(gamma: float, step: tf.Tensor, iteration_threshold: int | None) -> tf.Tensor:
  """Returns a weight that grows linearly from 0 to gamma, which it has from the threshold on.

  Raises:
    ConfigError: If the threshold is not a positive number of steps.
  """
  threshold = _check(iteration_threshold, "anneal", 1)
  return gamma * tf.minimum(tf.cast(step, tf.float32) / threshold, 1.0)


@gin.register("fine_tune", denylist=_DENYLIST)
def fine_tune(gamma: float, step: tf.Tensor, iteration_threshold: int | None) -> tf.Tensor:
  """Returns 0 up to the threshold and at it, and gamma after it.

  Raises:
    ConfigError: If the threshold is not a number of steps.
  """
  threshold = _check(iteration_threshold, "fine_tune", 0)
  return gamma * tf.cast(step > threshold, tf.float32)


def _check(iteration_threshold: int | None, name: str, lowest: int) -> int:
  if iteration_threshold is None or iteration_threshold < lowest:
    raise errors.ConfigError(
      f"annealer.iteration_threshold must be a number of steps, at least {lowest}, for {name}, got "
      f"{iteration_threshold}."
    )
  return iteration_threshold
