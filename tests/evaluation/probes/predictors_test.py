import functools

import gin
import numpy as np
import pytest
from sklearn import ensemble
from sklearn import linear_model
from sklearn import model_selection

from dl_condind.evaluation import gin_settings
from dl_condind.evaluation.probes import predictors
from dl_condind.evaluation.probes.trees import boosted_trees


def points(num_points=200, num_latent=3, num_values=(3, 4), seed=0):
  random_state = np.random.RandomState(seed)
  factors = np.stack([random_state.randint(n, size=num_points) for n in num_values], axis=1)
  mix = random_state.standard_normal((len(num_values), num_latent))
  noise = 0.3 * random_state.standard_normal((num_points, num_latent))
  return factors @ mix + noise, factors


def splits(**options):
  x, y = points(**options)
  half = len(x) // 2
  return x[:half], y[:half], x[half:], y[half:]


def test_gin_chooses_the_predictor():
  gin.parse_config("predictor.predictor_fn = @logistic_regression_cv")
  model = gin_settings.predictor_fns()[0]()
  assert isinstance(model, linear_model.LogisticRegressionCV)
  assert model.Cs == 10 and model.cv.n_splits == 5


def test_gradient_boosting_has_scikit_learns_defaults():
  expected = vars(ensemble.GradientBoostingClassifier())
  assert vars(predictors.gradient_boosting_classifier()) == expected


@pytest.mark.parametrize(
  ("version", "kind"),
  [
    ("1.9.1", boosted_trees.GradientBoostingClassifier),
    ("1.8.2", ensemble.GradientBoostingClassifier),
    ("1.10.0", ensemble.GradientBoostingClassifier),
  ],
)
def test_other_versions_of_scikit_learn_grow_their_own_trees(version, kind, monkeypatch):
  monkeypatch.setattr(predictors.sklearn, "__version__", version)
  assert type(predictors.gradient_boosting_classifier()) is kind


@pytest.mark.parametrize(
  "predictor_fn",
  [
    predictors.gradient_boosting_classifier,
    predictors.extra_trees_classifier,
    predictors.logistic_regression_cv,
  ],
)
def test_seed_goes_to_the_classifier(predictor_fn):
  assert predictors.make_classifier(predictor_fn, 7).get_params()["random_state"] == 7


def test_scores_are_scikit_learns():
  x_train, y_train, x_test, y_test = splits()
  scores = predictors.score_factors(
    predictors.gradient_boosting_classifier, x_train, y_train, x_test, y_test, 5, True
  )
  for i in range(2):
    model = ensemble.GradientBoostingClassifier(random_state=5).fit(x_train, y_train[:, i])
    assert scores.train_score[i] == np.mean(model.predict(x_train) == y_train[:, i])
    assert scores.test_score[i] == np.mean(model.predict(x_test) == y_test[:, i])
    np.testing.assert_array_equal(scores.importance[:, i], model.feature_importances_)


@pytest.mark.slow
def test_logistic_regression_is_scikit_learns():
  x_train, y_train, x_test, y_test = splits()
  scores = predictors.score_factors(
    predictors.logistic_regression_cv, x_train, y_train, x_test, y_test, 0
  )
  assert scores.importance is None
  for i in range(2):
    model = linear_model.LogisticRegressionCV(
      Cs=10,
      cv=model_selection.KFold(5),
      scoring="accuracy",
      l1_ratios=(0,),
      use_legacy_attributes=True,
    ).fit(x_train, y_train[:, i])
    assert scores.test_score[i] == model.score(x_test, y_test[:, i])


@pytest.mark.slow
def test_logistic_regression_bears_a_value_that_one_fold_lacks():
  x, y = points(num_points=20, num_values=(2, 9))
  y[:, 0] = 0
  y[-1, 0] = 1
  scores = predictors.score_factors(predictors.logistic_regression_cv, x, y, x, y, 0)
  assert np.isfinite(scores.test_score).all()


@pytest.mark.slow
def test_processes_give_the_same_scores(monkeypatch):
  task = (predictors.gradient_boosting_classifier, *splits(), 1, True)
  serial = predictors.score_factors(*task)
  monkeypatch.setattr(predictors, "PARALLEL_POINTS", 1)
  monkeypatch.setattr(predictors.joblib, "cpu_count", lambda: 2)
  parallel = predictors.score_factors(*task)
  for one, other in zip(serial, parallel, strict=True):
    np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_permutation_importance_finds_the_latent_that_matters():
  random_state = np.random.RandomState(0)
  y = random_state.randint(3, size=(100, 1))
  x = random_state.standard_normal((100, 4))
  x[:, 2] += 9 * y[:, 0]
  task = (predictors.logistic_regression_cv, x, y, x, y, 0, True)
  importance = predictors.score_factors(*task).importance
  assert importance.shape == (4, 1)
  assert importance[2, 0] > 0.9
  assert importance.sum() == pytest.approx(1)
  assert (importance >= 0).all()
  np.testing.assert_array_equal(importance, predictors.score_factors(*task).importance)


def test_extra_trees_agree_with_boosted_trees():
  x, y = points(num_points=600, num_latent=4)
  half = (x[:300], y[:300], x[300:], y[300:], 0, True)
  trees = predictors.score_factors(predictors.gradient_boosting_classifier, *half)
  extra = predictors.score_factors(predictors.extra_trees_classifier, *half)
  np.testing.assert_allclose(extra.test_score, trees.test_score, atol=0.1)
  np.testing.assert_array_equal(np.argmax(extra.importance, 0), np.argmax(trees.importance, 0))


@pytest.mark.parametrize(
  "predictor_fn",
  [
    predictors.gradient_boosting_classifier,
    predictors.extra_trees_classifier,
    predictors.logistic_regression_cv,
  ],
)
def test_constant_latents_have_no_importance(predictor_fn):
  _, y = points(num_points=60)
  x = np.zeros((60, 3))
  scores = predictors.score_factors(predictor_fn, x, y, x, y, 0, True)
  np.testing.assert_array_equal(scores.importance, 0)
  most_frequent = [np.bincount(column).max() / 60 for column in y.T]
  np.testing.assert_allclose(scores.test_score, most_frequent)


def test_factor_of_one_value_needs_no_latent():
  x, y = points()
  y[:, 1] = 2
  scores = predictors.score_factors(
    predictors.gradient_boosting_classifier, x, y, x, y, 0, with_importance=True
  )
  assert scores.test_score[1] == scores.train_score[1] == 1
  np.testing.assert_array_equal(scores.importance[:, 1], 0)


def test_value_that_only_the_test_points_have_counts_as_wrong():
  x_train, y_train, x_test, y_test = splits(num_values=(2, 2))
  y_test[:] = 7
  scores = predictors.score_factors(
    predictors.gradient_boosting_classifier, x_train, y_train, x_test, y_test, 0
  )
  np.testing.assert_array_equal(scores.test_score, 0)


def test_tasks_have_points_of_their_own():
  x, y = points()
  tasks = [(x, y[:, 0], x, y[:, 0], False), (x[:50], y[:50, 1], x, y[:, 1], False)]
  scores = predictors.score_tasks(predictors.gradient_boosting_classifier, tasks, 0)
  model = ensemble.GradientBoostingClassifier(random_state=0).fit(x[:50], y[:50, 1])
  assert scores.test_score[1] == model.score(x, y[:, 1])


def test_counterparts_of_classifiers_have_their_settings():
  forest = functools.partial(ensemble.RandomForestClassifier, 7, max_depth=3)
  regressor = predictors.make_regressor(forest, None, 5)
  assert isinstance(regressor, ensemble.RandomForestRegressor)
  found = regressor.get_params()
  assert (found["n_estimators"], found["max_depth"], found["random_state"]) == (7, 3, 5)
  assert found["max_features"] == 1.0 and found["criterion"] == "squared_error"
  chosen = functools.partial(ensemble.RandomForestClassifier, max_features=0.3)
  assert predictors.make_regressor(chosen, None, 5).max_features == 0.3
  extra = predictors.make_regressor(predictors.extra_trees_classifier, None, 0)
  assert isinstance(extra, ensemble.ExtraTreesRegressor)
  assert extra.min_samples_leaf == 20


def test_importance_of_a_regressor_without_one_is_by_permutation():
  x = points(num_points=200)[0]
  target = 3 * x[:, :1] + 0.25
  scores = predictors.score_factors(
    predictors.logistic_regression_cv, x, target, x, target, 0, with_importance=True
  )
  np.testing.assert_allclose(scores.importance[:, 0], [1, *np.zeros(x.shape[1] - 1)], atol=1e-3)
  assert scores.test_score[0] == pytest.approx(1, abs=1e-3)


def test_fitted_classifiers_predict():
  x, y = points()
  y[:, 1] = 3
  models = predictors.fit_factors(predictors.gradient_boosting_classifier, x, y, 0)
  assert np.mean(models[0].predict(x) == y[:, 0]) > 0.9
  np.testing.assert_array_equal(models[1].predict(x), 3)
  np.testing.assert_array_equal(models[1].classes_, [3])
