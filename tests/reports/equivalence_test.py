import numpy as np
import pytest
from scipy import stats

from dl_condind.reports import equivalence


def test_ratio_is_tested_by_two_t_tests():
  values, baseline = (
    np.random.default_rng(7).normal(10.2, 0.5, 10),
    np.random.default_rng(7).normal(10, 0.4, 9),
  )
  found = equivalence.of_ratio(values, baseline, 0.1)
  above = stats.ttest_ind(values, 0.9 * baseline, equal_var=False, alternative="greater").pvalue
  below = stats.ttest_ind(values, 1.1 * baseline, equal_var=False, alternative="less").pvalue
  assert [found.p_above, found.p_below] == pytest.approx([above, below], rel=1e-9)
  assert found.p_value == max(found.p_above, found.p_below)


def test_ratio_equivalence_knows_within_from_outside():
  baseline = [10.0, 10.2, 9.8, 10.1, 9.9]
  same = equivalence.of_ratio(baseline, baseline, 0.1)
  assert same.p_value < 1e-4 and same.opposite_p_value == 1
  for factor in (0.7, 1.4):
    other = equivalence.of_ratio(np.multiply(baseline, factor), baseline, 0.1)
    assert other.p_value > 0.99 and other.opposite_p_value < 1e-3


def test_ratio_equivalence_needs_two_values_and_a_positive_mean():
  assert equivalence.of_ratio([1.0], [1.0, 1.1], 0.1) is None
  assert equivalence.of_ratio([1.0, 1.1], [-1.0, 0.5], 0.1) is None
  constant = equivalence.of_ratio([1.05, 1.05], [1.0, 1.0], 0.1)
  assert constant.p_value == 0
  assert equivalence.of_ratio([1.2, 1.2], [1.0, 1.0], 0.1).p_value == 1


def test_number_of_runs_shows_an_equal_mean_in_80_percent():
  draws = np.random.default_rng(3)
  baseline, values = draws.normal(10, 1.8, 200), draws.normal(10, 1.2, 200)
  num = equivalence.num_runs_for_ratio(values, baseline, 0.1, 0.025)
  shown = [
    equivalence.of_ratio(draws.normal(10, 1.2, num), draws.normal(10, 1.8, num), 0.1).p_value
    <= 0.025
    for _ in range(500)
  ]
  assert np.mean(shown) == pytest.approx(0.8, abs=0.06)  # Three standard errors.
  assert equivalence.num_runs_for_ratio([1.0, 9.0], [1.0, 9.0], 0.01, 0.025) is None


def test_mean_is_tested_by_two_t_tests():
  values = np.random.default_rng(4).normal(0.02, 0.05, 6)
  found = equivalence.of_mean(values, -0.1, 0.1)
  above = stats.ttest_1samp(values, -0.1, alternative="greater").pvalue
  below = stats.ttest_1samp(values, 0.1, alternative="less").pvalue
  assert [found.p_above, found.p_below] == pytest.approx([above, below], rel=1e-9)
  assert equivalence.of_mean([0.0], -0.1, 0.1) is None


def test_difference_is_tested_against_the_margin_of_the_baseline():
  draws = np.random.default_rng(5)
  values, penalty, loss = draws.normal(0.1, 0.02, 6), draws.normal(0, 0.02, 5), np.full(5, 1.5)
  found = equivalence.of_difference(values, list(zip(penalty, 0.1 * loss, strict=True)))
  above = stats.ttest_ind(values, penalty - 0.15, equal_var=False, alternative="greater").pvalue
  below = stats.ttest_ind(values, penalty + 0.15, equal_var=False, alternative="less").pvalue
  assert [found.p_above, found.p_below] == pytest.approx([above, below], rel=1e-9)
  assert equivalence.of_difference([0.1], [(0.1, 0.1)] * 2) is None


@pytest.mark.parametrize("weights", [(1, -1), (1, -1, -1, 1)])
def test_standardized_sum_follows_the_noncentral_t_distribution(weights):
  draws = np.random.default_rng(6)
  samples = [draws.normal(i, 2, 5 + i) for i in range(len(weights))]
  found = equivalence.of_standardized_sum(samples, weights, 1.0)
  freedom = sum(len(x) - 1 for x in samples)
  pooled = np.sqrt(sum((len(x) - 1) * np.var(x, ddof=1) for x in samples) / freedom)
  scale = np.sqrt(sum(w**2 / len(x) for w, x in zip(weights, samples, strict=True)))
  total = sum(w * np.mean(x) for w, x in zip(weights, samples, strict=True))
  t = total / (pooled * scale)
  assert found.p_below == pytest.approx(stats.nct.cdf(t, freedom, 1 / scale), abs=1e-6)
  assert found.p_above == pytest.approx(stats.nct.sf(t, freedom, -1 / scale), abs=1e-6)


def test_standardized_sum_is_defined_far_in_the_tail():
  values, baseline = np.linspace(-50, -49, 100), np.linspace(0, 1, 100)
  found = equivalence.of_standardized_sum([values, baseline], [1, -1], 1.0)
  assert found.p_below == pytest.approx(0, abs=1e-12) and found.p_above == pytest.approx(1)
  assert equivalence.of_standardized_sum([[1.0], [1.0, 2.0]], [1, -1], 1.0) is None
  assert equivalence.of_standardized_sum([[1.0, 1.0], [2.0, 2.0]], [1, -1], 1.0) is None


def test_standardized_sum_keeps_its_level_at_the_bound():
  draws = np.random.default_rng(8)
  shown = [
    equivalence.of_standardized_sum(
      [draws.normal(1, 1, 12), draws.normal(0, 1, 12)], [1, -1], 1.0
    ).p_value
    <= 0.05
    for _ in range(1000)
  ]
  assert np.mean(shown) == pytest.approx(0.05, abs=0.021)  # Three standard errors.
