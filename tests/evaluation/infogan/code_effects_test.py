import itertools

import numpy as np
import pytest
from scipy import stats

from dl_condind.evaluation.infogan import code_effects


@pytest.fixture
def rng():
  return np.random.default_rng(0)


def test_shares_are_squared_correlations(rng):
  codes, attributes = rng.normal(size=(200, 3)), rng.normal(size=(200, 2))
  attributes[:, 0] += codes[:, 1]
  found = code_effects.explained_shares(codes, attributes)
  ranked = code_effects.explained_shares(codes, attributes, monotone=True)
  assert found.shape == ranked.shape == (2, 3)
  for i, j in itertools.product(range(2), range(3)):
    assert found[i, j] == pytest.approx(stats.pearsonr(codes[:, j], attributes[:, i])[0] ** 2)
    expected = stats.spearmanr(codes[:, j], attributes[:, i])[0] ** 2
    assert ranked[i, j] == pytest.approx(expected)


def test_known_mixture_has_its_shares(rng):
  codes = rng.normal(size=(200_000, 2))
  attribute = 0.8 * codes[:, :1] - 0.6 * codes[:, 1:]
  shares = code_effects.explained_shares(codes, attribute)
  # The standard error of a correlation is below 1 / sqrt(200000) = 0.0022.
  np.testing.assert_allclose(shares, [[0.64, 0.36]], atol=0.01)
  np.testing.assert_allclose(code_effects.gaps(shares), [0.28], atol=0.02)


def test_monotone_dependence_has_the_rank_share_1(rng):
  codes = rng.normal(size=(500, 1))
  attributes = np.exp(3 * codes)
  assert code_effects.explained_shares(codes, attributes)[0, 0] < 0.5
  assert code_effects.explained_shares(codes, attributes, monotone=True)[0, 0] == pytest.approx(1)


def test_groups_are_averaged_by_their_size(rng):
  groups = np.repeat([4, 1, 7], [50, 150, 9])  # The last group is too small to count.
  codes, attributes = rng.normal(size=(209, 2)), rng.normal(size=(209, 1))
  attributes[:50, 0] = codes[:50, 0]
  attributes[50:200, 0] = -3 * codes[50:200, 1] + 100
  found = code_effects.explained_shares(codes, attributes, groups)
  parts = [
    code_effects.explained_shares(codes[part], attributes[part])
    for part in (slice(0, 50), slice(50, 200))
  ]
  np.testing.assert_allclose(found, 0.25 * parts[0] + 0.75 * parts[1])
  assert parts[0][0, 0] == pytest.approx(1) and parts[1][0, 1] == pytest.approx(1)
  ranked = code_effects.explained_shares(codes, attributes, groups, monotone=True)
  assert ranked[0, 1] > 0.75 - 1e-9


def test_what_does_not_vary_has_no_share(rng):
  codes, attributes = rng.normal(size=(40, 2)), rng.normal(size=(40, 2))
  codes[:, 1], attributes[:, 1] = 0.1, 0.7
  for monotone in (False, True):
    found = code_effects.explained_shares(codes, attributes, monotone=monotone)
    np.testing.assert_array_equal(np.isnan(found), [[False, True], [True, True]])
  # Rounding is no variation.
  attributes[:, 1] += 1e-15 * codes[:, 0]
  assert np.isnan(code_effects.explained_shares(codes, attributes)[1]).all()
  # A group without variance leaves the average to the others.
  groups = np.repeat([0, 1], 20)
  attributes[:20, 0] = 3.0
  found = code_effects.explained_shares(codes, attributes, groups)[0, 0]
  assert found == code_effects.explained_shares(codes[20:], attributes[20:])[0, 0]
  assert np.isnan(code_effects.explained_shares(codes[:0], attributes[:0])).all()


def test_gap_needs_two_codes():
  shares = np.array([[0.1, 0.9, 0.3], [0.2, 0.2, 0.2]])
  np.testing.assert_allclose(code_effects.gaps(shares), [0.6, 0.0])
  assert np.isnan(code_effects.gaps(shares[:, :1])).all()


def test_assignment_gives_each_code_its_own_attribute():
  shares = np.array([[0.9, 0.8], [0.1, 0.0], [0.7, 0.2]])
  np.testing.assert_array_equal(code_effects.assign(shares), [2, 0])  # 0.7 + 0.8 > 0.9 + 0.2
  np.testing.assert_array_equal(code_effects.assign(np.array([[0.3, np.nan, 0.5]])), [-1, -1, 0])


def test_change_rates_of_known_traversals():
  digits = np.array([[3, 3, 3, 3], [3, 3, 5, 5], [1, 2, 1, 2], [0, 0, 0, 7]])
  assert code_effects.change_rates(digits) == (0.75, (0 + 1 + 3 + 1) / 4)


def test_matched_accuracy_is_the_best_of_all_matchings(rng):
  categories, digits = rng.integers(4, size=100), rng.integers(4, size=100)
  best = max(
    np.mean(np.array(match)[categories] == digits) for match in itertools.permutations(range(4))
  )
  assert code_effects.matched_accuracy(categories, digits) == best
  assert code_effects.matched_accuracy(categories, (categories + 5) % 10) == 1
  assert code_effects.matched_accuracy(categories, np.zeros(100, int)) == pytest.approx(
    np.bincount(categories).max() / 100
  )


@pytest.mark.parametrize("num_codes", [2, 4])
def test_correlations_are_those_of_the_noise(rng, num_codes):
  c = 0.6
  noise_correlation = (1 - c) * np.eye(num_codes) + c
  stddev = rng.uniform(0.1, 2, size=(100_000, num_codes))
  scale_tril = stddev[:, :, None] * np.linalg.cholesky(noise_correlation)
  assert code_effects.mean_reported_correlation(scale_tril) == pytest.approx(c, abs=1e-12)
  values = rng.multivariate_normal(np.zeros(num_codes), noise_correlation, size=100_000)
  assert code_effects.mean_correlation(values) == pytest.approx(c, abs=0.01)


def test_one_code_has_no_correlation():
  assert np.isnan(code_effects.mean_correlation(np.arange(5.0)[:, None]))
  assert np.isnan(code_effects.mean_correlation(np.array([[1.0, 2.0], [1.0, 3.0]])))
  assert np.isnan(code_effects.mean_reported_correlation(np.ones((3, 1, 1))))


def test_plain_numbers():
  assert code_effects.plain(np.nan) is None
  assert type(code_effects.plain(np.float64(0.5))) is float
  assert code_effects.mean_of_defined(np.array([np.nan, 1.0, 2.0])) == 1.5
  assert np.isnan(code_effects.mean_of_defined(np.array([np.nan])))
