import json

import gin
import numpy as np
import pytest
from sklearn import ensemble

from dl_condind.data.ground_truth import dummy_data
from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.evaluation.metrics import strong_downstream_task
from dl_condind.evaluation.probes import predictors
from dl_condind.utils import errors
from dl_condind.utils import seeds


class SmallData(ground_truth_data.GroundTruthData):
  """Observations that are the factors themselves."""

  def __init__(self, *num_values):
    names = [f"factor_{i}" for i in range(len(num_values))]
    super().__init__("small_data", names, num_values, (len(num_values),))

  def sample_factors(self, num, random_state):
    return np.stack([random_state.randint(n, size=num) for n in self.factors_num_values], axis=1)

  def sample_observations_from_factors(self, factors, random_state):
    return factors.astype(np.float32)


class IncompleteData(SmallData):
  has_complete_grid = False


@pytest.fixture(autouse=True)
def configuration():
  gin.parse_config("predictor.predictor_fn = @gradient_boosting_classifier")
  yield
  gin.clear_config()


def compute(representation_function, data, num_train=(150,), num_test=200, n_experiment=2, seed=0):
  return strong_downstream_task.compute_strong_downstream_task(
    data,
    representation_function,
    np.random.RandomState(seed),
    num_train=num_train,
    num_test=num_test,
    n_experiment=n_experiment,
  )


@pytest.mark.slow
def test_identity_representation_generalizes():
  results = compute(lambda x: x, SmallData(4, 5, 3))
  assert results["150:mean_test_accuracy"] >= 0.99
  assert results["150:mean_strong_test_accuracy"] >= 0.99
  assert results["150:strong_generalization_gap"] == pytest.approx(0, abs=0.01)


@pytest.mark.slow
def test_mixed_latents_generalize_worse():
  mix = np.array([[1.0, 1.0], [1.0, -1.0]])
  results = compute(lambda x: x @ mix, SmallData(4, 5), n_experiment=4)
  assert results["150:mean_strong_train_accuracy"] >= 0.99
  assert results["150:strong_generalization_gap"] >= 0.2


def test_constant_representation_guesses():
  results = compute(lambda x: np.zeros((len(x), 3)), SmallData(4, 4))
  assert results["150:mean_strong_test_accuracy"] == pytest.approx(0.25, abs=0.1)


def test_shift_takes_its_draws_from_the_random_state():
  random_state = np.random.RandomState(5)
  y = np.full((1000, 3), 7)
  train, test = strong_downstream_task.shift_factor(y, y, 1, [4, 5, 3], random_state)
  expected = np.random.RandomState(5)
  shifted = expected.choice([0, 2])
  values = list(range([4, 5, 3][shifted]))
  train_value = expected.choice(values)
  values.remove(train_value)
  np.testing.assert_array_equal(train[:, shifted], train_value)
  np.testing.assert_array_equal(test[:, shifted], expected.choice(values, size=1000))
  assert set(test[:, shifted]) == set(values)
  others = [i for i in range(3) if i != shifted]
  np.testing.assert_array_equal(train[:, others], 7)
  np.testing.assert_array_equal(test[:, others], 7)
  np.testing.assert_array_equal(y, 7)


def test_factor_of_one_value_is_not_shifted():
  y = np.zeros((4, 3), dtype=int)
  for seed in range(10):
    random_state = np.random.RandomState(seed)
    train, test = strong_downstream_task.shift_factor(y, y, 0, [3, 1, 2], random_state)
    np.testing.assert_array_equal(train[:, 2] + test[:, 2], 1)


@pytest.mark.slow
def test_results_are_those_of_a_literal_recomputation():
  data, mix = SmallData(3, 4), np.array([[1.0, 0.3], [0.2, 1.0]])
  results = compute(lambda x: x @ mix, data, num_train=[30, 40], num_test=50, seed=2)
  random_state = np.random.RandomState(2)
  seed = seeds.seed_from(random_state)

  def accuracy(train, test, i):
    model = ensemble.GradientBoostingClassifier(random_state=seed).fit(train @ mix, train[:, i])
    return model.score(train @ mix, train[:, i]), model.score(test @ mix, test[:, i])

  for size in (30, 40):
    train = data.sample_factors(size, random_state)
    test = data.sample_factors(50, random_state)
    plain = np.mean([accuracy(train, test, i) for i in range(2)], axis=0)
    strong = []
    for i in range(2):
      for _ in range(2):
        shifted = strong_downstream_task.shift_factor(train, test, i, [3, 4], random_state)
        strong.append(accuracy(*shifted, i))
    strong = np.mean(strong, axis=0)
    assert results[f"{size}:mean_train_accuracy"] == pytest.approx(plain[0], abs=1e-12)
    assert results[f"{size}:mean_test_accuracy"] == pytest.approx(plain[1], abs=1e-12)
    assert results[f"{size}:mean_strong_train_accuracy"] == pytest.approx(strong[0], abs=1e-12)
    assert results[f"{size}:mean_strong_test_accuracy"] == pytest.approx(strong[1], abs=1e-12)
    gap = results[f"{size}:strong_generalization_gap"]
    assert gap == pytest.approx(1 - strong[1] / plain[1], abs=1e-12)


@pytest.mark.slow
def test_results_do_not_depend_on_numpys_global_state():
  results = []
  for seed in (1, 2):
    np.random.seed(seed)
    results.append(compute(lambda x: x, SmallData(3, 3), num_train=[30], num_test=30))
  assert results[0] == results[1]


@pytest.mark.slow
def test_factor_of_one_value_is_not_predicted():
  results = compute(lambda x: x, SmallData(4, 1, 3), num_train=[60], num_test=60)
  json.dumps(results, allow_nan=False)


def test_gap_without_a_right_prediction_is_none():
  nothing = predictors.Scores(np.zeros(2), np.zeros(2), None)
  gap = strong_downstream_task._compare(nothing, nothing)["strong_generalization_gap"]
  assert gap is None


@pytest.mark.parametrize(
  ("data", "message"),
  [
    (
      IncompleteData(3, 3),
      "sets single factors, so it needs a complete grid",
    ),
    (SmallData(3), "strong_downstream_task tells factors apart, small_data has 1"),
    (SmallData(3, 1), "small_data does not have two factors that vary"),
  ],
)
def test_data_that_cannot_be_shifted_is_refused(data, message):
  with pytest.raises(errors.ConfigError, match=message):
    compute(lambda x: x, data)


@pytest.mark.parametrize(
  ("options", "message"),
  [
    ({"num_train": [4]}, "num_train must be a whole number of at least 5"),
    ({"num_test": 0}, "num_test must be a whole number of at least 1"),
    ({"n_experiment": 0}, "n_experiment must be a whole number of at least 1"),
  ],
)
def test_counts_are_checked(options, message):
  with pytest.raises(errors.ConfigError, match=message):
    compute(lambda x: x, SmallData(3, 3), **options)


def test_non_finite_representation_is_refused():
  with pytest.raises(errors.ConfigError, match="not finite"):
    compute(lambda x: np.full((len(x), 2), np.nan), SmallData(3, 3))


@pytest.mark.slow
def test_protocol_on_dummy_data():
  gin.parse_config(
    "strong_downstream_task.num_train = [20]\nstrong_downstream_task.num_test = 10\n"
    "strong_downstream_task.n_experiment = 1"
  )
  results = strong_downstream_task.compute_strong_downstream_task(
    dummy_data.DummyData(), lambda x: x[:, :2, 0, 0], np.random.RandomState(0)
  )
  assert len(results) == 5
