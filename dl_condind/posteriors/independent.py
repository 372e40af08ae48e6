"""Independent noise: the factorized posterior of the VAE."""

import gin
import numpy as np

from dl_condind.posteriors import fixed_correlation


@gin.register
def independent(num_latent: int) -> np.ndarray:
  """Returns the noise correlation of a factorized posterior: the identity."""
  return np.eye(num_latent)


class Independent(fixed_correlation.FixedCorrelation):
  """q(z|x) = N(z_mean, diag(stddev**2)): the latents are independent given the data."""

  def __init__(self):
    super().__init__(independent)
