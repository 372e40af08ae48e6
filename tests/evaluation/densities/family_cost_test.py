import doctest
import functools
import time

import numpy as np
import pytest
from scipy import optimize
from scipy import stats

from dl_condind.evaluation.densities import family_cost
from dl_condind.utils import errors


def equicorrelated(num_latent, correlation):
  return (1 - correlation) * np.eye(num_latent) + correlation


def random_precisions(num_points=6, num_latent=4, seed=0, spread=2.0):
  """I + G for random Grams whose columns differ in scale by orders of magnitude."""
  rng = np.random.default_rng(seed)
  jacobian = rng.standard_normal((num_points, num_latent + 2, num_latent))
  jacobian *= np.exp(spread * rng.standard_normal((num_points, 1, num_latent)))
  return np.eye(num_latent) + np.swapaxes(jacobian, 1, 2) @ jacobian


def random_correlation(num_latent, seed=0):
  rng = np.random.default_rng(seed)
  eigenvalues = rng.dirichlet(np.ones(num_latent)) * num_latent
  return stats.random_correlation.rvs(eigenvalues, random_state=rng)


def random_rotation(num_latent, seed=0):
  return stats.ortho_group.rvs(num_latent, random_state=seed)


def kl_by_sampling_free_formula(covariance, precision):
  """KL(N(0, S) || N(0, P)) with P = M^-1, from the textbook formula in S and P."""
  prior = np.linalg.inv(precision)
  trace = np.trace(np.linalg.solve(prior, covariance))
  return 0.5 * (trace - len(prior) + np.linalg.slogdet(prior)[1] - np.linalg.slogdet(covariance)[1])


FAMILIES = {
  "independent": functools.partial(family_cost.fixed_correlation, correlation=np.eye(4)),
  "equicorrelated": functools.partial(
    family_cost.fixed_correlation, correlation=equicorrelated(4, 0.9)
  ),
  "negative": functools.partial(family_cost.fixed_correlation, correlation=equicorrelated(4, -0.3)),
  "random": functools.partial(family_cost.fixed_correlation, correlation=random_correlation(4)),
  "rotated": functools.partial(family_cost.rotated, rotation=random_rotation(4)),
  "isotropic": family_cost.isotropic,
  "full": family_cost.full,
}


def member(name, log_scales):
  """Returns the covariance of a family with these scales, as SciPy searches them."""
  scale = np.diag(np.exp(log_scales))
  if name == "isotropic":
    return np.exp(2 * log_scales[0]) * np.eye(4)
  if name == "rotated":
    rotation = FAMILIES[name].keywords["rotation"]
    return rotation @ scale**2 @ rotation.T
  return scale @ FAMILIES[name].keywords["correlation"] @ scale


@pytest.mark.parametrize("name", sorted(FAMILIES.keys() - {"full"}))
def test_a_general_minimizer_finds_the_same_cost(name):
  precisions = random_precisions()
  optimum = FAMILIES[name](precisions)
  for precision, cost, covariance in zip(precisions, *optimum, strict=True):
    found = optimize.minimize(
      lambda log_scales, precision=precision: kl_by_sampling_free_formula(
        member(name, log_scales), precision
      ),
      -0.5 * np.log(np.diag(precision)),
      method="BFGS",
      options={"gtol": 1e-7},
    )
    assert cost == pytest.approx(found.fun, rel=1e-6, abs=1e-8)
    np.testing.assert_allclose(covariance, member(name, found.x), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("name", FAMILIES)
def test_cost_is_the_kl_of_the_optimum(name):
  precisions = random_precisions()
  cost, covariance = FAMILIES[name](precisions)
  expected = [
    kl_by_sampling_free_formula(S, M) for S, M in zip(covariance, precisions, strict=True)
  ]
  np.testing.assert_allclose(cost, expected, rtol=1e-9, atol=1e-9)
  np.testing.assert_allclose(family_cost.gaussian_kl(covariance, precisions), expected, atol=1e-9)
  assert cost.min() >= 0


def test_independent_noise_costs_the_contrast_of_independent_mechanisms():
  precisions = random_precisions()
  logs = np.log(np.diagonal(precisions, axis1=1, axis2=2)).sum(axis=1)
  expected = 0.5 * (logs - np.linalg.slogdet(precisions)[1])
  cost, covariance = FAMILIES["independent"](precisions)
  np.testing.assert_allclose(cost, expected, rtol=1e-12)
  variances = 1 / np.diagonal(precisions, axis1=1, axis2=2)
  np.testing.assert_allclose(covariance, [np.diag(row) for row in variances], rtol=1e-10)


@pytest.mark.parametrize("correlation", [0.5, 0.99, -0.3, 1 - 1e-6, "random"])
def test_a_diagonal_decoder_costs_the_total_correlation_of_the_noise(correlation):
  matrix = (
    random_correlation(4, seed=3) if correlation == "random" else equicorrelated(4, correlation)
  )
  diagonals = np.exp(5 * np.random.default_rng(0).standard_normal((5, 4)))
  precisions = diagonals[:, :, None] * np.eye(4)
  cost, covariance = family_cost.fixed_correlation(precisions, matrix)
  # Rounding grows with the condition number of R.
  np.testing.assert_allclose(cost, -0.5 * np.linalg.slogdet(matrix)[1], rtol=1e-9)
  np.testing.assert_allclose(np.diagonal(covariance, axis1=1, axis2=2), 1 / diagonals, rtol=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_stationarity(seed):
  correlation = random_correlation(7, seed)
  precisions = random_precisions(num_points=50, num_latent=7, seed=seed, spread=3.0)
  _, covariance = family_cost.fixed_correlation(precisions, correlation)
  s = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
  balanced = s * np.einsum("nij,nj->ni", precisions * correlation, s)
  np.testing.assert_allclose(balanced, 1, atol=1e-8)


def test_nearly_singular_noise_still_converges():
  # Adding up the first latents hardly changes the image while the noise hardly does else.
  jacobian = np.array([[1e3, -1e3, 0.0], [0.0, 1.0, -1.0]])
  precision = np.eye(3) + jacobian.T @ jacobian
  correlation = equicorrelated(3, 1 - 1e-8)
  _, covariance = family_cost.fixed_correlation(precision, correlation)
  s = np.sqrt(np.diag(covariance[0]))
  np.testing.assert_allclose(s * ((precision * correlation) @ s), 1, atol=1e-8)


def test_families_in_the_order_of_their_freedom():
  precisions = random_precisions(num_points=100)
  costs = {name: family(precisions).cost for name, family in FAMILIES.items()}
  assert (costs["isotropic"] >= costs["independent"]).all()
  assert (costs["isotropic"] >= costs["rotated"]).all()
  assert (costs["full"] == 0).all()
  np.testing.assert_allclose(
    family_cost.full(precisions).covariance @ precisions,
    np.broadcast_to(np.eye(4), precisions.shape),
    atol=1e-6,
  )


def test_a_rotation_of_the_axes_of_the_decoder_costs_nothing():
  diagonal = np.diag([1.0, 4.0, 30.0, 500.0])
  rotation = random_rotation(4, seed=1)
  precision = rotation @ diagonal @ rotation.T
  assert family_cost.rotated(precision, rotation).cost == pytest.approx(0, abs=1e-12)
  assert family_cost.rotated(precision, np.eye(4)).cost > 1
  assert family_cost.isotropic(precision).cost == pytest.approx(
    family_cost.isotropic(diagonal).cost, rel=1e-12
  )


def test_one_matrix_is_a_batch_of_one():
  precision = random_precisions(num_points=1)
  for family in FAMILIES.values():
    one, batch = family(precision[0]), family(precision)
    np.testing.assert_array_equal(one.cost, batch.cost)
    assert one.covariance.shape == (1, 4, 4)


def test_table_is_least_where_a_decoder_fits_the_noise():
  rotation = random_rotation(4, seed=2)
  diagonals = np.exp(np.random.default_rng(0).standard_normal((5, 4)))[:, :, None] * np.eye(4)
  families = {
    "independent": FAMILIES["independent"],
    "rotated": functools.partial(family_cost.rotated, rotation=rotation),
  }
  precisions = {"independent": diagonals, "rotated": rotation @ diagonals @ rotation.T}
  table = family_cost.cost_table(precisions, families)
  assert table["independent"]["independent"] == pytest.approx(0, abs=1e-12)
  assert table["rotated"]["rotated"] == pytest.approx(0, abs=1e-12)
  expected = family_cost.rotated(diagonals, rotation).cost.mean()
  assert table["independent"]["rotated"] == pytest.approx(expected)
  assert expected > 0.1


def test_a_thousand_decoders_take_less_than_two_seconds():
  precisions = random_precisions(num_points=1000, num_latent=10)
  start = time.process_time()
  family_cost.fixed_correlation(precisions, equicorrelated(10, 0.9))
  assert time.process_time() - start < 2


@pytest.mark.parametrize(
  "call, message",
  [
    (lambda: family_cost.full(np.eye(3)[:2]), r"precision must be \[num_points, J, J\].*\(2, 3\)"),
    (lambda: family_cost.full(np.full((2, 2), np.nan)), "precision must be finite and symmetric"),
    (lambda: family_cost.full([[1.0, 0.5], [0.0, 1.0]]), "must be finite and symmetric.*0.5"),
    (
      lambda: family_cost.isotropic(np.diag([1.0, -2.0])),
      "precision must be positive definite, got an eigenvalue of -2",
    ),
    (
      lambda: family_cost.fixed_correlation(np.eye(3), np.eye(2)),
      r"correlation must be \[3, 3\], as precision has 3 latents, got \[2, 2\]",
    ),
    (
      lambda: family_cost.fixed_correlation(np.eye(2), 2 * np.eye(2)),
      r"correlation must have ones on its diagonal, got \[2.0, 2.0\]",
    ),
    (
      lambda: family_cost.fixed_correlation(np.eye(2), np.ones((2, 2))),
      "correlation must be positive definite",
    ),
    (
      lambda: family_cost.rotated(np.eye(2), [[1.0, 0.0], [0.5, 1.0]]),
      "rotation must be orthogonal, got one whose U\\^T U differs from I by up to 0.5",
    ),
    (lambda: family_cost.rotated(np.eye(2), np.eye(3)), r"rotation must be \[2, 2\]"),
    (lambda: family_cost.gaussian_kl(np.eye(2), np.eye(3)), r"covariance must be \[3, 3\]"),
  ],
)
def test_arguments_are_checked(call, message):
  with pytest.raises(errors.ConfigError, match=message):
    call()


def test_examples():
  assert doctest.testmod(family_cost).failed == 0
