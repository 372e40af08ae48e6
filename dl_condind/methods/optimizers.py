"""Optimizers and learning rate schedules under the names TensorFlow 1 gave them.

Configurations of disentanglement_lib name `AdamOptimizer` and its parameters. Here they make Keras
optimizers with TensorFlow 1's updates, except that RMSProp starts from another mean of squares.
Arguments that only TensorFlow 1 knew (`use_locking`, `name`) are accepted and have no effect.
"""

from collections.abc import Callable
from collections.abc import Sequence
import functools
import inspect
from typing import Any

import gin
import keras
import tensorflow as tf

from dl_condind.utils import errors

LearningRate = float | Callable[[], keras.optimizers.schedules.LearningRateSchedule]
# What a model takes: a function without arguments, or an optimizer whose settings are copied.
OptimizerPart = Callable[..., keras.optimizers.Optimizer] | keras.optimizers.Optimizer


def _checked(
  learning_rate: LearningRate,
) -> float | keras.optimizers.schedules.LearningRateSchedule:
  """Returns a rate Keras takes, made from a number or from a function that returns a schedule."""
  if callable(learning_rate) and not isinstance(
    learning_rate, keras.optimizers.schedules.LearningRateSchedule
  ):
    learning_rate = learning_rate()
  if isinstance(learning_rate, int | float):
    _check_positive("learning_rate", learning_rate)
  return learning_rate


def _check_positive(name: str, value: float) -> None:
  if not 0 < value < float("inf"):
    raise errors.ConfigError(f"{name} must be positive, got {value}.")


class FusedAdam(keras.optimizers.Adam):
  """Keras' Adam, its update in one pass over memory for each variable instead of several."""

  def update_step(
    self,
    gradient: tf.Tensor,
    variable: tf.Variable | keras.Variable,
    learning_rate: tf.Tensor,
  ) -> None:
    """Updates a variable and its moments."""
    index = self._get_variable_index(variable)
    dtype = variable.dtype
    step = tf.cast(self.iterations + 1, dtype)
    tf.raw_ops.ResourceApplyAdam(
      var=_handle(variable),
      m=_handle(self._momentums[index]),
      v=_handle(self._velocities[index]),
      beta1_power=tf.cast(self.beta_1, dtype) ** step,
      beta2_power=tf.cast(self.beta_2, dtype) ** step,
      lr=tf.cast(learning_rate, dtype),
      beta1=tf.cast(self.beta_1, dtype),
      beta2=tf.cast(self.beta_2, dtype),
      epsilon=tf.cast(self.epsilon, dtype),
      grad=tf.cast(gradient, dtype),
    )


def _handle(variable: tf.Variable | keras.Variable) -> tf.Tensor:
  return (variable.value if isinstance(variable, keras.Variable) else variable).handle


class Momentum(keras.optimizers.Optimizer):
  """Gradient descent with momentum whose sum of gradients does not depend on the learning rate.

  In step t with gradient g and rate r_t

    accumulated = momentum * accumulated + g
    variable -= r_t * accumulated                      or, with Nesterov's momentum,
    variable -= r_t * (g + momentum * accumulated)

  Keras' SGD has r_t inside the sum, so that a rate that falls acts on new gradients only.
  """

  def __init__(
    self,
    learning_rate: float | keras.optimizers.schedules.LearningRateSchedule,
    momentum: float,
    use_nesterov: bool = False,
    **keywords: Any,
  ):
    """Describes the update; `build` makes the sums.

    Args:
      learning_rate: r_t.
      momentum: Weight of the sum of earlier gradients.
      use_nesterov: Whether to look one step ahead.
      **keywords: Those of a Keras optimizer.
    """
    super().__init__(learning_rate, **keywords)
    self._momentum = momentum
    self._use_nesterov = use_nesterov

  def get_config(self) -> dict[str, Any]:
    """Returns the arguments that make the same optimizer."""
    own = {"momentum": self._momentum, "use_nesterov": self._use_nesterov}
    return {**super().get_config(), **own}

  def build(self, variables: Sequence[tf.Variable | keras.Variable]) -> None:
    """Makes a sum of gradients of each variable, 0 at first."""
    if not self.built:
      super().build(variables)
      self._accumulated = self.add_optimizer_variables(variables, "accumulated")

  def update_step(
    self,
    gradient: tf.Tensor,
    variable: tf.Variable | keras.Variable,
    learning_rate: tf.Tensor,
  ) -> None:
    """Updates a variable and its sum of gradients."""
    dtype = variable.dtype
    tf.raw_ops.ResourceApplyMomentum(
      var=_handle(variable),
      accum=_handle(self._accumulated[self._get_variable_index(variable)]),
      lr=tf.cast(learning_rate, dtype),
      grad=tf.cast(gradient, dtype),
      momentum=tf.cast(self._momentum, dtype),
      use_nesterov=self._use_nesterov,
    )


def apply(
  optimizer: keras.optimizers.Optimizer,
  gradients: Sequence[tf.Tensor],
  variables: Sequence[tf.Variable | keras.Variable],
) -> None:
  """Updates variables once by their gradients, after every read that comes before in the program.

  By default code runs inside a replica of a distribution strategy. There Keras passes all gradients
  through one operation; TensorFlow derives the order of reads and updates from it, then removes it
  and with it the order. `merge_call` runs the update outside, where Keras adds no such operation.
  """
  replica = tf.distribute.get_replica_context()
  replica.merge_call(lambda strategy: optimizer.apply(gradients, variables))


@gin.register("AdamOptimizer", module="tf.train")
def adam_optimizer(
  learning_rate: LearningRate = 0.001,
  beta1: float = 0.9,
  beta2: float = 0.999,
  epsilon: float = 1e-08,
  use_locking: bool = False,
  name: str = "Adam",
) -> keras.optimizers.Optimizer:
  """Returns Adam (Kingma and Ba, 2015, arXiv:1412.6980)."""
  del use_locking, name
  return FusedAdam(_checked(learning_rate), beta1, beta2, epsilon)


@gin.register("GradientDescentOptimizer", module="tf.train")
def gradient_descent_optimizer(
  learning_rate: LearningRate, use_locking: bool = False, name: str = "GradientDescent"
) -> keras.optimizers.Optimizer:
  """Returns plain gradient descent."""
  del use_locking, name
  return keras.optimizers.SGD(_checked(learning_rate))


@gin.register("MomentumOptimizer", module="tf.train")
def momentum_optimizer(
  learning_rate: LearningRate,
  momentum: float,
  use_locking: bool = False,
  name: str = "Momentum",
  use_nesterov: bool = False,
) -> keras.optimizers.Optimizer:
  """Returns gradient descent with momentum.

  Raises:
    ConfigError: If learning_rate is not positive or momentum is not in [0, 1].
  """
  del use_locking, name
  if not 0 <= momentum <= 1:
    raise errors.ConfigError(f"MomentumOptimizer.momentum must be in [0, 1], got {momentum}.")
  return Momentum(_checked(learning_rate), momentum, use_nesterov)


@gin.register("RMSPropOptimizer", module="tf.train")
def rmsprop_optimizer(
  learning_rate: LearningRate,
  decay: float = 0.9,
  momentum: float = 0.0,
  epsilon: float = 1e-10,
  use_locking: bool = False,
  centered: bool = False,
  name: str = "RMSProp",
) -> keras.optimizers.Optimizer:
  """Returns RMSProp. Its mean of squares starts at 0, where TensorFlow 1's started at 1."""
  del use_locking, name
  return keras.optimizers.RMSprop(_checked(learning_rate), decay, momentum, epsilon, centered)


@gin.register(module="tf.train")
def exponential_decay(
  learning_rate: float, decay_steps: int, decay_rate: float, staircase: bool = False
) -> keras.optimizers.schedules.LearningRateSchedule:
  """Returns the rate `learning_rate * decay_rate**(step / decay_steps)`.

  Raises:
    ConfigError: If learning_rate or decay_steps is not positive.
  """
  _check_positive("exponential_decay.learning_rate", learning_rate)
  _check_positive("exponential_decay.decay_steps", decay_steps)
  return keras.optimizers.schedules.ExponentialDecay(
    learning_rate, decay_steps, decay_rate, staircase
  )


@gin.register(module="tf.train")
def polynomial_decay(
  learning_rate: float,
  decay_steps: int,
  end_learning_rate: float = 0.0001,
  power: float = 1.0,
  cycle: bool = False,
) -> keras.optimizers.schedules.LearningRateSchedule:
  """Returns a rate that falls to end_learning_rate in decay_steps steps.

  Raises:
    ConfigError: If learning_rate or decay_steps is not positive.
  """
  _check_positive("polynomial_decay.learning_rate", learning_rate)
  _check_positive("polynomial_decay.decay_steps", decay_steps)
  return keras.optimizers.schedules.PolynomialDecay(
    learning_rate, decay_steps, end_learning_rate, power, cycle
  )


@gin.register(module="tf.train")
def piecewise_constant(
  boundaries: Sequence[int], values: Sequence[float]
) -> keras.optimizers.schedules.LearningRateSchedule:
  """Returns a rate that is values[i] up to and including step boundaries[i].

  Raises:
    ConfigError: If a value is not positive, or there is not one more of them than of boundaries.
  """
  if len(values) != len(boundaries) + 1:
    raise errors.ConfigError(
      "There must be one more of piecewise_constant.values than of piecewise_constant.boundaries, "
      f"got {len(values)} and {len(boundaries)}."
    )
  for value in values:
    _check_positive("piecewise_constant.values", value)
  return keras.optimizers.schedules.PiecewiseConstantDecay(list(boundaries), list(values))


def adam(
  learning_rate: LearningRate, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8
) -> OptimizerPart:
  """Returns a function that makes Adam; arguments as `adam_optimizer`."""
  return functools.partial(
    adam_optimizer, learning_rate=learning_rate, beta1=beta1, beta2=beta2, epsilon=epsilon
  )


def make(optimizer: OptimizerPart) -> keras.optimizers.Optimizer:
  """Returns a new optimizer.

  Args:
    optimizer: Function without arguments that returns one, or one whose settings are copied.
  """
  if isinstance(optimizer, keras.optimizers.Optimizer):
    return type(optimizer).from_config(optimizer.get_config())
  return optimizer()


def with_learning_rate(optimizer: OptimizerPart, learning_rate: LearningRate) -> OptimizerPart:
  """Returns the same optimizer part with another learning rate.

  Raises:
    ConfigError: If learning_rate is not positive, or the part takes none.
  """
  if isinstance(optimizer, keras.optimizers.Optimizer):
    config = {**optimizer.get_config(), "learning_rate": _checked(learning_rate)}
    return type(optimizer).from_config(config)
  parameters = inspect.signature(optimizer).parameters.values()
  if not any(p.name == "learning_rate" or p.kind == p.VAR_KEYWORD for p in parameters):
    raise errors.ConfigError(
      "learning_rate cannot be given to an optimizer whose function takes none: set it there."
    )
  return functools.partial(optimizer, learning_rate=_checked(learning_rate))
