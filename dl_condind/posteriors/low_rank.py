"""Noise that a few common causes correlate."""

import functools

import gin
import numpy as np

from dl_condind.posteriors import fixed_correlation
from dl_condind.utils import errors
from dl_condind.utils import seeds


@gin.register
def low_rank(num_latent: int, rank: int, correlation: float, seed: int) -> np.ndarray:
  """Returns the noise correlation (1 - c) I + c B B^T, where B has random rows of length 1.

  The noise of a latent is `sqrt(c) B causes + sqrt(1 - c) noise of its own`, with `rank` causes.

  Args:
    num_latent: Number of latents.
    rank: Number of columns of B, at least 1. With 1, all correlations are c or -c.
    correlation: c, the share of the causes in each variance, in [0, 1).
    seed: Seed that B is drawn from.

  Returns:
    [num_latent, num_latent].

  Raises:
    ConfigError: If rank, correlation or seed is out of range.
  """
  seeds.check_seed("low_rank.seed", seed)
  if rank < 1:
    raise errors.ConfigError(f"low_rank.rank must be at least 1, got {rank}.")
  if not 0 <= correlation < 1:
    raise errors.ConfigError(f"low_rank.correlation must be in [0, 1), got {correlation}.")
  loadings = np.random.default_rng(seed).standard_normal((num_latent, rank))
  loadings /= np.linalg.norm(loadings, axis=1, keepdims=True)
  matrix = correlation * loadings @ loadings.T
  np.fill_diagonal(matrix, 1.0)
  return matrix


class LowRank(fixed_correlation.FixedCorrelation):
  """q(z|x) = N(z_mean, diag(stddev) R diag(stddev)), where R is `low_rank`."""

  def __init__(self, rank: int, correlation: float, seed: int = 0):
    """Creates the family.

    Args:
      rank: Number of common causes.
      correlation: Their share in each variance, in [0, 1).
      seed: Seed of how they enter the latents.
    """
    correlated = functools.partial(low_rank, rank=rank, correlation=correlation, seed=seed)
    super().__init__(correlated)
