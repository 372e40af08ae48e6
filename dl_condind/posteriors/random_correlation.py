"""Noise with a random correlation of a given strength."""

import functools

import gin
import numpy as np
from scipy import optimize

from dl_condind.posteriors import fixed_correlation
from dl_condind.posteriors import rotations
from dl_condind.utils import errors
from dl_condind.utils import seeds

_MAX_SPREAD = 20.0  # t at most: beyond, R is singular in double precision


@gin.register
def random_correlation(num_latent: int, seed: int, target_total_correlation: float) -> np.ndarray:
  """Returns a random noise correlation R with a given TC(z|x) = -1/2 log det R.

  Q diag(exp(t g)) Q^T, with Q a uniformly distributed rotation and g standard normal, scaled to
  ones on its diagonal; t is chosen so that the total correlation is the one asked for. So two kinds
  of noise can be compared that correlate the latents equally strongly, along other axes.

  Args:
    num_latent: Number of latents.
    seed: Seed of Q and g.
    target_total_correlation: -1/2 log det R, at least 0, nats. (10 latents with the equicorrelation
      0.9 have 9.2575.)

  Returns:
    [num_latent, num_latent].

  Raises:
    ConfigError: If seed is out of range, or the total correlation cannot be reached.
  """
  seeds.check_seed("random_correlation.seed", seed)
  draws = np.random.default_rng(seed)
  axes = rotations.random_rotation(num_latent, int(draws.integers(2**32)))
  logs = draws.standard_normal(num_latent)

  def factor(spread: float) -> np.ndarray:
    """Returns Q diag(exp(t g / 2)) with rows of length 1: R is its product with its transpose."""
    scaled = axes * np.exp(0.5 * spread * (logs - logs.max()))
    return scaled / np.linalg.norm(scaled, axis=1, keepdims=True)

  def excess(spread: float) -> float:
    # -1/2 log det R = -log |det factor|
    return -np.linalg.slogdet(factor(spread))[1] - target_total_correlation

  if not target_total_correlation >= 0 or excess(_MAX_SPREAD) < 0:
    raise errors.ConfigError(
      f"random_correlation.target_total_correlation must be in [0, "
      f"{excess(_MAX_SPREAD) + target_total_correlation:.4g}] for {num_latent} latents and seed "
      f"{seed}, got {target_total_correlation}."
    )
  if excess(0.0) >= 0:  # Of t = 0, by rounding: R = I.
    return np.eye(num_latent)
  rows = factor(optimize.brentq(excess, 0.0, _MAX_SPREAD, xtol=1e-14, rtol=1e-14))
  matrix = rows @ rows.T
  np.fill_diagonal(matrix, 1.0)
  return matrix


class RandomCorrelation(fixed_correlation.FixedCorrelation):
  """q(z|x) = N(z_mean, diag(stddev) R diag(stddev)), where R is `random_correlation`."""

  def __init__(self, seed: int, target_total_correlation: float):
    """Creates the family.

    Args:
      seed: Seed of R.
      target_total_correlation: -1/2 log det R, at least 0, nats.
    """
    drawn = functools.partial(
      random_correlation, seed=seed, target_total_correlation=target_total_correlation
    )
    super().__init__(drawn)
