import itertools

import numpy as np
import pytest
from scipy import stats

from dl_condind.studies import statistics


def rng():
  return np.random.default_rng(7)


def test_summary_of_no_one_and_few_values():
  assert statistics.summarize([]) == statistics.Summary(0, None, None, None)
  assert statistics.summarize([2.0]) == statistics.Summary(1, 2.0, 2.0, None)
  assert statistics.summarize([1.0, 2.0, 6.0, 7.0]) == statistics.Summary(4, 4.0, 4.0, None)


def test_summary_of_equal_values():
  assert statistics.summarize([0.5] * 6) == statistics.Summary(6, 0.5, 0.5, (0.5, 0.5))


def test_interval_that_rounding_leaves_undefined_is_left_out():
  summary = statistics.summarize([1.0, 1.0, 1.0, 1.0, 1.0 + 2**-52])
  assert summary.count == 5
  assert summary.interval is None  # scipy has (nan, nan).


def test_interval_is_repeatable_and_around_the_mean():
  values = rng().normal(size=10)
  summary = statistics.summarize(values)
  assert summary == statistics.summarize(values)
  assert summary != statistics.summarize(values, seed=1)
  assert summary.mean == np.mean(values) and summary.median == np.median(values)
  assert summary.interval[0] < summary.mean < summary.interval[1]


def test_interval_of_many_values_is_that_of_the_normal_distribution():
  values = rng().normal(size=400)
  error = np.std(values) / 20
  expected = np.mean(values) + stats.norm.interval(0.95)[1] * error * np.array([-1, 1])
  found = statistics.summarize(values).interval
  assert list(found) == pytest.approx(expected.tolist(), abs=0.15 * error)  # Of resampling.


def test_interval_covers_the_mean_as_often_as_the_docstring_says():
  draws = np.random.default_rng(1).normal(size=(300, 10))
  intervals = [statistics.summarize(values).interval for values in draws]
  covered = np.mean([low <= 0 <= high for low, high in intervals])
  assert covered == pytest.approx(0.90, abs=0.05)  # Three standard errors.


@pytest.mark.parametrize(
  ("x", "y", "effect"),
  [([3, 4], [1, 2], 1.0), ([1, 2], [3, 4], 0.0), ([1, 1], [1], 0.5), ([1, 3], [2, 2, 3], 2.5 / 6)],
)
def test_probability_of_superiority(x, y, effect):
  assert statistics.probability_of_superiority(x, y) == pytest.approx(effect)


def test_superiority_of_a_shift_is_that_of_large_samples():
  x, y = rng().normal(1.3, 1, 2000), rng().normal(0, 1, 2000)[::-1]
  expected = statistics.probability_of_superiority(x, y)
  assert statistics.superiority_of_shift(1.3) == pytest.approx(expected, abs=0.02)
  assert statistics.superiority_of_shift(0) == 0.5


def test_mann_whitney_is_the_share_of_orders_that_are_as_extreme():
  x, y = [3.1, 2.2, 4.4], [1.0, 2.9, 0.3, 2.5]
  both = np.array(x + y)

  def wins(chosen):
    others = np.delete(both, chosen)
    return sum(a > b for a in both[list(chosen)] for b in others)

  all_wins = [wins(chosen) for chosen in itertools.combinations(range(7), 3)]
  expected = np.mean([found >= wins((0, 1, 2)) for found in all_wins])
  assert statistics.mann_whitney(x, y) == pytest.approx(expected, abs=1e-12)


def test_mann_whitney_with_ties_or_many_values_is_the_normal_approximation():
  x, y = rng().normal(0.3, 1, 60), rng().normal(0, 1, 55)
  for a, b in ((x, y), ([1, 2, 2, 5], [0, 1, 1, 3])):
    expected = stats.mannwhitneyu(a, b, alternative="greater", method="asymptotic").pvalue
    assert statistics.mann_whitney(a, b) == expected
  assert statistics.mann_whitney([1, 1], [1, 1, 1]) == 1.0


@pytest.mark.parametrize(("num_x", "num_y"), [(1, 1), (3, 3), (10, 10), (4, 9)])
def test_smallest_p_value_is_that_of_separated_samples(num_x, num_y):
  p_value = statistics.mann_whitney(100 + np.arange(num_x), np.arange(num_y))
  assert statistics.smallest_p_value(num_x, num_y) == pytest.approx(p_value, rel=1e-12)


def test_mann_whitney_with_ties_is_not_below_what_is_possible():
  x, y = [5.0] * 3, [1.0] * 3
  assert stats.mannwhitneyu(x, y, alternative="greater", method="asymptotic").pvalue < 0.05
  assert statistics.mann_whitney(x, y) == statistics.smallest_p_value(3, 3) == 0.05


def test_holm():
  # Worked by hand: 3 * 0.01, then max(0.03, 2 * 0.02), then max(0.04, 0.03).
  assert statistics.holm([0.02, 0.01, 0.03]) == pytest.approx([0.04, 0.03, 0.04])
  assert statistics.holm([0.5, 0.4]) == pytest.approx([0.8, 0.8])
  assert statistics.holm([0.9, 0.7]) == [1.0, 1.0]
  assert statistics.holm([]) == []


def test_holm_rejects_what_its_steps_reject():
  for p_values in rng().uniform(0, 0.3, size=(50, 6)) ** 2:
    rejected = set()
    for step, index in enumerate(np.argsort(p_values)):
      if p_values[index] > 0.05 / (6 - step):
        break
      rejected.add(int(index))
    adjusted = np.array(statistics.holm(p_values))
    assert set(np.flatnonzero(adjusted <= 0.05).tolist()) == rejected


@pytest.mark.parametrize(
  ("num_x", "num_y", "alpha"), [(10, 10, 0.05), (10, 10, 0.05 / 18), (4, 12, 0.05), (60, 30, 0.01)]
)
def test_detectable_shift_is_found_in_80_percent(num_x, num_y, alpha):
  shift = statistics.detectable_shift(num_x, num_y, alpha)
  x, y = rng().normal(shift, 1, (3000, num_x)), np.random.default_rng(8).normal(size=(3000, num_y))
  method = "exact" if max(num_x, num_y) <= 50 else "asymptotic"
  found = stats.mannwhitneyu(x, y, axis=1, alternative="greater", method=method).pvalue <= alpha
  assert np.mean(found) == pytest.approx(0.8, abs=0.03)  # Four standard errors.


def test_detectable_shift_falls_with_the_number_of_runs_and_may_not_exist():
  shifts = [statistics.detectable_shift(n, n, 0.05) for n in (3, 5, 10, 20)]
  assert shifts == sorted(shifts, reverse=True)
  assert statistics.detectable_shift(2, 2, 0.05) is None
  assert statistics.detectable_shift(3, 3, 0.05 / 2) is None
  assert statistics.detectable_shift(3, 3, 0.05) is not None  # 1 / 20 is the level itself.


def test_equivalence_is_two_t_tests_of_the_ratio():
  values, baseline = rng().normal(10.2, 0.5, 10), rng().normal(10, 0.4, 9)
  found = statistics.equivalence(values, baseline, 0.1)
  above = stats.ttest_ind(values, 0.9 * baseline, equal_var=False, alternative="greater").pvalue
  below = stats.ttest_ind(values, 1.1 * baseline, equal_var=False, alternative="less").pvalue
  assert [found.p_above, found.p_below] == pytest.approx([above, below], rel=1e-9)
  assert found.p_value == max(found.p_above, found.p_below)


def test_equivalence_knows_within_from_outside():
  baseline = [10.0, 10.2, 9.8, 10.1, 9.9]
  same = statistics.equivalence(baseline, baseline, 0.1)
  assert same.p_value < 1e-4 and same.opposite_p_value == 1
  for factor in (0.7, 1.4):
    other = statistics.equivalence(np.multiply(baseline, factor), baseline, 0.1)
    assert other.p_value > 0.99 and other.opposite_p_value < 1e-3


def test_equivalence_needs_two_values_and_a_positive_mean():
  assert statistics.equivalence([1.0], [1.0, 1.1], 0.1) is None
  assert statistics.equivalence([1.0, 1.1], [-1.0, 0.5], 0.1) is None
  constant = statistics.equivalence([1.05, 1.05], [1.0, 1.0], 0.1)
  assert constant.p_value == 0
  assert statistics.equivalence([1.2, 1.2], [1.0, 1.0], 0.1).p_value == 1


def test_welch_of_two_samples_is_scipys():
  x, y = rng().normal(1, 3, 8), rng().normal(0, 1, 12)
  expected = stats.ttest_ind(x, y, equal_var=False, alternative="greater").pvalue
  assert statistics.welch([x, y], [1, -1]) == pytest.approx(expected, rel=1e-12)
  assert statistics.welch([[1.0, 1.0], [1.0, 1.0]], [1, -1]) == 0.5


def test_welch_of_a_difference_of_differences_keeps_its_level():
  draws = np.random.default_rng(2).normal(size=(2000, 4, 10)) * [[1.0], [2.0], [1.0], [0.5]]
  p_values = [statistics.welch(samples, [1, -1, -1, 1]) for samples in draws]
  assert np.mean(np.array(p_values) <= 0.05) == pytest.approx(0.05, abs=0.015)  # Three errors.


def test_rank_correlation():
  x, y = rng().normal(size=40), rng().normal(size=40)
  y = y[::-1] + 0.5 * x
  rho, p_value = statistics.rank_correlation(x, y)
  expected = stats.spearmanr(x, y, alternative="greater")
  assert rho == pytest.approx(expected.statistic, rel=1e-12)
  assert p_value == pytest.approx(expected.pvalue, abs=0.01)
  assert (rho, p_value) == statistics.rank_correlation(x, y)


def test_rank_correlation_of_few_runs_is_exact():
  rho, p_value = statistics.rank_correlation([1, 2, 3, 4, 5], [10, 20, 30, 40, 50])
  assert rho == pytest.approx(1) and p_value == pytest.approx(1 / 120)
  assert statistics.rank_correlation([1, 2], [1, 2]) is None
  assert statistics.rank_correlation([1, 2, 3], [5, 5, 5]) is None
