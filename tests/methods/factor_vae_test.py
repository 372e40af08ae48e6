import gin
import numpy as np
import pytest
from scipy import special
import tensorflow as tf

from dl_condind.methods import factor_vae
from dl_condind.methods import optimizers
from dl_condind.methods import vae
from dl_condind.utils import configs

SEED = (5, 6)


def columns_of(z, seed=SEED):
  return factor_vae.shuffle_latents(tf.constant(z), tf.constant(seed)).numpy().T


def test_shuffling_permutes_each_latent_on_its_own():
  z = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
  shuffled = columns_of(z)
  orders = []
  for column, original in zip(shuffled, z.T, strict=True):
    np.testing.assert_array_equal(np.sort(column), np.sort(original))
    orders.append(tuple(np.flatnonzero(original == value).item() for value in column))
  assert len({*orders, tuple(range(50))}) == 5


def test_shuffling_depends_on_the_seed_alone():
  z = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
  np.testing.assert_array_equal(columns_of(z), columns_of(z))
  np.testing.assert_array_equal(columns_of(2 * z), 2 * columns_of(z))
  for other in [(5, 7), (6, 6)]:
    assert np.mean(columns_of(z) == columns_of(z, other)) < 0.2


def test_every_permutation_is_equally_likely():
  # 3000 columns of the same 3 numbers: 6 permutations of 500 each, stddev sqrt(500 * 5 / 6) = 20.
  z = np.tile(np.float32([[0], [1], [2]]), (1, 3000))
  _, counts = np.unique(columns_of(z), axis=0, return_counts=True)
  assert len(counts) == 6
  assert np.max(np.abs(counts - 500)) < 100


def test_shuffling_removes_correlation():
  x = np.random.default_rng(0).normal(size=(2000, 1)).astype(np.float32)
  assert abs(np.corrcoef(columns_of(np.tile(x, 2)))[0, 1]) < 0.1


LOGITS = np.float32([[1, -1], [0.5, 2], [-3, 0], [40, -40]])
OTHER_LOGITS = np.float32([[0, 0], [1, 3], [2, -2], [-40, 40]])


def test_total_correlation():
  assert float(factor_vae.total_correlation(LOGITS)) == pytest.approx((2 - 1.5 - 3 + 80) / 4)


def test_discriminator_loss():
  joint, product = (
    np.clip(special.softmax(x.astype(np.float64), axis=1), 1e-6, 1 - 1e-6)
    for x in (LOGITS, OTHER_LOGITS)
  )
  expected = -0.5 * np.mean(np.log(joint[:, 0])) - 0.5 * np.mean(np.log(product[:, 1]))
  value = factor_vae.discriminator_loss(LOGITS, OTHER_LOGITS)
  assert float(value) == pytest.approx(expected, rel=1e-5)


def test_discriminator_loss_at_known_values():
  zeros = tf.zeros([4, 2])
  assert float(factor_vae.discriminator_loss(zeros, zeros)) == pytest.approx(np.log(2))
  right, wrong = tf.constant([[50.0, -50.0]]), tf.constant([[-50.0, 50.0]])
  assert float(factor_vae.discriminator_loss(right, wrong)) == pytest.approx(0, abs=2e-6)
  assert float(factor_vae.discriminator_loss(wrong, right)) == pytest.approx(
    -np.log(1e-6), rel=1e-5
  )


@pytest.mark.parametrize("gamma", [0.0, 35.0])
def test_losses(build, observations, gamma):
  model = build(factor_vae.FactorVAE(gamma), correlation=0.9)
  noise_seed, shuffle_seed = tf.unstack(tf.random.split(tf.constant(SEED), 2))
  plain, z = vae.BaseVAE.vae_losses(model, observations, noise_seed)
  logits = np.float64(model.discriminator(z))
  shuffled_logits = np.float64(model.discriminator(factor_vae.shuffle_latents(z, shuffle_seed)))
  log_joint, log_product = (special.log_softmax(x, axis=1) for x in (logits, shuffled_logits))
  total_correlation = np.mean(logits[:, 0] - logits[:, 1])
  kl_loss = float(plain["kl_loss"])
  reconstruction_loss = float(plain["reconstruction_loss"])

  values = model.compute_losses(observations, tf.constant(SEED))
  assert {name: float(value) for name, value in values.items()} == pytest.approx(
    {
      "loss": reconstruction_loss + kl_loss + gamma * total_correlation,
      "reconstruction_loss": reconstruction_loss,
      "elbo": -(reconstruction_loss + kl_loss),
      "regularizer": kl_loss + gamma * total_correlation,
      "kl_loss": kl_loss,
      "kl_loss_full": kl_loss - 0.5 * np.log(0.1**2 * 2.8),
      "discriminator_loss": -0.5 * np.mean(log_joint[:, 0] + log_product[:, 1]),
    },
    rel=1e-5,
  )


def parts_of(model):
  return {
    "vae": model.encoder.trainable_variables + model.decoder.trainable_variables,
    "discriminator": model.discriminator.trainable_variables,
  }


def values_of(variables):
  return [variable.numpy() for variable in variables]


def first_adam_step(variable, gradient, learning_rate, beta1, beta2):
  mean, square = (1 - beta1) * gradient, (1 - beta2) * gradient**2
  rate = learning_rate * np.sqrt(1 - beta2) / (1 - beta1)
  return variable - rate * mean / (np.sqrt(square) + 1e-8)


def test_both_networks_are_updated_from_the_weights_before_the_step(build, observations):
  model = build(factor_vae.FactorVAE(gamma=35.0))
  gradients = {}
  for part, name in [("vae", "loss"), ("discriminator", "discriminator_loss")]:
    with tf.GradientTape() as tape:
      loss = model.compute_losses(observations, tf.constant(SEED))[name]
    gradients[part] = [np.float64(g) for g in tape.gradient(loss, parts_of(model)[part])]
  before = {part: values_of(variables) for part, variables in parts_of(model).items()}
  model.train_step(observations, tf.constant(SEED))

  settings = {"vae": (1e-3, 0.9, 0.999), "discriminator": (2e-3, 0.5, 0.9)}
  for part, variables in parts_of(model).items():
    for variable, value, gradient in zip(variables, before[part], gradients[part], strict=True):
      expected = first_adam_step(np.float64(value), gradient, *settings[part])
      np.testing.assert_allclose(variable.numpy(), expected, rtol=1e-5, atol=1e-6)
  assert int(model.global_step) == 1
  assert int(model.optimizer.iterations) == 1
  assert int(model.discriminator_optimizer.iterations) == 1


@pytest.mark.parametrize(
  "name, untouched", [("optimizer", "discriminator"), ("discriminator_optimizer", "vae")]
)
def test_an_optimizer_does_not_touch_the_other_networks(
  give_small_parts, observations, name, untouched
):
  values = []
  for learning_rate in (1e-4, 0.1):
    model = give_small_parts(factor_vae.FactorVAE(gamma=35.0))
    setattr(model, name, optimizers.adam(learning_rate))
    model.build((4, 4, 1), seed=1)
    model.train_step(observations, tf.constant(SEED))
    values.append({part: values_of(variables) for part, variables in parts_of(model).items()})
  slow, fast = values
  for part in ("vae", "discriminator"):
    equal = [np.array_equal(*pair) for pair in zip(slow[part], fast[part], strict=True)]
    assert all(equal) if part == untouched else not any(equal)


@pytest.mark.parametrize("correlation", [0.0, 0.8])
def test_discriminator_sees_the_correlation_of_the_noise(give_small_parts, correlation):
  model = give_small_parts(factor_vae.FactorVAE(gamma=1.0), correlation)
  model.optimizer = optimizers.adam(1e-9)
  model.discriminator_optimizer = optimizers.adam(0.02)
  model.build((4, 4, 1), seed=1)
  images = tf.zeros([300, 4, 4, 1])  # So that q(z) is N(0, R).
  train_step = tf.function(model.train_step)
  for step in range(60):
    train_step(images, tf.constant([0, step]))
  losses = model.compute_losses(images, tf.constant([1, 0]))
  estimate = float(losses["regularizer"] - losses["kl_loss"])
  # The true total correlation is -1/2 log det R, 0 or 1.1312; the discriminator is a small one.
  if correlation:
    assert float(losses["discriminator_loss"]) < 0.55
    assert 0.7 < estimate < 1.5
  else:
    assert float(losses["discriminator_loss"]) == pytest.approx(np.log(2), abs=0.02)
    assert estimate == pytest.approx(0, abs=0.1)


def test_configured():
  configs.parse([], ["factor_vae.gamma = 35."])
  assert gin.get_configurable("factor_vae")().gamma == 35.0
