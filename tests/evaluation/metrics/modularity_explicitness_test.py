import json
import os
import platform
import subprocess
import sys
import warnings

import gin
from helpers import testdata
import numpy as np
import pytest
import scipy
import sklearn
from sklearn import exceptions
from sklearn import linear_model
from sklearn import metrics

from dl_condind.data.ground_truth import dummy_data
from dl_condind.evaluation.information import nearest_neighbors
from dl_condind.evaluation.metrics import modularity_explicitness as me
from dl_condind.utils import errors
from dl_condind.utils import seeds


@pytest.fixture(autouse=True)
def identity_discretizer():
  gin.parse_config("discretizer.num_bins = 10")
  with gin.unlock_config():
    gin.bind_parameter("discretizer.discretizer_fn", lambda target, num_bins: target)
  yield
  gin.clear_config()


def identity(observations):
  return np.array(observations, dtype=np.float64)


def score(representation_function, data=None, num_train=3000, num_test=1000):
  return me.compute_modularity_explicitness(
    data or dummy_data.IdentityObservationsData(),
    representation_function,
    np.random.RandomState(0),
    num_train=num_train,
    num_test=num_test,
  )


def splits(num_values=(3, 2, 5), num_latent=4, num_points=600, seed=0):
  random_state = np.random.RandomState(seed)
  y = np.stack([random_state.randint(n, size=num_points) for n in num_values], axis=1)
  x = y @ random_state.standard_normal((len(num_values), num_latent))
  x = 100 + 7 * (x + random_state.standard_normal(x.shape))
  half = num_points // 2
  return x[:half], y[:half], x[half:], y[half:]


@pytest.mark.parametrize(
  "matrix, expected",
  [
    (np.diag(5.0 * np.ones(5)), 1),
    (np.array([[1.0, 0], [0, 1], [0, 0]]), 2 / 3),
    (np.zeros((10, 10)), 0),
    (np.tile(5.0 * np.eye(5), (2, 1)), 1),  # redundant latents
    (5.0 * np.eye(5)[:2], 1),  # factors without a latent
    (np.tile(5.0 * np.eye(5), 2), 1 - 1 / 9),  # latents with two factors
    (np.ones((3, 4)), 0),
    (np.array([[2.0, 1.0, 0.0]]), 1 - 1 / (4 * 2)),
  ],
)
def test_modularity_in_closed_form(matrix, expected):
  assert np.mean(me.modularity_per_code(matrix)) == pytest.approx(expected, abs=1e-15)


def test_identity_representation_scores_high():
  results = score(identity)
  assert results["modularity_score"] >= 0.9
  assert results["modularity_score.code_9"] >= 0.9
  assert results["explicitness_score_train"] >= 0.6
  assert results["explicitness_score_test"] >= 0.6


def test_constant_representation_is_at_chance():
  results = score(lambda x: np.full(x.shape, 0.1))
  assert results["modularity_score"] == 0
  assert results["explicitness_score_train"] == results["explicitness_score_test"] == 0.5
  json.dumps(results, allow_nan=False)


def test_duplicated_latents_score_high():
  results = score(lambda x: np.repeat(identity(x), 2, axis=1))
  assert results["modularity_score"] >= 0.9
  assert "modularity_score.code_19" in results


def test_permuted_representation_scores_low():
  shuffle = np.random.default_rng(5)
  results = score(lambda x: shuffle.permuted(identity(x), axis=1), num_train=20_000)
  assert results["modularity_score"] <= 0.2


def test_noise_is_at_chance_on_test_points():
  results = score(lambda x: x.reshape(len(x), -1)[:, :4], dummy_data.DummyData(), 1000, 500)
  assert results["explicitness_score_test"] == pytest.approx(0.5, abs=0.05)


def test_scores_are_the_plain_recomputation():
  x_train, y_train, x_test, y_test = splits()
  results = me.modularity_explicitness_scores(x_train, y_train, x_test, y_test, num_bins=7)

  modularity = []
  for x in x_train.T:
    label = np.digitize(x, np.histogram(x, 7)[1][:-1])
    squares = sorted(metrics.mutual_info_score(y, label) ** 2 for y in y_train.T)
    modularity.append(1 - sum(squares[:-1]) / (squares[-1] * 2))
  for j in range(4):
    assert results[f"modularity_score.code_{j}"] == pytest.approx(modularity[j], abs=1e-12)
  assert results["modularity_score"] == pytest.approx(np.mean(modularity), abs=1e-12)

  mean, stddev = x_train.mean(axis=0), x_train.std(axis=0)
  explicitness = {"train": [], "test": []}
  for i in range(3):
    model = linear_model.LogisticRegression().fit((x_train - mean) / stddev, y_train[:, i])
    for name, x, y in (("train", x_train, y_train), ("test", x_test, y_test)):
      likely = model.predict_proba((x - mean) / stddev)
      areas = [metrics.roc_auc_score(y[:, i] == c, likely[:, c]) for c in range(likely.shape[1])]
      explicitness[name].append(np.mean(areas))
      key = f"explicitness_score_{name}.factor_{i}"
      assert results[key] == pytest.approx(np.mean(areas), abs=1e-9)
  for name, values in explicitness.items():
    assert results[f"explicitness_score_{name}"] == pytest.approx(np.mean(values), abs=1e-9)


def test_order_of_latents_and_names_of_values_do_not_matter():
  x_train, y_train, x_test, y_test = splits()
  results = me.modularity_explicitness_scores(x_train, y_train, x_test, y_test)
  names = np.array([-4, 0, 9, 10, 12])
  renamed = me.modularity_explicitness_scores(
    x_train[:, ::-1], names[y_train], x_test[:, ::-1], names[y_test]
  )
  for name in ("modularity_score", "explicitness_score_train", "explicitness_score_test"):
    assert renamed[name] == pytest.approx(results[name], abs=1e-6)  # The solver's tolerance.


def test_shift_and_scale_of_latents_do_not_matter():
  x_train, y_train, x_test, y_test = splits()
  results = me.modularity_explicitness_scores(x_train, y_train, x_test, y_test)
  scale = np.array([4, 0.25, 32, 1])  # Powers of two: bins stay the same.
  mapped = me.modularity_explicitness_scores(x_train * scale, y_train, x_test * scale, y_test)
  assert mapped.keys() == results.keys()
  for name in mapped.keys() - {"constant_factors"}:
    assert mapped[name] == pytest.approx(results[name], abs=1e-6)


def test_constant_latent_scores_zero_and_does_not_disturb():
  x_train, y_train, x_test, y_test = splits()
  results = me.modularity_explicitness_scores(x_train, y_train, x_test, y_test)
  x_train, x_test = (np.insert(x, 1, 0.1, axis=1) for x in (x_train, x_test))
  more = me.modularity_explicitness_scores(x_train, y_train, x_test, y_test)
  assert more["modularity_score.code_1"] == 0
  assert more["modularity_score"] == pytest.approx(results["modularity_score"] * 4 / 5, abs=1e-12)
  for name in ("explicitness_score_train", "explicitness_score_test"):
    assert more[name] == pytest.approx(results[name], abs=1e-6)


def test_constant_factor_is_left_out():
  x_train, y_train, x_test, y_test = splits()
  results = me.modularity_explicitness_scores(x_train, y_train, x_test, y_test)
  with_constant = [np.insert(y, 1, 6, axis=1) for y in (y_train, y_test)]
  more = me.modularity_explicitness_scores(x_train, with_constant[0], x_test, with_constant[1])
  assert more["constant_factors"] == [1]
  assert "explicitness_score_train.factor_1" not in more
  for name in ("modularity_score", "explicitness_score_train", "explicitness_score_test"):
    assert more[name] == results[name]


def test_one_factor_has_no_modularity():
  x_train, y_train, x_test, y_test = splits()
  results = me.modularity_explicitness_scores(x_train, y_train[:, :1], x_test, y_test[:, :1])
  assert results["modularity_score"] is None
  assert "modularity_score.code_0" not in results
  assert results["explicitness_score_test"] == results["explicitness_score_test.factor_0"]


def test_one_latent_is_scored():
  results = me.modularity_explicitness_scores(*splits(num_latent=1))
  assert results["modularity_score"] == results["modularity_score.code_0"]


def test_value_that_the_test_points_lack_is_left_out():
  x_train, y_train, x_test, y_test = splits()
  rest = y_test[:, 2] != 3
  results = me.modularity_explicitness_scores(x_train, y_train, x_test[rest], y_test[rest])
  mean, stddev = x_train.mean(axis=0), x_train.std(axis=0)
  model = linear_model.LogisticRegression().fit((x_train - mean) / stddev, y_train[:, 2])
  likely = model.predict_proba((x_test[rest] - mean) / stddev)
  areas = [metrics.roc_auc_score(y_test[rest, 2] == c, likely[:, c]) for c in (0, 1, 2, 4)]
  assert results["explicitness_score_test.factor_2"] == pytest.approx(np.mean(areas), abs=1e-9)


def test_value_that_only_the_test_points_have_is_ranked_by_chance():
  x_train, y_train, x_test, y_test = splits()
  rest = y_train[:, 0] != 1
  results = me.modularity_explicitness_scores(x_train[rest], y_train[rest], x_test, y_test)
  mean, stddev = x_train[rest].mean(axis=0), x_train[rest].std(axis=0)
  model = linear_model.LogisticRegression().fit((x_train[rest] - mean) / stddev, y_train[rest, 0])
  likely = model.predict_proba((x_test - mean) / stddev)
  areas = [metrics.roc_auc_score(y_test[:, 0] == c, likely[:, c // 2]) for c in (0, 2)]
  expected = (areas[0] + 0.5 + areas[1]) / 3
  assert results["explicitness_score_test.factor_0"] == pytest.approx(expected, abs=1e-9)


def test_factor_of_one_value_in_the_test_points_is_left_out_of_their_mean():
  x_train, y_train, x_test, y_test = splits()
  rest = y_test[:, 1] == 0
  results = me.modularity_explicitness_scores(x_train, y_train, x_test[rest], y_test[rest])
  assert "explicitness_score_train.factor_1" in results
  assert "explicitness_score_test.factor_1" not in results
  kept = [results[f"explicitness_score_test.factor_{i}"] for i in (0, 2)]
  assert results["explicitness_score_test"] == pytest.approx(np.mean(kept), abs=1e-12)
  json.dumps(results, allow_nan=False)
  with pytest.raises(errors.ConfigError, match="each factor has a single value in the 1 test"):
    me.modularity_explicitness_scores(x_train, y_train, x_test[:1], y_test[:1])


def test_no_factor_to_score_is_an_error():
  x, y = np.eye(6), np.ones((6, 2), dtype=int)
  with pytest.raises(errors.ConfigError, match="none of the 2 factors varies"):
    me.modularity_explicitness_scores(x, y, x, y)


@pytest.mark.parametrize("estimator", ["discretized", "nearest_neighbors"])
def test_continuous_factor_is_scored_apart_from_discrete_ones(estimator):
  x_train, y_train, x_test, y_test = splits()
  y_train, y_test = (y + np.array([0, 0.5, 0]) for y in (y_train, y_test))
  results = me.modularity_explicitness_scores(
    x_train, y_train, x_test, y_test, num_bins=9, estimator=estimator
  )
  if estimator == "discretized":
    cut = [np.digitize(v, np.histogram(v, 9)[1][:-1]) for v in (*x_train.T, y_train[:, 1])]
    columns = [y_train[:, 0], cut[4], y_train[:, 2]]
    expected = [[metrics.mutual_info_score(x, y) for y in columns] for x in cut[:4]]
  else:
    expected = nearest_neighbors.mutual_information(x_train, y_train)
    assert results["num_distinct_points"] == len(x_train)
  per_code = me.modularity_per_code(np.array(expected))
  assert results["modularity_score"] == pytest.approx(np.mean(per_code), abs=1e-12)
  whole = me.modularity_explicitness_scores(x_train, y_train[:, ::2], x_test, y_test[:, ::2])
  for split in ("train", "test"):
    assert results[f"explicitness_score_{split}"] == whole[f"explicitness_score_{split}"]
    assert f"explicitness_score_{split}.factor_1" not in results
    x, y = (x_train, y_train[:, 1]) if split == "train" else (x_test, y_test[:, 1])
    # Least squares by the normal equations.
    design, of_points = (np.column_stack([np.ones(len(v)), v]) for v in (x_train, x))
    weights = np.linalg.solve(design.T @ design, design.T @ y_train[:, 1])
    explained = 1 - np.sum((y - of_points @ weights) ** 2) / np.sum((y - y.mean()) ** 2)
    assert results[f"explicitness_r2_{split}"] == pytest.approx(explained, abs=1e-9)
    assert results[f"explicitness_r2_{split}.factor_1"] == results[f"explicitness_r2_{split}"]
  assert results["constant_factors"] == []


def test_continuous_factors_alone_have_no_area_under_a_curve():
  x_train, y_train, x_test, y_test = splits()
  results = me.modularity_explicitness_scores(x_train, y_train + 0.5, x_test, y_test + 0.5)
  assert results["explicitness_score_train"] is results["explicitness_score_test"] is None
  assert 0 < results["explicitness_r2_train"] < 1
  assert 0 <= results["modularity_score"] <= 1
  json.dumps(results, allow_nan=False)


def test_gin_chooses_the_estimator():
  gin.parse_config("modularity_explicitness.estimator = 'nearest_neighbors'")
  data = dummy_data.IdentityObservationsData()
  state, same_state = np.random.RandomState(1), np.random.RandomState(1)
  results = me.compute_modularity_explicitness(
    data, lambda x: x[:, :4] / 7, state, num_train=300, num_test=100
  )
  drawn = []
  for num in (300, 100):
    batches = [data.sample_factors(min(16, num - i), same_state) for i in range(0, num, 16)]
    drawn += [np.concatenate(batches)[:, :4] / 7, np.concatenate(batches)]
  seed = seeds.seed_from(np.random.RandomState(1))
  expected = me.modularity_explicitness_scores(*drawn, estimator="nearest_neighbors", seed=seed)
  assert results == expected
  assert results["modularity_score"] > 0.9


def test_unknown_estimator_is_an_error():
  with pytest.raises(errors.ConfigError, match="estimator must be one of discretized, nearest_nei"):
    me.modularity_explicitness_scores(*splits(), estimator="bins")
  with pytest.raises(errors.ConfigError, match="modularity_explicitness.estimator must be one of"):
    me.compute_modularity_explicitness(None, None, None, num_train=1, num_test=1, estimator="bins")


def test_codes_whose_variance_overflows_are_an_error():
  x_train, y_train, x_test, y_test = splits()
  with pytest.raises(errors.ConfigError, match="above .* are not finite in float32"):
    me.modularity_explicitness_scores(
      np.float32(1e22) * x_train.astype(np.float32), y_train, x_test, y_test
    )


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("split", ["train", "test"])
def test_factor_that_is_not_finite_is_an_error(value, split):
  x_train, y_train, x_test, y_test = splits()
  bad = np.where(np.arange(len(y_test))[:, None] == 3, value, y_test)
  arrays = (x_test, bad, x_test, y_test) if split == "train" else (x_train, y_train, x_test, bad)
  with pytest.raises(errors.ConfigError, match=f"The {split} factors have 3 of"):
    me.modularity_explicitness_scores(*arrays)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("split", [0, 2])
def test_non_finite_representation_is_an_error(value, split):
  arrays = list(splits())
  arrays[split][5, 1] = value
  with pytest.raises(errors.ConfigError, match=r"1 of \d+ values that\s+are not finite"):
    me.modularity_explicitness_scores(*arrays)


def test_arrays_that_do_not_fit_are_an_error():
  x_train, y_train, x_test, y_test = splits()
  with pytest.raises(ValueError, match="got 300 and 299 rows"):
    me.modularity_explicitness_scores(x_train, y_train[1:], x_test, y_test)
  with pytest.raises(ValueError, match="test representations and factors .* 300 and 299 rows"):
    me.modularity_explicitness_scores(x_train, y_train, x_test, y_test[1:])


def test_solver_that_stops_early_is_no_warning():
  x = np.random.RandomState(0).standard_normal((200, 30))
  y = (x[:, :1] > 0).astype(int)
  x[:, 0] *= 1e6
  with warnings.catch_warnings():
    warnings.simplefilter("error", exceptions.ConvergenceWarning)
    me.modularity_explicitness_scores(x, y, x, y)


def test_gin_binds_the_settings():
  gin.parse_config("modularity_explicitness.num_train = 50\nmodularity_explicitness.num_test = 30")
  sizes = []

  def encode(observations):
    sizes.append(len(observations))
    return observations

  data = dummy_data.IdentityObservationsData()
  me.compute_modularity_explicitness(data, encode, np.random.RandomState(0))
  assert sum(sizes) == 80


def oracle_values(dtype=np.float32):
  """Returns our results and disentanglement_lib's on the same points."""
  x, y, oracle = testdata.dlib_example()
  num_train, num_test = (oracle["_rows"][f"num_{split}_split"] for split in ("train", "test"))
  x = x.astype(dtype)
  test = slice(num_train, num_train + num_test)
  results = me.modularity_explicitness_scores(
    x[:num_train], y[:num_train], x[test], y[test], oracle["_rows"]["num_bins"]
  )
  return results, oracle


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_disentanglement_libs_values_are_reproduced(dtype):
  results, oracle = oracle_values(dtype)
  expected = oracle["modularity_explicitness"]
  assert results["modularity_score"] == pytest.approx(expected["modularity_score"], abs=1e-9)
  for j in range(oracle["_rows"]["J"]):
    expected_code = oracle["per_factor"][f"modularity.code_{j}"]
    assert results[f"modularity_score.code_{j}"] == pytest.approx(expected_code, abs=1e-9)
  for name in ("explicitness_score_train", "explicitness_score_test"):
    # The solver stops where the rounding of this processor leads it: see the test below.
    assert results[name] == pytest.approx(expected[name], abs=2e-6)


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() != "x86_64", reason="asks for a kernel of x86")
def test_explicitness_is_reproduced_with_the_same_kernels():
  """The frozen values come from a processor for which OpenBLAS has these kernels."""
  program = (
    f"import json, runpy\nprint(json.dumps(runpy.run_path({__file__!r})['oracle_values']()))"
  )
  done = subprocess.run(
    [sys.executable, "-c", program],
    capture_output=True,
    text=True,
    check=True,
    env={**os.environ, "PYTHONPATH": str(testdata.ROOT / "tests"), "OPENBLAS_CORETYPE": "Haswell"},
  )
  results, oracle = json.loads(done.stdout)
  versions = {"numpy": np, "scikit-learn": sklearn, "scipy": scipy}
  if any(oracle["_versions"][name] != module.__version__ for name, module in versions.items()):
    pytest.skip("other releases have other solvers")
  for name, expected in oracle["modularity_explicitness"].items():
    assert results[name] == pytest.approx(expected, abs=1e-9)
