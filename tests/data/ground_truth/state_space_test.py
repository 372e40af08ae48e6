import numpy as np
import pytest

from dl_condind.data.ground_truth import state_space


def test_draws_are_one_column_after_the_other_and_the_rest_afterwards():
  space = state_space.SplitDiscreteStateSpace([2, 30, 5, 40], [3, 1])
  random_state = np.random.RandomState(7)
  latent_factors = space.sample_latent_factors(50, random_state)
  factors = space.sample_all_factors(latent_factors, random_state)

  expected = np.random.RandomState(7)
  columns = {i: expected.randint(size, size=50) for i, size in [(3, 40), (1, 30), (0, 2), (2, 5)]}
  np.testing.assert_array_equal(latent_factors, np.stack([columns[3], columns[1]], axis=1))
  np.testing.assert_array_equal(factors, np.stack([columns[i] for i in range(4)], axis=1))
  assert latent_factors.dtype == factors.dtype == np.int64
  assert random_state.randint(2**31) == expected.randint(2**31)


def test_exposed_sizes_are_in_the_order_of_the_indices():
  space = state_space.SplitDiscreteStateSpace([2, 30, 5, 40], [3, 1])
  assert space.latent_factor_sizes == [40, 30]
  assert space.observation_factor_indices == [0, 2]


def test_draws_are_uniform():
  factors = state_space.SplitDiscreteStateSpace([4], [0]).sample_latent_factors(
    40000, np.random.RandomState(0)
  )
  # 6 standard deviations of a binomial count.
  assert np.abs(np.bincount(factors[:, 0]) - 10000).max() < 6 * np.sqrt(40000 * 3 / 16)


@pytest.mark.parametrize("indices", [[0, 0], [2], [-1]])
def test_wrong_indices_are_refused(indices):
  with pytest.raises(
    ValueError, match=r"latent_factor_indices must be different numbers in \[0, 1"
  ):
    state_space.SplitDiscreteStateSpace([2, 3], indices)


def test_size_zero_is_refused():
  with pytest.raises(ValueError, match=r"factor_sizes must be positive, got \[2, 0\]"):
    state_space.SplitDiscreteStateSpace([2, 0], [0])


@pytest.mark.parametrize(
  ("factors", "message"),
  [
    ([[0, 3]], r"factors\[0, 1\] must be in \[0, 2\], got 3"),
    ([[0, 0], [-1, 0]], r"factors\[1, 0\] must be in \[0, 1\], got -1"),
    ([[0, 0, 0]], r"factors must be \[num, 2\], got shape \(1, 3\)"),
    ([0, 0], r"factors must be \[num, 2\], got shape \(2,\)"),
    ([[0.0, 1.5]], "factors must be integers, got float64"),
  ],
)
def test_factors_that_do_not_fit_are_refused(factors, message):
  space = state_space.SplitDiscreteStateSpace([2, 3, 4], [0, 1])
  with pytest.raises(ValueError, match=message):
    space.sample_all_factors(np.array(factors), np.random.RandomState(0))


def test_atom_index_finds_every_row_of_a_shuffled_table():
  sizes = [3, 4, 5]
  features = np.stack(np.unravel_index(np.random.RandomState(1).permutation(60), sizes), axis=1)
  index = state_space.StateSpaceAtomIndex(sizes, features)
  np.testing.assert_array_equal(index.features_to_index(features), np.arange(60))
  np.testing.assert_array_equal(index.features_to_index(features[[7, 7, 3]]), [7, 7, 3])


def test_atom_index_refuses_a_value_equal_to_the_size():
  index = state_space.StateSpaceAtomIndex([2, 2], np.array([[0, 0], [0, 1], [1, 0], [1, 1]]))
  with pytest.raises(ValueError, match=r"factors\[0, 1\] must be in \[0, 1\], got 2"):
    index.features_to_index(np.array([[0, 2]]))


@pytest.mark.parametrize(
  ("features", "message"),
  [
    ([[0], [1]], "each of the 3 combinations of factors once: 1 are missing, 0 are there more"),
    ([[0], [1], [2], [2]], "0 are missing, 1 are there more than once"),
    ([[0], [1], [1]], "1 are missing, 1 are there more than once"),
  ],
)
def test_atom_index_needs_every_combination_once(features, message):
  with pytest.raises(ValueError, match=message):
    state_space.StateSpaceAtomIndex([3], np.array(features))
