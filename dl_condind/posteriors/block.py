"""Noise that is correlated within groups of latents and independent between them."""

from collections.abc import Sequence
import functools

import gin
import numpy as np
from scipy import linalg

from dl_condind.posteriors import equicorrelated
from dl_condind.posteriors import fixed_correlation
from dl_condind.utils import errors


@gin.register
def block(num_latent: int, sizes: Sequence[int], correlation: float) -> np.ndarray:
  """Returns a noise correlation of equicorrelated blocks, [num_latent, num_latent].

  Args:
    num_latent: Number of latents.
    sizes: Number of latents of each block, in order.
    correlation: Correlation c of two latents of one block, in (-1 / (size - 1), 1).

  Raises:
    ConfigError: If sizes do not add up to num_latent or correlation is out of range.

  >>> block(num_latent=3, sizes=[2, 1], correlation=0.5)
  array([[1. , 0.5, 0. ],
         [0.5, 1. , 0. ],
         [0. , 0. , 1. ]])
  """
  if min(sizes, default=0) < 1 or sum(sizes) != num_latent:
    raise errors.ConfigError(
      f"block.sizes must be positive and add up to {num_latent}, the number of latents, got "
      f"{list(sizes)}."
    )
  lowest = -1 / (max(sizes) - 1) if max(sizes) > 1 else -1.0
  if not lowest < correlation < 1:
    raise errors.ConfigError(
      f"block.correlation must be in ({lowest:.6g}, 1) for a block of {max(sizes)} latents, got "
      f"{correlation}."
    )
  return linalg.block_diag(*(equicorrelated.equicorrelated(size, correlation) for size in sizes))


class Block(fixed_correlation.FixedCorrelation):
  """q(z|x) = N(z_mean, diag(stddev) R diag(stddev)), where R is `block`."""

  def __init__(self, sizes: Sequence[int], correlation: float):
    """Creates the family.

    Args:
      sizes: Number of latents of each block, in order.
      correlation: Correlation c of two latents of one block, in (-1 / (size - 1), 1).
    """
    super().__init__(functools.partial(block, sizes=list(sizes), correlation=correlation))
