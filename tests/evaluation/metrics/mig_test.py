import importlib.util  # noqa: F401  (gin uses it without importing it)
import json
import pathlib

import gin
import numpy as np
import pytest
from sklearn import metrics

from dl_condind.data.ground_truth import dummy_data
from dl_condind.evaluation.metrics import mig
from dl_condind.evaluation.metrics import utils
from dl_condind.utils import errors

ORACLE = pathlib.Path(__file__).parents[4] / "shared" / "data" / "dlib_oracle_example.npz"
needs_oracle = pytest.mark.skipif(not ORACLE.exists(), reason=f"{ORACLE.name} is not here")


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
  codes = utils.histogram_discretizer(representations, 20)
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


@needs_oracle
def test_disentanglement_libs_values_are_reproduced():
  table = np.load(ORACLE)
  oracle = json.loads(ORACLE.with_suffix(".json").read_text(encoding="utf-8"))
  rows = oracle["_rows"]["num_train_nosplit"]
  results = mig.mutual_information_gap(
    table["representations"][:rows], table["factors"][:rows], oracle["_rows"]["num_bins"]
  )
  expected = oracle["per_factor"]
  assert results["discrete_mig"] == pytest.approx(oracle["mig"]["discrete_mig"], abs=1e-9)
  for i in range(oracle["_rows"]["K"]):
    assert results[f"mig.factor_{i}"] == pytest.approx(expected[f"mig.factor_{i}"], abs=1e-9)
  np.testing.assert_allclose(results["factor_entropy"], expected["factor_entropy"], atol=1e-9)
  np.testing.assert_allclose(
    results["mutual_information_matrix"], expected["mutual_information_matrix[J][K]"], atol=1e-9
  )
