import importlib.util  # noqa: F401  (gin uses it without importing it)
import pathlib
import subprocess
import sys

import gin
import numpy as np
import pytest
from sklearn import metrics

from dl_condind.evaluation.metrics import utils
from dl_condind.utils import errors


@pytest.fixture(autouse=True)
def clear_gin():
  yield
  gin.clear_config()


def test_histogram_discretizer_cuts_each_column_in_bins_of_equal_width():
  target = np.array([[0.0, 0.1, 0.2, 0.9, 1.4, 1.5], [0.0, 1.0, 2.0, 3.0, 3.5, 12.0]]).T
  labels = utils.histogram_discretizer(target, num_bins=3)
  np.testing.assert_array_equal(labels.T, [[1, 1, 1, 2, 3, 3], [1, 1, 1, 1, 1, 3]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.int8])
def test_histogram_discretizer_uses_numpy_histogram_edges(dtype):
  target = (30 * np.random.RandomState(0).standard_normal((3000, 4))).astype(dtype)
  labels = utils.histogram_discretizer(target, num_bins=20)
  for column in range(4):
    edges = np.histogram(target[:, column], bins=20)[1]
    np.testing.assert_array_equal(labels[:, column], np.digitize(target[:, column], edges[:-1]))


def test_constant_column_has_one_label():
  assert np.unique(utils.histogram_discretizer(np.full((5, 1), 0.3), num_bins=20)).size == 1


def test_column_of_neighbouring_float32_numbers_is_discretized():
  low = np.float32(0.25)
  high = np.nextafter(low, np.float32(1))
  labels = utils.histogram_discretizer(np.array([[low], [high], [low]]), num_bins=20)
  assert labels[0] == labels[2] != labels[1]


@pytest.mark.parametrize("num_bins", [0, 2.0, "20"])
def test_num_bins_is_checked(num_bins):
  with pytest.raises(errors.ConfigError, match="num_bins must be a whole number of at least 1"):
    utils.histogram_discretizer(np.zeros((3, 1)), num_bins=num_bins)


def test_non_finite_target_is_refused():
  with pytest.raises(errors.ConfigError, match="1 of 2 values that are not finite"):
    utils.histogram_discretizer(np.array([[0.0], [np.nan]]), num_bins=2)


@pytest.mark.parametrize("shape", [(3,), (0, 2), (3, 0), (3, 2, 1)])
def test_shape_of_the_target_is_checked(shape):
  with pytest.raises(ValueError, match=r"must be \[num_points, num_columns\], got shape"):
    utils.histogram_discretizer(np.zeros(shape), num_bins=2)


@pytest.mark.parametrize("dtype, large", [(np.float32, 3e38), (np.float64, 1.7e308)])
def test_column_wider_than_its_type_is_refused(dtype, large):
  target = np.array([[-large], [large]], dtype=dtype)
  with pytest.raises(errors.ConfigError, match="whose width is not finite in float"):
    utils.histogram_discretizer(target, num_bins=2)
  np.testing.assert_array_equal(utils.histogram_discretizer(target / 2, num_bins=2), [[1], [2]])


def test_values_whose_powers_overflow_are_refused():
  values = np.array([[1e18], [-1e18]], dtype=np.float32)
  utils.check_powers("It", values, power=2)
  with pytest.raises(
    errors.ConfigError, match=r"It has values up to 1e\+20, and above .* in float32"
  ):
    utils.check_powers("It", values * 100, power=2)
  utils.check_powers("It", values.astype(np.float64) * 100, power=4)
  with pytest.raises(errors.ConfigError, match="powers of 2 values are not finite in float64"):
    utils.check_powers("It", values.astype(np.float64) ** 5, power=4)
  utils.check_powers(
    "It", np.array([[2**60]]), power=4
  )  # as the floating point type they turn into


def test_gin_chooses_the_discretizer():
  gin.parse_config("discretizer.discretizer_fn = @histogram_discretizer\ndiscretizer.num_bins = 2")
  labels = utils.make_discretizer(np.array([[0.0], [0.4], [0.6], [1.0]]))
  np.testing.assert_array_equal(labels.ravel(), [1, 1, 2, 2])


def test_entropy_and_mutual_information_in_closed_form():
  factors = np.array([[0, 1, 2, 0, 1, 2], [5, 5, 5, 5, 5, 5]]).T
  codes = np.array([[7, 8, 8, 7, 8, 8], [0, 1, 2, 0, 1, 2]]).T
  np.testing.assert_allclose(utils.discrete_entropy(factors), [np.log(3), 0], atol=1e-15)
  split = np.log(3) - 2 / 3 * np.log(2)  # the entropy of thirds, less what two thirds leave open
  np.testing.assert_allclose(
    utils.discrete_mutual_info(codes, factors), [[split, 0], [np.log(3), 0]], atol=1e-15
  )


def test_mutual_information_is_scikit_learns():
  random_state = np.random.RandomState(0)
  factors = np.stack([random_state.randint(n, size=2000) for n in (3, 40, 183)], axis=1)
  codes = factors[:, :2] // 2 + random_state.randint(4, size=(2000, 2))
  expected = [[metrics.mutual_info_score(f, c) for f in factors.T] for c in codes.T]
  np.testing.assert_allclose(utils.discrete_mutual_info(codes, factors), expected, atol=1e-12)
  expected = [metrics.mutual_info_score(f, f) for f in factors.T]
  np.testing.assert_allclose(utils.discrete_entropy(factors), expected, atol=1e-12)


def test_continuous_columns_are_those_with_a_fraction():
  values = np.array([[0.0, 0.5, -1.0], [2.0, 1.0, 1e300]])
  assert utils.is_continuous(values).tolist() == [False, True, False]
  cut = utils.discretize_continuous(values, lambda columns: columns * 10)
  np.testing.assert_array_equal(cut, values * [1, 10, 1])


def test_factors_that_are_not_finite_are_not_discretized():
  with pytest.raises(errors.ConfigError, match="The array of factors has 1 of 2 values"):
    utils.discretize_continuous(np.array([[0.0], [np.nan]]), lambda columns: columns)


def test_unknown_estimator_is_an_error():
  with pytest.raises(errors.ConfigError, match="x.estimator must be one of discretized, nearest"):
    utils.check_estimator("x.estimator", "knn")


def test_metrics_do_not_import_tensorflow():
  folder = pathlib.Path(utils.__file__).parent
  modules = [f"dl_condind.evaluation.metrics.{path.stem}" for path in folder.glob("[!_]*.py")]
  program = f"import sys, {', '.join(modules)}; print('tensorflow' in sys.modules)"
  run = subprocess.run(
    [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120
  )
  assert len(modules) >= 5
  assert run.stdout.strip() == "False"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", ["normal", "on_edges", "far_from_0", "tiny", "huge"])
def test_bins_are_those_of_a_search_among_the_edges(dtype, kind):
  rng = np.random.RandomState(0)
  for num_bins in (1, 2, 7, 20, 39):
    values = rng.standard_normal((301, 3))
    if kind == "on_edges":
      values = rng.randint(num_bins + 1, size=(301, 3)) * 0.1
    elif kind == "far_from_0":
      values = 1e6 + values * [1e-5, 1e-2, 10]
    elif kind != "normal":
      values = values * (1e-30 if kind == "tiny" else 1e30)
    values = values.astype(dtype)
    labels = utils.histogram_discretizer(values, num_bins)
    for column in range(3):
      low, high = values[:, column].min(), values[:, column].max()
      edges = np.linspace(low, high, num_bins + 1, dtype=dtype)
      expected = np.digitize(values[:, column], edges[:-1]) if low < high else 1
      np.testing.assert_array_equal(labels[:, column], expected)


def test_information_is_scikit_learns():
  rng = np.random.RandomState(0)
  for num_points in (1, 2, 17, 400):
    codes = rng.randint(6, size=(num_points, 4)) * [1, 0, -3, 10**12]
    factors = np.concatenate([rng.randint(-3, 40, size=(num_points, 2)), codes[:, :1]], axis=1)
    expected = [[metrics.mutual_info_score(y, x) for y in factors.T] for x in codes.T]
    found = utils.discrete_mutual_info(codes, factors)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13)
    assert (found[1] == 0).all()
    found = utils.discrete_mutual_info(codes * 0.1, factors)  # Values that are no whole numbers.
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13)


def test_values_are_numbered_in_their_order():
  values = np.array([[7, 30_000, 2], [5, -30_000, 2], [5, 0, 2]])
  numbers, num = utils.enumerate_values(values)
  np.testing.assert_array_equal(numbers, [[2, 0, 0], [2, 0, 1], [0, 0, 0]])  # No point has a 6.
  np.testing.assert_array_equal(num, [3, 3, 1])
  # The width of a column may be more than its type holds.
  np.testing.assert_array_equal(utils.enumerate_values(values.astype(np.int16))[0], numbers)
  numbers, num = utils.enumerate_values(values / 4)
  np.testing.assert_array_equal(numbers, [[1, 0, 0], [2, 0, 1], [0, 0, 0]])
  np.testing.assert_array_equal(num, [2, 3, 1])
