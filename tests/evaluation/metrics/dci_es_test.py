import json

import gin
import numpy as np
import pytest
from scipy import stats
from sklearn import ensemble

from dl_condind.data.ground_truth import dummy_data
from dl_condind.evaluation.metrics import dci
from dl_condind.evaluation.metrics import dci_es
from dl_condind.utils import errors
from dl_condind.utils import seeds

FAST = {"depths": (1, 2, 4, 8), "num_trees": 10}


@pytest.fixture(autouse=True)
def clear_gin():
  yield
  gin.clear_config()


def points(num_points=600, num_latent=4, num_values=(2, 3, 4)):
  random_state = np.random.RandomState(0)
  factors = np.stack([random_state.randint(n, size=num_points) for n in num_values], axis=1)
  mix = random_state.standard_normal((len(num_values), num_latent))
  return factors @ mix + random_state.standard_normal((num_points, num_latent)), factors


def split(x, y):
  cut = 2 * len(x) // 3
  return x[:cut], y[:cut], x[cut:], y[cut:]


def score(encode, num_values=(4, 4, 4)):
  _, factors = points(1200, num_values=num_values)
  return dci_es.dci_es_scores(*split(encode(factors.astype(np.float64)), factors), **FAST)


def literal_explicitness(capacities, losses, baseline):
  """Returns explicitness by a sum over the steps of the curve."""
  best, area = losses[0], 0.0
  lowest = []
  for loss in losses:
    best = min(best, loss)
    lowest.append(best)
  for t in range(1, len(capacities)):
    mean = (lowest[t - 1] + lowest[t]) / 2 - best
    area += mean * (capacities[t] - capacities[t - 1])
  return 1 - 2 * area / ((capacities[-1] - capacities[0]) * baseline)


@pytest.mark.parametrize(
  ("losses", "expected"),
  [
    ([0.0, 0.0, 0.0], 1),  # perfect with the least capacity
    ([0.2, 0.2, 0.2], 1),  # as good as it gets with the least capacity
    ([0.8, 0.4, 0.0], 0),  # falls linearly from the baseline to 0
    ([0.8, 0.8, 0.0], -0.5),  # needs the most capacity
    ([0.8, 0.0, 0.0], 0.5),
    ([0.8, 0.0, 0.3], 0.5),  # a probe that fits worse does not raise the curve
    ([0.8, 0.8, 0.8], 1),  # of no use to any probe
  ],
)
def test_explicitness_of_known_curves(losses, expected):
  assert dci_es.explicitness_of_curve([1, 3, 5], losses, 0.8) == pytest.approx(expected, abs=1e-15)


def test_area_counts_capacities_by_their_distance():
  # The trapezoid of the first step: 0.5 * 0.8 * 1 of a triangle of 0.5 * 0.8 * 9.
  explicitness = dci_es.explicitness_of_curve([1, 2, 10], [0.8, 0.0, 0.0], 0.8)
  assert explicitness == pytest.approx(1 - 1 / 9, abs=1e-15)


def test_scores_are_those_of_a_literal_use_of_scikit_learn():
  x_train, y_train, x_test, y_test = split(*points())
  results = dci_es.dci_es_scores(x_train, y_train, x_test, y_test, (1, 3, 7), 15, seed=3)
  losses, importance = np.zeros((3, 3)), np.zeros((3, 4, 3))
  for k, depth in enumerate((1, 3, 7)):
    for i in range(3):
      forest = ensemble.RandomForestClassifier(15, max_depth=depth, random_state=3)
      forest.fit(x_train, y_train[:, i])
      losses[k, i] = np.mean(forest.predict(x_test) != y_test[:, i])
      importance[k, :, i] = forest.feature_importances_
  baseline = [1 - np.bincount(y).max() / len(y) for y in y_train.T]
  explicitness = [literal_explicitness((1, 3, 7), losses[:, i], baseline[i]) for i in range(3)]
  best = int(np.argmin(losses.mean(axis=1)))

  for i in range(3):
    assert results[f"losses.factor_{i}"] == pytest.approx(losses[:, i], abs=1e-15)
    assert results[f"baseline_loss.factor_{i}"] == pytest.approx(baseline[i], abs=1e-15)
    assert results[f"explicitness.factor_{i}"] == pytest.approx(explicitness[i], abs=1e-13)
  assert results["explicitness"] == pytest.approx(np.mean(explicitness), abs=1e-13)
  assert results["size"] == 3 / 4
  assert results["best_depth"] == (1, 3, 7)[best]
  assert results["informativeness_test"] == pytest.approx(1 - losses[best].mean(), abs=1e-13)
  np.testing.assert_array_equal(results["importance_matrix"], importance[best])
  for key, value in dci.importance_scores(importance[best]).items():
    assert results[key] == value


def test_identity_representation_scores_high():
  results = score(lambda factors: factors)
  assert results["explicitness"] > 0.8
  assert results["size"] == 1
  # Of three latents a tree may look at a random one for each split, also at a useless one.
  assert results["disentanglement"] > 0.8
  assert results["completeness"] > 0.8
  assert results["informativeness_test"] == 1


def test_constant_representation_has_a_flat_curve_and_no_information():
  results = score(np.zeros_like)
  assert results["explicitness"] == 1
  assert results["disentanglement"] == pytest.approx(0, abs=1e-12)
  assert results["completeness"] == pytest.approx(0, abs=1e-12)
  assert results["informativeness_test"] < 0.35
  json.dumps(results, allow_nan=False)


def test_rotated_representation_is_less_explicit_and_less_disentangled():
  rotation = stats.special_ortho_group.rvs(3, random_state=np.random.RandomState(0))
  identity, rotated = score(lambda factors: factors), score(lambda factors: factors @ rotation)
  assert rotated["explicitness"] < identity["explicitness"] - 0.02
  assert rotated["disentanglement"] < identity["disentanglement"] - 0.3


def test_duplicated_latents_are_disentangled_but_incomplete_and_large():
  results = score(lambda factors: np.repeat(factors, 2, axis=1))
  assert results["disentanglement"] > 0.8
  assert results["completeness"] == pytest.approx(1 - np.log(2) / np.log(6), abs=0.1)
  assert results["size"] == 0.5


def test_order_of_latents_and_names_of_values_do_not_matter():
  x, y = points()
  results = dci_es.dci_es_scores(*split(x, y), **FAST)
  renamed = np.array([3, 8, 9, 20])[y]  # rising, for the order of classes is that of their trees
  other = dci_es.dci_es_scores(*split(x[:, ::-1], renamed), **FAST)
  # Trees draw other latents to split at.
  assert other["explicitness"] == pytest.approx(results["explicitness"], abs=0.1)
  assert other["disentanglement"] == pytest.approx(results["disentanglement"], abs=0.05)
  assert other["size"] == results["size"]


@pytest.mark.slow
def test_scores_repeat_exactly_and_depend_on_the_seed():
  splits = split(*points())
  results = dci_es.dci_es_scores(*splits, **FAST, seed=1)
  assert results == dci_es.dci_es_scores(*splits, **FAST, seed=1)
  assert results != dci_es.dci_es_scores(*splits, **FAST, seed=2)


def test_constant_factor_is_left_out():
  x, y = points()
  results = dci_es.dci_es_scores(*split(x, y), **FAST)
  with_constant = dci_es.dci_es_scores(*split(x, np.insert(y, 1, 3, axis=1)), **FAST)
  assert with_constant["constant_factors"] == [1]
  assert "explicitness.factor_1" not in with_constant
  assert with_constant["explicitness.factor_2"] == results["explicitness.factor_1"]
  for key in ("explicitness", "size", "disentanglement", "completeness", "informativeness_test"):
    assert with_constant[key] == results[key]
  np.testing.assert_array_equal(np.array(with_constant["importance_matrix"])[:, 1], 0)


def test_one_factor_has_no_disentanglement_and_one_latent_no_completeness():
  x, y = points()
  one_factor = dci_es.dci_es_scores(*split(x, y[:, :1]), **FAST)
  assert one_factor["disentanglement"] is None
  assert one_factor["explicitness"] == one_factor["explicitness.factor_0"]
  assert one_factor["size"] == 1 / 4
  one_latent = dci_es.dci_es_scores(*split(x[:, :1], y), **FAST)
  assert one_latent["completeness"] is None
  assert one_latent["size"] == 3
  json.dumps([one_factor, one_latent], allow_nan=False)


def test_test_points_of_one_value_are_allowed():
  x_train, y_train, x_test, y_test = split(*points())
  results = dci_es.dci_es_scores(x_train, y_train, x_test, np.zeros_like(y_test), **FAST)
  json.dumps(results, allow_nan=False)


@pytest.mark.parametrize(
  ("options", "message"),
  [
    ({"depths": (3,)}, r"at least two depths in rising order, got \[3\]"),
    ({"depths": (3, 3)}, r"at least two depths in rising order, got \[3, 3\]"),
    ({"depths": (0, 3)}, "Each of dci_es.depths must be a whole number of at least 1, got 0"),
    ({"depths": (1, 2.5)}, "Each of dci_es.depths must be a whole number of at least 1, got 2.5"),
    ({"num_trees": 0}, "dci_es.num_trees must be a whole number of at least 1, got 0"),
  ],
)
def test_settings_that_make_no_curve_are_refused(options, message):
  with pytest.raises(errors.ConfigError, match=message):
    dci_es.dci_es_scores(*split(*points()), **options)


@pytest.mark.parametrize(
  ("change", "message"),
  [
    (lambda x, y: (np.full_like(x, np.nan), y), "train representations have 1600 of 1600 values"),
    (lambda x, y: (x, np.zeros_like(y)), "dci_es has nothing to score"),
    (lambda x, y: (x[:4], y[:4]), "at least 5 points"),
    (lambda x, y: (x[1:], y), "got 399 and 400 rows"),
  ],
)
def test_points_that_cannot_be_scored_are_refused(change, message):
  x_train, y_train, x_test, y_test = split(*points())
  with pytest.raises(ValueError, match=message):
    dci_es.dci_es_scores(*change(x_train, y_train), x_test, y_test)


def test_continuous_factor_has_losses_of_regression():
  x_train, y_train, x_test, y_test = split(*points())
  y_train, y_test = (np.insert(y.astype(float), 0, y[:, 0] + 0.5, 1) for y in (y_train, y_test))
  results = dci_es.dci_es_scores(x_train, y_train, x_test, y_test, (1, 3), 5, seed=2)
  discrete = dci_es.dci_es_scores(x_train, y_train[:, 1:], x_test, y_test[:, 1:], (1, 3), 5, seed=2)
  assert results["losses.factor_1"] == discrete["losses.factor_0"]
  assert results["baseline_loss.factor_0"] == 1
  for depth, loss in zip((1, 3), results["losses.factor_0"], strict=True):
    forest = ensemble.RandomForestRegressor(5, max_depth=depth, random_state=2)
    forest.fit(x_train, y_train[:, 0])
    assert loss == pytest.approx(1 - forest.score(x_test, y_test[:, 0]), abs=1e-9)
  assert results["explicitness.factor_0"] == pytest.approx(
    dci_es.explicitness_of_curve((1, 3), results["losses.factor_0"], 1.0)
  )


def test_protocol_draws_train_then_test_points_and_its_seed_apart():
  gin.parse_config("""
    dci_es.num_train = 40
    dci_es.num_test = 20
    dci_es.depths = (1, 2)
    dci_es.num_trees = 3
  """)
  data = dummy_data.IdentityObservationsData()
  results = dci_es.compute_dci_es(data, lambda x: x, np.random.RandomState(1))
  random_state = np.random.RandomState(1)
  seed = seeds.seed_from(random_state)
  train = np.concatenate([data.sample_factors(size, random_state) for size in (16, 16, 8)])
  test = np.concatenate([data.sample_factors(size, random_state) for size in (16, 4)])
  assert results == dci_es.dci_es_scores(train, train, test, test, (1, 2), 3, seed)
