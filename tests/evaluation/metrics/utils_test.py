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


def test_metrics_do_not_import_tensorflow():
  folder = pathlib.Path(utils.__file__).parent
  modules = [f"dl_condind.evaluation.metrics.{path.stem}" for path in folder.glob("[!_]*.py")]
  program = f"import sys, {', '.join(modules)}; print('tensorflow' in sys.modules)"
  run = subprocess.run(
    [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120
  )
  assert len(modules) >= 5
  assert run.stdout.strip() == "False"
