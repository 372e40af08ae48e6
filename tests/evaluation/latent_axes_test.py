import numpy as np
import pytest
from scipy import stats

from dl_condind.evaluation import latent_axes


def equicorrelated(num_latent, correlation):
  return (1 - correlation) * np.eye(num_latent) + correlation


def random_covariance(num_latent, seed=0):
  root = np.random.RandomState(seed).standard_normal((num_latent, num_latent))
  return root @ root.T


def assert_same_axes(actual, expected):
  """Checks that the columns are the same up to signs."""
  np.testing.assert_allclose(np.abs(expected.T @ actual), np.eye(len(expected)), atol=1e-6)


@pytest.mark.parametrize("num_latent", [1, 2, 5])
def test_noise_of_different_variances_has_its_own_axes(num_latent):
  axes = stats.ortho_group.rvs(5, random_state=0)[:num_latent, :num_latent]
  axes = np.linalg.qr(axes)[0]
  noise = axes * np.arange(num_latent, 0, -1) @ axes.T
  found = latent_axes.noise_eigenbasis(noise, random_covariance(num_latent))
  assert_same_axes(found, axes)
  np.testing.assert_array_equal(np.max(np.abs(found), axis=0), np.max(found, axis=0))


@pytest.mark.parametrize("correlation, common", [(0.9, 0), (-0.1, -1)])
def test_equicorrelated_noise_takes_the_code_s_axes_in_the_complement(correlation, common):
  code = random_covariance(6)
  found = latent_axes.noise_eigenbasis(0.3 * equicorrelated(6, correlation), code)
  # The common axis has the largest variance if the correlation is positive, else the smallest.
  np.testing.assert_allclose(found[:, common], np.full(6, 6**-0.5), atol=1e-7)
  complement = np.delete(found, common, axis=1)
  within = complement.T @ code @ complement
  np.testing.assert_allclose(within, np.diag(np.diag(within)), atol=1e-10)
  assert np.all(np.diff(np.diag(within)) < 0)


def test_noise_without_axes_leaves_those_of_the_code():
  code = random_covariance(4)
  # Differences far below a thousandth are sampling error.
  noise = np.diag([1, 1 + 1e-5, 1 - 1e-5, 1])
  assert_same_axes(latent_axes.noise_eigenbasis(noise, code), latent_axes.principal_axes(code))


def test_independent_noise_leaves_the_latents():
  noise = np.diag([0.01, 1.0, 0.02, 0.5])
  found = latent_axes.noise_eigenbasis(noise, random_covariance(4))
  np.testing.assert_allclose(found, np.eye(4)[:, [1, 3, 2, 0]], atol=1e-12)


def test_independent_axes_find_mixed_sources_and_keep_the_variance():
  random_state = np.random.RandomState(0)
  sources = random_state.uniform(-1, 1, size=(20000, 3)) * [1.0, 2.0, 3.0]
  mixing = random_state.standard_normal((3, 3))
  code = sources @ mixing
  axes, converged = latent_axes.independent_axes(code, seed=0)
  assert converged
  found = (code - code.mean(axis=0)) @ axes
  correlations = np.abs(np.corrcoef(found, sources, rowvar=False)[:3, 3:])
  # Each found source is one of the sources, and each source is found once.
  np.testing.assert_allclose(np.sort(correlations, axis=1)[:, -1], 1, atol=0.01)
  assert sorted(np.argmax(correlations, axis=1)) == [0, 1, 2]
  variances = np.var(found, axis=0)
  assert np.all(np.diff(variances) < 0)
  assert np.sum(variances) == pytest.approx(np.sum(np.var(code, axis=0)), rel=1e-6)


def test_independent_axes_are_as_many_as_the_code_varies_along():
  sources = np.random.RandomState(0).uniform(size=(1000, 2))
  code = np.column_stack([sources, sources.sum(axis=1), np.ones(1000)])
  axes, _ = latent_axes.independent_axes(code, seed=0)
  np.testing.assert_array_equal(axes.any(axis=0), [True, True, False, False])
  constant, converged = latent_axes.independent_axes(np.ones((10, 3)), seed=0)
  assert converged
  np.testing.assert_array_equal(constant, np.zeros((3, 3)))


def test_independent_axes_repeat_and_tell_whether_they_converged(monkeypatch):
  code = np.random.RandomState(0).laplace(size=(2000, 4))
  first, second = (latent_axes.independent_axes(code, seed=1) for _ in range(2))
  assert first[1]
  np.testing.assert_array_equal(first[0], second[0])
  monkeypatch.setattr(latent_axes, "_MAX_ICA_ITERATIONS", 1)
  assert not latent_axes.independent_axes(code, seed=1)[1]


def test_random_axes_are_orthonormal_and_seeded():
  first, second = (latent_axes.random_axes(5, np.random.RandomState(3)) for _ in range(2))
  np.testing.assert_array_equal(first, second)
  np.testing.assert_allclose(first.T @ first, np.eye(5), atol=1e-12)


@pytest.mark.parametrize("num_latent", [2, 3, 5])
def test_class_means_show_the_axes_of_factors(num_latent):
  # Every combination once, so that the means of one factor do not depend on the other.
  factors = np.stack(np.meshgrid(range(4), range(3), indexing="ij"), axis=-1).reshape(-1, 2)
  axes = stats.ortho_group.rvs(5, random_state=1)[:num_latent, :num_latent]
  axes = np.linalg.qr(axes)[0]
  code = factors * [1.0, 5.0] @ axes[:, :2].T + 7
  found = latent_axes.class_mean_axes(code, factors)
  np.testing.assert_allclose(np.abs(axes[:, [1, 0]].T @ found[:, :2]), np.eye(2), atol=1e-7)
  np.testing.assert_allclose(found.T @ found, np.eye(num_latent), atol=1e-12)


def test_class_means_of_more_factors_than_latents_and_of_constant_codes():
  random_state = np.random.RandomState(0)
  factors = random_state.randint(3, size=(50, 4))
  for code in (random_state.standard_normal((50, 2)), np.ones((50, 3))):
    found = latent_axes.class_mean_axes(code, factors)
    np.testing.assert_allclose(found.T @ found, np.eye(code.shape[1]), atol=1e-12)


def test_coordinates_without_variance_are_zero():
  code = np.outer([-1.0, 0.0, 1.0], [3.0, 4.0])
  axes = np.array([[0.6, 0.8], [0.8, -0.6]])
  np.testing.assert_allclose(
    latent_axes.coordinates(code + 1e-17, axes), [[-5, 0], [0, 0], [5, 0]], atol=1e-12
  )
  assert not latent_axes.coordinates(code, axes)[:, 1].any()
