"""Orthogonality of the columns of the decoder's Jacobian.

The outputs count with their Fisher information: G = J^T diag(w) J is what noise in the latents
costs the reconstruction, so w = p (1 - p) for the logits of Bernoulli pixels.

The noise of a factorized posterior costs least where the decoder turns different latents into
orthogonal changes of the image (Rolinek, Zietlow and Martius, 2019, arXiv:1812.06775). With
correlated noise the same argument holds along the axes of the noise.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import optimize
from scipy import stats

from dl_condind.data.ground_truth import ground_truth_data as ground_truth
from dl_condind.evaluation import checks
from dl_condind.evaluation import decoder_samples
from dl_condind.evaluation import latent_axes
from dl_condind.evaluation import metric

_NEGLIGIBLE = 1e-14  # of the largest squared norm; products of a column below it are rounding


@metric.metric("decoder_geometry")
def compute_decoder_geometry(
  ground_truth_data: ground_truth.GroundTruthData,
  representation_function: Callable,
  random_state: np.random.RandomState,
  num_points: int = 1000,
  active_variance: float = 0.01,
) -> dict[str, Any]:
  """Returns how orthogonal the columns of the decoder's Jacobian are at posterior means.

  Args:
    ground_truth_data: Data set to sample from.
    representation_function: `Representation` with a `gaussian_encoder` and a `fisher_gram`.
    random_state: State that every draw comes from.
    num_points: Number of observations, at least 2.
    active_variance: Variance of a latent's posterior mean above which the latent is active.

  Returns:
    The results of `jacobian_geometry`.

  Raises:
    ConfigError: If num_points is too small, the representation lacks a function or a number is not
      finite.
  """
  checks.check_count("decoder_geometry.num_points", num_points, 2)
  points = decoder_samples.sample(
    ground_truth_data, representation_function, num_points, random_state, "decoder_geometry"
  )
  return jacobian_geometry(
    points.grams,
    points.z_mean,
    points.covariance,
    int(np.prod(ground_truth_data.observation_shape)),
    random_state,
    active_variance,
  )


def gram(jacobian: np.ndarray) -> np.ndarray:
  """Returns the products of all pairs of columns of Jacobians in float64.

  Args:
    jacobian: Derivatives of the decoder's image, `[num_points, num_latent, ...]`.

  Returns:
    `[num_points, num_latent, num_latent]`.
  """
  columns = np.asarray(jacobian, np.float64).reshape(*jacobian.shape[:2], -1)
  return columns @ np.swapaxes(columns, 1, 2)


def jacobian_geometry(
  grams: np.ndarray,
  z_mean: np.ndarray,
  noise_covariance: np.ndarray,
  num_outputs: int,
  random_state: np.random.RandomState,
  active_variance: float = 0.01,
) -> dict[str, Any]:
  """Summarizes the columns of Jacobians J, all that they are known by being `J.T @ J`.

  Outputs that count differently are those of a Jacobian whose rows are scaled by sqrt(w).

  A latent is active if the variance of its posterior mean over the points exceeds active_variance
  (Burda et al., 2016, arXiv:1509.00519). Inactive latents have columns near 0 whose directions mean
  nothing, so every measure of orthogonality is reported of all latents, as Rolinek et al. define
  it, and, with the ending `_active`, of the active ones. It is None for fewer than two.

  Two nulls, of Jacobians whose latents have no axes of their own: `..._random_directions`, with
  columns of the same norms in independent, uniformly random directions of the image space; and
  `..._random_rotation`, `J @ Q`, the same decoder along random orthonormal axes Q of the latent
  space. The cosines of the first are small where images have many pixels, as almost all directions
  are orthogonal there; a decoder whose latents are arbitrary axes scores like the second.

  Args:
    grams: The results of `gram`, `[num_points, num_latent, num_latent]`.
    z_mean: Posterior means, `[num_points, num_latent]`.
    noise_covariance: Covariances of q(z|x), `[num_points, num_latent, num_latent]`.
    num_outputs: Number of rows of J: pixels times channels.
    random_state: State that the nulls come from.
    active_variance: See above.

  Returns:
    `distance_to_orthogonality` and `mean_abs_cosine`, of all and `_active` latents, each with both
    nulls; `num_active`; `column_norm`, the mean norm of each column, `[num_latent]`;
    `response_share`, the share of each column in the squared norms, and `noise_response_share`, the
    same of `stddev**2 * norm**2`, the change of the image that the noise of a latent alone makes
    (`[num_latent]`, sum 1, None if all are 0); `abs_cosine_matrix`, `[num_latent][num_latent]`,
    None where a column is 0 at every point. `noise_eigenbasis.{key}`: the same of `J @ V`, without
    nulls, where V are the axes of the mean noise covariance, `latent_axes.noise_eigenbasis`, and an
    axis is active if the posterior mean varies along it.
  """
  is_active = np.var(z_mean, axis=0) > active_variance
  results = _summarize(grams, noise_covariance, is_active)
  for ending, columns in (("", np.ones_like(is_active)), ("_active", is_active)):
    chosen = grams[:, columns][:, :, columns]
    nulls = {"random_directions": chosen, "random_rotation": chosen}
    if chosen.shape[1] > 1:
      nulls = {
        "random_directions": _random_directions(chosen, num_outputs, random_state),
        "random_rotation": _random_rotation(chosen, random_state),
      }
    for name, null in nulls.items():
      results |= {f"{key}{ending}_{name}": value for key, value in orthogonality(null).items()}
  code_covariance = np.atleast_2d(np.cov(z_mean, rowvar=False))
  axes = latent_axes.noise_eigenbasis(np.mean(noise_covariance, axis=0), code_covariance)
  rotated = _summarize(
    axes.T @ grams @ axes,
    axes.T @ noise_covariance @ axes,
    np.var(z_mean @ axes, axis=0) > active_variance,
  )
  return results | {f"noise_eigenbasis.{key}": value for key, value in rotated.items()}


def orthogonality(grams: np.ndarray) -> dict[str, float | None]:
  """Returns `distance_to_orthogonality` and `mean_abs_cosine`, averaged over points.

  The cosine is that of two columns of J, averaged over the pairs whose columns are not 0. Points
  where all columns are 0 have no say; both are None if there are no others.

  Args:
    grams: `[num_points, num_columns, num_columns]`.
  """
  num_columns = grams.shape[1]
  if num_columns < 2:
    return {"distance_to_orthogonality": None, "mean_abs_cosine": None}
  grams = grams[np.any(_squared_norms(grams) > 0, axis=1)]
  if not len(grams):
    return {"distance_to_orthogonality": None, "mean_abs_cosine": None}
  pairs = _abs_cosines(grams)[:, ~np.eye(num_columns, dtype=bool)]
  return {
    "distance_to_orthogonality": float(np.mean(distances_to_orthogonality(grams))),
    "mean_abs_cosine": _mean_of_defined(pairs),
  }


def distances_to_orthogonality(grams: np.ndarray) -> np.ndarray:
  """Returns the distance to orthogonality of each point, `[num_points]`.

  As Rolinek et al. (2019) define it: with the singular value decomposition J = U S V^T, the
  Frobenius distance of V to the nearest signed permutation matrix, in [0, sqrt(2 num_columns)). It
  is 0 where the columns of J are orthogonal and of different norms. NB: where norms are equal V is
  not unique, and the distance of orthogonal columns can be anything; see the cosines there.

  Args:
    grams: `J.T @ J`, whose eigenvectors are V, `[num_points, num_columns, num_columns]`.
  """
  magnitudes = np.abs(np.linalg.eigh(grams)[1])
  # norm(V - P)**2 = 2 * (num_columns - sum of abs(V) where P is not 0), as V is orthogonal.
  matched = [matrix[optimize.linear_sum_assignment(-matrix)].sum() for matrix in magnitudes]
  return np.sqrt(np.maximum(2 * (grams.shape[1] - np.array(matched)), 0.0))


def _abs_cosines(grams):
  """Returns absolute cosines of pairs of columns, NaN where one is 0."""
  squares = _squared_norms(grams)
  is_zero = squares <= _NEGLIGIBLE * squares.max(axis=1, keepdims=True)
  norms = np.where(is_zero, np.nan, np.sqrt(squares))
  return np.abs(grams) / (norms[:, :, None] * norms[:, None, :])


def _squared_norms(grams):
  """Returns the squared norm of each column, `[num_points, num_columns]`."""
  return np.maximum(np.diagonal(grams, axis1=1, axis2=2), 0.0)  # rotated ones may be -1e-17


def _mean_of_defined(values):
  """Returns the mean of the values that are not NaN, None if there are none."""
  defined = values[~np.isnan(values)]
  return float(np.mean(defined)) if defined.size else None


def _summarize(grams, noise_covariance, is_active):
  """Returns the measures of `jacobian_geometry` but for the nulls."""
  cosines = _abs_cosines(grams)
  squares = _squared_norms(grams)
  variances = np.diagonal(noise_covariance, axis1=1, axis2=2)
  active = orthogonality(grams[:, is_active][:, :, is_active])
  return {
    **orthogonality(grams),
    **{f"{key}_active": value for key, value in active.items()},
    "num_active": int(np.count_nonzero(is_active)),
    "column_norm": np.mean(np.sqrt(squares), axis=0).tolist(),
    "response_share": _share(squares),
    "noise_response_share": _share(squares * variances),
    "abs_cosine_matrix": [
      [_mean_of_defined(cosines[:, i, j]) for j in range(grams.shape[1])]
      for i in range(grams.shape[1])
    ],
  }


def _share(values):
  """Returns the share of each column in the sum of all values, None if they are 0."""
  total = np.sum(values)
  return (np.sum(values, axis=0) / total).tolist() if total > 0 else None


def _random_directions(grams, num_outputs, random_state):
  norms = np.sqrt(_squared_norms(grams))
  null = np.empty_like(grams)
  for point in range(len(grams)):
    columns = random_state.standard_normal((grams.shape[1], num_outputs))
    columns *= (norms[point] / np.linalg.norm(columns, axis=1))[:, None]
    null[point] = columns @ columns.T
  return null


def _random_rotation(grams, random_state):
  axes = stats.ortho_group.rvs(grams.shape[1], size=len(grams), random_state=random_state)
  return np.swapaxes(axes, 1, 2) @ grams @ axes
