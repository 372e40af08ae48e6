import json

import gin
import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from dl_condind.data.ground_truth import dummy_data
from dl_condind.evaluation.information import discretization
from dl_condind.evaluation.metrics import med
from dl_condind.utils import errors


@pytest.fixture(autouse=True)
def clear_gin():
  yield
  gin.clear_config()


def grid_of_factors(num_values=(4, 3, 5), repeats=10):
  """Returns every combination equally often: factors are exactly independent and uniform."""
  axes = np.meshgrid(*[np.arange(n) for n in num_values], indexing="ij")
  return np.tile(np.stack([axis.ravel() for axis in axes], axis=1), (repeats, 1))


def entangled(num_points=2000, num_latent=5, num_values=(3, 6, 4), seed=0):
  random_state = np.random.RandomState(seed)
  factors = np.stack([random_state.randint(n, size=num_points) for n in num_values], axis=1)
  mix = random_state.standard_normal((len(num_values), num_latent))
  return factors @ mix + random_state.standard_normal((num_points, num_latent)), factors


def literal_importance(representations, factors, num_bins):
  matrix = np.zeros((representations.shape[1], factors.shape[1]))
  for j, values in enumerate(representations.T):
    code = np.digitize(values, np.histogram(values, num_bins)[1][:-1])
    for i, factor in enumerate(factors.T):
      matrix[j, i] = metrics.mutual_info_score(code, factor)
  return matrix / matrix.sum(axis=0)


def literal_score(importance):
  """Returns the score of each row and their mean by the formulas of the paper."""
  scores = []
  for row in importance:
    p = row / row.sum()
    scores.append(1 + np.sum(p * np.log(np.maximum(p, 1e-300))) / np.log(len(p)))
  return scores, np.average(scores, weights=importance.sum(axis=1))


def test_identity_representation_scores_one():
  factors = grid_of_factors()
  results = med.med_scores(factors.astype(np.float64), factors)
  # The smallest importance, 1e-11, costs its part of the entropy.
  assert results["med"] == pytest.approx(1, abs=1e-8)
  assert results["med_completeness"] == pytest.approx(1, abs=1e-8)
  np.testing.assert_allclose(results["importance_matrix"], np.eye(3), atol=1e-12)


def test_constant_representation_scores_zero():
  factors = grid_of_factors()
  results = med.med_scores(np.zeros((len(factors), 4)), factors, top_k=1)
  for key in ("med", "med_completeness", "top_k_med"):
    assert results[key] == pytest.approx(0, abs=1e-12)
  np.testing.assert_array_equal(results["importance_matrix"], 0)
  json.dumps(results, allow_nan=False)


def test_duplicated_latents_are_disentangled_but_incomplete():
  factors = grid_of_factors()
  results = med.med_scores(np.repeat(factors, 2, axis=1).astype(np.float64), factors)
  assert results["med"] == pytest.approx(1, abs=1e-8)
  assert results["med_completeness"] == pytest.approx(1 - np.log(2) / np.log(6), abs=1e-8)


def test_rotated_representation_scores_low():
  factors = grid_of_factors((6, 6, 6), 5)
  rotation = stats.special_ortho_group.rvs(3, random_state=np.random.RandomState(0))
  assert med.med_scores(factors @ rotation, factors)["med"] < 0.4


def test_score_is_the_plain_recomputation():
  x, factors = entangled()
  results = med.med_scores(x, factors, num_bins=12)
  importance = literal_importance(x, factors, 12)
  per_code, score = literal_score(importance)
  per_factor, completeness = literal_score(importance.T)
  np.testing.assert_allclose(results["importance_matrix"], importance, atol=1e-12)
  # The smallest importance, 1e-11, moves the entropy in the tenth digit.
  assert [results[f"med.code_{j}"] for j in range(5)] == pytest.approx(per_code, abs=1e-8)
  assert results["med"] == pytest.approx(score, abs=1e-8)
  assert [results[f"med_completeness.factor_{i}"] for i in range(3)] == pytest.approx(
    per_factor, abs=1e-8
  )
  assert results["med_completeness"] == pytest.approx(completeness, abs=1e-8)


def test_order_of_latents_and_names_of_values_do_not_matter():
  x, factors = entangled()
  results = med.med_scores(x, factors)
  renamed = np.array([9, 7, 0, 3, 1, 8])[factors[:, ::-1]]
  other = med.med_scores(x[:, ::-1], renamed)
  assert other["med"] == pytest.approx(results["med"], abs=1e-12)
  assert other["med.code_0"] == pytest.approx(results["med.code_4"], abs=1e-12)
  assert other["med_completeness.factor_0"] == pytest.approx(
    results["med_completeness.factor_2"], abs=1e-12
  )


def test_top_k_codes_are_the_most_disentangled_of_each_factor():
  importance = np.array([[0.5, 0.0], [0.1, 0.4], [0.3, 0.1], [0.0, 0.2], [0.1, 0.1], [0.0, 0.2]])
  # Of factor 0: latents 0, 2 and (equal importances) 4; of factor 1: 3, 5 (a tie) and 1.
  np.testing.assert_array_equal(med.top_k_codes(importance, 1), [0, 3])
  np.testing.assert_array_equal(med.top_k_codes(importance, 2), [0, 2, 3, 5])
  np.testing.assert_array_equal(med.top_k_codes(importance, 9), np.arange(6))


def test_top_k_finds_a_disentangled_subset():
  random_state = np.random.RandomState(0)
  factors = grid_of_factors(repeats=30)
  mixed = factors @ random_state.standard_normal((3, 40))
  x = np.insert(mixed, [3, 17, 30], factors, axis=1)
  results = med.med_scores(x, factors, top_k=1)
  assert results["top_k_latents"] == [3, 18, 32]
  assert results["top_k_med"] == pytest.approx(1, abs=1e-8)
  assert results["top_k_completeness"] == pytest.approx(1, abs=1e-8)
  assert results["med"] < 0.5
  every = med.med_scores(x, factors, top_k=43)
  assert every["top_k_med"] == every["med"]
  assert "top_k_med" not in med.med_scores(x, factors)


def test_constant_factor_is_left_out():
  x, factors = entangled()
  results = med.med_scores(x, factors)
  with_constant = med.med_scores(x, np.insert(factors, 1, 3, axis=1))
  assert with_constant["constant_factors"] == [1]
  assert "med_completeness.factor_1" not in with_constant
  assert with_constant["med_completeness.factor_2"] == results["med_completeness.factor_1"]
  assert with_constant["med"] == results["med"]
  np.testing.assert_array_equal(np.array(with_constant["importance_matrix"])[:, 1], 0)


def test_factor_that_no_latent_knows_has_no_importance():
  factors = grid_of_factors()
  results = med.med_scores(factors[:, :2].astype(np.float64), factors)
  np.testing.assert_allclose(np.array(results["importance_matrix"])[:, 2], 0, atol=1e-12)
  json.dumps(results, allow_nan=False)


def test_one_factor_has_no_med_and_one_latent_no_completeness():
  x, factors = entangled()
  one_factor = med.med_scores(x, factors[:, :1], top_k=2)
  for key in ("med", "top_k_med", "top_k_completeness", "top_k_latents"):
    assert one_factor[key] is None
  assert 0 <= one_factor["med_completeness"] <= 1
  one_latent = med.med_scores(x[:, :1], factors, top_k=2)
  assert one_latent["med_completeness"] is None
  assert one_latent["top_k_completeness"] is None
  assert 0 <= one_latent["med"] <= 1
  json.dumps([one_factor, one_latent], allow_nan=False)


def test_continuous_factors_are_cut_in_bins():
  factors = np.random.RandomState(0).uniform(size=(3000, 2))
  codes = discretization.histogram_discretizer(factors, 7)
  assert med.med_scores(factors, factors, num_bins=7) == med.scores_of_codes(codes, codes)


@pytest.mark.parametrize(
  ("change", "top_k", "message"),
  [
    (lambda x, y: (x, y), 0, "med.top_k must be a whole number of at least 1, got 0"),
    (lambda x, y: (x, y), 1.5, "med.top_k must be a whole number of at least 1, got 1.5"),
    (lambda x, y: (np.full_like(x, np.inf), y), None, "values that are not finite"),
    (lambda x, y: (x, np.zeros_like(y)), None, "med has nothing to score"),
    (lambda x, y: (x[1:], y), None, "got 1999 and 2000 rows"),
  ],
)
def test_points_and_settings_that_cannot_be_scored_are_refused(change, top_k, message):
  x, factors = change(*entangled())
  with pytest.raises(ValueError, match=message):
    med.med_scores(x, factors, top_k=top_k)


def test_protocol_draws_points_with_the_configured_discretizer():
  gin.parse_config("""
    med.num_train = 50
    med.top_k = 1
    discretizer.num_bins = 6
    discretizer.discretizer_fn = @histogram_discretizer
  """)
  data = dummy_data.IdentityObservationsData()
  results = med.compute_med(data, lambda x: x - 0.5, np.random.RandomState(1))
  random_state = np.random.RandomState(1)
  points = np.concatenate([data.sample_factors(size, random_state) for size in (16, 16, 16, 2)])
  assert results == med.med_scores(points - 0.5, points, num_bins=6, top_k=1)
  with gin.unlock_config():
    gin.bind_parameter("med.top_k", -1)
  with pytest.raises(errors.ConfigError, match="med.top_k"):
    med.compute_med(data, lambda x: x, np.random.RandomState(1))
