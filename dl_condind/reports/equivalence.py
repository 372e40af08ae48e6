"""Tests that an effect is small: two one-sided tests that it lies between two bounds (TOST).

A test that does not find an effect does not show that there is none. These do.
"""

from collections.abc import Sequence
import dataclasses
import functools
import math

import numpy as np
from scipy import stats

from dl_condind.reports import statistics


@dataclasses.dataclass(frozen=True)
class Equivalence:
  """Two one-sided tests (TOST) that a quantity lies between two bounds.

  Attributes:
    p_above: p-value for "the quantity is above the lower bound".
    p_below: p-value for "the quantity is below the upper bound".
  """

  p_above: float
  p_below: float

  @property
  def p_value(self) -> float:
    """p-value for "the quantity is within the bounds"."""
    return max(self.p_above, self.p_below)

  @property
  def opposite_p_value(self) -> float:
    """p-value for "the quantity is outside the bounds", two-sided."""
    return min(1.0, 2 * (1 - self.p_value))


def of_ratio(
  values: Sequence[float], baseline: Sequence[float], margin: float
) -> Equivalence | None:
  """Tests whether the mean of values is within a margin of the baseline's mean.

  The margin is a share of the baseline's mean, which is estimated itself. So it is the ratio of
  means that is tested, as Hauschke et al. (1999) do, with Welch's t-test of values against the
  baseline times 1 - margin and 1 + margin.

  Args:
    values: One value of each run.
    baseline: One value of each run compared with.
    margin: In (0, 1).

  Returns:
    The tests, or None if there are fewer than two values on a side, or the baseline's mean is not
    positive, so that a share of it has no meaning.
  """
  if min(len(values), len(baseline)) < 2 or np.mean(baseline) <= 0:
    return None
  low, high = (np.multiply(bound, baseline) for bound in (1 - margin, 1 + margin))
  return Equivalence(
    p_above=statistics.welch([values, low], [1, -1]),
    p_below=statistics.welch([high, values], [1, -1]),
  )


def num_runs_for_ratio(
  values: Sequence[float],
  baseline: Sequence[float],
  margin: float,
  alpha: float,
  power: float = 0.8,
) -> int | None:
  """Returns the number of runs on each side of which `of_ratio` shows an equal mean.

  Both sides have the coefficients of variation of these runs and the same mean. Each of the two
  tests then shows its part with probability P(t <= margin / error - critical value).

  Args:
    values: At least two values.
    baseline: At least two values with a positive mean.
    margin: As `of_ratio`.
    alpha: Level of each of the two tests, in (0, 1).
    power: Probability with which equivalence is to be shown, in (0, 1).

  Returns:
    The number, or None if it is above 1,000.
  """
  spread, baseline_spread = (  # Squares of the coefficients of variation.
    np.var(v, ddof=1) / (np.mean(v) ** 2 or 1.0) for v in (values, baseline)
  )
  nums = np.arange(2, 1001)
  shown = np.full(len(nums), -1.0)
  for bound in (1 - margin, 1 + margin):
    error = np.sqrt((spread + bound**2 * baseline_spread) / nums)
    critical = stats.t.ppf(1 - alpha, 2 * nums - 2)
    with np.errstate(divide="ignore"):  # Constant values have no error.
      shown = shown + stats.t.cdf(margin / error - critical, 2 * nums - 2)
  enough = shown >= power
  return int(nums[np.argmax(enough)]) if enough.any() else None


def of_mean(values: Sequence[float], low: float, high: float) -> Equivalence | None:
  """Tests by Student's t whether a mean lies between two bounds; None of fewer than two values."""
  if len(values) < 2:
    return None
  return Equivalence(
    p_above=statistics.welch([np.subtract(values, low)], [1]),
    p_below=statistics.welch([np.subtract(high, values)], [1]),
  )


def of_difference(
  values: Sequence[float], baseline: Sequence[tuple[float, float]]
) -> Equivalence | None:
  """Tests by Welch's t-test whether a mean is less than a margin from the baseline's.

  Args:
    values: One value of each run.
    baseline: Value and margin of each run compared with; their mean margin is the margin.

  Returns:
    The tests, or None if there are fewer than two runs on a side.
  """
  if min(len(values), len(baseline)) < 2:
    return None
  below, above = ([value + sign * margin for value, margin in baseline] for sign in (-1, 1))
  return Equivalence(
    p_above=statistics.welch([values, below], [1, -1]),
    p_below=statistics.welch([above, values], [1, -1]),
  )


def of_standardized_sum(
  samples: Sequence[Sequence[float]], weights: Sequence[float], size: float
) -> Equivalence | None:
  """Tests whether a weighted sum of means is less than size standard deviations from 0.

  With the standard deviation s pooled over the samples, t = total / (s * scale), where
  scale = sqrt(sum(weight**2 / n)), has a noncentral t distribution with noncentrality
  size / scale if the sum is size standard deviations. That is exact for normal values of equal
  variance.

  Args:
    samples: Values of each group.
    weights: A weight of each group, such as 1 and -1 for the difference of two means.
    size: Bound in standard deviations, positive.

  Returns:
    The tests, or None if there are fewer than two values in a group or all are constant.
  """
  samples = [np.asarray(values, float) for values in samples]
  if min(map(len, samples)) < 2:
    return None
  freedom = sum(len(values) - 1 for values in samples)
  squares = sum(np.sum((values - np.mean(values)) ** 2) for values in samples)
  if not squares:
    return None
  scale = math.sqrt(sum(w**2 / len(x) for w, x in zip(weights, samples, strict=True)))
  total = sum(w * np.mean(x) for w, x in zip(weights, samples, strict=True))
  t = total / (math.sqrt(squares / freedom) * scale)
  return Equivalence(
    p_above=_noncentral_t_cdf(-t, freedom, size / scale),  # P(T >= t) with -size
    p_below=_noncentral_t_cdf(t, freedom, size / scale),
  )


def _noncentral_t_cdf(t: float, freedom: int, noncentrality: float) -> float:
  """Returns P(T <= t), within 1e-6; scipy's has NaN where it is below 1e-20.

  T = (Z + noncentrality) / S with Z normal and S**2 chi-squared by its degrees of freedom, so that
  P(T <= t) is the mean of P(Z <= t * S - noncentrality) over the quantiles of S.
  """
  shares, weights = _gauss_legendre()
  deviations = np.sqrt(stats.chi2.ppf(shares, freedom) / freedom)
  return float(weights @ stats.norm.cdf(t * deviations - noncentrality))


@functools.cache
def _gauss_legendre() -> tuple[np.ndarray, np.ndarray]:
  """Returns nodes and weights of the integral over [0, 1]."""
  nodes, weights = np.polynomial.legendre.leggauss(400)
  return (nodes + 1) / 2, weights / 2
