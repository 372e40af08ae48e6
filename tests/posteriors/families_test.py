"""What holds for every family of posteriors, against TensorFlow Probability and SciPy."""

from helpers import families
import keras
import numpy as np
import pytest
from scipy import stats
import tensorflow as tf
import tensorflow_probability as tfp

import dl_condind as dl
from dl_condind.posteriors import gaussian_formulas
from dl_condind.training import gin_parts
from dl_condind.utils import configs
from dl_condind.utils import errors

FAMILIES, NUM_LATENT = families.FAMILIES, families.NUM_LATENT
each_family = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)


def encoded_of(family, num=5, dtype=np.float64, seed=0):
  rng = np.random.default_rng(seed)
  shapes = [
    (num, NUM_LATENT),
    (num, NUM_LATENT),
    (num, family.num_extra(NUM_LATENT)),
  ]
  z_mean, z_logvar, extra = (tf.constant(rng.normal(size=shape).astype(dtype)) for shape in shapes)
  return dl.posteriors.Encoded(z_mean, z_logvar, extra if extra.shape[1] else None)


def covariances(family, encoded):
  scale_tril = family.scale_tril(*encoded[1:]).numpy()
  return scale_tril @ np.swapaxes(scale_tril, 1, 2)


def test_every_family_of_the_package_is_tested():
  classes = {getattr(dl.posteriors, name) for name in dl.posteriors.__all__}
  classes -= {dl.posteriors.Encoded, dl.posteriors.Posterior}
  # Subclasses of FixedCorrelation add a constructor alone.
  of_files = {type(family) for family in FAMILIES.values()}
  assert {c for c in classes if not issubclass(c, dl.posteriors.FixedCorrelation)} <= of_files


@each_family
def test_scales_are_lower_triangular_with_a_positive_diagonal(family):
  scale_tril = family.scale_tril(*encoded_of(family)[1:]).numpy()
  assert scale_tril.shape == (5, NUM_LATENT, NUM_LATENT)
  np.testing.assert_array_equal(scale_tril, np.tril(scale_tril))
  assert (np.diagonal(scale_tril, axis1=1, axis2=2) > 0).all()


@each_family
def test_kl_is_that_of_tensorflow_probability(family):
  encoded = encoded_of(family)
  prior = tfp.distributions.MultivariateNormalTriL(scale_tril=tf.eye(NUM_LATENT, dtype=tf.float64))
  expected = tfp.distributions.kl_divergence(family.distribution(*encoded), prior)
  np.testing.assert_allclose(family.kl(*encoded), expected, rtol=1e-9)
  gap = family.kl(*encoded) - family.kl_loss(*encoded)
  np.testing.assert_allclose(gap, family.kl_missing_in_loss(*encoded[1:]) + 0 * gap, atol=1e-12)


@each_family
def test_kl_loss_is_of_the_kind_that_the_family_states(family):
  encoded = encoded_of(family)
  factorized = gaussian_formulas.factorized_kl(encoded.z_mean, family.marginal_logvar(*encoded[1:]))
  kinds = {"full": family.kl(*encoded), "factorized": factorized}
  np.testing.assert_allclose(family.kl_loss(*encoded), kinds[family.kl_kind], rtol=1e-9)


@each_family
def test_marginals_and_total_correlation_are_those_of_the_covariance(family):
  encoded = encoded_of(family)
  covariance = covariances(family, encoded)
  variances = np.diagonal(covariance, axis1=1, axis2=2)
  np.testing.assert_allclose(
    family.marginal_logvar(*encoded[1:]), np.log(variances), rtol=1e-9, atol=1e-12
  )
  # TC = sum of the marginals' entropies - joint entropy
  expected = 0.5 * np.log(variances).sum(axis=1) - 0.5 * np.linalg.slogdet(covariance)[1]
  found = family.conditional_total_correlation(*encoded[1:]) + np.zeros(5)
  np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


@each_family
@pytest.mark.parametrize("density", gaussian_formulas.DENSITIES)
def test_log_density_of_each_point_under_each_posterior_is_scipys(family, density):
  encoded = encoded_of(family)
  covariance = covariances(family, encoded)
  if density == "factorized":
    covariance = covariance * np.eye(NUM_LATENT)
  z = np.random.default_rng(1).normal(size=(4, NUM_LATENT))
  expected = [
    [
      stats.multivariate_normal.logpdf(point, mean, matrix)
      for mean, matrix in zip(encoded.z_mean, covariance, strict=True)
    ]
    for point in z
  ]
  found = family.log_density(tf.constant(z)[:, None], *encoded, density=density)
  np.testing.assert_allclose(found, expected, rtol=1e-9)


@each_family
def test_samples_have_the_covariance(family):
  encoded = encoded_of(family, num=1)
  covariance = covariances(family, encoded)[0]
  many = [None if part is None else tf.repeat(part, 40_000, axis=0) for part in encoded]
  z = family.sample(*many, seed=tf.constant([0, 1])).numpy()
  np.testing.assert_allclose(z.mean(axis=0), encoded.z_mean[0], atol=0.05)
  # A covariance's standard error is at most sqrt(2 / 40000) = 0.007 of the variances.
  scale = np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)))
  np.testing.assert_allclose(np.cov(z.T) / scale, covariance / scale, atol=0.03)


# Families whose settings leave the noise independent.
TRIVIAL = {
  "equicorrelated": dl.posteriors.Equicorrelated(0.0),
  "block": dl.posteriors.Block([2, 1], 0.0),
  "autoregressive": dl.posteriors.Autoregressive(0.0),
  "low_rank": dl.posteriors.LowRank(2, 0.0),
  "random_correlation": dl.posteriors.RandomCorrelation(0, 0.0),
  "rotated": dl.posteriors.Rotated(rotation=np.eye(NUM_LATENT)),
}


@pytest.mark.parametrize("family", TRIVIAL.values(), ids=TRIVIAL)
def test_without_correlation_a_family_is_independent_bit_for_bit(family):
  independent = FAMILIES["independent"]
  z_mean, *_ = encoded = encoded_of(independent, dtype=np.float32)
  seed = tf.constant([3, 4])
  for of_family in (
    lambda f: f.sample(*encoded, seed=seed),
    lambda f: f.kl_loss(*encoded),
    lambda f: f.kl(*encoded),
    lambda f: f.full_log_density(z_mean + 1, *encoded),
  ):
    np.testing.assert_array_equal(of_family(family), of_family(independent))


def test_rotated_noise_is_independent_along_its_axes():
  family = dl.posteriors.Rotated(seed=5)
  encoded = encoded_of(family)
  axes = family.matrix(NUM_LATENT)
  along = axes.T @ covariances(family, encoded) @ axes
  np.testing.assert_allclose(
    along, np.exp(encoded.z_logvar)[:, :, None] * np.eye(NUM_LATENT), atol=1e-12
  )
  np.testing.assert_allclose(axes @ axes.T, np.eye(NUM_LATENT), atol=1e-12)


@pytest.mark.parametrize("target", [0.5, 9.2575, 15.0])
def test_a_random_correlation_has_the_total_correlation_asked_for(target):
  matrices = [dl.posteriors.RandomCorrelation(seed, target).matrix(10) for seed in (0, 1)]
  for matrix in matrices:
    assert -0.5 * np.linalg.slogdet(matrix)[1] == pytest.approx(target, rel=1e-9)
  assert np.abs(matrices[0] - matrices[1]).max() > 0.01


@pytest.mark.parametrize("seed", range(16))
def test_a_random_correlation_of_none_is_none(seed):
  matrix = dl.posteriors.RandomCorrelation(seed, 0.0).matrix(10)
  np.testing.assert_allclose(matrix, np.eye(10), atol=1e-6)


def test_other_correlations_are_those_of_their_equations():
  blocks = dl.posteriors.Block([2, 3], 0.4).matrix(5)
  is_same = np.equal.outer([0, 0, 1, 1, 1], [0, 0, 1, 1, 1])
  np.testing.assert_array_equal(blocks, np.where(is_same, 0.4, 0.0) + 0.6 * np.eye(5))
  series = dl.posteriors.Autoregressive(-0.7)
  distances = np.abs(np.subtract.outer(np.arange(5), np.arange(5)))
  np.testing.assert_allclose(series.matrix(5), (-0.7) ** distances)
  found = series.conditional_total_correlation(tf.zeros([1, 5]))
  assert found == pytest.approx(-2 * np.log(1 - 0.49))
  low = dl.posteriors.LowRank(2, 0.9, seed=1).matrix(6)
  eigenvalues = np.linalg.eigvalsh(low)
  np.testing.assert_allclose(eigenvalues[:4], 0.1, rtol=1e-9)  # all but the two causes
  assert eigenvalues[4] > 1 and eigenvalues.sum() == pytest.approx(6)


def test_a_learned_correlation_starts_at_the_given_one():
  matrix = dl.posteriors.Equicorrelated(0.9).matrix(NUM_LATENT)
  family = dl.posteriors.LearnedCorrelation(initial=matrix)
  z_logvar = encoded_of(family).z_logvar
  extra = tf.constant(np.tile(family.initial_extra(NUM_LATENT), (5, 1)))
  expected = dl.posteriors.GivenCorrelation(matrix).scale_tril(z_logvar)
  np.testing.assert_allclose(family.scale_tril(z_logvar, extra), expected, rtol=1e-9)
  found = family.summaries(z_logvar, extra)
  assert float(found.pop("conditional_total_correlation")) == pytest.approx(
    -0.5 * np.linalg.slogdet(matrix)[1]
  )
  elements = {f"noise_correlation_{i}_{j}": 0.9 for i, j in ((1, 0), (2, 0), (2, 1))}
  assert {key: float(value) for key, value in found.items()} == pytest.approx(elements)


@pytest.mark.parametrize(
  "family, message",
  [
    (lambda: dl.posteriors.Rotated(), "either rotated.rotation, a matrix, or rotated.seed"),
    (lambda: dl.posteriors.Rotated(np.eye(3), 0), "either rotated.rotation"),
    (lambda: dl.posteriors.Rotated(np.eye(2)), r"must be \[3, 3\] for 3 latents, got \[2, 2\]"),
    (lambda: dl.posteriors.Rotated(2 * np.eye(3)), "must be orthogonal: U U.T differs from I by 3"),
    (lambda: dl.posteriors.Block([2, 2], 0.5), r"add up to 3, .*, got \[2, 2\]"),
    (lambda: dl.posteriors.Block([3], -0.6), r"block.correlation must be in \(-0.5, 1\)"),
    (lambda: dl.posteriors.Autoregressive(1.0), r"must be in \(-1, 1\), got 1.0"),
    (lambda: dl.posteriors.LowRank(0, 0.5), "low_rank.rank must be at least 1, got 0"),
    (lambda: dl.posteriors.LowRank(1, 1.0), r"low_rank.correlation must be in \[0, 1\), got 1.0"),
    (lambda: dl.posteriors.RandomCorrelation(0, -1.0), r"must be in \[0, .*\] for 3 latents"),
    (lambda: dl.posteriors.RandomCorrelation(0, 1e4), "for 3 latents and seed 0, got 10000"),
    (lambda: dl.posteriors.RandomCorrelation(-1, 1.0), r"random_correlation\.seed must be in \[0"),
    (lambda: dl.posteriors.Rotated(seed=-1), r"rotated\.seed must be in \[0, 2\*\*32\), got -1"),
    (lambda: dl.posteriors.LowRank(1, 0.5, seed=-1), r"low_rank\.seed must be in \[0"),
    (lambda: dl.posteriors.LearnedCorrelation(np.eye(2)), r"initial must be \[3, 3\] for 3"),
    (lambda: dl.posteriors.LearnedCorrelation(2 * np.eye(3)), "ones on its diagonal"),
  ],
)
def test_settings_that_make_no_family_are_refused(family, message):
  with pytest.raises(ValueError, match=message):
    family().check(NUM_LATENT)


def test_isotropic_has_one_variance_per_image():
  _, z_logvar, _ = encoded = encoded_of(FAMILIES["isotropic"])
  expected = np.exp(z_logvar.numpy().mean(axis=1))[:, None, None] * np.eye(NUM_LATENT)
  np.testing.assert_allclose(covariances(FAMILIES["isotropic"], encoded), expected, rtol=1e-9)


def test_full_is_independent_where_extra_is_0():
  z_mean, z_logvar, _ = encoded_of(FAMILIES["independent"], dtype=np.float32)
  zeros = tf.zeros([5, FAMILIES["full"].num_extra(NUM_LATENT)])
  np.testing.assert_allclose(  # Processors round the exponential of float32 differently by shape.
    FAMILIES["full"].scale_tril(z_logvar, zeros),
    FAMILIES["independent"].scale_tril(z_logvar),
    rtol=1e-6,
  )
  kl = FAMILIES["full"].kl(z_mean, z_logvar, zeros)
  np.testing.assert_allclose(kl, gaussian_formulas.factorized_kl(z_mean, z_logvar), rtol=1e-5)


def test_full_reaches_every_correlation():
  """Inverts the parametrization for a random covariance."""
  family = FAMILIES["full"]
  factors = np.random.default_rng(2).normal(size=(NUM_LATENT, NUM_LATENT + 1))
  covariance = factors @ factors.T
  cholesky = np.linalg.cholesky(covariance)
  rows = cholesky / np.diag(cholesky)[:, None]  # ones on the diagonal
  matrix = np.zeros((NUM_LATENT - 1, NUM_LATENT - 1))
  matrix[np.tril_indices(NUM_LATENT - 1)] = rows[np.tril_indices(NUM_LATENT, -1)]
  extra = tfp.math.fill_triangular_inverse(tf.constant(matrix[None]))
  logvar = tf.constant(np.log(np.diag(covariance))[None])
  scale_tril = family.scale_tril(logvar, extra)[0].numpy()
  np.testing.assert_allclose(scale_tril, cholesky, rtol=1e-9)


@pytest.mark.parametrize("num_latent", [1, 2, 5])
def test_full_of_any_number_of_latents(num_latent):
  family = FAMILIES["full"]
  num_extra = family.num_extra(num_latent)
  extra = tf.ones([2, num_extra]) if num_extra else None
  scale_tril = family.scale_tril(tf.zeros([2, num_latent]), extra)
  np.testing.assert_allclose(tf.reduce_sum(scale_tril**2, axis=2), np.ones((2, num_latent)), 1e-6)


@pytest.mark.parametrize(
  "name, family", [("isotropic", dl.posteriors.Isotropic), ("full", dl.posteriors.Full)]
)
def test_family_in_gin(name, family):
  assert type(FAMILIES[name]) is family
  configs.parse(
    [f"posteriors/{name}.gin"],
    ["posterior.noise_correlation = @independent"],
  )
  with pytest.raises(errors.ConfigError, match="leave out one of them"):
    gin_parts.posterior()


MODELS = {
  "vae": lambda **parts: dl.BetaVAE(2.0, **parts),
  "beta_tc_vae, full": lambda **parts: dl.BetaTCVAE(6.0, "full", **parts),
  "dip_vae ii": lambda **parts: dl.DIPVAE(1.0, 1.0, "ii", **parts),
  "factor_vae": lambda **parts: dl.FactorVAE(10.0, **parts),
}


NOT_FIXED = ["isotropic", "full", "rotated", "rotated full", "learned_correlation"]


@pytest.mark.parametrize("family", [FAMILIES[name] for name in NOT_FIXED], ids=NOT_FIXED)
@pytest.mark.parametrize("make_model", MODELS.values(), ids=MODELS)
def test_every_method_trains_every_weight_of_the_family(family, make_model):
  model = make_model(
    num_latent=NUM_LATENT,
    posterior=family,
    encoder=dl.networks.test_encoder,
    decoder=dl.networks.test_decoder,
  )
  model.build((4, 4, 1), seed=0)
  images = tf.constant(np.random.default_rng(0).uniform(size=(6, 4, 4, 1)), tf.float32)
  losses = model.compute_losses(images, tf.constant([0, 1]))
  terms = model.elbo_terms(images, tf.constant([0, 1]))
  full = np.mean(terms["kl_loss_full"])
  # KL(q || N(0, I)) = sum over latents of that of the marginals + TC(q)
  total_correlation = family.conditional_total_correlation(*model.encode(images)[1:])
  np.testing.assert_allclose(
    terms["kl_loss_full"], terms["kl_loss"] + total_correlation, rtol=1e-4, atol=1e-5
  )
  assert float(losses["kl_loss"]) == pytest.approx(full, rel=1e-5)
  assert float(losses["kl_loss_full"]) == pytest.approx(full, rel=1e-5)
  with tf.GradientTape() as tape:
    loss = model.compute_losses(images, tf.constant([0, 1]))["loss"]
  for gradient in tape.gradient(loss, model.vae_variables):
    assert np.any(gradient != 0)
    assert np.all(np.isfinite(gradient))


def test_a_learned_correlation_is_trained_and_the_same_for_every_image():
  initial = dl.posteriors.Equicorrelated(0.5).matrix(NUM_LATENT)
  model = dl.BetaVAE(
    1.0,
    num_latent=NUM_LATENT,
    posterior=dl.posteriors.LearnedCorrelation(initial),
    encoder=dl.networks.test_encoder,
    decoder=dl.networks.test_decoder,
  )
  model.build((4, 4, 1), seed=0)
  images = tf.constant(np.random.default_rng(0).uniform(size=(6, 4, 4, 1)), tf.float32)

  def correlation():
    covariance = covariances(model.posterior, model.encode(images))
    scale = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    return covariance / scale[:, :, None] / scale[:, None, :]

  np.testing.assert_allclose(correlation(), np.tile(initial, (6, 1, 1)), rtol=1e-5)
  for step in range(3):
    model.train_step(images, tf.constant([0, step]))
  after = correlation()
  np.testing.assert_allclose(after, np.tile(after[0], (6, 1, 1)), rtol=1e-5)
  assert np.abs(after[0] - initial).max() > 1e-4


def test_an_encoder_without_what_the_family_needs_is_refused():
  images = keras.Input((4, 4, 1))
  hidden = keras.layers.Flatten()(images)
  heads = [keras.layers.Dense(NUM_LATENT, name=name)(hidden) for name in ("a", "b")]
  model = dl.BetaVAE(
    1.0,
    num_latent=NUM_LATENT,
    posterior=FAMILIES["full"],
    encoder=keras.Model(images, heads),
    decoder=dl.networks.test_decoder,
  )
  with pytest.raises(errors.ConfigError, match="needs 3 numbers per image .* named 'means'"):
    model.build((4, 4, 1), seed=0)


def test_infogan_with_a_learned_covariance():
  model = dl.InfoGAN(num_continuous=3, num_categories=0, posterior=FAMILIES["full"])
  model.build((8, 8, 1), seed=0)
  images = tf.constant(np.random.default_rng(0).uniform(size=(6, 8, 8, 1)), tf.float32)
  before = [
    variable.numpy().copy() for variable in model.recognition_head.get_layer("extra").weights
  ]
  losses = model.train_step(images, tf.constant([0, 1]))
  assert all(np.isfinite(value) for value in losses.values())
  for variable, value in zip(
    model.recognition_head.get_layer("extra").weights, before, strict=True
  ):
    assert np.any(variable.numpy() != value)
