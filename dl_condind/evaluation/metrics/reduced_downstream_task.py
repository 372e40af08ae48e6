"""How well factors are predicted once the latents that say most about one of them are removed."""

from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import gin
import numpy as np

from dl_condind.data.ground_truth import ground_truth_data as ground_truth
from dl_condind.evaluation import checks
from dl_condind.evaluation import gin_settings
from dl_condind.evaluation import metric
from dl_condind.evaluation import representation
from dl_condind.evaluation.probes import predictors
from dl_condind.utils import errors


@metric.metric("reduced_downstream_task")
def compute_reduced_downstream_task(
  ground_truth_data: ground_truth.GroundTruthData,
  representation_function: Callable,
  random_state: np.random.RandomState,
  seed: int,
  num_factors_to_remove: int = 1,
  num_train: Sequence[int] = (10_000,),
  num_test: int = 5_000,
  batch_size: int = 16,
) -> dict[str, Any]:
  """Returns the accuracy of gin's `predictor` on reduced representations.

  Differs from disentanglement_lib in that the classifiers have a seed, which random_state
  determines.

  Args:
    ground_truth_data: Data set to sample from.
    representation_function: Observations -> representations.
    random_state: State that every draw comes from.
    seed: Seed of the classifiers.
    num_factors_to_remove: Number of latents (not factors) to remove.
    num_train: Numbers of points to fit. Each has points of its own.
    num_test: Number of points to test on, drawn anew for each.
    batch_size: Number of points of one draw.

  Returns:
    The results of `reduced_accuracies` of each number of train points, as `{num_train}:{key}`.
  """
  checks.check_is_list("reduced_downstream_task.num_train", num_train)
  results: dict[str, Any] = {}
  for size in num_train:
    splits = representation.generate_splits(
      ground_truth_data, representation_function, size, num_test, random_state, batch_size
    )
    found = reduced_accuracies(
      *splits,
      num_factors_to_remove,
      predictor_fn=gin_settings.predictor_fns()[0],
      remove_fn=most_important_latent,
      seed=seed,
    )
    results |= {f"{size}:{key}": value for key, value in found.items()}
  return results


def reduced_accuracies(
  x_train: np.ndarray,
  y_train: np.ndarray,
  x_test: np.ndarray,
  y_test: np.ndarray,
  num_to_remove: int,
  predictor_fn: Callable[[], Any],
  remove_fn: Callable,
  seed: int = 0,
) -> dict[str, Any]:
  """Returns accuracies after the latents most important for one factor were removed.

  In a disentangled representation the factor whose latents were removed is lost and the others are
  not. A factor that has one value in the train points is left out (disentanglement_lib fails).

  Args:
    x_train: Representations to fit, `[num_train, num_latent]`.
    y_train: Their factors, whole numbers, `[num_train, num_factors]`.
    x_test: Representations to test on, `[num_test, num_latent]`.
    y_test: Their factors, `[num_test, num_factors]`.
    num_to_remove: Number of latents to remove, in [0, num_latent). Importances are computed anew
      after each.
    predictor_fn: Makes the classifiers.
    remove_fn: Function of the signature of `most_important_latent`.
    seed: Seed of the classifiers.

  Returns:
    For each removed factor i and split `train` or `test`, with the prefix `reduced_factor_{i}:`,
    `mean_{split}_accuracy_reduced_factor`, `mean_{split}_accuracy_non_reduced_factor` (the mean of
    the others) and `mean_{split}_accuracy_factor_{k}` of each factor; the means over i as
    `mean_{split}_accuracy_reduced_factor` and `mean_{split}_accuracy_other_factors`; all in
    [0, 1]; `constant_factors`: indices of the factors left out.

  Raises:
    ConfigError: If fewer than two factors vary, one is continuous, there are not enough latents, a
      representation is not finite, or there are fewer than 5 train points.
    ValueError: If the arrays do not fit together.
  """
  x_train, y_train, x_test, y_test = checks.check_splits(x_train, y_train, x_test, y_test)
  num_latent = x_train.shape[1]
  checks.check_count("reduced_downstream_task.num_factors_to_remove", num_to_remove, 0)
  if num_to_remove >= num_latent:
    raise errors.ConfigError(
      f"reduced_downstream_task.num_factors_to_remove must be less than the {num_latent} latents "
      f"of the representation, got {num_to_remove}."
    )
  varies = checks.varying_factors(y_train, "reduced_downstream_task")
  if len(varies) < 2:
    raise errors.ConfigError(
      "reduced_downstream_task compares a factor with the others, and only factor "
      f"{varies[0]} of {y_train.shape[1]} varies in the {len(y_train)} train points; raise "
      "reduced_downstream_task.num_train."
    )
  constant = np.setdiff1d(np.arange(y_train.shape[1]), varies).tolist()
  y_train, y_test = y_train[:, varies], y_test[:, varies]
  train = np.zeros((len(varies), len(varies)))  # [removed factor, predicted factor]
  test = np.zeros_like(train)
  for row in range(len(varies)):
    kept = np.arange(num_latent)
    for _ in range(num_to_remove):
      best = remove_fn(x_train[:, kept], y_train, x_test[:, kept], y_test, row, seed=seed)
      kept = np.delete(kept, best)
    train[row], test[row], _ = predictors.score_factors(
      predictor_fn, x_train[:, kept], y_train, x_test[:, kept], y_test, seed
    )
  return {
    **_named_accuracies("train", train, varies),
    **_named_accuracies("test", test, varies),
    "constant_factors": constant,
  }


def _named_accuracies(split: str, accuracy: np.ndarray, factors: np.ndarray) -> dict[str, float]:
  """Returns the results of one split.

  Args:
    split: "train" or "test".
    accuracy: `[removed factor, predicted factor]`.
    factors: Index of each factor.
  """
  own = np.diagonal(accuracy)
  others = (accuracy.sum(axis=1) - own) / (len(factors) - 1)
  results = {
    f"mean_{split}_accuracy_reduced_factor": float(np.mean(own)),
    f"mean_{split}_accuracy_other_factors": float(np.mean(others)),
  }
  for row, removed in enumerate(factors):
    prefix = f"reduced_factor_{removed}:mean_{split}_accuracy"
    results[f"{prefix}_reduced_factor"] = float(own[row])
    results[f"{prefix}_non_reduced_factor"] = float(others[row])
    for i, value in zip(factors, accuracy[row], strict=True):
      results[f"{prefix}_factor_{i}"] = float(value)
  return results


@gin.configurable("factorwise_dci", denylist=["x_train", "y_train", "x_test", "y_test", "seed"])
def factorwise_dci(
  x_train: np.ndarray,
  y_train: np.ndarray,
  x_test: np.ndarray,
  y_test: np.ndarray,
  seed: int = 0,
  predictor_fn: Callable[[], Any] = predictors.gradient_boosting_classifier,
) -> np.ndarray:
  """Returns the importance of each latent for each factor, the matrix of `dci`.

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
  return predictors.score_factors(
    predictor_fn, x_train, y_train, x_test, y_test, seed, with_importance=True
  ).importance


@gin.configurable(
  "reduced_representation",
  denylist=["x_train", "y_train", "x_test", "y_test", "factor_of_interest", "seed"],
)
def most_important_latent(
  x_train: np.ndarray,
  y_train: np.ndarray,
  x_test: np.ndarray,
  y_test: np.ndarray,
  factor_of_interest: int,
  seed: int,
  correlation_measure: Callable = factorwise_dci,
) -> int:
  """Returns the latent that the measure which gin binds finds most important for one factor.

  Differs from disentanglement_lib in that the measure sees that factor alone, which for
  `factorwise_dci` saves the time of the others and changes nothing.

  Args:
    x_train: Representations, `[num_train, num_latent]`.
    y_train: Their factors, `[num_train, num_factors]`.
    x_test: Other representations, `[num_test, num_latent]`.
    y_test: Their factors, `[num_test, num_factors]`.
    factor_of_interest: Index of the factor.
    seed: Seed of the measure.
    correlation_measure: Function of the signature of `factorwise_dci`.

  Returns:
    The first of the most important latents.
  """
  one = [factor_of_interest]
  importance = correlation_measure(x_train, y_train[:, one], x_test, y_test[:, one], seed=seed)
  return int(np.argmax(importance[:, 0]))
