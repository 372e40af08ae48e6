"""The approximate posterior q(z|x), whose noise correlation is chosen here and nowhere else.

`z = z_mean + stddev * noise`, `noise ~ N(0, R)`, `stddev = exp(z_logvar / 2)`: R, the noise
correlation, is a matrix with ones on its diagonal. R = identity is the usual factorized posterior.
A new structure of R is one function `num_latent -> matrix` registered with gin.
"""

from collections.abc import Callable

import gin
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from dl_condind.utils import errors

DENSITIES = ("factorized", "full")


@gin.register
def independent(num_latent: int) -> np.ndarray:
  """Returns the noise correlation of a factorized posterior: the identity."""
  return np.eye(num_latent)


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
  """
  lowest = -1 / (num_latent - 1) if num_latent > 1 else -1.0
  if not lowest < correlation < 1:
    raise errors.ConfigError(
      f"equicorrelated.correlation must be in ({lowest:.6g}, 1) for {num_latent} latents, "
      f"got {correlation}."
    )
  return (1 - correlation) * np.eye(num_latent) + correlation * np.ones((num_latent, num_latent))


@gin.register
def given_correlation(num_latent: int, matrix: list[list[float]]) -> np.ndarray:
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


def gaussian_log_density(z: tf.Tensor, z_mean: tf.Tensor, z_logvar: tf.Tensor) -> tf.Tensor:
  """Returns log N(z; z_mean, exp(z_logvar)) element by element, nats."""
  return -0.5 * (tf.square(z - z_mean) * tf.exp(-z_logvar) + z_logvar + np.log(2 * np.pi))


def factorized_kl(z_mean: tf.Tensor, z_logvar: tf.Tensor) -> tf.Tensor:
  """Returns KL(N(z_mean, diag(exp(z_logvar))) || N(0, I)), [batch], nats.

  This is the KL term of the paper and of disentanglement_lib whatever the noise correlation is.
  """
  return 0.5 * tf.reduce_sum(tf.square(z_mean) + tf.exp(z_logvar) - z_logvar - 1, axis=1)


class GaussianPosterior:
  """Gaussian posteriors that share one noise correlation.

  Implements Eq. 12 of Yang et al. (2020), arXiv:1911.10922.

  Attributes:
    noise_correlation: R, [num_latent, num_latent], float64.
    noise_cholesky: Its lower Cholesky factor.
    conditional_total_correlation: TC(z|x) = -1/2 log det R, nats: the same for every x, and what
      the full KL exceeds the factorized KL by (Appendix B).
  """

  def __init__(self, noise_correlation: np.ndarray):
    check_noise_correlation(noise_correlation)
    self.noise_correlation = noise_correlation
    self.noise_cholesky = np.linalg.cholesky(noise_correlation)
    self.conditional_total_correlation = float(-np.sum(np.log(np.diag(self.noise_cholesky))))

  def scale_tril(self, z_logvar: tf.Tensor) -> tf.Tensor:
    """Returns the Cholesky factors of the covariances, [batch, num_latent, num_latent]."""
    return tf.exp(0.5 * z_logvar)[..., None] * tf.cast(self.noise_cholesky, z_logvar.dtype)

  def distribution(
    self, z_mean: tf.Tensor, z_logvar: tf.Tensor
  ) -> tfp.distributions.MultivariateNormalTriL:
    """Returns q(z|x) as a TensorFlow Probability distribution.

    Args:
      z_mean: Means, [batch, num_latent].
      z_logvar: Log variances, [batch, num_latent].
    """
    return tfp.distributions.MultivariateNormalTriL(
      loc=z_mean, scale_tril=self.scale_tril(z_logvar)
    )

  def full_kl(self, z_mean: tf.Tensor, z_logvar: tf.Tensor) -> tf.Tensor:
    """Returns KL(q(z|x) || N(0, I)) of the distribution z is drawn from, [batch], nats."""
    return factorized_kl(z_mean, z_logvar) + self.conditional_total_correlation

  def log_density(
    self, z: tf.Tensor, z_mean: tf.Tensor, z_logvar: tf.Tensor, density: str
  ) -> tf.Tensor:
    """Returns log q(z|x), nats, over the broadcast of the arguments.

    Args:
      z: Points, [..., num_latent].
      z_mean: Means, [..., num_latent].
      z_logvar: Log variances, [..., num_latent].
      density: "full": the density z is drawn from. "factorized": the product of its marginals, as
        in the paper's Appendix D and in disentanglement_lib.
    """
    if density == "factorized":
      return tf.reduce_sum(gaussian_log_density(z, z_mean, z_logvar), axis=-1)
    noise = (z - z_mean) * tf.exp(-0.5 * z_logvar)
    whitening = tf.cast(np.linalg.inv(self.noise_cholesky), z.dtype)
    white = tf.tensordot(noise, whitening, [[-1], [1]])
    log_normal = -0.5 * (tf.square(white) + z_logvar + np.log(2 * np.pi))
    return tf.reduce_sum(log_normal, axis=-1) + self.conditional_total_correlation


def check_density(density: str, name: str) -> None:
  """Checks the name of a density.

  Raises:
    ConfigError: If it is none of DENSITIES.
  """
  if density not in DENSITIES:
    raise errors.ConfigError(f'{name} must be "factorized" or "full", got {density!r}.')


@gin.configurable("posterior")
def make_posterior(
  num_latent: int, noise_correlation: Callable[[int], np.ndarray] | None = None
) -> GaussianPosterior:
  """Returns the posterior family of the configured noise correlation.

  Args:
    num_latent: Number of latents.
    noise_correlation: Function from num_latent to the correlation matrix of the noise; None stands
      for `independent`.

  Raises:
    ConfigError: If the matrix is not a positive definite correlation matrix. It is a ValueError.
  """
  matrix = np.asarray((noise_correlation or independent)(num_latent), dtype=np.float64)
  if matrix.shape != (num_latent, num_latent):
    raise errors.ConfigError(
      f"posterior.noise_correlation must return a [{num_latent}, {num_latent}] matrix, "
      f"got shape {list(matrix.shape)}."
    )
  return GaussianPosterior(matrix)


def add_noise(z_mean: tf.Tensor, scale_tril: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
  """Returns the sample of each posterior a stored model returned that some noise stands for.

  Args:
    z_mean: [batch, num_latent].
    scale_tril: [batch, num_latent, num_latent].
    noise: Standard normal and independent, [batch, num_latent].

  Returns:
    [batch, num_latent].
  """
  return z_mean + tf.linalg.matvec(scale_tril, noise)
