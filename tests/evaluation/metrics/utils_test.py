import importlib.util  # noqa: F401  (gin uses it without importing it)
import pathlib
import subprocess
import sys

import gin
import numpy as np
import pytest
from scipy import special
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


def nearest_neighbor_formula(latent, factor, k, discrete):
  """Equation 8 of Kraskov et al. (2004), or that of Ross (2014), of all pairs of points."""
  psi, num = special.digamma, len(latent)
  distance = np.abs(latent[:, None] - latent)
  off_diagonal = ~np.eye(num, dtype=bool)
  if discrete:
    same = (factor[:, None] == factor) & off_diagonal
    radius = np.sort(np.where(same, distance, np.inf), axis=1)[:, k - 1]
    num_near = np.sum((distance < radius[:, None]) & off_diagonal, axis=1)
    shares = np.sum(same, axis=1) + 1
    return psi(num) + psi(k) - np.mean(psi(shares)) - np.mean(psi(num_near + 1))
  other = np.abs(factor[:, None] - factor)
  joint = np.where(off_diagonal, np.maximum(distance, other), np.inf)
  radius = np.sort(joint, axis=1)[:, k - 1]
  counts = [np.sum((d < radius[:, None]) & off_diagonal, axis=1) for d in (distance, other)]
  return psi(num) + psi(k) - sum(np.mean(psi(count + 1)) for count in counts)


@pytest.mark.parametrize("num_neighbors", [1, 3, 7])
def test_nearest_neighbors_are_the_formula_of_their_papers(num_neighbors):
  random_state = np.random.RandomState(0)
  factors = np.stack([random_state.uniform(size=300), random_state.randint(4, size=300)], axis=1)
  latents = factors @ [[1.0, 0.0], [0.3, 2.0]] + random_state.standard_normal((300, 2))
  result = utils.nearest_neighbor_mutual_info(latents, factors, num_neighbors=num_neighbors)
  latents, continuous = latents / latents.std(axis=0), factors[:, 0] / factors[:, 0].std()
  for j in range(2):
    expected = nearest_neighbor_formula(latents[:, j], continuous, num_neighbors, discrete=False)
    assert result[j, 0] == pytest.approx(max(0, expected), abs=1e-9)
    expected = nearest_neighbor_formula(latents[:, j], factors[:, 1], num_neighbors, discrete=True)
    assert result[j, 1] == pytest.approx(max(0, expected), abs=1e-9)


@pytest.mark.parametrize("correlation", [0.0, 0.6, 0.95])
def test_nearest_neighbors_know_the_information_of_gaussians(correlation):
  covariance = [[1, correlation], [correlation, 1]]
  points = np.random.RandomState(0).multivariate_normal([0, 0], covariance, size=4000)
  found = utils.nearest_neighbor_mutual_info(points[:, :1], points[:, 1:])[0, 0]
  # The standard deviation of the estimate, over seeds, is 0.02.
  assert found == pytest.approx(-0.5 * np.log(1 - correlation**2), abs=0.06)


def test_nearest_neighbors_know_the_information_about_discrete_factors():
  random_state = np.random.RandomState(0)
  factor = random_state.randint(2, size=4000)
  uniform = random_state.uniform(size=4000)
  # Apart; overlapping by half, where nothing is known; and the same.
  latents = np.stack([factor * 2 + uniform, factor / 2 + uniform, uniform], axis=1)
  found = utils.nearest_neighbor_mutual_info(latents, factor[:, None])[:, 0]
  assert found == pytest.approx([np.log(2), np.log(2) / 2, 0], abs=0.03)


def test_nearest_neighbors_count_a_point_once():
  random_state = np.random.RandomState(0)
  noise = random_state.standard_normal((500, 2))
  factors = np.stack([random_state.randint(3, size=500), random_state.uniform(size=500)], axis=1)
  once = utils.nearest_neighbor_mutual_info(noise, factors)
  rows = np.concatenate([np.arange(500), random_state.randint(500, size=700)])
  several_times = utils.nearest_neighbor_mutual_info(noise[rows], factors[rows])
  np.testing.assert_array_equal(several_times, once)
  assert once.max() < 0.1


def test_nearest_neighbors_do_not_depend_on_the_unit_of_latents_and_factors():
  random_state = np.random.RandomState(0)
  factors = np.stack([random_state.randint(3, size=400), random_state.uniform(size=400)], axis=1)
  latents = factors + 0.3 * random_state.standard_normal((400, 2))
  expected = utils.nearest_neighbor_mutual_info(latents, factors)
  for scale, shift in ((-2.0, 0.0), (1e-9, 0.0), (1.0, 1e6), (-1e300, 5e299)):
    moved = utils.nearest_neighbor_mutual_info(
      latents * scale + shift, factors * [-1, 7] + [5, 0.5]
    )
    # A shift by 1e6 costs 6 of 16 digits, which changes the order of some distances.
    np.testing.assert_allclose(moved, expected, atol=1e-3)


def test_nearest_neighbors_of_constant_columns_share_nothing():
  factors = np.stack([np.full(50, 0.3), np.arange(50) % 2], axis=1)
  latents = np.stack([np.full(50, 0.1), np.arange(50) % 2 + np.arange(50) / 100], axis=1)
  found = utils.nearest_neighbor_mutual_info(latents, factors)
  np.testing.assert_array_equal(found == 0, [[True, True], [True, False]])
  assert found[1, 1] == pytest.approx(np.log(2), abs=1e-12)


def test_nearest_neighbors_are_repeatable_where_values_are_equal():
  random_state = np.random.RandomState(0)
  factors = random_state.randint(4, size=(600, 2))
  latents = np.concatenate([factors, random_state.standard_normal((600, 1))], axis=1)
  first = utils.nearest_neighbor_mutual_info(latents, factors, seed=3)
  np.testing.assert_array_equal(first, utils.nearest_neighbor_mutual_info(latents, factors, seed=3))
  # Codes that are the factors have all of their information, as if they were discrete.
  expected = utils.discrete_mutual_info(latents[:, :2], factors)
  np.testing.assert_allclose(first[:2], expected, atol=0.03)


def test_too_few_distinct_points_for_nearest_neighbors_are_an_error():
  points = np.repeat([[0.1], [0.2], [0.3]], 5, axis=0)
  with pytest.raises(
    errors.ConfigError, match="less than the number of distinct points, got 3 and"
  ):
    utils.nearest_neighbor_mutual_info(points, points)
  whole = np.repeat([[1], [2], [3]], 5, axis=0)
  with pytest.raises(errors.ConfigError, match="the 3 distinct points all differ in factor 0"):
    utils.nearest_neighbor_mutual_info(points, whole)


@pytest.mark.parametrize("num_neighbors", [0, 1.5])
def test_number_of_neighbors_is_checked(num_neighbors):
  with pytest.raises(errors.ConfigError, match="nearest_neighbors.num_neighbors must be a whole"):
    utils.nearest_neighbor_mutual_info(np.eye(3), np.eye(3), num_neighbors=num_neighbors)


def test_gin_chooses_the_number_of_neighbors():
  gin.parse_config("nearest_neighbors.num_neighbors = 3")
  points = np.random.RandomState(0).uniform(size=(4, 2))
  utils.nearest_neighbor_mutual_info(points, points)
  gin.clear_config()
  gin.parse_config("nearest_neighbors.num_neighbors = 4")
  with pytest.raises(errors.ConfigError, match="got 4 and 4"):
    utils.nearest_neighbor_mutual_info(points, points)


@pytest.mark.parametrize("what", ["The representation", "The array of factors"])
def test_nearest_neighbors_refuse_what_is_not_finite(what):
  finite, infinite = np.eye(3), np.diag([1, 1, np.inf])
  pair = (infinite, finite) if what == "The representation" else (finite, infinite)
  with pytest.raises(errors.ConfigError, match=f"{what} has 1 of 9 values that are not finite"):
    utils.nearest_neighbor_mutual_info(*pair)


def test_arrays_of_different_lengths_have_no_nearest_neighbors():
  with pytest.raises(ValueError, match="got 3 and 4 rows"):
    utils.nearest_neighbor_mutual_info(np.eye(3), np.eye(4))


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
