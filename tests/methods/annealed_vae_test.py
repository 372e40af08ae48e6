import gin
import numpy as np
import pytest
import tensorflow as tf

from dl_condind.methods import annealed_vae
from dl_condind.utils import configs
from dl_condind.utils import errors

SEED = (5, 6)


@pytest.mark.parametrize(
  "step, capacity", [(0, 0.0), (10, 10.0), (25, 25.0), (99, 99.0), (100, 100.0), (101, 100.0)]
)
def test_capacity_grows_with_the_step(build, observations, step, capacity):
  model = build(annealed_vae.AnnealedVAE(gamma=7.0, c_max=100.0, iteration_threshold=100))
  model.global_step.assign(step)
  values = model.compute_losses(observations, tf.constant(SEED))
  kl_loss = float(values["kl_loss"])
  expected = 7 * abs(kl_loss - capacity)
  assert float(values["regularizer"]) == pytest.approx(expected, rel=1e-5)
  loss = float(values["reconstruction_loss"]) + expected
  assert float(values["loss"]) == pytest.approx(loss, rel=1e-5)


def test_training_advances_the_capacity(build, observations):
  model = build(annealed_vae.AnnealedVAE(gamma=7.0, c_max=20.0, iteration_threshold=4))
  train_step = tf.function(model.train_step)
  capacities = []
  for _ in range(6):
    values = train_step(observations, tf.constant(SEED))
    # The capacity is above the KL from the second step on.
    capacities.append(float(values["kl_loss"]) + float(values["regularizer"]) / 7)
  np.testing.assert_allclose(capacities[1:], [5, 10, 15, 20, 20], rtol=1e-5)


def test_gradient_points_to_the_capacity(build, observations):
  model = build(annealed_vae.AnnealedVAE(gamma=7.0, c_max=50.0, iteration_threshold=10))
  with tf.GradientTape(persistent=True) as tape:
    below = model.compute_losses(observations, tf.constant(SEED))
    model.global_step.assign(10)
    above = model.compute_losses(observations, tf.constant(SEED))
  variables = model.encoder.trainable_variables
  for gradient, other, kl_gradient in zip(
    tape.gradient(below["regularizer"], variables),
    tape.gradient(above["regularizer"], variables),
    tape.gradient(below["kl_loss"], variables),
    strict=True,
  ):
    np.testing.assert_allclose(gradient, 7 * kl_gradient, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(other, -7 * kl_gradient, rtol=1e-4, atol=1e-6)


def test_iteration_threshold_out_of_range():
  message = r"annealed_vae\.iteration_threshold must be at least 1, got 0"
  with pytest.raises(errors.ConfigError, match=message):
    annealed_vae.AnnealedVAE(gamma=1.0, c_max=1.0, iteration_threshold=0)


def test_configured():
  configs.parse(
    [],
    [
      "annealed_vae.gamma = 1000.",
      "annealed_vae.c_max = 25.",
      "annealed_vae.iteration_threshold = 100000",
    ],
  )
  model = gin.get_configurable("annealed_vae")()
  assert (model.gamma, model.c_max, model.iteration_threshold) == (1000.0, 25.0, 100000)
