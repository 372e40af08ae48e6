import json

import numpy as np
import pytest
from scipy import optimize
from scipy import stats

from dl_condind.evaluation import evaluate
from dl_condind.evaluation.densities import family_cost
from dl_condind.evaluation.metrics import local_alignment
from dl_condind.utils import errors
from dl_condind.utils import results as records


def equicorrelated(num_latent, correlation):
  return (1 - correlation) * np.eye(num_latent) + correlation


def rotations(num_points, num_latent=4, seed=0):
  return stats.ortho_group.rvs(num_latent, size=num_points, random_state=seed)


def spectra(num_points, num_latent=4, seed=0):
  """Eigenvalues of Grams, far apart and in a random order."""
  rng = np.random.default_rng(seed)
  values = 3.0 * 10.0 ** np.arange(num_latent)
  return rng.permuted(np.tile(values, (num_points, 1)), axis=1) * rng.uniform(
    0.8, 1.2, values.shape
  )


def along(axes, values):
  return axes * values[:, None] @ np.swapaxes(axes, 1, 2)


def best_decoders(noise_covariance, seed=0):
  """Grams whose axes are the noise's, the largest eigenvalue with the smallest variance."""
  variances, axes = np.linalg.eigh(noise_covariance)
  return along(axes, np.sort(spectra(*variances.shape, seed), axis=1)[:, ::-1])


def score(grams, noise_covariance, seed=99):  # Another one than of `rotations`.
  return local_alignment.local_alignment(grams, noise_covariance, np.random.RandomState(seed))


def test_axes_that_are_the_same_everywhere_are_global():
  axes = np.broadcast_to(rotations(1), (30, 4, 4))
  variances = np.random.default_rng(0).uniform(0.1, 1, size=(30, 4))
  noise = along(axes, variances)
  results = score(best_decoders(noise), noise)
  assert results["local_cost"] == pytest.approx(0, abs=1e-9)
  assert results["global_cost"] == pytest.approx(0, abs=1e-5)
  assert results["global_share"] == pytest.approx(1, abs=1e-4)
  assert results["local_angle"] == pytest.approx(0, abs=1e-3)
  assert results["global_angle"] == pytest.approx(0, abs=0.1)
  assert results["latents_angle"] > 10
  assert results["latents_cost"] > 0.5
  expected = 1 - results["latents_cost"] / results["random_cost"]
  assert results["latents_share"] == pytest.approx(expected, abs=1e-6)
  overlap = np.abs(np.array(results["global_axes"]).T @ axes[0])
  np.testing.assert_allclose(np.sort(overlap.ravel())[-4:], 1, atol=1e-5)


def test_axes_that_differ_between_points_are_local_only():
  axes = rotations(60)
  noise = along(axes, np.random.default_rng(0).uniform(0.1, 1, size=(60, 4)))
  results = score(best_decoders(noise), noise)
  assert results["local_cost"] == pytest.approx(0, abs=1e-9)
  assert results["local_angle"] == pytest.approx(0, abs=1e-3)
  # A rotation fitted to 60 points of random axes gains a little.
  assert results["global_share"] < 0.3
  assert results["global_angle"] > 15
  for name in ("global", "latents", "random"):
    assert results[f"{name}_cost"] > 1


def test_stddevs_that_vary_turn_the_axes_of_correlated_noise():
  shares = []
  for spread in (0.0, 0.1, 0.3):
    rng = np.random.default_rng(0)
    stddev = np.array([0.1, 0.13, 0.17, 0.25]) * np.exp(spread * rng.standard_normal((80, 4)))
    noise = stddev[:, :, None] * equicorrelated(4, 0.9) * stddev[:, None, :]
    results = score(best_decoders(noise), noise)
    assert results["local_cost"] == pytest.approx(0, abs=1e-8)
    shares.append(results["global_share"])
  assert shares[0] == pytest.approx(1, abs=1e-3)
  assert shares[0] > shares[1] + 0.01
  assert shares[1] > shares[2] + 0.1


def test_a_decoder_that_ignores_the_noise_is_as_far_as_random_axes():
  noise = along(rotations(200, seed=1), np.random.default_rng(0).uniform(0.1, 1, size=(200, 4)))
  grams = along(rotations(200, seed=2), spectra(200))
  results = score(grams, noise)
  assert results["local_cost"] == pytest.approx(results["random_cost"], rel=0.1)
  assert results["local_angle"] == pytest.approx(results["random_angle"], abs=3)


def test_isotropic_noise_prefers_no_axes():
  grams = along(rotations(10), spectra(10))
  results = score(grams, np.broadcast_to(0.3 * np.eye(4), grams.shape))
  assert results["local_cost"] == pytest.approx(0, abs=1e-9)
  assert results["latents_cost"] > 1


def test_inactive_axes_have_no_say():
  axes = rotations(20)
  values = np.tile([0.0, 1e-6, 50.0, 2000.0], (20, 1))
  noise_axes = axes.copy()
  turn = np.array([[0.6, -0.8], [0.8, 0.6]])
  noise_axes[:, :, :2] = axes[:, :, :2] @ turn  # The noise turned where the decoder is flat.
  noise = along(noise_axes, np.tile([1.0, 0.95, 0.02, 5e-4], (20, 1)))
  results = score(along(axes, values), noise)
  assert results["mean_active"] == 2
  assert results["local_angle"] == pytest.approx(0, abs=1e-3)
  assert results["local_cost"] == pytest.approx(0, abs=1e-9)


def test_a_decoder_without_effect():
  results = score(np.zeros((3, 2, 2)), np.broadcast_to(np.eye(2), (3, 2, 2)))
  assert results["mean_active"] == 0
  for name in ("local", "global", "latents", "random"):
    assert results[f"{name}_cost"] == pytest.approx(0, abs=1e-12)
    assert results[f"{name}_angle"] is None
  json.dumps(results, allow_nan=False)


def test_costs_are_those_of_rotated_noise():
  precisions = np.eye(4) + along(rotations(7), spectra(7))
  rotation = rotations(1, seed=5)
  np.testing.assert_allclose(
    local_alignment.axes_cost(precisions, rotation),
    family_cost.rotated(precisions, rotation).cost,
    rtol=1e-12,
  )


@pytest.mark.parametrize("seed", range(3))
def test_common_axes_are_as_good_as_those_of_a_general_minimizer(seed):
  nearly_common = (
    rotations(1, 3, seed)
    @ np.linalg.qr(np.eye(3) + 0.2 * np.random.default_rng(seed).standard_normal((15, 3, 3)))[0]
  )
  precisions = np.eye(3) + along(nearly_common, spectra(15, 3, seed))

  def cost_of(skew: np.ndarray) -> float:
    matrix = np.zeros((3, 3))
    matrix[np.triu_indices(3, 1)] = skew
    half = 0.5 * (matrix - matrix.T)
    rotation = np.linalg.solve(np.eye(3) + half, np.eye(3) - half)  # Cayley
    return float(np.mean(local_alignment.axes_cost(precisions, rotation)))

  found = np.mean(local_alignment.axes_cost(precisions, local_alignment.common_axes(precisions)))
  starts = np.random.default_rng(1).standard_normal((20, 3))
  best = min(optimize.minimize(cost_of, start, method="BFGS").fun for start in starts)
  assert found <= best + 1e-4


def test_results_repeat_and_one_point_is_enough():
  noise = along(rotations(2)[:1], np.array([[0.1, 0.2, 0.3, 0.4]]))
  grams = best_decoders(noise)
  assert score(grams, noise) == score(grams, noise)
  assert score(grams, noise)["global_share"] == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(
  "grams, noise, message",
  [
    (np.ones((2, 3, 3)), np.ones((3, 3, 3)), r"must both be .*\(2, 3, 3\) and \(3, 3, 3\)"),
    (np.ones((2, 1, 1)), np.ones((2, 1, 1)), r"at least two latents, got grams of shape \(2, 1, 1"),
    (np.full((1, 2, 2), np.nan), np.ones((1, 2, 2)), "Gram has 4 of 4 values that are not finite"),
    (np.ones((1, 2, 2)), np.full((1, 2, 2), np.inf), "noise covariance has 4 of 4 values"),
  ],
)
def test_arguments_are_checked(grams, noise, message):
  with pytest.raises(errors.ConfigError, match=message):
    score(grams, noise)


def test_stored_model_from_file_to_record(trained_run, tmp_path):
  evaluate.evaluate_with_gin(
    trained_run / "postprocessed" / "mean",
    tmp_path,
    False,
    ["metrics/local_alignment.gin"],
    ["local_alignment.num_points = 20"],
  )
  found = records.read_results(tmp_path, "evaluation")
  assert found["global_cost"] <= found["random_cost"]
  assert np.shape(found["global_axes"]) == (4, 4)
