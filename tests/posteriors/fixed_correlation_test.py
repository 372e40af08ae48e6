import gin
import numpy as np
import pytest
from scipy import stats
import tensorflow as tf
import tensorflow_probability as tfp

from dl_condind import posteriors
from dl_condind.posteriors import equicorrelated as equicorrelated_noise
from dl_condind.posteriors import gaussian_formulas
from dl_condind.posteriors import given_correlation
from dl_condind.posteriors import independent
from dl_condind.training import gin_parts
from dl_condind.utils import configs
from dl_condind.utils import errors

# TC(z|x) of equicorrelated noise in nats, for these correlations.
CORRELATIONS = (0.1, 0.3, 0.5, 0.7, 0.9, 0.95, 0.99)
TOTAL_CORRELATIONS = {
  2: (0.0050, 0.0472, 0.1438, 0.3367, 0.8304, 1.1640, 1.9585),
  10: (0.1532, 0.9509, 2.2668, 4.4239, 9.2575, 12.3525, 19.5765),
  20: (0.4686, 2.4374, 5.4092, 10.1076, 20.4266, 26.9859, 42.2560),
}
TABLE = [
  (num_latent, correlation, value)
  for num_latent, values in TOTAL_CORRELATIONS.items()
  for correlation, value in zip(CORRELATIONS, values, strict=True)
]


def random_correlation(num_latent, seed=0):
  """A correlation matrix without structure."""
  factors = np.random.default_rng(seed).normal(size=(num_latent, num_latent + 2))
  covariance = factors @ factors.T
  stddev = np.sqrt(np.diag(covariance))
  return covariance / np.outer(stddev, stddev)


def random_gaussians(batch_size, num_latent, dtype=np.float64):
  rng = np.random.default_rng(1)
  z_mean = rng.normal(size=(batch_size, num_latent)).astype(dtype)
  z_logvar = rng.uniform(-4, 1, size=(batch_size, num_latent)).astype(dtype)
  return z_mean, z_logvar


def covariance_of(z_logvar, noise_correlation):
  stddev = np.exp(z_logvar.astype(np.float64) / 2)
  return np.diag(stddev) @ noise_correlation @ np.diag(stddev)


NOISE_CORRELATIONS = {
  "independent": independent.independent(4),
  "equicorrelated": equicorrelated_noise.equicorrelated(4, 0.9),
  "negative": equicorrelated_noise.equicorrelated(4, -0.3),
  "without structure": random_correlation(4),
}
each_noise_correlation = pytest.mark.parametrize(
  "noise_correlation", NOISE_CORRELATIONS.values(), ids=NOISE_CORRELATIONS
)


def test_independent_noise_is_the_identity():
  np.testing.assert_array_equal(independent.independent(3), np.eye(3))


def test_equicorrelated_matrix():
  matrix = equicorrelated_noise.equicorrelated(3, 0.25)
  np.testing.assert_array_equal(matrix, [[1, 0.25, 0.25], [0.25, 1, 0.25], [0.25, 0.25, 1]])
  np.testing.assert_array_equal(equicorrelated_noise.equicorrelated(5, 0.0), np.eye(5))
  np.testing.assert_array_equal(equicorrelated_noise.equicorrelated(1, 0.9), [[1]])


@pytest.mark.parametrize("num_latent, correlation, total_correlation", TABLE)
def test_determinant_and_total_correlation_of_equicorrelated_noise(
  num_latent, correlation, total_correlation
):
  matrix = equicorrelated_noise.equicorrelated(num_latent, correlation)
  determinant = (1 - correlation) ** (num_latent - 1) * (1 + (num_latent - 1) * correlation)
  posterior = posteriors.Equicorrelated(correlation)

  assert np.linalg.det(matrix) == pytest.approx(determinant, rel=1e-9)
  value = posterior.conditional_total_correlation(tf.zeros([1, num_latent]))
  assert value == pytest.approx(-0.5 * np.log(determinant), rel=1e-9)
  assert value == pytest.approx(total_correlation, abs=1e-4)


@pytest.mark.parametrize("correlation", [-0.11, 0.0, 0.9999])
def test_all_correlations_in_range_give_a_positive_definite_matrix(correlation):
  matrix = equicorrelated_noise.equicorrelated(10, correlation)
  smallest, largest = np.linalg.eigvalsh(matrix)[[0, -1]]
  expected = sorted([1 - correlation, 1 + 9 * correlation])
  assert [smallest, largest] == pytest.approx(expected, rel=1e-6)
  posteriors.Equicorrelated(correlation)


@pytest.mark.parametrize("correlation", [1.0, 1.5, -1 / 9, -0.2, float("nan"), float("inf")])
def test_correlation_out_of_range(correlation):
  message = r"equicorrelated\.correlation must be in \(-0\.111111, 1\) for 10 latents, got "
  with pytest.raises(errors.ConfigError, match=message):
    equicorrelated_noise.equicorrelated(10, correlation)


@pytest.mark.parametrize("correlation", [1.0, -1.0])
def test_correlation_out_of_range_for_one_latent(correlation):
  with pytest.raises(ValueError, match=r"must be in \(-1, 1\) for 1 latents"):
    equicorrelated_noise.equicorrelated(1, correlation)


def test_given_correlation_of_wrong_size():
  with pytest.raises(errors.ConfigError, match=r"must be \[3, 3\] for 3 latents, got rows of"):
    given_correlation.given_correlation(3, [[1.0, 0.0], [0.0, 1.0]])
  with pytest.raises(errors.ConfigError, match=r"must be \[2, 2\] for 2 latents, got rows of"):
    given_correlation.given_correlation(2, [[1.0, 0.0], [0.0]])


@pytest.mark.parametrize(
  "matrix, problem",
  [
    ([[1, np.nan], [np.nan, 1]], "has elements that are not finite"),
    ([[1, np.inf], [np.inf, 1]], "has elements that are not finite"),
    ([[1, 0.5], [0.4, 1]], "is not symmetric"),
    ([[1, 0.5], [0.5, 2]], "does not have ones on its diagonal"),
    ([[1, 1], [1, 1]], r"is not positive definite \(smallest eigenvalue"),
    ([[1, 0.9, -0.9], [0.9, 1, 0.9], [-0.9, 0.9, 1]], "is not positive definite"),
  ],
)
def test_matrix_that_is_no_correlation_matrix(matrix, problem):
  with pytest.raises(errors.ConfigError, match=f"noise correlation of the posterior {problem}"):
    posteriors.GivenCorrelation(np.array(matrix, dtype=np.float64))


def test_gaussian_log_density_is_scipys():
  z_mean, z_logvar = random_gaussians(5, 4)
  z = np.random.default_rng(2).normal(size=(5, 4))
  expected = stats.norm.logpdf(z, z_mean, np.exp(z_logvar / 2))
  values = gaussian_formulas.log_density(z, z_mean, z_logvar)
  np.testing.assert_allclose(values, expected, rtol=1e-10)


@pytest.mark.parametrize("mean, logvar, kl", [(0.0, 0.0, 0.0), (1.0, 0.0, 5.0), (1.0, 1.0, 8.5914)])
def test_factorized_kl_at_known_values(mean, logvar, kl):
  # Each of the 10 latents has (mean**2 + exp(logvar) - logvar - 1) / 2.
  value = gaussian_formulas.factorized_kl(tf.fill([3, 10], mean), tf.fill([3, 10], logvar))
  np.testing.assert_allclose(value, [kl] * 3, rtol=1e-5)


def test_factorized_kl_is_that_of_tensorflow_probability():
  z_mean, z_logvar = random_gaussians(5, 4)
  q = tfp.distributions.MultivariateNormalDiag(z_mean, np.exp(z_logvar / 2))
  prior = tfp.distributions.MultivariateNormalDiag(tf.zeros([4], tf.float64))
  expected = tfp.distributions.kl_divergence(q, prior)
  np.testing.assert_allclose(
    gaussian_formulas.factorized_kl(z_mean, z_logvar), expected, rtol=1e-10
  )


@each_noise_correlation
def test_full_kl_is_that_of_tensorflow_probability(noise_correlation):
  z_mean, z_logvar = random_gaussians(5, 4)
  posterior = posteriors.GivenCorrelation(noise_correlation)
  prior = tfp.distributions.MultivariateNormalTriL(scale_tril=tf.eye(4, dtype=tf.float64))
  expected = tfp.distributions.kl_divergence(posterior.distribution(z_mean, z_logvar), prior)
  full_kl = posterior.kl(z_mean, z_logvar)

  np.testing.assert_allclose(full_kl, expected, rtol=1e-9)
  total_correlation = -0.5 * np.linalg.slogdet(noise_correlation)[1]
  excess = full_kl - gaussian_formulas.factorized_kl(z_mean, z_logvar)
  np.testing.assert_allclose(excess, [total_correlation] * 5, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("num_latent, correlation, total_correlation", TABLE)
def test_full_kl_exceeds_factorized_kl_by_the_total_correlation(
  num_latent, correlation, total_correlation
):
  z_mean, z_logvar = random_gaussians(3, num_latent, np.float32)
  posterior = posteriors.Equicorrelated(correlation)
  excess = posterior.kl(z_mean, z_logvar) - gaussian_formulas.factorized_kl(z_mean, z_logvar)
  np.testing.assert_allclose(excess, [total_correlation] * 3, atol=1e-4)


def test_gradients_of_full_kl_are_those_of_factorized_kl():
  z_mean, z_logvar = map(tf.constant, random_gaussians(5, 4, np.float32))
  posterior = posteriors.Equicorrelated(0.9)
  with tf.GradientTape(persistent=True) as tape:
    tape.watch([z_mean, z_logvar])
    factorized = gaussian_formulas.factorized_kl(z_mean, z_logvar)
    full = posterior.kl(z_mean, z_logvar)
  expected = tape.gradient(factorized, [z_mean, z_logvar])
  for gradient, other in zip(tape.gradient(full, [z_mean, z_logvar]), expected, strict=True):
    np.testing.assert_array_equal(gradient, other)
  np.testing.assert_allclose(expected[0], z_mean)
  np.testing.assert_allclose(expected[1], (np.exp(z_logvar) - 1) / 2, atol=1e-6)


@each_noise_correlation
def test_distribution_is_scipys(noise_correlation):
  z_mean, z_logvar = random_gaussians(5, 4)
  z = np.random.default_rng(2).normal(size=(5, 4))
  q = posteriors.GivenCorrelation(noise_correlation).distribution(z_mean, z_logvar)
  expected = [
    stats.multivariate_normal.logpdf(z[i], z_mean[i], covariance_of(z_logvar[i], noise_correlation))
    for i in range(5)
  ]
  np.testing.assert_allclose(q.log_prob(z), expected, rtol=1e-9)


@each_noise_correlation
@pytest.mark.parametrize("density", gaussian_formulas.DENSITIES)
@pytest.mark.parametrize("dtype, rtol", [(np.float64, 1e-9), (np.float32, 2e-4)])
def test_log_density_of_every_sample_under_every_posterior(noise_correlation, density, dtype, rtol):
  z_mean, z_logvar = random_gaussians(5, 4, dtype)
  z = np.random.default_rng(2).normal(size=(3, 4)).astype(dtype)
  posterior = posteriors.GivenCorrelation(noise_correlation)
  matrix = noise_correlation if density == "full" else np.eye(4)
  expected = [
    [
      stats.multivariate_normal.logpdf(z[j], z_mean[i], covariance_of(z_logvar[i], matrix))
      for i in range(5)
    ]
    for j in range(3)
  ]
  values = posterior.log_density(z[:, None], z_mean[None], z_logvar[None], density=density)
  np.testing.assert_allclose(values, expected, rtol=rtol)


def test_log_density_of_one_point():
  z_mean, z_logvar = random_gaussians(1, 4)
  posterior = posteriors.Equicorrelated(0.7)
  value = posterior.log_density(tf.zeros([4], tf.float64), z_mean[0], z_logvar[0])
  covariance = covariance_of(z_logvar[0], posterior.matrix(4))
  expected = stats.multivariate_normal.logpdf(np.zeros(4), z_mean[0], covariance)
  assert float(value) == pytest.approx(expected, rel=1e-9)


def test_densities_agree_where_the_noise_is_independent():
  z_mean, z_logvar = random_gaussians(5, 4)
  posterior = posteriors.Independent()
  full, factorized = (
    posterior.log_density(z_mean + 1, z_mean, z_logvar, density=density)
    for density in ("full", "factorized")
  )
  np.testing.assert_allclose(full, factorized, rtol=1e-12)


@each_noise_correlation
def test_scale_tril_is_a_cholesky_factor_of_the_covariance(noise_correlation):
  _, z_logvar = random_gaussians(5, 4)
  factors = posteriors.GivenCorrelation(noise_correlation).scale_tril(tf.constant(z_logvar)).numpy()
  np.testing.assert_array_equal(factors, np.tril(factors))
  for factor, logvar in zip(factors, z_logvar, strict=True):
    np.testing.assert_allclose(factor @ factor.T, covariance_of(logvar, noise_correlation))


@each_noise_correlation
def test_samples_have_the_marginals_and_the_covariance(noise_correlation):
  num = 20000
  z_mean = np.tile(np.float32([0, 1, -2, 0.5]), (num, 1))
  z_logvar = np.tile(np.float32([0, -2, 1, -6]), (num, 1))
  q = posteriors.GivenCorrelation(noise_correlation).distribution(z_mean, z_logvar)
  z = q.sample(seed=tf.constant([0, 1])).numpy()

  assert z.shape == (num, 4)
  stddev = np.exp(z_logvar[0] / 2)
  for j in range(4):
    assert stats.kstest(z[:, j], stats.norm(z_mean[0, j], stddev[j]).cdf).pvalue > 1e-3
  # A correlation's standard error is at most 1 / sqrt(num) = 0.007.
  noise = (z - z_mean) / stddev
  np.testing.assert_allclose(noise.T @ noise / num, noise_correlation, atol=0.03)


def test_noise_is_a_function_of_the_seed_and_not_of_the_correlation():
  z_mean, z_logvar = random_gaussians(5, 4, np.float32)
  independent = posteriors.Independent()
  correlated = posteriors.Equicorrelated(0.9)

  def sample(posterior, seed):
    return posterior.distribution(z_mean, z_logvar).sample(seed=tf.constant(seed)).numpy()

  np.testing.assert_array_equal(sample(correlated, [3, 4]), sample(correlated, [3, 4]))
  for seed in ([3, 5], [4, 4], [4, 3]):
    assert np.all(sample(correlated, [3, 4]) != sample(correlated, seed))
  stddev = np.exp(z_logvar / 2)
  noise = (sample(independent, [3, 4]) - z_mean) / stddev
  expected = z_mean + stddev * (noise @ np.linalg.cholesky(correlated.matrix(4)).T)
  np.testing.assert_allclose(sample(correlated, [3, 4]), expected, rtol=1e-4, atol=1e-5)


def test_sampling_passes_gradients_to_mean_and_log_variance():
  z_mean, z_logvar = map(tf.constant, random_gaussians(5, 4, np.float32))
  posterior = posteriors.Equicorrelated(0.9)
  with tf.GradientTape() as tape:
    tape.watch([z_mean, z_logvar])
    z = posterior.distribution(z_mean, z_logvar).sample(seed=tf.constant([0, 1]))
  mean_gradient, logvar_gradient = tape.gradient(z, [z_mean, z_logvar])
  np.testing.assert_array_equal(mean_gradient, np.ones((5, 4)))
  np.testing.assert_allclose(logvar_gradient, (z - z_mean) / 2, rtol=1e-4, atol=1e-5)


def test_a_stored_posterior_is_sampled_with_given_noise():
  z_mean, z_logvar = random_gaussians(5, 4, np.float32)
  noise = np.random.default_rng(1).standard_normal((5, 4), np.float32)
  posterior = posteriors.Equicorrelated(0.9)
  z = gaussian_formulas.add_noise(z_mean, posterior.scale_tril(tf.constant(z_logvar)), noise)
  correlated = noise @ np.linalg.cholesky(0.1 * np.eye(4) + 0.9).T
  np.testing.assert_allclose(z, z_mean + np.exp(z_logvar / 2) * correlated, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
  "bindings, expected",
  [
    ([], np.eye(2)),
    (["posterior.noise_correlation = @independent"], np.eye(2)),
    (
      ["posterior.noise_correlation = @equicorrelated", "equicorrelated.correlation = 0.9"],
      [[1, 0.9], [0.9, 1]],
    ),
    (
      [
        "posterior.noise_correlation = @given_correlation",
        "given_correlation.matrix = [[1, -0.5], [-0.5, 1.0]]",
      ],
      [[1, -0.5], [-0.5, 1]],
    ),
  ],
)
def test_configured_posterior(bindings, expected):
  configs.parse([], bindings)
  posterior = gin_parts.posterior()["posterior"]
  np.testing.assert_array_equal(posterior.matrix(2), expected)


def test_own_structure_of_the_noise_correlation():
  gin.bind_parameter("posterior.noise_correlation", lambda num_latent: [[1, 0.5], [0.5, 1]])
  posterior = gin_parts.posterior()["posterior"]
  assert posterior.conditional_total_correlation(tf.zeros([1, 2])) == pytest.approx(
    -0.5 * np.log(0.75)
  )
  with pytest.raises(
    errors.ConfigError, match=r"noise_correlation must return a \[3, 3\] matrix, got shape \[2, 2\]"
  ):
    posterior.check(3)


def test_configured_correlation_out_of_range():
  configs.parse(
    [], ["posterior.noise_correlation = @equicorrelated", "equicorrelated.correlation = 1.0"]
  )
  with pytest.raises(ValueError, match=r"equicorrelated\.correlation must be in"):
    gin_parts.posterior()["posterior"].check(10)


def test_check_density():
  for density in ("factorized", "full"):
    gaussian_formulas.check_density(density, "x.density")
  message = r"x\.density must be \"factorized\" or \"full\", got 'diagonal'"
  with pytest.raises(errors.ConfigError, match=message):
    gaussian_formulas.check_density("diagonal", "x.density")
