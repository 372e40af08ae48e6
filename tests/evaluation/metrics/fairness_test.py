import json

import gin
import numpy as np
import pytest
from sklearn import ensemble

from dl_condind.data.ground_truth import dummy_data
from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.evaluation.metrics import fairness
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


def compute(representation_function, data, num_train=200, num_test=50, seed=0, batch_size=16):
  return fairness.compute_fairness(
    data,
    representation_function,
    np.random.RandomState(seed),
    None,
    num_train,
    num_test,
    batch_size,
  )


def test_identity_representation_is_fair():
  results = compute(lambda x: x, SmallData(3, 4, 2))
  assert results["max_fairness:max_pred:max_sens"] <= 0.01


def test_constant_representation_is_fair():
  results = compute(lambda x: np.zeros((len(x), 2)), SmallData(3, 4))
  assert results["max_fairness:max_pred:max_sens"] == 0


def test_latent_that_mixes_factors_is_unfair():
  results = compute(lambda x: x[:, :1] + x[:, 1:], SmallData(3, 3))
  assert results["mean_fairness:mean_pred:mean_sens"] >= 0.2


def test_distances_in_closed_form():
  # All: 1/3 and 2/3. The first group: 0 and 1; the second, twice as large: 1/2 and 1/2.
  mean, largest = fairness.group_distances(np.array([[0, 100], [100, 100]]))
  assert mean == pytest.approx(2 / 9, abs=1e-15)
  assert largest == pytest.approx(1 / 3, abs=1e-15)


def test_distances_of_one_group_are_zero():
  assert fairness.group_distances([[3], [4]]) == (0, 0)


def test_empty_group_is_an_error():
  with pytest.raises(ValueError, match="counts must have a prediction in each group"):
    fairness.group_distances([[0, 3], [0, 4]])


def test_summary_of_known_pairs():
  scores = np.array([[np.nan, 2.0, 4.0], [4.0, np.nan, 8.0], [2.0, 10.0, np.nan]])
  assert fairness.summarize(scores) == pytest.approx(
    {
      "pred0:sens1": 2,
      "pred0:sens2": 4,
      "pred1:sens0": 4,
      "pred1:sens2": 8,
      "pred2:sens0": 2,
      "pred2:sens1": 10,
      "pred0:mean_sens": 3,
      "pred0:max_sens": 4,
      "pred1:mean_sens": 6,
      "pred1:max_sens": 8,
      "pred2:mean_sens": 6,
      "pred2:max_sens": 10,
      "sens0:mean_pred": 3,
      "sens0:max_pred": 4,
      "sens1:mean_pred": 6,
      "sens1:max_pred": 10,
      "sens2:mean_pred": 6,
      "sens2:max_pred": 8,
      "mean_sens:mean_pred": 5,
      "mean_sens:max_pred": 22 / 3,
      "max_sens:mean_pred": 6,
      "max_sens:max_pred": 10,
      "mean_pred:mean_sens": 5,
      "mean_pred:max_sens": 22 / 3,
      "max_pred:mean_sens": 6,
      "max_pred:max_sens": 10,
    }
  )


def test_results_are_those_of_a_literal_recomputation():
  data, mix = SmallData(3, 4), np.array([[1.0, 0.4], [0.7, 1.0]], np.float32)
  results = compute(lambda x: x @ mix, data, 60, 30, seed=3, batch_size=25)
  random_state = np.random.RandomState(3)
  seed = seeds.seed_from(random_state)
  train = np.concatenate([data.sample_factors(size, random_state) for size in (25, 25, 10)])
  for target, sensitive in ((0, 1), (1, 0)):
    model = ensemble.GradientBoostingClassifier(random_state=seed)
    model.fit(train.astype(np.float32) @ mix, train[:, target])
    factors = data.sample_factors(30, random_state)
    counts = np.zeros((data.factors_num_values[target], data.factors_num_values[sensitive]))
    for value in range(data.factors_num_values[sensitive]):
      factors[:, sensitive] = value
      for prediction in model.predict(factors.astype(np.float32) @ mix):
        counts[prediction, value] += 1
    overall = counts.sum(axis=1) / counts.sum()
    distances = [np.abs(column / 30 - overall).sum() / 2 for column in counts.T]
    pair = f"pred{target}:sens{sensitive}"
    assert results[f"mean_fairness:{pair}"] == pytest.approx(np.mean(distances), abs=1e-14)
    assert results[f"max_fairness:{pair}"] == pytest.approx(np.max(distances), abs=1e-14)


def test_factor_of_one_value_is_fair_and_harmless():
  results = compute(lambda x: x, SmallData(3, 1))
  assert results["max_fairness:pred1:sens0"] == 0  # always predicted
  assert results["max_fairness:pred0:sens1"] == 0  # of one group
  json.dumps(results, allow_nan=False)


@pytest.mark.slow
def test_values_may_start_at_one():
  results = fairness.compute_fairness(
    dummy_data.IdentityObservationsData(),
    lambda x: np.array(x[:, :2], dtype=np.float64),
    np.random.RandomState(0),
    num_train=30,
    num_test_points_per_class=10,
  )
  assert results["max_fairness:max_pred:max_sens"] <= 1


@pytest.mark.parametrize(
  ("data", "message"),
  [
    (IncompleteData(3, 3), "fairness sets single factors, so it needs a complete grid"),
    (SmallData(3), "fairness tells factors apart, small_data has 1"),
  ],
)
def test_data_that_cannot_be_set_is_refused(data, message):
  with pytest.raises(errors.ConfigError, match=message):
    compute(lambda x: x, data)


def test_counts_are_checked():
  with pytest.raises(errors.ConfigError, match=r"fairness\.num_train must be .* at least 5"):
    compute(lambda x: x, SmallData(3, 3), num_train=4)
  with pytest.raises(errors.ConfigError, match=r"fairness\.num_test_points_per_class must be"):
    compute(lambda x: x, SmallData(3, 3), num_test=0)


def test_non_finite_representation_is_refused():
  with pytest.raises(errors.ConfigError, match="not finite"):
    compute(lambda x: np.full((len(x), 2), np.inf), SmallData(3, 3))


@pytest.mark.slow
def test_protocol_on_dummy_data():
  gin.parse_config(
    "fairness.num_train = 20\nfairness.num_test_points_per_class = 3\n"
    "predictor.predictor_fn = @extra_trees_classifier"
  )
  results = fairness.compute_fairness(
    dummy_data.DummyData(), lambda x: x[:, :2, 0, 0], np.random.RandomState(0)
  )
  assert len(results) == 2 * (90 + 40 + 8)
  json.dumps(results, allow_nan=False)
