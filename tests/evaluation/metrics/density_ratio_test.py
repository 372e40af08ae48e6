import numpy as np
import pytest
from scipy import stats

from dl_condind.evaluation.metrics import density_ratio
from dl_condind.evaluation.metrics import gaussian_posteriors
from dl_condind.evaluation.metrics import mixtures
from dl_condind.utils import errors

NUM_POINTS = 4000


def gaussian_encoder(num_latent, stddev, correlation, num_points=NUM_POINTS, seed=0):
  """Returns z, its posterior's mean, stddev and scale_tril, and the covariance of q(z)."""
  random_state = np.random.RandomState(seed)
  mean = np.sqrt(1 - stddev**2) * random_state.standard_normal((num_points, num_latent))
  noise = (1 - correlation) * np.eye(num_latent) + correlation
  scales = np.broadcast_to(stddev * np.linalg.cholesky(noise), (num_points, num_latent, num_latent))
  z = gaussian_posteriors.sample_mixture(mean, scales, 1, random_state)
  covariance = (1 - stddev**2) * np.eye(num_latent) + stddev**2 * noise
  return z, mean, np.full(mean.shape, stddev), scales, covariance


def standard_error(log_odds):
  return np.std(log_odds) / np.sqrt(len(log_odds))


@pytest.mark.parametrize(
  "num_latent, stddev, correlation", [(2, 0.6, 0.0), (2, 0.9, 0.9), (5, 0.6, 0.9), (10, 0.6, 0.5)]
)
def test_total_correlation_of_a_gaussian(num_latent, stddev, correlation):
  z, _, _, _, covariance = gaussian_encoder(num_latent, stddev, correlation)
  log_odds = density_ratio.total_correlation_log_odds(z, np.random.RandomState(1))
  truth = -0.5 * np.linalg.slogdet(covariance)[1]
  # Fitting k features to n points costs about k / n nats on the held-out ones: 65 / 4000 at most.
  tolerance = 4 * standard_error(log_odds) + 0.03
  assert log_odds.shape == (NUM_POINTS,)
  assert np.mean(log_odds) == pytest.approx(truth, abs=tolerance)


@pytest.mark.parametrize(
  "num_latent, stddev, correlation",
  [(2, 0.9, 0.0), (2, 0.6, 0.0), (2, 0.6, 0.9), (5, 0.7, 0.5), (2, 0.1, 0.0), (2, 0.1, 0.9)],
)
def test_mutual_information_of_a_gaussian(num_latent, stddev, correlation):
  z, mean, scale, scales, covariance = gaussian_encoder(num_latent, stddev, correlation)
  log_odds = density_ratio.mutual_information_log_odds(z, mean, scale, scales)
  conditional = np.linalg.slogdet(scales[0] @ scales[0].T)[1]
  truth = 0.5 * (np.linalg.slogdet(covariance)[1] - conditional)
  assert truth < 6  # below log 4000 = 8.3
  # Less than 0.1 from regularisation, most where posteriors are narrow.
  tolerance = 4 * standard_error(log_odds) + 0.1
  assert np.mean(log_odds) == pytest.approx(truth, abs=tolerance)


def test_mutual_information_beyond_the_number_of_points_is_not_seen():
  z, mean, scale, scales, covariance = gaussian_encoder(10, 0.1, 0.9)
  log_odds = density_ratio.mutual_information_log_odds(z, mean, scale, scales)
  truth = 0.5 * (np.linalg.slogdet(covariance)[1] - np.linalg.slogdet(scales[0] @ scales[0].T)[1])
  assert truth == pytest.approx(32.3, abs=0.1)
  assert 5 < np.mean(log_odds) < 16


def test_nothing_is_found_where_nothing_is():
  z, mean, scale, scales, _ = gaussian_encoder(5, 0.5, 0.0)
  other = np.roll(np.arange(NUM_POINTS), 1)
  nulls = [
    density_ratio.total_correlation_log_odds(z, np.random.RandomState(1)),
    density_ratio.mutual_information_log_odds(z, mean[other], scale[other], scales[other]),
  ]
  for log_odds in nulls:
    assert np.mean(log_odds) == pytest.approx(0, abs=0.03)


def test_unequal_posteriors_are_no_obstacle():
  # q(z) is Gaussian whatever the widths are, if the means are drawn to make up for them.
  random_state = np.random.RandomState(0)
  stddev = random_state.uniform(0.3, 0.9, (NUM_POINTS, 2))
  z = random_state.standard_normal((NUM_POINTS, 2))
  # Given z, the mean is distributed as it is given z under N(mean, stddev**2).
  mean = (1 - stddev**2) * z + stddev * np.sqrt(1 - stddev**2) * random_state.standard_normal(
    (NUM_POINTS, 2)
  )
  log_odds = density_ratio.mutual_information_log_odds(z, mean, stddev)
  truth = np.mean(-np.sum(np.log(stddev), axis=1))
  assert np.mean(log_odds) == pytest.approx(truth, abs=4 * standard_error(log_odds) + 0.05)


@pytest.mark.parametrize("num_points", [6, 7])
def test_few_points_give_numbers(num_points):
  z, mean, scale, scales, _ = gaussian_encoder(2, 0.5, 0.5, num_points)
  assert np.all(np.isfinite(density_ratio.total_correlation_log_odds(z, np.random.RandomState(0))))
  assert np.all(np.isfinite(density_ratio.mutual_information_log_odds(z, mean, scale, scales)))


def test_too_few_points_are_refused():
  z, mean, scale, scales, _ = gaussian_encoder(2, 0.5, 0.5, 5)
  message = "number of points of a classifier must be a whole number of at least 6, got 5"
  with pytest.raises(errors.ConfigError, match=message):
    density_ratio.total_correlation_log_odds(z, np.random.RandomState(0))
  with pytest.raises(errors.ConfigError, match=message):
    density_ratio.mutual_information_log_odds(z, mean, scale, scales)


@pytest.mark.parametrize("num_points", [6, 7, 8, 11])
def test_null_pairs_no_point_with_its_own_x(num_points, monkeypatch):
  # Posteriors so narrow that the distance of z from a mean tells whether it is its own. They would
  # be too narrow for a classifier.
  monkeypatch.setattr(density_ratio, "_held_out_log_odds", lambda *samples: None)
  z, mean, scale, _, _ = gaussian_encoder(2, 1e-6, 0.0, num_points)
  distances = []
  log_density = mixtures.log_posterior_density

  def spy(points, means, *others):
    if points is z:  # Not the peaks, which are at the means.
      distances.append(np.linalg.norm(points - means, axis=1))
    return log_density(points, means, *others)

  monkeypatch.setattr(mixtures, "log_posterior_density", spy)
  other = np.roll(np.arange(num_points), 1)
  density_ratio.mutual_information_log_odds(z, mean[other], scale[other])
  assert len(distances) == 2  # Of the first sample and the second.
  assert np.min(distances) > 1e-3


def own_beyond_the_cut(num_latent, correlation, density):
  """Returns the share of z whose own density, 100,000 times, is below what is cut off."""
  noise = np.linalg.cholesky((1 - correlation) * np.eye(num_latent) + correlation)
  z = np.random.RandomState(0).standard_normal((100000, num_latent)) @ noise.T
  shape = (len(z), num_latent)
  scales = np.broadcast_to(noise, (*shape, num_latent)) if density == "full" else None
  posteriors = (np.zeros(shape), np.ones(shape), scales)
  drop = mixtures.log_posterior_density(np.zeros(shape), *posteriors)
  drop -= mixtures.log_posterior_density(z, *posteriors)
  return np.mean(drop > density_ratio._LARGEST_DROP + num_latent)


def test_cut_spares_own_points_of_the_density_that_z_comes_from():
  # Half a chi-squared variable above 20 plus its degrees of freedom.
  latents = np.arange(1, 201)
  assert np.max(stats.chi2.sf(2 * (density_ratio._LARGEST_DROP + latents), latents)) < 1e-8
  assert own_beyond_the_cut(10, 0.9, "full") == 0
  # The factorized density takes the large noise that all latents share for ten coincidences.
  assert own_beyond_the_cut(10, 0.9, "factorized") == pytest.approx(0.0108, abs=0.0015)


def test_halves_are_scored_by_the_other_halfs_classifier():
  # An outlier decides about the classifier of its own half, which does not score it.
  z, mean, scale, _, _ = gaussian_encoder(2, 0.5, 0.0, num_points=200)
  before = density_ratio.mutual_information_log_odds(z, mean, scale)
  changed = z.copy()
  changed[0] += 3.0
  after = density_ratio.mutual_information_log_odds(changed, mean, scale)
  np.testing.assert_array_equal(before[1:100], after[1:100])
  assert np.all(before[100:] != after[100:])
