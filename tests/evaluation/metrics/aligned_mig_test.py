import json

import gin
import numpy as np
import pytest
from scipy import linalg
from scipy import stats

from dl_condind.data.ground_truth import dummy_data
from dl_condind.evaluation import evaluate as evaluate_module
from dl_condind.evaluation import representation
from dl_condind.evaluation.information import discretization
from dl_condind.evaluation.metrics import aligned_mig
from dl_condind.evaluation.metrics import mig
from dl_condind.utils import errors
from dl_condind.utils import results as records


@pytest.fixture(autouse=True)
def discretizer():
  gin.parse_config("discretizer.num_bins = 20")
  with gin.unlock_config():
    gin.bind_parameter("discretizer.discretizer_fn", discretization.histogram_discretizer)
  yield
  gin.clear_config()


def equicorrelated(num_latent, correlation):
  return (1 - correlation) * np.eye(num_latent) + correlation


def scaled_factors(num_points=5000, seed=0):
  """Four independent factors of 10 values, and latents that each are one with its own scale."""
  factors = np.random.RandomState(seed).randint(10, size=(num_points, 4))
  return factors, factors * np.array([4.0, 3.0, 2.0, 1.0])


def rotated_like(code, common):
  """Rotates the code so that its latent `common` lies along the axis 1 / sqrt(num_latent)."""
  num_latent = code.shape[1]
  start = np.eye(num_latent)
  start[:, common] = 1.0
  others = np.delete(np.arange(num_latent), common)
  basis = np.linalg.qr(start[:, [common, *others]])[0]  # [latent, (common, others)]
  return code[:, [common, *others]] @ basis.T


def test_rotated_factors_are_found_again():
  factors, code = scaled_factors()
  unrotated = mig.mutual_information_gap(code, factors)["discrete_mig"]
  rotation = linalg.hadamard(4) / 2  # Every latent takes from every factor alike.
  results = aligned_mig.aligned_mutual_information_gap(code @ rotation, factors)
  assert unrotated > 0.95
  assert results["discrete_mig"] < 0.15
  # PCA has sampling error: sample correlations of the factors of about 1 / sqrt(5000).
  assert results["pca.mig"] == pytest.approx(unrotated, abs=0.15)
  assert results["ica.mig"] == pytest.approx(unrotated, abs=0.1)
  assert results["ica_converged"]
  assert results["aligned_mig"] == max(results["pca.mig"], results["ica.mig"])
  assert results["aligned_mig_basis"] in ("pca", "ica")
  assert results["aligned_mig_null"] < 0.3
  variances = np.var(code, axis=0)
  np.testing.assert_allclose(results["pca.variance_share"], variances / variances.sum(), atol=0.01)
  # The principal axes are the rows of the rotation.
  latent_variances = np.var(code @ rotation, axis=0)
  shares = rotation**2 * latent_variances
  shares /= shares.sum(axis=1, keepdims=True)
  np.testing.assert_allclose(results["pca.latent_share"], shares, atol=0.05)


def test_equal_variances_leave_only_ica():
  factors = np.random.RandomState(0).randint(10, size=(5000, 3))
  rotation = stats.ortho_group.rvs(3, random_state=0)
  results = aligned_mig.aligned_mutual_information_gap(factors @ rotation, factors)
  assert results["ica.mig"] > 0.85
  assert results["ica.mig"] > results["pca.mig"] + 0.2
  assert results["aligned_mig_basis"] == "ica"


def test_noise_eigenbasis_finds_a_code_turned_with_its_noise():
  factors, code = scaled_factors()
  turned = rotated_like(code, common=2)
  noise = 0.01 * equicorrelated(4, 0.9)
  results = aligned_mig.aligned_mutual_information_gap(turned, factors, noise)
  assert results["discrete_mig"] < 0.3
  # Factor 2 lies along the common axis, the others in its complement, told apart by variance.
  assert results["noise_eigenbasis.mig"] > 0.85
  information = np.array(results["noise_eigenbasis.mutual_information_matrix"])
  assert np.argmax(information[0]) == 2
  # PCA finds the same axes: the code alone tells them here.
  assert results["noise_eigenbasis.mig"] == pytest.approx(results["pca.mig"], abs=0.1)


def test_noise_tells_axes_that_the_code_does_not():
  factors = np.random.RandomState(0).randint(10, size=(5000, 2))
  rotation = np.array([[1.0, 1.0], [-1.0, 1.0]]) / np.sqrt(2)
  # Equal variances: PCA finds any axes, the noise has those of the factors.
  results = aligned_mig.aligned_mutual_information_gap(
    factors @ rotation, factors, 0.01 * equicorrelated(2, 0.9)
  )
  assert results["noise_eigenbasis.mig"] > 0.95
  assert results["discrete_mig"] < 0.3
  assert results["noise_eigenbasis.latent_share"] == pytest.approx(np.full((2, 2), 0.5), abs=0.02)


def test_independent_noise_keeps_the_gap_of_the_latents():
  factors, code = scaled_factors()
  results = aligned_mig.aligned_mutual_information_gap(code, factors, np.diag([0.1, 0.2, 0.3, 1]))
  # In the other order, and centred: values on the edges of bins may change sides.
  assert results["noise_eigenbasis.mig"] == pytest.approx(results["discrete_mig"], abs=1e-3)
  np.testing.assert_allclose(results["noise_eigenbasis.latent_share"], np.eye(4)[::-1], atol=1e-12)
  assert results["random_rotation_mig"] < 0.3
  assert results["aligned_mig_null"] == pytest.approx(results["discrete_mig"], rel=1e-12)


def test_the_null_is_the_best_of_random_rotations():
  # Noise, which no rotation helps, but the best of several is never below the latents' own.
  random_state = np.random.RandomState(0)
  factors = random_state.randint(3, size=(500, 2))
  code = random_state.standard_normal((500, 6))
  results = aligned_mig.aligned_mutual_information_gap(code, factors, np.eye(6), num_nulls=50)
  assert results["discrete_mig"] <= results["aligned_mig"] < 0.05
  assert results["discrete_mig"] <= results["aligned_mig_null"] < 0.05
  assert results["random_rotation_mig"] < results["aligned_mig_null"]
  assert results["aligned_mig_null_std"] > 0


def test_shares_sum_to_one_and_rank_is_kept():
  random_state = np.random.RandomState(0)
  factors = random_state.randint(5, size=(2000, 2))
  # More latents than factors, one constant and one a copy.
  code = np.column_stack([factors, factors[:, 0], np.full(2000, 0.1), factors.sum(axis=1)])
  code = code.astype(np.float32)
  results = aligned_mig.aligned_mutual_information_gap(code, factors, equicorrelated(5, 0.5))
  assert np.sum(results["variance_share"]) == pytest.approx(1)
  assert results["variance_share"][3] == 0
  for name in ("pca", "ica", "noise_eigenbasis"):
    variance_share = np.array(results[f"{name}.variance_share"])
    assert variance_share.sum() == pytest.approx(1)
    rows = np.sum(results[f"{name}.latent_share"], axis=1)
    np.testing.assert_allclose(rows, variance_share > 0, atol=1e-12)
    # An axis along which the code does not vary says nothing, whatever rounding leaves of it.
    information = np.array(results[f"{name}.mutual_information_matrix"])
    assert not information[variance_share == 0].any()
  assert np.count_nonzero(results["pca.variance_share"]) == 2
  assert np.count_nonzero(results["ica.variance_share"]) == 2
  # Factor 0 has a copy among the latents, but not among the independent components.
  assert results["ica.mig"] > results["discrete_mig"] + 0.2


def test_constant_latents_score_zero():
  factors = np.random.RandomState(0).randint(5, size=(100, 2))
  results = aligned_mig.aligned_mutual_information_gap(np.full((100, 3), 0.7), factors, np.eye(3))
  for key in ("discrete_mig", "aligned_mig", "aligned_mig_null", "pca.mig", "ica.mig"):
    assert results[key] == 0
  assert results["aligned_mig_basis"] == "latents"
  assert results["variance_share"] == [0, 0, 0]
  json.dumps(results, allow_nan=False)


def test_one_factor():
  factors, code = scaled_factors()
  results = aligned_mig.aligned_mutual_information_gap(code, factors[:, :1])
  assert results["pca.mig"] == pytest.approx(results["discrete_mig"], abs=0.1)


def test_without_noise_there_is_no_noise_eigenbasis():
  factors, code = scaled_factors(num_points=500)
  results = aligned_mig.aligned_mutual_information_gap(code, factors)
  known = aligned_mig.aligned_mutual_information_gap(code, factors, np.eye(4))
  assert results.keys() == known.keys()
  for key in ("mig", "mutual_information_matrix", "variance_share", "latent_share"):
    assert results[f"noise_eigenbasis.{key}"] is None
    assert known[f"noise_eigenbasis.{key}"] is not None


def test_results_repeat():
  factors, code = scaled_factors(num_points=500)
  first, second = (
    aligned_mig.aligned_mutual_information_gap(
      code, factors, np.eye(4), np.random.RandomState(7), num_nulls=2
    )
    for _ in range(2)
  )
  assert first == second
  assert json.loads(json.dumps(first, allow_nan=False)) == first


@pytest.mark.parametrize(
  "arguments, message",
  [
    ({"num_nulls": 0}, "aligned_mig.num_nulls must be a whole number of at least 1, got 0"),
    ({"noise_covariance": np.eye(3)}, r"noise_covariance must be \[4, 4\].*got \[3, 3\]"),
    ({"noise_covariance": np.full((4, 4), np.nan)}, "noise_covariance has 16 of 16 values"),
  ],
)
def test_arguments_are_checked(arguments, message):
  factors, code = scaled_factors(num_points=50)
  with pytest.raises(errors.ConfigError, match=message):
    aligned_mig.aligned_mutual_information_gap(code, factors, **arguments)


def test_one_latent_is_refused():
  factors, code = scaled_factors(num_points=50)
  with pytest.raises(errors.ConfigError, match="num_latent to at least 2"):
    aligned_mig.aligned_mutual_information_gap(code[:, :1], factors)


class TurnedModel:
  """Latents that are the factors, turned by 45 degrees with their noise."""

  def __init__(self):
    self.num_latent = 10

  def gaussian_encoder(self, observations):
    x = np.asarray(observations, np.float64).reshape(len(observations), -1)
    root = np.linalg.cholesky(0.01 * equicorrelated(self.num_latent, 0.9))
    return {
      "mean": rotated_like(x, common=0).astype(np.float32),
      "logvar": np.full(x.shape, np.log(0.01), np.float32),
      "scale_tril": np.broadcast_to(root, (len(x), *root.shape)).astype(np.float32),
    }

  def representation(self):
    return representation.Representation(
      lambda x: self.gaussian_encoder(x)["mean"], gaussian_encoder=self.gaussian_encoder
    )


def evaluate(function, module=aligned_mig.compute_aligned_mig, **settings):
  return module(
    dummy_data.IdentityObservationsData(),
    function,
    np.random.RandomState(0),
    **{"num_train": 2000, **settings},
  )


def test_protocol_has_the_points_of_mig():
  model = TurnedModel().representation()
  results = evaluate(model, num_nulls=2)
  plain = evaluate(model, mig.compute_mig)
  assert {key: results[key] for key in plain} == plain
  assert results["noise_eigenbasis.mig"] is not None
  # Of all axes the common one is that of factor 0.
  information = np.array(results["noise_eigenbasis.mutual_information_matrix"])
  assert np.argmax(information[0]) == 0
  assert results == evaluate(TurnedModel().representation(), num_nulls=2)


def test_protocol_takes_a_plain_function():
  results = evaluate(lambda x: np.asarray(x, np.float64), num_nulls=1)
  assert results["discrete_mig"] > 0.9
  assert results["noise_eigenbasis.mig"] is None


def test_stored_model_from_file_to_record(trained_run, tmp_path):
  gin.clear_config()
  evaluate_module.evaluate_with_gin(
    trained_run / "postprocessed" / "sampled",
    tmp_path,
    False,
    ["metrics/aligned_mig.gin"],
    ["aligned_mig.num_train = 200", "aligned_mig.num_nulls = 1"],
  )
  results = records.read_results(tmp_path, "evaluation")
  assert results["aligned_mig"] >= results["discrete_mig"]
  assert np.shape(results["noise_eigenbasis.latent_share"]) == (4, 4)
  # The untrained encoder's stddevs are alike and its noise has the correlation 0.9, so the axis of
  # the largest variance takes from all latents.
  assert np.min(results["noise_eigenbasis.latent_share"][0]) > 0.1


def test_continuous_factors_are_discretized_as_of_mig():
  rng = np.random.default_rng(0)
  factors = rng.uniform(size=(2000, 2))
  codes = factors + 0.01 * rng.standard_normal((2000, 2))
  found = aligned_mig.aligned_mutual_information_gap(codes, factors, num_nulls=1)
  expected = mig.mutual_information_gap(codes, factors)["discrete_mig"]
  assert found["discrete_mig"] == expected > 0.7
