import itertools

import numpy as np
import pytest
from scipy import special
from scipy import stats

from dl_condind.evaluation.densities import gaussian_posteriors
from dl_condind.evaluation.densities import mixtures
from dl_condind.utils import errors

SUBSETS = [(0, 1, 2), (0,), (2,), (0, 2), (2, 0), (1, 2)]


def equicorrelated(num_latent, correlation):
  return (1 - correlation) * np.eye(num_latent) + correlation


def random_posteriors(num_posteriors=5, num_latent=3, num_samples=4, seed=0):
  random_state = np.random.RandomState(seed)
  mean = random_state.standard_normal((num_posteriors, num_latent))
  stddev = np.exp(random_state.standard_normal((num_posteriors, num_latent)))
  scale_tril = stddev[:, :, None] * np.linalg.cholesky(equicorrelated(num_latent, 0.7))
  z = gaussian_posteriors.sample_mixture(mean, scale_tril, num_samples, random_state)
  return z, mean, stddev, scale_tril


def covariances(stddev, scale_tril):
  if scale_tril is None:
    return np.stack([np.diag(row**2) for row in stddev])
  return scale_tril @ np.swapaxes(scale_tril, 1, 2)


def log_density_by_scipy(z, mean, covariance, subset):
  """Returns log N(z_S; mean_S, covariance_SS)."""
  subset = list(subset)
  return stats.multivariate_normal(mean[subset], covariance[np.ix_(subset, subset)]).logpdf(
    z[subset]
  )


def log_mixture_by_scipy(z, mean, covariance, subset):
  log_density = [
    log_density_by_scipy(z, m, s, subset) for m, s in zip(mean, covariance, strict=True)
  ]
  return special.logsumexp(log_density) - np.log(len(mean))


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("leave_one_out", [False, True])
@pytest.mark.parametrize("chunk_values, chunk_posteriors", [(2**15, 2**12), (1, 1), (6, 2), (7, 3)])
def test_mixture_is_scipys(full, leave_one_out, chunk_values, chunk_posteriors, monkeypatch):
  monkeypatch.setattr(mixtures, "_CHUNK_VALUES", chunk_values)
  monkeypatch.setattr(mixtures, "_CHUNK_POSTERIORS", chunk_posteriors)
  z, mean, stddev, scale_tril = random_posteriors()
  scale_tril = scale_tril if full else None
  own = np.repeat(np.arange(5), 4)
  log_density = mixtures.log_mixture_density(
    z, mean, stddev, scale_tril, SUBSETS, leave_out=own if leave_one_out else None
  )
  assert log_density.shape == (len(SUBSETS), len(z))
  covariance = covariances(stddev, scale_tril)
  for (s, subset), (i, point) in itertools.product(enumerate(SUBSETS), enumerate(z)):
    kept = np.arange(5) != own[i] if leave_one_out else np.full(5, True)
    expected = log_mixture_by_scipy(point, mean[kept], covariance[kept], subset)
    assert log_density[s, i] == pytest.approx(expected, abs=1e-11)


@pytest.mark.parametrize("full", [False, True])
def test_own_density_is_scipys(full):
  z, mean, stddev, scale_tril = random_posteriors(num_posteriors=9, num_samples=1)
  scale_tril = scale_tril if full else None
  log_density = mixtures.log_posterior_density(z, mean, stddev, scale_tril, SUBSETS)
  assert log_density.shape == (len(SUBSETS), 9)
  covariance = covariances(stddev, scale_tril)
  for (s, subset), i in itertools.product(enumerate(SUBSETS), range(9)):
    expected = log_density_by_scipy(z[i], mean[i], covariance[i], subset)
    assert log_density[s, i] == pytest.approx(expected, abs=1e-11)


@pytest.mark.parametrize("full", [False, True])
def test_pairs_are_what_the_mixture_is_made_of(full):
  z, mean, stddev, scale_tril = random_posteriors()
  scale_tril = scale_tril if full else None
  pairs = mixtures.pairwise_log_density(z, mean, stddev, scale_tril, SUBSETS)
  assert pairs.shape == (len(SUBSETS), 20, 5)
  np.testing.assert_allclose(
    special.logsumexp(pairs, axis=2) - np.log(5),
    mixtures.log_mixture_density(z, mean, stddev, scale_tril, SUBSETS),
    atol=1e-12,
  )
  for i in range(5):
    own = [np.repeat(array[i : i + 1], 20, axis=0) for array in (mean, stddev)]
    own.append(np.repeat(scale_tril[i : i + 1], 20, axis=0) if full else None)
    np.testing.assert_allclose(
      pairs[:, :, i], mixtures.log_posterior_density(z, *own, SUBSETS), atol=1e-11
    )


def test_float32_posteriors_are_the_same_numbers_in_float64():
  z, *posteriors = random_posteriors()
  posteriors = [array.astype(np.float32) for array in posteriors]
  np.testing.assert_array_equal(
    mixtures.log_mixture_density(z, *posteriors, SUBSETS),
    mixtures.log_mixture_density(z, *(array.astype(np.float64) for array in posteriors), SUBSETS),
  )


@pytest.mark.parametrize("full", [False, True])
def test_default_subset_is_all_latents(full):
  z, mean, stddev, scale_tril = random_posteriors(num_samples=1)
  scale_tril = scale_tril if full else None
  for function in (mixtures.log_mixture_density, mixtures.log_posterior_density):
    np.testing.assert_array_equal(
      function(z, mean, stddev, scale_tril),
      function(z, mean, stddev, scale_tril, subsets=[(0, 1, 2)]),
    )


@pytest.mark.parametrize("full", [False, True])
def test_density_integrates_to_one(full):
  _, mean, stddev, scale_tril = random_posteriors(num_latent=2)
  edges = np.linspace(-30, 30, 1201)
  grid = np.stack(np.meshgrid(edges, edges, indexing="ij"), axis=-1).reshape(-1, 2)
  scale_tril = scale_tril if full else None
  joint, first = mixtures.log_mixture_density(grid, mean, stddev, scale_tril, [(0, 1), (0,)])
  cell = (edges[1] - edges[0]) ** 2
  assert np.sum(np.exp(joint)) * cell == pytest.approx(1, abs=1e-4)
  # Summed over the second latent, the joint density is the first one's own.
  marginal = np.exp(joint).reshape(1201, 1201).sum(axis=1) * (edges[1] - edges[0])
  np.testing.assert_allclose(marginal, np.exp(first[::1201]), atol=1e-4)


@pytest.mark.parametrize("full", [False, True])
def test_one_posterior_is_its_own_mixture(full):
  z, mean, stddev, scale_tril = random_posteriors(num_posteriors=1, num_samples=6)
  rows = np.zeros(6, dtype=int)
  scale_tril = scale_tril if full else None
  own = mixtures.log_posterior_density(
    z, mean[rows], stddev[rows], None if scale_tril is None else scale_tril[rows], SUBSETS
  )
  mixture = mixtures.log_mixture_density(z, mean, stddev, scale_tril, SUBSETS)
  np.testing.assert_allclose(mixture, own, atol=1e-12)


@pytest.mark.parametrize("stddev", [1e-7, 1e-3])
def test_narrow_posteriors_keep_their_digits(stddev):
  # Every z is scored by its own posterior alone, so the mixture is that posterior's density over
  # the number of posteriors. The noise of each z is exact to 1e-16 / stddev.
  random_state = np.random.RandomState(0)
  mean = random_state.standard_normal((300, 4))
  scale = np.full(mean.shape, stddev)
  scale_tril = scale[:, :, None] * np.linalg.cholesky(equicorrelated(4, 0.9))
  z = gaussian_posteriors.sample_mixture(mean, scale_tril, 1, random_state)
  for tril in (None, scale_tril):
    own = mixtures.log_posterior_density(z, mean, scale, tril)
    mixture = mixtures.log_mixture_density(z, mean, scale, tril)
    np.testing.assert_allclose(mixture, own - np.log(300), atol=max(1e-10, 1e-14 / stddev))


def test_far_points_have_finite_densities():
  # The nearest posterior is 1e4 standard deviations away and the others underflow beside it.
  mean = np.array([[0.0, 0.0], [5e3, 0.0], [-5e3, 0.0]])
  stddev = np.ones((3, 2))
  log_density = mixtures.log_mixture_density([[0.0, 1e4]], mean, stddev)
  assert log_density[0, 0] == pytest.approx(-0.5e8 - np.log(2 * np.pi) - np.log(3), rel=1e-14)
  left_out = mixtures.log_mixture_density([[0.0, 1e4]], mean, stddev, leave_out=np.array([0]))
  assert left_out[0, 0] == pytest.approx(-0.625e8 - np.log(2 * np.pi), rel=1e-14)


@pytest.mark.parametrize("function", [mixtures.log_mixture_density, mixtures.log_posterior_density])
@pytest.mark.parametrize(
  "change, message",
  [
    ({"subsets": [(0, 3)]}, r"from 0 to 2, got \(0, 3\)"),
    ({"subsets": [()]}, r"one or more different latents, from 0 to 2, got \(\)"),
    ({"subsets": [(1, 1)]}, r"different latents, from 0 to 2, got \(1, 1\)"),
    ({"z": np.zeros((5, 2))}, r"z must be \[num_points, num_latent\].*got \(5, 2\), \(5, 3\)"),
    ({"stddev": np.ones((5, 1))}, r"\(5, 1\), \(5, 3, 3\)"),
    ({"scale_tril": np.ones((5, 3))}, r"scale_tril None or .*, \(5, 3\)\.$"),
  ],
)
def test_arguments_are_checked(function, change, message):
  z, mean, stddev, scale_tril = random_posteriors(num_samples=1)
  arguments = {"z": z, "mean": mean, "stddev": stddev, "scale_tril": scale_tril}
  with pytest.raises(errors.ConfigError, match=message):
    function(**(arguments | change))


def test_each_point_needs_its_own_posterior():
  z, mean, stddev, _ = random_posteriors()
  with pytest.raises(errors.ConfigError, match="Each of 20 points needs a posterior, got 5"):
    mixtures.log_posterior_density(z, mean, stddev)


def test_the_only_posterior_cannot_be_left_out():
  z, mean, stddev, _ = random_posteriors(num_posteriors=1)
  with pytest.raises(errors.ConfigError, match="leave_out needs at least two posteriors, got one"):
    mixtures.log_mixture_density(z, mean, stddev, leave_out=np.zeros(len(z), dtype=int))


def test_full_density_needs_scales():
  scale_tril = np.tile(np.eye(2), (3, 1, 1))
  assert mixtures.density_scales(scale_tril, "full") is scale_tril
  assert mixtures.density_scales(scale_tril, "factorized") is None
  assert mixtures.density_scales(None, "factorized") is None
  with pytest.raises(errors.ConfigError, match="density 'full' needs scale_tril"):
    mixtures.density_scales(None, "full")
  with pytest.raises(errors.ConfigError, match="density must be one of factorized, full, got 'x'"):
    mixtures.density_scales(scale_tril, "x")
