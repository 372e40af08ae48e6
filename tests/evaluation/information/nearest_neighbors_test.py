import gin
import numpy as np
import pytest
from scipy import special

from dl_condind.data.ground_truth import factor_distributions
from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.evaluation import gin_settings
from dl_condind.evaluation import representation
from dl_condind.evaluation.information import discrete_information
from dl_condind.evaluation.information import nearest_neighbors
from dl_condind.utils import errors


@pytest.fixture(autouse=True)
def clear_gin():
  yield
  gin.clear_config()


def nearest_neighbor_formula(latent, factor, k, discrete):
  """Equation 8 of Kraskov et al. (2004), or that of Ross (2014), of all pairs of points."""
  psi, num = special.digamma, len(latent)
  distance = np.abs(latent[:, None] - latent)
  off_diagonal = ~np.eye(num, dtype=bool)
  if discrete:
    same = (factor[:, None] == factor) & off_diagonal
    radius = np.sort(np.where(same, distance, np.inf), axis=1)[:, k - 1]
    num_near = np.sum((distance < radius[:, None]) & off_diagonal, axis=1)
    shares = np.sum(same, axis=1) + 1
    return psi(num) + psi(k) - np.mean(psi(shares)) - np.mean(psi(num_near + 1))
  other = np.abs(factor[:, None] - factor)
  joint = np.where(off_diagonal, np.maximum(distance, other), np.inf)
  radius = np.sort(joint, axis=1)[:, k - 1]
  counts = [np.sum((d < radius[:, None]) & off_diagonal, axis=1) for d in (distance, other)]
  return psi(num) + psi(k) - sum(np.mean(psi(count + 1)) for count in counts)


@pytest.mark.parametrize("num_neighbors", [1, 3, 7])
def test_nearest_neighbors_are_the_formula_of_their_papers(num_neighbors):
  random_state = np.random.RandomState(0)
  factors = np.stack([random_state.uniform(size=300), random_state.randint(4, size=300)], axis=1)
  latents = factors @ [[1.0, 0.0], [0.3, 2.0]] + random_state.standard_normal((300, 2))
  result = nearest_neighbors.mutual_information(latents, factors, num_neighbors=num_neighbors)
  latents, continuous = latents / latents.std(axis=0), factors[:, 0] / factors[:, 0].std()
  for j in range(2):
    expected = nearest_neighbor_formula(latents[:, j], continuous, num_neighbors, discrete=False)
    assert result[j, 0] == pytest.approx(max(0, expected), abs=1e-9)
    expected = nearest_neighbor_formula(latents[:, j], factors[:, 1], num_neighbors, discrete=True)
    assert result[j, 1] == pytest.approx(max(0, expected), abs=1e-9)


@pytest.mark.parametrize("correlation", [0.0, 0.6, 0.95])
def test_nearest_neighbors_know_the_information_of_gaussians(correlation):
  covariance = [[1, correlation], [correlation, 1]]
  points = np.random.RandomState(0).multivariate_normal([0, 0], covariance, size=4000)
  found = nearest_neighbors.mutual_information(points[:, :1], points[:, 1:])[0, 0]
  # The standard deviation of the estimate, over seeds, is 0.02.
  assert found == pytest.approx(-0.5 * np.log(1 - correlation**2), abs=0.06)


def test_nearest_neighbors_know_the_information_about_discrete_factors():
  random_state = np.random.RandomState(0)
  factor = random_state.randint(2, size=4000)
  uniform = random_state.uniform(size=4000)
  # Apart; overlapping by half, where nothing is known; and the same.
  latents = np.stack([factor * 2 + uniform, factor / 2 + uniform, uniform], axis=1)
  found = nearest_neighbors.mutual_information(latents, factor[:, None])[:, 0]
  assert found == pytest.approx([np.log(2), np.log(2) / 2, 0], abs=0.03)


def test_copies_of_points_do_not_make_noise_informative():
  random_state = np.random.RandomState(0)
  noise = random_state.standard_normal((500, 2))
  factors = np.stack([random_state.randint(3, size=500), random_state.uniform(size=500)], axis=1)
  once = nearest_neighbors.mutual_information(noise, factors)
  all_twice = nearest_neighbors.mutual_information(np.tile(noise, (2, 1)), np.tile(factors, (2, 1)))
  np.testing.assert_allclose(all_twice, once, atol=1e-12)
  rows = random_state.randint(500, size=5000)
  by_chance = nearest_neighbors.mutual_information(noise[rows], factors[rows])
  assert once.max() < 0.1
  assert by_chance.max() < 0.1
  assert nearest_neighbors.count_distinct(noise[rows], factors[rows]) == len(np.unique(rows))


def test_weights_are_those_of_a_literal_loop():
  random_state = np.random.RandomState(0)
  classes, weights = random_state.randint(3, size=60), random_state.randint(1, 9, size=60)
  latent, psi = classes + random_state.standard_normal(60), special.digamma
  estimates = []
  for i in range(60):
    others = np.arange(60) != i
    distance = np.abs(latent - latent[i])
    same = (classes == classes[i]) & others
    radius = np.sort(distance[same])[2]
    terms = []
    for members in (same, others):
      w = weights[members & (distance <= radius)]
      variance_of_mean = np.var(w, ddof=1) / len(w)
      near = np.log(np.mean(w)) + psi(len(w)) + 0.5 * variance_of_mean / np.mean(w) ** 2
      total = weights[members]
      terms.append(near - np.log(np.mean(total)) - psi(len(total) + 1))
    estimates.append(terms[0] - terms[1])
  expected = np.average(estimates, weights=weights)
  found = nearest_neighbors.information_about_classes(latent, classes, weights, 3)
  assert found == pytest.approx(expected, abs=1e-9)


class Table(ground_truth_data.RowData):
  """A row of codes for each combination of two factors and a third that is not exposed."""

  def __init__(self, size=20, num_hidden=10):
    super().__init__("table", ["a", "b"], [size, size], (2,))
    self.num_hidden = num_hidden
    self.num_rows = size**2 * num_hidden
    values = np.stack(np.divmod(np.arange(self.num_rows) // num_hidden, size), axis=1)
    noise = np.random.RandomState(0).standard_normal((self.num_rows, 2))
    self.codes = values + 0.1 * noise

  def sample_factors(self, num, random_state):
    return random_state.randint(self.factors_num_values[0], size=(num, 2))

  def sample_rows_from_factors(self, factors, random_state):
    hidden = random_state.randint(self.num_hidden, size=len(factors))
    return (factors @ [self.factors_num_values[0], 1]) * self.num_hidden + hidden

  def observations_from_rows(self, rows):
    return self.codes[rows]


def test_rows_that_are_drawn_unequally_keep_their_distribution():
  distribution = factor_distributions.FactorDistribution([("a", "b")], strength=0.1)
  data = factor_distributions.redistribute(Table(), distribution)
  joint = data.distribution
  independent = np.outer(joint.sum(axis=1), joint.sum(axis=0))
  truth = np.sum(special.rel_entr(joint, independent))
  entropy = np.sum(special.entr(joint.sum(axis=0)))
  codes, factors = representation.generate_batch_factor_code(
    data, lambda x: x, 10000, np.random.RandomState(0), 1000
  )
  assert nearest_neighbors.count_distinct(codes, factors) < 4000
  found = nearest_neighbors.mutual_information(codes, factors)
  # Were all rows to weigh the same, a latent would share 0.61 nats with the other factor.
  assert truth == pytest.approx(0.988, abs=1e-3)
  np.testing.assert_allclose(found, [[entropy, truth], [truth, entropy]], atol=0.08)


def test_rows_that_are_drawn_equally_leave_information_as_it_is():
  codes, factors = representation.generate_batch_factor_code(
    Table(), lambda x: 4 * np.sin(x), 4000, np.random.RandomState(0), 1000
  )
  found = nearest_neighbors.mutual_information(codes, factors)
  whole = Table().codes
  values = np.stack(np.divmod(np.arange(4000) // 10, 20), axis=1)
  expected = nearest_neighbors.mutual_information(4 * np.sin(whole), values)
  np.testing.assert_allclose(found, expected, atol=0.05)


def test_nearest_neighbors_do_not_depend_on_the_unit_of_latents_and_factors():
  random_state = np.random.RandomState(0)
  factors = np.stack([random_state.randint(3, size=400), random_state.uniform(size=400)], axis=1)
  latents = factors + 0.3 * random_state.standard_normal((400, 2))
  expected = nearest_neighbors.mutual_information(latents, factors)
  for scale, shift in ((-2.0, 0.0), (1e-9, 0.0), (1.0, 1e6), (-1e300, 5e299)):
    moved = nearest_neighbors.mutual_information(
      latents * scale + shift, factors * [-1, 7] + [5, 0.5]
    )
    # A shift by 1e6 costs 6 of 16 digits, which changes the order of some distances.
    np.testing.assert_allclose(moved, expected, atol=1e-3)


def test_nearest_neighbors_of_constant_columns_share_nothing():
  factors = np.stack([np.full(50, 0.3), np.arange(50) % 2], axis=1)
  latents = np.stack([np.full(50, 0.1), np.arange(50) % 2 + np.arange(50) / 100], axis=1)
  found = nearest_neighbors.mutual_information(latents, factors)
  np.testing.assert_array_equal(found == 0, [[True, True], [True, False]])
  assert found[1, 1] == pytest.approx(np.log(2), abs=1e-12)


def test_nearest_neighbors_are_repeatable_where_values_are_equal():
  random_state = np.random.RandomState(0)
  factors = random_state.randint(4, size=(600, 2))
  latents = np.concatenate([factors, random_state.standard_normal((600, 1))], axis=1)
  first = nearest_neighbors.mutual_information(latents, factors, seed=3)
  np.testing.assert_array_equal(
    first, nearest_neighbors.mutual_information(latents, factors, seed=3)
  )
  # Codes that are the factors have all of their information, as if they were discrete.
  expected = discrete_information.discrete_mutual_info(latents[:, :2], factors)
  np.testing.assert_allclose(first[:2], expected, atol=0.03)


def test_too_few_distinct_points_for_nearest_neighbors_are_an_error():
  points = np.repeat([[0.1], [0.2], [0.3]], 5, axis=0)
  with pytest.raises(
    errors.ConfigError, match="less than the number of distinct points, got 3 and"
  ):
    nearest_neighbors.mutual_information(points, points)
  whole = np.repeat([[1], [2], [3]], 5, axis=0)
  with pytest.raises(errors.ConfigError, match="the 3 distinct points all differ in factor 0"):
    nearest_neighbors.mutual_information(points, whole)


@pytest.mark.parametrize("num_neighbors", [0, 1.5])
def test_number_of_neighbors_is_checked(num_neighbors):
  with pytest.raises(errors.ConfigError, match="nearest_neighbors.num_neighbors must be a whole"):
    nearest_neighbors.mutual_information(np.eye(3), np.eye(3), num_neighbors=num_neighbors)


def test_gin_chooses_the_number_of_neighbors():
  gin.parse_config("nearest_neighbors.num_neighbors = 3")
  points = np.random.RandomState(0).uniform(size=(4, 2))
  gin_settings.neighbor_information(points, points)
  gin.clear_config()
  gin.parse_config("nearest_neighbors.num_neighbors = 4")
  with pytest.raises(errors.ConfigError, match="got 4 and 4"):
    gin_settings.neighbor_information(points, points)


@pytest.mark.parametrize("what", ["The representation", "The array of factors"])
def test_nearest_neighbors_refuse_what_is_not_finite(what):
  finite, infinite = np.eye(3), np.diag([1, 1, np.inf])
  pair = (infinite, finite) if what == "The representation" else (finite, infinite)
  with pytest.raises(errors.ConfigError, match=f"{what} has 1 of 9 values that are not finite"):
    nearest_neighbors.mutual_information(*pair)


def test_arrays_of_different_lengths_have_no_nearest_neighbors():
  with pytest.raises(ValueError, match="got 3 and 4 rows"):
    nearest_neighbors.mutual_information(np.eye(3), np.eye(4))
