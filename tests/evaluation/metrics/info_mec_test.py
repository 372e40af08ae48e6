import functools
import json

import gin
import numpy as np
import pytest
from scipy import optimize
from scipy import special
from scipy import stats
from sklearn import feature_selection

from dl_condind.data.ground_truth import dummy_data
from dl_condind.evaluation.metrics import info_mec
from dl_condind.utils import errors
from dl_condind.utils import seeds


@pytest.fixture(autouse=True)
def clear_gin():
  yield
  gin.clear_config()


def grid_of_factors(num_values=(4, 3, 5), repeats=20):
  """Returns every combination equally often: factors are exactly independent and uniform."""
  axes = np.meshgrid(*[np.arange(n) for n in num_values], indexing="ij")
  return np.tile(np.stack([axis.ravel() for axis in axes], axis=1), (repeats, 1))


def jittered(factors):
  """Returns representations without copies of a point, which are no neighbors of each other."""
  noise = np.random.RandomState(9).uniform(-0.1, 0.1, size=factors.shape)
  return factors + noise


def entangled(num_points=600, num_latent=4, num_values=(2, 3, 4), seed=0):
  random_state = np.random.RandomState(seed)
  factors = np.stack([random_state.randint(n, size=num_points) for n in num_values], axis=1)
  mix = random_state.standard_normal((len(num_values), num_latent))
  return factors @ mix + random_state.standard_normal((num_points, num_latent)), factors


def literal_ratio(matrix, axis):
  """Returns the mean ratio of the paper along an axis, rescaled from [1 / k, 1] to [0, 1]."""
  k = matrix.shape[axis]
  mean = np.mean(matrix.max(axis=axis) / matrix.sum(axis=axis))
  return (mean - 1 / k) / (1 - 1 / k)


@pytest.mark.parametrize("estimator", info_mec.ESTIMATORS)
def test_identity_representation_scores_one(estimator):
  factors = grid_of_factors()
  near = estimator == "nearest_neighbors"
  x = jittered(factors) if near else factors.astype(np.float64)
  results = info_mec.info_mec_scores(x, factors, estimator)
  # Estimated from neighbors, independent columns share a little information.
  tolerance = 0.1 if near else 1e-12
  assert results["info_m"] == pytest.approx(1, abs=tolerance)
  assert results["info_c"] == pytest.approx(1, abs=tolerance)
  assert results["info_e"] > 0.99
  assert results["active_latents"] == [0, 1, 2]


@pytest.mark.parametrize("estimator", info_mec.ESTIMATORS)
def test_constant_representation_scores_zero(estimator):
  factors = grid_of_factors()
  results = info_mec.info_mec_scores(np.full((len(factors), 4), 0.1), factors, estimator)
  assert results["active_latents"] == []
  assert results["info_m"] == results["info_c"] == 0
  assert results["info_e"] == pytest.approx(0, abs=1e-9)
  np.testing.assert_array_equal(results["normalized_mutual_information_matrix"], 0)
  json.dumps(results, allow_nan=False)


def test_duplicated_latents_are_modular_but_not_compact():
  factors = grid_of_factors()
  duplicated = np.repeat(factors, 2, axis=1).astype(np.float64)
  results = info_mec.info_mec_scores(duplicated, factors, "histogram")
  assert results["info_m"] == pytest.approx(1, abs=1e-12)
  # Of six latents two have the same information about a factor: (1/2 - 1/6) / (1 - 1/6).
  assert results["info_c"] == pytest.approx(0.4, abs=1e-12)


def test_rotated_representation_is_explicit_but_not_modular():
  factors = grid_of_factors((4, 4, 4))
  rotation = stats.special_ortho_group.rvs(3, random_state=np.random.RandomState(0))
  results = info_mec.info_mec_scores(jittered(factors) @ rotation, factors)
  assert results["info_m"] < 0.6
  assert results["info_c"] < 0.6
  assert results["info_e"] > 0.99


@pytest.mark.parametrize("estimator", info_mec.ESTIMATORS)
def test_order_and_sign_of_latents_and_names_of_values_do_not_matter(estimator):
  x, factors = entangled()
  x = np.round(x) if estimator == "discrete" else x
  results = info_mec.info_mec_scores(x, factors, estimator)
  renamed = np.array([9, 7, 0, 3])[factors]
  other = info_mec.info_mec_scores(x[:, ::-1], renamed, estimator)
  # The noise that breaks ties, and the path of the solver, are others.
  for key in ("info_m", "info_c", "info_e"):
    assert other[key] == pytest.approx(results[key], abs=1e-3)
  assert other["info_m.code_0"] == pytest.approx(results["info_m.code_3"], abs=1e-3)
  negative = info_mec.info_mec_scores(-x, factors, estimator)
  assert negative["info_e"] == pytest.approx(results["info_e"], abs=1e-3)


def test_latents_of_little_range_are_pruned():
  random_state = np.random.RandomState(0)
  factors = grid_of_factors()
  noise = 0.05 * random_state.uniform(size=(len(factors), 2))
  x = np.insert(factors.astype(np.float64), [1, 3], noise, axis=1)
  results = info_mec.info_mec_scores(x, factors, "histogram")
  assert results["active_latents"] == [0, 2, 3]
  assert {key for key in results if key.startswith("info_m.")} == {
    f"info_m.code_{j}" for j in (0, 2, 3)
  }
  clean = info_mec.info_mec_scores(factors.astype(np.float64), factors, "histogram")
  assert results["info_m"] == pytest.approx(clean["info_m"], abs=1e-12)
  assert results["info_c"] == pytest.approx(clean["info_c"], abs=1e-12)
  kept = info_mec.info_mec_scores(x, factors, "histogram", min_relative_range=0.0)
  assert kept["active_latents"] == [0, 1, 2, 3, 4]
  assert kept["info_m"] < results["info_m"]


def test_range_at_the_threshold_is_pruned():
  x = np.array([[0.0, 0.0, 0.0], [8.0, 1.0, 0.0], [8.0, 1.0001, 0.0]])
  np.testing.assert_array_equal(info_mec.active_latents(x[:2], 1 / 8), [0])
  np.testing.assert_array_equal(info_mec.active_latents(x, 1 / 8), [0, 1])
  np.testing.assert_array_equal(info_mec.active_latents(x, 0.0), [0, 1])
  np.testing.assert_array_equal(info_mec.active_latents(0 * x, 0.0), [])


def test_ratios_are_those_of_the_formula():
  x, factors = entangled()
  results = info_mec.info_mec_scores(x, factors, seed=5)
  scaled = (x - x.min(axis=0)) / np.ptp(x, axis=0)
  information = np.stack(
    [
      feature_selection.mutual_info_classif(scaled, y, n_neighbors=10, random_state=5)
      for y in factors.T
    ],
    axis=1,
  )
  entropy = [stats.entropy(np.bincount(y)) for y in factors.T]
  matrix = information / entropy
  np.testing.assert_allclose(
    results["normalized_mutual_information_matrix"], matrix, rtol=0, atol=1e-12
  )
  assert results["factor_entropy"] == pytest.approx(entropy, abs=1e-12)
  assert results["info_m"] == pytest.approx(literal_ratio(matrix, 1), abs=1e-12)
  assert results["info_c"] == pytest.approx(literal_ratio(matrix, 0), abs=1e-12)
  assert results["info_m"] == pytest.approx(
    np.mean([results[f"info_m.code_{j}"] for j in range(4)])
  )
  assert results["info_c"] == pytest.approx(
    np.mean([results[f"info_c.factor_{i}"] for i in range(3)])
  )


def test_neighbors_estimate_information_of_a_known_density():
  random_state = np.random.RandomState(0)
  factor = random_state.randint(2, size=4000)
  x = random_state.standard_normal((4000, 1)) + 3.0 * factor[:, None]
  # I = ln 2 - E[h(p)], p the probability of the true value, by quadrature over the density.
  grid = np.linspace(-8, 11, 20001)
  density = [stats.norm.pdf(grid, loc=mean) for mean in (0, 3)]
  mixture = 0.5 * (density[0] + density[1])
  terms = sum(0.5 * special.rel_entr(d, mixture) for d in density)
  expected = np.sum(terms) * (grid[1] - grid[0])
  estimate = info_mec.mutual_information(x, factor[:, None], "nearest_neighbors", 0, 10, 20)
  # The mean of 4000 terms whose deviation is below 1 is within 0.03 at two sigma.
  assert estimate[0, 0] == pytest.approx(expected, abs=0.03)


def test_largest_shares_in_closed_form():
  matrix = np.array([[0.0, 2.0], [1.0, 1.0], [3.0, 1.0], [0.0, 0.0]])
  np.testing.assert_allclose(info_mec.largest_shares(matrix), [1, 0, 0.5, 0], atol=1e-15)


def test_linear_information_is_the_optimum_of_the_likelihood():
  random_state = np.random.RandomState(0)
  factor = random_state.choice(3, p=[0.6, 0.3, 0.1], size=300)
  features = random_state.standard_normal((300, 2)) + factor[:, None]

  def cross_entropy(parameters):
    logits = features @ parameters[:6].reshape(2, 3) + parameters[6:]
    return -np.mean(special.log_softmax(logits, axis=1)[np.arange(300), factor])

  best = optimize.minimize(cross_entropy, np.zeros(9), tol=1e-10).fun
  expected = 1 - best / stats.entropy(np.bincount(factor))
  # scikit-learn stops at a gradient of 1e-4.
  assert info_mec.linear_information(features, factor) == pytest.approx(expected, abs=1e-4)


def test_classifier_that_sees_nothing_has_the_entropy_of_an_unbalanced_factor():
  factor = np.repeat([0, 1, 2], [100, 30, 7])
  nothing = np.zeros((len(factor), 3))
  assert info_mec.linear_information(nothing, factor) == pytest.approx(0, abs=1e-6)


def test_discrete_latents_are_symbols():
  x = np.tile(np.arange(4.0), 50)[:, None]
  parity = (x % 2).astype(int)  # no threshold on the latent, but a subset of its symbols
  assert info_mec.info_mec_scores(x, parity, "discrete")["info_e"] > 0.99
  assert info_mec.info_mec_scores(x, parity, "histogram")["info_e"] < 0.2


def test_noise_looks_modular_but_explains_nothing():
  factors = grid_of_factors()
  x = np.random.RandomState(0).standard_normal((len(factors), 4))
  results = info_mec.info_mec_scores(x, factors)
  # Ratios of estimates that are nearly 0 are arbitrary.
  assert results["info_m"] > 0.2
  assert results["info_e"] < 0.02


def test_constant_factor_is_left_out():
  x, factors = entangled()
  results = info_mec.info_mec_scores(x, factors)
  with_constant = info_mec.info_mec_scores(x, np.insert(factors, 1, 3, axis=1))
  assert with_constant["constant_factors"] == [1]
  assert "info_c.factor_1" not in with_constant
  assert with_constant["info_e.factor_2"] == results["info_e.factor_1"]
  for key in ("info_m", "info_c", "info_e"):
    assert with_constant[key] == results[key]
  np.testing.assert_array_equal(
    np.array(with_constant["normalized_mutual_information_matrix"])[:, 1], 0
  )
  json.dumps(with_constant, allow_nan=False)


def test_one_factor_has_no_modularity_and_one_latent_no_compactness():
  x, factors = entangled()
  one_factor = info_mec.info_mec_scores(x, factors[:, :1])
  assert one_factor["info_m"] is None
  assert not [key for key in one_factor if key.startswith("info_m.")]
  assert 0 <= one_factor["info_c"] <= 1
  one_latent = info_mec.info_mec_scores(x[:, :1], factors)
  assert one_latent["info_c"] is None
  assert 0 <= one_latent["info_m"] <= 1
  both = info_mec.info_mec_scores(x[:, :1], factors[:, :1])
  assert both["info_m"] is both["info_c"] is None
  assert 0 <= both["info_e"] <= 1
  json.dumps([one_factor, one_latent, both], allow_nan=False)


def test_scores_repeat_exactly():
  x, factors = entangled()
  assert info_mec.info_mec_scores(x, factors, seed=1) == info_mec.info_mec_scores(
    x, factors, seed=1
  )


@pytest.mark.parametrize(
  ("change", "options", "message"),
  [
    (
      lambda x, y: (x, y),
      {"estimator": "knn"},
      "nearest_neighbors, histogram, discrete, got 'knn'",
    ),
    (lambda x, y: (x, y), {"min_relative_range": 1.0}, r"must be in \[0, 1\), got 1.0"),
    (lambda x, y: (x, y), {"num_neighbors": 0}, "info_mec.num_neighbors must be a whole number"),
    (lambda x, y: (x, y), {"num_bins": 2.5}, "info_mec.num_bins must be a whole number"),
    (lambda x, y: (x, y), {"min_relative_range": np.nan}, r"must be in \[0, 1\), got nan"),
    (lambda x, y: (np.full_like(x, np.nan), y), {}, "values that are not finite"),
    (lambda x, y: (x, np.zeros_like(y)), {}, "info_mec has nothing to score"),
    (lambda x, y: (x, np.arange(len(y))[:, None]), {}, "raise the number of points"),
    (lambda x, y: (x[1:], y), {}, "got 599 and 600 rows"),
  ],
)
def test_points_and_settings_that_cannot_be_scored_are_refused(change, options, message):
  x, factors = change(*entangled())
  with pytest.raises(ValueError, match=message):
    info_mec.info_mec_scores(x, factors, **options)


@pytest.mark.parametrize("estimator", info_mec.ESTIMATORS)
def test_continuous_factor(estimator):
  random_state = np.random.RandomState(0)
  known, discrete = random_state.uniform(1, 2, 2000), random_state.randint(4, size=2000)
  x = np.stack([discrete + 0.01 * random_state.normal(size=2000), 3 - 2 * known], axis=1)
  if estimator == "discrete":
    x = np.round(4 * x)
  y = np.stack([known, discrete], axis=1)
  results = info_mec.info_mec_scores(x, y, estimator)
  alone = info_mec.info_mec_scores(x, y[:, 1:], estimator)
  for key in ("info_e.factor", "info_c.factor"):
    assert results[f"{key}_1"] == alone[f"{key}_0"]
  matrix = np.array(results["normalized_mutual_information_matrix"])
  np.testing.assert_array_equal(matrix[:, 1:], alone["normalized_mutual_information_matrix"])
  assert min(results["info_m"], results["info_c"]) > 0.9
  bins = np.histogram(known, 20)[0] / 2000
  entropy = -np.sum(bins * np.log(bins))
  assert results["factor_entropy"][0] == pytest.approx(entropy, abs=1e-12)
  if estimator == "discrete":  # 8 values of the latent
    assert results["info_e.factor_0"] == pytest.approx(1 - 1 / 64, abs=0.01)
  else:
    assert results["info_e.factor_0"] == pytest.approx(1, abs=1e-12)
    exact = entropy if estimator == "histogram" else np.log(2000 / 10)
    assert matrix[1, 0] == pytest.approx(exact / entropy, abs=0.1)


def test_noise_does_not_explain_a_continuous_factor():
  random_state = np.random.RandomState(0)
  results = info_mec.info_mec_scores(
    random_state.normal(size=(500, 2)), random_state.normal(size=(500, 1))
  )
  assert 0 <= results["info_e"] < 0.03


def test_protocol_draws_points_and_its_seed_apart():
  gin.parse_config("info_mec.num_train = 60")
  data = dummy_data.IdentityObservationsData()
  results = info_mec.compute_info_mec(data, lambda x: x + 0.5, np.random.RandomState(1))
  random_state = np.random.RandomState(1)
  seed = seeds.seed_from(random_state)
  points = np.concatenate([data.sample_factors(size, random_state) for size in (16, 16, 16, 12)])
  assert results == info_mec.info_mec_scores(points + 0.5, points, seed=seed)


@pytest.mark.parametrize(
  ("estimator", "setting"), [("nearest_neighbors", "num_neighbors"), ("histogram", "num_bins")]
)
def test_gin_binds_the_settings_of_estimators(estimator, setting):
  # nearest_neighbors.num_neighbors is the setting of other metrics.
  gin.parse_config(
    f"info_mec.num_train = 100\ninfo_mec.estimator = '{estimator}'\ninfo_mec.{setting} = 3\n"
    "nearest_neighbors.num_neighbors = 50"
  )
  data = dummy_data.IdentityObservationsData()
  score = functools.partial(info_mec.compute_info_mec, data, lambda x: x + 0.5)
  results = score(np.random.RandomState(1))
  assert f"info_mec.{setting} = 3" in gin.operative_config_str()
  assert "nearest_neighbors.num_neighbors = 50" not in gin.operative_config_str()
  assert results == score(np.random.RandomState(1), **{setting: 3})
  assert results != score(np.random.RandomState(1), **{setting: 5})
  assert results.get("num_distinct_points") == (100 if estimator == "nearest_neighbors" else None)


def test_gin_binds_the_settings():
  gin.parse_config(
    "info_mec.num_train = 60\ninfo_mec.estimator = 'discrete'\ninfo_mec.min_relative_range = 0"
  )
  data = dummy_data.IdentityObservationsData()
  results = info_mec.compute_info_mec(data, lambda x: x * np.eye(10)[0], np.random.RandomState(0))
  assert results["active_latents"] == [0]
  with gin.unlock_config():
    gin.bind_parameter("info_mec.estimator", "none")
  with pytest.raises(errors.ConfigError, match="info_mec.estimator must be one of"):
    info_mec.compute_info_mec(data, lambda x: x, np.random.RandomState(0))
