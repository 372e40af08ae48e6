import gin
import numpy as np
import pytest
import tensorflow as tf

from dl_condind import posteriors
from dl_condind.methods import dip_vae
from dl_condind.utils import configs
from dl_condind.utils import errors

SEED = (5, 6)


def random_gaussians(batch_size=8, num_latent=4):
  rng = np.random.default_rng(0)
  z_mean = rng.normal(loc=3, size=(batch_size, num_latent)).astype(np.float32)
  z_logvar = rng.uniform(-3, 0.5, size=(batch_size, num_latent)).astype(np.float32)
  return z_mean, z_logvar


def regularizer_of(model, kl_loss, z_mean, z_logvar):
  encoded = posteriors.Encoded(tf.constant(z_mean), tf.constant(z_logvar))
  return model.posterior_regularizer(tf.constant(kl_loss), encoded, None)


def distance(matrix, lambda_od, lambda_d):
  off_diagonal = matrix - np.diag(np.diag(matrix))
  return lambda_od * np.sum(off_diagonal**2) + lambda_d * np.sum((np.diag(matrix) - 1) ** 2)


def test_covariance_is_numpys():
  samples, _ = random_gaussians()
  expected = np.cov(samples.astype(np.float64).T, bias=True)
  np.testing.assert_allclose(
    dip_vae.covariance(tf.constant(samples)), expected, rtol=1e-5, atol=1e-6
  )


def test_covariance_of_many_samples():
  stddev = np.float32([1, 2, 0.5])
  samples = np.random.default_rng(0).normal(size=(100_000, 3)).astype(np.float32) * stddev + 10
  # Standard errors are at most 4 * sqrt(2 / 100000) = 0.018.
  np.testing.assert_allclose(
    dip_vae.covariance(tf.constant(samples)), np.diag(stddev**2), atol=0.08
  )


def means_with_covariance(matrix):
  """64 means whose covariance is the 10 x 10 matrix."""
  columns = np.random.default_rng(0).normal(size=(64, 10))
  basis = np.linalg.qr(np.column_stack([np.ones(64), columns]))[0][:, 1:]
  values, vectors = np.linalg.eigh(matrix)
  return np.float32(8 * basis @ (vectors * np.sqrt(np.maximum(values, 0))).T)


@pytest.mark.parametrize(
  "matrix, expected",
  [
    (np.ones([10, 10]), 90),
    (np.zeros([10, 10]), 10),
    (np.eye(10), 0),
    (2 * np.eye(10), 10),
  ],
)
def test_distance_at_known_values(build, matrix, expected):
  model = build(dip_vae.DIPVAE(lambda_od=1.0, lambda_d_factor=1.0), num_latent=10)
  z_mean = tf.constant(means_with_covariance(matrix))
  value = regularizer_of(model, 0.0, z_mean, tf.zeros_like(z_mean))
  assert float(value) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("correlation", [0.0, 0.8])
@pytest.mark.parametrize("dip_type", ["i", "ii"])
def test_regularizer(build, dip_type, correlation):
  model = build(dip_vae.DIPVAE(2.0, 10.0, dip_type), correlation, num_latent=4)
  z_mean, z_logvar = random_gaussians()
  covariance = np.cov(z_mean.astype(np.float64).T, bias=True)
  if dip_type == "ii":
    stddev = np.exp(z_logvar.astype(np.float64) / 2)
    covariances = stddev[:, :, None] * model.posterior.matrix(4) * stddev[:, None, :]
    covariance += covariances.mean(axis=0)
  expected = 3 + distance(covariance, lambda_od=2, lambda_d=20)
  value = regularizer_of(model, 3.0, z_mean, z_logvar)
  assert float(value) == pytest.approx(expected, rel=1e-5)


def test_type_ii_with_independent_noise_adds_the_mean_variances(build):
  model = build(dip_vae.DIPVAE(2.0, 1.0, "ii"), correlation=0.0, num_latent=4)
  z_mean, z_logvar = random_gaussians()
  covariance = np.cov(z_mean.T, bias=True) + np.diag(np.exp(z_logvar).mean(axis=0))
  value = regularizer_of(model, 0.0, z_mean, z_logvar)
  assert float(value) == pytest.approx(distance(covariance, 2, 2), rel=1e-5)


def test_type_ii_is_the_covariance_of_the_samples(build):
  """The law of total covariance: what is regularized is Cov(z) over images and noise."""
  model = build(dip_vae.DIPVAE(1.0, 1.0, "ii"), correlation=0.8, num_latent=4)
  z_mean, z_logvar = (tf.constant(np.tile(x, (20_000, 1))) for x in random_gaussians())
  z = model.posterior.distribution(z_mean, z_logvar).sample(seed=tf.constant(SEED)).numpy()
  value = regularizer_of(model, 0.0, z_mean, z_logvar)
  expected = distance(np.cov(z.T.astype(np.float64), bias=True), 1, 1)
  assert float(value) == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("dip_type", ["i", "ii"])
def test_loss(build, observations, dip_type):
  model = build(dip_vae.DIPVAE(2.0, 10.0, dip_type))
  values = model.compute_losses(observations, tf.constant(SEED))
  encoded = model.encode(observations)
  regularizer = float(model.posterior_regularizer(values["kl_loss"], encoded, None))
  assert float(values["regularizer"]) == pytest.approx(regularizer, rel=1e-6)
  loss = float(values["reconstruction_loss"]) + regularizer
  assert float(values["loss"]) == pytest.approx(loss, rel=1e-6)


def test_unknown_type():
  with pytest.raises(errors.ConfigError, match=r"dip_vae\.dip_type must be .* got 'iii'"):
    dip_vae.DIPVAE(1.0, 1.0, "iii")


def test_configured():
  configs.parse(
    [],
    ["dip_vae.lambda_od = 5.", "dip_vae.lambda_d_factor = 10.", "dip_vae.dip_type = 'ii'"],
  )
  model = gin.get_configurable("dip_vae")()
  assert (model.lambda_od, model.lambda_d_factor, model.dip_type) == (5.0, 10.0, "ii")
