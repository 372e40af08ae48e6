"""Unsupervised disentanglement ranking of Duan et al. (2020), arXiv:1905.12614.

A model is good if models that differ from it in their seed alone find the same latents.
"""

from collections.abc import Callable
from collections.abc import Sequence
from typing import Any
from typing import Literal
import warnings

import gin
import numpy as np
from scipy import stats
from sklearn import exceptions
from sklearn import linear_model
from sklearn import preprocessing

from dl_condind.data.ground_truth import ground_truth_data as ground_truth
from dl_condind.evaluation import checks
from dl_condind.utils import errors

LASSO_ALPHA = 0.1  # disentanglement_lib's


@gin.configurable(
  "udr_sklearn", denylist=["ground_truth_data", "representation_functions", "random_state"]
)
def compute_udr_sklearn(
  ground_truth_data: ground_truth.GroundTruthData,
  representation_functions: Sequence[Callable],
  random_state: np.random.RandomState,
  batch_size: int,
  num_data_points: int,
  correlation_matrix: Literal["lasso", "spearman"] = "lasso",
  filter_low_kl: bool = True,
  include_raw_correlations: bool = True,
  kl_filter_threshold: float = 0.01,
) -> dict[str, Any]:
  """Returns the ranking of models on sampled observations. The factors are not used.

  Args:
    ground_truth_data: Data set to sample from.
    representation_functions: One for each model, observations -> (representations
      `[batch, num_latent]`, KL of each latent averaged over them, in nats, `[num_latent]`).
    random_state: State that every draw comes from.
    batch_size: Number of observations of one draw.
    num_data_points: Number of observations, a multiple of batch_size.
    correlation_matrix: How to compare latents, as `ranking`.
    filter_low_kl: As `ranking`.
    include_raw_correlations: Whether the results include `raw_correlations`.
    kl_filter_threshold: As `ranking`.

  Returns:
    The results of `ranking`.

  Raises:
    ConfigError: If a setting is not allowed, a representation is not finite, or as `ranking`.
  """
  checks.check_count("udr_sklearn.batch_size", batch_size, 1)
  checks.check_count("udr_sklearn.num_data_points", num_data_points, 2)
  if num_data_points % batch_size:
    raise errors.ConfigError(
      f"udr_sklearn.num_data_points must be a multiple of batch_size, got {num_data_points} and "
      f"{batch_size}."
    )
  outputs: list[list[tuple[np.ndarray, np.ndarray]]] = [[] for _ in representation_functions]
  for _ in range(num_data_points // batch_size):
    observations = ground_truth_data.sample_observations(batch_size, random_state)
    for output, represent in zip(outputs, representation_functions, strict=True):
      output.append(represent(observations))
  results = ranking(
    [np.concatenate([batch for batch, _ in output]) for output in outputs],
    [np.mean([kl for _, kl in output], axis=0) for output in outputs],
    correlation_matrix,
    filter_low_kl,
    kl_filter_threshold,
  )
  if not include_raw_correlations:
    del results["raw_correlations"]
  return results


def ranking(
  representations: Sequence[np.ndarray],
  kl: Sequence[np.ndarray],
  correlation_matrix: Literal["lasso", "spearman"] = "lasso",
  filter_low_kl: bool = True,
  kl_filter_threshold: float = 0.01,
) -> dict[str, Any]:
  """Returns how well each model agrees with the others.

  Differs from disentanglement_lib where that is NaN or fails: a latent without relation to any
  other, and a model without informative latents, count as 0. The threshold also decides which
  latents are set to 0 before models are compared, for which disentanglement_lib takes 0.01 always.

  Args:
    representations: Of the same observations by each model, `[num_points, num_latent]`.
    kl: Mean KL of each latent from the prior, in nats, `[num_latent]` of each model.
    correlation_matrix: "lasso", the weights of a sparse linear regression of one model's latents
      from another's, or "spearman", rank correlations.
    filter_low_kl: Whether uninformative latents are left out, rather than counted as 0.
    kl_filter_threshold: KL above which a latent is informative, in nats.

  Returns:
    `model_scores`: of each model, the median of its agreement with the others, in [0, 1] up to the
    size of regression weights; `pairwise_disentanglement_scores`: `[num_models][num_models][1]`, 0
    on its diagonal; `raw_correlations`: `[num_models][num_models][num_latent][num_latent]`.

  Raises:
    ConfigError: If there are fewer than two models, they have different numbers of latents, a
      number is not finite, or correlation_matrix is unknown.
    ValueError: If the arrays do not fit together.
  """
  measures = {"lasso": lasso_correlation, "spearman": spearman_correlation}
  if correlation_matrix not in measures:
    raise errors.ConfigError(
      f'udr_sklearn.correlation_matrix must be "lasso" or "spearman", got {correlation_matrix!r}.'
    )
  _check_models(representations, kl)
  informative = [np.asarray(values) > kl_filter_threshold for values in kl]
  scaled = [
    preprocessing.StandardScaler().fit_transform(np.asarray(values, dtype=np.float64)) * kept
    for values, kept in zip(representations, informative, strict=True)
  ]
  num_models, num_latent = len(scaled), scaled[0].shape[1]
  raw = np.zeros((num_models, num_models, num_latent, num_latent))
  scores = np.zeros((num_models, num_models))
  for i, j in np.argwhere(~np.eye(num_models, dtype=bool)):
    matrix = measures[correlation_matrix](scaled[i], scaled[j])
    raw[i, j] = matrix
    if filter_low_kl:
      matrix = matrix[np.ix_(informative[i], informative[j])]
    scores[i, j] = relative_strength(matrix)
  return {
    "raw_correlations": raw.tolist(),
    "pairwise_disentanglement_scores": scores[:, :, None].tolist(),
    "model_scores": [float(np.median(np.delete(scores[:, i], i))) for i in range(num_models)],
  }


def _check_models(representations: Sequence[np.ndarray], kl: Sequence[np.ndarray]) -> None:
  if len(representations) < 2:
    raise errors.ConfigError(f"udr compares models, got {len(representations)}: name at least two.")
  shapes = [np.shape(values) for values in representations]
  if len({shape[1:] for shape in shapes}) > 1:
    raise errors.ConfigError(
      "udr compares models with the same number of latents, got "
      f"{', '.join(str(shape[-1]) for shape in shapes)}."
    )
  kl_shapes = [np.shape(values) for values in kl]
  fits = len(set(shapes)) == 1 and len(shapes[0]) == 2 and kl_shapes == [s[1:] for s in shapes]
  if not fits or 0 in shapes[0]:
    raise ValueError(
      f"representations must be [num_points, num_latent] and kl [num_latent] of each model, got "
      f"{shapes} and {kl_shapes}."
    )
  for number, (values, nats) in enumerate(zip(representations, kl, strict=True)):
    checks.check_finite(f"The representation of model {number}", np.asarray(values))
    checks.check_finite(f"The KL of model {number}", np.asarray(nats))
    checks.check_powers(
      f"The representation of model {number}", np.asarray(values, dtype=np.float64), power=2
    )


def lasso_correlation(one: np.ndarray, other: np.ndarray) -> np.ndarray:
  """Returns absolute weights of a Lasso that predicts other's latents from one's.

  Args:
    one: Standardized, `[num_points, num_latent]`.
    other: Standardized, `[num_points, num_latent]`.

  Returns:
    `[latent of one, latent of other]`.
  """
  with warnings.catch_warnings():
    warnings.simplefilter("ignore", exceptions.ConvergenceWarning)  # part of the metric
    model = linear_model.Lasso(alpha=LASSO_ALPHA).fit(one, other)
  return np.abs(model.coef_.reshape(other.shape[1], one.shape[1])).T


def spearman_correlation(one: np.ndarray, other: np.ndarray) -> np.ndarray:
  """Returns absolute rank correlations, 0 with a constant latent; arguments as above."""
  ranks = [stats.rankdata(values, axis=0) for values in (one, other)]
  centred = [values - values.mean(axis=0) for values in ranks]
  norms = [np.sqrt(np.sum(values**2, axis=0)) for values in centred]
  products = np.outer(*norms)
  covariance = np.abs(centred[0].T @ centred[1])
  return np.divide(covariance, products, out=np.zeros_like(covariance), where=products > 0)


def relative_strength(matrix: np.ndarray) -> float:
  """Returns how far each latent of either model belongs to one of the other, weighted by strength.

  The paper's UDR_ij as disentanglement_lib computes it: the mean over latents of `max**2 / sum` of
  their correlations, for rows and for columns, and the mean of both. (The paper has one mean over
  the latents of both models, which is the same if they have equally many.)

  Args:
    matrix: Not negative, `[latent of one, latent of other]`. May be empty, which has strength 0.
  """
  if matrix.size == 0:
    return 0.0
  means = []
  for axis in (0, 1):
    total = matrix.sum(axis=axis)
    squares = matrix.max(axis=axis) ** 2
    means.append(np.mean(np.divide(squares, total, out=np.zeros_like(total), where=total > 0)))
  return float(np.mean(means))
