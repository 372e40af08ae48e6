"""Mutual information gap along other axes than the latents: is the information gone, or rotated?

Correlated noise turns the axes of the posterior away from the latents. A code that is rotated with
them has lost nothing, but its mutual information gap is near 0.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from dl_condind.data.ground_truth import ground_truth_data as ground_truth
from dl_condind.evaluation import checks
from dl_condind.evaluation import gin_settings
from dl_condind.evaluation import latent_axes
from dl_condind.evaluation import metric
from dl_condind.evaluation import posterior_samples
from dl_condind.evaluation.information import discretization
from dl_condind.evaluation.metrics import mig

BASES = ("noise_eigenbasis", "pca", "ica")
_DETAILS = ("mig", "mutual_information_matrix", "variance_share", "latent_share")


def points_and_noise(
  ground_truth_data: ground_truth.GroundTruthData,
  representation_function: Callable,
  random_state: np.random.RandomState,
  num_train: int = 10_000,
  batch_size: int = 16,
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
  """Draws the points that `mig` draws, and the mean noise covariance of as many observations.

  There is no noise covariance, so no noise eigenbasis, without a `gaussian_encoder`.
  """
  representations, factors = metric.points(
    ground_truth_data, representation_function, random_state, num_train, batch_size
  )
  gaussian_encoder = getattr(representation_function, "gaussian_encoder", None)
  if gaussian_encoder is None:
    return representations, factors, None
  _, _, scale_tril = posterior_samples.sample_posteriors(
    ground_truth_data, gaussian_encoder, num_train, random_state
  )
  noise_covariance = np.mean(scale_tril @ np.swapaxes(scale_tril, 1, 2), axis=0)
  return representations, factors, noise_covariance


@metric.metric("aligned_mig", draw=points_and_noise)
def compute_aligned_mig(
  representations: np.ndarray,
  factors: np.ndarray,
  noise_covariance: np.ndarray | None,
  random_state: np.random.RandomState,
  num_nulls: int = 10,
) -> dict[str, Any]:
  """Returns `aligned_mutual_information_gap` of sampled points, with gin's `discretizer`."""
  return aligned_mutual_information_gap(
    representations, factors, noise_covariance, random_state, gin_settings.discretize, num_nulls
  )


def aligned_mutual_information_gap(
  representations: np.ndarray,
  factors: np.ndarray,
  noise_covariance: np.ndarray | None = None,
  random_state: np.random.RandomState | None = None,
  discretize: Callable[[np.ndarray], np.ndarray] = discretization.histogram_of_20_bins,
  num_nulls: int = 10,
) -> dict[str, Any]:
  """Returns the mutual information gap along the latents and along three other bases.

  - `noise_eigenbasis`: the eigenvectors of the noise covariance, averaged over observations, which
    are the axes of the noise in the space the code lives in. (Those of the noise correlation are
    its axes only after each latent was divided by its stddev.)
  - `pca`: the principal axes of the code.
  - `ica`: independent components of the code; see `latent_axes.independent_axes`.

  The best of several is never below the gap along the latents, so it comes with a null: the best
  of the latents and as many random rotations as there are other bases, averaged over num_nulls
  draws. An axis with less than 1e-12 of the largest variance is rounding, and set to 0.

  Args:
    representations: `[num_points, num_latent]`.
    factors: Ground truth, `[num_points, num_factors]`; columns that are not whole numbers
      everywhere are discretized too.
    noise_covariance: Covariance of z given x, averaged over observations, `[num_latent,
      num_latent]`, or None, which leaves out the noise eigenbasis.
    random_state: State of the start of ICA and of the random rotations; None stands for seed 0.
    discretize: Function of an array that returns the bins of each column; 20 of equal width
      unless it is given.
    num_nulls: Number of null values.

  Returns:
    The results of `mig.gap_of_codes` along the latents, `discrete_mig` among them. `aligned_mig`,
    the largest gap along the latents or a basis, and `aligned_mig_basis`, its name or "latents".
    `aligned_mig_null`, and `aligned_mig_null_std` over its draws; `random_rotation_mig`, the mean
    gap along a random rotation. `ica_converged`. `variance_share`, the share of each latent in the
    variance of the code, `[num_latent]`, sum 1 (0 if the code is constant). For each basis, or
    None: `{basis}.mig`; `{basis}.mutual_information_matrix`, `[num_axes][num_factors]`, nats;
    `{basis}.variance_share`, the same of each axis; `{basis}.latent_share`,
    `[num_axes][num_latent]`, squared weights of the latents in each axis, each times the latent's
    variance, rows with sum 1 (0 for an axis without variance).

  Raises:
    ConfigError: If there are fewer than two latents, no factor varies, a value is not finite or so
      large that a variance overflows, num_nulls is not positive or noise_covariance is not of the
      size of the representation.
  """
  checks.check_count("aligned_mig.num_nulls", num_nulls, 1)
  random_state = np.random.RandomState(0) if random_state is None else random_state
  factors = discretization.discretize_continuous(factors, discretize)
  results = mig.gap_of_codes(discretize(representations), factors)
  checks.check_powers("The representation", np.asarray(representations, np.float64), power=4)
  code = np.asarray(representations, np.float64) - np.mean(representations, 0, np.float64)
  bases, converged = _bases(code, noise_covariance, random_state.randint(2**31 - 1))
  details: dict[str, Any] = {}
  gaps: dict[str, float] = {"latents": results["discrete_mig"]}
  for name in BASES:
    description = dict.fromkeys(_DETAILS)
    if name in bases:
      description = _describe(code, bases[name], factors, discretize)
      gaps[name] = description["mig"]
    details |= {f"{name}.{key}": value for key, value in description.items()}
  random_gaps = np.empty((num_nulls, len(bases)))
  for index in np.ndindex(random_gaps.shape):
    axes = latent_axes.random_axes(code.shape[1], random_state)
    random_gaps[index] = _gap(latent_axes.coordinates(code, axes), factors, discretize)[
      "discrete_mig"
    ]
  nulls = np.maximum(random_gaps.max(axis=1), gaps["latents"])
  best = max(gaps, key=lambda name: gaps[name])
  return {
    **results,
    "aligned_mig": gaps[best],
    "aligned_mig_basis": best,
    "aligned_mig_null": float(np.mean(nulls)),
    "aligned_mig_null_std": float(np.std(nulls)),
    "random_rotation_mig": float(np.mean(random_gaps)),
    "ica_converged": converged,
    "variance_share": _shares(np.var(code, axis=0)).tolist(),
    **details,
  }


def _describe(code, axes, factors, discretize):
  """Returns `_DETAILS` of the code along axes."""
  coordinates = latent_axes.coordinates(code, axes)
  variances = np.var(coordinates, axis=0)
  gap = _gap(coordinates, factors, discretize)
  weights = np.where(variances > 0, axes, 0.0)
  return {
    "mig": gap["discrete_mig"],
    "mutual_information_matrix": gap["mutual_information_matrix"],
    "variance_share": _shares(variances).tolist(),
    "latent_share": _shares(weights.T**2 * np.var(code, axis=0)).tolist(),
  }


def _gap(coordinates, factors, discretize):
  return mig.gap_of_codes(discretize(coordinates), factors)


def _bases(code, noise_covariance, seed):
  """Returns the axes of each basis by name, and whether ICA converged."""
  bases = latent_axes.axes_without_labels(code, noise_covariance)
  bases["ica"], converged = latent_axes.independent_axes(code, seed)
  return bases, converged


def _shares(values: np.ndarray) -> np.ndarray:
  """Returns values that are not negative over their sum along the last axis, 0 where that is 0."""
  total = np.sum(values, axis=-1, keepdims=True)
  return np.divide(values, total, out=np.zeros_like(values), where=total > 0)
