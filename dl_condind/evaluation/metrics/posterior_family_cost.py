"""What families of posteriors cost a trained decoder: the mechanism, without labels.

To second order the posterior that belongs to a decoder and the prior N(0, I) is N(mean, M^-1) with
M = I + G / beta, where G is the Fisher information of the decoder and beta weighs the KL. A family
that cannot have this covariance costs evidence, and so prefers other decoders. See
`densities.family_cost`.
"""

from collections.abc import Callable
from collections.abc import Mapping
import functools
from typing import Any

import numpy as np

from dl_condind.data.ground_truth import ground_truth_data as ground_truth
from dl_condind.evaluation import checks
from dl_condind.evaluation import decoder_samples
from dl_condind.evaluation import metric
from dl_condind.evaluation.densities import family_cost
from dl_condind.utils import errors

Matrix = Callable[[int], np.ndarray]  # num_latent -> [num_latent, num_latent]


@metric.metric("posterior_family_cost")
def compute_posterior_family_cost(
  ground_truth_data: ground_truth.GroundTruthData,
  representation_function: Callable,
  random_state: np.random.RandomState,
  num_points: int = 1000,
  beta: float = 1.0,
  correlations: Mapping[str, Matrix] | None = None,
  rotations: Mapping[str, Matrix] | None = None,
) -> dict[str, Any]:
  """Returns the cost of each family of posteriors for the decoder, at posterior means.

  Args:
    ground_truth_data: Data set to sample from.
    representation_function: `Representation` with a `gaussian_encoder` and a `fisher_gram`.
    random_state: State that every draw comes from.
    num_points: Number of observations.
    beta: Weight of the KL in the objective of the model.
    correlations: Name -> function from num_latent to a noise correlation R: families D R D.
    rotations: Name -> function from num_latent to an orthogonal U: families U D^2 U^T.

  Returns:
    `cost.{family}`, nats, averaged over points: of `independent` and `isotropic` noise and of each
    family that is given (a full covariance costs 0); `own_cost`, the same KL of the encoder's own
    covariances, which is the cost of its family plus the amortization gap; `fisher_trace`, the mean
    trace of G.

  Raises:
    ConfigError: If a setting is out of range, a matrix does not fit, the representation lacks a
      function or a number is not finite.
  """
  checks.check_count("posterior_family_cost.num_points", num_points, 1)
  if not 0 < beta < np.inf:
    raise errors.ConfigError(f"posterior_family_cost.beta must be positive, got {beta}.")
  points = decoder_samples.sample(
    ground_truth_data, representation_function, num_points, random_state, "posterior_family_cost"
  )
  families = families_of(points.z_mean.shape[1], correlations or {}, rotations or {})
  return {
    **costs(points.grams / beta, points.covariance, families),
    "fisher_trace": float(np.mean(np.trace(points.grams, axis1=1, axis2=2))),
  }


def families_of(
  num_latent: int, correlations: Mapping[str, Matrix], rotations: Mapping[str, Matrix]
) -> dict[str, family_cost.Family]:
  """Returns families of covariances by name; arguments as `compute_posterior_family_cost`."""
  families: dict[str, family_cost.Family] = {
    "independent": functools.partial(family_cost.fixed_correlation, correlation=np.eye(num_latent)),
    "isotropic": family_cost.isotropic,
  }
  for name, matrix in correlations.items():
    families[name] = functools.partial(
      family_cost.fixed_correlation, correlation=matrix(num_latent)
    )
  for name, matrix in rotations.items():
    families[name] = functools.partial(family_cost.rotated, rotation=matrix(num_latent))
  return families


def costs(
  grams: np.ndarray, covariance: np.ndarray, families: Mapping[str, family_cost.Family]
) -> dict[str, float]:
  """Returns `cost.{name}` of each family and `own_cost`, nats, averaged over points.

  Args:
    grams: G / beta, `[num_points, num_latent, num_latent]`.
    covariance: The encoder's, of the same shape.
    families: Functions of `family_cost` by name.
  """
  precision = np.eye(grams.shape[1]) + grams  # M
  results = {
    f"cost.{name}": float(np.mean(family(precision).cost)) for name, family in families.items()
  }
  return results | {"own_cost": float(np.mean(family_cost.gaussian_kl(covariance, precision)))}
