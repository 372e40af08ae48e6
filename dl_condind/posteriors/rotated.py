"""Another family along rotated axes."""

from collections.abc import Sequence
import functools

import gin
import numpy as np
import tensorflow as tf

from dl_condind.posteriors import independent
from dl_condind.posteriors import posterior
from dl_condind.posteriors import rotations
from dl_condind.utils import errors
from dl_condind.utils import seeds


@gin.register("rotated")
class Rotated(posterior.Posterior):
  """q(z|x) = N(z_mean, U S U^T): the covariance S of another family, with U fixed and orthogonal.

  With independent noise, S = diag(s)^2, the latents depend on each other given the data, yet along
  the columns of U they do not: nothing but the axes has changed. `z_logvar` and `extra` are those
  of the other family, of z along the columns of U. The KL to the prior is that of the other family,
  for N(0, I) looks the same along any axes.

  Attributes:
    rotation: U, or None if it is drawn.
    seed: Seed that U is drawn from, or None if it is given.
    family: The other family.
  """

  def __init__(
    self,
    rotation: Sequence[Sequence[float]] | np.ndarray | None = None,
    seed: int | None = None,
    family: posterior.Posterior | None = None,
  ):
    """Creates the family.

    Args:
      rotation: U, an orthogonal matrix, [num_latent, num_latent].
      seed: Seed of a uniformly distributed U, in place of rotation.
      family: The other family; None stands for independent noise.

    Raises:
      ConfigError: If neither or both of rotation and seed are given. It is a ValueError.
    """
    if (rotation is None) == (seed is None):
      raise errors.ConfigError(
        "rotated needs either rotated.rotation, a matrix, or rotated.seed, which draws one."
      )
    self.rotation = None if rotation is None else np.asarray(rotation, np.float64).tolist()
    self.seed = seed
    self.family = family
    self.shares_extra = False if family is None else family.shares_extra
    self._base = independent.Independent() if family is None else family
    self._matrix = functools.cache(self.matrix)

  def __repr__(self) -> str:
    axes = "rotation=..." if self.seed is None else f"seed={self.seed}"
    return f"Rotated({axes}{'' if self.family is None else f', family={self.family!r}'})"

  def matrix(self, num_latent: int) -> np.ndarray:
    """Returns U, [num_latent, num_latent], float64."""
    if self.rotation is None:
      return rotations.random_rotation(num_latent, self.seed)
    matrix = np.asarray(self.rotation)
    rotations.check_rotation(matrix, num_latent)
    return matrix

  def check(self, num_latent: int) -> None:
    """Checks that U is orthogonal and of this size, and that the other family exists."""
    if self.seed is not None:
      seeds.check_seed("rotated.seed", self.seed)
    self._matrix(num_latent)
    self._base.check(num_latent)

  def num_extra(self, num_latent: int) -> int:
    """Returns how many numbers per image the other family needs."""
    return self._base.num_extra(num_latent)

  def initial_extra(self, num_latent: int) -> np.ndarray:
    """Returns the initial extra numbers of the other family."""
    return self._base.initial_extra(num_latent)

  def scale_tril(self, z_logvar: tf.Tensor, extra: tf.Tensor | None = None) -> tf.Tensor:
    """Returns the Cholesky factors of U S U^T, [batch, num_latent, num_latent]."""
    return rotations.triangular_factor(self._factor(z_logvar, extra))

  def marginal_logvar(self, z_logvar: tf.Tensor, extra: tf.Tensor | None = None) -> tf.Tensor:
    """Returns the log variance of each latent of q(z|x), [batch, num_latent]."""
    return tf.math.log(tf.reduce_sum(tf.square(self._factor(z_logvar, extra)), axis=-1))

  def sample(
    self,
    z_mean: tf.Tensor,
    z_logvar: tf.Tensor,
    extra: tf.Tensor | None = None,
    *,
    seed: tf.Tensor,
  ) -> tf.Tensor:
    """Draws z = z_mean + U noise, where the other family draws the noise."""
    noise = self._base.sample(tf.zeros_like(z_mean), z_logvar, extra, seed=seed)
    return z_mean + tf.matmul(noise, self._axes(z_mean), transpose_b=True)

  def kl(self, z_mean: tf.Tensor, z_logvar: tf.Tensor, extra: tf.Tensor | None = None) -> tf.Tensor:
    """Returns KL(q(z|x) || N(0, I)), [batch], nats: that of the other family."""
    return self._base.kl(z_mean, z_logvar, extra)

  def conditional_total_correlation(
    self, z_logvar: tf.Tensor, extra: tf.Tensor | None = None
  ) -> tf.Tensor:
    """Returns TC(z|x), [batch], nats."""
    # TC = 1/2 sum_l log (U S U^T)_ll - 1/2 log det S, and the other family's TC says what det S is.
    change = self.marginal_logvar(z_logvar, extra) - self._base.marginal_logvar(z_logvar, extra)
    base = self._base.conditional_total_correlation(z_logvar, extra)
    return 0.5 * tf.reduce_sum(change, axis=-1) + base

  def full_log_density(
    self, z: tf.Tensor, z_mean: tf.Tensor, z_logvar: tf.Tensor, extra: tf.Tensor | None = None
  ) -> tf.Tensor:
    """Returns the log of the density z is drawn from, nats: the other family's along U."""
    axes = self._axes(z_mean)
    along = (tf.tensordot(values, axes, 1) for values in (z, z_mean))  # U^T z
    return self._base.full_log_density(*along, z_logvar, extra)

  def _axes(self, like: tf.Tensor) -> tf.Tensor:
    return tf.cast(self._matrix(like.shape[-1]), like.dtype)

  def _factor(self, z_logvar: tf.Tensor, extra: tf.Tensor | None) -> tf.Tensor:
    """Returns U L, where S = L L^T."""
    return tf.matmul(self._axes(z_logvar), self._base.scale_tril(z_logvar, extra))
