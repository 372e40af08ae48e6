import numpy as np
import pytest
import tensorflow as tf

from dl_condind.methods import factor_vae
from dl_condind.methods import mutual_information
from dl_condind.methods import optimizers


def dense(weights, name, k, j, x):
  return x[:, None] * weights[f"{name}_kernel"][k, j] + weights[f"{name}_bias"][k, j]


def test_bounds_are_those_of_one_network_for_each_pair():
  generator = np.random.default_rng(0)
  weights = mutual_information.initial_weights(2, 3, generator)
  weights |= {name: generator.normal(size=w.shape) for name, w in weights.items() if "bias" in name}
  z, y = generator.normal(size=(7, 3)), generator.normal(size=(7, 2))
  shuffled = generator.permuted(np.tile(y[..., None], [1, 1, 3]), axis=0)
  found = mutual_information.lower_bounds(*map(tf.constant, (z, y, shuffled)), weights)
  for k in range(2):
    for j in range(3):
      scores = []
      for labels in (y[:, k], shuffled[:, k, j]):
        hidden = dense(weights, "latent", k, j, z[:, j]) + dense(weights, "label", k, j, labels)
        hidden = np.where(hidden > 0, hidden, np.expm1(hidden))
        scores.append(hidden @ weights["output_kernel"][k, j] + weights["output_bias"][k, j])
      expected = np.mean(scores[0]) - np.log(np.mean(np.exp(scores[1])))
      assert float(found[k, j]) == pytest.approx(expected, rel=1e-10)


def test_networks_find_the_mutual_information():
  # As disentanglement_lib: x = sign(N(0, 1)), y = x + N(0, 0.2), 200 steps of Adam. It is 0.6589.
  # Beside it a latent that is independent of the label, which has none.
  generator = np.random.default_rng(0)
  weights = {
    name: tf.Variable(value, dtype=tf.float32)
    for name, value in mutual_information.initial_weights(1, 2, generator).items()
  }
  variables = list(weights.values())
  optimizer = optimizers.adam(0.01)()
  optimizer.build(variables)

  @tf.function
  def step(z, y, seed):
    shuffled = factor_vae.shuffle_latents(tf.tile(y[..., None], [1, 1, 2]), seed)
    with tf.GradientTape() as tape:
      bounds = mutual_information.lower_bounds(z, y, shuffled, weights)
      loss = -tf.reduce_sum(bounds)
    optimizer.apply(tape.gradient(loss, variables), variables)
    return bounds[0]

  for number in range(200):
    x = np.sign(generator.normal(size=(2000, 2)))
    y = x[:, :1] + generator.normal(0, np.sqrt(0.2), (2000, 1))
    bounds = step(*(tf.constant(v, tf.float32) for v in (x, y)), tf.constant([0, number]))
  assert 0.6 < float(bounds[0]) < 0.7
  assert abs(float(bounds[1])) < 0.02


def test_initial_weights_are_glorots():
  weights = mutual_information.initial_weights(5, 10, np.random.default_rng(0))
  for name, value in weights.items():
    if "bias" in name:
      assert not value.any()
    else:
      bound = np.sqrt(6 / 21)
      assert value.shape == (5, 10, 20)
      assert np.abs(value).max() == pytest.approx(bound, rel=0.01) and np.abs(value).max() <= bound
