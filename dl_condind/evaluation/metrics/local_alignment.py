"""Do the axes of the decoder follow those of the noise, image by image, or only on average?

Noise turns the decoder's axes into its own (`densities/family_cost.py`): at every image the right
singular vectors of the decoder's Jacobian become the eigenvectors of the covariance S(x) of q(z|x).
Where these differ between images, no single rotation of the latents undoes the turn.
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
from dl_condind.evaluation.densities import family_cost
from dl_condind.utils import errors

_ACTIVE = 1.0  # eigenvalue of the Gram above which a direction says more of x than the prior does
_MAX_SWEEPS = 50
_MIN_GAIN = 1e-7  # nats; a sweep that gains less ends the search
_NUM_ANGLES = 16  # in each of the grids, the next of which is between two angles of the last


@metric.metric("local_alignment")
def compute_local_alignment(
  ground_truth_data: ground_truth.GroundTruthData,
  representation_function: Callable,
  random_state: np.random.RandomState,
  num_points: int = 1000,
) -> dict[str, Any]:
  """Returns `local_alignment` at the posterior means of sampled observations.

  Args:
    ground_truth_data: Data set to sample from.
    representation_function: `Representation` with a `gaussian_encoder` and a `fisher_gram`.
    random_state: State that every draw comes from.
    num_points: Number of observations.

  Raises:
    ConfigError: If num_points is not positive, the representation lacks a function or a number is
      not finite.
  """
  checks.check_count("local_alignment.num_points", num_points, 1)
  points = decoder_samples.sample(
    ground_truth_data, representation_function, num_points, random_state, "local_alignment"
  )
  return local_alignment(points.grams, points.covariance, random_state)


def local_alignment(
  grams: np.ndarray, noise_covariance: np.ndarray, random_state: np.random.RandomState
) -> dict[str, Any]:
  """Compares the decoder's axes at each point with four sets of axes.

  - `local`: the eigenvectors of S(x) at that point. Where the noise has the same variance along
    several axes, it prefers none of them, and those of the decoder are taken: isotropic noise is
    aligned with any decoder.
  - `global`: one set for all points, that with the least mean cost.
  - `latents`: the latents.
  - `random`: random axes at each point, a null.

  Their cost is that of noise which is independent along them, with the best stddevs,

      0.5 * (sum_j log(Q^T M Q)_jj - log det M),  M = I + G

  which is 0 if and only if the axes Q are the decoder's. (The axes of least mean cost are the
  common principal components of Flury, 1984, doi:10.2307/2288721.) It is large only where turning
  matters; an angle also counts axes along which the decoder hardly differs.

  Args:
    grams: Fisher Grams G of the decoder at z, `[num_points, num_latent, num_latent]`.
    noise_covariance: S(x) of the same points, the same shape.
    random_state: State of the random axes.

  Returns:
    For each of the four: `{axes}_cost`, nats, and `{axes}_angle`, degrees in [0, 90], between an
    eigenvector of G and the axis it is matched with, averaged over points and the eigenvectors with
    an eigenvalue above 1 (None if there are none). `global_share` and `latents_share`, the part of
    what the local axes save over random ones that those save too, at most 1 if the local axes are
    the best (None if they save nothing); `mean_active`, the mean number of eigenvalues above 1;
    `global_axes`, `[num_latent][num_latent]`, in columns.

  Raises:
    ConfigError: If shapes disagree, there are fewer than two latents, a number is not finite or a
      matrix is not symmetric.
  """
  grams, noise_covariance = (np.asarray(array, np.float64) for array in (grams, noise_covariance))
  _check(grams, noise_covariance)
  num_points, num_latent, _ = grams.shape
  precisions = np.eye(num_latent) + grams
  axes = {
    "local": np.stack(
      [
        latent_axes.noise_eigenbasis(noise, precision)
        for noise, precision in zip(noise_covariance, precisions, strict=True)
      ]
    ),
    "global": common_axes(precisions),
    "latents": np.eye(num_latent),
    "random": stats.ortho_group.rvs(num_latent, size=num_points, random_state=random_state),
  }
  axes["random"] = axes["random"].reshape(grams.shape)  # One point: SciPy leaves out the axis.
  eigenvalues, decoder_axes = np.linalg.eigh(grams)
  is_active = eigenvalues > _ACTIVE
  costs = {name: float(np.mean(axes_cost(precisions, of_name))) for name, of_name in axes.items()}
  saved = costs["random"] - costs["local"]
  results: dict[str, Any] = {f"{name}_cost": cost for name, cost in costs.items()}
  for name, of_name in axes.items():
    of_points = np.broadcast_to(of_name, grams.shape)
    results[f"{name}_angle"] = _mean_angle(decoder_axes, of_points, is_active)
  for name in ("global", "latents"):
    results[f"{name}_share"] = (costs["random"] - costs[name]) / saved if saved > 0 else None
  return {
    **results,
    "mean_active": float(np.mean(np.sum(is_active, axis=1))),
    "global_axes": axes["global"].tolist(),
  }


def axes_cost(precisions: np.ndarray, axes: np.ndarray) -> np.ndarray:
  """Returns the cost of noise that is independent along axes, nats, `[num_points]`.

  It is that of `family_cost.rotated`, for axes that may differ between points.

  Args:
    precisions: M, `[num_points, num_latent, num_latent]`.
    axes: Orthonormal columns, the same shape or `[num_latent, num_latent]`.
  """
  turned = np.swapaxes(axes, -1, -2) @ precisions @ axes
  return family_cost.fixed_correlation(turned, np.eye(turned.shape[-1])).cost


def common_axes(precisions: np.ndarray) -> np.ndarray:
  """Returns the orthonormal axes with the least mean `axes_cost`, `[num_latent, num_latent]`.

  Jacobi sweeps of plane rotations, from the latents and from the eigenvectors of the mean of log M;
  the better of the two. With s and d half the sum and the difference of M_pp and M_qq, a rotation
  of axes p and q by t makes of M_pp * M_qq

      s^2 - (d cos(2 t) + M_pq sin(2 t))^2

  Args:
    precisions: M, `[num_points, num_latent, num_latent]`, symmetric positive definite.
  """
  eigenvalues, axes = np.linalg.eigh(precisions)
  mean_log = np.mean(axes * np.log(eigenvalues)[:, None] @ np.swapaxes(axes, 1, 2), axis=0)
  starts = [np.eye(precisions.shape[1]), latent_axes.principal_axes(mean_log)]
  found = [_jacobi_search(precisions, start) for start in starts]
  return min(found, key=lambda axes: np.mean(axes_cost(precisions, axes)))


def _jacobi_search(precisions, axes):
  """Turns pairs of axes until a sweep lowers the mean cost no more."""
  axes = axes.copy()
  turned = axes.T @ precisions @ axes
  for _ in range(_MAX_SWEEPS):
    gain = 0.0
    for p in range(len(axes)):
      for q in range(p + 1, len(axes)):
        angle, saved = _best_angle(turned[:, p, p], turned[:, q, q], turned[:, p, q])
        gain += saved
        cosine, sine = np.cos(angle), np.sin(angle)
        rotation = np.array([[cosine, -sine], [sine, cosine]])
        axes[:, [p, q]] = axes[:, [p, q]] @ rotation
        turned[:, :, [p, q]] = turned[:, :, [p, q]] @ rotation
        turned[:, [p, q]] = rotation.T @ turned[:, [p, q]]
    if gain < _MIN_GAIN:
      break
  return axes


def _best_angle(first, second, product):
  """Returns the angle of the least mean cost in a plane, and the nats it saves."""
  half_sum, half_difference = 0.5 * (first + second), 0.5 * (first - second)

  def costs_of(angles: np.ndarray) -> np.ndarray:
    along = np.outer(np.cos(2 * angles), half_difference) + np.outer(np.sin(2 * angles), product)
    return 0.5 * np.mean(np.log(half_sum**2 - along**2), axis=1)

  angle, width = 0.0, np.pi / 2  # A turn by 90 degrees exchanges the two axes.
  for _ in range(4):
    angles = angle + width * np.linspace(-0.5, 0.5, _NUM_ANGLES + 1)
    angle = angles[np.argmin(costs_of(angles))]
    width *= 2 / _NUM_ANGLES
  unturned, turned = costs_of(np.array([0.0, angle]))
  return (angle, unturned - turned) if turned < unturned else (0.0, 0.0)


def _mean_angle(decoder_axes, axes, is_active):
  """Returns the mean angle of active decoder axes with the axes that fit best, degrees."""
  overlaps = np.abs(np.swapaxes(decoder_axes, 1, 2) @ axes)  # [num_points, decoder's axis, axis]
  angles = []
  for overlap, active in zip(overlaps, is_active, strict=True):
    rows, columns = optimize.linear_sum_assignment(-(overlap[active] ** 2))
    angles.append(np.arccos(np.minimum(overlap[active][rows, columns], 1.0)))
  angles = np.concatenate(angles)
  return float(np.rad2deg(np.mean(angles))) if angles.size else None


def _check(grams, noise_covariance):
  if grams.ndim != 3 or grams.shape[1] != grams.shape[2] or noise_covariance.shape != grams.shape:
    raise errors.ConfigError(
      "grams and noise_covariance must both be [num_points, num_latent, num_latent], got "
      f"{grams.shape} and {noise_covariance.shape}."
    )
  if grams.shape[1] < 2 or not len(grams):
    raise errors.ConfigError(
      f"local_alignment needs points and at least two latents, got grams of shape {grams.shape}."
    )
  checks.check_finite("The decoder's Gram", grams)
  checks.check_finite("The noise covariance", noise_covariance)
