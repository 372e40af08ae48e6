import json

import gin
from helpers import testdata
import numpy as np
import pytest
import scipy.linalg
from sklearn import metrics

from dl_condind.data.ground_truth import dummy_data
from dl_condind.evaluation.information import discretization
from dl_condind.evaluation.metrics import unsupervised_metrics
from dl_condind.utils import errors


@pytest.fixture(autouse=True)
def clear_gin():
  yield
  gin.clear_config()


def measure(representations, num_bins=20):
  codes = discretization.histogram_discretizer(representations, num_bins)
  return unsupervised_metrics.latent_dependence(representations, codes)


def correlated(num_points=500, num_latent=4):
  random_state = np.random.RandomState(0)
  mix = random_state.standard_normal((num_latent, num_latent))
  return random_state.standard_normal((num_points, num_latent)) @ mix


def equicorrelated(num_latent, correlation):
  return (1 - correlation) * np.eye(num_latent) + correlation


@pytest.mark.parametrize("scale", [1.0, np.array([0.01, 1.0, 50.0])])
def test_independent_gaussian_has_no_dependence(scale):
  covariance = np.diag(np.ones(3) * scale)
  assert unsupervised_metrics.gaussian_total_correlation(covariance) == pytest.approx(0, abs=1e-14)
  assert unsupervised_metrics.gaussian_wasserstein_correlation(covariance) == pytest.approx(
    0, abs=1e-12
  )


@pytest.mark.parametrize("num_latent, correlation, expected", [(2, 0.9, 0.8304), (10, 0.9, 9.2575)])
def test_total_correlation_of_an_equicorrelated_gaussian(num_latent, correlation, expected):
  stddev = np.linspace(0.1, 3, num_latent)
  covariance = equicorrelated(num_latent, correlation) * np.outer(stddev, stddev)
  assert unsupervised_metrics.gaussian_total_correlation(covariance) == pytest.approx(
    expected, abs=5e-5
  )


def test_wasserstein_correlation_of_two_standard_latents():
  # The roots of the eigenvalues 1 + c and 1 - c.
  expected = 4 - 2 * (np.sqrt(1.6) + np.sqrt(0.4))
  assert unsupervised_metrics.gaussian_wasserstein_correlation(
    equicorrelated(2, 0.6)
  ) == pytest.approx(expected, abs=1e-14)


def test_wasserstein_correlation_is_the_general_formula():
  covariance = np.cov(correlated(), rowvar=False)
  diagonal = np.diag(np.diag(covariance))
  root = scipy.linalg.sqrtm(diagonal)
  cross = scipy.linalg.sqrtm(root @ covariance @ root)
  assert unsupervised_metrics.gaussian_wasserstein_correlation(covariance) == pytest.approx(
    np.trace(covariance + diagonal - 2 * cross), abs=1e-10
  )


def test_mutual_info_score_is_the_mean_over_pairs():
  representations = correlated()
  codes = discretization.histogram_discretizer(representations, 5)
  pairs = [(i, j) for i in range(4) for j in range(4) if i != j]
  expected = np.mean([metrics.mutual_info_score(codes[:, i], codes[:, j]) for i, j in pairs])
  assert measure(representations, 5)["mutual_info_score"] == pytest.approx(expected, abs=1e-12)


def test_norm_is_relative_to_the_total_variance():
  representations = correlated()
  results = measure(representations)
  rescaled = measure(7 * representations)
  norm = results["gaussian_wasserstein_correlation_norm"]
  assert rescaled["gaussian_wasserstein_correlation_norm"] == pytest.approx(norm, rel=1e-9)
  assert norm * np.var(representations, axis=0, ddof=1).sum() == pytest.approx(
    results["gaussian_wasserstein_correlation"], rel=1e-12
  )


def test_constant_latents_are_counted_and_change_no_gaussian_measure():
  representations = correlated()
  expected = measure(representations)
  results = measure(np.insert(representations, [0, 2], 0.3, axis=1))
  assert results["num_constant_latents"] == 2
  assert expected["num_constant_latents"] == 0
  for name in expected:
    if name.startswith("gaussian"):
      assert results[name] == pytest.approx(expected[name], rel=1e-12)
  # 12 of the 30 ordered pairs are left with any information.
  assert results["mutual_info_score"] == pytest.approx(12 / 30 * expected["mutual_info_score"])


@pytest.mark.parametrize("num_varying", [0, 1])
def test_nothing_to_compare_is_no_dependence(num_varying):
  representations = np.zeros((50, 3))
  representations[:, :num_varying] = np.arange(50)[:, None]
  results = measure(representations)
  assert results.pop("num_constant_latents") == 3 - num_varying
  assert list(results.values()) == pytest.approx([0, 0, 0, 0], abs=1e-15)


def test_linearly_dependent_latents_have_no_finite_total_correlation():
  representations = correlated()
  results = measure(np.column_stack([representations, representations.sum(axis=1)]))
  assert results["gaussian_total_correlation"] is None
  assert results["gaussian_wasserstein_correlation"] > 0
  json.dumps(results, allow_nan=False)


def test_one_latent_is_an_error():
  with pytest.raises(errors.ConfigError, match="the representation has 1"):
    measure(np.arange(4.0)[:, None])


def test_one_point_is_an_error():
  with pytest.raises(errors.ConfigError, match="num_train must be a whole number of at least 2"):
    unsupervised_metrics.compute_unsupervised_metrics(
      dummy_data.IdentityObservationsData(), np.array, np.random.RandomState(0), num_train=1
    )


@pytest.mark.parametrize(
  ("representations", "codes", "message"),
  [
    (
      np.ones((1, 2)),
      np.ones((1, 2)),
      "points of unsupervised_metrics must be .* at least 2, got 1",
    ),
    (np.ones(3), np.ones(3), r"must both be \[num_points, num_latent\], got shapes \(3,\)"),
    (np.ones((3, 2)), np.ones((2, 2)), r"got shapes \(3, 2\) and \(2, 2\)"),
    (np.full((3, 2), np.nan), np.ones((3, 2)), "The representation has 6 of 6 values"),
    (np.full((3, 2), 1e100), np.ones((3, 2)), r"values up to 1e\+100, and above"),
  ],
)
def test_points_that_cannot_be_measured_are_refused(representations, codes, message):
  with pytest.raises(ValueError, match=message):
    unsupervised_metrics.latent_dependence(representations, codes)


def test_evaluator_measures_the_sampled_points():
  gin.parse_config("discretizer.discretizer_fn = @histogram_discretizer\ndiscretizer.num_bins = 10")
  results = unsupervised_metrics.compute_unsupervised_metrics(
    dummy_data.IdentityObservationsData(),
    lambda x: np.column_stack([x[:, 0], x[:, 1], x[:, 0] + 0.1 * x[:, 2]]),
    np.random.RandomState(0),
    num_train=3000,
  )
  # Two of three latents have correlation 1 / sqrt(1.01); the third is independent of them.
  assert results["gaussian_total_correlation"] == pytest.approx(
    -0.5 * np.log(1 - 1 / 1.01), rel=0.02
  )
  assert results["mutual_info_score"] == pytest.approx(2 / 6 * np.log(10), rel=0.15)


def test_disentanglement_libs_values_are_reproduced():
  representations, _, oracle = testdata.dlib_example()
  rows = oracle["_rows"]["num_train_nosplit"]
  results = measure(representations[:rows], oracle["_rows"]["num_bins"])
  assert len(oracle["unsupervised"]) == 4
  for name, expected in oracle["unsupervised"].items():
    assert results[name] == pytest.approx(expected, abs=1e-9)
