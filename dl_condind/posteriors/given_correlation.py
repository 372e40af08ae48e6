"""Noise whose correlation is given element by element."""

from collections.abc import Sequence
import functools

import gin
import numpy as np

from dl_condind.posteriors import fixed_correlation
from dl_condind.utils import errors


@gin.register
def given_correlation(num_latent: int, matrix: Sequence[Sequence[float]]) -> np.ndarray:
  """Returns a noise correlation given element by element, [num_latent, num_latent].

  Raises:
    ConfigError: If matrix is not of this size. It is a ValueError.
  """
  lengths = [len(row) for row in matrix]
  if lengths != [num_latent] * num_latent:
    raise errors.ConfigError(
      f"given_correlation.matrix must be [{num_latent}, {num_latent}] for {num_latent} latents, "
      f"got rows of {lengths} elements."
    )
  return np.array(matrix, dtype=np.float64)


class GivenCorrelation(fixed_correlation.FixedCorrelation):
  """q(z|x) = N(z_mean, diag(stddev) R diag(stddev)), where R is given."""

  def __init__(self, matrix: Sequence[Sequence[float]] | np.ndarray):
    """Creates the family.

    Args:
      matrix: R, [num_latent, num_latent]: symmetric, positive definite, ones on its diagonal.

    Raises:
      ConfigError: If it is something else.
    """
    rows = np.asarray(matrix, dtype=np.float64).tolist()
    super().__init__(functools.partial(given_correlation, matrix=rows))
    self.check(len(rows))
