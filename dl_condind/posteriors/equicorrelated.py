"""Noise in which all latents are equally correlated: the paper's posterior."""

import functools

import gin
import numpy as np

from dl_condind.posteriors import fixed_correlation
from dl_condind.utils import errors


@gin.register
def equicorrelated(num_latent: int, correlation: float) -> np.ndarray:
  """Returns the noise correlation in which all latents are equally correlated.

  Implements Eq. 11 of Yang et al. (2020), arXiv:1911.10922: `(1 - c) I + c 1 1^T`.

  Args:
    num_latent: Number of latents (J in the paper), at least 1.
    correlation: Correlation c of any two latents (sigma in the paper), in
      (-1 / (num_latent - 1), 1). At 0 the posterior is factorized.

  Returns:
    Symmetric positive definite matrix, [num_latent, num_latent], ones on its diagonal.

  Raises:
    ConfigError: If correlation is out of range. It is a ValueError.

  >>> equicorrelated(num_latent=2, correlation=0.5)
  array([[1. , 0.5],
         [0.5, 1. ]])
  """
  lowest = -1 / (num_latent - 1) if num_latent > 1 else -1.0
  if not lowest < correlation < 1:
    raise errors.ConfigError(
      f"equicorrelated.correlation must be in ({lowest:.6g}, 1) for {num_latent} latents, "
      f"got {correlation}."
    )
  return (1 - correlation) * np.eye(num_latent) + correlation * np.ones((num_latent, num_latent))


class Equicorrelated(fixed_correlation.FixedCorrelation):
  """q(z|x) = N(z_mean, diag(stddev) R diag(stddev)), where R is `equicorrelated`."""

  def __init__(self, correlation: float):
    """Creates the family.

    Args:
      correlation: Correlation c of any two latents, in (-1 / (num_latent - 1), 1).
    """
    super().__init__(functools.partial(equicorrelated, correlation=correlation))
