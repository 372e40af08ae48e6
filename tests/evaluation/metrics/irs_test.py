import json

import gin
from helpers import testdata
import numpy as np
import pytest

from dl_condind.data.ground_truth import dummy_data
from dl_condind.evaluation.metrics import irs
from dl_condind.utils import errors


@pytest.fixture(autouse=True)
def identity_discretizer():
  gin.parse_config("discretizer.num_bins = 10")
  with gin.unlock_config():
    gin.bind_parameter("discretizer.discretizer_fn", lambda target, num_bins: target)
  yield
  gin.clear_config()


def identity(observations):
  return np.array(observations, dtype=np.float64)


def score(representation_function, data=None, **options):
  return irs.compute_irs(
    data or dummy_data.IdentityObservationsData(),
    representation_function,
    np.random.RandomState(0),
    **{"num_train": 3000, "batch_size": 3000, **options},
  )


def points(num_points=800, num_values=(3, 5, 4), num_latent=4, seed=0):
  random_state = np.random.RandomState(seed)
  y = np.stack([random_state.randint(n, size=num_points) for n in num_values], axis=1)
  x = y @ random_state.standard_normal((len(num_values), num_latent))
  return x + 0.5 * random_state.standard_normal(x.shape), y


def literal_matrix(x, y, quantile):
  """Computes robustness latent by latent, factor by factor, value by value."""
  matrix = np.zeros((x.shape[1], y.shape[1]))
  for j in range(x.shape[1]):
    largest = max(abs(x[:, j] - x[:, j].mean()))
    for k in range(y.shape[1]):
      deviations = []
      for value in set(y[:, k]):
        z = x[y[:, k] == value, j]
        ordered = np.sort(abs(z - z.mean()))
        place = quantile * (len(z) - 1)
        low = int(np.floor(place))
        high = min(low + 1, len(z) - 1)
        deviations.append(ordered[low] + (place - low) * (ordered[high] - ordered[low]))
      matrix[j, k] = 1 - np.mean(deviations) / largest
  return matrix


@pytest.mark.parametrize("quantile", [0.0, 0.5, 0.99, 1.0])
def test_scores_are_the_plain_recomputation(quantile):
  x, y = points()
  results = irs.robustness_scores(x, y, quantile)
  matrix = literal_matrix(x, y, quantile)
  np.testing.assert_allclose(results["robustness_matrix"], matrix, atol=1e-12)
  weights = np.abs(x - x.mean(axis=0)).max(axis=0)
  best = matrix.max(axis=1)
  assert results["IRS"] == pytest.approx(best @ weights / weights.sum(), abs=1e-12)
  for j in range(4):
    assert results[f"IRS.code_{j}"] == pytest.approx(best[j], abs=1e-12)
    assert results[f"IRS.parent_of_code_{j}"] == np.argmax(matrix[j])


def test_score_in_closed_form():
  factors = np.array([[0, 0, 1, 1], [0, 1, 0, 1]]).T
  x = np.array([[0.0, 0, 4, 4], [0, 2, 2, 4], [7, 7, 7, 7]]).T
  results = irs.robustness_scores(x, factors, 1.0)
  # The second latent is within 1 of its mean for a value, and within 2 over all.
  assert results["robustness_matrix"] == [[1, 0], [0.5, 0.5], [0, 0]]
  assert results["IRS"] == 0.75
  assert results["IRS.code_1"] == 0.5
  assert results["IRS.parent_of_code_0"] == 0
  assert "IRS.code_2" not in results
  assert results["num_active_dims"] == 2


def test_identity_representation_scores_high():
  results = score(identity)
  assert results["IRS"] >= 0.9
  assert results["num_active_dims"] == 10
  assert [results[f"IRS.parent_of_code_{j}"] for j in range(10)] == list(range(10))


@pytest.mark.parametrize("value", [0.0, 0.3])
def test_constant_representation_scores_zero(value):
  results = score(lambda x: np.full(x.shape, value, np.float32))
  assert results["IRS"] == 0
  assert results["num_active_dims"] == 0
  assert np.shape(results["robustness_matrix"]) == (10, 10)
  json.dumps(results, allow_nan=False)


def test_duplicated_latents_score_high():
  assert score(lambda x: np.repeat(identity(x), 2, axis=1))["IRS"] >= 0.9


def test_permuted_representation_scores_low():
  shuffle = np.random.default_rng(5)
  assert score(lambda x: shuffle.permuted(identity(x), axis=1))["IRS"] <= 0.2


def test_noise_scores_low():
  results = score(lambda x: x.reshape(len(x), -1)[:, :7], dummy_data.DummyData(), num_train=500)
  assert results["IRS"] <= 0.1
  assert np.shape(results["robustness_matrix"]) == (7, 10)


def test_active_dims_are_counted():
  """disentanglement_lib sums up the values of the latents that vary."""
  x, y = points()
  x = np.insert(x, [0, 2], [[0.1, -3]], axis=1).astype(np.float32)
  results = irs.robustness_scores(x, y)
  assert results["num_active_dims"] == 4
  assert results["robustness_matrix"][0] == results["robustness_matrix"][3] == [0, 0, 0]
  without = irs.robustness_scores(np.delete(x, [0, 3], axis=1), y)
  assert results["IRS"] == without["IRS"]


def test_arguments_are_left_as_they_are_and_may_be_integers():
  x, y = points()
  x = np.round(10 * x)
  before = x.copy(), y.copy()
  results = irs.robustness_scores(x, y)
  np.testing.assert_array_equal(x, before[0])
  np.testing.assert_array_equal(y, before[1])
  assert irs.robustness_scores(x.astype(np.int32), y) == results


def test_single_precision_is_computed_as_it_is_and_half_precision_in_double():
  x, y = points(num_points=4000)
  x = x.astype(np.float32)
  expected = np.zeros((x.shape[1], y.shape[1]))
  for i in range(y.shape[1]):
    groups = [x[y[:, i] == value] for value in np.unique(y[:, i])]
    quantiles = [np.quantile(np.abs(z - z.mean(axis=0)), 0.9, axis=0) for z in groups]
    expected[:, i] = np.mean(quantiles, axis=0, dtype=np.float64)
  # The same to the last digit, which means that add up in another order do not have.
  np.testing.assert_array_equal(irs.mean_deviations(x, y, 0.9), expected)
  half = x.astype(np.float16)
  assert irs.robustness_scores(half, y) == irs.robustness_scores(half.astype(np.float64), y)


def test_order_of_latents_and_names_of_values_do_not_matter():
  x, y = points()
  results = irs.robustness_scores(x, y)
  renamed = irs.robustness_scores(x[:, ::-1], np.array([9, 7, 0, 3, 1.5])[y])
  assert renamed["IRS"] == pytest.approx(results["IRS"], abs=1e-12)


def test_shift_scale_and_sign_of_all_latents_do_not_matter():
  x, y = points()
  results = irs.robustness_scores(x, y)
  mapped = irs.robustness_scores(3 - 2 * x, y)
  np.testing.assert_allclose(mapped["robustness_matrix"], results["robustness_matrix"], atol=1e-12)
  assert mapped["IRS"] == pytest.approx(results["IRS"], abs=1e-12)


def test_factors_are_cut_in_bins():
  x, y = points()
  continuous = y + np.random.RandomState(1).uniform(-0.05, 0.05, size=y.shape)
  continuous = np.concatenate([continuous, [[-0.05] * 3, [2.05, 4.05, 3.05]]])  # Sets the edges.
  x = np.concatenate([x, x[:2]])
  labels = np.stack(
    [np.digitize(column, np.histogram(column, 3)[1][:-1]) for column in continuous.T], axis=1
  )
  assert irs.interventional_robustness(x, continuous, num_bins=3) == irs.robustness_scores(
    x, labels
  )


def test_one_latent_and_one_factor_are_scored():
  x, y = points(num_values=(3,), num_latent=1)
  results = irs.robustness_scores(x, y)
  assert results["IRS.code_0"] == results["robustness_matrix"][0][0]
  assert results["IRS"] == pytest.approx(results["IRS.code_0"], abs=1e-12)


def test_factor_of_one_value_compares_a_quantile_with_the_maximum():
  x, _ = points(num_latent=1)
  y = np.zeros((len(x), 1), dtype=int)
  deviation = np.abs(x - x.mean())
  expected = 1 - np.quantile(deviation, 0.9) / deviation.max()
  assert irs.robustness_scores(x, y, 0.9)["IRS"] == pytest.approx(expected, abs=1e-12)
  assert irs.robustness_scores(x, y, 1.0)["IRS"] == pytest.approx(0, abs=1e-12)


def test_deviations_from_means_of_values_can_be_the_larger_ones():
  y = np.repeat([0, 1], 100)[:, None]
  x = np.where(y == 0, 5.0, -5.0)
  x[[0, 100]] *= -1
  # At most 9.9 from the means 4.9 and -4.9, and 5 from the mean of all.
  assert irs.robustness_scores(x, y, 1.0)["IRS"] == pytest.approx(1 - 9.9 / 5, abs=1e-12)


def test_fewer_points_than_values():
  x = np.array([[0.0, 1.0], [1.0, 5.0], [3.0, 2.0]])
  results = irs.robustness_scores(x, np.array([[4, 0], [5, 0], [6, 1]]))
  assert results["IRS"] == 1  # A value of a single point determines the latents.


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_non_finite_values_are_an_error(value):
  x, y = points()
  bad = x.copy()
  bad[5, 0] = value
  with pytest.raises(errors.ConfigError, match="The representation has 1 of 3200 values"):
    irs.robustness_scores(bad, y)
  bad = y.astype(float)
  bad[5, 0] = value
  with pytest.raises(errors.ConfigError, match="The array of factors has 1 of 2400 values"):
    irs.robustness_scores(x, bad)


def test_arrays_that_do_not_fit_are_an_error():
  x, y = points()
  with pytest.raises(ValueError, match="got 800 and 799 rows"):
    irs.robustness_scores(x, y[1:])
  with pytest.raises(ValueError, match=r"representations must be .* got shape \(0, 4\)"):
    irs.robustness_scores(x[:0], y[:0])


@pytest.mark.parametrize("quantile", [-0.1, 99, np.nan])
def test_quantile_is_checked(quantile):
  with pytest.raises(errors.ConfigError, match=r"irs.diff_quantile must be in \[0, 1\]"):
    score(identity, diff_quantile=quantile)


def test_gin_binds_the_settings():
  gin.parse_config("irs.num_train = 50\nirs.batch_size = 20\nirs.diff_quantile = 1.0")
  results = irs.compute_irs(
    dummy_data.IdentityObservationsData(), identity, np.random.RandomState(0)
  )
  random_state = np.random.RandomState(0)
  drawn = np.concatenate([random_state.randint(1, 11, size=(n, 10)) for n in (20, 20, 10)])
  assert results == irs.robustness_scores(drawn.astype(float), drawn, 1.0)


def test_disentanglement_libs_values_are_reproduced():
  representations, factors, oracle = testdata.dlib_example()
  rows = oracle["_rows"]["num_train_nosplit"]
  x, y = representations[:rows], factors[:rows]
  results = irs.interventional_robustness(x, y, oracle["_rows"]["num_bins"])
  assert results["IRS"] == pytest.approx(oracle["irs"]["IRS"], abs=1e-9)
  assert oracle["irs"]["num_active_dims"] == pytest.approx(x.sum(), rel=1e-3)  # its bug
  assert results["num_active_dims"] == 10
  exact = irs.interventional_robustness(x.astype(np.float64), y, oracle["_rows"]["num_bins"])
  assert exact["IRS"] == pytest.approx(results["IRS"], abs=1e-6)
