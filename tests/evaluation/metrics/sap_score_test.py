import json

import gin
from helpers import testdata
import numpy as np
import pytest
from sklearn import svm

from dl_condind.data.ground_truth import dummy_data
from dl_condind.evaluation.metrics import sap_score
from dl_condind.utils import errors


@pytest.fixture(autouse=True)
def clear_gin():
  yield
  gin.clear_config()


def identity(observations):
  return np.array(observations, dtype=np.float64)


def score(representation_function, data=None, **options):
  return sap_score.compute_sap(
    data or dummy_data.IdentityObservationsData(),
    representation_function,
    np.random.RandomState(0),
    **{"num_train": 3000, "num_test": 3000, "continuous_factors": True, **options},
  )


def splits(num_values=(3, 5), num_latent=4, num_points=600, seed=0):
  random_state = np.random.RandomState(seed)
  y = np.stack([random_state.randint(n, size=num_points) for n in num_values], axis=1)
  x = 3 * y @ random_state.standard_normal((len(num_values), num_latent))
  x += random_state.standard_normal(x.shape)
  half = num_points // 2
  return x[:half], y[:half], x[half:], y[half:]


@pytest.mark.parametrize("continuous", [True, False])
def test_identity_representation_scores_high(continuous):
  results = score(identity, continuous_factors=continuous)
  # A linear classifier cannot tell apart ten values on a line.
  assert results["SAP_score"] >= (0.9 if continuous else 0.15)
  assert results["constant_factors"] == []


@pytest.mark.parametrize("continuous", [True, False])
def test_binary_identity_representation_scores_high(continuous):
  y = np.random.RandomState(0).randint(2, size=(2000, 3))
  x = y.astype(float)
  results = sap_score.sap_scores(x[:1000], y[:1000], x[1000:], y[1000:], continuous)
  # Accuracies are 1, and a half for the other latents.
  assert results["SAP_score"] == pytest.approx(1 if continuous else 0.5, abs=0.05)


@pytest.mark.parametrize("continuous", [True, False])
def test_constant_representation_scores_zero(continuous):
  results = score(lambda x: np.zeros(x.shape), continuous_factors=continuous)
  assert results["SAP_score"] == 0
  json.dumps(results, allow_nan=False)


@pytest.mark.parametrize("continuous", [True, False])
def test_duplicated_latents_score_zero(continuous):
  results = score(lambda x: np.repeat(identity(x), 2, axis=1), continuous_factors=continuous)
  assert results["SAP_score"] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("continuous", [True, False])
def test_permuted_representation_scores_low(continuous):
  shuffle = np.random.default_rng(5)
  results = score(lambda x: shuffle.permuted(identity(x), axis=1), continuous_factors=continuous)
  assert results["SAP_score"] <= 0.05


@pytest.mark.parametrize("continuous", [True, False])
def test_noise_scores_low(continuous):
  results = score(
    lambda x: x.reshape(len(x), -1)[:, :4],
    dummy_data.DummyData(),
    num_train=300,
    num_test=300,
    continuous_factors=continuous,
  )
  assert results["SAP_score"] <= 0.1
  assert np.shape(results["score_matrix"]) == (4, 10)


def test_accuracies_are_the_plain_recomputation():
  x_train, y_train, x_test, y_test = splits()
  results = sap_score.sap_scores(x_train, y_train, x_test, y_test)
  gaps = []
  for k in range(2):
    accuracies = []
    for j in range(4):
      model = svm.LinearSVC(C=0.01, class_weight="balanced", random_state=0)
      model.fit(x_train[:, [j]], y_train[:, k])
      hits = [model.predict([[x[j]]])[0] == y[k] for x, y in zip(x_test, y_test, strict=True)]
      assert results["score_matrix"][j][k] == pytest.approx(np.mean(hits), abs=1e-12)
      accuracies.append(np.mean(hits))
    first, second = sorted(accuracies, reverse=True)[:2]
    gaps.append(first - second)
    assert results[f"SAP_score.factor_{k}"] == pytest.approx(gaps[k], abs=1e-12)
  assert results["SAP_score"] == pytest.approx(np.mean(gaps), abs=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_squared_correlations_are_the_plain_recomputation(dtype):
  x_train, y_train, x_test, y_test = splits(num_latent=3)
  x_train = x_train.astype(dtype)
  results = sap_score.sap_scores(x_train, y_train, x_test, y_test, continuous_factors=True)
  for j in range(3):
    for k in range(2):
      expected = np.corrcoef(x_train[:, j].astype(float), y_train[:, k])[0, 1] ** 2
      assert results["score_matrix"][j][k] == pytest.approx(expected, abs=1e-12)
  matrix = np.sort(results["score_matrix"], axis=0)
  assert results["SAP_score"] == pytest.approx(np.mean(matrix[-1] - matrix[-2]), abs=1e-12)


def test_correlation_does_not_depend_on_order_signs_scales_and_names():
  x_train, y_train, x_test, y_test = splits()
  results = sap_score.sap_scores(x_train, y_train, x_test, y_test, continuous_factors=True)
  mapped = sap_score.sap_scores(
    (5 - x_train * [1, 20, 0.5, 3])[:, ::-1], 3 * y_train - 1, x_test, y_test, True
  )
  assert mapped["SAP_score"] == pytest.approx(results["SAP_score"], abs=1e-12)


def test_accuracy_does_not_depend_on_order_and_names():
  x_train, y_train, x_test, y_test = splits()
  results = sap_score.sap_scores(x_train, y_train, x_test, y_test)
  names = np.array([0, 4, 7, 11, 12])
  renamed = sap_score.sap_scores(x_train[:, ::-1], names[y_train], x_test[:, ::-1], names[y_test])
  assert renamed["SAP_score"] == pytest.approx(results["SAP_score"], abs=1e-12)


def test_latents_of_tiny_variance_count_as_constant():
  x_train, y_train, x_test, y_test = splits()
  x_train = x_train * [1, 1e-9, 1, 1]
  results = sap_score.sap_scores(x_train, y_train, x_test, y_test, continuous_factors=True)
  assert results["score_matrix"][1] == [0, 0]


@pytest.mark.parametrize("continuous", [True, False])
def test_constant_factor_is_left_out(continuous):
  x_train, y_train, x_test, y_test = splits()
  expected = sap_score.sap_scores(x_train, y_train, x_test, y_test, continuous)
  with_constant = [np.insert(y, 1, 6, axis=1) for y in (y_train, y_test)]
  results = sap_score.sap_scores(x_train, with_constant[0], x_test, with_constant[1], continuous)
  assert results["SAP_score"] == expected["SAP_score"]
  assert results["constant_factors"] == [1]
  assert "SAP_score.factor_1" not in results
  assert [row[1] for row in results["score_matrix"]] == [0] * 4
  json.dumps(results, allow_nan=False)


def test_continuous_factors_are_scored_by_correlation():
  y = np.random.RandomState(0).uniform(size=(500, 2))
  results = sap_score.sap_scores(y, y, y, y, continuous_factors=True)
  assert results["SAP_score"] >= 0.95
  assert sap_score.sap_scores(y, y, y, y, continuous_factors=False) == results


def test_each_factor_is_scored_as_its_kind():
  x_train, y_train, x_test, y_test = splits()
  discrete = sap_score.sap_scores(x_train, y_train, x_test, y_test)
  mixed = [y + np.array([0.5, *np.zeros(y.shape[1] - 1)]) for y in (y_train, y_test)]
  results = sap_score.sap_scores(x_train, mixed[0], x_test, mixed[1])
  matrix = np.array(results["score_matrix"])
  np.testing.assert_array_equal(matrix[:, 1:], np.array(discrete["score_matrix"])[:, 1:])
  correlations = [np.corrcoef(latent, y_train[:, 0])[0, 1] for latent in x_train.T]
  np.testing.assert_allclose(matrix[:, 0], np.square(correlations), atol=1e-12)


def test_value_that_one_split_lacks():
  x_train, y_train, x_test, y_test = splits()
  rest = y_test[:, 1] != 4
  results = sap_score.sap_scores(x_train, y_train, x_test[rest], y_test[rest])
  assert 0 <= results["SAP_score"] <= 1
  rest = y_train[:, 1] != 4
  results = sap_score.sap_scores(x_train[rest], y_train[rest], x_test, y_test)
  best = max(row[1] for row in results["score_matrix"])
  assert best <= np.mean(y_test[:, 1] != 4)


def test_one_factor_is_scored():
  x_train, y_train, x_test, y_test = splits()
  results = sap_score.sap_scores(x_train, y_train[:, :1], x_test, y_test[:, :1])
  assert results["SAP_score"] == results["SAP_score.factor_0"]


def test_large_matrix_is_not_recorded():
  random_state = np.random.RandomState(0)
  x, y = random_state.uniform(size=(20, 101)), random_state.uniform(size=(20, 100))
  assert "score_matrix" not in sap_score.sap_scores(x, y, x, y, continuous_factors=True)
  assert "score_matrix" in sap_score.sap_scores(x[:, 1:], y, x, y, continuous_factors=True)


@pytest.mark.parametrize("continuous", [True, False])
def test_one_latent_is_an_error(continuous):
  x_train, y_train, x_test, y_test = splits(num_latent=1)
  with pytest.raises(errors.ConfigError, match="the representation has 1"):
    sap_score.sap_scores(x_train, y_train, x_test, y_test, continuous)


@pytest.mark.parametrize("continuous", [True, False])
def test_no_factor_to_score_is_an_error(continuous):
  x, y = np.eye(6), np.ones((6, 2), dtype=int)
  with pytest.raises(errors.ConfigError, match="none of the 2 factors varies"):
    sap_score.sap_scores(x, y, x, y, continuous)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("continuous", [True, False])
def test_non_finite_representation_is_an_error(continuous, value):
  x_train, y_train, x_test, y_test = splits()
  x_train[3, 1] = value
  with pytest.raises(errors.ConfigError, match=r"1 of \d+ values that\s+are not finite"):
    sap_score.sap_scores(x_train, y_train, x_test, y_test, continuous)


def test_values_whose_variance_overflows_are_an_error():
  x_train, y_train, x_test, y_test = splits()
  for x, y in ((x_train * 1e200, y_train), (x_train, y_train * 1e200)):
    with pytest.raises(errors.ConfigError, match="values are not finite in float64"):
      sap_score.sap_scores(x, y, x_test, y_test, continuous_factors=True)


@pytest.mark.parametrize("continuous", [True, False])
def test_arrays_that_do_not_fit_are_an_error(continuous):
  x_train, y_train, x_test, y_test = splits()
  with pytest.raises(ValueError, match="got 300 and 299 rows"):
    sap_score.sap_scores(x_train, y_train[1:], x_test, y_test, continuous)
  with pytest.raises(ValueError, match="factors must be"):
    sap_score.sap_scores(x_train, y_train[:, 0], x_test, y_test, continuous)


def test_gin_binds_the_settings():
  gin.parse_config(
    "sap_score.num_train = 50\nsap_score.num_test = 30\nsap_score.continuous_factors = False"
  )
  sizes = []

  def encode(observations):
    sizes.append(len(observations))
    return observations

  data = dummy_data.IdentityObservationsData()
  results = [sap_score.compute_sap(data, encode, np.random.RandomState(seed)) for seed in (0, 0, 1)]
  assert sum(sizes) == 3 * 80
  assert results[0] == results[1] != results[2]


@pytest.mark.parametrize("continuous", [True, False])
def test_disentanglement_libs_values_are_reproduced(continuous):
  x, y, oracle = testdata.dlib_example()
  num_train, num_test = (oracle["_rows"][f"num_{split}_split"] for split in ("train", "test"))
  test = slice(num_train, num_train + num_test)
  results = sap_score.sap_scores(x[:num_train], y[:num_train], x[test], y[test], continuous)
  name = "SAP_score(continuous_factors=True)" if continuous else "SAP_score"
  assert results["SAP_score"] == pytest.approx(oracle["sap"][name], abs=1e-9)
