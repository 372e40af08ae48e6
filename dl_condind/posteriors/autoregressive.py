"""Noise whose correlation falls with the distance of the latents."""

import functools

import gin
import numpy as np
from scipy import linalg

from dl_condind.posteriors import fixed_correlation
from dl_condind.utils import errors


@gin.register
def autoregressive(num_latent: int, correlation: float) -> np.ndarray:
  """Returns the noise correlation of an autoregressive process, R_ij = correlation^|i - j|.

  TC(z|x) = -1/2 log det R = -1/2 (num_latent - 1) log(1 - correlation^2).

  Args:
    num_latent: Number of latents.
    correlation: Correlation of neighbours, in (-1, 1).

  Returns:
    [num_latent, num_latent].

  Raises:
    ConfigError: If correlation is out of range.

  >>> autoregressive(num_latent=3, correlation=0.5)
  array([[1.  , 0.5 , 0.25],
         [0.5 , 1.  , 0.5 ],
         [0.25, 0.5 , 1.  ]])
  """
  if not -1 < correlation < 1:
    raise errors.ConfigError(f"autoregressive.correlation must be in (-1, 1), got {correlation}.")
  return linalg.toeplitz(float(correlation) ** np.arange(num_latent))


class Autoregressive(fixed_correlation.FixedCorrelation):
  """q(z|x) = N(z_mean, diag(stddev) R diag(stddev)), where R is `autoregressive`."""

  def __init__(self, correlation: float):
    """Creates the family.

    Args:
      correlation: Correlation of neighbours, in (-1, 1).
    """
    super().__init__(functools.partial(autoregressive, correlation=correlation))
