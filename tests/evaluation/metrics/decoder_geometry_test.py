import itertools
import json

import gin
import numpy as np
import pytest
from scipy import linalg
from scipy import stats

from dl_condind.data.ground_truth import dummy_data
from dl_condind.evaluation import decoder_samples
from dl_condind.evaluation import evaluate
from dl_condind.evaluation import representation
from dl_condind.evaluation.metrics import decoder_geometry
from dl_condind.utils import errors
from dl_condind.utils import results as records

NUM_LATENT = 10


@pytest.fixture(autouse=True)
def clear_gin():
  yield
  gin.clear_config()


def equicorrelated(num_latent, correlation):
  return (1 - correlation) * np.eye(num_latent) + correlation


def linear_model(columns, stddev=0.1, correlation=0.0, **functions):
  """Posterior means are the factors; the image is linear in them, with these columns."""
  root = np.linalg.cholesky(equicorrelated(NUM_LATENT, correlation))

  def gaussian_encoder(observations):
    x = np.asarray(observations, np.float64)
    scale = np.broadcast_to(stddev, x.shape)
    return {"mean": x, "logvar": 2 * np.log(scale), "scale_tril": scale[:, :, None] * root}

  def fisher_gram(z):
    return np.broadcast_to(columns.T @ columns, (len(z), NUM_LATENT, NUM_LATENT))

  return representation.Representation(
    lambda x: gaussian_encoder(x)["mean"],
    **{"gaussian_encoder": gaussian_encoder, "fisher_gram": fisher_gram, **functions},
  )


def evaluate_model(model, **settings):
  return decoder_geometry.compute_decoder_geometry(
    dummy_data.IdentityObservationsData(),
    model,
    np.random.RandomState(0),
    **{"num_points": 50, **settings},
  )


def orthogonal_columns(norms):
  return stats.ortho_group.rvs(64, random_state=0)[:, :NUM_LATENT] * norms


def gram_of(columns, num_points=1):
  return np.repeat((columns.T @ columns)[None], num_points, axis=0)


def test_orthogonal_columns():
  norms = np.arange(1.0, NUM_LATENT + 1)
  results = evaluate_model(linear_model(orthogonal_columns(norms), stddev=2.0))
  assert results["distance_to_orthogonality"] == pytest.approx(0, abs=1e-5)
  assert results["mean_abs_cosine"] == pytest.approx(0, abs=1e-12)
  assert results["num_active"] == NUM_LATENT
  assert results["column_norm"] == pytest.approx(norms)
  assert results["response_share"] == pytest.approx(norms**2 / np.sum(norms**2))
  assert results["noise_response_share"] == pytest.approx(norms**2 / np.sum(norms**2))
  np.testing.assert_allclose(results["abs_cosine_matrix"], np.eye(NUM_LATENT), atol=1e-12)
  # Random directions in the 10 dimensions of an observation have cosines of 0.26 on average:
  # Gamma(d / 2) / (sqrt(pi) Gamma((d + 1) / 2)) with d = 10.
  assert results["mean_abs_cosine_random_directions"] == pytest.approx(0.26, abs=0.01)
  # Random rotations of these norms are far from orthogonal.
  assert results["mean_abs_cosine_random_rotation"] > 0.1
  assert results["distance_to_orthogonality_random_rotation"] > 2


def test_share_of_the_noise_s_response():
  stddev = np.linspace(0.1, 1, NUM_LATENT)
  results = evaluate_model(linear_model(orthogonal_columns(np.ones(NUM_LATENT) / stddev), stddev))
  assert results["noise_response_share"] == pytest.approx(np.full(NUM_LATENT, 0.1))
  assert results["response_share"] == pytest.approx(stddev**-2 / np.sum(stddev**-2))


def test_linear_decoder_in_closed_form():
  # Two columns of norms 1 and 2 with an angle of 60 degrees.
  columns = np.array([[1.0, 0.0], [1.0, np.sqrt(3)]]).T
  measures = decoder_geometry.orthogonality(gram_of(columns))
  assert measures["mean_abs_cosine"] == pytest.approx(0.5)
  # V turns by the angle of the eigenvectors of [[1, 1], [1, 4]], half of atan(2 / 3); the distance
  # of a rotation by an angle to the identity is sqrt(4 - 4 cos(angle)).
  angle = 0.5 * np.arctan2(2, 3)
  expected = np.sqrt(4 - 4 * np.cos(angle))
  assert measures["distance_to_orthogonality"] == pytest.approx(expected)


def test_distance_is_the_least_over_all_signed_permutations():
  random_state = np.random.RandomState(0)
  jacobians = random_state.standard_normal((5, 30, 4))
  grams = np.stack([jacobian.T @ jacobian for jacobian in jacobians])
  found = decoder_geometry.distances_to_orthogonality(grams)
  for jacobian, distance in zip(jacobians, found, strict=True):
    v = np.linalg.svd(jacobian)[2].T
    distances = [
      np.linalg.norm(v - np.eye(4)[list(order)] * signs)
      for order in itertools.permutations(range(4))
      for signs in itertools.product([-1, 1], repeat=4)
    ]
    assert distance == pytest.approx(min(distances), abs=1e-9)


def test_noise_eigenbasis_of_a_decoder_turned_with_its_noise():
  stddev = np.linspace(0.1, 0.11, NUM_LATENT)  # Which leave the noise one eigenbasis.
  noise = equicorrelated(NUM_LATENT, 0.9) * np.outer(stddev, stddev)
  axes = np.linalg.eigh(noise)[1]
  columns = orthogonal_columns(np.arange(1.0, NUM_LATENT + 1)) @ axes.T
  results = evaluate_model(linear_model(columns, stddev, correlation=0.9))
  assert results["mean_abs_cosine"] > 0.1
  assert results["distance_to_orthogonality"] > 1.5
  assert results["noise_eigenbasis.mean_abs_cosine"] == pytest.approx(0, abs=1e-6)
  assert results["noise_eigenbasis.distance_to_orthogonality"] == pytest.approx(0, abs=1e-4)
  # From the largest variance down; eigh orders from the smallest up.
  norms = np.arange(1.0, NUM_LATENT + 1)[::-1]
  assert results["noise_eigenbasis.column_norm"] == pytest.approx(norms)
  response = norms**2 * np.linalg.eigvalsh(noise)[::-1]
  assert results["noise_eigenbasis.noise_response_share"] == pytest.approx(
    response / response.sum(), rel=1e-6
  )


def test_inactive_latents_are_counted_and_left_out():
  random_state = np.random.RandomState(0)
  norms = np.array([3.0, 2.0, 1.0, 1e-6, 1e-6])
  columns = np.linalg.qr(random_state.standard_normal((40, 5)))[0] * norms
  columns[:, 4] = columns[:, 3]  # Two dead latents in one direction.
  z_mean = random_state.standard_normal((20, 5)) * [1, 1, 1, 0.01, 0.01]
  results = decoder_geometry.jacobian_geometry(
    gram_of(columns, 20), z_mean, np.broadcast_to(np.eye(5), (20, 5, 5)), 40, random_state
  )
  assert results["num_active"] == 3
  assert results["mean_abs_cosine"] == pytest.approx(1 / 10)
  assert results["mean_abs_cosine_active"] == pytest.approx(0, abs=1e-10)
  assert results["distance_to_orthogonality_active"] == pytest.approx(0, abs=1e-6)
  # The dead pair is turned by 45 degrees.
  expected = np.sqrt(4 - 4 * np.cos(np.pi / 4))
  assert results["distance_to_orthogonality"] == pytest.approx(expected, abs=1e-3)


def test_columns_of_zero_have_no_direction():
  columns = np.eye(3)[:, [0, 1, 2]] * [1.0, 2.0, 0.0]
  results = decoder_geometry.jacobian_geometry(
    gram_of(columns, 4),
    np.random.RandomState(0).standard_normal((4, 3)),
    np.broadcast_to(np.diag([0.1, 0.2, 0.3]), (4, 3, 3)),
    3,
    np.random.RandomState(0),
  )
  assert results["mean_abs_cosine"] == 0
  assert results["abs_cosine_matrix"] == [[1, 0, None], [0, 1, None], [None, None, None]]
  assert results["column_norm"] == [1, 2, 0]
  json.dumps(results, allow_nan=False)


def test_a_decoder_of_one_image_and_fewer_than_two_active_latents():
  results = decoder_geometry.jacobian_geometry(
    np.zeros((4, 3, 3)),
    np.zeros((4, 3)),
    np.broadcast_to(np.eye(3), (4, 3, 3)),
    5,
    np.random.RandomState(0),
  )
  assert results["num_active"] == 0
  for key in ("distance_to_orthogonality_active", "mean_abs_cosine", "response_share"):
    assert results[key] is None
  for key in ("distance_to_orthogonality", "distance_to_orthogonality_random_rotation"):
    assert results[key] is None
  assert results["mean_abs_cosine_active_random_rotation"] is None
  json.dumps(results, allow_nan=False)


def test_points_without_response_have_no_say():
  grams = gram_of(linalg.qr(np.random.default_rng(0).standard_normal((3, 3)))[0] * [1, 2, 4], 4)
  with_zeros = np.concatenate([grams, np.zeros((5, 3, 3))])
  assert decoder_geometry.orthogonality(with_zeros) == decoder_geometry.orthogonality(grams)


def test_one_latent():
  results = decoder_geometry.jacobian_geometry(
    np.ones((4, 1, 1)),
    np.arange(4.0)[:, None],
    np.ones((4, 1, 1)),
    5,
    np.random.RandomState(0),
  )
  assert results["distance_to_orthogonality"] is None
  assert results["response_share"] == [1]
  assert results["noise_eigenbasis.column_norm"] == [1]


def test_rotations_of_an_isotropic_decoder_are_orthogonal():
  # J.T @ J = I has the same form along every axes: only the distance tells them apart, wrongly.
  results = evaluate_model(linear_model(orthogonal_columns(np.ones(NUM_LATENT))))
  assert results["mean_abs_cosine_random_rotation"] == pytest.approx(0, abs=1e-10)
  assert results["distance_to_orthogonality_random_rotation"] > 1


def test_gram_is_of_all_outputs():
  jacobian = np.random.RandomState(0).standard_normal((3, 4, 5, 6, 2)).astype(np.float32)
  flat = jacobian.reshape(3, 4, 60).astype(np.float64)
  expected = np.einsum("nid,njd->nij", flat, flat)
  np.testing.assert_allclose(decoder_geometry.gram(jacobian), expected, rtol=1e-12)


def test_results_repeat_and_points_are_evaluated_in_chunks(monkeypatch):
  model = linear_model(np.random.RandomState(0).standard_normal((64, NUM_LATENT)), 0.1, 0.5)
  first, second = (evaluate_model(model) for _ in range(2))
  assert first == second
  monkeypatch.setattr(decoder_samples, "_CHUNK", 7)
  assert evaluate_model(model) == first


@pytest.mark.parametrize("missing", ["gaussian_encoder", "fisher_gram"])
def test_functions_of_the_model_are_needed(missing):
  model = linear_model(np.ones((64, NUM_LATENT)), **{missing: None})
  with pytest.raises(errors.ConfigError, match=f"decoder_geometry needs the model's {missing}"):
    evaluate_model(model)


def test_settings_and_numbers_are_checked():
  model = linear_model(np.ones((64, NUM_LATENT)))
  with pytest.raises(errors.ConfigError, match="num_points must be a whole number of at least 2"):
    evaluate_model(model, num_points=1)
  broken = linear_model(np.full((64, NUM_LATENT), np.nan))
  with pytest.raises(errors.ConfigError, match="Fisher information has .* not finite"):
    evaluate_model(broken)


@pytest.mark.parametrize("name", ["mean", "sampled"])
def test_stored_model_from_file_to_record(name, trained_run, tmp_path):
  evaluate.evaluate_with_gin(
    trained_run / "postprocessed" / name,
    tmp_path,
    False,
    ["metrics/decoder_geometry.gin"],
    ["decoder_geometry.num_points = 30"],
  )
  results = records.read_results(tmp_path, "evaluation")
  assert len(results["column_norm"]) == 4
  assert 0 < results["mean_abs_cosine"] < 1
  # The linear decoder's columns are random, in an image of 4096 pixels.
  assert results["mean_abs_cosine_random_directions"] == pytest.approx(0.0125, abs=0.003)
