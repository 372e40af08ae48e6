"""How well factors are predicted from representations of few or many points."""

from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import numpy as np

from dl_condind.data.ground_truth import ground_truth_data as ground_truth
from dl_condind.evaluation import checks
from dl_condind.evaluation import gin_settings
from dl_condind.evaluation import metric
from dl_condind.evaluation import representation
from dl_condind.evaluation.probes import predictors


@metric.metric("downstream_task")
def compute_downstream_task(
  ground_truth_data: ground_truth.GroundTruthData,
  representation_function: Callable,
  random_state: np.random.RandomState,
  seed: int,
  num_train: Sequence[int] = (10, 100, 1_000, 10_000),
  num_test: int = 5_000,
  batch_size: int = 16,
) -> dict[str, Any]:
  """Returns how well gin's `predictor` does for several numbers of train points.

  The downstream task of Sec. 5.5 of Locatello et al. (2019), arXiv:1811.12359. Differs from
  disentanglement_lib in that the classifiers have a seed, which random_state determines.

  Args:
    ground_truth_data: Data set to sample from.
    representation_function: Observations -> representations.
    random_state: State that every draw comes from.
    seed: Seed of the classifiers.
    num_train: Numbers of points to fit. Each has points of its own.
    num_test: Number of points to test on, drawn anew for each.
    batch_size: Number of points of one draw.

  Returns:
    The results of `downstream_scores` of each number of train points, as `{num_train}:{key}`.
  """
  predictor_fn, regressor_fn = gin_settings.predictor_fns()
  checks.check_is_list("downstream_task.num_train", num_train)
  results: dict[str, Any] = {}
  for size in num_train:
    splits = representation.generate_splits(
      ground_truth_data, representation_function, size, num_test, random_state, batch_size
    )
    found = downstream_scores(
      *splits, predictor_fn=predictor_fn, seed=seed, regressor_fn=regressor_fn
    )
    results |= {f"{size}:{key}": value for key, value in found.items()}
  return results


def downstream_scores(
  x_train: np.ndarray,
  y_train: np.ndarray,
  x_test: np.ndarray,
  y_test: np.ndarray,
  predictor_fn: Callable[[], Any],
  seed: int = 0,
  regressor_fn: Callable[[], Any] | None = None,
) -> dict[str, Any]:
  """Returns the accuracy of a classifier of each factor, and R2 of regressors of continuous ones.

  A factor that has one value in the train points is left out (disentanglement_lib fails). A value
  that only test points have counts as wrong. A factor with a value that is not a whole number is
  continuous; accuracies and R2 (see `predictors.Scores`) are never averaged with each other.

  Args:
    x_train: Representations to fit, `[num_train, num_latent]`.
    y_train: Their factors, `[num_train, num_factors]`.
    x_test: Representations to test on, `[num_test, num_latent]`.
    y_test: Their factors, `[num_test, num_factors]`.
    predictor_fn: Makes the classifiers.
    seed: Seed of the classifiers.
    regressor_fn: Makes the regressors of continuous factors; None stands for the counterpart of
      the classifiers (`predictors.make_regressor`).

  Returns:
    `{mean, min}_{train, test}_accuracy` over the discrete factors, None if there are none, and
    `{train, test}_accuracy_factor_{i}` of each, all in [0, 1]; the same with `r2` in place of
    `accuracy` over continuous factors, at most 1, if there are any; `constant_factors`, the indices
    of those left out.

  Raises:
    ConfigError: If no factor varies, a continuous one has a single value in the test points, a
      representation is not finite, or there are fewer than 5 train points.
    ValueError: If the arrays do not fit together.
  """
  x_train, y_train, x_test, y_test = checks.check_splits(x_train, y_train, x_test, y_test, True)
  varies = checks.varying_factors(y_train, "downstream_task", y_test)
  scores = predictors.score_factors(
    predictor_fn,
    x_train,
    y_train[:, varies],
    x_test,
    y_test[:, varies],
    seed,
    regressor_fn=regressor_fn,
  )
  continuous = checks.continuous_factors(y_train, y_test)[varies]
  results: dict[str, Any] = {}
  for split, values in (("train", scores.train_score), ("test", scores.test_score)):
    results |= _summary(f"{split}_accuracy", varies[~continuous], values[~continuous])
    if continuous.any():
      results |= _summary(f"{split}_r2", varies[continuous], values[continuous])
  results["constant_factors"] = np.setdiff1d(np.arange(y_train.shape[1]), varies).tolist()
  return results


def _summary(name: str, factors: np.ndarray, values: np.ndarray) -> dict[str, float | None]:
  """Returns mean and minimum of the scores of some factors, and each of them, by name."""
  return {
    f"mean_{name}": float(np.mean(values)) if values.size else None,
    f"min_{name}": float(np.min(values)) if values.size else None,
    **{f"{name}_factor_{i}": float(value) for i, value in zip(factors, values, strict=True)},
  }
