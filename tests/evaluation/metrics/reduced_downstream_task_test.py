import json

import gin
import numpy as np
import pytest
from sklearn import ensemble
from sklearn import tree

from dl_condind.data.ground_truth import dummy_data
from dl_condind.evaluation.metrics import reduced_downstream_task
from dl_condind.evaluation.probes import predictors

TREES = predictors.gradient_boosting_classifier
CONFIG = """
reduced_representation.correlation_measure = @factorwise_dci
predictor.predictor_fn = @gradient_boosting_classifier
"""


@pytest.fixture(autouse=True)
def configuration():
  gin.parse_config(CONFIG)
  yield
  gin.clear_config()


def splits(num_values=(2, 3), num_latent=3):
  random_state = np.random.RandomState(0)
  y = np.stack([random_state.randint(n, size=160) for n in num_values], axis=1)
  mix = random_state.standard_normal((len(num_values), num_latent))
  x = y @ mix + 0.5 * random_state.standard_normal((160, num_latent))
  return x[:100], y[:100], x[100:], y[100:]


def identity_splits(num_factors=3):
  random_state = np.random.RandomState(0)
  y = random_state.randint(4, size=(400, num_factors))
  x = y.astype(np.float64)
  return x[:200], y[:200], x[200:], y[200:]


def reduced(x_train, y_train, x_test, y_test, num_to_remove=1, **options):
  options = {"remove_fn": reduced_downstream_task.most_important_latent, **options}
  return reduced_downstream_task.reduced_accuracies(
    x_train, y_train, x_test, y_test, num_to_remove, TREES, **options
  )


@pytest.mark.slow
def test_identity_representation_loses_the_removed_factor_only():
  results = reduced(*identity_splits())
  assert results["mean_test_accuracy_reduced_factor"] <= 0.45
  assert results["mean_test_accuracy_other_factors"] >= 0.95


@pytest.mark.slow
def test_duplicated_latents_lose_nothing():
  x_train, y_train, x_test, y_test = identity_splits()
  x_train, x_test = np.repeat(x_train, 2, axis=1), np.repeat(x_test, 2, axis=1)
  results = reduced(x_train, y_train, x_test, y_test)
  assert results["mean_test_accuracy_reduced_factor"] >= 0.95


def test_results_are_those_of_a_literal_recomputation():
  x_train, y_train, x_test, y_test = splits()
  results = reduced(x_train, y_train, x_test, y_test, num_to_remove=2, seed=6)
  for removed in range(2):
    reduced_train, reduced_test = x_train, x_test
    for _ in range(2):
      model = ensemble.GradientBoostingClassifier(random_state=6)
      best = np.argmax(model.fit(reduced_train, y_train[:, removed]).feature_importances_)
      reduced_train = np.delete(reduced_train, best, axis=1)
      reduced_test = np.delete(reduced_test, best, axis=1)
    accuracy = []
    for i in range(2):
      model = ensemble.GradientBoostingClassifier(random_state=6)
      accuracy.append(model.fit(reduced_train, y_train[:, i]).score(reduced_test, y_test[:, i]))
    prefix = f"reduced_factor_{removed}:mean_test_accuracy"
    assert [results[f"{prefix}_factor_{i}"] for i in range(2)] == accuracy
    assert results[f"{prefix}_reduced_factor"] == accuracy[removed]
    assert results[f"{prefix}_non_reduced_factor"] == pytest.approx(accuracy[1 - removed])


@pytest.mark.slow
def test_means_are_over_the_removed_factors():
  results = reduced(*splits((2, 3, 2)))
  for split in ("train", "test"):
    own, others = [], []
    for removed in range(3):
      prefix = f"reduced_factor_{removed}:mean_{split}_accuracy_factor"
      values = [results[f"{prefix}_{i}"] for i in range(3)]
      own.append(values.pop(removed))
      others.append(np.mean(values))
    assert results[f"mean_{split}_accuracy_reduced_factor"] == pytest.approx(np.mean(own))
    assert results[f"mean_{split}_accuracy_other_factors"] == pytest.approx(np.mean(others))


@pytest.mark.slow
def test_nothing_removed_leaves_the_downstream_task():
  x_train, y_train, x_test, y_test = splits()
  results = reduced(x_train, y_train, x_test, y_test, num_to_remove=0)
  scores = predictors.score_factors(TREES, x_train, y_train, x_test, y_test, 0)
  assert results["reduced_factor_1:mean_test_accuracy_factor_0"] == scores.test_score[0]


def test_measure_sees_one_factor_and_every_latent_that_is_left():
  shapes = []

  def measure(x_train, y_train, x_test, y_test, seed):
    shapes.append((x_train.shape[1], y_train.shape[1], x_test.shape[1], y_test.shape[1], seed))
    return np.arange(x_train.shape[1])[:, None]

  with gin.unlock_config():
    gin.bind_parameter("reduced_representation.correlation_measure", measure)
  reduced(*splits(), num_to_remove=2, seed=5)
  assert shapes == [(3, 1, 3, 1, 5), (2, 1, 2, 1, 5)] * 2


def test_factorwise_dci_is_the_matrix_of_dci():
  x_train, y_train, x_test, y_test = splits()
  importance = reduced_downstream_task.factorwise_dci(x_train, y_train, x_test, y_test, seed=2)
  model = ensemble.GradientBoostingClassifier(random_state=2).fit(x_train, y_train[:, 1])
  np.testing.assert_array_equal(importance[:, 1], model.feature_importances_)


def test_constant_factor_is_left_out():
  x_train, y_train, x_test, y_test = splits((2, 3, 2))
  y_train[:, 1] = 0
  results = reduced(x_train, y_train, x_test, y_test)
  assert results["constant_factors"] == [1]
  assert not any("factor_1" in key for key in results)
  assert "reduced_factor_2:mean_train_accuracy_factor_0" in results
  json.dumps(results, allow_nan=False)


@pytest.mark.parametrize("num_to_remove", [3, -1, 1.0])
def test_number_to_remove_is_checked(num_to_remove):
  with pytest.raises(ValueError, match=r"reduced_downstream_task\.num_factors_to_remove must be"):
    reduced(*splits(), num_to_remove=num_to_remove)


def test_points_that_cannot_be_scored_are_refused():
  x_train, y_train, x_test, y_test = splits()
  with pytest.raises(ValueError, match="compares a factor with the others, and only factor 1"):
    reduced(x_train, y_train * [0, 1], x_test, y_test)
  with pytest.raises(ValueError, match="test representations have 1 of 180 values"):
    x_test[0, 0] = np.nan
    reduced(x_train, y_train, x_test, y_test)


def test_protocol():
  gin.parse_config(
    "reduced_downstream_task.num_train = [30]\nreduced_downstream_task.num_test = 30\n"
    "reduced_downstream_task.num_factors_to_remove = 1\n"
    "factorwise_dci.predictor_fn = @extra_trees_classifier"
  )
  with gin.unlock_config():
    gin.bind_parameter("predictor.predictor_fn", tree.DecisionTreeClassifier)
  results = reduced_downstream_task.compute_reduced_downstream_task(
    dummy_data.DummyData(), lambda x: x[:, :3, 0, 0], np.random.RandomState(0)
  )
  assert {
    "30:mean_train_accuracy_reduced_factor",
    "30:mean_test_accuracy_other_factors",
    "30:reduced_factor_9:mean_test_accuracy_non_reduced_factor",
    "30:reduced_factor_0:mean_train_accuracy_factor_9",
  } <= results.keys()
  json.dumps(results, allow_nan=False)
