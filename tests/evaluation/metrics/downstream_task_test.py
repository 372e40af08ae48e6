import json

import gin
import numpy as np
import pytest
from sklearn import ensemble
from sklearn import linear_model
from sklearn import tree

from dl_condind.data.ground_truth import dummy_data
from dl_condind.evaluation.metrics import downstream_task
from dl_condind.evaluation.probes import predictors
from dl_condind.utils import seeds

LOGISTIC = predictors.logistic_regression_cv
TREES = predictors.gradient_boosting_classifier


@pytest.fixture(autouse=True)
def clear_gin():
  yield
  gin.clear_config()


def points(num_points=150, num_latent=3, num_values=(2, 3, 4)):
  random_state = np.random.RandomState(0)
  factors = np.stack([random_state.randint(n, size=num_points) for n in num_values], axis=1)
  mix = random_state.standard_normal((len(num_values), num_latent))
  return factors @ mix + random_state.standard_normal((num_points, num_latent)), factors


def splits(**options):
  x, y = points(**options)
  return x[:100], y[:100], x[100:], y[100:]


def compute(representation_function, data=None, **options):
  return downstream_task.compute_downstream_task(
    dummy_data.IdentityObservationsData() if data is None else data,
    representation_function,
    np.random.RandomState(0),
    **options,
  )


def bind_decision_tree():
  """Binds a predictor that is fitted at once."""
  with gin.unlock_config():
    gin.bind_parameter("predictor.predictor_fn", tree.DecisionTreeClassifier)


def test_more_points_help_the_identity_representation():
  bind_decision_tree()
  results = compute(lambda x: np.array(x, dtype=np.float64), num_train=[10, 150], num_test=300)
  assert results["10:mean_test_accuracy"] + 0.1 < results["150:mean_test_accuracy"]
  json.dumps(results, allow_nan=False)


@pytest.mark.slow
def test_constant_representation_does_no_better_than_guessing():
  gin.parse_config("predictor.predictor_fn = @gradient_boosting_classifier")
  results = compute(lambda x: np.zeros(x.shape), num_train=[50], num_test=500)
  assert results["50:mean_test_accuracy"] == pytest.approx(0.1, abs=0.05)


@pytest.mark.slow
def test_identity_representation_is_predicted_by_trees():
  gin.parse_config("predictor.predictor_fn = @gradient_boosting_classifier")
  results = compute(lambda x: np.array(x, dtype=np.float64), num_train=[300], num_test=300)
  assert results["300:min_test_accuracy"] >= 0.9


def test_accuracies_are_those_of_a_literal_use_of_scikit_learn():
  x_train, y_train, x_test, y_test = splits()
  results = downstream_task.downstream_scores(x_train, y_train, x_test, y_test, TREES, seed=4)
  train, test = [], []
  for i in range(3):
    model = ensemble.GradientBoostingClassifier(random_state=4).fit(x_train, y_train[:, i])
    train.append(np.mean(model.predict(x_train) == y_train[:, i]))
    test.append(np.mean(model.predict(x_test) == y_test[:, i]))
  assert results == {
    "mean_train_accuracy": np.mean(train),
    "mean_test_accuracy": np.mean(test),
    "min_train_accuracy": np.min(train),
    "min_test_accuracy": np.min(test),
    **{f"train_accuracy_factor_{i}": train[i] for i in range(3)},
    **{f"test_accuracy_factor_{i}": test[i] for i in range(3)},
    "constant_factors": [],
  }


def test_protocol_draws_train_and_test_points_of_each_size():
  bind_decision_tree()
  data = dummy_data.IdentityObservationsData()
  results = compute(lambda x: x, data, num_train=[20, 30], num_test=18, batch_size=10)
  random_state = np.random.RandomState(0)
  seed = seeds.seed_from(random_state)
  expected = {}
  for size, batches in ((20, (10, 10)), (30, (10, 10, 10))):
    train = np.concatenate([data.sample_factors(batch, random_state) for batch in batches])
    test = np.concatenate([data.sample_factors(batch, random_state) for batch in (10, 8)])
    found = downstream_task.downstream_scores(
      train, train, test, test, tree.DecisionTreeClassifier, seed
    )
    expected |= {f"{size}:{key}": value for key, value in found.items()}
  assert results == expected


def test_constant_factor_is_left_out():
  x_train, y_train, x_test, y_test = splits()
  y_train[:, 1] = 2
  results = downstream_task.downstream_scores(x_train, y_train, x_test, y_test, LOGISTIC)
  assert results["constant_factors"] == [1]
  assert "test_accuracy_factor_1" not in results
  both = [results["test_accuracy_factor_0"], results["test_accuracy_factor_2"]]
  assert results["mean_test_accuracy"] == np.mean(both)


def test_value_missing_from_the_train_points_counts_as_wrong():
  x_train, y_train, x_test, y_test = splits()
  y_test[:, 0] = 9
  results = downstream_task.downstream_scores(x_train, y_train, x_test, y_test, TREES)
  assert results["test_accuracy_factor_0"] == results["min_test_accuracy"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("num_latent", [1, 7])
def test_number_of_latents_need_not_be_that_of_factors(num_latent):
  results = downstream_task.downstream_scores(*splits(num_latent=num_latent), predictor_fn=LOGISTIC)
  assert 0 <= results["min_test_accuracy"] <= results["mean_test_accuracy"] <= 1


@pytest.mark.parametrize(
  ("change", "message"),
  [
    (lambda x, y: (np.full_like(x, np.inf), y), "train representations have 300 of 300 values"),
    (lambda x, y: (x[1:], y), "got 99 and 100 rows"),
    (lambda x, y: (x, np.zeros_like(y)), "downstream_task has nothing to score"),
    (lambda x, y: (x[:4], y[:4]), "at least 5 points"),
  ],
)
def test_points_that_cannot_be_scored_are_refused(change, message):
  x_train, y_train, x_test, y_test = splits()
  with pytest.raises(ValueError, match=message):
    downstream_task.downstream_scores(*change(x_train, y_train), x_test, y_test, LOGISTIC)


@pytest.mark.slow
def test_continuous_factor_has_r2_and_the_others_keep_their_accuracies():
  x_train, y_train, x_test, y_test = splits()
  discrete = downstream_task.downstream_scores(x_train, y_train, x_test, y_test, TREES)
  assert not any("r2" in key for key in discrete)
  moved = [np.insert(y.astype(float), 3, np.sqrt(y[:, 2] + 0.5), axis=1) for y in (y_train, y_test)]
  results = downstream_task.downstream_scores(x_train, moved[0], x_test, moved[1], TREES)
  assert {key: results[key] for key in discrete} == discrete
  target, unseen = ((y[:, 3] - moved[0][:, 3].mean()) / moved[0][:, 3].std() for y in moved)
  model = ensemble.GradientBoostingRegressor(random_state=0).fit(x_train, target)
  expected = model.score(x_test, unseen)
  for key in ("mean_test_r2", "min_test_r2", "test_r2_factor_3"):
    assert results[key] == pytest.approx(expected, abs=1e-9)
  assert results["train_r2_factor_3"] > results["test_r2_factor_3"]


def test_linear_classifier_comes_with_a_linear_regressor():
  x_train, y_train, x_test, y_test = splits()
  y_train, y_test = y_train[:, 2:] + 0.5, y_test[:, 2:] + 0.5
  results = downstream_task.downstream_scores(x_train, y_train, x_test, y_test, LOGISTIC)
  assert results["mean_test_accuracy"] is results["min_test_accuracy"] is None
  model = linear_model.RidgeCV().fit(x_train, y_train[:, 0])
  assert results["mean_test_r2"] == pytest.approx(model.score(x_test, y_test[:, 0]), abs=0.01)


def test_gin_binds_the_regressor():
  gin.parse_config(
    "downstream_task.num_train = [50]\ndownstream_task.num_test = 30\n"
    "predictor.predictor_fn = @extra_trees_classifier\npredictor.regressor_fn = @ridge_cv"
  )

  class Halves(dummy_data.IdentityObservationsData):
    def sample_factors(self, num, random_state):
      return super().sample_factors(num, random_state) + 0.5

    def sample_observations_from_factors(self, factors, random_state):
      return factors

  results = compute(lambda x: x, Halves())
  assert results["50:mean_test_r2"] > 0.999  # Of a linear model; trees are far below.


@pytest.mark.slow
def test_gin_binds_the_parameters():
  gin.parse_config(
    "downstream_task.num_train = [20]\ndownstream_task.num_test = 30\n"
    "predictor.predictor_fn = @gradient_boosting_classifier"
  )
  results = compute(lambda x: x[:, :3, 0, 0], dummy_data.DummyData())
  assert {"20:mean_train_accuracy", "20:test_accuracy_factor_9"} <= results.keys()
