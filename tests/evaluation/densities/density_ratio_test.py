import numpy as np
import pytest
from scipy import stats
from sklearn import linear_model
from sklearn import pipeline
from sklearn import preprocessing

from dl_condind.evaluation.densities import density_ratio
from dl_condind.evaluation.densities import gaussian_posteriors
from dl_condind.evaluation.densities import mixtures
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
  log_odds = density_ratio.total_correlation_ratios(z, np.random.RandomState(1)).log_odds
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
  log_odds = density_ratio.mutual_information_ratios(z, mean, scale, scales).log_odds
  conditional = np.linalg.slogdet(scales[0] @ scales[0].T)[1]
  truth = 0.5 * (np.linalg.slogdet(covariance)[1] - conditional)
  assert truth < 6  # below log 4000 = 8.3
  # Less than 0.1 from regularisation, most where posteriors are narrow.
  tolerance = 4 * standard_error(log_odds) + 0.1
  assert np.mean(log_odds) == pytest.approx(truth, abs=tolerance)


def test_mutual_information_beyond_the_number_of_points_is_not_seen():
  z, mean, scale, scales, covariance = gaussian_encoder(10, 0.1, 0.9)
  log_odds = density_ratio.mutual_information_ratios(z, mean, scale, scales).log_odds
  truth = 0.5 * (np.linalg.slogdet(covariance)[1] - np.linalg.slogdet(scales[0] @ scales[0].T)[1])
  assert truth == pytest.approx(32.3, abs=0.1)
  assert 5 < np.mean(log_odds) < 16


def test_nothing_is_found_where_nothing_is():
  z, mean, scale, scales, _ = gaussian_encoder(5, 0.5, 0.0)
  other = np.roll(np.arange(NUM_POINTS), 1)
  nulls = [
    density_ratio.total_correlation_ratios(z, np.random.RandomState(1)),
    density_ratio.mutual_information_ratios(z, mean[other], scale[other], scales[other]),
  ]
  for ratios in nulls:
    assert np.mean(ratios.log_odds) == pytest.approx(0, abs=0.03)


def test_unequal_posteriors_are_no_obstacle():
  # q(z) is Gaussian whatever the widths are, if the means are drawn to make up for them.
  random_state = np.random.RandomState(0)
  stddev = random_state.uniform(0.3, 0.9, (NUM_POINTS, 2))
  z = random_state.standard_normal((NUM_POINTS, 2))
  # Given z, the mean is distributed as it is given z under N(mean, stddev**2).
  mean = (1 - stddev**2) * z + stddev * np.sqrt(1 - stddev**2) * random_state.standard_normal(
    (NUM_POINTS, 2)
  )
  log_odds = density_ratio.mutual_information_ratios(z, mean, stddev).log_odds
  truth = np.mean(-np.sum(np.log(stddev), axis=1))
  assert np.mean(log_odds) == pytest.approx(truth, abs=4 * standard_error(log_odds) + 0.05)


@pytest.mark.parametrize("num_points", [6, 7])
def test_few_points_give_numbers(num_points):
  z, mean, scale, scales, _ = gaussian_encoder(2, 0.5, 0.5, num_points)
  for ratios in (
    density_ratio.total_correlation_ratios(z, np.random.RandomState(0)),
    density_ratio.mutual_information_ratios(z, mean, scale, scales),
  ):
    assert np.all(np.isfinite(ratios.log_odds))
    assert 0 < ratios.std_error < np.inf


def test_too_few_points_are_refused():
  z, mean, scale, scales, _ = gaussian_encoder(2, 0.5, 0.5, 5)
  message = "number of points of a classifier must be a whole number of at least 6, got 5"
  with pytest.raises(errors.ConfigError, match=message):
    density_ratio.total_correlation_ratios(z, np.random.RandomState(0))
  with pytest.raises(errors.ConfigError, match=message):
    density_ratio.mutual_information_ratios(z, mean, scale, scales)


@pytest.mark.parametrize("num_points", [6, 7, 8, 11])
def test_null_pairs_no_point_with_its_own_x(num_points, monkeypatch):
  # Posteriors so narrow that the distance of z from a mean tells whether it is its own. They would
  # be too narrow for a classifier.
  monkeypatch.setattr(density_ratio, "_held_out_ratios", lambda *samples: None)
  z, mean, scale, _, _ = gaussian_encoder(2, 1e-6, 0.0, num_points)
  distances = []
  log_density = mixtures.log_posterior_density

  def spy(points, means, *others):
    if points is z:  # Not the peaks, which are at the means.
      distances.append(np.linalg.norm(points - means, axis=1))
    return log_density(points, means, *others)

  monkeypatch.setattr(mixtures, "log_posterior_density", spy)
  other = np.roll(np.arange(num_points), 1)
  density_ratio.mutual_information_ratios(z, mean[other], scale[other])
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
  before = density_ratio.mutual_information_ratios(z, mean, scale).log_odds
  changed = z.copy()
  changed[0] += 3.0
  after = density_ratio.mutual_information_ratios(changed, mean, scale).log_odds
  np.testing.assert_array_equal(before[1:100], after[1:100])
  assert np.all(before[100:] != after[100:])


def regression_of(features, labels):
  return linear_model.LogisticRegression(C=10.0, solver="newton-cholesky", tol=1e-10).fit(
    features, labels
  )


def test_influence_is_what_leaving_a_point_out_changes():
  random_state = np.random.RandomState(0)
  labels = np.repeat([1, 0], 60)
  points = random_state.normal(0.7 * labels[:, None], 1, (120, 3))
  held_out = random_state.normal(0.7, 1, (50, 3))
  classifier = pipeline.make_pipeline(preprocessing.StandardScaler(), regression_of(points, labels))
  scaler = classifier[0].fit(points)
  features = scaler.transform(points)
  classifier[-1].fit(features, labels)
  changes = np.empty(120)
  for i in range(120):
    without = regression_of(np.delete(features, i, axis=0), np.delete(labels, i))
    changes[i] = np.mean(
      classifier.decision_function(held_out) - without.decision_function(scaler.transform(held_out))
    )
  for half in np.split(changes, 2):
    half -= np.mean(half)
  influence = density_ratio._influence(classifier, points, labels, held_out)
  assert np.std(influence) > 1e-3
  # The curvature changes a little as well, more where a point weighs much.
  assert np.corrcoef(influence, changes)[0, 1] > 0.99
  assert np.std(influence) == pytest.approx(np.std(changes), rel=0.1)


def test_standard_error_counts_every_two_points_that_share_an_observation():
  random_state = np.random.RandomState(0)
  of_sample, of_other = random_state.uniform(-1, 2, (2, 30))
  sources = np.stack([np.roll(np.arange(30), shift) for shift in (0, 1, 5)], axis=1)
  parts = np.concatenate([np.arange(30)[:, None] @ np.ones((1, 3), int), sources])
  terms = np.concatenate([of_sample, of_other])
  related = np.array([[len({*a} & {*b}) for b in parts.tolist()] for a in parts.tolist()])
  np.fill_diagonal(related, 1)
  expected = terms @ related @ terms
  assert expected > np.sum(of_sample**2)
  assert density_ratio._standard_error(of_sample, of_other, sources) == pytest.approx(
    np.sqrt(expected)
  )


@pytest.mark.slow
def test_standard_error_covers_the_mean_of_the_estimator():
  # 60 sets of observations. The mean of their estimates is the estimator's own, bias included.
  found = []
  for seed in range(60):
    z, mean, scale, scales, _ = gaussian_encoder(3, 0.7, 0.5, 1000, seed)
    ratios = (
      density_ratio.total_correlation_ratios(z, np.random.RandomState(seed)),
      density_ratio.mutual_information_ratios(z, mean, scale, scales),
    )
    found.append([(np.mean(r.log_odds), r.std_error, standard_error(r.log_odds)) for r in ratios])
  value, error, of_fixed_classifier = np.moveaxis(np.array(found), 2, 0)  # [60, 2]
  distance = np.abs(value - np.mean(value, axis=0))
  covered = np.mean(distance < 1.96 * error, axis=0)
  # 57 of 60 are expected; the binomial probability of fewer than 52 is 0.9 %.
  assert np.min(covered) >= 52 / 60
  # The error of the held-out points alone is too small.
  assert np.max(np.mean(distance < 1.96 * of_fixed_classifier, axis=0)) < 50 / 60
  # Nor is the error large beyond need.
  assert np.all(np.mean(error, axis=0) < 1.5 * np.std(value, axis=0, ddof=1))
