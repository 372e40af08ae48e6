"""Dependence between latents, measured without ground truth factors."""

from collections.abc import Callable
from typing import Any

import numpy as np

from dl_condind.data.ground_truth import ground_truth_data as ground_truth
from dl_condind.evaluation import checks
from dl_condind.evaluation import gin_settings
from dl_condind.evaluation import metric
from dl_condind.evaluation import representation
from dl_condind.evaluation.information import discrete_information
from dl_condind.utils import errors


def _points_without_factors(
  ground_truth_data: ground_truth.GroundTruthData,
  representation_function: Callable,
  random_state: np.random.RandomState,
  num_train: int = 10_000,
  batch_size: int = 16,
) -> tuple[np.ndarray]:
  """Draws as `metric.points`, at least 2 points; the data set may have no factors."""
  checks.check_count("unsupervised_metrics.num_train", num_train, 2)
  representations, _ = representation.generate_batch_factor_code(
    ground_truth_data,
    representation_function,
    num_train,
    random_state,
    batch_size,
    needs_factors=False,
  )
  return (representations,)


@metric.metric("unsupervised_metrics", draw=_points_without_factors)
def compute_unsupervised_metrics(representations: np.ndarray) -> dict[str, Any]:
  """Returns the results of `latent_dependence` on sampled points, with gin's `discretizer`."""
  return latent_dependence(representations, gin_settings.discretize(representations))


def latent_dependence(representations: np.ndarray, codes: np.ndarray) -> dict[str, Any]:
  """Returns measures of dependence between latents that are 0 when the latents are independent.

  The Gaussian measures belong to the Gaussian with the representations' covariance. A constant
  latent is independent of every other, so they are those of the latents that vary
  (disentanglement_lib takes the logarithm of 0). When latents that vary are linearly dependent,
  the total correlation is infinite, which a record cannot hold: it is None then.

  Args:
    representations: `[num_points, num_latent]`, at least two points and two latents.
    codes: The discretized representations, `[num_points, num_latent]`.

  Returns:
    `gaussian_total_correlation`, in nats; `gaussian_wasserstein_correlation` and
    `gaussian_wasserstein_correlation_norm`, which is divided by the total variance;
    `mutual_info_score`, the mean mutual information of two discretized latents, in nats, over all
    pairs; `num_constant_latents`.

  Raises:
    ConfigError: If there are fewer than two latents or points, or a number is not finite.
    ValueError: If the arrays do not fit together.
  """
  representations, codes = np.asarray(representations), np.asarray(codes)
  if representations.ndim != 2 or codes.shape != representations.shape:
    raise ValueError(
      "representations and codes must both be [num_points, num_latent], got shapes "
      f"{representations.shape} and {codes.shape}."
    )
  checks.check_count("The number of points of unsupervised_metrics", len(representations), 2)
  checks.check_finite("The representation", representations)
  # In float64, as the covariance.
  checks.check_powers("The representation", representations.astype(np.float64), power=4)
  num_latent = representations.shape[1]
  if num_latent < 2:
    raise errors.ConfigError(
      f"unsupervised_metrics compares latents, the representation has {num_latent}: "
      "set encoder.num_latent to at least 2."
    )
  covariance = np.cov(representations, rowvar=False)
  varies = (np.ptp(representations, axis=0) > 0) & (np.diag(covariance) > 0)
  covariance = covariance[np.ix_(varies, varies)]
  total_correlation, wasserstein = 0.0, 0.0
  if varies.any():
    total_correlation = gaussian_total_correlation(covariance)
    wasserstein = gaussian_wasserstein_correlation(covariance)
  mutual_information = discrete_information.discrete_mutual_info(codes, codes)
  pairs = ~np.eye(num_latent, dtype=bool)
  return {
    "gaussian_total_correlation": total_correlation if np.isfinite(total_correlation) else None,
    "gaussian_wasserstein_correlation": wasserstein,
    "gaussian_wasserstein_correlation_norm": (
      wasserstein / float(np.trace(covariance)) if varies.any() else 0.0
    ),
    "mutual_info_score": float(np.mean(mutual_information[pairs])),
    "num_constant_latents": int(np.count_nonzero(~varies)),
  }


def gaussian_total_correlation(covariance: np.ndarray) -> float:
  """Returns KL(N(0, covariance) || N(0, diag(covariance))) in nats, infinite if singular.

  Args:
    covariance: `[num_latent, num_latent]`, with a positive diagonal.
  """
  stddev = np.sqrt(np.diag(covariance))
  correlation = covariance / np.outer(stddev, stddev)
  # Rounding would turn a determinant of 0 into a number of no meaning.
  if np.linalg.matrix_rank(correlation, hermitian=True) < len(correlation):
    return np.inf
  return float(-0.5 * np.linalg.slogdet(correlation)[1])


def gaussian_wasserstein_correlation(covariance: np.ndarray) -> float:
  """Returns the squared 2-Wasserstein distance of N(0, covariance) and N(0, diag(covariance)).

  disentanglement_lib takes the trace of a matrix square root of `diag(covariance) @ covariance`,
  which rounding can make complex. The symmetric matrix here has the same eigenvalues.

  Args:
    covariance: `[num_latent, num_latent]`.
  """
  stddev = np.sqrt(np.diag(covariance))
  eigenvalues = np.linalg.eigvalsh(covariance * np.outer(stddev, stddev))
  root_trace = np.sum(np.sqrt(np.maximum(eigenvalues, 0.0)))  # rounding can leave -1e-17
  return float(2.0 * np.trace(covariance) - 2.0 * root_trace)
