import itertools

import numpy as np
import pytest
from scipy import stats

from dl_condind.reports import equivalence
from dl_condind.reports import paired

DRAWS = np.random.default_rng(11)
TEN = DRAWS.normal(0.4, 1, 10)


@pytest.mark.parametrize(
  ("before", "after", "expected"),
  [
    ("0123", "3210", ""),
    ("0123", "012", "seed 3 on one side only"),
    ("0123", "0145", "seeds 2, 3, 4, 5 on one side only"),
    ("0", "123456", "seeds 0, 1, 2, 3, 4, ... on one side only"),
    ("0012", "012", "a seed occurs twice on one side"),
    ("-", "-", "seeds are not known"),
    ("", "", "no runs"),
  ],
)
def test_seeds_decide_whether_values_are_pairs(before, after, expected):
  found = paired.match([(s, 1.0) for s in before], [(s, 2.0) for s in after])
  assert found.problem == expected
  assert found.are_pairs == (not expected)
  assert (len(found.before), len(found.after)) == (len(before), len(after))


def test_pairs_are_of_one_seed():
  found = paired.match([("10", 0.5), ("9", 0.3)], [("9", 0.1), ("10", 0.2)])
  assert sorted(found.differences) == pytest.approx([-0.3, -0.2])


@pytest.mark.parametrize("num", [1, 2, 5, 9])
def test_permutation_test_counts_all_signs(num):
  values = DRAWS.normal(0.3, 1, num)
  sums = [np.dot(signs, values) for signs in itertools.product([1, -1], repeat=num)]
  expected = np.mean([total >= sum(values) - 1e-9 for total in sums])
  assert paired.permutation_test(values) == expected


@pytest.mark.parametrize("values", [TEN, -TEN, np.round(TEN), np.array([0.1, 0.2, -0.3, 0.3, 0.0])])
def test_permutation_test_is_that_of_scipy(values):
  def of_scipy(alternative):
    return stats.permutation_test(
      (values,), np.sum, permutation_type="samples", n_resamples=2000, alternative=alternative
    ).pvalue

  assert paired.permutation_test(values) == pytest.approx(of_scipy("greater"))
  assert paired.two_sided(values) == pytest.approx(of_scipy("two-sided"))


def test_ranks_give_the_exact_wilcoxon_test():
  ranks = stats.rankdata(np.abs(TEN)) * np.sign(TEN)
  expected = stats.wilcoxon(TEN, alternative="greater", method="exact").pvalue
  assert paired.permutation_test(ranks) == pytest.approx(expected)


def test_equal_sums_count_in_spite_of_rounding():
  assert paired.permutation_test([0.1 + 0.2, -0.3]) == 0.75  # 0.1 + 0.2 > 0.3 in floating point.
  assert paired.permutation_test([0.0, 0.0]) == 1
  assert paired.two_sided([0.0, 0.0]) == 1


def test_many_pairs_are_drawn():
  values = DRAWS.normal(0.3, 1, 40)
  expected = stats.ttest_1samp(values, 0, alternative="greater").pvalue
  found = paired.permutation_test(values)
  assert found == pytest.approx(expected, abs=0.005)
  assert found == paired.permutation_test(values)
  assert paired.permutation_test(np.ones(40)) == paired.smallest_p_value(40)


def test_all_positive_differences_have_the_smallest_p_value():
  for num in (1, 4, 10, 20):
    assert paired.permutation_test(np.arange(1, num + 1)) == paired.smallest_p_value(num) == 2**-num


def test_interval_and_margins_are_those_of_student():
  low, high = paired.interval(TEN)
  expected = stats.ttest_1samp(TEN, 0).confidence_interval(0.95)
  assert (low, high) == pytest.approx((expected.low, expected.high))
  found = paired.within(TEN, 0.9)
  assert found.p_above == pytest.approx(stats.ttest_1samp(TEN, -0.9, alternative="greater").pvalue)
  assert found.p_below == pytest.approx(stats.ttest_1samp(TEN, 0.9, alternative="less").pvalue)
  assert paired.not_lower(TEN, 0.9) == found.p_above
  assert paired.interval([1.0]) is paired.within([1.0], 1) is paired.not_lower([1.0], 1) is None
  assert paired.interval([0.2, 0.2]) == (0.2, 0.2)


def test_interval_inside_the_margin_is_what_the_test_shows():
  inner = paired.interval(TEN, 0.95)
  reach = max(map(abs, inner))
  assert paired.within(TEN, reach).p_value == pytest.approx(0.025)


def test_ratio_of_pairs_is_tested_more_sharply_than_that_of_samples():
  before = DRAWS.normal(10, 2, 8)
  after = 1.02 * before + DRAWS.normal(0, 0.1, 8)
  found = paired.within_ratio(before, after, 0.1)
  expected = stats.ttest_rel(after, 0.9 * before, alternative="greater").pvalue
  assert found.p_above == pytest.approx(expected)
  expected = stats.ttest_rel(after, 1.1 * before, alternative="less").pvalue
  assert found.p_below == pytest.approx(expected)
  assert found.p_value < equivalence.of_ratio(after, before, 0.1).p_value
  assert paired.within_ratio([1.0], [1.0], 0.1) is None
  assert paired.within_ratio([-1.0, 0.0], [1.0, 2.0], 0.1) is None


@pytest.mark.parametrize(("num", "alpha"), [(6, 0.025), (10, 0.025), (10, 0.025 / 7), (16, 0.025)])
def test_detectable_shift_is_found_in_80_percent(num, alpha):
  shift = paired.detectable_shift(num, alpha)
  rng = np.random.default_rng(num)
  num_studies = 1000 if num < 16 else 200
  shown = [paired.permutation_test(rng.normal(shift, 1, num)) <= alpha for _ in range(num_studies)]
  assert np.mean(shown) == pytest.approx(0.8, abs=3 * np.sqrt(0.16 / num_studies))


@pytest.mark.slow
def test_detectable_shift_goes_over_into_that_of_student():
  simulated = paired.detectable_shift(12, 0.025)
  assert simulated == pytest.approx(paired._t_detectable_shift(12, 0.025, 0.8), abs=0.03)
  shifts = [paired.detectable_shift(num, 0.025) for num in range(6, 20)]
  assert shifts == sorted(shifts, reverse=True)


def test_too_few_pairs_show_nothing():
  assert paired.detectable_shift(5, 0.025) is None  # 1 / 32
  assert paired.detectable_shift(6, 0.025) > 1
  assert paired.detectable_difference([0.1] * 5, 0.025) is None
  assert paired.detectable_margin([0.1], 0.025) is None


def test_detectable_difference_has_the_unit_of_the_differences():
  expected = paired.detectable_shift(10, 0.025) * np.std(TEN, ddof=1)
  assert paired.detectable_difference(TEN, 0.025) == pytest.approx(expected)


@pytest.mark.parametrize("two_sided", [True, False])
def test_detectable_margin_is_shown_in_80_percent(two_sided):
  differences = TEN / np.std(TEN, ddof=1)
  margin = paired.detectable_margin(differences, 0.025, two_sided=two_sided)
  rng = np.random.default_rng(3)
  found = [paired.within(rng.normal(0, 1, 10), margin) for _ in range(2000)]
  shown = [(f.p_value if two_sided else f.p_above) <= 0.025 for f in found]
  # The tests estimate the standard deviation, so the formula is not exact.
  assert np.mean(shown) == pytest.approx(0.8, abs=0.04)
  assert paired.num_pairs_for_margin(differences, margin, 0.025, two_sided=two_sided) == 10
  assert paired.num_pairs_for_margin(differences, 1e-3, 0.025) is None


def test_tests_keep_their_level():
  rng = np.random.default_rng(5)
  samples = [rng.normal(0, 1, 8) for _ in range(2000)]
  error = 3 * np.sqrt(0.05 * 0.95 / 2000)
  assert np.mean([paired.permutation_test(d) <= 0.05 for d in samples]) <= 0.05 + error
  at_margin = [paired.within(d + 0.5, 0.5).p_value <= 0.05 for d in samples]
  assert np.mean(at_margin) <= 0.05 + error
  assert np.mean([paired.not_lower(d - 0.5, 0.5) <= 0.05 for d in samples]) <= 0.05 + error
