"""Densities of the aggregate posterior q(z) = mean_i q(z|x_i), a mixture of Gaussians.

`q(z|x_i) = N(mean_i, S_i)`, where S_i is `diag(stddev_i**2)`, the factorized density, or
`scale_tril_i @ scale_tril_i.T`, the full one. Every density is of the latents of a subset S, whose
other latents are integrated out, and is normalised: log densities are in nats, 2 pi included.
"""

from collections.abc import Sequence
import functools

import numpy as np

from dl_condind.evaluation import checks
from dl_condind.utils import errors

DENSITIES = ("factorized", "full")
_LOG_2_PI = np.log(2 * np.pi)
# A chunk of log densities, points times posteriors, fits a processor's cache once per latent.
_CHUNK_VALUES = 2**15
_CHUNK_POSTERIORS = 2**12
# A term of exp(-700) changes no sum. Where exp underflows it takes twenty or more times as long.
_NEGLIGIBLE = -700.0


def density_scales(scale_tril: np.ndarray | None, density: str) -> np.ndarray | None:
  """Returns the scales that a density is computed with, None for the factorized one.

  Raises:
    ConfigError: If the density is unknown, or `full` and there are no scales.
  """
  checks.check_choice("density", density, DENSITIES)
  if density == "factorized":
    return None
  if scale_tril is None:
    raise errors.ConfigError("density 'full' needs scale_tril, the scales of the posteriors.")
  return scale_tril


def log_mixture_density(
  z: np.ndarray,
  mean: np.ndarray,
  stddev: np.ndarray,
  scale_tril: np.ndarray | None = None,
  subsets: Sequence[Sequence[int]] | None = None,
  leave_out: np.ndarray | None = None,
) -> np.ndarray:
  """Returns log q(z_S) of each subset S under the equally weighted mixture of the posteriors.

  Chunks of points meet chunks of posteriors and sums of exponentials are carried from one to the
  next, so memory does not grow with either beyond the arguments and the result. Posteriors may be
  float32: only chunks of them are copied to float64, which all is computed in.

  Args:
    z: Points, `[num_points, num_latent]`.
    mean: Means of the posteriors, `[num_posteriors, num_latent]`.
    stddev: Standard deviation of each latent, `[num_posteriors, num_latent]`.
    scale_tril: Lower triangular scales, `[num_posteriors, num_latent, num_latent]`, whose latents
      have those standard deviations; None for the factorized density.
    subsets: Indices of the latents of each subset; None for one subset, of all latents.
    leave_out: Index of the posterior that is left out of the mixture at each point, `[num_points]`,
      or None.

  Returns:
    Nats, `[num_subsets, num_points]`.

  Raises:
    ConfigError: If shapes disagree, a subset is empty or has an index out of range or twice, or the
      only posterior is left out.
  """
  subsets = _checked_subsets(subsets, z, mean, stddev, scale_tril)
  (z,) = _as_float64(z)
  num_kept = len(mean) - (leave_out is not None)
  if num_kept < 1:
    raise errors.ConfigError("leave_out needs at least two posteriors, got one.")
  largest = np.full((len(subsets), len(z)), np.finfo(np.float64).min)
  sum_exp = np.zeros_like(largest)  # of exp(log density - largest)
  num_rows = max(1, _CHUNK_VALUES // min(len(mean), _CHUNK_POSTERIORS))
  for start in range(0, len(mean), _CHUNK_POSTERIORS):
    columns = slice(start, start + _CHUNK_POSTERIORS)
    scales = None if scale_tril is None else scale_tril[columns]
    chunk = _as_float64(mean[columns], stddev[columns], scales)
    log_densities = _log_density_functions(subsets, *chunk)
    for first in range(0, len(z), num_rows):
      rows = slice(first, first + num_rows)
      left_out = None if leave_out is None else leave_out[rows] - start
      _add_chunk(largest[:, rows], sum_exp[:, rows], log_densities(z[rows]), left_out)
  return np.log(sum_exp) + largest - np.log(num_kept)


def log_posterior_density(
  z: np.ndarray,
  mean: np.ndarray,
  stddev: np.ndarray,
  scale_tril: np.ndarray | None = None,
  subsets: Sequence[Sequence[int]] | None = None,
) -> np.ndarray:
  """Returns log q(z_S|x) of each point under its own posterior, that of the same row.

  Args:
    z: Points, `[num_points, num_latent]`.
    mean: `[num_points, num_latent]`.
    stddev: `[num_points, num_latent]`.
    scale_tril: `[num_points, num_latent, num_latent]`, or None for the factorized density.
    subsets: Indices of the latents of each subset; None for one subset, of all latents.

  Returns:
    Nats, `[num_subsets, num_points]`.

  Raises:
    ConfigError: If shapes disagree, or a subset is empty or has an index out of range or twice.
  """
  subsets = _checked_subsets(subsets, z, mean, stddev, scale_tril)
  z, mean, stddev, scale_tril = _as_float64(z, mean, stddev, scale_tril)
  if len(z) != len(mean):
    raise errors.ConfigError(f"Each of {len(z)} points needs a posterior, got {len(mean)}.")
  log_latents = -0.5 * (((z - mean) / stddev) ** 2 + _LOG_2_PI) - np.log(stddev)
  log_densities = []
  for subset in subsets:
    if scale_tril is None or len(subset) == 1:
      log_densities.append(np.sum(log_latents[:, subset], axis=1))
    else:
      inverse_root = np.linalg.inv(_subset_root(scale_tril, subset))
      noise = np.einsum("nkl,nl->nk", inverse_root, (z - mean)[:, subset])
      log_densities.append(_log_scale(inverse_root) - 0.5 * np.sum(noise**2, axis=1))
  return np.stack(log_densities)


def pairwise_log_density(
  z: np.ndarray,
  mean: np.ndarray,
  stddev: np.ndarray,
  scale_tril: np.ndarray | None = None,
  subsets: Sequence[Sequence[int]] | None = None,
) -> np.ndarray:
  """Returns log q(z_S|x_i) of each point under each posterior, for mixtures with other weights.

  Arguments and errors are those of `log_mixture_density`; memory is that of the result.

  Returns:
    Nats, `[num_subsets, num_points, num_posteriors]`.
  """
  subsets = _checked_subsets(subsets, z, mean, stddev, scale_tril)
  z, *posteriors = _as_float64(z, mean, stddev, scale_tril)
  return np.stack([*_log_density_functions(subsets, *posteriors)(z)])


def _as_float64(*arrays):
  return (None if array is None else np.asarray(array, dtype=np.float64) for array in arrays)


def _checked_subsets(subsets, z, mean, stddev, scale_tril):
  """Returns the subsets as lists after checking them and the shapes."""
  shapes = [None if array is None else np.shape(array) for array in (z, mean, stddev, scale_tril)]
  num_latent = shapes[1][-1]
  if (
    [len(shapes[0]), len(shapes[1])] != [2, 2]
    or shapes[0][1] != num_latent
    or shapes[2] != shapes[1]
    or shapes[3] not in (None, (*shapes[1], num_latent))
  ):
    raise errors.ConfigError(
      "z must be [num_points, num_latent], mean and stddev [num_posteriors, num_latent] and "
      "scale_tril None or [num_posteriors, num_latent, num_latent], got "
      f"{', '.join(str(shape) for shape in shapes)}."
    )
  if subsets is None:
    return [list(range(num_latent))]
  subsets = [[int(index) for index in subset] for subset in subsets]
  for subset in subsets:
    if not subset or len(set(subset)) < len(subset) or not set(subset) <= set(range(num_latent)):
      raise errors.ConfigError(
        f"A subset must have one or more different latents, from 0 to {num_latent - 1}, got "
        f"{tuple(subset)}."
      )
  return subsets


def _subset_root(scale_tril, subset):
  """Returns the Cholesky root of the covariance of a subset of latents."""
  if subset == list(range(scale_tril.shape[1])):
    return scale_tril
  rows = scale_tril[:, subset]
  return np.linalg.cholesky(rows @ np.swapaxes(rows, 1, 2))


def _whitening(mean, inverse_root):
  """Returns the affine maps from z to the noise that gives it, and the log densities at the mean.

  `noise_k / sqrt(2) = maps[k, 0] + z @ maps[k, 1:]`, where maps is
  `[num_latent, 1 + num_latent, num_posteriors]` and the latents are those of a subset.
  """
  offset = -np.einsum("nkl,nl->kn", inverse_root, mean)
  maps = np.concatenate([offset[:, None, :], np.moveaxis(inverse_root, 0, 2)], axis=1)
  return np.sqrt(0.5) * maps, _log_scale(inverse_root)


def _log_scale(inverse_root):
  """Returns the log densities at the mean."""
  diagonal = np.diagonal(inverse_root, axis1=1, axis2=2)
  return np.sum(np.log(np.abs(diagonal)) - 0.5 * _LOG_2_PI, axis=1)


def _half_squared_noise(z, maps):
  """Returns 0.5 * sum(noise**2) of each z under each posterior, `[num_points, num_posteriors]`.

  The noise and not a quadratic form in z: in it terms of size 1 / stddev cancel, in the form terms
  of size 1 / stddev**2.
  """
  ones_z = np.concatenate([np.ones((len(z), 1)), z], axis=1)
  total = np.zeros((len(z), maps.shape[2]))
  for k in range(len(maps)):
    noise = ones_z[:, : k + 2] @ maps[k, : k + 2]  # The maps are triangular.
    noise *= noise
    total += noise
  return total


def _log_density_functions(subsets, mean, stddev, scale_tril):
  """Returns a function of z that iterates over `[num_points, num_posteriors]` of each subset.

  What depends on the posteriors only is computed here, and the noise of each latent by itself, of
  which every factorized density is made, once for all subsets.
  """
  is_product = [scale_tril is None or len(subset) == 1 for subset in subsets]
  latents = sorted({j for s, subset in enumerate(subsets) if is_product[s] for j in subset})
  of_latent = {j: _whitening(mean[:, [j]], 1 / stddev[:, j, None, None]) for j in latents}
  of_subset = [
    None if product else _whitening(mean[:, s], np.linalg.inv(_subset_root(scale_tril, s)))
    for s, product in zip(subsets, is_product, strict=True)
  ]

  def log_densities(z):
    squares = {j: _half_squared_noise(z[:, [j]], maps) for j, (maps, _) in of_latent.items()}
    for subset, whitening in zip(subsets, of_subset, strict=True):
      if whitening is None:
        square = functools.reduce(np.add, [squares[j] for j in subset])
        log_scale = sum(of_latent[j][1] for j in subset)
      else:
        maps, log_scale = whitening
        square = _half_squared_noise(z[:, subset], maps)
      yield log_scale - square

  return log_densities


def _add_chunk(largest, sum_exp, log_densities, left_out):
  """Adds a chunk of posteriors to running sums of exponentials, in place.

  Args:
    largest: Largest log density so far, `[num_subsets, num_points]`.
    sum_exp: Sum of exp(log density - largest), of the same shape.
    log_densities: Iterator over subsets, `[num_points, chunk of posteriors]`; overwritten.
    left_out: Index in the chunk of the posterior to leave out of each point, or None. Indices
      beyond the chunk are of other chunks.
  """
  for s, values in enumerate(log_densities):
    if left_out is not None:
      (here,) = np.nonzero((left_out >= 0) & (left_out < values.shape[1]))
      values[here, left_out[here]] = -np.inf
    new_largest = np.maximum(largest[s], np.max(values, axis=1))
    values -= new_largest[:, None]
    np.maximum(values, _NEGLIGIBLE, out=values)
    np.exp(values, out=values)
    sum_exp[s] = sum_exp[s] * np.exp(largest[s] - new_largest) + np.sum(values, axis=1)
    largest[s] = new_largest
