"""Every disentanglement score of every matrix that relates latents with factors.

DCI, MIG, SAP and modularity each compute such a matrix and summarize it. Here each summary is taken
of each matrix.
"""

from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

from absl import logging
import gin
import numpy as np

from dl_condind.evaluation import checks
from dl_condind.evaluation import gin_settings
from dl_condind.evaluation import metric
from dl_condind.evaluation.information import discrete_information
from dl_condind.evaluation.information import discretization
from dl_condind.evaluation.metrics import matrix_scores
from dl_condind.evaluation.metrics import reduced_downstream_task
from dl_condind.evaluation.metrics import sap_score
from dl_condind.evaluation.probes import predictors
from dl_condind.utils import errors

_SPLITS = ["x_train", "y_train", "x_test", "y_test", "seed"]


@metric.metric("unified_scores", draw=metric.splits)
def compute_unified_scores(
  x_train: np.ndarray,
  y_train: np.ndarray,
  x_test: np.ndarray,
  y_test: np.ndarray,
  seed: int,
  matrix_fns: Sequence[Callable] | None = None,
) -> dict[str, Any]:
  """Returns the results of `unified_scores` on sampled points, with gin's `discretizer`.

  Works on any data set with factors; disentanglement_lib's fails on those it has no names for. None
  stands for `importance_gbt_matrix`, `mutual_information_matrix` and `accuracy_svm_matrix`.
  """
  if matrix_fns is None:
    matrix_fns = [importance_gbt_matrix, mutual_information_matrix, accuracy_svm_matrix]
  discretize = gin_settings.discretize
  return unified_scores(x_train, y_train, x_test, y_test, matrix_fns, seed, discretize)


def unified_scores(
  x_train: np.ndarray,
  y_train: np.ndarray,
  x_test: np.ndarray,
  y_test: np.ndarray,
  matrix_fns: Sequence[Callable],
  seed: int = 0,
  discretize: Callable[[np.ndarray], np.ndarray] = discretization.histogram_of_20_bins,
) -> dict[str, Any]:
  """Returns the scores of several matrices, with the name of its function before each.

  A factor that has one value in the train points is left out (disentanglement_lib returns NaN or
  fails). A continuous factor is cut in bins for its entropy and, by gin's `discretizer`, for
  `mutual_information_matrix`, as `mig` does; the other matrices treat it as `dci` and `sap_score`.

  Args:
    x_train: Representations to fit, `[num_train, num_latent]`, at least two latents.
    y_train: Their factors, `[num_train, num_factors]`.
    x_test: Representations to test on, `[num_test, num_latent]`.
    y_test: Their factors, `[num_test, num_factors]`.
    matrix_fns: Functions of the signature of `importance_gbt_matrix`.
    seed: Seed of the classifiers.
    discretize: Cuts columns in bins: continuous factors for their entropy.

  Returns:
    `{name}.{key}` of each matrix and each key of `matrix_scores.matrix_scores`; `constant_factors`,
    the indices of the factors left out.

  Raises:
    ConfigError: If there are fewer than two latents, no factor varies, or as the matrix functions.
    ValueError: If the arrays do not fit together.
  """
  x_train, y_train = _check_points(x_train, y_train, "train")
  x_test, y_test = _check_points(x_test, y_test, "test")
  columns = [array.shape[1] for array in (x_train, y_train, x_test, y_test)]
  if columns[:2] != columns[2:]:
    raise ValueError(f"train and test points must have the same columns, got {columns}.")
  if x_train.shape[1] < 2:
    raise errors.ConfigError(
      f"unified_scores compares the two best latents of each factor, the representation has "
      f"{x_train.shape[1]}: set encoder.num_latent to at least 2."
    )
  varies = checks.varying_factors(y_train, "unified_scores")
  constant = np.setdiff1d(np.arange(y_train.shape[1]), varies)
  y_train, y_test = y_train[:, varies], y_test[:, varies]
  entropy = discrete_information.discrete_entropy(
    discretization.discretize_continuous(y_train, discretize)
  )
  results: dict[str, float] = {}
  for number, matrix_fn in enumerate(matrix_fns, start=1):
    logging.info("Matrix %d of %d: %s", number, len(matrix_fns), matrix_fn.__name__)
    matrix = matrix_fn(x_train, y_train, x_test, y_test, seed=seed)
    scores = matrix_scores.matrix_scores(matrix, entropy, varies)
    results |= {f"{matrix_fn.__name__}.{key}": value for key, value in scores.items()}
  return {**results, "constant_factors": constant.tolist()}


def _check_points(
  representations: np.ndarray, factors: np.ndarray, name: str
) -> tuple[np.ndarray, np.ndarray]:
  """Checks shapes. Keeps the type of representations, on which the edges of bins depend."""
  representations, factors = np.asarray(representations), np.asarray(factors)
  checks.check_arrays(representations, factors, f"{name} ")
  checks.check_finite(f"The {name} representation", representations)
  checks.check_finite(f"The array of {name} factors", factors)
  return representations, factors


@gin.register("importance_gbt_matrix", denylist=_SPLITS)
def importance_gbt_matrix(
  x_train: np.ndarray,
  y_train: np.ndarray,
  x_test: np.ndarray,
  y_test: np.ndarray,
  seed: int = 0,
  predictor_fn: Callable[[], Any] = predictors.gradient_boosting_classifier,
) -> np.ndarray:
  """Returns the importance of each latent for boosted trees that predict each factor, as `dci`.

  Args:
    x_train: Representations to fit, `[num_train, num_latent]`.
    y_train: Their factors, `[num_train, num_factors]`.
    x_test: Representations to test on, `[num_test, num_latent]`.
    y_test: Their factors, `[num_test, num_factors]`.
    seed: Seed of the classifiers.
    predictor_fn: Makes the classifiers.

  Returns:
    `[num_latent, num_factors]`.
  """
  splits = checks.check_splits(x_train, y_train, x_test, y_test, allow_continuous=True)
  return reduced_downstream_task.factorwise_dci(*splits, seed=seed, predictor_fn=predictor_fn)


@gin.register("mutual_information_matrix", denylist=[*_SPLITS, "discretize"])
def mutual_information_matrix(
  x_train: np.ndarray,
  y_train: np.ndarray,
  x_test: np.ndarray,
  y_test: np.ndarray,
  seed: int = 0,
  discretize: Callable[[np.ndarray], np.ndarray] = gin_settings.discretize,
) -> np.ndarray:
  """Returns the mutual information of each discretized latent and factor.

  Args:
    x_train: Representations, `[num_train, num_latent]`.
    y_train: Their factors, `[num_train, num_factors]`.
    x_test: Not used.
    y_test: Not used.
    seed: Not used.
    discretize: Cuts columns in bins.

  Returns:
    In nats, `[num_latent, num_factors]`.
  """
  del x_test, y_test, seed
  return discrete_information.discrete_mutual_info(
    discretize(x_train), discretization.discretize_continuous(y_train, discretize)
  )


@gin.register("nearest_neighbor_matrix", denylist=[*_SPLITS, "information_fn"])
def nearest_neighbor_matrix(
  x_train: np.ndarray,
  y_train: np.ndarray,
  x_test: np.ndarray,
  y_test: np.ndarray,
  seed: int = 0,
  information_fn: Callable[..., np.ndarray] = gin_settings.neighbor_information,
) -> np.ndarray:
  """Returns the mutual information of each latent and factor without bins, as `mig` can.

  Args:
    x_train: Representations, `[num_train, num_latent]`.
    y_train: Their factors, `[num_train, num_factors]`.
    x_test: Not used.
    y_test: Not used.
    seed: Seed of the estimator.
    information_fn: Function (representations, factors, seed) -> mutual information.

  Returns:
    In nats, `[num_latent, num_factors]`.
  """
  del x_test, y_test
  return information_fn(x_train, y_train, seed)


@gin.register("accuracy_svm_matrix", denylist=_SPLITS)
def accuracy_svm_matrix(
  x_train: np.ndarray,
  y_train: np.ndarray,
  x_test: np.ndarray,
  y_test: np.ndarray,
  seed: int = 0,
) -> np.ndarray:
  """Returns the accuracy of a linear classifier from each latent alone to each factor, as SAP.

  For a continuous factor it is the squared correlation, as there.

  Args:
    x_train: Representations to fit, `[num_train, num_latent]`.
    y_train: Their factors, `[num_train, num_factors]`.
    x_test: Representations to test on, `[num_test, num_latent]`.
    y_test: Their factors, `[num_test, num_factors]`.
    seed: Seed of the classifiers.

  Returns:
    In [0, 1], `[num_latent, num_factors]`.
  """
  splits = checks.check_splits(x_train, y_train, x_test, y_test, allow_continuous=True)
  return sap_score.latent_scores(*splits, seed=seed)
