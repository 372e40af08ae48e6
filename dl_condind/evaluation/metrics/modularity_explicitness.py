"""Modularity and explicitness of Ridgeway and Mozer (2018), arXiv:1802.05312."""

from collections.abc import Callable
import functools
from typing import Any
import warnings

import numpy as np
from scipy import stats
from sklearn import exceptions
from sklearn import linear_model
import threadpoolctl

from dl_condind.evaluation import checks
from dl_condind.evaluation import gin_settings
from dl_condind.evaluation import metric
from dl_condind.evaluation.information import discrete_information
from dl_condind.evaluation.information import discretization
from dl_condind.evaluation.information import nearest_neighbors
from dl_condind.utils import errors


@metric.metric(
  "modularity_explicitness", draw=metric.splits, choices={"estimator": checks.ESTIMATORS}
)
def compute_modularity_explicitness(
  x_train: np.ndarray,
  y_train: np.ndarray,
  x_test: np.ndarray,
  y_test: np.ndarray,
  seed: int,
  estimator: str = "discretized",
) -> dict[str, Any]:
  """Returns modularity and explicitness on sampled points, with gin's `discretizer`.

  A factor that is not a whole number everywhere is continuous: it is discretized too, as a latent
  is, unless the estimator is nearest neighbours.

  Args:
    x_train: Representations to fit, on which modularity is computed too, `[num_train, num_latent]`.
    y_train: Their factors, `[num_train, num_factors]`.
    x_test: Representations to test on, `[num_test, num_latent]`.
    y_test: Their factors, `[num_test, num_factors]`.
    seed: Seed of the nearest neighbours.
    estimator: Of mutual information: `discretized`, as in disentanglement_lib, or
      `nearest_neighbors`, which cuts nothing in bins.

  Returns:
    The results of `scores_of_information`; of nearest neighbours also `num_distinct_points`, of the
    train points.

  Raises:
    ConfigError: If the estimator is unknown; see also `scores_of_information`.
  """
  splits = (x_train, y_train, x_test, y_test)
  from_gin = (gin_settings.discretize, gin_settings.neighbor_information)
  return _scores(splits, *from_gin, estimator, seed)


def modularity_explicitness_scores(
  x_train: np.ndarray,
  y_train: np.ndarray,
  x_test: np.ndarray,
  y_test: np.ndarray,
  num_bins: int = 20,
  estimator: str = "discretized",
  seed: int = 0,
) -> dict[str, Any]:
  """Returns modularity and explicitness of representations.

  Args:
    x_train: Representations to fit, `[num_train, num_latent]`.
    y_train: Their factors, `[num_train, num_factors]`.
    x_test: Representations to test on, `[num_test, num_latent]`.
    y_test: Their factors, `[num_test, num_factors]`.
    num_bins: Number of bins of equal width, of each latent and of each column of factors that is
      not a whole number everywhere. Nearest neighbours need none.
    estimator: Of mutual information: `discretized` or `nearest_neighbors`.
    seed: Seed of the nearest neighbours.

  Returns:
    The results of `scores_of_information`; of nearest neighbours also `num_distinct_points`, of the
    train points.

  Raises:
    ConfigError: If the estimator is unknown, or as `scores_of_information`.
    ValueError: If the arrays do not fit together.
  """
  checks.check_choice("estimator", estimator, checks.ESTIMATORS)
  splits = tuple(np.asarray(values) for values in (x_train, y_train, x_test, y_test))
  discretize = functools.partial(discretization.histogram_discretizer, num_bins=num_bins)
  information_fn = nearest_neighbors.mutual_information
  return _scores(splits, discretize, information_fn, estimator, seed)


def _scores(
  splits: tuple,
  discretize: Callable[[np.ndarray], np.ndarray],
  information_fn: Callable[..., np.ndarray],
  estimator: str,
  seed: int,
) -> dict[str, Any]:
  """Returns the results, with information of the train points by an estimator."""
  x_train, y_train = splits[:2]
  check_splits(*splits)
  if estimator == "nearest_neighbors":
    information = information_fn(x_train, y_train, seed)
    num_distinct = nearest_neighbors.count_distinct(x_train, y_train)
    return {**scores_of_information(information, *splits), "num_distinct_points": num_distinct}
  information = discrete_information.discrete_mutual_info(
    discretize(x_train), discretization.discretize_continuous(y_train, discretize)
  )
  return scores_of_information(information, *splits)


def scores_of_information(
  mutual_information: np.ndarray,
  x_train: np.ndarray,
  y_train: np.ndarray,
  x_test: np.ndarray,
  y_test: np.ndarray,
) -> dict[str, Any]:
  """Returns the modularity of mutual information and the explicitness of representations.

  Implements Sec. 3 of Ridgeway and Mozer (2018) as disentanglement_lib does. Explicitness is the
  area under the ROC curve as it is, 0.5 at chance; the paper rescales it to 0 at chance. A factor
  that has one value in the train points is left out everywhere (disentanglement_lib fails). A
  continuous factor, which is one with a value that is not a whole number, has no classes: its
  explicitness is R2 of a linear regression (see `predictors.Scores`), under names of its own, since
  0.5 and 0 are chance.

  Args:
    mutual_information: Of each latent with each factor in the train points, in nats,
      `[num_latent, num_factors]`.
    x_train: Representations to fit, `[num_train, num_latent]`.
    y_train: Their factors, `[num_train, num_factors]`.
    x_test: Representations to test on, `[num_test, num_latent]`.
    y_test: Their factors, `[num_test, num_factors]`.

  Returns:
    `modularity_score`, with `.code_{j}` of each latent, None if only one factor varies;
    `explicitness_score_train` and `explicitness_score_test`, with `.factor_{i}`, None if all
    factors are continuous; all in [0, 1]. A factor that has one value in the test points has no
    explicitness there and is left out of their mean. If a factor is continuous, also
    `explicitness_r2_train` and `explicitness_r2_test`, with `.factor_{i}`, at most 1.
    `constant_factors`: indices of the factors left out everywhere.

  Raises:
    ConfigError: If no factor varies, in the train or in the test points, or a continuous one does
      not vary in the test points; if a number is not finite, or there are fewer than 5 train
      points.
    ValueError: If the arrays do not fit together.
  """
  y_train, y_test, discrete = check_splits(x_train, y_train, x_test, y_test)
  varies = checks.varying_factors(y_train, "modularity_explicitness", y_test)
  results: dict[str, Any] = {"modularity_score": None}
  if len(varies) > 1:
    # `take` leaves rows contiguous, on which the last digit of their sums depends.
    per_code = modularity_per_code(np.take(mutual_information, varies, axis=1))
    results["modularity_score"] = float(np.mean(per_code))
    results |= metric.numbered("modularity_score.code", range(len(per_code)), per_code)
  # Not as float64: the solver's last steps depend on the type that it works in.
  x_train, x_test = standardize(np.asarray(x_train), np.asarray(x_test))
  scored = [i for i in varies if discrete[i]]
  explicitness = {
    i: explicitness_of_factor(
      x_train, y_train[:, i].astype(np.int64), x_test, y_test[:, i].astype(np.int64)
    )
    for i in scored
  }
  for k, name in enumerate(("explicitness_score_train", "explicitness_score_test")):
    values = {i: area for i, pair in explicitness.items() if (area := pair[k]) is not None}
    if scored and not values:
      raise errors.ConfigError(
        "modularity_explicitness has no explicitness to test: each factor has a single value in "
        f"the {len(y_test)} test points; raise modularity_explicitness.num_test."
      )
    results[name] = float(np.mean(list(values.values()))) if scored else None
    results |= metric.numbered(f"{name}.factor", values.keys(), values.values())
  results |= _explained(x_train, y_train, x_test, y_test, [i for i in varies if not discrete[i]])
  results["constant_factors"] = np.setdiff1d(np.arange(y_train.shape[1]), varies).tolist()
  return results


def _explained(
  x_train: np.ndarray,
  y_train: np.ndarray,
  x_test: np.ndarray,
  y_test: np.ndarray,
  continuous: list[int],
) -> dict[str, float]:
  """Returns R2 of linear regressions of continuous factors on standardized representations."""
  results = {}
  models = [linear_model.LinearRegression().fit(x_train, y_train[:, i]) for i in continuous]
  for name, x, y in (("train", x_train, y_train), ("test", x_test, y_test)):
    values = [model.score(x, y[:, i]) for i, model in zip(continuous, models, strict=True)]
    if values:
      results[f"explicitness_r2_{name}"] = float(np.mean(values))
      results |= metric.numbered(f"explicitness_r2_{name}.factor", continuous, values)
  return results


def check_splits(
  x_train: np.ndarray, y_train: np.ndarray, x_test: np.ndarray, y_test: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Returns the factors, and which of them are whole numbers everywhere, if all can be scored.

  Raises:
    ConfigError: If a number is not finite, or there are fewer than 5 train points.
    ValueError: If the arrays do not fit together.
  """
  _, y_train, _, y_test = checks.check_splits(x_train, y_train, x_test, y_test, True)
  checks.check_powers("The train representation", np.asarray(x_train), power=2)
  return y_train, y_test, ~checks.continuous_factors(y_train, y_test)


def modularity_per_code(mutual_information: np.ndarray) -> np.ndarray:
  """Returns how far each code informs about a single factor.

  It is 1 less the mean squared information about the other factors, in units of the largest. A code
  that informs about nothing has 0. Noise scores high, as any one of its small estimates of
  information may be far larger than the others.

  Args:
    mutual_information: In nats, `[num_latent, num_factors]`, at least two factors.

  Returns:
    `[num_latent]`, in [0, 1].
  """
  squared = np.square(mutual_information)
  largest = squared.max(axis=1)
  others = squared.sum(axis=1) - largest
  informs = largest > 0
  scale = np.where(informs, largest * (squared.shape[1] - 1.0), 1.0)
  return np.where(informs, np.clip(1.0 - others / scale, 0.0, 1.0), 0.0)


def standardize(x_train: np.ndarray, x_test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Returns representations less their mean and divided by their deviation in the train points.

  A latent that is constant there is only shifted (disentanglement_lib divides by 0).

  Args:
    x_train: `[num_train, num_latent]`.
    x_test: `[num_test, num_latent]`.
  """
  constant = np.ptp(x_train, axis=0) == 0
  mean = np.where(constant, x_train[0], np.mean(x_train, axis=0))
  stddev = np.std(x_train, axis=0)
  stddev = np.where(constant | (stddev == 0), np.ones_like(stddev), stddev)
  return (x_train - mean) / stddev, (x_test - mean) / stddev


def explicitness_of_factor(
  x_train: np.ndarray, y_train: np.ndarray, x_test: np.ndarray, y_test: np.ndarray
) -> tuple[float | None, float | None]:
  """Returns how well a linear classifier ranks the points of each value of a factor first.

  The classifier is scikit-learn's logistic regression, which stops after 100 iterations, converged
  or not, as in disentanglement_lib. It works in the floating point type of the representations. In
  float32 the area depends on the processor and, in disentanglement_lib, on the number of threads,
  by up to 1e-6; in float64 it does not.

  Args:
    x_train: Standardized representations to fit, `[num_train, num_latent]`.
    y_train: A factor of at least two values, `[num_train]`.
    x_test: Standardized representations to test on, `[num_test, num_latent]`.
    y_test: Their factor, `[num_test]`.

  Returns:
    The mean area under the ROC curve of the values, for the train and for the test points, in
    [0, 1]. Values that these points lack are left out (disentanglement_lib fails). A value that
    only the test points have is ranked by chance: 0.5. None if the points have one value only.
  """
  # With several threads, sums of float32 would depend on their number.
  with warnings.catch_warnings(), threadpoolctl.threadpool_limits(1, user_api="blas"):
    warnings.simplefilter("ignore", exceptions.ConvergenceWarning)
    model = linear_model.LogisticRegression().fit(x_train, y_train)
    train, test = (model.predict_proba(x) for x in (x_train, x_test))
  return _mean_area(train, y_train, model.classes_), _mean_area(test, y_test, model.classes_)


def _mean_area(probabilities: np.ndarray, y: np.ndarray, classes: np.ndarray) -> float | None:
  """Returns the mean area under the ROC curve of the values that y has."""
  values, counts = np.unique(y, return_counts=True)
  if len(values) == 1:
    return None
  areas = np.full(len(values), 0.5)
  known = np.isin(values, classes)
  # The area is the share of pairs of a point with the value and one without that are in order.
  ranks = stats.rankdata(probabilities[:, np.searchsorted(classes, values[known])], axis=0)
  num = counts[known]
  rank_sums = np.sum(ranks * (y[:, None] == values[known]), axis=0)
  areas[known] = (rank_sums - num * (num + 1) / 2) / (num * (len(y) - num))
  return float(np.mean(areas))
