"""Disentanglement scores of a fixed set of labelled observations, without a data set to draw from.

Differs from disentanglement_lib: labels have one row per observation, and the classifiers have a
seed.
"""

from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import gin
import numpy as np

from dl_condind.data import labelled_samples
from dl_condind.data.ground_truth import labelled_images
from dl_condind.evaluation import checks
from dl_condind.evaluation import codes
from dl_condind.evaluation import gin_settings
from dl_condind.evaluation import metric
from dl_condind.evaluation import representation
from dl_condind.evaluation.information import discretization
from dl_condind.evaluation.metrics import dci
from dl_condind.evaluation.metrics import mig
from dl_condind.evaluation.metrics import sap_score
from dl_condind.evaluation.metrics import unified_scores
from dl_condind.evaluation.probes import predictors
from dl_condind.utils import errors

_DATA = ["observations", "labels", "representation_function"]


@metric.metric("fixed_data")
def compute_on_fixed_data(
  ground_truth_data: labelled_images.LabelledImages,
  representation_function: Callable,
  random_state: np.random.RandomState,
  validation_fn: Callable[[np.ndarray, np.ndarray, Callable], dict[str, Any]] = gin.REQUIRED,
) -> dict[str, Any]:
  """Returns a score of all images of the user's own data, each once, for `dl_condind_evaluate`.

  Args:
    ground_truth_data: The data set `arrays` or `image_folder`, with factors.
    representation_function: Observations -> representations.
    random_state: State that the order of the images comes from, in which the first are fitted on.
    validation_fn: One of the functions below. Its batch_size has no effect, as all images are
      encoded before; the seed of its classifiers is its own.

  Returns:
    The results of validation_fn.

  Raises:
    ConfigError: If the data set is no list of images with factors, or as validation_fn.
  """
  if not isinstance(ground_truth_data, labelled_images.LabelledImages):
    raise errors.ConfigError(
      f"fixed_data scores all images of `arrays` or `image_folder`, got {ground_truth_data.name}: "
      "choose the metric of the same name without _validation, which draws from a data set."
    )
  checks.check_has_factors(ground_truth_data)
  rows = random_state.permutation(ground_truth_data.num_rows)
  known = representation.codes_of(representation_function, ground_truth_data)
  return validation_fn(known.of_rows(rows), ground_truth_data.factors[rows], np.asarray)


@gin.configurable("mig_validation", denylist=_DATA)
def compute_mig_on_fixed_data(
  observations: np.ndarray,
  labels: np.ndarray,
  representation_function: Callable,
  batch_size: int = 100,
) -> dict[str, Any]:
  """Returns the mutual information gap, with gin's `discretizer`.

  Args:
    observations: `[num_points, ...]`.
    labels: Their factors, `[num_points, num_factors]`.
    representation_function: Observations -> representations.
    batch_size: Number of observations encoded together.

  Returns:
    The results of `mig.gap_of_codes`.

  Raises:
    ValueError: If there is not a label for each observation.
  """
  representations, labels = _encode(observations, labels, representation_function, batch_size)
  return mig.gap_of_codes(
    gin_settings.discretize(representations),
    discretization.discretize_continuous(labels, gin_settings.discretize),
  )


@gin.configurable("dci_validation", denylist=_DATA)
def compute_dci_on_fixed_data(
  observations: np.ndarray,
  labels: np.ndarray,
  representation_function: Callable,
  train_percentage: float = gin.REQUIRED,
  batch_size: int = 100,
  predictor_fn: Callable[[], Any] = predictors.gradient_boosting_classifier,
  seed: int = 0,
  regressor_fn: Callable[[], Any] | None = None,
) -> dict[str, Any]:
  """Returns disentanglement, completeness and informativeness.

  Args:
    observations: `[num_points, ...]`.
    labels: Their factors, `[num_points, num_factors]`.
    representation_function: Observations -> representations.
    train_percentage: Fraction of the points to fit, the first ones, in (0, 1).
    batch_size: Number of observations encoded together.
    predictor_fn: Makes the classifiers.
    seed: Seed of the classifiers.
    regressor_fn: Makes the regressors of continuous factors; see `predictors.make_regressor`.

  Returns:
    The results of `dci.dci_scores`.

  Raises:
    ConfigError: If a split would have no point, or as `dci.dci_scores`.
    ValueError: If there is not a label for each observation.
  """
  points = _encode(observations, labels, representation_function, batch_size)
  splits = _split(*points, train_percentage=train_percentage, metric="dci_validation")
  return dci.dci_scores(*splits, predictor_fn, seed, regressor_fn)


@gin.configurable("sap_score_validation", denylist=_DATA)
def compute_sap_on_fixed_data(
  observations: np.ndarray,
  labels: np.ndarray,
  representation_function: Callable,
  train_percentage: float = gin.REQUIRED,
  continuous_factors: bool = gin.REQUIRED,
  batch_size: int = 100,
  seed: int = 0,
) -> dict[str, Any]:
  """Returns the SAP score.

  Args:
    observations: `[num_points, ...]`.
    labels: Their factors, `[num_points, num_factors]`.
    representation_function: Observations -> representations.
    train_percentage: Fraction of the points to fit, the first ones, in (0, 1).
    continuous_factors: Whether the factors are continuous; then only the first points count.
    batch_size: Number of observations encoded together.
    seed: Seed of the classifiers.

  Returns:
    The results of `sap_score.sap_scores`.

  Raises:
    ConfigError: If a split would have no point, or as `sap_score.sap_scores`.
    ValueError: If there is not a label for each observation.
  """
  points = _encode(observations, labels, representation_function, batch_size)
  splits = _split(*points, train_percentage=train_percentage, metric="sap_score_validation")
  return sap_score.sap_scores(*splits, continuous_factors=continuous_factors, seed=seed)


@gin.configurable("unified_score_validation", denylist=_DATA)
def compute_unified_score_on_fixed_data(
  observations: np.ndarray,
  labels: np.ndarray,
  representation_function: Callable,
  train_percentage: float = gin.REQUIRED,
  matrix_fns: Sequence[Callable] = gin.REQUIRED,
  batch_size: int = 100,
  seed: int = 0,
) -> dict[str, Any]:
  """Returns the scores of several matrices.

  Args:
    observations: `[num_points, ...]`.
    labels: Their factors, `[num_points, num_factors]`.
    representation_function: Observations -> representations.
    train_percentage: Fraction of the points to fit, the first ones, in (0, 1).
    matrix_fns: Functions of the signature of `unified_scores.importance_gbt_matrix`.
    batch_size: Number of observations encoded together.
    seed: Seed of the classifiers.

  Returns:
    The results of `unified_scores.unified_scores`.

  Raises:
    ConfigError: If a split would have no point, or as `unified_scores.unified_scores`.
    ValueError: If there is not a label for each observation.
  """
  points = _encode(observations, labels, representation_function, batch_size)
  splits = _split(*points, train_percentage=train_percentage, metric="unified_score_validation")
  return unified_scores.unified_scores(
    *splits, matrix_fns=matrix_fns, seed=seed, discretize=gin_settings.discretize
  )


def _encode(
  observations: np.ndarray, labels: np.ndarray, representation_function: Callable, batch_size: int
) -> tuple[np.ndarray, np.ndarray]:
  """Returns the representations of observations, and labels."""
  labels = np.asarray(labels)
  if labels.ndim != 2 or len(labels) != len(observations) or labels.size == 0:
    raise ValueError(
      f"labels must be [num_points, num_factors] with a row for each of the {len(observations)} "
      f"observations, got shape {labels.shape}."
    )
  checks.check_count("batch_size", batch_size, 1)
  representations = [
    codes.encode(representation_function, observations[start : start + batch_size])
    for start in range(0, len(observations), batch_size)
  ]
  return np.concatenate(representations), labels


def _split(
  representations: np.ndarray, labels: np.ndarray, train_percentage: float, metric: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
  """Returns the representations and labels of the first points, then those of the others."""
  name = f"{metric}.train_percentage"
  train, test = labelled_samples.split(train_percentage, name, representations, labels)
  return *train, *test
