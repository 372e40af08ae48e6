"""Statistics of pairs: runs of one seed share data, initial weights and noise, so they are pairs.

What differs between two settings is then a difference within each pair, and what differs between
seeds drops out. Where the seeds of both sides are not the same, nothing is paired.

The test is the sign-flip permutation test of the mean difference (Fisher, 1935). If a setting makes
no difference, each difference is as likely to be d as -d, so that all 2**n choices of signs of n
differences are equally likely; nothing else is assumed. Intervals and tests against a margin are
Student's t of the differences.
"""

from collections.abc import Sequence
import dataclasses
import functools
import math

import numpy as np
from scipy import optimize
from scipy import stats

from dl_condind.reports import equivalence
from dl_condind.reports import statistics

_MAX_EXACT_PAIRS = 20
_MAX_SIMULATED_PAIRS = 12  # From here on Student's t has nearly the same power.
_NUM_FLIPS = 100_000
_NUM_SIMULATIONS = 10_000
_MAX_NAMED_SEEDS = 5

Seeded = Sequence[tuple[str, float]]  # Seed and value of each run.


@dataclasses.dataclass(frozen=True)
class Pairing:
  """The values of two settings, in pairs if their seeds are the same.

  Attributes:
    before: Values of one setting; of pairs in the order of the seeds.
    after: Values of the other setting; of pairs in the same order.
    problem: Why the runs cannot be paired, in words; empty if they can.
  """

  before: tuple[float, ...]
  after: tuple[float, ...]
  problem: str = ""

  @property
  def are_pairs(self) -> bool:
    """Whether the values are pairs."""
    return not self.problem

  @property
  def differences(self) -> list[float]:
    """What each pair changes by, `[num_pairs]`."""
    return [after - before for before, after in zip(self.before, self.after, strict=True)]


def match(before: Seeded, after: Seeded) -> Pairing:
  """Pairs the values of two settings by their seeds, if both have the same ones, each once.

  >>> match([("0", 0.3), ("1", 0.4)], [("1", 0.2), ("0", 0.1)])
  Pairing(before=(0.3, 0.4), after=(0.1, 0.2), problem='')
  """
  seeds = [[seed for seed, _ in values] for values in (before, after)]
  only = sorted(set(seeds[0]) ^ set(seeds[1]), key=lambda seed: (len(seed), seed))
  if not all(seed.isdecimal() for found in seeds for seed in found):
    problem = "seeds are not known"
  elif any(len(set(found)) < len(found) for found in seeds):
    problem = "a seed occurs twice on one side"
  elif only:
    named = ", ".join(only[:_MAX_NAMED_SEEDS]) + ", ..." * (len(only) > _MAX_NAMED_SEEDS)
    problem = f"seed{'s' * (len(only) > 1)} {named} on one side only"
  elif not before:
    problem = "no runs"
  else:
    before, after = sorted(before), sorted(after)
    problem = ""
  return Pairing(tuple(value for _, value in before), tuple(value for _, value in after), problem)


def permutation_test(differences: Sequence[float]) -> float:
  """Returns the one-sided p-value that the mean difference is positive.

  It is the share of all choices of signs whose sum is at least the sum found. Up to 20 pairs all
  2**n of them are counted, beyond 100,000 seeded random ones and the choice found.

  >>> permutation_test([0.1, 0.2, 0.4])  # Only this choice of signs has so large a sum: 1 / 2**3.
  0.125

  Args:
    differences: `[num_pairs]`, at least one.
  """
  values = np.asarray(differences, float)
  sizes = np.abs(values)
  least = np.sum(values) - 1e-12 * np.sum(sizes)  # Sums that are equal but for rounding count.
  if len(values) <= _MAX_EXACT_PAIRS:
    sums = np.zeros(1)
    for size in sizes:  # Each value doubles the sums: [2**n] in the end.
      sums = np.concatenate([sums + size, sums - size])
    return float(np.mean(sums >= least))
  rng = np.random.default_rng(0)
  num_larger = 0
  for _ in range(10):  # In parts, which bounds the memory.
    signs = 1 - 2 * rng.integers(0, 2, (_NUM_FLIPS // 10, len(values)), np.int8)
    num_larger += np.count_nonzero(signs @ sizes >= least)
  return (1 + num_larger) / (1 + _NUM_FLIPS)


def two_sided(differences: Sequence[float]) -> float:
  """Returns the p-value of `permutation_test` that the mean difference is not 0."""
  p_values = [permutation_test(np.multiply(differences, sign)) for sign in (1, -1)]
  return min(1.0, 2 * min(p_values))


def smallest_p_value(num_pairs: int) -> float:
  """Returns the smallest p-value that `permutation_test` can give: all differences are positive."""
  if num_pairs > _MAX_EXACT_PAIRS:
    return 1 / (1 + _NUM_FLIPS)
  return 0.5**num_pairs


def interval(differences: Sequence[float], confidence: float = 0.95) -> tuple[float, float] | None:
  """Returns Student's interval of the mean difference, None of fewer than two pairs."""
  if len(differences) < 2:
    return None
  mean = float(np.mean(differences))
  width = float(stats.t.ppf((1 + confidence) / 2, len(differences) - 1) * _error(differences))
  return mean - width, mean + width


def within(differences: Sequence[float], margin: float) -> equivalence.Equivalence | None:
  """Tests that the mean difference is in (-margin, margin), by two t-tests (TOST).

  At level alpha that is shown where the interval of confidence 1 - 2 * alpha lies inside.

  Args:
    differences: `[num_pairs]`.
    margin: Positive, in the unit of the differences.

  Returns:
    The tests, or None of fewer than two pairs.
  """
  return equivalence.of_mean(differences, -margin, margin)


def not_lower(differences: Sequence[float], margin: float) -> float | None:
  """Returns the p-value of the t-test that the mean difference is above -margin (non-inferiority).

  It is None of fewer than two pairs.
  """
  found = within(differences, margin)
  return found.p_above if found else None


def within_ratio(
  before: Sequence[float], after: Sequence[float], margin: float
) -> equivalence.Equivalence | None:
  """Tests that the mean after is within a margin of that before, a share of it.

  As `equivalence.of_ratio` for pairs: t-tests that the mean of after - (1 - margin) * before and of
  (1 + margin) * before - after is positive.

  Args:
    before: One value of each pair.
    after: The other value of each pair, in the same order.
    margin: In (0, 1).

  Returns:
    The tests, or None if there are fewer than two pairs, or the mean before is not positive.
  """
  if len(before) < 2 or np.mean(before) <= 0:
    return None
  low, high = ([(1 + sign * margin) * value for value in before] for sign in (-1, 1))
  return equivalence.Equivalence(
    p_above=statistics.welch([np.subtract(after, low)], [1]),
    p_below=statistics.welch([np.subtract(high, after)], [1]),
  )


@functools.cache
def detectable_shift(num_pairs: int, alpha: float, power: float = 0.8) -> float | None:
  """Returns the smallest mean difference that `permutation_test` finds with probability power.

  For normal differences. Up to 12 pairs it is simulated, 10,000 times: the test counts the subsets
  of the differences whose sum is at most 0, since to flip such a subset raises the sum. A shift of
  all differences takes those subsets away whose mean is above -shift, so each sample tells the
  shift from which on few enough are left; the answer is the quantile of these at power. For more
  pairs it is that of Student's t.

  Args:
    num_pairs: Number of pairs, at least 1.
    alpha: Level of the one-sided test, in (0, 1).
    power: Probability with which the difference is to be found, in (0, 1).

  Returns:
    The difference in standard deviations of the differences, or None if no difference, however
    large, gives a p-value of alpha.
  """
  if smallest_p_value(num_pairs) > alpha:
    return None
  if num_pairs > _MAX_SIMULATED_PAIRS:
    return _t_detectable_shift(num_pairs, alpha, power)
  numbers = np.arange(1, 2**num_pairs)
  subsets = (numbers[:, None] >> np.arange(num_pairs) & 1).astype(float)  # [2**n - 1, n]
  averages = subsets / subsets.sum(axis=1, keepdims=True)
  # One of the 2**n choices is to flip nothing; num_allowed of them may have so large a sum.
  num_allowed = math.floor(alpha * 2**num_pairs * (1 + 1e-12))
  rng = np.random.default_rng(0)
  needed = []
  for _ in range(20):  # In parts, which bounds the memory.
    sample = rng.standard_normal((num_pairs, _NUM_SIMULATIONS // 20))
    gaps = -averages @ sample  # [2**n - 1, sample]
    place = len(gaps) - num_allowed  # Of the largest gap that must be closed, in ascending order.
    needed.append(np.partition(gaps, place, axis=0)[place])
  return max(0.0, float(np.quantile(np.concatenate(needed), power)))


def _t_detectable_shift(num_pairs: int, alpha: float, power: float) -> float:
  critical = stats.t.isf(alpha, num_pairs - 1)
  root = math.sqrt(num_pairs)

  def lack(shift: float) -> float:
    return float(stats.nct.sf(critical, num_pairs - 1, shift * root)) - power

  return optimize.brentq(lack, 0.0, 10.0) if lack(0.0) < 0 else 0.0


def detectable_difference(
  differences: Sequence[float], alpha: float, power: float = 0.8
) -> float | None:
  """Returns `detectable_shift` in the unit of the differences, with their standard deviation.

  It is None of fewer than two pairs, too.
  """
  shift = detectable_shift(len(differences), alpha, power)
  if shift is None or len(differences) < 2:
    return None
  return shift * float(np.std(differences, ddof=1))


def detectable_margin(
  differences: Sequence[float], alpha: float, power: float = 0.8, two_sided: bool = True
) -> float | None:
  """Returns the smallest margin that tests of as many pairs show where nothing differs.

  With e = sd / sqrt(n), each t-test shows its bound with P(t <= margin / e - critical value); the
  two tests of `within` both do with twice that less 1.

  Args:
    differences: `[num_pairs]`, whose standard deviation is taken as the true one.
    alpha: Level of each t-test, in (0, 1).
    power: Probability with which it is to be shown, in (0, 1).
    two_sided: Whether the test is `within` rather than `not_lower`.

  Returns:
    The margin in the unit of the differences, or None of fewer than two pairs.
  """
  if len(differences) < 2:
    return None
  freedom = len(differences) - 1
  of_one = (1 + power) / 2 if two_sided else power
  return float((stats.t.isf(alpha, freedom) + stats.t.ppf(of_one, freedom)) * _error(differences))


def num_pairs_for_margin(
  differences: Sequence[float],
  margin: float,
  alpha: float,
  power: float = 0.8,
  two_sided: bool = True,
) -> int | None:
  """Returns the number of pairs of which `detectable_margin` is at most a margin.

  Args:
    differences: At least two, whose standard deviation is taken as the true one.
    margin: Positive, in the unit of the differences.
    alpha: As `detectable_margin`.
    power: As `detectable_margin`.
    two_sided: As `detectable_margin`.

  Returns:
    The number, or None if it is above 1,000.
  """
  nums = np.arange(2, 1001)
  of_one = (1 + power) / 2 if two_sided else power
  factors = stats.t.isf(alpha, nums - 1) + stats.t.ppf(of_one, nums - 1)
  enough = factors * np.std(differences, ddof=1) / np.sqrt(nums) <= margin
  return int(nums[np.argmax(enough)]) if enough.any() else None


def _error(differences: Sequence[float]) -> float:
  """Returns the standard error of the mean difference."""
  return float(np.std(differences, ddof=1) / math.sqrt(len(differences)))
