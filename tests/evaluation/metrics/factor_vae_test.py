import json

import gin
from helpers import testdata
import numpy as np
import pytest

from dl_condind.data.ground_truth import dummy_data
from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.evaluation.metrics import factor_vae
from dl_condind.utils import errors

SIZES = {"batch_size": 8, "num_train": 400, "num_eval": 300, "num_variance_estimate": 500}
DLIB_SIZES = {"batch_size": 5, "num_train": 3000, "num_eval": 2000, "num_variance_estimate": 2500}


@pytest.fixture(autouse=True)
def clear_gin():
  yield
  gin.clear_config()


class Table(ground_truth_data.TableData):
  """Three factors, one of them not exposed; pixels are factors and noise."""

  def __init__(self):
    super().__init__("table", ["a", "b", "c"], [4, 3, 5], [2, 0], (2, 2, 1), packed=False)

  def read_table(self, folder):
    del folder
    a, b, c = np.indices((4, 3, 5)).reshape(3, -1)
    pixels = np.stack([30 * a, 5 * a * b, 20 * c + 5 * a, 0 * a], axis=1)
    pixels += np.random.RandomState(0).randint(100, size=(60, 4))
    return pixels.astype(np.uint8).reshape(60, 2, 2, 1), {"source": "test", "sha256": "0"}


def pixels(observations):
  return observations.reshape(len(observations), -1)[:, :10]


def identity(observations):
  return np.array(observations, dtype=np.float64)


def score(representation_function, data=None, **options):
  return factor_vae.compute_factor_vae(
    data or dummy_data.IdentityObservationsData(),
    representation_function,
    np.random.RandomState(0),
    **{**SIZES, **options},
  )


def literal_score(data, encode, threshold, batch_size, num_train, num_eval, num_variance_estimate):
  """Computes the score the way of disentanglement_lib: each batch is encoded when it is drawn."""
  random_state = np.random.RandomState(0)
  codes = encode(data.sample_observations(num_variance_estimate, random_state))
  variance = np.var(codes, axis=0, ddof=1)
  active = [j for j in range(len(variance)) if variance[j] ** 0.5 >= threshold]

  def votes(num):
    table = np.zeros((data.num_factors, len(variance)), dtype=int)
    for _ in range(num):
      k = random_state.randint(data.num_factors)
      factors = data.sample_factors(batch_size, random_state).copy()
      for row in factors:
        row[k] = factors[0][k]
      codes = encode(data.sample_observations_from_factors(factors, random_state))
      ratio = {j: np.var(codes[:, j], ddof=1) / variance[j] for j in active}
      table[k, min(ratio, key=ratio.get)] += 1
    return table

  train, evaluation = votes(num_train), votes(num_eval)
  best = [list(column).index(max(column)) for column in train.T]
  return tuple(
    sum(table[k, j] for j, k in enumerate(best)) / table.sum() for table in (train, evaluation)
  )


@pytest.mark.parametrize(
  "make_data, encode",
  [
    (Table, pixels),
    (dummy_data.IdentityObservationsData, identity),
    (dummy_data.DummyData, pixels),
  ],
)
@pytest.mark.parametrize("threshold", [0.0, 0.125])
def test_accuracies_are_those_of_encoding_batch_by_batch(make_data, encode, threshold):
  gin.parse_config(f"prune_dims.threshold = {threshold}")
  sizes = {"batch_size": 4, "num_train": 150, "num_eval": 100, "num_variance_estimate": 90}
  results = score(encode, make_data(), **sizes)
  train, evaluation = literal_score(make_data(), encode, threshold, **sizes)
  assert results["train_accuracy"] == train
  assert results["eval_accuracy"] == evaluation


def test_table_has_a_score_between_chance_and_one():
  assert 0.55 < score(pixels, Table())["eval_accuracy"] < 0.98  # The test above compares numbers.


def test_images_of_a_table_are_encoded_once():
  num_encoded = []

  def encode(observations):
    num_encoded.append(len(observations))
    return pixels(observations)

  score(encode, Table())
  assert num_encoded == [60]


@pytest.mark.parametrize("encode", [lambda x: x, identity])
def test_identity_representation_scores_high(encode):
  results = score(encode, **DLIB_SIZES)
  assert results["train_accuracy"] >= 0.9
  assert results["eval_accuracy"] >= 0.9
  assert results["num_active_dims"] == 10
  assert np.trace(results["train_votes"]) >= 0.9 * 3000


@pytest.mark.parametrize("value", [0.0, 0.3])
def test_constant_representation_scores_zero(value):
  results = score(lambda x: np.full(x.shape, value, np.float32), **DLIB_SIZES)
  assert results["train_accuracy"] == results["eval_accuracy"] == 0
  assert results["eval_accuracy.factor_0"] == 0
  assert results["num_active_dims"] == 0
  json.dumps(results, allow_nan=False)


def test_duplicated_latents_score_high():
  results = score(lambda x: np.repeat(identity(x), 2, axis=1))
  assert results["eval_accuracy"] >= 0.9
  assert results["num_active_dims"] == 20


def test_permuted_representation_scores_low():
  shuffle = np.random.default_rng(5)
  assert score(lambda x: shuffle.permuted(identity(x), axis=1))["eval_accuracy"] <= 0.25


def test_noise_is_at_chance():
  assert score(pixels, dummy_data.DummyData())["eval_accuracy"] <= 0.2


def test_active_dims_are_counted():
  """disentanglement_lib says 10, the number of latents."""
  gin.parse_config("prune_dims.threshold = 0.05")
  scale = np.array([1, 1, 0, 1e-3, 1, 1e-3, 1, 1, 1, 0])
  results = score(lambda x: x * scale)
  assert results["num_active_dims"] == 6
  assert not np.array(results["train_votes"])[:, scale < 1].any()


def test_constant_latent_has_no_vote_at_threshold_zero():
  results = score(lambda x: np.insert(identity(x), 2, 0.1, axis=1))
  assert results["num_active_dims"] == 10
  assert not any(votes[2] for votes in results["train_votes"])
  assert results["eval_accuracy"] == score(identity)["eval_accuracy"]


def test_order_of_latents_and_affine_maps_of_them_do_not_matter():
  results = score(pixels, Table())
  mapped = score(lambda x: (3 - 2.0 * pixels(x) * [1, 7, 9, 0.1])[:, ::-1], Table())
  reversed_votes = np.array(results.pop("train_votes"))[:, ::-1].tolist()
  assert mapped.pop("train_votes") == reversed_votes
  assert mapped == results


def test_one_latent_is_scored():
  results = score(lambda x: identity(x)[:, :1])
  assert results["num_active_dims"] == 1
  assert 0 < results["eval_accuracy"] <= 0.25


def test_more_factors_than_latents_and_fewer():
  assert score(lambda x: identity(x)[:, :4])["eval_accuracy"] == pytest.approx(0.45, abs=0.1)
  assert score(lambda x: np.tile(identity(x), 3))["eval_accuracy"] >= 0.9


def test_majority_vote_in_closed_form():
  train = np.array([0, 0, 0, 1, 1, 1]), np.array([0, 0, 1, 1, 1, 2])
  evaluation = np.array([0, 1, 1, 1]), np.array([0, 0, 1, 3])
  results = factor_vae.majority_vote_scores(train, evaluation, 3, np.ones(4, dtype=bool))
  assert results["train_votes"] == [[2, 1, 0, 0], [0, 2, 1, 0], [0, 0, 0, 0]]
  assert results["train_accuracy"] == 5 / 6
  assert results["train_accuracy.factor_0"] == 2 / 3
  assert results["train_accuracy.factor_1"] == 1
  assert results["eval_accuracy"] == 2 / 4  # Latent 3 is assigned factor 0.
  assert results["eval_accuracy.factor_1"] == 1 / 3
  assert "eval_accuracy.factor_2" not in results
  assert results["num_active_dims"] == 4


def test_least_varying_latent_is_relative_to_its_variance():
  codes = np.array([[0.0, 0, 0], [4, 1, 0], [8, 2, 0]])  # variances 16, 1, 0
  batches = np.array([[[0, 0, 0], [2, 1, 0]], [[0, 0, 0], [4, 0.2, 0]]])
  latents, active = factor_vae.least_varying_latents(codes, batches)
  np.testing.assert_array_equal(latents, [0, 1])
  np.testing.assert_array_equal(active, [True, True, False])
  latents, active = factor_vae.least_varying_latents(codes, batches, threshold=4)
  np.testing.assert_array_equal(latents, [0, 0])
  np.testing.assert_array_equal(active, [True, False, False])
  latents, active = factor_vae.least_varying_latents(codes, batches, threshold=5)
  np.testing.assert_array_equal(latents, [-1, -1])


def grid(dtype=np.float64):
  values = np.indices((4, 3, 5, 2)).reshape(4, -1).T
  random_state = np.random.RandomState(0)
  values = random_state.permutation(values)
  return (values[:, :3] + random_state.standard_normal((120, 3))).astype(dtype), values[:, :3]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_score_of_arrays_does_not_depend_on_names_of_values(dtype):
  codes, factors = grid(dtype)
  results = factor_vae.factor_vae_score(codes, factors, np.random.RandomState(0), **SIZES)
  assert 0.4 < results["eval_accuracy"] < 1
  renamed = 2.5 * factors - 7  # Keeps the order of values, in which points are drawn.
  again = factor_vae.factor_vae_score(codes, renamed, np.random.RandomState(0), **SIZES)
  assert again == results
  other_order = np.array([2, 0, 3, 1, 4])[factors]
  again = factor_vae.factor_vae_score(codes, other_order, np.random.RandomState(0), **SIZES)
  assert again["eval_accuracy"] == pytest.approx(results["eval_accuracy"], abs=0.1)


def test_factor_of_one_value_is_allowed():
  codes, factors = grid()
  factors = np.insert(factors, 1, 6, axis=1)
  results = factor_vae.factor_vae_score(codes, factors, np.random.RandomState(0), **SIZES)
  assert 0 <= results["eval_accuracy.factor_1"] <= 1


def test_incomplete_grid_is_an_error():
  codes, factors = grid()
  with pytest.raises(errors.ConfigError, match="must be a complete grid"):
    factor_vae.factor_vae_score(codes[:100], factors[:100], np.random.RandomState(0))
  data = dummy_data.DummyData()
  data.has_complete_grid = False
  with pytest.raises(errors.ConfigError, match="factor_vae_score .* needs a complete grid"):
    score(pixels, data)


def test_one_factor_is_an_error():
  with pytest.raises(errors.ConfigError, match="tells factors apart, code_table has 1"):
    factor_vae.factor_vae_score(np.zeros((3, 2)), np.arange(3)[:, None], np.random.RandomState(0))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_non_finite_representation_is_an_error(value):
  with pytest.raises(errors.ConfigError, match="not finite"):
    score(lambda x: np.full(x.shape, value))


def test_codes_whose_variance_overflows_are_an_error():
  with pytest.raises(errors.ConfigError, match="above .* are not finite in float32"):
    score(lambda x: np.float32(1e25) * x.astype(np.float32))


@pytest.mark.parametrize(
  "name, minimum",
  [("batch_size", 2), ("num_train", 1), ("num_eval", 1), ("num_variance_estimate", 2)],
)
def test_counts_are_checked(name, minimum):
  with pytest.raises(errors.ConfigError, match=f"factor_vae_score.{name} .* at least {minimum}"):
    score(identity, **{name: minimum - 1})


@pytest.mark.parametrize("threshold", [-0.1, np.nan])
def test_threshold_is_checked(threshold):
  gin.bind_parameter("prune_dims.threshold", threshold)
  with pytest.raises(errors.ConfigError, match="prune_dims.threshold must not be negative"):
    score(identity)


def test_gin_binds_the_numbers_of_points():
  gin.parse_config([f"factor_vae_score.{name} = {value}" for name, value in SIZES.items()])
  results = factor_vae.compute_factor_vae(Table(), pixels, np.random.RandomState(0))
  assert results == score(pixels, Table())


def test_disentanglement_libs_values_are_reproduced():
  representations, factors, oracle = testdata.dlib_example()
  results = factor_vae.factor_vae_score(
    representations, factors, np.random.RandomState(0), 64, 1000, 500, 10_000
  )
  for name, expected in oracle["factor_vae"].items():  # All latents are active.
    assert results[name] == pytest.approx(expected, abs=1e-9)
