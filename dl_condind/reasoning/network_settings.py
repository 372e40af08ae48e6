"""What the networks of abstract reasoning share: activation, initial weights, seeds."""

from collections.abc import Callable
from collections.abc import Iterator
import dataclasses
import functools

import gin
import keras
import numpy as np
import tensorflow as tf

from dl_condind.utils import errors

Activation = str | Callable[[tf.Tensor], tf.Tensor]
Initializer = str | Callable[..., tf.Tensor]

_SLOPE = 0.2  # of "lrelu" below 0


@gin.configurable("activation")
def bound_activation(activation: Activation = "relu") -> Activation:
  """Returns the activation of all hidden layers that gin binds; see `NetworkSettings`."""
  return activation


@gin.configurable("kernel_initializer")
def bound_initializer(kernel_initializer: Initializer = "lecun_normal") -> Initializer:
  """Returns the initializer of all kernels that gin binds; see `NetworkSettings`."""
  return kernel_initializer


@dataclasses.dataclass(frozen=True)
class NetworkSettings:
  """What a network is built with.

  Attributes:
    activation: Activation of the hidden layers: a name of Keras, such as "relu", "lrelu" for a
      leaky one of slope 0.2, or a function.
    kernel_initializer: Initializer of all kernels: a name of Keras or a function (shape, dtype) ->
      tensor.
    seed: Seed of the initial weights.
  """

  activation: Activation = "relu"
  kernel_initializer: Initializer = "lecun_normal"
  seed: int = 0

  def activation_function(self) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns the function of the activation.

    Raises:
      ConfigError: If Keras knows no activation of its name.
    """
    if self.activation == "lrelu":
      return functools.partial(tf.nn.leaky_relu, alpha=_SLOPE)
    try:
      return keras.activations.get(self.activation)
    except ValueError as error:
      raise errors.ConfigError(
        "activation.activation must be 'lrelu' or a name of Keras, such as 'relu', got "
        f"{self.activation!r}."
      ) from error

  def kernels(self) -> Iterator[Callable[..., tf.Tensor]]:
    """Yields an initializer for each kernel, whose seeds are derived from one.

    Raises:
      ConfigError: If Keras knows no initializer of its name.
    """
    sequence = np.random.SeedSequence(self.seed)
    while True:
      (child,) = sequence.spawn(1)
      yield self._initializer(int(child.generate_state(1)[0] >> 1))

  def _initializer(self, seed: int) -> Callable[..., tf.Tensor]:
    try:
      found = keras.initializers.get(self.kernel_initializer)
    except ValueError as error:
      raise errors.ConfigError(
        "kernel_initializer.kernel_initializer must be a name of Keras, such as 'lecun_normal', "
        f"got {self.kernel_initializer!r}."
      ) from error
    config = found.get_config() if isinstance(found, keras.initializers.Initializer) else {}
    return type(found).from_config({**config, "seed": seed}) if "seed" in config else found
