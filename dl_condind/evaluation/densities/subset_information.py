"""What subsets of latents say about x and about each other, point by point.

The terms of Theorem 1 of Yang et al. (2020), arXiv:1911.10922 (Eq. 8) as averages that a caller
still has to take, so that it can tell their error: over points z where q(z) has to be estimated,
over observations where q(z|x) alone decides. Every density is the one z is drawn from, correlated
noise included.
"""

from collections.abc import Sequence
import itertools
import math

import numpy as np

from dl_condind.evaluation.densities import mixtures
from dl_condind.utils import errors

MIXTURES = ("in_sample", "leave_one_out")
_SUBSETS_AT_ONCE = 16  # A mixture holds matrices of many posteriors for each subset.


def choose_subsets(
  num_latent: int, num_subsets: int, random_state: np.random.RandomState
) -> list[tuple[int, ...]]:
  """Returns subsets of the latents: some of every size, by size.

  They are all latents one by one, all pairs, num_subsets of every size in between or as many as
  there are, all latents but one, and all latents.

  Args:
    num_latent: Number of latents.
    num_subsets: Number of subsets of a size.
    random_state: State that the subsets come from.

  Returns:
    Different tuples of ascending indices.
  """
  subsets: list[tuple[int, ...]] = []
  for size in range(1, num_latent + 1):
    num_possible = math.comb(num_latent, size)
    if size in (1, 2, num_latent - 1, num_latent) or num_possible <= num_subsets:
      subsets += itertools.combinations(range(num_latent), size)
    else:
      drawn: set[tuple[int, ...]] = set()
      while len(drawn) < num_subsets:
        latents = random_state.permutation(num_latent)[:size]
        drawn.add(tuple(sorted(latents.tolist())))
      subsets += sorted(drawn)
  return subsets


def log_densities(
  z: np.ndarray,
  mean: np.ndarray,
  stddev: np.ndarray,
  scale_tril: np.ndarray | None,
  subsets: Sequence[Sequence[int]],
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
  """Returns log q(z_S|x) and two estimates of log q(z_S) of each subset S and point.

  The mixture `in_sample` is that of all posteriors, in `leave_one_out` the one that z was drawn
  from is missing. In expectation, the mean over z of the former is at least E[log q(z_S)] and that
  of the latter at most: with log q(z_S|x) they bound I(z_S;x) from below and from above, as for any
  known encoder (Poole et al., 2019, arXiv:1905.06922).

  Args:
    z: `[num_points, num_latent]`, row i drawn from posterior i.
    mean: Means of at least as many posteriors as points, `[num_posteriors, num_latent]`.
    stddev: Standard deviation of each latent, `[num_posteriors, num_latent]`.
    scale_tril: Lower triangular scales, `[num_posteriors, num_latent, num_latent]`, or None if
      z has independent noise.
    subsets: Indices of the latents of each subset.

  Returns:
    log q(z_S|x), nats, `[num_subsets, num_points]`, and log q(z_S) by the name of the mixture, of
    the same shape.

  Raises:
    ConfigError: If shapes disagree, a subset has no such latents or there is one posterior.
  """
  num_points, num_posteriors = len(z), len(mean)
  if num_points > num_posteriors:
    raise errors.ConfigError(
      f"Each of {num_points} points needs a posterior of its own, got {num_posteriors}."
    )
  own_scale = None if scale_tril is None else scale_tril[:num_points]
  log_posterior = mixtures.log_posterior_density(
    z, mean[:num_points], stddev[:num_points], own_scale, subsets
  )
  left_out = np.concatenate(
    [
      mixtures.log_mixture_density(
        z,
        mean,
        stddev,
        scale_tril,
        subsets[start : start + _SUBSETS_AT_ONCE],
        leave_out=np.arange(num_points),
      )
      for start in range(0, len(subsets), _SUBSETS_AT_ONCE)
    ]
  )
  # The other order, a density less than the sum that it is part of, would lose all digits.
  in_sample = np.logaddexp(left_out + np.log(num_posteriors - 1), log_posterior)
  in_sample -= np.log(num_posteriors)
  return log_posterior, {"in_sample": in_sample, "leave_one_out": left_out}


def minus_singles(
  values: np.ndarray, singles: np.ndarray, subsets: Sequence[Sequence[int]]
) -> np.ndarray:
  """Returns f(S) - sum_{i in S} f({i}), the excess of each subset over its latents one by one.

  Of f(S) = log q(z_S|x) - log q(z_S) it is the left-hand side of Eq. 8; of f(S) = log q(z_S) it is
  the total correlation, the second term of the right-hand side.

  Args:
    values: f of each subset, `[num_subsets, num_points]`.
    singles: f of each latent alone, or another estimate of it, `[num_latent, num_points]`.
    subsets: Indices of the latents of each subset.
  """
  contains = np.zeros((len(subsets), len(singles)))
  for row, subset in zip(contains, subsets, strict=True):
    row[list(subset)] = 1.0
  return values - contains @ singles


def conditional_total_correlation(
  scale_tril: np.ndarray, subsets: Sequence[Sequence[int]]
) -> np.ndarray:
  """Returns KL(q(z_S|x) || prod_{i in S} q(z_i|x)) of each subset S and posterior.

  In closed form, `-0.5 * log det` of the correlation matrix of the subset's noise.

  Args:
    scale_tril: Lower triangular scales, `[num_posteriors, num_latent, num_latent]`.
    subsets: Indices of the latents of each subset.

  Returns:
    Nats, `[num_subsets, num_posteriors]`.
  """
  rows = scale_tril / np.linalg.norm(scale_tril, axis=2, keepdims=True)
  correlation = rows @ np.swapaxes(rows, 1, 2)
  return np.stack(
    [
      -0.5 * np.linalg.slogdet(correlation[:, subset][:, :, subset])[1]
      for subset in (list(subset) for subset in subsets)
    ]
  )
