import gin
import keras
import numpy as np
import pytest
import tensorflow as tf

from dl_condind.methods import optimizers
from dl_condind.training import checkpoints
from dl_condind.training import gin_parts  # noqa: F401 (registers gin names)
from dl_condind.utils import configs
from dl_condind.utils import errors

ADAM = """
vae_optimizer.optimizer_fn = @vae/AdamOptimizer
discriminator_optimizer.optimizer_fn = @discriminator/AdamOptimizer
vae/AdamOptimizer.beta1 = 0.9
vae/AdamOptimizer.beta2 = 0.999
vae/AdamOptimizer.epsilon = 1e-08
vae/AdamOptimizer.learning_rate = 0.0001
vae/AdamOptimizer.name = 'Adam'
vae/AdamOptimizer.use_locking = False
discriminator/AdamOptimizer.beta1 = 0.5
discriminator/AdamOptimizer.beta2 = 0.9
discriminator/AdamOptimizer.epsilon = 1e-07
discriminator/AdamOptimizer.learning_rate = 0.001
discriminator/AdamOptimizer.name = 'Adam'
discriminator/AdamOptimizer.use_locking = False
"""
DESCENT = "vae_optimizer.optimizer_fn = @GradientDescentOptimizer"
GRADIENTS = np.random.default_rng(0).normal(size=(8, 3))
GRADIENTS[:, 2] *= 1e-7  # So small that epsilon counts.
START = np.float64([1, -2, 0.5])


def trajectory(optimizer, gradients=GRADIENTS):
  """Returns the values of a variable after each of the gradients."""
  variable = keras.Variable(START)
  optimizer.build([variable])
  values = []
  for gradient in gradients:
    optimizer.apply([keras.ops.convert_to_tensor(gradient, "float32")], [variable])
    values.append(variable.numpy())
  return np.array(values)


def expected_adam(learning_rate, beta1, beta2, epsilon):
  """TensorFlow 1's Adam: epsilon is added to the root of the not yet corrected second moment."""
  value, mean, square, values = START, 0, 0, []
  for step, gradient in enumerate(GRADIENTS, start=1):
    mean = beta1 * mean + (1 - beta1) * gradient
    square = beta2 * square + (1 - beta2) * gradient**2
    rate = learning_rate * np.sqrt(1 - beta2**step) / (1 - beta1**step)
    value = value - rate * mean / (np.sqrt(square) + epsilon)
    values.append(value)
  return np.array(values)


def made(name):
  """Makes the optimizer that gin's configuration gives a name."""
  (part,) = gin.get_configurable(name)().values()
  return optimizers.make(part)


def configuration(optimizer):
  names = ("learning_rate", "beta_1", "beta_2", "epsilon")
  return [pytest.approx(float(getattr(optimizer, name))) for name in names]


def test_adam_of_each_network_has_its_own_parameters():
  configs.parse([], [ADAM])
  vae_optimizer = made("vae_optimizer")
  discriminator_optimizer = made("discriminator_optimizer")
  assert configuration(vae_optimizer) == [1e-4, 0.9, 0.999, 1e-8]
  assert configuration(discriminator_optimizer) == [1e-3, 0.5, 0.9, 1e-7]


def test_adam_under_its_complete_name_and_with_its_defaults():
  configs.parse([], ["vae_optimizer.optimizer_fn = @tf.train.AdamOptimizer"])
  assert configuration(made("vae_optimizer")) == [1e-3, 0.9, 0.999, 1e-8]
  configs.parse([], [ADAM, "vae/tf.train.AdamOptimizer.beta1 = 0.8"])
  assert configuration(made("vae_optimizer")) == [1e-4, 0.8, 0.999, 1e-8]


@pytest.mark.parametrize(
  "parameters", [(1e-2, 0.9, 0.999, 1e-8), (1e-1, 0.5, 0.9, 1e-8), (1e-2, 0.9, 0.999, 1e-3)]
)
def test_steps_of_adam(parameters):
  values = trajectory(optimizers.adam_optimizer(*parameters))
  np.testing.assert_allclose(values, expected_adam(*parameters), rtol=1e-5)


def test_steps_of_gradient_descent_and_momentum():
  values = trajectory(optimizers.gradient_descent_optimizer(0.1))
  np.testing.assert_allclose(values, START - 0.1 * np.cumsum(GRADIENTS, axis=0), rtol=1e-5)

  value, accumulated, expected = START, 0, []
  for gradient in GRADIENTS:
    accumulated = 0.9 * accumulated + gradient
    value = value - 0.1 * accumulated
    expected.append(value)
  values = trajectory(optimizers.momentum_optimizer(0.1, momentum=0.9))
  np.testing.assert_allclose(values, expected, rtol=1e-5)


def test_steps_of_nesterov_momentum():
  value, accumulated, expected = START, 0, []
  for gradient in GRADIENTS:
    accumulated = 0.9 * accumulated + gradient
    value = value - 0.1 * (gradient + 0.9 * accumulated)
    expected.append(value)
  optimizer = optimizers.momentum_optimizer(0.1, momentum=0.9, use_nesterov=True)
  np.testing.assert_allclose(trajectory(optimizer), expected, rtol=1e-5)
  # As a part of a model it is copied.
  copy = optimizers.make(optimizers.momentum_optimizer(0.1, momentum=0.9, use_nesterov=True))
  np.testing.assert_allclose(trajectory(copy), expected, rtol=1e-5)


def decayed(step):
  return 0.01 * 0.5 ** (step / 10)


def falling_rate():
  return optimizers.exponential_decay(0.01, decay_steps=10, decay_rate=0.5)


@pytest.mark.parametrize("use_nesterov", [False, True])
def test_momentum_does_not_remember_the_rates_of_earlier_steps(use_nesterov):
  # TensorFlow 1 multiplies the sum of gradients by the rate of this step.
  gradients = np.random.default_rng(1).normal(loc=1, size=(60, 3))
  value, accumulated, expected = START, 0, []
  for step, gradient in enumerate(gradients):
    accumulated = 0.9 * accumulated + gradient
    ahead = gradient + 0.9 * accumulated if use_nesterov else accumulated
    value = value - decayed(step) * ahead
    expected.append(value)
  assert np.abs(expected[-1] - START).min() > 0.8
  optimizer = optimizers.momentum_optimizer(falling_rate, 0.9, use_nesterov=use_nesterov)
  # float32 rounds the value in each step.
  np.testing.assert_allclose(trajectory(optimizer, gradients), expected, rtol=1e-5, atol=2e-6)


def test_momentum_resumes_from_a_checkpoint(tmp_path):
  gradients = np.random.default_rng(2).normal(size=(20, 3)).astype(np.float32)

  def make():
    variable = keras.Variable(START)
    optimizer = optimizers.momentum_optimizer(falling_rate, 0.9)
    optimizer.build([variable])
    return variable, optimizer, tf.train.Checkpoint(variable=variable, optimizer=optimizer)

  def apply(variable, optimizer, steps):
    for gradient in gradients[steps]:
      optimizer.apply([tf.constant(gradient)], [variable])

  variable, optimizer, checkpoint = make()
  apply(variable, optimizer, slice(0, 10))
  checkpoints.save(checkpoint, tmp_path, step=10)
  apply(variable, optimizer, slice(10, 20))
  resumed, optimizer, checkpoint = make()
  assert checkpoints.restore_newest(checkpoint, tmp_path) == 10
  apply(resumed, optimizer, slice(10, 20))
  np.testing.assert_array_equal(resumed.numpy(), variable.numpy())


@pytest.mark.parametrize("momentum", [-0.1, 1.1, float("nan")])
def test_momentum_out_of_range(momentum):
  message = rf"MomentumOptimizer\.momentum must be in \[0, 1\], got {momentum}"
  with pytest.raises(errors.ConfigError, match=message):
    optimizers.momentum_optimizer(0.1, momentum)


@pytest.mark.parametrize("centered", [False, True])
def test_steps_of_rmsprop(centered):
  value, square, mean, velocity, expected = START, 0, 0, 0, []
  for gradient in GRADIENTS:
    square = 0.8 * square + 0.2 * gradient**2
    mean = 0.8 * mean + 0.2 * gradient
    variance = square - mean**2 if centered else square
    velocity = 0.5 * velocity + 0.1 * gradient / np.sqrt(variance + 1e-3)
    value = value - velocity
    expected.append(value)
  optimizer = optimizers.rmsprop_optimizer(
    0.1, decay=0.8, momentum=0.5, epsilon=1e-3, centered=centered
  )
  np.testing.assert_allclose(trajectory(optimizer), expected, rtol=1e-4)


@pytest.mark.parametrize(
  "bindings, rates",
  [
    (["GradientDescentOptimizer.learning_rate = 0.1"], [0.1] * 8),
    (["vae_optimizer.learning_rate = 0.1"], [0.1] * 8),
    (
      ["vae_optimizer.learning_rate = 0.1", "GradientDescentOptimizer.learning_rate = 0.2"],
      [0.1] * 8,
    ),
    (
      [
        "vae_optimizer.learning_rate = @piecewise_constant",
        "piecewise_constant.boundaries = (3, 5)",
        "piecewise_constant.values = (0.2, 0.1, 0.01)",
      ],
      [0.2] * 4 + [0.1] * 2 + [0.01] * 2,
    ),
    (
      [
        "GradientDescentOptimizer.learning_rate = @exponential_decay",
        "exponential_decay.learning_rate = 0.1",
        "exponential_decay.decay_steps = 2",
        "exponential_decay.decay_rate = 0.9",
      ],
      [0.1 * 0.9 ** (step / 2) for step in range(8)],
    ),
    (
      [
        "vae_optimizer.learning_rate = @exponential_decay",
        "exponential_decay.learning_rate = 0.1",
        "exponential_decay.decay_steps = 2",
        "exponential_decay.decay_rate = 0.9",
        "exponential_decay.staircase = True",
      ],
      [0.1 * 0.9 ** (step // 2) for step in range(8)],
    ),
    (
      [
        "vae_optimizer.learning_rate = @polynomial_decay",
        "polynomial_decay.learning_rate = 0.1",
        "polynomial_decay.decay_steps = 5",
        "polynomial_decay.end_learning_rate = 0.02",
        "polynomial_decay.power = 2.0",
      ],
      [0.02 + 0.08 * (1 - min(step, 5) / 5) ** 2 for step in range(8)],
    ),
  ],
)
def test_learning_rate_of_each_step(bindings, rates):
  configs.parse([], [DESCENT, *bindings])
  expected = START - np.cumsum(np.array(rates)[:, None] * GRADIENTS, axis=0)
  np.testing.assert_allclose(trajectory(made("vae_optimizer")), expected, rtol=1e-5)


def test_learning_rate_of_the_discriminator_overrides_the_optimizers():
  configs.parse([], [ADAM, "discriminator_optimizer.learning_rate = 0.5"])
  assert configuration(made("discriminator_optimizer")) == [0.5, 0.5, 0.9, 1e-7]
  assert configuration(made("vae_optimizer")) == [1e-4, 0.9, 0.999, 1e-8]


@pytest.mark.parametrize("rate", [0, 0.0, -1e-4])
@pytest.mark.parametrize(
  "parameter", ["vae_optimizer.learning_rate", "GradientDescentOptimizer.learning_rate"]
)
def test_learning_rate_out_of_range(parameter, rate):
  configs.parse([], [DESCENT, f"{parameter} = {rate}"])
  message = rf"learning_rate must be positive, got {rate}"
  with pytest.raises(errors.ConfigError, match=message):
    made("vae_optimizer")


@pytest.mark.parametrize("rate", [float("nan"), float("inf"), -1.0])
@pytest.mark.parametrize(
  "optimizer_fn",
  [
    optimizers.adam_optimizer,
    optimizers.gradient_descent_optimizer,
    lambda learning_rate: optimizers.momentum_optimizer(learning_rate, momentum=0.9),
    optimizers.rmsprop_optimizer,
  ],
)
def test_every_optimizer_checks_its_learning_rate(optimizer_fn, rate):
  with pytest.raises(errors.ConfigError, match="learning_rate must be positive"):
    optimizer_fn(learning_rate=rate)


def test_schedules_check_their_settings():
  with pytest.raises(
    errors.ConfigError, match=r"exponential_decay\.learning_rate must be positive"
  ):
    optimizers.exponential_decay(-0.1, 10, 0.9)
  with pytest.raises(errors.ConfigError, match=r"polynomial_decay\.learning_rate must be positive"):
    optimizers.polynomial_decay(0.0, 10)
  with pytest.raises(errors.ConfigError, match=r"piecewise_constant\.values must be positive"):
    optimizers.piecewise_constant([3], [0.1, -0.1])
  with pytest.raises(errors.ConfigError, match=r"exponential_decay\.decay_steps must be positive"):
    optimizers.exponential_decay(0.1, 0, 0.9)
  with pytest.raises(errors.ConfigError, match=r"polynomial_decay\.decay_steps must be positive"):
    optimizers.polynomial_decay(0.1, 0)
  with pytest.raises(errors.ConfigError, match=r"one more of piecewise_constant\.values than"):
    optimizers.piecewise_constant([3], [0.1])


def test_unknown_optimizer_and_parameter():
  with pytest.raises(errors.ConfigError, match="nothing configurable is called 'AdmOptimizer'"):
    configs.parse([], ["vae_optimizer.optimizer_fn = @AdmOptimizer"])
  with pytest.raises(errors.ConfigError, match="AdamOptimizer has no parameter 'beta_1'"):
    configs.parse([], ["AdamOptimizer.beta_1 = 0.9"])


def test_missing_optimizer():
  with pytest.raises(RuntimeError, match="Required bindings for `vae_optimizer`"):
    made("vae_optimizer")
  gin.bind_parameter("vae_optimizer.optimizer_fn", optimizers.gradient_descent_optimizer)
  with pytest.raises(TypeError, match="learning_rate"):
    made("vae_optimizer")
