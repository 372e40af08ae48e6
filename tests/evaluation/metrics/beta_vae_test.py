import json
import warnings

import gin
from helpers import testdata
import numpy as np
import pytest
from sklearn import exceptions
from sklearn import linear_model

from dl_condind.data.ground_truth import dummy_data
from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.evaluation.metrics import beta_vae
from dl_condind.utils import errors

SIZES = {"batch_size": 8, "num_train": 400, "num_eval": 300}


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
  return beta_vae.compute_beta_vae_sklearn(
    data or dummy_data.IdentityObservationsData(),
    representation_function,
    np.random.RandomState(0),
    **{**SIZES, **options},
  )


def literal_score(data, encode, batch_size, num_train, num_eval):
  """Computes accuracies the way of disentanglement_lib: each batch is encoded when it is drawn."""
  random_state = np.random.RandomState(0)

  def points(num):
    features, labels = [], []
    for _ in range(num):
      label = random_state.randint(data.num_factors)
      one = data.sample_factors(batch_size, random_state).copy()
      two = data.sample_factors(batch_size, random_state).copy()
      for b in range(batch_size):
        two[b, label] = one[b, label]
      code_one = encode(data.sample_observations_from_factors(one, random_state))
      code_two = encode(data.sample_observations_from_factors(two, random_state))
      features.append(sum(abs(code_one[b] - code_two[b]) for b in range(batch_size)) / batch_size)
      labels.append(label)
    return np.array(features, dtype=np.float64), np.array(labels)

  x, y = points(num_train)
  with warnings.catch_warnings():
    warnings.simplefilter("ignore", exceptions.ConvergenceWarning)
    model = linear_model.LogisticRegression(random_state=random_state).fit(x, y)
  return model.score(x, y), model.score(*points(num_eval))


@pytest.mark.parametrize(
  "make_data, encode",
  [
    (Table, pixels),
    (dummy_data.IdentityObservationsData, identity),
    (dummy_data.DummyData, pixels),
  ],
)
def test_accuracies_are_those_of_encoding_batch_by_batch(make_data, encode):
  sizes = {"batch_size": 4, "num_train": 150, "num_eval": 100}
  results = score(encode, make_data(), **sizes)
  train, evaluation = literal_score(make_data(), encode, **sizes)
  assert results["train_accuracy"] == train
  assert results["eval_accuracy"] == evaluation


def test_table_has_a_score_between_chance_and_one():
  results = score(pixels, Table())
  assert 0.6 < results["eval_accuracy"] < 1  # So the test above tells more than 1 == 1.


def test_images_of_a_table_are_encoded_once():
  num_encoded = []

  def encode(observations):
    num_encoded.append(len(observations))
    return pixels(observations)

  score(encode, Table())
  assert num_encoded == [60]


def test_identity_representation_scores_high():
  results = score(lambda x: x, batch_size=5, num_train=2000, num_eval=2000)
  assert results["train_accuracy"] >= 0.9
  assert results["eval_accuracy"] >= 0.9
  assert results["eval_accuracy.factor_3"] >= 0.9


def test_constant_representation_is_at_chance():
  results = score(lambda x: np.zeros(x.shape))
  assert results["eval_accuracy"] <= 0.2
  assert sum(results[f"eval_accuracy.factor_{i}"] for i in range(10)) == 1  # It always says one.


def test_duplicated_latents_score_high():
  # The score asks whether a factor can be told, not by how many latents.
  assert score(lambda x: np.repeat(identity(x), 2, axis=1))["eval_accuracy"] >= 0.9


def test_permuted_representation_scores_low():
  shuffle = np.random.default_rng(5)
  assert score(lambda x: shuffle.permuted(identity(x), axis=1))["eval_accuracy"] <= 0.25


def test_noise_is_at_chance():
  results = score(pixels, dummy_data.DummyData())
  assert results["eval_accuracy"] <= 0.2


def test_order_of_latents_and_signs_do_not_matter():
  results = score(pixels, Table())
  assert score(lambda x: -pixels(x)[:, ::-1], Table()) == pytest.approx(results, abs=0.01)


def test_one_latent_is_scored():
  results = score(lambda x: identity(x)[:, :1])
  assert results["eval_accuracy.factor_0"] == 1
  assert results["eval_accuracy"] < 0.3


def test_factor_accuracies_average_to_the_accuracy():
  results = score(pixels, Table(), num_eval=500)
  random_state = np.random.RandomState(1)
  y = random_state.randint(3, size=200)
  x = random_state.uniform(size=(200, 4)) + np.eye(4)[y]
  results = beta_vae.factor_accuracies(x[:100], y[:100], x[100:], y[100:])
  share = np.bincount(y[100:]) / 100
  mean = sum(share[i] * results[f"eval_accuracy.factor_{i}"] for i in range(3))
  assert results["eval_accuracy"] == pytest.approx(mean, abs=1e-12)


def test_mean_differences_in_closed_form():
  codes = np.array([[0, 1], [2, 1], [3, 1], [1, 5], [9, 9], [0, 0], [9, 8], [0, 7]])
  np.testing.assert_array_equal(beta_vae.mean_differences(codes, 2), [[2, 2], [0, 4]])


def grid(dtype=np.float64):
  values = np.indices((4, 3, 5, 2)).reshape(4, -1).T
  random_state = np.random.RandomState(0)
  values = random_state.permutation(values)
  return (values[:, :3] + random_state.standard_normal((120, 3))).astype(dtype), values[:, :3]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_score_of_arrays_does_not_depend_on_names_of_values_or_scale(dtype):
  codes, factors = grid(dtype)
  results = beta_vae.beta_vae_score(codes, factors, np.random.RandomState(0), **SIZES)
  assert 0.5 < results["eval_accuracy"] < 1
  renamed = 2.5 * factors - 7  # Keeps the order of values, in which points are drawn.
  again = beta_vae.beta_vae_score(codes + dtype(8), renamed, np.random.RandomState(0), **SIZES)
  assert again["eval_accuracy"] == pytest.approx(results["eval_accuracy"], abs=0.01)
  json.dumps(results, allow_nan=False)


def test_factor_of_one_value_is_allowed():
  codes, factors = grid()
  factors = np.insert(factors, 1, 6, axis=1)
  results = beta_vae.beta_vae_score(codes, factors, np.random.RandomState(0), **SIZES)
  assert 0 <= results["eval_accuracy.factor_1"] <= 1


def test_incomplete_grid_is_an_error():
  codes, factors = grid()
  with pytest.raises(errors.ConfigError, match="must be a complete grid"):
    beta_vae.beta_vae_score(codes[:100], factors[:100], np.random.RandomState(0))
  data = dummy_data.DummyData()
  data.has_complete_grid = False
  with pytest.raises(errors.ConfigError, match="beta_vae_sklearn .* needs a complete grid"):
    score(pixels, data)


def test_one_factor_is_an_error():
  with pytest.raises(errors.ConfigError, match="tells factors apart, code_table has 1"):
    beta_vae.beta_vae_score(np.zeros((3, 2)), np.arange(3)[:, None], np.random.RandomState(0))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_non_finite_representation_is_an_error(value):
  with pytest.raises(errors.ConfigError, match="not finite"):
    score(lambda x: np.full(x.shape, value))


@pytest.mark.parametrize("name", ["batch_size", "num_train", "num_eval"])
@pytest.mark.parametrize("value", [0, 2.5])
def test_counts_are_checked(name, value):
  with pytest.raises(errors.ConfigError, match=f"beta_vae_sklearn.{name} must be a whole number"):
    score(identity, **{name: value})


def test_points_of_one_factor_are_an_error():
  with pytest.raises(errors.ConfigError, match="raise beta_vae_sklearn.num_train"):
    score(identity, num_train=1)


def test_arrays_that_do_not_fit_are_an_error():
  x, y = np.zeros((4, 2)), np.arange(4)
  with pytest.raises(ValueError, match="x_train and y_train .* got 4 and 3 rows"):
    beta_vae.factor_accuracies(x, y[:3], x, y)
  with pytest.raises(ValueError, match="x_eval and y_eval .* got 0 and 0 rows"):
    beta_vae.factor_accuracies(x, y, x[:0], y[:0])


def test_factor_that_is_never_drawn_has_no_accuracy():
  x, y = np.eye(3), np.array([0, 1, 2])
  results = beta_vae.factor_accuracies(x, y, x[:1], y[:1])
  assert "eval_accuracy.factor_0" in results
  assert "eval_accuracy.factor_1" not in results


def test_gin_binds_the_numbers_of_points():
  gin.parse_config([f"beta_vae_sklearn.{name} = {value}" for name, value in SIZES.items()])
  results = beta_vae.compute_beta_vae_sklearn(Table(), pixels, np.random.RandomState(0))
  assert results == score(pixels, Table())


def test_disentanglement_libs_values_are_reproduced():
  representations, factors, oracle = testdata.dlib_example()
  results = beta_vae.beta_vae_score(
    representations, factors, np.random.RandomState(0), 64, 1000, 500
  )
  assert results["train_accuracy"] == pytest.approx(oracle["beta_vae"]["train_accuracy"], abs=1e-9)
  assert results["eval_accuracy"] == pytest.approx(oracle["beta_vae"]["eval_accuracy"], abs=1e-9)
