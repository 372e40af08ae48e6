import gin
import numpy as np
import pytest

from dl_condind.evaluation import checks
from dl_condind.evaluation import gin_settings
from dl_condind.evaluation.information import discretization
from dl_condind.utils import errors


def test_histogram_discretizer_cuts_each_column_in_bins_of_equal_width():
  target = np.array([[0.0, 0.1, 0.2, 0.9, 1.4, 1.5], [0.0, 1.0, 2.0, 3.0, 3.5, 12.0]]).T
  labels = discretization.histogram_discretizer(target, num_bins=3)
  np.testing.assert_array_equal(labels.T, [[1, 1, 1, 2, 3, 3], [1, 1, 1, 1, 1, 3]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.int8])
def test_histogram_discretizer_uses_numpy_histogram_edges(dtype):
  target = (30 * np.random.RandomState(0).standard_normal((3000, 4))).astype(dtype)
  labels = discretization.histogram_discretizer(target, num_bins=20)
  for column in range(4):
    edges = np.histogram(target[:, column], bins=20)[1]
    np.testing.assert_array_equal(labels[:, column], np.digitize(target[:, column], edges[:-1]))


def test_constant_column_has_one_label():
  assert (
    np.unique(discretization.histogram_discretizer(np.full((5, 1), 0.3), num_bins=20)).size == 1
  )


def test_column_of_neighbouring_float32_numbers_is_discretized():
  low = np.float32(0.25)
  high = np.nextafter(low, np.float32(1))
  labels = discretization.histogram_discretizer(np.array([[low], [high], [low]]), num_bins=20)
  assert labels[0] == labels[2] != labels[1]


@pytest.mark.parametrize("num_bins", [0, 2.0, "20"])
def test_num_bins_is_checked(num_bins):
  with pytest.raises(errors.ConfigError, match="num_bins must be a whole number of at least 1"):
    discretization.histogram_discretizer(np.zeros((3, 1)), num_bins=num_bins)


def test_non_finite_target_is_refused():
  with pytest.raises(errors.ConfigError, match="1 of 2 values that are not finite"):
    discretization.histogram_discretizer(np.array([[0.0], [np.nan]]), num_bins=2)


@pytest.mark.parametrize("shape", [(3,), (0, 2), (3, 0), (3, 2, 1)])
def test_shape_of_the_target_is_checked(shape):
  with pytest.raises(ValueError, match=r"must be \[num_points, num_columns\], got shape"):
    discretization.histogram_discretizer(np.zeros(shape), num_bins=2)


@pytest.mark.parametrize("dtype, large", [(np.float32, 3e38), (np.float64, 1.7e308)])
def test_column_wider_than_its_type_is_refused(dtype, large):
  target = np.array([[-large], [large]], dtype=dtype)
  with pytest.raises(errors.ConfigError, match="whose width is not finite in float"):
    discretization.histogram_discretizer(target, num_bins=2)
  np.testing.assert_array_equal(
    discretization.histogram_discretizer(target / 2, num_bins=2), [[1], [2]]
  )


def test_gin_chooses_the_discretizer():
  gin.parse_config("discretizer.discretizer_fn = @histogram_discretizer\ndiscretizer.num_bins = 2")
  labels = gin_settings.discretize(np.array([[0.0], [0.4], [0.6], [1.0]]))
  np.testing.assert_array_equal(labels.ravel(), [1, 1, 2, 2])


def test_continuous_columns_are_those_with_a_fraction():
  values = np.array([[0.0, 0.5, -1.0], [2.0, 1.0, 1e300]])
  assert checks.is_continuous(values).tolist() == [False, True, False]
  cut = discretization.discretize_continuous(values, lambda columns: columns * 10)
  np.testing.assert_array_equal(cut, values * [1, 10, 1])


def test_factors_that_are_not_finite_are_not_discretized():
  with pytest.raises(errors.ConfigError, match="The array of factors has 1 of 2 values"):
    discretization.discretize_continuous(np.array([[0.0], [np.nan]]), lambda columns: columns)


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
    labels = discretization.histogram_discretizer(values, num_bins)
    for column in range(3):
      low, high = values[:, column].min(), values[:, column].max()
      edges = np.linspace(low, high, num_bins + 1, dtype=dtype)
      expected = np.digitize(values[:, column], edges[:-1]) if low < high else 1
      np.testing.assert_array_equal(labels[:, column], expected)
