import json

import gin
from helpers import testdata
import numpy as np
import pytest

from dl_condind.data.ground_truth import dummy_data
from dl_condind.evaluation import gin_settings
from dl_condind.evaluation.metrics import dci
from dl_condind.evaluation.metrics import mig
from dl_condind.evaluation.metrics import modularity_explicitness
from dl_condind.evaluation.metrics import sap_score
from dl_condind.evaluation.metrics import unified_scores
from dl_condind.utils import errors

MUTUAL_INFORMATION = [unified_scores.mutual_information_matrix]
TREES = [unified_scores.importance_gbt_matrix]
SVM = [unified_scores.accuracy_svm_matrix]


@pytest.fixture(autouse=True)
def histogram_discretizer():
  gin.parse_config("discretizer.num_bins = 20\ndiscretizer.discretizer_fn = @histogram_discretizer")
  yield
  gin.clear_config()


def points(num_points=120, num_latent=4, num_values=(2, 3, 4), dtype=np.float32):
  random_state = np.random.RandomState(0)
  factors = np.stack([random_state.randint(n, size=num_points) for n in num_values], axis=1)
  mix = random_state.standard_normal((len(num_values), num_latent))
  noise = random_state.standard_normal((num_points, num_latent))
  return (factors @ mix + noise).astype(dtype), factors


def splits(**options):
  x, y = points(**options)
  return x[:80], y[:80], x[80:], y[80:]


def compute(representation_function, matrix_fns, data=None, num_train=1000, num_test=100):
  return unified_scores.compute_unified_scores(
    dummy_data.IdentityObservationsData() if data is None else data,
    representation_function,
    np.random.RandomState(0),
    num_train=num_train,
    num_test=num_test,
    matrix_fns=matrix_fns,
  )


def identity(x):
  return np.array(x, dtype=np.float64)


def duplicate(x):
  return np.hstack([x, x]).astype(np.float64)


@pytest.mark.slow
def test_identity_representation_scores_high():
  results = compute(identity, MUTUAL_INFORMATION, num_train=10000)
  assert results["mutual_information_matrix.mig"] >= 0.9
  assert results["mutual_information_matrix.modularity"] >= 0.9
  results = compute(identity, TREES, num_train=400)
  assert results["importance_gbt_matrix.dci_disentanglement"] >= 0.9
  assert results["importance_gbt_matrix.max_precision"] == 10


@pytest.mark.slow
def test_duplicated_latents():
  results = compute(duplicate, MUTUAL_INFORMATION)
  assert results["mutual_information_matrix.mig"] <= 0.2
  assert results["mutual_information_matrix.modularity"] >= 0.9
  assert compute(duplicate, SVM)["accuracy_svm_matrix.sap"] <= 0.2
  results = compute(duplicate, TREES, num_train=400)
  assert results["importance_gbt_matrix.dci_disentanglement"] >= 0.9


@pytest.mark.slow
def test_constant_representation_scores_zero():
  results = compute(lambda x: np.zeros(x.shape), [*MUTUAL_INFORMATION, *TREES], num_train=100)
  for name in ("mutual_information_matrix", "importance_gbt_matrix"):
    for key in ("mig", "sap", "dci_disentanglement", "modularity"):
      assert results[f"{name}.{key}"] == pytest.approx(0, abs=1e-9)
  json.dumps(results, allow_nan=False)


def test_each_metric_is_one_of_its_matrix():
  data = dummy_data.IdentityObservationsData()
  mix = np.random.RandomState(2).standard_normal((10, 4))

  def represent(x):
    return (x @ mix).astype(np.float32)

  results = compute(represent, [*MUTUAL_INFORMATION, *SVM], data, 300, 100)
  state = np.random.RandomState(0)
  expected = mig.compute_mig(data, represent, state, num_train=300)
  for i in range(10):
    key = f"mig.factor_{i}"
    assert results[f"mutual_information_matrix.{key}"] == expected[key]
  assert results["mutual_information_matrix.mig"] == expected["discrete_mig"]
  assert results["mutual_information_matrix.matrix"] == expected["mutual_information_matrix"]


def test_sap_and_modularity_are_those_of_their_matrices():
  x_train, y_train, x_test, y_test = splits()
  results = unified_scores.unified_scores(
    x_train, y_train, x_test, y_test, [*MUTUAL_INFORMATION, *SVM]
  )
  expected = sap_score.sap_scores(x_train, y_train, x_test, y_test)
  assert results["accuracy_svm_matrix.matrix"] == expected["score_matrix"]
  assert results["accuracy_svm_matrix.sap"] == expected["SAP_score"]
  expected = modularity_explicitness.modularity_explicitness_scores(*splits())
  assert results["mutual_information_matrix.modularity"] == expected["modularity_score"]
  for j in range(4):
    modularity = results[f"mutual_information_matrix.modularity.code_{j}"]
    assert modularity == expected[f"modularity_score.code_{j}"]


@pytest.mark.slow
def test_dci_is_that_of_its_matrix():
  x_train, y_train, x_test, y_test = splits()
  results = unified_scores.unified_scores(x_train, y_train, x_test, y_test, TREES, seed=3)
  expected = dci.dci_scores(x_train, y_train, x_test, y_test, seed=3)
  prefix = "importance_gbt_matrix"
  assert results[f"{prefix}.matrix"] == expected["importance_matrix"]
  assert results[f"{prefix}.dci"] == expected["disentanglement"]
  assert results[f"{prefix}.dci_disentanglement"] == expected["disentanglement"]
  assert results[f"{prefix}.dci_completeness"] == expected["completeness"]
  for i in range(3):
    completeness = results[f"{prefix}.dci_completeness.code_{i}"]
    assert completeness == expected[f"completeness.factor_{i}"]


def test_constant_factor_is_left_out():
  x_train, y_train, x_test, y_test = splits()
  y_train[:, 1] = 0
  results = unified_scores.unified_scores(
    x_train, y_train, x_test, y_test, [*MUTUAL_INFORMATION, *TREES, *SVM]
  )
  assert results["constant_factors"] == [1]
  expected = mig.gap_of_codes(gin_settings.discretize(x_train), y_train)
  assert results["mutual_information_matrix.mig"] == expected["discrete_mig"]
  assert "mutual_information_matrix.mig.factor_1" not in results
  assert "mutual_information_matrix.mig.factor_2" in results
  json.dumps(results, allow_nan=False)


@pytest.mark.slow
def test_continuous_factor_is_cut_in_bins_as_mig_does():
  x_train, y_train, x_test, y_test = splits()
  y_train = y_train + np.array([0.0, 0.0, 0.25])
  results = unified_scores.unified_scores(x_train, y_train, x_test, y_test, MUTUAL_INFORMATION)
  expected = mig.mutual_information_gap(x_train, y_train)
  assert results["mutual_information_matrix.mig"] == expected["discrete_mig"]
  y_test = y_test + np.array([0.0, 0.0, 0.25])
  svms = [unified_scores.accuracy_svm_matrix]
  results = unified_scores.unified_scores(x_train, y_train, x_test, y_test, [*TREES, *svms])
  dci_scores = dci.dci_scores(x_train, y_train, x_test, y_test)
  assert results["importance_gbt_matrix.matrix"] == dci_scores["importance_matrix"]
  sap = sap_score.sap_scores(x_train, y_train, x_test, y_test)
  assert results["accuracy_svm_matrix.matrix"] == sap["score_matrix"]


def test_nearest_neighbors_are_a_matrix_too():
  x_train, y_train, x_test, y_test = splits()
  y_train = y_train + np.array([0.0, 0.0, 0.25])
  matrix_fns = [unified_scores.nearest_neighbor_matrix]
  results = unified_scores.unified_scores(x_train, y_train, x_test, y_test, matrix_fns, seed=3)
  expected = mig.mutual_information_gap(x_train, y_train, estimator="nearest_neighbors", seed=3)
  assert results["nearest_neighbor_matrix.mig"] == expected["nearest_neighbor_mig"]
  assert results["nearest_neighbor_matrix.matrix"] == expected["mutual_information_matrix"]


def test_one_factor_and_other_numbers_of_latents():
  for num_latent in (2, 6):
    one = splits(num_values=(3,), num_latent=num_latent)
    results = unified_scores.unified_scores(*one, [*MUTUAL_INFORMATION, *TREES, *SVM])
    assert results["importance_gbt_matrix.dci"] is None
    json.dumps(results, allow_nan=False)


def test_value_missing_from_a_split_is_allowed():
  x_train, y_train, x_test, y_test = splits()
  results = unified_scores.unified_scores(
    x_train, y_train, x_test, np.full_like(y_test, 9), [*TREES, *SVM]
  )
  json.dumps(results, allow_nan=False)


@pytest.mark.parametrize(
  ("change", "message"),
  [
    (
      lambda x, y: (x[1:], y),
      "train representations and factors must have .* 79 and 80",
    ),
    (
      lambda x, y: (x, y[:, 0]),
      r"train factors must be .* got shape \(80,\)",
    ),
    (lambda x, y: (x[:0], y[:0]), r"train representations must be .* got shape \(0, 4\)"),
    (lambda x, y: (x[:, :3], y), "must have the same columns, got .3, 3, 4, 3."),
    (lambda x, y: (x, y[:, :2]), "must have the same columns, got .4, 2, 4, 3."),
    (lambda x, y: (np.full_like(x, np.nan), y), "The train representation has 320 of 320"),
    (lambda x, y: (x, y * [1, np.nan, 1]), "The array of train factors has 80 of 240 values"),
    (lambda x, y: (x, np.zeros_like(y)), "unified_scores has nothing to score"),
  ],
)
def test_points_that_cannot_be_scored_are_refused(change, message):
  x_train, y_train, x_test, y_test = splits()
  with pytest.raises(ValueError, match=message):
    unified_scores.unified_scores(*change(x_train, y_train), x_test, y_test, MUTUAL_INFORMATION)


def test_one_latent_is_an_error():
  with pytest.raises(errors.ConfigError, match="the representation has 1"):
    unified_scores.unified_scores(*splits(num_latent=1), matrix_fns=MUTUAL_INFORMATION)


@pytest.mark.slow
def test_gin_binds_the_matrices():
  gin.parse_config(
    "unified_scores.matrix_fns = "
    "[@mutual_information_matrix, @importance_gbt_matrix, @accuracy_svm_matrix]\n"
    "unified_scores.num_train = 40\nunified_scores.num_test = 20\n"
    "importance_gbt_matrix.predictor_fn = @extra_trees_classifier"
  )
  results = unified_scores.compute_unified_scores(
    dummy_data.DummyData(), lambda x: x[:, :3, 0, 0], np.random.RandomState(0)
  )
  for name in ("mutual_information_matrix", "importance_gbt_matrix", "accuracy_svm_matrix"):
    assert {f"{name}.dci", f"{name}.sap.factor_9", f"{name}.area_precision"} <= results.keys()
  json.dumps(results, allow_nan=False)


def test_disentanglement_libs_values_are_reproduced():
  representations, factors, oracle = testdata.dlib_example()
  rows = oracle["_rows"]["num_train_nosplit"]
  points = representations[:rows], factors[:rows]
  results = unified_scores.unified_scores(*points, *points, MUTUAL_INFORMATION)
  checked = 0
  for key, expected in oracle["per_factor"].items():
    if key.startswith(("mig", "modularity")):
      found = results[f"mutual_information_matrix.{key}"]
      assert found == pytest.approx(expected, abs=1e-9), key
      checked += 1
  assert checked == 16
