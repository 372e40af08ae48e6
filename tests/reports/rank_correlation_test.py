import itertools

import numpy as np
import pytest
from scipy import stats

from dl_condind.reports import rank_correlation


def normal(num, seed):
  return np.random.default_rng(seed).normal(size=num)


def test_one_group_is_spearmans_test():
  x, y = normal(40, 0), normal(40, 1)
  y = y + 0.5 * x
  found = rank_correlation.within([(x, y)])
  expected = stats.spearmanr(x, y, alternative="greater")
  assert found.mean == pytest.approx(expected.statistic, rel=1e-12)
  assert found.p_positive == pytest.approx(expected.pvalue, abs=0.01)
  assert found == rank_correlation.within([(x, y)])


def test_few_runs_are_tested_exactly():
  groups = [(np.array([1, 2, 3]), np.array([10, 30, 20])), (np.arange(4), np.arange(4))]
  found = rank_correlation.within(groups)
  rhos = [stats.spearmanr(x, y).statistic for x, y in groups]
  sums = [
    stats.spearmanr(first, groups[0][1]).statistic + stats.spearmanr(second, groups[1][1]).statistic
    for first in itertools.permutations(groups[0][0])
    for second in itertools.permutations(groups[1][0])
  ]
  assert found.mean == pytest.approx(np.mean(rhos))
  assert found.p_positive == pytest.approx(np.mean(np.array(sums) >= sum(rhos) - 1e-9))
  assert found.p_negative == pytest.approx(np.mean(np.array(sums) <= sum(rhos) + 1e-9))


def test_differences_between_groups_count_for_nothing():
  """Unrelated within each group, strongly related over all."""
  groups = [(normal(10, i) + 50 * i, normal(10, 90 + i) + 50 * i) for i in range(6)]
  found = rank_correlation.within(groups)
  pooled = stats.spearmanr(*(np.concatenate(column) for column in zip(*groups, strict=True)))
  assert pooled.statistic > 0.9
  assert abs(found.mean) < 0.3 and found.p_positive > 0.01
  assert found.p_positive + found.p_negative == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("num", [3, 10])
def test_unrelated_measures_of_unlike_groups_keep_the_level(num):
  p_values = []
  for seed in range(150):
    draws = np.random.default_rng(seed)
    shifts = draws.normal(0, 5, (6, 2))
    groups = [tuple(draws.normal(size=(2, num)) + shift[:, None]) for shift in shifts]
    p_values.append(rank_correlation.within(groups).p_positive)
  assert np.mean(np.array(p_values) <= 0.05) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 150)


def test_weak_correlation_is_shown_to_be_weak():
  groups = [(normal(30, i), normal(30, 50 + i)) for i in range(6)]
  assert rank_correlation.within(groups).equivalence.p_value < 0.001
  strong = [(x, 2 * x + 0.1 * y) for x, y in groups]
  assert rank_correlation.within(strong).equivalence.p_value > 0.999
  assert rank_correlation.within([(x[:3], y[:3]) for x, y in groups]).equivalence is None


def test_what_cannot_be_ranked_has_no_correlation():
  assert rank_correlation.within([]) is None
  assert rank_correlation.within([([1, 2], [1, 2])]) is None
  assert rank_correlation.within([([1, 2, 3], [5, 5, 5]), ([1, 2, 3], [1, 2, 3])]) is None
