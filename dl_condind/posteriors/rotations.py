"""Rotations of the latent space: orthogonal matrices, reflections included."""

import gin
import numpy as np
from scipy import stats
import tensorflow as tf

from dl_condind.utils import errors

_TOLERANCE = 1e-6


@gin.register
def random_rotation(num_latent: int, seed: int) -> np.ndarray:
  """Returns a uniformly distributed orthogonal matrix, [num_latent, num_latent], float64.

  Args:
    num_latent: Number of rows and columns, at least 1.
    seed: Seed of the draw, in [0, 2**32).
  """
  if num_latent == 1:
    return np.ones((1, 1))
  return stats.ortho_group.rvs(num_latent, random_state=np.random.default_rng(seed))


def check_rotation(rotation: np.ndarray, num_latent: int) -> None:
  """Checks that a matrix is orthogonal and of a size.

  Raises:
    ConfigError: If it is not. It is a ValueError.
  """
  if rotation.shape != (num_latent, num_latent):
    raise errors.ConfigError(
      f"rotated.rotation must be [{num_latent}, {num_latent}] for {num_latent} latents, got "
      f"{list(rotation.shape)}."
    )
  distance = np.abs(rotation @ rotation.T - np.eye(num_latent)).max()
  if not distance <= _TOLERANCE:
    raise errors.ConfigError(
      f"rotated.rotation must be orthogonal: U U^T differs from I by {distance:.3g}, at most "
      f"{_TOLERANCE:g} is allowed."
    )


def triangular_factor(factor: tf.Tensor) -> tf.Tensor:
  """Returns the Cholesky factor L of A A^T for a square A, [..., num, num].

  It comes from the QR decomposition of A^T, which keeps the digits that A A^T would lose.

  Args:
    factor: A, [..., num, num], of full rank.
  """
  upper = tf.linalg.qr(tf.linalg.matrix_transpose(factor))[1]  # A^T = Q R, so A A^T = R^T R
  signs = tf.where(tf.linalg.diag_part(upper) < 0, -1.0, 1.0)
  return tf.linalg.matrix_transpose(upper * tf.cast(signs, upper.dtype)[..., None])
