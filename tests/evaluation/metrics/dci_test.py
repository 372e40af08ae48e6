import json

import gin
import numpy as np
import pytest
from sklearn import ensemble
from sklearn import tree

from dl_condind.data.ground_truth import dummy_data
from dl_condind.evaluation.metrics import dci
from dl_condind.evaluation.probes import predictors
from dl_condind.utils import errors
from dl_condind.utils import seeds

FAST = predictors.extra_trees_classifier
FIVE = np.diag(5.0 * np.ones(5))


@pytest.fixture(autouse=True)
def clear_gin():
  yield
  gin.clear_config()


class Permute:
  """Puts the values of each observation in a random order."""

  def __init__(self):
    self.random_state = np.random.RandomState(0)

  def __call__(self, observations):
    return np.array([self.random_state.permutation(row) for row in observations], np.float64)


def score(representation_function, num_train=500, **options):
  return dci.compute_dci(
    dummy_data.IdentityObservationsData(),
    representation_function,
    np.random.RandomState(0),
    num_train=num_train,
    num_test=500,
    **options,
  )


def points(num_points=120, num_latent=4, num_values=(2, 3, 4)):
  random_state = np.random.RandomState(0)
  factors = np.stack([random_state.randint(n, size=num_points) for n in num_values], axis=1)
  mix = random_state.standard_normal((len(num_values), num_latent))
  return factors @ mix + random_state.standard_normal((num_points, num_latent)), factors


def splits(**options):
  x, y = points(**options)
  return x[:80], y[:80], x[80:], y[80:]


def literal_scores(importance):
  """Returns disentanglement and completeness by the formulas of the paper."""

  def weighted(matrix):
    weights = matrix.sum(axis=1)
    weights = weights / weights.sum() if weights.sum() else np.full(len(matrix), 1 / len(matrix))
    total = 0.0
    for row, weight in zip(matrix + 1e-11, weights, strict=True):
      p = row / row.sum()
      total += weight * (1 + np.sum(p * np.log(p)) / np.log(len(p)))
    return total

  return weighted(importance), weighted(importance.T)


@pytest.mark.slow
def test_identity_representation_scores_high():
  results = score(lambda x: np.array(x, dtype=np.float64))
  assert results["disentanglement"] >= 0.9
  assert results["completeness"] >= 0.9
  assert results["informativeness_test"] >= 0.9


@pytest.mark.slow
def test_permuted_representation_scores_low():
  results = score(Permute())
  assert 0 <= results["disentanglement"] <= 0.2
  assert 0 <= results["completeness"] <= 0.2


@pytest.mark.slow
def test_constant_representation_scores_zero():
  results = score(lambda x: np.zeros(x.shape), num_train=100)
  assert results["disentanglement"] == pytest.approx(0, abs=1e-12)
  assert results["completeness"] == pytest.approx(0, abs=1e-12)
  assert results["informativeness_test"] <= 0.2


@pytest.mark.slow
def test_duplicated_latents_are_disentangled_but_incomplete():
  def duplicate(x):
    return np.repeat(np.array(x, dtype=np.float64), 2, axis=1)

  results = score(duplicate, num_train=300)
  assert results["disentanglement"] >= 0.9
  assert results["completeness"] == pytest.approx(1 - np.log(2) / np.log(20), abs=0.1)


@pytest.mark.slow
def test_fast_predictor_ranks_representations_alike():
  identity = score(lambda x: np.array(x, dtype=np.float64), num_train=400, predictor_fn=FAST)
  assert identity["disentanglement"] >= 0.9
  assert identity["completeness"] >= 0.9


@pytest.mark.parametrize(
  ("importance", "disentanglement", "completeness"),
  [
    (FIVE, 1, 1),
    (np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]), 1, 1),
    (np.zeros((10, 10)), 0, 0),
    (np.vstack([FIVE, FIVE]), 1, 1 - np.log(2) / np.log(10)),
    (FIVE[:2], 1, 1),
    (np.hstack([FIVE, FIVE]), 1 - np.log(2) / np.log(10), 1),
  ],
)
def test_scores_of_known_matrices(importance, disentanglement, completeness):
  results = dci.importance_scores(importance)
  # The smallest importance, 1e-11, costs its part of the entropy.
  assert results["disentanglement"] == pytest.approx(disentanglement, abs=1e-8)
  assert results["completeness"] == pytest.approx(completeness, abs=1e-8)


def test_scores_are_those_of_a_literal_use_of_scikit_learn():
  x_train, y_train, x_test, y_test = splits()
  results = dci.dci_scores(x_train, y_train, x_test, y_test, seed=3)
  importance, train, test = np.zeros((4, 3)), [], []
  for i in range(3):
    model = ensemble.GradientBoostingClassifier(random_state=3)
    model.fit(x_train, y_train[:, i])
    importance[:, i] = np.abs(model.feature_importances_)
    train.append(np.mean(model.predict(x_train) == y_train[:, i]))
    test.append(np.mean(model.predict(x_test) == y_test[:, i]))
  disentanglement, completeness = literal_scores(importance)
  np.testing.assert_array_equal(results["importance_matrix"], importance)
  assert results["informativeness_train"] == np.mean(train)
  assert results["informativeness_test"] == np.mean(test)
  assert [results[f"informativeness_test.factor_{i}"] for i in range(3)] == test
  assert results["disentanglement"] == pytest.approx(disentanglement, abs=1e-13)
  assert results["completeness"] == pytest.approx(completeness, abs=1e-13)


def test_protocol_draws_train_then_test_points_and_its_seed_apart():
  data = dummy_data.IdentityObservationsData()
  results = dci.compute_dci(
    data, lambda x: x, np.random.RandomState(1), None, 40, 20, 7, tree.DecisionTreeClassifier
  )
  random_state = np.random.RandomState(1)
  seed = seeds.seed_from(random_state)
  train = [data.sample_factors(size, random_state) for size in (7, 7, 7, 7, 7, 5)]
  test = [data.sample_factors(size, random_state) for size in (7, 7, 6)]
  train, test = np.concatenate(train), np.concatenate(test)
  assert results == dci.dci_scores(train, train, test, test, tree.DecisionTreeClassifier, seed)


@pytest.mark.slow
def test_parts_add_up_to_the_scores():
  results = dci.dci_scores(*splits())
  matrix = np.array(results["importance_matrix"])
  per_code = [results[f"disentanglement.code_{j}"] for j in range(4)]
  per_factor = [results[f"completeness.factor_{i}"] for i in range(3)]
  assert results["disentanglement"] == pytest.approx(
    np.average(per_code, weights=matrix.sum(axis=1)), abs=1e-13
  )
  assert results["completeness"] == pytest.approx(
    np.average(per_factor, weights=matrix.sum(axis=0)), abs=1e-13
  )


@pytest.mark.slow
def test_order_of_latents_and_names_of_values_do_not_matter():
  x_train, y_train, x_test, y_test = splits()
  results = dci.dci_scores(x_train, y_train, x_test, y_test)
  renamed = np.array([9, 11, 20, 21])  # rising, for the order of classes is that of their trees
  other = dci.dci_scores(x_train[:, ::-1], renamed[y_train], x_test[:, ::-1], renamed[y_test])
  assert other["disentanglement"] == pytest.approx(results["disentanglement"], abs=0.01)
  assert other["informativeness_test"] == pytest.approx(results["informativeness_test"], abs=0.05)


@pytest.mark.slow
def test_constant_factor_is_left_out():
  x_train, y_train, x_test, y_test = splits()
  results = dci.dci_scores(x_train, y_train, x_test, y_test)
  with_constant = dci.dci_scores(
    x_train, np.insert(y_train, 1, 3, axis=1), x_test, np.insert(y_test, 1, 3, axis=1)
  )
  assert with_constant["constant_factors"] == [1]
  assert "completeness.factor_1" not in with_constant
  assert with_constant["completeness.factor_2"] == results["completeness.factor_1"]
  np.testing.assert_array_equal(np.array(with_constant["importance_matrix"])[:, 1], 0)
  for key in ("disentanglement", "completeness", "informativeness_test"):
    assert with_constant[key] == results[key]
  json.dumps(with_constant, allow_nan=False)


def test_one_factor_has_no_disentanglement_and_one_latent_no_completeness():
  x_train, y_train, x_test, y_test = splits()
  one_factor = dci.dci_scores(x_train, y_train[:, :1], x_test, y_test[:, :1])
  assert one_factor["disentanglement"] is None
  assert 0 <= one_factor["completeness"] <= 1
  one_latent = dci.dci_scores(x_train[:, :1], y_train, x_test[:, :1], y_test)
  assert one_latent["completeness"] is None
  assert 0 <= one_latent["disentanglement"] <= 1


@pytest.mark.slow
def test_value_missing_from_a_split_is_allowed():
  x_train, y_train, x_test, y_test = splits()
  unseen = y_test.copy()
  unseen[:, 0] = 5
  assert dci.dci_scores(x_train, y_train, x_test, unseen)["informativeness_test.factor_0"] == 0
  results = dci.dci_scores(x_train, y_train, x_test, np.zeros_like(y_test))
  json.dumps(results, allow_nan=False)


@pytest.mark.parametrize(
  ("change", "message"),
  [
    (lambda x, y: (np.full_like(x, np.nan), y), "train representations have 320 of 320 values"),
    (lambda x, y: (x[1:], y), "got 79 and 80 rows"),
    (lambda x, y: (x, np.zeros_like(y)), "dci has nothing to score"),
    (lambda x, y: (x[:, :2], y), "must have the same columns, got 2 and 4"),
  ],
)
def test_points_that_cannot_be_scored_are_refused(change, message):
  x_train, y_train, x_test, y_test = splits()
  with pytest.raises(ValueError, match=message):
    dci.dci_scores(*change(x_train, y_train), x_test, y_test)


def with_continuous(y):
  """Returns factors of which the first is continuous: the second, of 3 values, moved."""
  return np.insert(y.astype(np.float64), 0, 7.0 * y[:, 1] + 0.5, axis=1)


@pytest.mark.slow
def test_continuous_factor_is_regressed_and_the_others_keep_their_values():
  x_train, y_train, x_test, y_test = splits()
  results = dci.dci_scores(
    x_train, with_continuous(y_train), x_test, with_continuous(y_test), seed=3
  )
  discrete = dci.dci_scores(x_train, y_train, x_test, y_test, seed=3)
  for i in range(3):
    for split in ("train", "test"):
      key = f"informativeness_{split}.factor"
      assert results[f"{key}_{i + 1}"] == discrete[f"{key}_{i}"]
    assert results[f"completeness.factor_{i + 1}"] == discrete[f"completeness.factor_{i}"]
  matrix = np.array(results["importance_matrix"])
  np.testing.assert_array_equal(matrix[:, 1:], discrete["importance_matrix"])
  # In units of the standard deviation; another unit would break ties of splits by rounding.
  mean, stddev = np.mean(7.0 * y_train[:, 1] + 0.5), np.std(7.0 * y_train[:, 1] + 0.5)
  target, unseen = ((7.0 * y[:, 1] + 0.5 - mean) / stddev for y in (y_train, y_test))
  model = ensemble.GradientBoostingRegressor(random_state=3).fit(x_train, target)
  np.testing.assert_allclose(matrix[:, 0], model.feature_importances_, atol=1e-9)
  r2 = results["informativeness_test.factor_0"]
  assert r2 == pytest.approx(model.score(x_test, unseen), abs=1e-9)
  shares = [r2, *(discrete[f"informativeness_test.factor_{i}"] for i in range(3))]
  assert results["informativeness_test"] == pytest.approx(np.mean(shares), abs=1e-12)
  assert (results["continuous_factors"], discrete["continuous_factors"]) == ([0], [])
  json.dumps(results, allow_nan=False)


@pytest.mark.parametrize("unit", [2.0**-40, 2.0**30])  # which round nothing
def test_unit_of_a_continuous_factor_does_not_matter(unit):
  x_train, y_train, x_test, y_test = splits(num_values=(30, 40))
  factors = [np.sqrt(y + 0.5) for y in (y_train, y_test)]
  expected = dci.dci_scores(x_train, factors[0], x_test, factors[1])
  assert dci.dci_scores(x_train, unit * factors[0], x_test, unit * factors[1]) == expected


@pytest.mark.slow
def test_whole_numbers_of_any_type_are_classes():
  x_train, y_train, x_test, y_test = splits()
  expected = dci.dci_scores(x_train, y_train, x_test, y_test)
  assert dci.dci_scores(x_train, y_train.astype(float), x_test, y_test.astype(float)) == expected


def test_regressor_can_be_chosen():
  x_train, y_train, x_test, y_test = splits()
  splits_of = (x_train, with_continuous(y_train), x_test, with_continuous(y_test))
  with pytest.raises(errors.ConfigError, match="no regressor for a DecisionTreeClassifier"):
    dci.dci_scores(*splits_of, predictor_fn=tree.DecisionTreeClassifier)
  results = dci.dci_scores(
    *splits_of, predictor_fn=tree.DecisionTreeClassifier, regressor_fn=tree.DecisionTreeRegressor
  )
  assert results["informativeness_train.factor_0"] == 1  # A full tree knows its points.


def test_continuous_factor_of_one_test_value_is_an_error():
  x_train, y_train, x_test, y_test = splits()
  message = "no R2 of factor 0, which is continuous and has a single value in the 1 test points"
  with pytest.raises(errors.ConfigError, match=message):
    dci.dci_scores(x_train, with_continuous(y_train), x_test[:1], with_continuous(y_test[:1]))


def test_gin_binds_the_parameters():
  gin.parse_config(
    "dci.num_train = 30\ndci.num_test = 20\ndci.predictor_fn = @extra_trees_classifier"
  )
  data = dummy_data.DummyData()
  results = dci.compute_dci(data, lambda x: x[:, :3, 0, 0], np.random.RandomState(0))
  assert np.shape(results["importance_matrix"]) == (3, 10)
  expected = {"informativeness_train", "informativeness_test", "disentanglement", "completeness"}
  assert expected <= results.keys()
  json.dumps(results, allow_nan=False)


def test_data_without_classes_is_an_error():
  with pytest.raises(errors.ConfigError, match="at least 5 points"):
    dci.compute_dci(
      dummy_data.IdentityObservationsData(), lambda x: x, np.random.RandomState(0), None, 4, 4
    )
