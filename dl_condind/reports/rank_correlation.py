"""Spearman's rank correlation of two measures within groups of runs."""

from collections.abc import Sequence
import dataclasses
import itertools
import math

import numpy as np
from scipy import stats

from dl_condind.reports import equivalence

BOUND = 0.5  # A correlation below it is too small.

_MAX_PAIRINGS = 50000  # 6 groups of 3 runs have 46,656.
_NUM_RESAMPLES = 9999


@dataclasses.dataclass(frozen=True)
class RankCorrelation:
  """Spearman's rank correlation within groups of runs.

  Attributes:
    mean: Mean of the correlations of the groups.
    p_positive: Permutation p-value for "the mean correlation is positive".
    p_negative: The same for "negative".
    equivalence: Tests that it is less than a bound from 0; None if a group has fewer than four
      runs.
  """

  mean: float
  p_positive: float
  p_negative: float
  equivalence: equivalence.Equivalence | None


def within(
  groups: Sequence[tuple[Sequence[float], Sequence[float]]], bound: float = BOUND, seed: int = 0
) -> RankCorrelation | None:
  """Returns the mean of the groups' rank correlations, tested by permutations within groups.

  Differences between the groups count for nothing. All permutations are taken where there are at
  most 50,000, otherwise 9,999 random ones. The bound is tested on Fisher's z scale, where a rank
  correlation of n runs has a variance of about 1.06 / (n - 3) (Fieller et al., 1957,
  doi:10.1093/biomet/44.3-4.470).

  Args:
    groups: x and y of the runs of each group.
    bound: Correlation that `equivalence` tests against, in (0, 1).
    seed: Seed of the random permutations.

  Returns:
    None if there is no group, or in one there are fewer than three runs or x or y does not vary.
  """
  ranks = []
  for x, y in groups:
    if len(x) < 3 or not np.ptp(x) or not np.ptp(y):
      return None
    centered = [stats.rankdata(v) - (len(v) + 1) / 2 for v in (x, y)]
    ranks.append([v / np.linalg.norm(v) for v in centered])
  if not ranks:
    return None
  correlations = np.array([x @ y for x, y in ranks])
  permuted = _permuted_sums(ranks, np.random.default_rng(seed))
  tolerance = 1e-9  # Sums of the same terms in another order are equal.
  return RankCorrelation(
    mean=float(np.mean(correlations)),
    p_positive=float(np.mean(permuted >= correlations.sum() - tolerance)),
    p_negative=float(np.mean(permuted <= correlations.sum() + tolerance)),
    equivalence=_correlation_equivalence(correlations, [len(x) for x, _ in ranks], bound),
  )


def _permuted_sums(ranks: Sequence[Sequence[np.ndarray]], rng: np.random.Generator) -> np.ndarray:
  """Returns the sum of the groups' correlations for all or random permutations of each group."""
  if math.prod(math.factorial(len(x)) for x, _ in ranks) <= _MAX_PAIRINGS:
    sums = np.zeros(1)
    for x, y in ranks:
      of_group = np.array(list(itertools.permutations(x))) @ y
      sums = np.add.outer(sums, of_group).ravel()
    return sums
  sums = sum(rng.permuted(np.tile(x, (_NUM_RESAMPLES, 1)), axis=1) @ y for x, y in ranks)
  return np.append(sums, sum(x @ y for x, y in ranks))  # What was seen is one of them.


def _correlation_equivalence(
  correlations: np.ndarray, counts: Sequence[int], bound: float
) -> equivalence.Equivalence | None:
  if min(counts) < 4:
    return None
  z = np.mean(np.arctanh(np.clip(correlations, -1 + 1e-9, 1 - 1e-9)))
  error = math.sqrt(sum(1.06 / (n - 3) for n in counts)) / len(counts)
  return equivalence.Equivalence(
    p_above=float(stats.norm.sf((z + np.arctanh(bound)) / error)),
    p_below=float(stats.norm.sf((np.arctanh(bound) - z) / error)),
  )
