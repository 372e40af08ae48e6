"""Axes of a latent space other than the latents.

Axes are the columns of a matrix, `[num_latent, num_axes]`: `(z - mean) @ axes` are the coordinates
of z along them. Each is turned so that its largest component is positive, since eigenvectors have
no sign.
"""

import warnings

import numpy as np
from scipy import stats
from sklearn import decomposition
from sklearn import exceptions

from dl_condind.evaluation import checks
from dl_condind.utils import errors

# Eigenvalues of the noise that differ by less, relative to themselves, are taken for equal: the
# axes between which they would tell apart are rounding and sampling error.
_EQUAL_EIGENVALUES = 1e-3
# An axis whose variance is a smaller part of the largest one is rounding of float32 codes.
NEGLIGIBLE_VARIANCE = 1e-12
_MAX_ICA_ITERATIONS = 1000


def axes_without_labels(
  code: np.ndarray, noise_covariance: np.ndarray | None
) -> dict[str, np.ndarray]:
  """Returns `noise_eigenbasis`, if the noise is known, and the principal axes, `pca`, by name.

  Args:
    code: `[num_points, num_latent]`.
    noise_covariance: `[num_latent, num_latent]`, averaged over observations, or None.

  Raises:
    ConfigError: If noise_covariance is not finite or not of the size of the code.
  """
  covariance = np.cov(code, rowvar=False, ddof=0)
  bases = {}
  if noise_covariance is not None:
    noise_covariance = np.asarray(noise_covariance, np.float64)
    if noise_covariance.shape != covariance.shape:
      raise errors.ConfigError(
        f"noise_covariance must be {list(covariance.shape)}, as the representation has "
        f"{len(covariance)} latents, got {list(noise_covariance.shape)}."
      )
    checks.check_finite("noise_covariance", noise_covariance)
    bases["noise_eigenbasis"] = noise_eigenbasis(noise_covariance, covariance)
  bases["pca"] = principal_axes(covariance)
  return bases


def noise_eigenbasis(noise_covariance: np.ndarray, code_covariance: np.ndarray) -> np.ndarray:
  """Returns the principal axes of the posterior's noise, from the largest variance down.

  Where the noise has the same variance along several axes (of equicorrelated noise of equal
  stddevs, all but the axis `1 / sqrt(num_latent)`), every basis of their span is an eigenbasis. The
  principal axes of the code within that span are taken. So noise that prefers no axis at all leaves
  the principal axes of the code.

  Args:
    noise_covariance: `[num_latent, num_latent]`, symmetric, not negative.
    code_covariance: The same for the code.

  Returns:
    Orthonormal columns, `[num_latent, num_latent]`.
  """
  variances, axes = np.linalg.eigh(noise_covariance)
  variances, axes = variances[::-1], axes[:, ::-1].copy()
  is_first = np.append(True, variances[1:] < (1 - _EQUAL_EIGENVALUES) * variances[:-1])
  for columns in np.split(np.arange(len(axes)), np.flatnonzero(is_first)[1:]):
    span = axes[:, columns]
    axes[:, columns] = span @ principal_axes(span.T @ code_covariance @ span)
  return _fix_signs(axes)


def principal_axes(covariance: np.ndarray) -> np.ndarray:
  """Returns the orthonormal eigenvectors of a covariance, from the largest variance down.

  Args:
    covariance: `[num_latent, num_latent]`.
  """
  return _fix_signs(np.linalg.eigh(covariance)[1][:, ::-1])


def independent_axes(representations: np.ndarray, seed: int) -> tuple[np.ndarray, bool]:
  """Returns the axes of independent component analysis, from the largest variance down.

  scikit-learn's FastICA (Hyvarinen and Oja, 2000, doi:10.1016/S0893-6080(00)00026-5), parallel,
  with the contrast log cosh, on the code whitened along all axes on which it varies. The axes need
  not be orthogonal. Each is scaled so that the variances along them add up to the variance of the
  code, as they do along an orthonormal basis.

  Args:
    representations: `[num_points, num_latent]`.
    seed: Seed of the initial unmixing matrix.

  Returns:
    Axes, `[num_latent, num_latent]`, the last of them 0 where the code varies along fewer; and
    whether the iterations converged.
  """
  axes = np.zeros((representations.shape[1],) * 2)
  variances, principal = np.linalg.eigh(np.cov(representations, rowvar=False, ddof=0))
  if variances[-1] <= 0:
    return axes, True
  varies = variances > NEGLIGIBLE_VARIANCE * variances[-1]
  principal, stddevs = principal[:, varies], np.sqrt(variances[varies])
  ica = decomposition.FastICA(whiten=False, max_iter=_MAX_ICA_ITERATIONS, random_state=seed)
  with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always", exceptions.ConvergenceWarning)
    # Whitened here: FastICA's own whitening fails on a code that does not vary along all axes.
    ica.fit((representations - np.mean(representations, axis=0)) @ (principal / stddevs))
  converged = not any(issubclass(w.category, exceptions.ConvergenceWarning) for w in caught)
  # A source of unit variance adds the squared norm of its mixing column to the code's variance.
  norms = np.linalg.norm(ica.components_ * stddevs, axis=1)
  unmixing = (principal / stddevs) @ ica.components_.T * norms
  axes[:, : len(norms)] = unmixing[:, np.argsort(-norms)]
  return _fix_signs(axes), converged


def random_axes(num_latent: int, random_state: np.random.RandomState) -> np.ndarray:
  """Returns orthonormal columns of uniformly random directions, `[num_latent, num_latent]`.

  Args:
    num_latent: At least 2.
    random_state: State that the draw comes from.
  """
  return stats.ortho_group.rvs(num_latent, random_state=random_state)


def class_mean_axes(code: np.ndarray, factors: np.ndarray) -> np.ndarray:
  """Returns the orthonormal axes nearest to those along which the factors move the code.

  A factor moves the code along the first principal axis of its class means, the means of the code
  for each value of the factor. Of these axes the nearest orthonormal ones are taken (the polar
  factor of their matrix), and of the space they leave the principal axes of the code.

  Args:
    code: `[num_points, num_latent]`.
    factors: Discrete, `[num_points, num_factors]`. If there are more factors than latents, those
      that move the code farthest are taken.

  Returns:
    Orthonormal columns, from the largest variance down, `[num_latent, num_latent]`.
  """
  num_points, num_latent = code.shape
  code = code - np.mean(code, axis=0)
  lengths, directions = [], []
  for factor in factors.T:
    _, value, counts = np.unique(factor, return_inverse=True, return_counts=True)
    sums = np.stack([np.bincount(value, column) for column in code.T], axis=1)
    between = (sums / counts[:, None]).T @ sums / num_points  # covariance of the class means
    variances, axes = np.linalg.eigh(between)
    lengths.append(variances[-1])
    directions.append(axes[:, -1])
  farthest = np.argsort(-np.array(lengths), kind="stable")[:num_latent]
  directions = np.stack(directions, axis=1)[:, farthest]  # [num_latent, num_axes]
  left, _, right = np.linalg.svd(directions)
  num_axes = directions.shape[1]
  nearest, others = left[:, :num_axes] @ right, left[:, num_axes:]
  covariance = np.cov(code, rowvar=False, ddof=0)
  others = others @ np.linalg.eigh(others.T @ covariance @ others)[1]
  axes = np.concatenate([nearest, others], axis=1)
  order = np.argsort(-np.sum(axes * (covariance @ axes), axis=0), kind="stable")
  return _fix_signs(axes[:, order])


def coordinates(code: np.ndarray, axes: np.ndarray) -> np.ndarray:
  """Returns the code along axes, those with nothing but rounding set to 0.

  Args:
    code: `[num_points, num_latent]`, mean 0.
    axes: `[num_latent, num_axes]`.

  Returns:
    `[num_points, num_axes]`.
  """
  along = code @ axes
  variances = np.var(along, axis=0)
  return along * (variances > NEGLIGIBLE_VARIANCE * variances.max())


def _fix_signs(axes: np.ndarray) -> np.ndarray:
  """Returns axes with the largest component of each positive."""
  largest = np.take_along_axis(axes, np.argmax(np.abs(axes), axis=0)[None], axis=0)
  return axes * np.where(largest < 0, -1.0, 1.0)
