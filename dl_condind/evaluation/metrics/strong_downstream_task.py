"""How well classifiers predict a factor when another has values they were not fitted on."""

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
from dl_condind.utils import errors


@metric.metric("strong_downstream_task")
def compute_strong_downstream_task(
  ground_truth_data: ground_truth.GroundTruthData,
  representation_function: Callable,
  random_state: np.random.RandomState,
  seed: int,
  num_train: Sequence[int] = (1_000,),
  num_test: int = 1_000,
  n_experiment: int = 10,
) -> dict[str, Any]:
  """Returns the accuracy of gin's `predictor` with and without a shift of one factor.

  The strong generalization of Locatello et al. (2020), arXiv:2002.02886. To predict a factor under
  a shift, another factor, drawn at random, has one value in all train points and any
  of its other values in the test points.

  Differs from disentanglement_lib: the shifts are drawn from random_state, not from NumPy's global
  state; the classifiers have a seed, which random_state determines; a factor of one value is
  neither predicted nor shifted.

  Args:
    ground_truth_data: Data set to sample from, with an observation of each combination of factors.
    representation_function: Observations -> representations.
    random_state: State that every draw comes from.
    seed: Seed of the classifiers.
    num_train: Numbers of points to fit. Each has factors of its own.
    num_test: Number of points to test on, drawn anew for each.
    n_experiment: Number of shifts for each predicted factor, at least 1.

  Returns:
    For each number of train points, with the prefix `{num_train}:`, `mean_train_accuracy` and
    `mean_test_accuracy` without a shift, `mean_strong_train_accuracy` and
    `mean_strong_test_accuracy` with one, means over factors in [0, 1];
    `strong_generalization_gap`, 1 less the ratio of the test accuracies, None if the one without
    a shift is 0.

  Raises:
    ConfigError: If the data set lacks combinations of factors or a second factor that varies, or as
      `checks.check_splits`.
  """
  _check_data(ground_truth_data)
  checks.check_count("strong_downstream_task.n_experiment", n_experiment, 1)
  checks.check_count("strong_downstream_task.num_test", num_test, 1)
  predictor_fn = gin_settings.predictor_fns()[0]

  codes = representation.codes_of(representation_function, ground_truth_data)

  def draw(factors: np.ndarray) -> np.ndarray:
    return codes.of_factors(factors, random_state)

  def task(y_train: np.ndarray, y_test: np.ndarray, i: int) -> tuple:
    x_train, y_train, x_test, y_test = checks.check_splits(
      draw(y_train), y_train, draw(y_test), y_test
    )
    return x_train, y_train[:, i], x_test, y_test[:, i], False

  checks.check_is_list("strong_downstream_task.num_train", num_train)
  results: dict[str, Any] = {}
  for size in num_train:
    checks.check_count("Each of strong_downstream_task.num_train", size, checks.MIN_POINTS)
    y_train = ground_truth_data.sample_factors(size, random_state)
    y_test = ground_truth_data.sample_factors(num_test, random_state)
    varies = checks.varying_factors(y_train, "strong_downstream_task")
    splits = checks.check_splits(draw(y_train), y_train, draw(y_test), y_test)
    plain = predictors.score_factors(
      predictor_fn, splits[0], splits[1][:, varies], splits[2], splits[3][:, varies], seed
    )
    num_values = ground_truth_data.factors_num_values
    shifted = [
      task(*shift_factor(y_train, y_test, i, num_values, random_state), i)
      for i in varies
      for _ in range(n_experiment)
    ]
    found = _compare(plain, predictors.score_tasks(predictor_fn, shifted, seed))
    results |= {f"{size}:{key}": value for key, value in found.items()}
  return results


def _check_data(ground_truth_data: ground_truth.GroundTruthData) -> None:
  checks.check_settable(ground_truth_data, "strong_downstream_task")
  if np.count_nonzero(np.array(ground_truth_data.factors_num_values) > 1) < 2:
    raise errors.ConfigError(
      "strong_downstream_task predicts one factor while another changes, and "
      f"{ground_truth_data.name} does not have two factors that vary: leave this metric out."
    )


def shift_factor(
  y_train: np.ndarray,
  y_test: np.ndarray,
  predicted: int,
  factors_num_values: Sequence[int],
  random_state: np.random.RandomState,
) -> tuple[np.ndarray, np.ndarray]:
  """Returns factors in which one, not the predicted one, never has the same value in both.

  Args:
    y_train: Factors, `[num_train, num_factors]`.
    y_test: Factors, `[num_test, num_factors]`.
    predicted: Index of the factor that stays as it is.
    factors_num_values: Number of values of each factor; at least one other has two.
    random_state: State that the factor, its value in y_train and its values in y_test are drawn
      from, in this order.
  """
  others = [i for i, size in enumerate(factors_num_values) if i != predicted and size > 1]
  shifted = random_state.choice(others)
  values = np.arange(factors_num_values[shifted])
  train_value = random_state.choice(values)
  y_train, y_test = y_train.copy(), y_test.copy()
  y_train[:, shifted] = train_value
  y_test[:, shifted] = random_state.choice(np.delete(values, train_value), size=len(y_test))
  return y_train, y_test


def _compare(plain: predictors.Scores, shifted: predictors.Scores) -> dict[str, float | None]:
  test, strong_test = float(np.mean(plain.test_score)), float(np.mean(shifted.test_score))
  return {
    "mean_train_accuracy": float(np.mean(plain.train_score)),
    "mean_test_accuracy": test,
    "mean_strong_train_accuracy": float(np.mean(shifted.train_score)),
    "mean_strong_test_accuracy": strong_test,
    "strong_generalization_gap": 1.0 - strong_test / test if test > 0 else None,
  }
