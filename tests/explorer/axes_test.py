import numpy as np
import pytest
from scipy import stats

from dl_condind.explorer import axes


def posteriors(rng, num=2000, stddevs=(0.1, 0.3, 1.0), rotation=None):
  """Posteriors whose means tell two factors along the first two columns of a rotation."""
  rotation = np.eye(3) if rotation is None else rotation
  factors = rng.integers(5, size=(num, 2))
  code = np.column_stack([factors[:, 0] - 2, 0.5 * (factors[:, 1] - 2), np.zeros(num)])
  covariance = rotation @ np.diag(np.square(stddevs)) @ rotation.T
  scale_tril = np.broadcast_to(np.linalg.cholesky(covariance), (num, 3, 3))
  code[:, :2] += rng.normal(0, 0.01, size=(num, 2))  # No value is on the edge of a bin.
  return axes.Posteriors(code @ rotation.T, scale_tril, factors)


def test_kl_of_a_coordinate():
  mean, scale_tril = np.array([[1.0, 2.0]]), np.array([[[0.5, 0.0], [0.6, 0.8]]])
  axis = np.array([0.6, 0.8])
  m, v = axis @ mean[0], axis @ scale_tril[0] @ scale_tril[0].T @ axis
  # KL(N(m, v) || N(0, 1)) by its definition, with the expectations of a Gaussian.
  expected = -np.log(np.sqrt(v)) + (v + m**2) / 2 - 0.5
  assert axes.kl(mean, scale_tril, axis[:, None]) == pytest.approx(np.array([[expected]]))


def test_latents_of_a_disentangled_code_are_its_noise_axes():
  latents, noise = axes.of_posteriors(posteriors(np.random.default_rng(0)), ["first", "second"])
  assert latents["labels"] == ["latent 0", "latent 1", "latent 2"]
  assert noise["labels"] == ["noise axis 0", "noise axis 1", "noise axis 2"]
  np.testing.assert_allclose(latents["axes"], np.eye(3))
  np.testing.assert_allclose(np.abs(noise["axes"]), np.eye(3), atol=1e-6)
  np.testing.assert_allclose(latents["tells"]["shares"], [[1, 0], [0, 1], [0, 0]], atol=0.01)
  assert latents["tells"]["score"] == noise["tells"]["score"]
  assert latents["tells"]["score"].startswith("MIG 0.99")
  assert latents["kl"][2] == pytest.approx(0)


def test_noise_axes_undo_a_rotation():
  rotation = stats.ortho_group.rvs(3, random_state=1)
  plain, turned = (
    axes.of_posteriors(posteriors(np.random.default_rng(0), rotation=r), ["first", "second"])
    for r in (None, rotation)
  )
  np.testing.assert_allclose(turned[1]["tells"]["shares"], plain[0]["tells"]["shares"], atol=1e-3)
  np.testing.assert_allclose(turned[1]["kl"], plain[0]["kl"], atol=1e-6)
  np.testing.assert_allclose(np.abs(turned[1]["axes"] @ rotation), np.eye(3), atol=1e-6)
  assert float(turned[0]["tells"]["score"].removeprefix("MIG ")) < 0.6


def test_axes_that_are_used_most_come_first():
  latents, _ = axes.of_posteriors(
    posteriors(np.random.default_rng(0), stddevs=(0.9, 0.01, 1.0)), ["first", "second"]
  )
  assert latents["labels"] == ["latent 1", "latent 0", "latent 2"]
  assert latents["axes"][0] == [0, 1, 0]
  assert latents["kl"] == sorted(latents["kl"], reverse=True)


def test_axes_of_one_image():
  rotation = stats.ortho_group.rvs(3, random_state=1)
  of_image = posteriors(np.random.default_rng(0), rotation=rotation)
  found = axes.of_image(np.zeros(3), of_image.scale_tril[0], np.eye(3))
  np.testing.assert_allclose(np.abs(found["axes"] @ rotation), np.eye(3), atol=1e-6)
  assert found["tells"] is None


def test_data_without_factors_and_one_latent():
  rng = np.random.default_rng(0)
  without = posteriors(rng)._replace(factors=np.zeros((2000, 0)))
  assert axes.of_posteriors(without, [])[0]["tells"] is None
  one = axes.Posteriors(rng.normal(size=(50, 1)), np.full((50, 1, 1), 0.5), np.zeros((50, 0)))
  assert [found["axes"] for found in axes.of_posteriors(one, [])] == [[[1]], [[1]]]


def test_a_constant_factor_is_told_by_nothing():
  found = axes.information_shares(
    np.array([[0.5, 0.0], [0.25, 0.0]]), np.array([1.0, 0.0]), ["first", "constant"]
  )
  assert found.shares.tolist() == [[0.5, 0.0], [0.25, 0.0]]
  assert found.score == "MIG 0.250"
