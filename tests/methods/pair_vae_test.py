"""The four models that learn from pairs, and what they average."""

import inspect

from helpers import families
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from dl_condind.data import batches
from dl_condind.data.ground_truth import dummy_data
from dl_condind.methods import group_vae
from dl_condind.methods import ml_vae
from dl_condind.methods import pair_vae
from dl_condind.methods import vae
from dl_condind.utils import errors

SEED = (5, 6)
MODELS = {
  "AdaGVAE": group_vae.AdaGVAE,
  "GroupVAE": group_vae.GroupVAE,
  "AdaMLVAE": ml_vae.AdaMLVAE,
  "MLVAE": ml_vae.MLVAE,
}
each_model = pytest.mark.parametrize("make_model", list(MODELS.values()), ids=list(MODELS))
MEANS = np.array([[0.0, 1.0, -1.0]]), np.array([[1.0, 1.0, 1.0]])
VARIANCES = np.array([[1.0, 0.25, 0.5]]), np.array([[2.0, 0.25, 0.125]])


def marginals(mean, variance):
  return pair_vae.Marginals(tf.constant(mean), tf.math.log(tf.constant(variance)))


PAIR = [marginals(*each) for each in zip(MEANS, VARIANCES, strict=True)]


def test_divergences_are_twice_the_kl_as_in_disentanglement_lib():
  delta = pair_vae.divergences(*PAIR)[0]
  np.testing.assert_allclose(delta, [np.log(2), 0, 35 - np.log(4)], rtol=0, atol=1e-10)
  np.testing.assert_allclose(delta, [0.6931471806, 0, 33.6137056389], rtol=0, atol=1e-10)
  first, second = (tfp.distributions.Normal(p.mean, tf.exp(0.5 * p.logvar)) for p in PAIR)
  np.testing.assert_allclose(delta, 2 * first.kl_divergence(second)[0], rtol=1e-10, atol=1e-12)
  assert pair_vae.are_close(*PAIR).numpy().tolist() == [[True, True, False]]


def test_the_threshold_is_the_middle_of_each_pair():
  zeros = tf.zeros([3, 3], tf.float64)
  # delta = m^2 at variance 1.
  means = tf.constant([[0.0, 0.1, 0.05], [3.0, 4.0, 5.0], [1.0, 1.0, 1.0]], tf.float64) ** 0.5
  close = pair_vae.are_close(pair_vae.Marginals(zeros, zeros), pair_vae.Marginals(means, zeros))
  # The middle itself is not close; where all latents are alike, none is.
  assert close.numpy().tolist() == [[True, False, False], [True, False, False], [False] * 3]


def test_averages_of_parameters():
  mean, logvar = pair_vae.average_parameters(*PAIR)
  np.testing.assert_allclose(mean[0], [0.5, 1, 0], rtol=0, atol=1e-10)
  np.testing.assert_allclose(tf.exp(logvar)[0], [1.5, 0.25, 0.3125], rtol=0, atol=1e-10)


def test_averages_of_products():
  mean, logvar = pair_vae.average_product(*PAIR)
  np.testing.assert_allclose(mean[0], [1 / 3, 1, 0.6], rtol=0, atol=1e-10)
  np.testing.assert_allclose(tf.exp(logvar)[0], [4 / 3, 0.25, 0.2], rtol=0, atol=1e-10)
  # The product of the densities is proportional to a normal density of that mean, and of half that
  # variance.
  grid = np.linspace(-10, 10, 20_001)
  densities = [
    np.exp(-0.5 * (grid - m[0, 0]) ** 2 / v[0, 0]) for m, v in zip(MEANS, VARIANCES, strict=True)
  ]
  weights = densities[0] * densities[1] / np.sum(densities[0] * densities[1])
  expected = np.sum(weights * grid)
  assert float(mean[0, 0]) == pytest.approx(expected, abs=1e-10)
  assert float(tf.exp(logvar)[0, 0]) == pytest.approx(
    2 * np.sum(weights * (grid - expected) ** 2), abs=1e-10
  )


def test_all_but_the_latent_of_the_factor_that_changed():
  found = pair_vae.all_but(tf.constant([2, 0]), num_latent=4).numpy()
  assert found.tolist() == [[True, True, False, True], [False, True, True, True]]


@pytest.fixture
def pair():
  """A batch of five pairs of grey images."""
  first, second = np.random.default_rng(1).uniform(size=(2, 5, 4, 4, 1)).astype(np.float32)
  changed = np.array([0, 2, 1, 1, 0], np.int32)
  return batches.Pair(*map(tf.constant, (first, second, changed)))


def average_in_numpy(name, means, variances):
  if "ML" in name:
    variance = 1 / np.mean([1 / v for v in variances], axis=0)
    return np.mean([m / v for m, v in zip(means, variances, strict=True)], axis=0) * variance, (
      variance
    )
  return np.mean(means, axis=0), np.mean(variances, axis=0)


def losses_in_numpy(name, model, pair, correlation):
  """Returns the reconstruction loss and the factorized KL, recomputed pair by pair."""
  parts = [model.encode(images) for images in pair[:2]]
  means = [np.float64(part.z_mean) for part in parts]
  variances = [np.exp(np.float64(part.z_logvar)) for part in parts]
  # The noise of all first images, then of all second ones.
  matrix = np.full((3, 3), correlation) + (1 - correlation) * np.eye(3)
  normal = tfp.distributions.MultivariateNormalTriL(
    tf.zeros([10, 3]), tf.constant(np.linalg.cholesky(matrix)[None].repeat(10, 0), tf.float32)
  )
  noise = np.split(np.float64(normal.sample(seed=tf.constant(SEED))), 2)
  reconstruction_losses, kl_losses = [], []
  for row in range(5):
    m, v = ([values[row] for values in both] for both in (means, variances))
    delta = v[0] / v[1] + (m[1] - m[0]) ** 2 / v[1] - 1 + np.log(v[1] / v[0])
    is_shared = delta < (delta.min() + delta.max()) / 2
    if "Ada" not in name:
      is_shared = np.arange(3) != int(pair.changed[row])
    assert 0 < is_shared.sum() < 3
    averages = average_in_numpy(name, m, v)
    for image in range(2):
      mean, variance = (
        np.where(is_shared, average, own[image])
        for average, own in zip(averages, (m, v), strict=True)
      )
      z = np.float32(mean + np.sqrt(variance) * noise[image][row])
      logits = np.float64(model.decode(z[None]))[0]
      true_image = np.float64(pair[image][row])
      reconstruction_losses.append(np.sum(np.logaddexp(0, logits) - true_image * logits))
      kl_losses.append(0.5 * np.sum(mean**2 + variance - np.log(variance) - 1))
  return np.mean(reconstruction_losses), np.mean(kl_losses)


@pytest.mark.parametrize("correlation", [0.0, 0.8])
@pytest.mark.parametrize("name", MODELS)
def test_losses(build, pair, name, correlation):
  model = build(MODELS[name](beta=4.0), correlation)
  reconstruction_loss, kl_loss = losses_in_numpy(name, model, pair, correlation)
  determinant = (1 - correlation) ** 2 * (1 + 2 * correlation)
  values = model.compute_losses(pair, tf.constant(SEED))
  assert {key: float(value) for key, value in values.items()} == pytest.approx(
    {
      "loss": reconstruction_loss + 4 * kl_loss,
      "reconstruction_loss": reconstruction_loss,
      "elbo": -(reconstruction_loss + kl_loss),
      "regularizer": 4 * kl_loss,
      "kl_loss": kl_loss,
      "kl_loss_full": kl_loss - 0.5 * np.log(determinant),
    },
    rel=1e-5,
  )


@each_model
def test_a_pair_of_equal_images_is_two_images_of_a_vae(build, pair, make_model):
  same = batches.Pair(pair.first, pair.first, pair.changed)
  model, plain = build(make_model(beta=2.0)), build(vae.BetaVAE(beta=2.0))
  found = model.compute_losses(same, tf.constant(SEED))
  expected = plain.compute_losses(tf.concat([pair.first] * 2, axis=0), tf.constant(SEED))
  assert {k: float(v) for k, v in found.items()} == pytest.approx(
    {k: float(v) for k, v in expected.items()}, rel=1e-5
  )


@each_model
def test_kl_of_a_batch_is_the_mean_over_batches_of_one_pair(build, pair, make_model):
  model = build(make_model(beta=2.0))
  alone = [batches.Pair(*(part[i : i + 1] for part in pair)) for i in range(5)]
  kl_losses = [model.compute_losses(one, tf.constant(SEED))["kl_loss"] for one in alone]
  expected = model.compute_losses(pair, tf.constant(SEED))["kl_loss"]
  assert np.mean(kl_losses) == pytest.approx(float(expected), rel=1e-5)


@each_model
def test_gradient_goes_through_averages_to_both_images(build, pair, make_model):
  model = build(make_model(beta=1.0))
  with tf.GradientTape() as tape:
    tape.watch([pair.first, pair.second])
    encoded = model.encode(tf.concat(pair[:2], axis=0))
    replaced = model.replaced(pair_vae.Marginals(*encoded[:2]), pair.changed)
    of_first = tf.reduce_sum(replaced.mean[:5]) + tf.reduce_sum(replaced.logvar[:5])
  for gradient in tape.gradient(of_first, [pair.first, pair.second]):
    assert np.all(np.abs(gradient).sum(axis=(1, 2, 3)) > 0)


@each_model
def test_latents_that_are_not_shared_keep_their_posterior(build, pair, make_model):
  model = build(make_model(beta=1.0))
  encoded = model.encode(tf.concat(pair[:2], axis=0))
  replaced = model.replaced(pair_vae.Marginals(*encoded[:2]), pair.changed)
  mean, logvar = (tf.split(part, 2) for part in replaced)
  own_mean, own_logvar = (tf.split(part, 2) for part in encoded[:2])
  is_shared = model.shared(
    pair_vae.Marginals(own_mean[0], own_logvar[0]),
    pair_vae.Marginals(own_mean[1], own_logvar[1]),
    pair.changed,
  ).numpy()
  for found, own in ((mean, own_mean), (logvar, own_logvar)):
    np.testing.assert_array_equal((found[0] == found[1]), is_shared)
    for image in range(2):
      np.testing.assert_array_equal(found[image][~is_shared], own[image][~is_shared])


@pytest.mark.parametrize(
  "family",
  [
    family if name == "rotated" else pytest.param(family, marks=pytest.mark.slow)
    for name, family in families.FAMILIES.items()
  ],
  ids=list(families.FAMILIES),
)
def test_every_family_of_posteriors_trains(pair, family, give_small_parts):
  model = group_vae.AdaGVAE(beta=2.0)
  give_small_parts(model)
  model.posterior = family
  model.build((4, 4, 1), seed=1)
  weights = [variable.numpy() for variable in model.vae_variables]
  first = {name: float(value) for name, value in _losses(model, pair).items()}
  correlation_cost = 0.0
  if family.kl_kind == "factorized":
    encoded = model.encode(tf.concat(pair[:2], axis=0))
    correlation_cost = np.mean(family.conditional_total_correlation(*encoded[1:]))
  assert first["kl_loss_full"] == pytest.approx(first["kl_loss"] + correlation_cost, rel=1e-5)
  for step in range(20):
    model.train_step(pair, tf.constant([0, step]))
  assert float(_losses(model, pair)["loss"]) < first["loss"]
  moved = [
    not np.array_equal(variable, before)
    for variable, before in zip(model.vae_variables, weights, strict=True)
  ]
  assert all(moved)


def _losses(model, pair):
  return model.compute_losses(pair, tf.constant(SEED))


@pytest.mark.parametrize("name", ["GroupVAE", "MLVAE"])
def test_a_factor_without_a_latent_is_one_line(name):
  pairs = batches.Pairs(dummy_data.DummyData(), k=1)
  with pytest.raises(
    errors.ConfigError,
    match=rf"^{name} gives each factor a latent of its own: encoder\.num_latent must be at least "
    r"10, the number of factors of dummy_data, got 9\.$",
  ):
    MODELS[name](beta=1.0, num_latent=9).check_batches(pairs)
  MODELS[name](beta=1.0, num_latent=10).check_batches(pairs)
  group_vae.AdaGVAE(beta=1.0, num_latent=2).check_batches(pairs)


def test_batches_of_the_wrong_kind_are_one_line():
  data = dummy_data.DummyData()
  with pytest.raises(
    errors.ConfigError,
    match=r"^AdaGVAE learns from pairs of images, got single images: make them of the data set by "
    r"dl\.Pairs\(data, k=1\)\.$",
  ):
    group_vae.AdaGVAE(beta=1.0).check_batches(batches.Images(data))
  with pytest.raises(
    errors.ConfigError,
    match=r"^BetaVAE learns from single images, got pairs of images: give it the data set",
  ):
    vae.BetaVAE(beta=1.0).check_batches(batches.Pairs(data, k=1))


@pytest.mark.parametrize(
  "base, models",
  [
    (group_vae.ParameterAveragingVAE, "AdaGVAE, GroupVAE"),
    (ml_vae.ProductAveragingVAE, "AdaMLVAE, MLVAE"),
  ],
)
def test_a_base_is_no_model(base, models):
  assert inspect.isabstract(base)
  with pytest.raises(
    errors.ConfigError,
    match=rf"^{base.__name__} is only the base of models: choose one of {models}",
  ):
    base(beta=1.0)
