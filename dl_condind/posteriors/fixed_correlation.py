"""Families in which the noise of every image has one correlation R.

`z = z_mean + stddev * noise`, `noise ~ N(0, R)`, `stddev = exp(z_logvar / 2)`: R, the noise
correlation, is a matrix with ones on its diagonal. A new structure of R is one function
`num_latent -> matrix` registered with gin.
"""

from collections.abc import Callable
import functools

import numpy as np
import tensorflow as tf

from dl_condind.posteriors import gaussian_formulas
from dl_condind.posteriors import posterior
from dl_condind.utils import errors

NoiseCorrelation = Callable[[int], np.ndarray]


class FixedCorrelation(posterior.Posterior):
  """q(z|x) = N(z_mean, diag(stddev) R diag(stddev)).

  Implements Eq. 12 of Yang et al. (2020), arXiv:1911.10922. For every x, TC(z|x) = -1/2 log det R,
  and the KL to the prior exceeds that of the product of the marginals by as much (Appendix B). As
  in the paper and in disentanglement_lib, objectives leave this constant out.

  Attributes:
    noise_correlation: Function from num_latent to R.
  """

  kl_kind = "factorized"

  def __init__(self, noise_correlation: NoiseCorrelation):
    """Creates the family.

    Args:
      noise_correlation: Function from num_latent to R, [num_latent, num_latent], symmetric and
        positive definite with ones on its diagonal. `check` raises a ConfigError if it is not.
    """
    self.noise_correlation = noise_correlation
    self._cholesky = functools.cache(self._compute_cholesky)

  def __repr__(self) -> str:
    keywords = getattr(self.noise_correlation, "keywords", {})
    return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in keywords.items())})"

  def check(self, num_latent: int) -> None:
    """Checks that R is a correlation matrix for this number of latents."""
    self._cholesky(num_latent)

  def matrix(self, num_latent: int) -> np.ndarray:
    """Returns R, [num_latent, num_latent], float64."""
    matrix = np.asarray(self.noise_correlation(num_latent), dtype=np.float64)
    if matrix.shape != (num_latent, num_latent):
      raise errors.ConfigError(
        f"posterior.noise_correlation must return a [{num_latent}, {num_latent}] matrix, "
        f"got shape {list(matrix.shape)}."
      )
    check_noise_correlation(matrix)
    return matrix

  def _compute_cholesky(self, num_latent: int) -> np.ndarray:
    return np.linalg.cholesky(self.matrix(num_latent))

  def scale_tril(self, z_logvar: tf.Tensor, extra: tf.Tensor | None = None) -> tf.Tensor:
    """Returns diag(stddev) times the Cholesky factor of R, [batch, num_latent, num_latent]."""
    del extra
    cholesky = self._cholesky(z_logvar.shape[-1])
    return tf.exp(0.5 * z_logvar)[..., None] * tf.cast(cholesky, z_logvar.dtype)

  def marginal_logvar(self, z_logvar: tf.Tensor, extra: tf.Tensor | None = None) -> tf.Tensor:
    """Returns z_logvar: R has ones on its diagonal."""
    del extra
    return z_logvar

  def kl(self, z_mean: tf.Tensor, z_logvar: tf.Tensor, extra: tf.Tensor | None = None) -> tf.Tensor:
    """Returns KL(q(z|x) || N(0, I)), [batch], nats."""
    return gaussian_formulas.factorized_kl(z_mean, z_logvar) + self.kl_missing_in_loss(
      z_logvar, extra
    )

  def kl_loss(
    self, z_mean: tf.Tensor, z_logvar: tf.Tensor, extra: tf.Tensor | None = None
  ) -> tf.Tensor:
    """Returns the KL of the product of the marginals, [batch], nats."""
    del extra
    return gaussian_formulas.factorized_kl(z_mean, z_logvar)

  def kl_missing_in_loss(self, z_logvar: tf.Tensor, extra: tf.Tensor | None = None) -> float:
    """Returns -1/2 log det R, nats."""
    return self.conditional_total_correlation(z_logvar, extra)

  def conditional_total_correlation(
    self, z_logvar: tf.Tensor, extra: tf.Tensor | None = None
  ) -> float:
    """Returns TC(z|x) = -1/2 log det R, nats, the same for every image."""
    del extra
    return float(-np.sum(np.log(np.diag(self._cholesky(z_logvar.shape[-1])))))

  def summaries(self, z_logvar: tf.Tensor, extra: tf.Tensor | None = None) -> dict[str, float]:
    """Returns nothing: TC(z|x) never changes."""
    del z_logvar, extra
    return {}

  def full_log_density(
    self, z: tf.Tensor, z_mean: tf.Tensor, z_logvar: tf.Tensor, extra: tf.Tensor | None = None
  ) -> tf.Tensor:
    """Returns the log of the density z is drawn from, nats."""
    # One matrix whitens the noise of every image: cheaper than one for each.
    noise = (z - z_mean) * tf.exp(-0.5 * z_logvar)
    whitening = tf.cast(np.linalg.inv(self._cholesky(z_logvar.shape[-1])), z.dtype)
    white = tf.tensordot(noise, whitening, [[-1], [1]])
    log_normal = -0.5 * (tf.square(white) + z_logvar + np.log(2 * np.pi))
    return tf.reduce_sum(log_normal, axis=-1) + self.conditional_total_correlation(z_logvar, extra)


def check_noise_correlation(noise_correlation: np.ndarray) -> None:
  """Checks that a square matrix is symmetric, has a unit diagonal and is positive definite.

  Raises:
    ConfigError: If it is not, with the property that fails. It is a ValueError.
  """
  if not np.all(np.isfinite(noise_correlation)):
    problem = "has elements that are not finite"
  elif not np.allclose(noise_correlation, noise_correlation.T, rtol=0, atol=1e-8):
    problem = "is not symmetric"
  elif not np.allclose(np.diag(noise_correlation), 1, rtol=0, atol=1e-8):
    problem = "does not have ones on its diagonal"
  elif (smallest := np.linalg.eigvalsh(noise_correlation)[0]) < 1e-6:
    problem = f"is not positive definite (smallest eigenvalue {smallest:.3g}, at least 1e-6 needed)"
  else:
    return
  raise errors.ConfigError(f"The noise correlation of the posterior {problem}.")
