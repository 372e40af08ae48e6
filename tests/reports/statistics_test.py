import itertools

import numpy as np
import pytest
from scipy import stats

from dl_condind.reports import statistics


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


def test_mann_whitney_of_many_values_is_the_normal_approximation():
  x, y = rng().normal(0.3, 1, 60), rng().normal(0, 1, 55)
  tied_x, tied_y = np.arange(10) // 2 + 1.0, np.arange(12) // 3
  for a, b in ((x, y), (tied_x, tied_y)):
    expected = stats.mannwhitneyu(a, b, alternative="greater", method="asymptotic").pvalue
    assert statistics.mann_whitney(a, b) == expected
  assert statistics.mann_whitney([1, 1], [1, 1, 1]) == 1.0


@pytest.mark.parametrize(
  ("x", "y"),
  [
    ([1, 2, 2, 5], [0, 1, 1, 3]),
    ([2, 2, 3], [1, 2, 2]),
    ([3, 3, 3, 4, 5], [1, 2, 3, 3, 3]),
    ([5.0] * 3, [1.0] * 3),
  ],
)
def test_mann_whitney_with_ties_is_the_share_of_all_permutations(x, y):
  both = np.array(x + y, float)

  def statistic(chosen):
    others = np.delete(both, list(chosen))
    differences = both[list(chosen)][:, None] - others
    return np.sum(differences > 0) + 0.5 * np.sum(differences == 0)

  seen = statistic(range(len(x)))
  chosen = itertools.combinations(range(len(both)), len(x))
  expected = np.mean([statistic(indices) >= seen for indices in chosen])
  assert statistics.mann_whitney(x, y) == pytest.approx(expected, abs=1e-12)


def test_mann_whitney_with_ties_keeps_its_level():
  """The normal approximation called 1 in 25 tied samples of 3 to 5 values significant wrongly."""
  p_values = []
  for seed in range(200):
    draws = np.random.default_rng(seed)
    n = draws.integers(3, 6)
    p_values.append(statistics.mann_whitney(draws.integers(0, 4, n), draws.integers(0, 4, n)))
  assert np.mean(np.array(p_values) <= 0.05) <= 0.05


@pytest.mark.parametrize(("num_x", "num_y"), [(1, 1), (3, 3), (10, 10), (4, 9)])
def test_smallest_p_value_is_that_of_separated_samples(num_x, num_y):
  p_value = statistics.mann_whitney(100 + np.arange(num_x), np.arange(num_y))
  assert statistics.smallest_p_value(num_x, num_y) == pytest.approx(p_value, rel=1e-12)


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


def test_number_of_runs_that_show_a_shift():
  num = statistics.num_runs_to_show(1.0, 0.025)
  assert statistics.detectable_shift(num, num, 0.025) <= 1.0
  assert statistics.detectable_shift(num - 1, num - 1, 0.025) > 1.0
  # The t-test needs 17 (normal quantiles: 2 * (1.96 + 0.84)**2 = 15.7 and a little more).
  assert 17 <= num <= 19


def test_welch_of_two_samples_is_scipys():
  x, y = rng().normal(1, 3, 8), rng().normal(0, 1, 12)
  expected = stats.ttest_ind(x, y, equal_var=False, alternative="greater").pvalue
  assert statistics.welch([x, y], [1, -1]) == pytest.approx(expected, rel=1e-12)
  assert statistics.welch([[1.0, 1.0], [1.0, 1.0]], [1, -1]) == 0.5


def test_welch_of_a_difference_of_differences_keeps_its_level():
  draws = np.random.default_rng(2).normal(size=(2000, 4, 10)) * [[1.0], [2.0], [1.0], [0.5]]
  p_values = [statistics.welch(samples, [1, -1, -1, 1]) for samples in draws]
  assert np.mean(np.array(p_values) <= 0.05) == pytest.approx(0.05, abs=0.015)  # Three errors.
