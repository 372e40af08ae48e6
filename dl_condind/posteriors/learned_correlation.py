"""One correlation of the noise for all images, which is learned."""

from collections.abc import Sequence

import gin
import numpy as np
import tensorflow as tf

from dl_condind.posteriors import fixed_correlation
from dl_condind.posteriors import full
from dl_condind.utils import errors


@gin.register("learned_correlation")
class LearnedCorrelation(full.Full):
  """q(z|x) = N(z_mean, diag(stddev) R diag(stddev)), where R is trained with the networks.

  It is `Full` with one C for all images, so R = C C^T; the stddevs depend on the image as ever.

  Attributes:
    initial: R before the training, [num_latent][num_latent], or None for I.
  """

  shares_extra = True

  def __init__(self, initial: Sequence[Sequence[float]] | np.ndarray | None = None):
    """Creates the family.

    Args:
      initial: R before the training, [num_latent, num_latent]; None stands for I.
    """
    self.initial = None if initial is None else np.asarray(initial, np.float64).tolist()

  def __repr__(self) -> str:
    return f"LearnedCorrelation({'' if self.initial is None else 'initial=...'})"

  def check(self, num_latent: int) -> None:
    """Checks that the initial R is a correlation matrix of this size."""
    if self.initial is not None:
      matrix = np.asarray(self.initial)
      if matrix.shape != (num_latent, num_latent):
        raise errors.ConfigError(
          f"learned_correlation.initial must be [{num_latent}, {num_latent}] for {num_latent} "
          f"latents, got {list(matrix.shape)}."
        )
      fixed_correlation.check_noise_correlation(matrix)

  def initial_extra(self, num_latent: int) -> np.ndarray:
    """Returns the elements that give the initial R, [num_extra]."""
    if self.initial is None:
      return super().initial_extra(num_latent)
    return full.extra_of(np.asarray(self.initial))

  def summaries(
    self, z_logvar: tf.Tensor, extra: tf.Tensor | None = None
  ) -> dict[str, tf.Tensor | float]:
    """Returns TC(z|x) and the elements of R below its diagonal, such as `noise_correlation_1_0`."""
    cholesky = self.scale_tril(tf.zeros_like(z_logvar[:1]), None if extra is None else extra[:1])[0]
    matrix = tf.matmul(cholesky, cholesky, transpose_b=True)
    rows, columns = np.tril_indices(z_logvar.shape[-1], -1)
    elements = {
      f"noise_correlation_{i}_{j}": matrix[i, j] for i, j in zip(rows, columns, strict=True)
    }
    return super().summaries(z_logvar, extra) | elements
