"""What a family of Gaussian posteriors costs a decoder, in nats of the evidence lower bound (ELBO).

Let `G` be the Fisher Gram of the decoder at z and `M = I + G / beta` (beta is 1 for a VAE). To
second order in z, the posterior that belongs to the decoder and the prior N(0, I) has the
covariance `M^-1`, and

    ELBO(x) = log p(x) - KL(N(mean, S) || N(mean, M^-1))

for the covariance S of q(z|x). So a family of covariances costs the smallest such KL, and prefers
the decoders for which that is small: see Kumar and Poole (2020), arXiv:2002.00041. It is exact for
a linear decoder with Gaussian noise.

A family is a function `M -> Optimum` here: one of `full`, `isotropic` and, with their matrix bound
by `functools.partial`, `fixed_correlation` and `rotated`. Arguments call M `precision`.
"""

from collections.abc import Callable
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from dl_condind.utils import errors

_MAX_STEPS = 200
_TOLERANCE = 1e-10  # of the Newton decrement, whose square is twice the nats that remain
_ROUNDING = 1e-4  # of the largest entry: Grams come from sums over many pixels in float32


class Optimum(NamedTuple):
  """The best member of a family for each of many decoders.

  Attributes:
    cost: KL(N(0, covariance) || N(0, M^-1)), nats, `[num_points]`, not negative up to rounding.
    covariance: S*, `[num_points, J, J]`.
  """

  cost: np.ndarray
  covariance: np.ndarray


Family = Callable[[np.ndarray], Optimum]


def gaussian_kl(covariance: np.ndarray, precision: np.ndarray) -> np.ndarray:
  """Returns KL(N(0, S) || N(0, M^-1)) = 0.5 * (tr(M S) - J - log det M - log det S), nats.

  The KL of the encoder's own S minus `Optimum.cost` of its family is the amortization gap: what is
  lost because the encoder does not find the best covariance of its family.

  Args:
    covariance: S, `[num_points, J, J]` or `[J, J]`, symmetric positive definite.
    precision: M, the same.

  Returns:
    `[num_points]`.

  Raises:
    ConfigError: If a matrix is not square, finite, symmetric and positive definite, or if the sizes
      differ.

  Example:
    >>> gaussian_kl(np.eye(2), 2 * np.eye(2)).round(4)
    array([0.3069])
  """
  log_determinants = _log_determinant("covariance", covariance)
  log_determinants = log_determinants + _log_determinant("precision", precision)
  covariance, precision = _batch(covariance), _batch(precision)
  _check_size("covariance", covariance, precision)
  trace = np.sum(precision * covariance, axis=(1, 2))  # tr(M S), as both are symmetric
  return 0.5 * (trace - precision.shape[-1] - log_determinants)


def full(precision: np.ndarray) -> Optimum:
  """Returns S* = M^-1, which costs nothing.

  Args:
    precision: M, `[num_points, J, J]` or `[J, J]`, symmetric positive definite.

  Raises:
    ConfigError: If M is not that.
  """
  _log_determinant("precision", precision)
  precision = _batch(precision)
  return Optimum(np.zeros(len(precision)), np.linalg.inv(precision))


def isotropic(precision: np.ndarray) -> Optimum:
  """Returns the best S = s^2 I: s^2 = J / tr M, cost 0.5 * (J log(tr M / J) - log det M).

  Arguments and errors as `full`.
  """
  log_determinant = _log_determinant("precision", precision)
  precision = _batch(precision)
  num_latent = precision.shape[-1]
  mean_precision = np.trace(precision, axis1=1, axis2=2) / num_latent
  cost = 0.5 * (num_latent * np.log(mean_precision) - log_determinant)
  return Optimum(cost, np.eye(num_latent) / mean_precision[:, None, None])


def fixed_correlation(precision: np.ndarray, correlation: np.ndarray) -> Optimum:
  """Returns the best S = D R D over diagonal D = diag(s), s > 0, for a fixed R.

  With A = M o R, the elementwise product, which is positive definite as M and R are (Schur),

    KL = 0.5 * s^T A s - sum(log s) - 0.5 * (J + log det M + log det R)

  is convex in s, and least where s * (A s) = 1. For R = I that is s_j^2 = 1 / M_jj, and the cost is
  0.5 * (sum_j log M_jj - log det M): with a decoder of small noise, the contrast of independent
  mechanism analysis (Reizinger et al., 2022, arXiv:2206.02416). For a diagonal M the cost is
  -0.5 * log det R, the total correlation of the noise, whatever the diagonal is.

  Args:
    precision: M, `[num_points, J, J]` or `[J, J]`, symmetric positive definite.
    correlation: R, `[J, J]`, symmetric positive definite, ones on its diagonal.

  Raises:
    ConfigError: If a matrix is not that or the sizes differ.

  Example:
    >>> correlation = np.array([[1.0, 0.5], [0.5, 1.0]])
    >>> optimum = fixed_correlation(np.diag([4.0, 25.0]), correlation)
    >>> optimum.cost.round(4), np.sqrt(np.diag(optimum.covariance[0]))
    (array([0.1438]), array([0.5, 0.2]))
  """
  _log_determinant("precision", precision)
  _log_determinant("correlation", correlation)
  precision, correlation = _batch(precision), np.asarray(correlation, np.float64)
  _check_size("correlation", correlation, precision)
  if np.abs(np.diag(correlation) - 1).max() > _ROUNDING:
    raise errors.ConfigError(
      f"correlation must have ones on its diagonal, got {np.diag(correlation).tolist()}: divide "
      "the covariance by the standard deviations."
    )
  stddev = _balance(precision * correlation)
  covariance = stddev[:, :, None] * correlation * stddev[:, None, :]
  return Optimum(gaussian_kl(covariance, precision), covariance)


def rotated(precision: np.ndarray, rotation: np.ndarray) -> Optimum:
  """Returns the best S = U D^2 U^T over diagonal D, for a fixed orthogonal U.

  The KL does not change if both Gaussians are rotated, so this is the case R = I of
  `fixed_correlation` for U^T M U.

  Args:
    precision: M, `[num_points, J, J]` or `[J, J]`, symmetric positive definite.
    rotation: U, `[J, J]`, orthogonal; its columns are the axes of the noise.

  Raises:
    ConfigError: If a matrix is not that or the sizes differ.
  """
  rotation = np.asarray(rotation, np.float64)
  _log_determinant("precision", precision)
  precision = _batch(precision)
  _check_size("rotation", rotation, precision)
  error = np.abs(rotation.T @ rotation - np.eye(len(rotation))).max()
  if not error < _ROUNDING:
    raise errors.ConfigError(
      f"rotation must be orthogonal, got one whose U^T U differs from I by up to {error:.3g}."
    )
  cost, covariance = fixed_correlation(rotation.T @ precision @ rotation, np.eye(len(rotation)))
  return Optimum(cost, rotation @ covariance @ rotation.T)


def cost_table(
  precisions: Mapping[str, np.ndarray], families: Mapping[str, Family]
) -> dict[str, dict[str, float]]:
  """Returns the cost of each family for each trained decoder, nats, averaged over points.

  If noise decides the axes of decoders, a column (a family) is least in the row of the decoder that
  was trained with it.

  Args:
    precisions: Name of a trained model -> M at its points, `[num_points, J, J]`.
    families: Name of a family -> the function.

  Returns:
    Name of a trained model -> name of a family -> mean cost.
  """
  return {
    trained_with: {
      name: float(np.mean(family(precision).cost)) for name, family in families.items()
    }
    for trained_with, precision in precisions.items()
  }


def _balance(matrices: np.ndarray) -> np.ndarray:
  """Returns the s > 0 with s * (A s) = 1, `[num_points, J]`, for positive definite A.

  Newton's method on f(s) = 0.5 * s^T A s - sum(log s), which is self-concordant: steps of length
  1 / (1 + decrement) keep s positive and always arrive; near the optimum full ones are taken
  (Boyd and Vandenberghe, Convex Optimization, section 9.6).
  """
  # Scaled to a diagonal of ones, so that s is near 1 and no matrix is ill-conditioned by units.
  scale = 1 / np.sqrt(np.diagonal(matrices, axis1=1, axis2=2))  # [num_points, J]
  matrices = scale[:, :, None] * matrices * scale[:, None, :]
  num_points, size = scale.shape
  # The best multiple of a vector of ones.
  s = np.sqrt(size / np.sum(matrices, axis=(1, 2)))[:, None] * np.ones((num_points, size))
  diagonal = np.arange(size)
  for _ in range(_MAX_STEPS):
    gradient = np.einsum("nij,nj->ni", matrices, s) - 1 / s
    hessian = matrices.copy()
    hessian[:, diagonal, diagonal] += 1 / s**2
    step = np.linalg.solve(hessian, gradient[:, :, None])[:, :, 0]
    decrement = np.sqrt(np.maximum(np.sum(gradient * step, axis=1, keepdims=True), 0.0))
    s = s - step / np.where(decrement > 0.25, 1 + decrement, 1.0)
    if decrement.max() < _TOLERANCE:
      break
  return scale * s


def _batch(matrices: np.ndarray) -> np.ndarray:
  """Returns symmetric matrices, `[num_points, J, J]`, without what rounding adds."""
  matrices = np.asarray(matrices, np.float64)
  matrices = matrices[None] if matrices.ndim == 2 else matrices
  return 0.5 * (matrices + np.swapaxes(matrices, 1, 2))


def _log_determinant(name: str, matrices: np.ndarray) -> np.ndarray:
  """Returns log det of each matrix, `[num_points]`, once it is checked."""
  matrices = np.asarray(matrices, np.float64)
  if matrices.ndim not in (2, 3) or matrices.shape[-1] != matrices.shape[-2] or not matrices.size:
    raise errors.ConfigError(
      f"{name} must be [num_points, J, J] or [J, J], got shape {matrices.shape}."
    )
  asymmetry = np.abs(matrices - np.swapaxes(matrices, -1, -2)).max(axis=(-2, -1))
  largest = np.abs(matrices).max(axis=(-2, -1))
  if not np.all(asymmetry <= _ROUNDING * largest):  # As of NaN.
    raise errors.ConfigError(
      f"{name} must be finite and symmetric, got up to {asymmetry.max():.3g} between an entry and "
      "its mirror image."
    )
  matrices = _batch(matrices)
  try:
    roots = np.linalg.cholesky(matrices)
  except np.linalg.LinAlgError as error:
    smallest = np.linalg.eigvalsh(matrices).min()
    raise errors.ConfigError(
      f"{name} must be positive definite, got an eigenvalue of {smallest:.3g}."
    ) from error
  return 2 * np.sum(np.log(np.diagonal(roots, axis1=1, axis2=2)), axis=1)


def _check_size(name: str, matrices: np.ndarray, precision: np.ndarray) -> None:
  size = precision.shape[-1]
  if matrices.shape[-2:] != (size, size):
    raise errors.ConfigError(
      f"{name} must be [{size}, {size}], as precision has {size} latents, got "
      f"{list(matrices.shape[-2:])}."
    )
