import json

import gin
import numpy as np
import pytest
from scipy import special
from scipy import stats

from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.evaluation import representation
from dl_condind.evaluation.densities import gaussian_posteriors
from dl_condind.evaluation.metrics import total_correlation
from dl_condind.utils import errors

NUM_LATENT = 10


@pytest.fixture(autouse=True)
def clear_gin():
  yield
  gin.clear_config()


class GaussianData(ground_truth_data.GroundTruthData):
  """Observations are standard normal vectors."""

  def __init__(self):
    super().__init__("gaussian", ["sign"], [2], (NUM_LATENT,))

  def sample_factors(self, num, random_state):
    return random_state.randint(2, size=(num, 1))

  def sample_observations_from_factors(self, factors, random_state):
    return random_state.standard_normal((len(factors), NUM_LATENT))


def equicorrelated(num_latent, correlation):
  return (1 - correlation) * np.eye(num_latent) + correlation


def toy_posteriors(observations, stddev, correlation, mixing=None):
  """Returns posteriors whose mixture over all observations has unit variances.

  Without mixing and correlation it is N(0, I).
  """
  num_latent = observations.shape[1]
  mean = np.sqrt(1 - stddev**2) * observations
  if mixing is not None:
    mean = mean @ mixing
  root = np.linalg.cholesky(equicorrelated(num_latent, correlation))
  scale_tril = np.broadcast_to(stddev * root, (len(mean), num_latent, num_latent))
  return mean, np.full(mean.shape, stddev), scale_tril


def toy_representation(stddev, correlation, mixing=None):
  def gaussian_encoder(observations):
    mean, scale, scale_tril = toy_posteriors(observations, stddev, correlation, mixing)
    return {"mean": mean, "logvar": 2 * np.log(scale), "scale_tril": scale_tril}

  return representation.Representation(
    lambda x: gaussian_encoder(x)["mean"], gaussian_encoder=gaussian_encoder
  )


def evaluate(representation_function, **settings):
  return total_correlation.compute_total_correlation(
    GaussianData(), representation_function, np.random.RandomState(0), **settings
  )


def random_posteriors(num_posteriors=5, num_latent=3, seed=0):
  random_state = np.random.RandomState(seed)
  mean = random_state.standard_normal((num_posteriors, num_latent))
  stddev = np.exp(random_state.standard_normal((num_posteriors, num_latent)))
  root = np.linalg.cholesky(equicorrelated(num_latent, 0.7))
  scale_tril = stddev[:, :, None] * root
  z = gaussian_posteriors.sample_mixture(mean, scale_tril, 4, random_state)
  return z, mean, stddev, scale_tril


def log_ratio_by_scipy(z, mean, covariance):
  """log q(z) - sum_j log q(z_j) of one point, component by component."""
  joint = [stats.multivariate_normal(m, s).logpdf(z) for m, s in zip(mean, covariance, strict=True)]
  ratio = special.logsumexp(joint) - np.log(len(mean))
  for j in range(len(z)):
    marginal = [
      stats.norm(m[j], np.sqrt(s[j, j])).logpdf(z[j]) for m, s in zip(mean, covariance, strict=True)
    ]
    ratio -= special.logsumexp(marginal) - np.log(len(mean))
  return ratio


@pytest.mark.parametrize("density", ["factorized", "full"])
@pytest.mark.parametrize("leave_one_out", [False, True])
def test_estimate_is_scipys_mixture(density, leave_one_out):
  z, mean, stddev, scale_tril = random_posteriors()
  covariance = scale_tril @ np.swapaxes(scale_tril, 1, 2)
  if density == "factorized":
    covariance = covariance * np.eye(3)
  own = np.repeat(np.arange(5), 4)
  expected = []
  for point, component in zip(z, own, strict=True):
    kept = np.arange(5) != component if leave_one_out else np.full(5, True)
    expected.append(log_ratio_by_scipy(point, mean[kept], covariance[kept]))
  estimate = total_correlation.mixture_total_correlation(
    z, mean, stddev, scale_tril, density, leave_out=own if leave_one_out else None
  )
  assert estimate == pytest.approx(np.mean(expected), abs=1e-10)


def test_one_posterior_has_its_own_total_correlation():
  random_state = np.random.RandomState(0)
  mean, stddev, scale_tril = toy_posteriors(np.ones((1, NUM_LATENT)), 0.3, 0.9)
  z = gaussian_posteriors.sample_mixture(mean, scale_tril, 200000, random_state)
  assert total_correlation.mixture_total_correlation(z, mean, stddev) == pytest.approx(0, abs=1e-14)
  full = total_correlation.mixture_total_correlation(z, mean, stddev, scale_tril, "full")
  expected = -0.5 * np.linalg.slogdet(equicorrelated(NUM_LATENT, 0.9))[1]
  assert expected == pytest.approx(9.2575, abs=5e-5)
  assert full == pytest.approx(expected, abs=0.1)  # 4 standard errors


def test_densities_agree_without_correlation():
  random_state = np.random.RandomState(0)
  mean, stddev, scale_tril = toy_posteriors(random_state.standard_normal((20, 4)), 0.5, 0.0)
  z = gaussian_posteriors.sample_mixture(mean, scale_tril, 10, random_state)
  full = total_correlation.mixture_total_correlation(z, mean, stddev, scale_tril, "full")
  factorized = total_correlation.mixture_total_correlation(z, mean, stddev)
  assert full == pytest.approx(factorized, abs=1e-10)


def test_estimate_reaches_its_bound_and_stays_finite_with_narrow_posteriors():
  random_state = np.random.RandomState(0)
  mean, stddev, scale_tril = toy_posteriors(random_state.standard_normal((64, 10)), 1e-5, 0.0)
  z = gaussian_posteriors.sample_mixture(mean, scale_tril, 5, random_state)
  estimate = total_correlation.mixture_total_correlation(z, mean, stddev)
  assert estimate <= 9 * np.log(64) + 1e-9
  assert estimate == pytest.approx(9 * np.log(64), abs=0.1)


def test_independent_gaussians_with_wide_posteriors_have_none():
  random_state = np.random.RandomState(0)
  mean, stddev, scale_tril = toy_posteriors(random_state.standard_normal((4000, 2)), 0.8, 0.0)
  z = gaussian_posteriors.sample_mixture(mean, scale_tril, 2, random_state)
  assert total_correlation.mixture_total_correlation(z, mean, stddev) == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("density", ["factorized", "full"])
def test_correlated_gaussian_has_its_closed_form(density):
  # Means and noise have the same correlation, so q(z) is N(0, R): with the factorized density the
  # estimate is of another mixture, N(0, (1 - s^2) R + s^2 I), at points of this one.
  correlation, stddev, num_latent = 0.8, 0.7, 2
  target = equicorrelated(num_latent, correlation)
  random_state = np.random.RandomState(0)
  observations = random_state.standard_normal((2000, num_latent))
  posteriors = toy_posteriors(observations, stddev, correlation, np.linalg.cholesky(target).T)
  z = gaussian_posteriors.sample_mixture(posteriors[0], posteriors[2], 4, random_state)
  model = target
  if density == "factorized":
    model = (1 - stddev**2) * target + stddev**2 * np.eye(num_latent)
  # E[log N(z; 0, model) - log N(z; 0, I)] for z ~ N(0, target).
  expected = -0.5 * (np.linalg.slogdet(model)[1] + np.trace(np.linalg.solve(model, target)) - 2)
  estimate = total_correlation.mixture_total_correlation(z, *posteriors, density)
  assert estimate == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize(
  "stddev, correlation, density, expected",
  [
    (0.3, 0.9, "factorized", 7.48),
    (0.3, 0.9, "full", 16.63),
    *(
      pytest.param(*case, marks=pytest.mark.slow)
      for case in (
        (0.1, 0.0, "factorized", 17.55),
        (0.1, 0.9, "factorized", 17.66),
        (0.1, 0.9, "full", 26.81),
        (0.3, 0.0, "factorized", 7.54),
        (0.6, 0.0, "factorized", 1.51),
        (0.6, 0.9, "factorized", 1.56),
        (0.6, 0.9, "full", 10.04),
      )
    ),
  ],
)
def test_estimator_at_the_papers_sizes_has_its_known_bias(stddev, correlation, density, expected):
  # Independently simulated values, means of 5 batches; batches differ by up to 0.4.
  results = evaluate(toy_representation(stddev, correlation), density=density)
  assert results["total_correlation"] == pytest.approx(expected, abs=0.5)


@pytest.mark.slow
@pytest.mark.parametrize(
  "correlation, density, expected",
  [(0.0, "factorized", 0.37), (0.9, "factorized", 0.63), (0.9, "full", 7.48)],
)
def test_more_posteriors_reduce_the_bias(correlation, density, expected):
  results = evaluate(
    toy_representation(0.6, correlation),
    num_posteriors=1024,
    num_samples=2,
    num_repeats=1,
    density=density,
  )
  assert results["total_correlation"] == pytest.approx(expected, abs=0.2)


@pytest.mark.slow
@pytest.mark.parametrize("density", ["factorized", "full"])
def test_null_value_tells_independent_latents_from_dependent_ones(density):
  independent = evaluate(toy_representation(0.6, 0.0), density=density)
  mixing = np.linalg.cholesky(equicorrelated(NUM_LATENT, 0.9)).T
  dependent = evaluate(toy_representation(0.6, 0.0, mixing), density=density)
  # The true value is 0; the tolerances are 4 standard errors.
  leave_one_out = independent["total_correlation_leave_one_out"]
  assert leave_one_out < -0.5 < 0.5 < independent["total_correlation"]
  assert independent["total_correlation_null"] == pytest.approx(
    independent["total_correlation"], abs=0.2
  )
  # The marginals are the same, so is the null value.
  assert dependent["total_correlation_null"] == pytest.approx(
    independent["total_correlation_null"], abs=0.5
  )
  assert dependent["total_correlation"] - dependent["total_correlation_null"] > 1


@pytest.mark.slow
def test_bias_is_downwards_where_latents_depend_strongly():
  # All latents but for their noise are one: z ~ N(0, 0.99 * ones + 0.01 I), as B = 64 posteriors of
  # stddev 0.1 do not show.
  mixing = np.zeros((NUM_LATENT, NUM_LATENT))
  mixing[0] = 1
  results = evaluate(toy_representation(0.1, 0.0, mixing), num_repeats=20)
  truth = -0.5 * np.linalg.slogdet(0.99 * np.ones(mixing.shape) + 0.01 * np.eye(NUM_LATENT))[1]
  assert results["total_correlation"] < truth - 4 * results["total_correlation_std_error"]
  # Where latents are independent, this one is the lower of the two.
  assert results["total_correlation_leave_one_out"] > results["total_correlation"] + 0.3


def test_null_has_no_correlated_noise():
  independent = evaluate(toy_representation(0.6, 0.0), density="full")
  correlated = evaluate(toy_representation(0.6, 0.9), density="full")
  assert correlated["total_correlation_null"] == pytest.approx(
    independent["total_correlation_null"], abs=0.2
  )
  assert correlated["total_correlation"] - correlated["total_correlation_null"] > 7


@pytest.mark.slow
def test_own_noise_null_is_the_estimate_of_independent_means():
  # The means are independent already, so nothing but the draws differs.
  correlated = evaluate(toy_representation(0.6, 0.9), density="full")
  null = correlated["total_correlation_own_noise_null"]
  assert correlated["total_correlation"] == pytest.approx(null, abs=0.2)
  independent = evaluate(toy_representation(0.6, 0.0), density="full")
  null = independent["total_correlation_own_noise_null"]
  assert independent["total_correlation_null"] == pytest.approx(null, abs=1e-9)


@pytest.mark.parametrize("correlation", [0.0, 0.7])
def test_own_noise_null_leaves_what_the_means_share(correlation):
  # Two latents, wide posteriors: the biases of the estimate and of its null cancel.
  root = np.linalg.cholesky(equicorrelated(2, 0.8))
  encode = toy_representation(0.6, correlation, root.T).gaussian_encoder
  two_latents = representation.Representation(
    lambda x: x, gaussian_encoder=lambda observations: encode(observations[:, :2])
  )
  results = evaluate(two_latents, density="full", num_repeats=40)
  noise = 0.36 * equicorrelated(2, correlation)
  truth, noise_alone = (
    -0.5 * np.linalg.slogdet(0.64 * equicorrelated(2, of_means) + noise)[1]
    for of_means in (0.8, 0.0)
  )
  assert truth > noise_alone + 0.15
  found = results["total_correlation"] - results["total_correlation_own_noise_null"]
  error = np.hypot(
    results["total_correlation_std_error"], results["total_correlation_own_noise_null_std_error"]
  )
  assert found == pytest.approx(truth - noise_alone, abs=4 * error)
  assert 4 * error < 0.1


def test_results_are_plain_named_and_bracketed():
  results = evaluate(toy_representation(0.6, 0.9), density="full", num_repeats=4)
  assert results["total_correlation_density"] == "full"
  assert set(results) == {
    "total_correlation_density",
    "total_correlation_bound",
    *(
      f"total_correlation{name}{suffix}"
      for name in ("", "_null", "_own_noise_null", "_leave_one_out")
      for suffix in ("", "_std_error")
    ),
  }
  assert all(type(value) in (float, str) for value in results.values())
  assert json.loads(json.dumps(results, allow_nan=False)) == results
  assert results["total_correlation_bound"] == pytest.approx(9 * np.log(64) + 9.2575, abs=1e-3)
  assert results["total_correlation_leave_one_out"] < results["total_correlation"]
  assert results["total_correlation"] < results["total_correlation_bound"]


def test_standard_error_is_that_of_the_batches():
  model = toy_representation(0.6, 0.0)
  results = evaluate(model, num_posteriors=16, num_repeats=30)
  others = [
    total_correlation.compute_total_correlation(
      GaussianData(), model, np.random.RandomState(seed), num_posteriors=16, num_repeats=1
    )
    for seed in range(30)
  ]
  assert "total_correlation_std_error" not in others[0]
  spread = np.std([other["total_correlation"] for other in others], ddof=1)
  assert results["total_correlation_std_error"] * np.sqrt(30) == pytest.approx(spread, rel=0.5)


def test_results_follow_the_random_state():
  settings = {"num_repeats": 2}
  assert evaluate(toy_representation(0.6, 0.5), **settings) == evaluate(
    toy_representation(0.6, 0.5), **settings
  )


@pytest.mark.parametrize(
  "settings, message",
  [
    ({"num_posteriors": 1}, "num_posteriors must be a whole number of at least 2, got 1"),
    ({"num_samples": 0}, "num_samples must be a whole number of at least 1"),
    ({"num_repeats": 1.5}, "num_repeats must be a whole number of at least 1, got 1.5"),
    ({"density": "diagonal"}, "must be one of factorized, full, got 'diagonal'"),
  ],
)
def test_settings_are_checked(settings, message):
  with pytest.raises(errors.ConfigError, match=message):
    evaluate(toy_representation(0.6, 0.0), **settings)


def test_full_density_needs_scales():
  z, mean, stddev, _ = random_posteriors()
  with pytest.raises(errors.ConfigError, match="density 'full' needs scale_tril"):
    total_correlation.mixture_total_correlation(z, mean, stddev, density="full")


@pytest.mark.parametrize(
  "which, index, value, message",
  [
    (0, (3, 1), np.nan, "mean has 1 of 15 values that are not finite"),
    (1, (3, 1), 0.0, "stddev has 1 of 15 values that are not positive"),
    (2, (3, 1, 1), 0.0, "scale_tril's diagonal has 1 of 15 values that are not positive"),
  ],
)
def test_posteriors_are_checked(which, index, value, message):
  z, *posteriors = random_posteriors()
  posteriors[which][index] = value
  with pytest.raises(errors.ConfigError, match=f"^The posterior's {message}"):
    total_correlation.mixture_total_correlation(z, *posteriors, "full")


def test_plain_function_is_refused():
  with pytest.raises(errors.ConfigError, match="needs the model's gaussian_encoder"):
    evaluate(lambda observations: observations)


def test_gin_binds_the_sizes():
  gin.parse_config(
    "total_correlation.num_posteriors = 4\n"
    "total_correlation.num_samples = 3\n"
    "total_correlation.num_repeats = 2\n"
    'total_correlation.density = "full"'
  )
  results = evaluate(toy_representation(0.6, 0.0))
  assert results["total_correlation_density"] == "full"
  assert results["total_correlation_bound"] == pytest.approx(9 * np.log(4), abs=1e-9)


def test_standard_errors_are_those_of_the_batches():
  settings = {"num_posteriors": 6, "num_samples": 3}
  represent, random_state = toy_representation(0.4, 0.5), np.random.RandomState(0)
  batches = [  # One after the other from the same state, as in one call.
    total_correlation.compute_total_correlation(
      GaussianData(), represent, random_state, num_repeats=1, **settings
    )
    for _ in range(4)
  ]
  found = evaluate(represent, num_repeats=4, **settings)
  for name in ("total_correlation", "total_correlation_null", "total_correlation_leave_one_out"):
    values = [batch[name] for batch in batches]
    assert found[name] == pytest.approx(np.mean(values))
    assert found[f"{name}_std_error"] == pytest.approx(stats.sem(values))
