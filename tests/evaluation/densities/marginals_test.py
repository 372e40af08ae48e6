import itertools

import numpy as np
import pytest
from scipy import special
from scipy import stats

from dl_condind.evaluation.densities import gaussian_posteriors
from dl_condind.evaluation.densities import marginals
from dl_condind.evaluation.densities import mixtures
from dl_condind.utils import errors

NAMES = ("minibatch", "minibatch_weighted", "minibatch_stratified")


def random_posteriors(num_posteriors, num_latent=2, seed=0):
  random_state = np.random.RandomState(seed)
  mean = random_state.standard_normal((num_posteriors, num_latent))
  stddev = np.exp(-1 + 0.5 * random_state.standard_normal((num_posteriors, num_latent)))
  correlation = 0.4 * np.eye(num_latent) + 0.6
  return mean, stddev, stddev[:, :, None] * np.linalg.cholesky(correlation)


def average_over_minibatches(posteriors, batch_size, z, own):
  """Returns the average estimate of q at one z over all minibatches with the posterior own first.

  The others are every ordered draw without replacement from the rest of the data set.
  """
  num = len(posteriors[0])
  rest = [i for i in range(num) if i != own]
  batches = [(own, *others) for others in itertools.permutations(rest, batch_size - 1)]
  total = {}
  for batch in batches:
    members = [array[list(batch)] for array in posteriors]
    estimates = marginals.of_minibatch(z[None], np.array([0]), num, *members)
    for name, log_q in estimates.items():
      total[name] = total.get(name, 0) + np.exp(log_q[:, 0]) / len(batches)
  return total


@pytest.mark.parametrize("num, batch_size", [(5, 3), (6, 2), (4, 4)])
def test_expectation_of_minibatches_by_enumeration(num, batch_size):
  posteriors = random_posteriors(num)
  for own in range(num):
    z = posteriors[0][own] + 0.3
    average = average_over_minibatches(posteriors, batch_size, z, own)
    exact = np.exp(
      mixtures.log_mixture_density(z[None], *posteriors, marginals.joint_and_latents(2))[:, 0]
    )
    # The stratified estimate of q(z) and of each q(z_j) is unbiased, whichever posterior z is of.
    np.testing.assert_allclose(average["minibatch_stratified"], exact, rtol=1e-12)
    # The weighted one is too small, 1 / batch_size of it in the own posterior's term.
    assert np.all(average["minibatch_weighted"] < exact)
    # The paper's gives its own posterior too much weight: 1 / batch_size and not 1 / num.
    if batch_size < num and own == 0:
      itself = np.exp(mixtures.pairwise_log_density(z[None], *posteriors)[0, 0])
      others = (np.sum(itself) - itself[own]) / (num - 1)
      expected = itself[own] / batch_size + others * (batch_size - 1) / batch_size
      assert average["minibatch"][0] == pytest.approx(expected, rel=1e-12)


def test_every_place_in_the_minibatch_has_the_same_weights():
  weights = marginals.minibatch_weights(5, 100)
  np.testing.assert_allclose(weights["minibatch"], 1 / 5)
  np.testing.assert_allclose(weights["minibatch_weighted"], 1 / 500)
  stratified = weights["minibatch_stratified"]
  np.testing.assert_allclose(np.diagonal(stratified), 1 / 100)
  for row in stratified:
    np.testing.assert_allclose(np.sort(row), [0.01, 0.24, 0.25, 0.25, 0.25])
  np.testing.assert_allclose(stratified.sum(axis=1), 1)
  np.testing.assert_allclose(stratified.sum(axis=0), 1)


@pytest.mark.parametrize("full", [False, True])
def test_minibatch_estimates_are_weighted_sums(full):
  mean, stddev, scale_tril = random_posteriors(4)
  z = gaussian_posteriors.sample_mixture(mean, scale_tril, 3, np.random.RandomState(0))
  own = np.repeat(np.arange(4), 3)
  density = (mean, stddev, scale_tril if full else None)
  estimates = marginals.of_minibatch(z, own, 50, *density)
  pairs = mixtures.pairwise_log_density(z, *density, marginals.joint_and_latents(2))
  assert set(estimates) == set(NAMES)
  for name, weights in marginals.minibatch_weights(4, 50).items():
    expected = special.logsumexp(pairs, axis=2, b=weights[own])
    np.testing.assert_allclose(estimates[name], expected, atol=1e-12)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("scale", [1.0, 1e-4])
def test_all_data_and_leave_one_out_are_two_mixtures(full, scale):
  mean, stddev, scale_tril = random_posteriors(40, num_latent=3)
  stddev, scale_tril = scale * stddev, scale * scale_tril
  own = np.random.RandomState(0).permutation(40)[:25]
  z = gaussian_posteriors.sample_mixture(mean[own], scale_tril[own], 1, np.random.RandomState(1))
  density = (mean, stddev, scale_tril if full else None)
  estimates = marginals.of_all_data(z, own, *density)
  subsets = [(0, 1, 2), (0,), (1,), (2,)]
  np.testing.assert_allclose(
    estimates["all_data"], mixtures.log_mixture_density(z, *density, subsets), rtol=1e-11
  )
  np.testing.assert_allclose(
    estimates["leave_one_out"],
    mixtures.log_mixture_density(z, *density, subsets, leave_out=own),
    rtol=1e-11,
  )


def test_gaussian_is_scipys_with_the_moments_of_z():
  z = np.random.RandomState(0).standard_normal((50, 3)) @ np.array(
    [[1, 2, 0], [0, 1, 1], [0, 0, 3]]
  )
  log_q = marginals.of_gaussian(z)
  covariance = np.cov(z, rowvar=False, bias=True)
  expected = stats.multivariate_normal(z.mean(axis=0), covariance).logpdf(z)
  np.testing.assert_allclose(log_q[0], expected, rtol=1e-12)
  for j in range(3):
    expected = stats.norm(z[:, j].mean(), z[:, j].std()).logpdf(z[:, j])
    np.testing.assert_allclose(log_q[1 + j], expected, rtol=1e-12)
  # Averaged over the points it was fitted to, it has the total correlation of its covariance.
  total_correlation = np.mean(log_q[0] - log_q[1:].sum(axis=0))
  correlation = np.corrcoef(z, rowvar=False)
  assert total_correlation == pytest.approx(-0.5 * np.linalg.slogdet(correlation)[1], abs=1e-10)


def test_gaussian_allows_latents_of_very_different_scales():
  z = np.random.RandomState(0).standard_normal((50, 2))
  scaled = marginals.of_gaussian(z * [1e-9, 1e3])
  expected = marginals.of_gaussian(z) - np.log([[1e-6], [1e-9], [1e3]])
  np.testing.assert_allclose(scaled, expected, rtol=1e-9)


@pytest.mark.parametrize("width", [1e-4, 1e-5, 1e-6, 0.0])
def test_gaussian_of_latents_that_are_nearly_one(width):
  random_state = np.random.RandomState(0)
  common, noise = random_state.standard_normal((200, 1)), random_state.standard_normal((200, 2))
  z = common + width * noise
  log_q = marginals.of_gaussian(z)
  if width < 1e-6:
    assert log_q is None
    return
  # log q(sum) + log q(difference | sum) + log 2, for (sum, difference) stretches areas by 2.
  center, difference = z - z.mean(axis=0), z[:, 0] - z[:, 1]
  total, difference = center.sum(axis=1), difference - difference.mean()
  rest = difference - total * (total @ difference) / (total @ total)
  expected = sum(stats.norm(0, part.std()).logpdf(part) for part in (total, rest)) + np.log(2)
  np.testing.assert_allclose(log_q[0].mean(), expected.mean(), rtol=1e-3)


def test_gaussian_needs_more_points_than_latents():
  z = np.random.RandomState(0).standard_normal((6, 5))
  assert marginals.of_gaussian(z[:5]) is None
  assert marginals.of_gaussian(z).shape == (6, 6)


@pytest.mark.parametrize("batch_size", [1, 11])
def test_minibatch_size_is_checked(batch_size):
  with pytest.raises(
    errors.ConfigError, match=f"from 2 to 10, the number of posteriors .* got {batch_size}"
  ):
    marginals.minibatch_weights(batch_size, 10)
