import itertools
import math

import numpy as np
import pytest
from scipy import special
from scipy import stats

from dl_condind.evaluation.densities import gaussian_posteriors
from dl_condind.evaluation.densities import subset_information
from dl_condind.utils import errors


def random_posteriors(num_posteriors=6, num_latent=3, seed=0):
  random_state = np.random.RandomState(seed)
  mean = random_state.standard_normal((num_posteriors, num_latent))
  stddev = np.exp(0.5 * random_state.standard_normal((num_posteriors, num_latent)))
  correlation = 0.3 * np.eye(num_latent) + 0.7
  return mean, stddev, stddev[:, :, None] * np.linalg.cholesky(correlation)


def draw(posteriors, num_points):
  mean, _, scale_tril = posteriors
  random_state = np.random.RandomState(1)
  return gaussian_posteriors.sample_mixture(
    mean[:num_points], scale_tril[:num_points], 1, random_state
  )


@pytest.mark.parametrize("num_latent", range(1, 9))
@pytest.mark.parametrize("num_subsets", [1, 5, 1000])
def test_subsets_are_some_of_every_size(num_latent, num_subsets):
  subsets = subset_information.choose_subsets(num_latent, num_subsets, np.random.RandomState(0))
  assert len(set(subsets)) == len(subsets)
  assert all(subset == tuple(sorted(set(subset))) for subset in subsets)
  assert [len(subset) for subset in subsets] == sorted(len(subset) for subset in subsets)
  for size in range(1, num_latent + 1):
    possible = list(itertools.combinations(range(num_latent), size))
    chosen = [subset for subset in subsets if len(subset) == size]
    assert set(chosen) <= set(possible)
    if size in (1, 2, num_latent - 1, num_latent):
      assert chosen == possible
    else:
      assert len(chosen) == min(num_subsets, math.comb(num_latent, size))


def test_subsets_follow_the_random_state():
  drawn = [
    subset_information.choose_subsets(10, 5, np.random.RandomState(seed)) for seed in (0, 0, 1)
  ]
  assert drawn[0] == drawn[1] != drawn[2]
  assert len(drawn[0]) == 10 + 45 + 6 * 5 + 10 + 1


def test_every_latent_is_as_likely():
  counts = np.zeros(8)
  for seed in range(200):
    for subset in subset_information.choose_subsets(8, 1, np.random.RandomState(seed)):
      if len(subset) == 4:
        counts[list(subset)] += 1
  np.testing.assert_allclose(counts, 100, atol=4 * np.sqrt(200 * 0.25))  # 4 standard deviations


@pytest.mark.parametrize("independent", [False, True])
def test_densities_are_scipys(independent):
  posteriors = random_posteriors()
  mean, stddev, scale_tril = posteriors
  z = draw(posteriors, 4)
  subsets = [(0,), (0, 2), (0, 1, 2)]
  covariance = scale_tril @ np.swapaxes(scale_tril, 1, 2)
  if independent:
    covariance = covariance * np.eye(3)
  log_posterior, log_mixture = subset_information.log_densities(
    z, mean, stddev, None if independent else scale_tril, subsets
  )
  assert log_posterior.shape == (3, 4)
  assert tuple(log_mixture) == subset_information.MIXTURES
  for s, subset in enumerate(subsets):
    for p in range(4):
      densities = np.array(
        [
          stats.multivariate_normal(
            mean[i, list(subset)], covariance[i][np.ix_(subset, subset)]
          ).logpdf(z[p, list(subset)])
          for i in range(6)
        ]
      )
      others = np.delete(densities, p)
      assert log_posterior[s, p] == pytest.approx(densities[p], abs=1e-10)
      assert log_mixture["in_sample"][s, p] == pytest.approx(
        special.logsumexp(densities) - np.log(6), abs=1e-10
      )
      assert log_mixture["leave_one_out"][s, p] == pytest.approx(
        special.logsumexp(others) - np.log(5), abs=1e-10
      )


def test_densities_of_narrow_posteriors_keep_their_digits():
  # Nothing but z's own posterior is near it: log q(z) = log q(z|x) - log num_posteriors.
  mean, stddev, scale_tril = random_posteriors()
  posteriors = (mean, 1e-8 * stddev, 1e-8 * scale_tril)
  log_posterior, log_mixture = subset_information.log_densities(
    draw(posteriors, 6), *posteriors, [(0, 1, 2)]
  )
  np.testing.assert_allclose(log_mixture["in_sample"], log_posterior - np.log(6), rtol=1e-14)
  assert np.all(np.isfinite(log_mixture["leave_one_out"]))
  assert np.all(log_mixture["leave_one_out"] < -1e12)


def test_more_points_than_posteriors_are_refused():
  posteriors = random_posteriors()
  with pytest.raises(errors.ConfigError, match="Each of 7 points needs a posterior of its own"):
    subset_information.log_densities(np.zeros((7, 3)), *posteriors, [(0,)])


def test_one_posterior_is_refused():
  posteriors = random_posteriors(num_posteriors=1)
  with pytest.raises(errors.ConfigError, match="at least two posteriors"):
    subset_information.log_densities(np.zeros((1, 3)), *posteriors, [(0,)])


@pytest.mark.parametrize("subset", [(3,), (), (0, 0)])
def test_subsets_are_checked(subset):
  posteriors = random_posteriors()
  with pytest.raises(errors.ConfigError, match="must have one or more different latents"):
    subset_information.log_densities(draw(posteriors, 2), *posteriors, [subset])


def test_minus_singles():
  values = np.array([[1.0, 2.0], [10.0, 20.0], [100.0, 200.0]])
  excess = subset_information.minus_singles(values, values[:2], [(0,), (1,), (0, 1)])
  np.testing.assert_array_equal(excess, [[0, 0], [0, 0], [89, 178]])
  other = subset_information.minus_singles(values, 2 * values[:2], [(0,), (1,), (0, 1)])
  np.testing.assert_array_equal(other[2], [78, 156])


def test_conditional_total_correlation_is_that_of_the_covariance():
  _, stddev, scale_tril = random_posteriors(num_latent=4)
  covariance = scale_tril @ np.swapaxes(scale_tril, 1, 2)
  subsets = [(0,), (1, 3), (0, 1, 2), (0, 1, 2, 3)]
  values = subset_information.conditional_total_correlation(scale_tril, subsets)
  assert values.shape == (4, 6)
  for subset, row in zip(subsets, values, strict=True):
    block = covariance[:, subset][:, :, subset]
    expected = np.sum(np.log(stddev[:, subset]), axis=1) - 0.5 * np.linalg.slogdet(block)[1]
    np.testing.assert_allclose(row, expected, atol=1e-10)


def test_conditional_total_correlation_is_of_each_posterior():
  scale_tril = np.array([np.eye(2), np.linalg.cholesky([[1.0, 0.9], [0.9, 1.0]])])
  values = subset_information.conditional_total_correlation(scale_tril, [(0, 1)])
  np.testing.assert_allclose(values, [[0, -0.5 * np.log(1 - 0.81)]], atol=1e-12)
