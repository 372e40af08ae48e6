import gin
import numpy as np
import pytest
from scipy import special
from scipy import stats
import tensorflow as tf

from dl_condind import posteriors
from dl_condind.methods import beta_tc_vae
from dl_condind.posteriors import gaussian_formulas
from dl_condind.utils import configs
from dl_condind.utils import errors

SEED = (5, 6)


def expected_total_correlation(z, z_mean, z_logvar, noise_correlation):
  """Density by density with SciPy; q(z|x) has noise_correlation, its marginals do not need it."""
  z, z_mean, z_logvar = (np.asarray(array, np.float64) for array in (z, z_mean, z_logvar))
  batch_size = len(z)
  stddev = np.exp(z_logvar / 2)
  covariances = stddev[:, :, None] * noise_correlation * stddev[:, None, :]
  values = []
  for j in range(batch_size):
    log_joint = [
      stats.multivariate_normal.logpdf(z[j], z_mean[i], covariances[i]) for i in range(batch_size)
    ]
    log_marginals = stats.norm.logpdf(z[j], z_mean, stddev)
    values.append(special.logsumexp(log_joint) - special.logsumexp(log_marginals, axis=0).sum())
  return np.mean(values)


def random_batch(batch_size=7, num_latent=4, correlation=0.8):
  rng = np.random.default_rng(0)
  z_mean = rng.normal(size=(batch_size, num_latent)).astype(np.float32)
  z_logvar = rng.uniform(-3, 0.5, size=(batch_size, num_latent)).astype(np.float32)
  posterior = posteriors.Equicorrelated(correlation)
  z = posterior.distribution(z_mean, z_logvar).sample(seed=tf.constant(SEED))
  return z, posteriors.Encoded(z_mean, z_logvar), posterior


@pytest.mark.parametrize("correlation", [-0.2, 0.0, 0.8])
@pytest.mark.parametrize("density", ["factorized", "full"])
def test_total_correlation(density, correlation):
  z, (z_mean, z_logvar, _), posterior = random_batch(correlation=correlation)
  matrix = posterior.matrix(4) if density == "full" else np.eye(4)
  expected = expected_total_correlation(z, z_mean, z_logvar, matrix)
  value = beta_tc_vae.total_correlation(z, posteriors.Encoded(z_mean, z_logvar), posterior, density)
  assert value.shape == ()
  assert float(value) == pytest.approx(expected, rel=1e-4)


def test_density_is_factorized_unless_given():
  batch = random_batch()
  default = float(beta_tc_vae.total_correlation(*batch))
  assert default == float(beta_tc_vae.total_correlation(*batch, density="factorized"))
  assert abs(default - float(beta_tc_vae.total_correlation(*batch, density="full"))) > 0.1


def test_densities_agree_where_the_noise_is_independent():
  batch = random_batch(correlation=0.0)
  values = [
    float(beta_tc_vae.total_correlation(*batch, density=d)) for d in gaussian_formulas.DENSITIES
  ]
  assert values[0] == pytest.approx(values[1], rel=1e-5)


@pytest.mark.parametrize("num_latent, expected", [(1, 0.0), (10, -9 * np.log(100))])
def test_offset_to_the_total_correlation_of_the_mixture(num_latent, expected):
  # All posteriors are N(0, I), and so is their mixture, whose total correlation is 0.
  z = np.random.default_rng(0).normal(size=(100, num_latent)).astype(np.float32)
  zeros = tf.zeros([100, num_latent])
  posterior = posteriors.Independent()
  value = beta_tc_vae.total_correlation(z, posteriors.Encoded(zeros, zeros), posterior)
  assert float(value) == pytest.approx(expected, abs=1e-3)


def test_full_density_sees_the_total_correlation_of_the_noise():
  # All posteriors are N(0, R): the mixture's total correlation is -1/2 log det R = 9.2575 nats.
  zeros = tf.zeros([500, 10])
  posterior = posteriors.Equicorrelated(0.9)
  z = posterior.distribution(zeros, zeros).sample(seed=tf.constant(SEED))
  value = beta_tc_vae.total_correlation(z, posteriors.Encoded(zeros, zeros), posterior, "full")
  # log q(z) - sum log q(z_l) has a stddev of about 3 (the quadratic forms), over sqrt(500).
  assert float(value) + 9 * np.log(500) == pytest.approx(9.2575, abs=0.6)
  factorized = beta_tc_vae.total_correlation(
    z, posteriors.Encoded(zeros, zeros), posterior, "factorized"
  )
  assert float(factorized) + 9 * np.log(500) == pytest.approx(0, abs=2e-3)


@pytest.mark.parametrize("density", ["factorized", "full"])
@pytest.mark.parametrize("beta", [1.0, 6.0])
def test_loss(build, observations, beta, density):
  model = build(beta_tc_vae.BetaTCVAE(beta, density), correlation=0.8)
  z_mean, z_logvar, _ = model.encode(observations)
  z = model.posterior.distribution(z_mean, z_logvar).sample(seed=tf.constant(SEED))
  matrix = model.posterior.matrix(3) if density == "full" else np.eye(3)
  penalty = expected_total_correlation(z, z_mean, z_logvar, matrix)
  values = model.compute_losses(observations, tf.constant(SEED))
  expected = float(values["kl_loss"]) + (beta - 1) * penalty
  assert float(values["regularizer"]) == pytest.approx(expected, rel=1e-4)
  total = float(values["reconstruction_loss"]) + expected
  assert float(values["loss"]) == pytest.approx(total, rel=1e-4)


def test_penalty_of_equal_images_is_the_offset(build):
  model = build(beta_tc_vae.BetaTCVAE(beta=6.0), num_latent=10)
  values = model.compute_losses(tf.fill([16, 4, 4, 1], 0.5), tf.constant(SEED))
  penalty = (float(values["regularizer"]) - float(values["kl_loss"])) / 5
  assert penalty == pytest.approx(-9 * np.log(16), abs=1e-3)


def test_penalty_passes_gradients_to_its_arguments():
  z, (z_mean, z_logvar, _), posterior = random_batch()
  for density in gaussian_formulas.DENSITIES:
    sources = [tf.constant(z), tf.constant(z_mean), tf.constant(z_logvar)]
    with tf.GradientTape() as tape:
      tape.watch(sources)
      value = beta_tc_vae.total_correlation(
        sources[0], posteriors.Encoded(*sources[1:]), posterior, density
      )
    for gradient in tape.gradient(value, sources):
      assert np.all(np.isfinite(gradient))
      assert np.all(np.abs(gradient) > 0)


def test_far_apart_posteriors_give_finite_values():
  z_mean = 1000 * tf.eye(5)
  posterior = posteriors.Independent()
  encoded = posteriors.Encoded(z_mean, tf.fill([5, 5], -10.0))
  value = beta_tc_vae.total_correlation(z_mean, encoded, posterior)
  # Sample j has its own component in the joint; its latent j has 1 component, the other latents 4.
  assert float(value) == pytest.approx(-4 * np.log(4), abs=1e-3)


def test_unknown_density():
  with pytest.raises(errors.ConfigError, match=r"beta_tc_vae\.density must be .* got 'diagonal'"):
    beta_tc_vae.BetaTCVAE(beta=6.0, density="diagonal")


def test_configured():
  configs.parse([], ["beta_tc_vae.beta = 6.", 'beta_tc_vae.density = "full"'])
  model = gin.get_configurable("beta_tc_vae")()
  assert (model.beta, model.density) == (6.0, "full")
