import json
import time

import gin
import numpy as np
import pytest
from scipy import stats

from dl_condind.data.ground_truth import dummy_data
from dl_condind.evaluation import evaluate as evaluate_module
from dl_condind.evaluation.information import discretization
from dl_condind.evaluation.metrics import aligned_mig
from dl_condind.evaluation.metrics import mig
from dl_condind.evaluation.metrics import rotated_mig
from dl_condind.utils import errors
from dl_condind.utils import results as records


@pytest.fixture(autouse=True)
def discretizer():
  gin.parse_config("discretizer.num_bins = 20")
  with gin.unlock_config():
    gin.bind_parameter("discretizer.discretizer_fn", discretization.histogram_discretizer)
  yield
  gin.clear_config()


def factors_and_code(num_points=3000, num_latent=5, noise=0.1, seed=0):
  """Factors of 3, 6 and 15 values, and latents that are one each or nothing but noise."""
  random_state = np.random.RandomState(seed)
  sizes = np.array([3, 6, 15])
  factors = np.stack([random_state.randint(size, size=num_points) for size in sizes], axis=1)
  code = noise * random_state.standard_normal((num_points, num_latent))
  code[:, :3] += (factors - (sizes - 1) / 2) / np.sqrt((sizes**2 - 1) / 12)  # unit variances
  return factors, code


def random_rotation(num_latent, seed=0):
  return stats.ortho_group.rvs(num_latent, random_state=seed)


@pytest.mark.parametrize(
  "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))]
)
def test_a_rotation_is_found_again(seed):
  factors, code = factors_and_code(seed=seed)
  rotated = code @ random_rotation(5, seed)
  results = rotated_mig.rotated_mutual_information_gap(rotated, factors)
  expected = mig.mutual_information_gap(code, factors)["discrete_mig"]
  assert expected > 0.8
  assert results["latents.mig"] < 0.4
  assert results["rotated_mig"] == pytest.approx(expected, abs=0.03)
  # Variances are equal: without labels the axes are arbitrary.
  assert results["rotated_mig"] > results["pca.mig"] + 0.2
  assert results["rotated_mig"] > results["random_rotation_mig"] + 0.4
  rotation = np.array(results["rotation"])
  np.testing.assert_allclose(rotation.T @ rotation, np.eye(5), atol=1e-12)
  # The axes are the three latents, in any order.
  overlap = np.abs(random_rotation(5, seed) @ rotation)[:3]
  np.testing.assert_allclose(overlap.max(axis=1), 1, atol=0.01)


def test_sweeps_find_what_class_means_do_not_show():
  # The middle and the ends of a factor's values have the same mean: its class means do not move.
  random_state = np.random.RandomState(0)
  sides = random_state.choice([-1.0, 1.0], size=(4000, 2))
  factors = random_state.randint(2, size=(4000, 2))
  code = np.where(factors == 0, 0.3, 1.0) * sides
  code = np.column_stack([code, 0.1 * random_state.standard_normal((4000, 2))])
  rotated = code @ random_rotation(4)
  results = rotated_mig.rotated_mutual_information_gap(rotated, factors)
  expected = mig.mutual_information_gap(code, factors)["discrete_mig"]
  assert expected > 0.9
  assert results["rotated_mig"] > 0.85
  assert max(results[f"{start}.mig"] for start in ("latents", "pca", "class_means")) < 0.7


def test_noise_gains_nothing():
  factors, _ = factors_and_code()
  code = np.random.RandomState(1).standard_normal((3000, 5))
  results = rotated_mig.rotated_mutual_information_gap(code, factors)
  assert results["rotated_mig"] < 0.01
  assert results["rotated_mig_null"] < 0.01
  assert results["rotated_mig_fit"] < 0.02


def test_shuffled_factors_are_the_null_of_a_code_that_tells_everything():
  factors, code = factors_and_code()
  results = rotated_mig.rotated_mutual_information_gap(code, factors)
  assert results["rotated_mig_null"] < 0.01 < 0.8 < results["rotated_mig"]
  assert results["rotated_mig_null_std"] < 0.01
  assert results["random_rotation_mig_std"] > 0


def test_aligned_latents_stay():
  factors, code = factors_and_code()
  results = rotated_mig.rotated_mutual_information_gap(code, factors)
  assert results["rotated_mig"] == pytest.approx(results["latents.mig"], abs=0.01)
  # On half of the points.
  expected = mig.mutual_information_gap(code, factors)["discrete_mig"]
  assert results["latents.mig"] == pytest.approx(expected, abs=0.02)


@pytest.mark.slow
def test_the_fit_is_never_below_a_start_and_does_not_see_the_other_half():
  factors, code = factors_and_code(num_points=600)
  rotated = code @ random_rotation(5)
  order = np.random.RandomState(3).permutation(600)
  first, second = order[:300], order[300:]
  results = rotated_mig.rotated_mutual_information_gap(
    rotated, factors, random_state=np.random.RandomState(3)
  )
  axes = np.array(results["rotation"])
  along = (rotated - rotated.mean(axis=0)) @ axes
  fit = mig.mutual_information_gap(along[first], factors[first])["discrete_mig"]
  score = mig.mutual_information_gap(along[second], factors[second])["discrete_mig"]
  # The coordinates were turned step by step: a value may be on the other side of an edge.
  assert results["rotated_mig_fit"] == pytest.approx(fit, abs=0.01)
  assert results["rotated_mig"] == pytest.approx(score, abs=1e-9)
  latents = mig.mutual_information_gap(rotated[first], factors[first])["discrete_mig"]
  assert results["rotated_mig_fit"] >= latents - 0.01
  assert results["rotated_mig_converged"]
  # Other factors in the second half leave the axes as they are.
  changed = factors.copy()
  changed[second] = changed[second][::-1]
  other = rotated_mig.rotated_mutual_information_gap(
    rotated, changed, random_state=np.random.RandomState(3)
  )
  assert other["rotation"] == results["rotation"]
  assert other["rotated_mig"] < 0.1 < results["rotated_mig"]


@pytest.mark.slow
def test_the_noise_eigenbasis_is_a_start():
  factors, code = factors_and_code(noise=0.02)
  rotation = random_rotation(5)
  noise = rotation.T @ np.diag([1.0, 2.0, 3.0, 4.0, 5.0]) @ rotation
  results = rotated_mig.rotated_mutual_information_gap(code @ rotation, factors, noise)
  without = rotated_mig.rotated_mutual_information_gap(code @ rotation, factors)
  assert without["noise_eigenbasis.mig"] is None
  assert results["noise_eigenbasis.mig"] > 0.8
  assert results["rotated_mig"] == pytest.approx(results["noise_eigenbasis.mig"], abs=0.02)


def test_constant_latents_score_zero():
  factors, _ = factors_and_code(num_points=100)
  results = rotated_mig.rotated_mutual_information_gap(np.full((100, 3), 0.7), factors, np.eye(3))
  for key in ("rotated_mig", "rotated_mig_fit", "rotated_mig_null", "random_rotation_mig"):
    assert results[key] == 0
  json.dumps(results, allow_nan=False)


def test_axes_without_variance_stay_empty():
  factors, code = factors_and_code(num_points=500)
  copies = np.column_stack([code[:, :3], code[:, 0], np.full(500, 0.1)]).astype(np.float32)
  results = rotated_mig.rotated_mutual_information_gap(copies, factors)
  information = np.array(results["mutual_information_matrix"])
  assert np.count_nonzero(information.any(axis=1)) == 3
  assert results["rotated_mig"] > 0.6 > results["latents.mig"] + 0.1  # Its copy was turned away.


def test_results_repeat():
  factors, code = factors_and_code(num_points=300)
  first, second = (
    rotated_mig.rotated_mutual_information_gap(
      code, factors, np.eye(5), np.random.RandomState(7), num_nulls=1
    )
    for _ in range(2)
  )
  assert first == second
  assert json.loads(json.dumps(first, allow_nan=False)) == first


@pytest.mark.parametrize(
  "arguments, message",
  [
    ({"num_nulls": 0}, "rotated_mig.num_nulls must be a whole number of at least 1, got 0"),
    ({"num_rotations": 0}, "rotated_mig.num_rotations must be a whole number of at least 1"),
    ({"noise_covariance": np.eye(3)}, r"noise_covariance must be \[5, 5\].*got \[3, 3\]"),
  ],
)
def test_arguments_are_checked(arguments, message):
  factors, code = factors_and_code(num_points=50)
  with pytest.raises(errors.ConfigError, match=message):
    rotated_mig.rotated_mutual_information_gap(code, factors, **arguments)


def test_few_points_are_refused():
  _, code = factors_and_code(num_points=50)
  with pytest.raises(errors.ConfigError, match="rotated_mig needs at least 4 points, got 3"):
    rotated_mig.rotated_mutual_information_gap(code[:3], np.arange(3)[:, None])


@pytest.mark.slow
def test_protocol_has_the_points_of_aligned_mig():
  data, settings = dummy_data.IdentityObservationsData(), {"num_train": 300, "num_nulls": 1}
  results = rotated_mig.compute_rotated_mig(
    data, lambda x: np.asarray(x, np.float64), np.random.RandomState(0), **settings
  )
  aligned = aligned_mig.compute_aligned_mig(
    data, lambda x: np.asarray(x, np.float64), np.random.RandomState(0), **settings
  )
  assert results["rotated_mig"] > 0.5
  assert len(results["factor_entropy"]) == len(aligned["factor_entropy"])


def test_stored_model_from_file_to_record(trained_run, tmp_path):
  gin.clear_config()
  evaluate_module.evaluate_with_gin(
    trained_run / "postprocessed" / "mean",
    tmp_path,
    False,
    ["metrics/rotated_mig.gin"],
    ["rotated_mig.num_train = 200", "rotated_mig.num_nulls = 1"],
  )
  results = records.read_results(tmp_path, "evaluation")
  assert 0 <= results["rotated_mig"] <= 1
  assert results["noise_eigenbasis.mig"] is not None
  assert np.shape(results["rotation"]) == (4, 4)


@pytest.mark.slow
def test_ten_latents_and_ten_thousand_points_take_less_than_half_a_minute():
  random_state = np.random.RandomState(0)
  sizes = [3, 6, 40, 32, 32]
  factors = np.stack([random_state.randint(size, size=10_000) for size in sizes], axis=1)
  code = 0.3 * random_state.standard_normal((10_000, 10))
  code[:, :5] += factors / np.std(factors, axis=0)
  start = time.process_time()
  rotated_mig.rotated_mutual_information_gap(code @ random_rotation(10), factors)
  assert time.process_time() - start < 30
