"""Statistics of a few values, one of each seed: pure functions of arrays.

Every test is one-sided: a claim says in which direction a measure changes. Whatever is random
(bootstrap, permutations, simulated power) is seeded, so that a page written twice is the same page.
"""

from collections.abc import Sequence
import dataclasses
import functools
import itertools
import math
import warnings

import numpy as np
from scipy import stats

MIN_INTERVAL_VALUES = 5  # The interval of fewer values covers far less than it says.

_MAX_EXACT_VALUES = 50  # Of each side; from here on the normal approximation has every digit shown.
_MAX_PERMUTATIONS = 10000
_NUM_RESAMPLES = 9999
_NUM_SIMULATIONS = 10000


@dataclasses.dataclass(frozen=True)
class Summary:
  """Values of one measure.

  Attributes:
    count: Number of values.
    median: Their median, None without a value.
    mean: Their mean, None without a value.
    interval: Bootstrap interval of the mean, None of fewer than MIN_INTERVAL_VALUES values, or of
      values that differ too little for one.
  """

  count: int
  median: float | None
  mean: float | None
  interval: tuple[float, float] | None


def summarize(values: Sequence[float], confidence: float = 0.95, seed: int = 0) -> Summary:
  """Returns number, median, mean and the bootstrap interval of the mean.

  The interval is the bias-corrected and accelerated one of Efron (1987), doi:10.2307/2289144. Of
  ten normal values it covers the mean in about 90 % of the cases, not in 95 %.

  Args:
    values: One finite value of each run.
    confidence: Nominal coverage of the interval, in (0, 1).
    seed: Seed of the resampling.
  """
  if not len(values):
    return Summary(0, None, None, None)
  has_interval = len(values) >= MIN_INTERVAL_VALUES
  interval = _bootstrap_interval(np.asarray(values), confidence, seed) if has_interval else None
  return Summary(len(values), float(np.median(values)), float(np.mean(values)), interval)


def _bootstrap_interval(
  values: np.ndarray, confidence: float, seed: int
) -> tuple[float, float] | None:
  if not np.ptp(values):
    return float(values[0]), float(values[0])
  with warnings.catch_warnings():
    # Where rounding makes the acceleration 0 / 0, the interval is NaN and left out.
    warnings.simplefilter("ignore", (RuntimeWarning, stats.DegenerateDataWarning))
    low, high = stats.bootstrap(
      (values,),
      np.mean,
      n_resamples=_NUM_RESAMPLES,
      confidence_level=confidence,
      method="BCa",
      rng=np.random.default_rng(seed),
    ).confidence_interval
  return (float(low), float(high)) if np.isfinite([low, high]).all() else None


def probability_of_superiority(x: Sequence[float], y: Sequence[float]) -> float:
  """Returns the effect size A12 of Vargha and Delaney (2000), doi:10.3102/10769986025002101.

  It is the probability that a value of x is greater than one of y, ties counted half: 0.5 if
  neither tends to be greater, 1 if every x is greater than every y.
  """
  return float(np.mean(np.greater.outer(x, y) + 0.5 * np.equal.outer(x, y)))


def mann_whitney(x: Sequence[float], y: Sequence[float]) -> float:
  """Returns the p-value of the one-sided Mann-Whitney test that x tends to be greater than y.

  Exact for samples without ties of up to 50 values each. With ties it is the share of all
  permutations of the values that are as extreme, where there are at most 10,000 of them (7 values
  on each side). Otherwise it is the normal approximation with correction for ties and continuity.
  """
  x, y = np.asarray(x, float), np.asarray(y, float)
  both = np.concatenate([x, y])
  if not np.ptp(both):
    return 1.0  # Nothing differs; the approximation would divide by 0.
  if len(np.unique(both)) == len(both):
    method = "exact" if max(len(x), len(y)) <= _MAX_EXACT_VALUES else "asymptotic"
  elif math.comb(len(both), len(x)) <= _MAX_PERMUTATIONS:
    method = stats.PermutationMethod(n_resamples=_MAX_PERMUTATIONS)
  else:
    method = "asymptotic"
  return float(stats.mannwhitneyu(x, y, alternative="greater", method=method).pvalue)


def smallest_p_value(num_x: int, num_y: int) -> float:
  """Returns the smallest p-value that `mann_whitney` can give, which is that of full separation."""
  return 1 / math.comb(num_x + num_y, num_x)


def holm(p_values: Sequence[float]) -> list[float]:
  """Returns p-values adjusted for their number by the method of Holm (1979).

  Rejecting where the adjusted value is at most alpha makes one or more false rejections with
  probability at most alpha, however the tests depend on each other.
  """
  p_values = np.asarray(p_values, float)
  order = np.argsort(p_values, kind="stable")
  factors = np.arange(len(p_values), 0, -1)
  adjusted = np.empty(len(p_values))
  adjusted[order] = np.minimum(1, np.maximum.accumulate(factors * p_values[order]))
  return adjusted.tolist()


@functools.cache
def detectable_shift(
  num_x: int, num_y: int, alpha: float, power: float = 0.8, seed: int = 0
) -> float | None:
  """Returns the smallest shift that `mann_whitney` finds with probability power at level alpha.

  Simulated for normal values of equal variance: each of 10,000 pairs of samples tells the shift of
  x from which on its p-value is at most alpha, and the answer is their quantile at power. Its
  standard error is about 0.01 for ten values on each side.

  Args:
    num_x: Number of values that are shifted up, at least 1.
    num_y: Number of values they are compared with, at least 1.
    alpha: Level of the test, in (0, 1).
    power: Probability with which the shift is to be found, in (0, 1).
    seed: Seed of the simulation.

  Returns:
    The shift in standard deviations, or None if no shift, however large, gives a p-value of alpha.
  """
  if smallest_p_value(num_x, num_y) > alpha:
    return None
  num_wins = _critical_statistic(num_x, num_y, alpha)
  rng = np.random.default_rng(seed)
  needed = []
  for _ in range(10):  # In parts, which bounds the memory.
    size = _NUM_SIMULATIONS // 10
    x, y = rng.standard_normal((size, num_x, 1)), rng.standard_normal((size, 1, num_y))
    gaps = (y - x).reshape(size, -1)
    needed.append(np.partition(gaps, num_wins - 1)[:, num_wins - 1])  # Closes num_wins gaps.
  return max(0.0, float(np.quantile(np.concatenate(needed), power)))


def superiority_of_shift(shift: float) -> float:
  """Returns A12 of two normal distributions whose means are shift standard deviations apart."""
  return float(stats.norm.cdf(shift / math.sqrt(2)))


def _critical_statistic(num_x: int, num_y: int, alpha: float) -> int:
  """Returns the smallest Mann-Whitney statistic whose one-sided p-value is at most alpha."""
  if max(num_x, num_y) > _MAX_EXACT_VALUES:
    mean = num_x * num_y / 2
    deviation = math.sqrt(num_x * num_y * (num_x + num_y + 1) / 12)
    return math.ceil(mean + 0.5 + float(stats.norm.isf(alpha)) * deviation)
  # Coefficients of the Gaussian binomial: the product of (1 - q^(num_y + i)) / (1 - q^i). Python's
  # integers, since they exceed 64 bits.
  counts = [1] + [0] * (num_x * num_y)
  for i in range(1, num_x + 1):
    for u in range(len(counts) - 1, num_y + i - 1, -1):
      counts[u] -= counts[u - num_y - i]
    for u in range(i, len(counts)):
      counts[u] += counts[u - i]
  allowed = alpha * math.comb(num_x + num_y, num_x)
  tails = np.cumsum(np.array(counts[::-1], float))  # Largest statistic first.
  return len(counts) - int(np.searchsorted(tails, allowed * (1 + 1e-12), side="right"))


@functools.cache
def num_runs_to_show(shift: float, alpha: float, power: float = 0.8) -> int:
  """Returns the number of values on each side of which `mann_whitney` finds a shift.

  Args:
    shift: Difference of two normal distributions of equal variance, in standard deviations, at
      least 0.5.
    alpha: Level of the test, in (0, 1).
    power: Probability with which the shift is to be found, in (0, 1).

  Raises:
    ValueError: If the shift is below 0.5, for which it would take long to simulate.
  """
  if shift < 0.5:
    raise ValueError(f"shift must be at least 0.5, got {shift}.")

  def shows(num: int) -> bool:
    found = detectable_shift(num, num, alpha, power)
    return found is not None and found <= shift

  return next(filter(shows, itertools.count(1)))


def welch(samples: Sequence[Sequence[float]], weights: Sequence[float]) -> float:
  """Returns the one-sided p-value that the weighted sum of the samples' means is positive.

  Welch's t-test for two samples and weights 1 and -1; for more samples, the same with the degrees
  of freedom of Welch and Satterthwaite.

  Args:
    samples: At least two values each.
    weights: A weight of each sample.
  """
  total = sum(w * np.mean(x) for w, x in zip(weights, samples, strict=True))
  parts = [w**2 * np.var(x, ddof=1) / len(x) for w, x in zip(weights, samples, strict=True)]
  if not sum(parts):
    return 0.5 if total == 0 else float(total < 0)  # Constant samples leave no doubt.
  shares = [part / sum(parts) for part in parts]
  freedom = 1 / sum(s**2 / (len(x) - 1) for s, x in zip(shares, samples, strict=True))
  return float(stats.t.sf(total / math.sqrt(sum(parts)), freedom))
