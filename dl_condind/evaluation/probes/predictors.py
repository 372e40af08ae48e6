"""Models that predict factors from representations: seeded, and fitted in parallel.

Arrays have one row per point. A `predictor_fn` is a function without arguments that returns a new
classifier of scikit-learn's interface. gin binds it as `predictor.predictor_fn`. A factor that is
continuous, which is one with a value that is not a whole number, is predicted by a regressor: the
counterpart of the classifier, unless a `regressor_fn` makes another.
"""

from collections.abc import Callable
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple
import warnings

import gin
import joblib
import numpy as np
import sklearn
from sklearn import dummy
from sklearn import ensemble
from sklearn import exceptions
from sklearn import inspection
from sklearn import linear_model
from sklearn import metrics
from sklearn import model_selection

from dl_condind.evaluation import checks
from dl_condind.evaluation.probes.trees import boosted_trees
from dl_condind.utils import errors
from dl_condind.utils import progress_lines

PARALLEL_POINTS = 1000  # With fewer points, starting processes takes longer than fitting.
NUM_PERMUTATIONS = 5  # of each latent, for the importances of classifiers that have none

# Classifier -> the regressor that takes its place for a continuous factor, with its settings.
_REGRESSORS = {
  ensemble.ExtraTreesClassifier: ensemble.ExtraTreesRegressor,
  ensemble.GradientBoostingClassifier: ensemble.GradientBoostingRegressor,
  ensemble.RandomForestClassifier: ensemble.RandomForestRegressor,
}
_NOT_SHARED = ("criterion", "loss")  # Settings with another meaning.


class Scores(NamedTuple):
  """How well each factor is predicted.

  A score is the accuracy, in [0, 1], or, of a continuous factor, R2, the coefficient of
  determination: `1 - sum((y - predicted)**2) / sum((y - mean(y))**2)`, at most 1. R2 is 0 for a
  prediction by the mean, and negative for a worse one.

  Attributes:
    train_score: Of the points that were fitted, `[num_factors]`.
    test_score: Of the others, `[num_factors]`.
    importance: Importance of each latent for each factor, `[num_latent, num_factors]`, or None if
      it was not asked for. A column sums to 1, or to 0 if no latent helps.
  """

  train_score: np.ndarray
  test_score: np.ndarray
  importance: np.ndarray | None


@gin.register("logistic_regression_cv")
def logistic_regression_cv() -> linear_model.LogisticRegressionCV:
  """Returns a logistic regression whose regularization is chosen by 5-fold cross-validation.

  It stops after 100 iterations, converged or not, as in disentanglement_lib.
  """
  return linear_model.LogisticRegressionCV(
    Cs=10, cv=model_selection.KFold(n_splits=5), scoring="accuracy"
  )


@gin.register("gradient_boosting_classifier")
def gradient_boosting_classifier() -> ensemble.GradientBoostingClassifier:
  """Returns gradient boosted trees with scikit-learn's defaults: 100 rounds, depth 3.

  They are scikit-learn's, of scikit-learn 1.9 fitted faster, see `boosted_trees`. A round fits one
  tree to each class, so that a factor of many values takes long: 40 values and 10,000 points half a
  minute.
  """
  if sklearn.__version__.startswith(boosted_trees.SCIKIT_LEARN):
    return boosted_trees.GradientBoostingClassifier()
  return ensemble.GradientBoostingClassifier()


@gin.register("extra_trees_classifier")
def extra_trees_classifier(num_trees: int = 100) -> ensemble.ExtraTreesClassifier:
  """Returns extremely randomized trees of Geurts et al. (2006), doi:10.1007/s10994-006-6226-1.

  Not one of disentanglement_lib's classifiers, but the fastest: a tree has all values of a factor,
  so that the time does not grow with their number, and its thresholds are drawn, so that nothing is
  sorted. Scores computed with it do not compare with those of others: of codes with noise its
  importances are the purest.

  Args:
    num_trees: Number of trees. The time grows with it, the noise of importances falls.
  """
  # All latents, so that one without a say is not split at; 20 points, or noise is.
  return ensemble.ExtraTreesClassifier(num_trees, max_features=None, min_samples_leaf=20)


@gin.register("ridge_cv")
def ridge_cv() -> linear_model.RidgeCV:
  """Returns a linear regression whose L2 penalty is chosen by cross-validation.

  The candidates are scikit-learn's: 0.1, 1 and 10 times the squared weights; cross-validation
  leaves out one point at a time.
  """
  return linear_model.RidgeCV()


@gin.register("gradient_boosting_regressor")
def gradient_boosting_regressor() -> ensemble.GradientBoostingRegressor:
  """Returns gradient boosted trees with scikit-learn's defaults: 100 rounds, depth 3."""
  return ensemble.GradientBoostingRegressor()


def score_factors(
  predictor_fn: Callable[[], Any],
  x_train: np.ndarray,
  y_train: np.ndarray,
  x_test: np.ndarray,
  y_test: np.ndarray,
  seed: int,
  with_importance: bool = False,
  regressor_fn: Callable[[], Any] | None = None,
) -> Scores:
  """Fits a classifier or, where it is continuous, a regressor to each factor and scores them.

  The importance of a latent is that of the model (`feature_importances_`) or, if it has none,
  how much permuting the latent lowers its score on the train points, not below 0, divided by the
  sum over latents. A value of a factor that only the test points have is never predicted and counts
  as wrong. A factor of one value is always predicted and no latent matters to it.

  Args:
    predictor_fn: Makes a classifier.
    x_train: Representations to fit, `[num_train, num_latent]`.
    y_train: Their factors, `[num_train, num_factors]`.
    x_test: Representations to test on, `[num_test, num_latent]`.
    y_test: Their factors, `[num_test, num_factors]`.
    seed: Seed of every classifier, in [0, 2**31).
    with_importance: Whether to compute importances.
    regressor_fn: Makes a regressor for a continuous factor; None stands for the classifier's
      counterpart, as `make_regressor`.

  Raises:
    ConfigError: If a factor is continuous and the classifier has no counterpart.
  """
  tasks = [
    (x_train, y_train[:, i], x_test, y_test[:, i], with_importance) for i in range(y_train.shape[1])
  ]
  return score_tasks(predictor_fn, tasks, seed, regressor_fn)


def score_tasks(
  predictor_fn: Callable[[], Any],
  tasks: Sequence[tuple],
  seed: int,
  regressor_fn: Callable[[], Any] | None = None,
) -> Scores:
  """Returns the scores of tasks, each with points of its own; otherwise as `score_factors`.

  Args:
    predictor_fn: Makes a classifier.
    tasks: Tuples `(x_train, y_train, x_test, y_test, with_importance)`, in which a y is one factor,
      `[num_points]`.
    seed: Seed of every classifier.
    regressor_fn: As `score_factors`.
  """
  calls = [(*_model_and_task(predictor_fn, regressor_fn, task, seed), seed) for task in tasks]
  train, test, importance = zip(*_in_parallel(_fit_and_score, calls), strict=True)
  has_importance = importance[0] is not None
  return Scores(
    np.array(train), np.array(test), np.stack(importance, axis=1) if has_importance else None
  )


def fit_factors(
  predictor_fn: Callable[[], Any], representations: np.ndarray, factors: np.ndarray, seed: int
) -> list[Any]:
  """Returns a classifier fitted to each factor; arguments as `score_factors`."""
  calls = [(make_classifier(predictor_fn, seed), representations, y) for y in factors.T]
  return _in_parallel(_fit, calls)


def make_classifier(predictor_fn: Callable[[], Any], seed: int) -> Any:
  """Returns a new classifier of predictor_fn, with the seed if it takes one."""
  return _seeded(predictor_fn(), seed)


def make_regressor(
  predictor_fn: Callable[[], Any], regressor_fn: Callable[[], Any] | None, seed: int
) -> Any:
  """Returns a new regressor for a continuous factor, with the seed if it takes one.

  Args:
    predictor_fn: Makes the classifiers of the other factors.
    regressor_fn: Makes the regressor; None stands for the counterpart of the classifier. That of
      boosted trees, random forests and extremely randomized trees has their settings, such as the
      number of trees, and scikit-learn's default loss, the squared error; that of a logistic
      regression is `ridge_cv`.
    seed: Seed of the regressor.

  Raises:
    ConfigError: If the classifier has no counterpart.
  """
  if regressor_fn is not None:
    return _seeded(regressor_fn(), seed)
  classifier = predictor_fn()
  if isinstance(classifier, linear_model.LogisticRegression):
    return ridge_cv()
  for known, regressor_class in _REGRESSORS.items():
    if isinstance(classifier, known):
      regressor = regressor_class()
      shared = classifier.get_params().keys() & regressor.get_params().keys() - {*_NOT_SHARED}
      settings = {name: classifier.get_params()[name] for name in shared}
      if isinstance(settings.get("max_features"), str):  # The default of forests of classifiers.
        del settings["max_features"]
      return _seeded(regressor.set_params(**settings), seed)
  raise errors.ConfigError(
    f"A factor is continuous, and there is no regressor for a {type(classifier).__name__}: set "
    "regressor_fn, for example to gradient_boosting_regressor."
  )


def _seeded(model: Any, seed: int) -> Any:
  if "random_state" in model.get_params():
    model.set_params(random_state=seed)
  return model


def _model_and_task(
  predictor_fn: Callable[[], Any], regressor_fn: Callable[[], Any] | None, task: tuple, seed: int
) -> tuple:
  """Returns a model for a task and the task, its factor in the form that the model fits."""
  x_train, y_train, x_test, y_test, with_importance = task
  if checks.is_continuous(np.concatenate([y_train, y_test])[:, None])[0]:
    model = make_regressor(predictor_fn, regressor_fn, seed)
    # Trees stop at small variances, so the unit of the factor would matter.
    mean, stddev = y_train.mean(), y_train.std() or 1.0
    y_train, y_test = (y_train - mean) / stddev, (y_test - mean) / stddev
  else:
    model = make_classifier(predictor_fn, seed)
    y_train, y_test = y_train.astype(np.int64, copy=False), y_test.astype(np.int64, copy=False)
  return model, x_train, y_train, x_test, y_test, with_importance


def _in_parallel(function: Callable, calls: Sequence[tuple]) -> list[Any]:
  """Returns what function returns for each tuple of arguments, in their order.

  The second argument is points, the third their values of a factor. Factors of many values come
  first, as they take longest: no process is left with one of them while the others have no work.
  """
  num_points = len(calls[0][1])
  num_jobs = min(len(calls), joblib.cpu_count()) if num_points >= PARALLEL_POINTS else 1
  longest_first = np.argsort([-len(np.unique(call[2])) for call in calls], kind="stable")
  fitted = joblib.Parallel(n_jobs=num_jobs, return_as="generator")(
    joblib.delayed(function)(*calls[i]) for i in longest_first
  )
  found = list(progress_lines.each(fitted, "Fitting classifiers, factor", len(calls)))
  return [found[i] for i in np.argsort(longest_first)]


def _fit(classifier: Any, x: np.ndarray, y: np.ndarray) -> Any:
  if (y == y[0]).all() and not _is_continuous(y):  # which classifiers refuse
    return dummy.DummyClassifier(strategy="most_frequent").fit(x, y)
  with warnings.catch_warnings():
    # Stopping early is part of the metric; scikit-learn announces defaults that it will change.
    warnings.simplefilter("ignore", exceptions.ConvergenceWarning)
    warnings.simplefilter("ignore", FutureWarning)
    return classifier.fit(x, y)


def _fit_and_score(classifier, x_train, y_train, x_test, y_test, with_importance, seed):
  model = _fit(classifier, x_train, y_train)
  importance = _importance(model, x_train, y_train, seed) if with_importance else None
  train, test = _score(model, x_train, y_train), _score(model, x_test, y_test)
  return train, test, importance


def _is_continuous(y: np.ndarray) -> bool:
  """Returns whether y has the type in which `_model_and_task` gives a continuous factor."""
  return np.issubdtype(y.dtype, np.floating)


def _score(model: Any, x: np.ndarray, y: np.ndarray) -> float:
  """Returns R2 for a continuous factor, otherwise the accuracy."""
  if _is_continuous(y):
    return metrics.r2_score(y, model.predict(x))
  return np.mean(model.predict(x) == y)


def _importance(model: Any, x: np.ndarray, y: np.ndarray, seed: int) -> np.ndarray:
  if isinstance(model, dummy.DummyClassifier):
    return np.zeros(x.shape[1])
  if hasattr(model, "feature_importances_"):
    return np.abs(model.feature_importances_)
  permuted = inspection.permutation_importance(
    model, x, y, n_repeats=NUM_PERMUTATIONS, random_state=seed
  )
  drop = np.maximum(permuted.importances_mean, 0.0)
  return drop / max(drop.sum(), np.finfo(np.float64).tiny)
