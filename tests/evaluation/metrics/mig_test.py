import functools
import json

import gin
from helpers import testdata
import numpy as np
import pytest
from sklearn import metrics

from dl_condind.data.ground_truth import dummy_data
from dl_condind.evaluation import checks
from dl_condind.evaluation.information import discretization
from dl_condind.evaluation.information import nearest_neighbors
from dl_condind.evaluation.metrics import mig
from dl_condind.utils import errors
from dl_condind.utils import seeds


@pytest.fixture(autouse=True)
def identity_discretizer():
  gin.parse_config("discretizer.num_bins = 10")
  with gin.unlock_config():
    gin.bind_parameter("discretizer.discretizer_fn", lambda target, num_bins: target)
  yield
  gin.clear_config()


def score(representation_function):
  return mig.compute_mig(
    dummy_data.IdentityObservationsData(),
    representation_function,
    np.random.RandomState(0),
    num_train=3000,
  )["discrete_mig"]


def test_identity_representation_scores_high():
  assert score(lambda x: np.array(x, dtype=np.float64)) >= 0.9


def test_constant_representation_scores_zero():
  assert score(lambda x: np.zeros(x.shape)) == 0


def test_duplicated_latents_score_low():
  assert score(lambda x: np.repeat(np.array(x, dtype=np.float64), 2, axis=1)) <= 0.1


def test_gap_in_closed_form():
  factors = np.array([[0, 0, 1, 1], [0, 1, 0, 1]]).T
  # The first latent is factor 0, the second both factors, so factor 1 alone has a gap.
  representations = np.array([[0.0, 0.0, 9.0, 9.0], [0.0, 1.0, 2.0, 3.0]]).T
  results = mig.mutual_information_gap(representations, factors)
  ln2 = np.log(2)
  assert results["mig.factor_0"] == pytest.approx(0, abs=1e-15)
  assert results["mig.factor_1"] == pytest.approx(1, abs=1e-15)
  assert results["discrete_mig"] == pytest.approx(0.5, abs=1e-15)
  assert results["factor_entropy"] == pytest.approx([ln2, ln2])
  np.testing.assert_allclose(
    results["mutual_information_matrix"], [[ln2, 0], [ln2, ln2]], atol=1e-15
  )


def test_gap_is_the_plain_recomputation():
  random_state = np.random.RandomState(0)
  factors = np.stack([random_state.randint(n, size=4000) for n in (3, 6, 40)], axis=1)
  noise = random_state.standard_normal((4000, 5))
  representations = (noise + factors @ random_state.standard_normal((3, 5))).astype(np.float32)

  results = mig.mutual_information_gap(representations, factors, num_bins=12)

  gaps = []
  for factor in factors.T:
    information = []
    for values in representations.T:
      edges = np.histogram(values, bins=12)[1]
      information.append(metrics.mutual_info_score(factor, np.digitize(values, edges[:-1])))
    second, first = sorted(information)[-2:]
    gaps.append((first - second) / metrics.mutual_info_score(factor, factor))
  assert [results[f"mig.factor_{i}"] for i in range(3)] == pytest.approx(gaps, abs=1e-12)
  assert results["discrete_mig"] == pytest.approx(np.mean(gaps), abs=1e-12)


def test_order_of_latents_and_names_of_factor_values_do_not_matter():
  random_state = np.random.RandomState(0)
  factors = random_state.randint(5, size=(500, 3))
  representations = factors + random_state.standard_normal((500, 3))
  results = mig.mutual_information_gap(representations, factors)
  renamed = mig.mutual_information_gap(
    -representations[:, ::-1], np.array([9, 7, 0, 3, 1])[factors]
  )
  assert renamed["discrete_mig"] == pytest.approx(results["discrete_mig"], rel=0.05)
  assert renamed["factor_entropy"] == pytest.approx(results["factor_entropy"], abs=1e-12)


def test_continuous_factors_are_cut_in_bins():
  random_state = np.random.RandomState(0)
  continuous = random_state.uniform(-2, 5, size=(3000, 2))
  discrete = random_state.randint(4, size=3000)
  factors = np.insert(continuous, 1, discrete, axis=1)
  representations = factors @ random_state.standard_normal((3, 4))
  before = factors.copy()

  results = mig.mutual_information_gap(representations, factors, num_bins=7)

  cut = [np.digitize(x, np.histogram(x, 7)[1][:-1]) for x in continuous.T]
  expected = np.stack([cut[0], discrete, cut[1]], axis=1)
  assert results == mig.mutual_information_gap(representations, expected, num_bins=7)
  np.testing.assert_array_equal(factors, before)


def test_continuous_factor_that_a_latent_knows_has_a_gap():
  factors = np.random.RandomState(0).uniform(size=(5000, 2))
  representations = np.stack([factors[:, 0], factors[:, 1] ** 2, 0 * factors[:, 0]], axis=1)
  results = mig.mutual_information_gap(representations, factors)
  assert results["mig.factor_0"] > 0.95  # Bins of independent values share 0.012 of 3 nats.
  assert 0.5 < results["mig.factor_1"] < 0.95  # Other bins than those of its square.
  shuffled = np.random.RandomState(1).permutation(representations)
  assert mig.mutual_information_gap(shuffled, factors)["discrete_mig"] < 0.02


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.float32, np.float64])
def test_whole_numbers_are_no_continuous_factors(dtype):
  random_state = np.random.RandomState(0)
  factors = random_state.randint(40, size=(1000, 3))
  representations = factors + random_state.standard_normal((1000, 3))
  codes = discretization.histogram_discretizer(representations, 20)
  expected = mig.gap_of_codes(codes, factors)
  assert mig.mutual_information_gap(representations, factors.astype(dtype)) == expected


def test_configured_discretizer_cuts_continuous_factors():
  calls = []

  def discretize(target, num_bins):
    calls.append((target.shape, num_bins))
    return np.round(target * 4)

  with gin.unlock_config():
    gin.bind_parameter("discretizer.discretizer_fn", discretize)
  random_state = np.random.RandomState(0)
  factors = np.stack([random_state.uniform(size=50), random_state.randint(3, size=50)], axis=1)

  class Drawn(dummy_data.IdentityObservationsData):
    def sample(self, num, random_state):
      rows = random_state.randint(50, size=num)
      return factors[rows], factors[rows]

  results = mig.compute_mig(Drawn(), lambda x: x, np.random.RandomState(2), num_train=500)

  assert sorted(calls) == [((500, 1), 10), ((500, 2), 10)]
  rows = np.random.RandomState(2)
  rows = np.concatenate([rows.randint(50, size=min(16, 500 - i)) for i in range(0, 500, 16)])
  drawn = factors[rows]
  codes = np.round(drawn * 4)
  assert results == mig.gap_of_codes(codes, np.stack([codes[:, 0], drawn[:, 1]], axis=1))


def test_constant_factor_is_left_out():
  random_state = np.random.RandomState(0)
  factors = random_state.randint(4, size=(1000, 2))
  with_constant = np.insert(factors, 1, 3, axis=1)
  representations = factors.astype(np.float64)
  results = mig.mutual_information_gap(representations, with_constant)
  assert results["constant_factors"] == [1]
  assert "mig.factor_1" not in results
  assert (
    results["discrete_mig"]
    == (mig.mutual_information_gap(representations, factors)["discrete_mig"])
  )
  assert results["discrete_mig"] == np.mean([results["mig.factor_0"], results["mig.factor_2"]])
  json.dumps(results, allow_nan=False)


def test_no_factor_to_score_is_an_error():
  with pytest.raises(errors.ConfigError, match="none of the 2 factors varies in the 3 points"):
    mig.mutual_information_gap(np.eye(3), np.ones((3, 2), dtype=int))


def test_one_latent_is_an_error():
  with pytest.raises(errors.ConfigError, match="the representation has 1"):
    mig.mutual_information_gap(np.zeros((3, 1)), np.arange(3)[:, None])


def test_non_finite_representation_is_an_error():
  with pytest.raises(errors.ConfigError, match="not finite"):
    mig.mutual_information_gap(np.full((3, 2), np.inf), np.arange(3)[:, None])


def test_gin_binds_the_number_of_points():
  gin.parse_config("mig.num_train = 50")
  sizes = []

  def encode(observations):
    sizes.append(len(observations))
    return observations

  mig.compute_mig(dummy_data.IdentityObservationsData(), encode, np.random.RandomState(0))
  assert sum(sizes) == 50


def correlated_points(num_points=1500):
  """Two continuous factors and one of 4 values, known by latents 0, 1 and 2; latent 3 is noise."""
  random_state = np.random.RandomState(0)
  factors = random_state.standard_normal((num_points, 3))
  factors[:, 2] = random_state.randint(4, size=num_points)
  noise = random_state.standard_normal((num_points, 4))
  latents = [
    0.8 * factors[:, 0] + 0.6 * noise[:, 0],
    0.6 * factors[:, 1] + 0.8 * noise[:, 1],
    factors[:, 2] + 0.1 * noise[:, 2],
    noise[:, 3],
  ]
  return np.stack(latents, axis=1), factors


def test_nearest_neighbors_know_the_gap_of_gaussians():
  representations, factors = correlated_points(4000)
  results = mig.mutual_information_gap(representations, factors, estimator="nearest_neighbors")
  cut = np.stack([np.digitize(v, np.histogram(v, 20)[1][:-1]) for v in factors[:, :2].T])
  entropy = [metrics.mutual_info_score(v, v) for v in (*cut, factors[:, 2])]
  assert results["factor_entropy"] == pytest.approx(entropy, abs=1e-12)
  known = [-0.5 * np.log(1 - 0.8**2), -0.5 * np.log(1 - 0.6**2), np.log(4)]
  gaps = [results[f"mig.factor_{i}"] for i in range(3)]
  # The standard deviation of an estimate is 0.02 nats, and entropies are at least 1.3 nats.
  assert gaps == pytest.approx(np.divide(known, entropy), abs=0.05)
  assert results["nearest_neighbor_mig"] == pytest.approx(np.mean(gaps), abs=1e-12)
  assert "discrete_mig" not in results
  assert results["num_distinct_points"] == 4000
  information = nearest_neighbors.mutual_information(representations, factors)
  assert results["mutual_information_matrix"] == information.tolist()
  json.dumps(results, allow_nan=False)


def test_nearest_neighbors_of_a_latent_finer_than_bins_score_above_one():
  factors = np.random.RandomState(0).uniform(size=(1000, 2))
  results = mig.mutual_information_gap(2 * factors, factors, estimator="nearest_neighbors")
  assert results["nearest_neighbor_mig"] > 1
  assert max(results["factor_entropy"]) <= np.log(20)


def test_nearest_neighbors_do_not_depend_on_outliers():
  representations, factors = correlated_points()
  representations[0] = 1000.0
  robust = mig.mutual_information_gap(representations, factors, estimator="nearest_neighbors")
  assert robust["mig.factor_2"] > 0.9
  assert mig.mutual_information_gap(representations, factors)["discrete_mig"] < 0.01


def test_gin_chooses_the_estimator():
  gin.parse_config("mig.estimator = 'nearest_neighbors'\nnearest_neighbors.num_neighbors = 2")
  data = dummy_data.IdentityObservationsData()
  state = np.random.RandomState(1)
  results = mig.compute_mig(data, lambda x: x / 7, state, num_train=300)

  same_state = np.random.RandomState(1)
  batches = [data.sample_factors(min(16, 300 - i), same_state) for i in range(0, 300, 16)]
  factors = np.concatenate(batches)
  seed = seeds.seed_from(np.random.RandomState(1))
  of_two = functools.partial(nearest_neighbors.mutual_information, num_neighbors=2)
  expected = mig.gap_of_neighbors(factors / 7, factors, factors, seed, of_two)
  assert results == expected
  assert 0.9 < results["nearest_neighbor_mig"] <= 1
  assert state.randint(2**31) == same_state.randint(2**31)


@pytest.mark.parametrize("compute", [mig.mutual_information_gap, mig.compute_mig])
def test_unknown_estimator_is_an_error(compute):
  data = (np.eye(3), np.eye(3)) if compute is mig.mutual_information_gap else (None, None, None)
  with pytest.raises(errors.ConfigError, match="estimator must be one of discretized, nearest_nei"):
    compute(*data, estimator="bins", **({} if len(data) == 2 else {"num_train": 3}))


def test_too_few_points_for_nearest_neighbors_are_an_error():
  points = np.random.RandomState(0).uniform(size=(3, 2))
  with pytest.raises(errors.ConfigError, match="less than the number of distinct points"):
    mig.mutual_information_gap(points, points, estimator="nearest_neighbors")


@pytest.mark.parametrize("estimator", checks.ESTIMATORS)
def test_arrays_that_do_not_fit_are_an_error(estimator):
  with pytest.raises(ValueError, match="got 4 and 5 rows"):
    mig.mutual_information_gap(np.eye(4), np.eye(5), estimator=estimator)
  with pytest.raises(errors.ConfigError, match="The array of factors has 1 of 9 values"):
    mig.mutual_information_gap(np.eye(3), np.diag([0, 1, np.nan]), estimator=estimator)


def test_disentanglement_libs_values_are_reproduced():
  representations, factors, oracle = testdata.dlib_example()
  rows = oracle["_rows"]["num_train_nosplit"]
  results = mig.mutual_information_gap(
    representations[:rows], factors[:rows], oracle["_rows"]["num_bins"]
  )
  expected = oracle["per_factor"]
  assert results["discrete_mig"] == pytest.approx(oracle["mig"]["discrete_mig"], abs=1e-9)
  for i in range(oracle["_rows"]["K"]):
    assert results[f"mig.factor_{i}"] == pytest.approx(expected[f"mig.factor_{i}"], abs=1e-9)
  np.testing.assert_allclose(results["factor_entropy"], expected["factor_entropy"], atol=1e-9)
  np.testing.assert_allclose(
    results["mutual_information_matrix"], expected["mutual_information_matrix[J][K]"], atol=1e-9
  )


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint8, np.int16, np.float32])
def test_gap_does_not_depend_on_the_type_of_factors(dtype):
  random_state = np.random.RandomState(0)
  wide = random_state.randint(0 if dtype in (bool, np.uint8) else -100, 100, (500, 2)).astype(dtype)
  codes = random_state.standard_normal((500, 3)) + wide[:, :1].astype(float)
  found = mig.mutual_information_gap(codes, wide)["discrete_mig"]
  expected = mig.mutual_information_gap(codes, wide.astype(np.int64))["discrete_mig"]
  assert found == pytest.approx(expected, rel=1e-9)
