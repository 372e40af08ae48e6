"""InfoM, InfoC and InfoE (InfoMEC) of Hsu et al. (2023), arXiv:2305.18378.

Modularity and compactness are ratios within the matrix of normalized mutual information of latents
and factors, explicitness is the information that a linear model can use.
"""

import functools
from typing import Any
import warnings

import numpy as np
from sklearn import exceptions
from sklearn import linear_model
from sklearn import metrics
from sklearn import preprocessing
import threadpoolctl

from dl_condind.evaluation import checks
from dl_condind.evaluation import metric
from dl_condind.evaluation.information import discrete_information
from dl_condind.evaluation.information import discretization
from dl_condind.evaluation.information import nearest_neighbors
from dl_condind.utils import errors

ESTIMATORS = ("nearest_neighbors", "histogram", "discrete")


@metric.metric("info_mec", draw=metric.points)
def compute_info_mec(
  representations: np.ndarray,
  factors: np.ndarray,
  seed: int,
  estimator: str = "nearest_neighbors",
  min_relative_range: float = 0.05,
  num_neighbors: int = 10,
  num_bins: int = 20,
) -> dict[str, Any]:
  """Returns the results of `info_mec_scores` on sampled points."""
  return info_mec_scores(
    representations, factors, estimator, min_relative_range, seed, num_neighbors, num_bins
  )


def info_mec_scores(
  representations: np.ndarray,
  factors: np.ndarray,
  estimator: str = "nearest_neighbors",
  min_relative_range: float = 0.05,
  seed: int = 0,
  num_neighbors: int = 10,
  num_bins: int = 20,
) -> dict[str, Any]:
  """Returns InfoM, InfoC and InfoE of representations.

  Implements InfoMEC of Hsu et al. (2023), arXiv:2305.18378, as their code does. A factor with one
  value is left out everywhere.

  A factor with a value that is not a whole number is continuous. Its entropy, by which information
  is divided, is that of its values in num_bins bins of equal width, and so is its information where
  the estimator counts values; InfoE is R2 of a linear regression. The nearest neighbors of a latent
  that tells apart values of one bin inform about more than that entropy: entries of the matrix may
  exceed 1, which the ratios InfoM and InfoC allow.

  Where implementations differ: the information of a latent and a factor is divided by the factor's
  entropy, as in the paper; other normalizers weight factors differently. The authors' two files
  prune latents whose range is at most 1/20 or 1/8 of the largest, Tripod (Hsu et al., 2024,
  arXiv:2404.10282) those whose interquartile range is at most a tenth of the largest. Here a latent
  without information counts as 0, where the authors divide 0 by 0, and copies of a point are no
  neighbors of each other (see `nearest_neighbors.mutual_information`). For InfoE see
  `linear_information`.

  Ratios of information that is nearly 0 are arbitrary: of active latents of pure noise `info_m` is
  far from 0. Read it beside `info_e`.

  Args:
    representations: `[num_points, num_latent]`.
    factors: Their factors, `[num_points, num_factors]`.
    estimator: How mutual information is estimated. "nearest_neighbors": from the nearest neighbors
      in one latent (Ross, 2014), the paper's for continuous latents. "histogram": each latent cut
      in bins of equal width, biased upwards. "discrete": each distinct value of a latent is a
      symbol, also for InfoE.
    min_relative_range: A latent is active if it varies over more than this part of the largest
      range of a latent, in [0, 1). The authors take 0 for discrete latents.
    seed: Seed of the noise that breaks ties between neighbors.
    num_neighbors: Of "nearest_neighbors"; 10 in the authors' code.
    num_bins: Of "histogram", 20 in the authors' code, and of continuous factors.

  Returns:
    `info_m`, with `.code_{j}` of each active latent, None if only one factor varies; `info_c`, with
    `.factor_{i}`, None if only one latent is active; `info_e`, with `.factor_{i}`; all in [0, 1].
    `info_m` and `info_c` are 0 if no latent is active. `active_latents` and `constant_factors`:
    indices; `factor_entropy`: in nats, `[num_factors]`; `normalized_mutual_information_matrix`:
    `[num_latent][num_factors]`, in units of the factor's entropy, 0 for constant factors. Of
    "nearest_neighbors" also `num_distinct_points`.

  Raises:
    ConfigError: If a setting is not allowed, no factor varies, a representation is not finite, or
      the points are too few for nearest neighbors.
    ValueError: If the arrays do not fit together.
  """
  checks.check_choice("info_mec.estimator", estimator, ESTIMATORS)
  checks.check_count("info_mec.num_neighbors", num_neighbors, 1)
  checks.check_count("info_mec.num_bins", num_bins, 1)
  if not 0 <= min_relative_range < 1:
    raise errors.ConfigError(
      f"info_mec.min_relative_range must be in [0, 1), got {min_relative_range!r}."
    )
  x, y = checks.check_points(representations, factors, "train", allow_continuous=True)
  varies = checks.varying_factors(y, "info_mec")
  active = active_latents(x, min_relative_range)
  discretize = functools.partial(discretization.histogram_discretizer, num_bins=num_bins)
  in_bins = discretization.discretize_continuous(y, discretize)
  entropy = discrete_information.discrete_entropy(in_bins)
  matrix = np.zeros((x.shape[1], y.shape[1]))
  counted = y if estimator == "nearest_neighbors" else in_bins
  information = mutual_information(x, counted[:, varies], estimator, seed, num_neighbors, num_bins)
  matrix[:, varies] = information / entropy[varies]

  results: dict[str, float | None] = {"info_m": None, "info_c": None}
  active_matrix = matrix[np.ix_(active, varies)]
  if len(varies) > 1:
    per_code = largest_shares(active_matrix)
    results["info_m"] = float(np.mean(per_code)) if active.size else 0.0
    results |= metric.numbered("info_m.code", active, per_code)
  if len(active) != 1:
    per_factor = largest_shares(active_matrix.T) if active.size else np.zeros(len(varies))
    results["info_c"] = float(np.mean(per_factor))
    results |= metric.numbered("info_c.factor", varies, per_factor)
  if estimator == "nearest_neighbors":
    results["num_distinct_points"] = nearest_neighbors.count_distinct(x, y)
  features = _features(x, estimator)
  explicitness = [linear_information(features, y[:, i]) for i in varies]
  return {
    **results,
    "info_e": float(np.mean(explicitness)),
    **metric.numbered("info_e.factor", varies, explicitness),
    "active_latents": active.tolist(),
    "constant_factors": np.setdiff1d(np.arange(y.shape[1]), varies).tolist(),
    "factor_entropy": entropy.tolist(),
    "normalized_mutual_information_matrix": matrix.tolist(),
  }


def active_latents(representations: np.ndarray, min_relative_range: float) -> np.ndarray:
  """Returns the indices of the latents that vary over more than a part of the largest range.

  Args:
    representations: `[num_points, num_latent]`.
    min_relative_range: That part, in [0, 1).
  """
  ranges = np.ptp(representations, axis=0)
  return np.flatnonzero(ranges > min_relative_range * ranges.max())


def mutual_information(
  representations: np.ndarray,
  factors: np.ndarray,
  estimator: str,
  seed: int,
  num_neighbors: int,
  num_bins: int,
) -> np.ndarray:
  """Returns the mutual information of each latent with each factor, in nats.

  Args:
    representations: `[num_points, num_latent]`.
    factors: `[num_points, num_factors]`; discrete unless the estimator is "nearest_neighbors".
    estimator: One of `ESTIMATORS`, as `info_mec_scores`.
    seed: Seed of the noise that breaks ties between neighbors.
    num_neighbors: Of "nearest_neighbors".
    num_bins: Of "histogram".

  Returns:
    `[num_latent, num_factors]`, at least 0 and at most the entropy of a discrete factor.

  Raises:
    ConfigError: If the points are too few for nearest neighbors.
  """
  if estimator == "histogram":
    codes = discretization.histogram_discretizer(representations, num_bins)
    return discrete_information.discrete_mutual_info(codes, factors)
  if estimator == "discrete":
    return discrete_information.discrete_mutual_info(representations, factors)
  return nearest_neighbors.mutual_information(representations, factors, seed, num_neighbors)


def largest_shares(information: np.ndarray) -> np.ndarray:
  """Returns how far each row's largest entry outweighs the others, `[num_rows]`, in [0, 1].

  It is `(largest / sum - 1 / num_columns) / (1 - 1 / num_columns)`: 1 if the others are 0, 0 if all
  are equal, also if all are 0.

  Args:
    information: Not negative, `[num_rows, num_columns]`, with at least two columns.
  """
  chance = 1.0 / information.shape[1]
  total = information.sum(axis=1)
  share = np.full(len(information), chance)
  np.divide(information.max(axis=1), total, out=share, where=total > 0)
  return np.clip((share - chance) / (1.0 - chance), 0.0, 1.0)  # Rounding can leave -1e-16.


def linear_information(features: np.ndarray, factor: np.ndarray) -> float:
  """Returns the part of a factor's entropy that a linear model explains, in [0, 1].

  For a continuous factor it is R2 of a linear regression, not below 0: what the same ratio is for
  V of normal distributions with a linear mean and one variance, the entropies being the mean
  squared errors with and without the features.

  It is predictive V-information (Xu et al., 2020, arXiv:2002.10689) divided by that of perfect
  prediction: `1 - H_V(factor | features) / H_V(factor)`, V being logistic regressions without
  regularization. H_V(factor), the cross-entropy of the best classifier that sees nothing, is the
  empirical entropy of the factor. Classifiers are fitted and evaluated on the same points, as in
  the authors' code: with few points it is too high. That code weights the values of a factor
  inversely to their frequency, which changes the result if they are not equally frequent.

  scikit-learn stops after 100 iterations, converged or not, as there: a factor of more than a
  hundred values on one latent is not explained completely.

  Args:
    features: `[num_points, num_features]`, standardized.
    factor: A factor of at least two values, `[num_points]`.
  """
  if checks.is_continuous(factor[:, None])[0]:
    explained = linear_model.LinearRegression().fit(features, factor).score(features, factor)
    return float(np.clip(explained, 0.0, 1.0))
  # With several threads, sums would depend on their number.
  with warnings.catch_warnings(), threadpoolctl.threadpool_limits(1, user_api="blas"):
    warnings.simplefilter("ignore", exceptions.ConvergenceWarning)
    model = linear_model.LogisticRegression(C=np.inf, max_iter=100).fit(features, factor)
    conditional = metrics.log_loss(factor, model.predict_proba(features), labels=model.classes_)
  entropy = discrete_information.discrete_entropy(factor[:, None])[0]
  return float(np.clip(1.0 - conditional / entropy, 0.0, 1.0))


def _features(representations: np.ndarray, estimator: str) -> np.ndarray:
  """Returns what the linear classifier sees, `[num_points, num_features]`."""
  if estimator == "discrete":
    return preprocessing.OneHotEncoder().fit_transform(representations)
  return preprocessing.StandardScaler().fit_transform(representations)
