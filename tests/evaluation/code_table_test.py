import numpy as np
import pytest

from dl_condind.evaluation import code_table
from dl_condind.utils import errors


def grid(num_copies=2, seed=0):
  """Returns codes that are their factors and noise, of a grid in random order."""
  values = np.meshgrid([3, 5, 9], [0.5, 2.5], range(4), range(num_copies), indexing="ij")
  factors = np.stack([axis.ravel() for axis in values[:3]], axis=1)
  factors = np.random.RandomState(seed).permutation(factors)
  return np.concatenate([factors, np.arange(len(factors))[:, None]], axis=1), factors


@pytest.mark.parametrize("num_copies", [1, 2])
def test_code_table_finds_the_points_of_factors(num_copies):
  codes, factors = grid(num_copies)
  table = code_table.CodeTable(codes, factors)
  assert table.factors_num_values == [3, 2, 4]
  assert table.has_complete_grid
  ranks, found = table.sample(2000, np.random.RandomState(0))
  np.testing.assert_array_equal(found[:, 0], np.array([3, 5, 9])[ranks[:, 0]])
  np.testing.assert_array_equal(found[:, 1], np.array([0.5, 2.5])[ranks[:, 1]])
  np.testing.assert_array_equal(found[:, 2], ranks[:, 2])
  assert len(np.unique(found[:, 3])) == len(codes)


def test_code_table_draws_as_a_table_with_one_more_factor():
  codes, factors = grid(2)
  ranks, found = code_table.CodeTable(codes, factors).sample(50, np.random.RandomState(4))
  random_state = np.random.RandomState(4)
  columns = [random_state.randint(size, size=50) for size in (3, 2, 4, 2)]
  np.testing.assert_array_equal(ranks, np.stack(columns[:3], axis=1))
  order = np.lexsort((np.arange(len(codes)), *factors.T[::-1]))
  rows = order[np.ravel_multi_index(columns, (3, 2, 4, 2))]
  np.testing.assert_array_equal(found, codes[rows])


@pytest.mark.parametrize(
  "rows", [slice(1, None), [*range(48), 0], slice(10, 30)], ids=["missing", "twice", "few"]
)
def test_incomplete_grid_is_an_error(rows):
  codes, factors = grid(2)
  with pytest.raises(errors.ConfigError, match="must be a complete grid"):
    code_table.CodeTable(codes[rows], factors[rows])


def test_grid_too_large_to_count_is_an_error():
  factors = np.arange(2000)[:, None] + np.zeros(30)
  with pytest.raises(errors.ConfigError, match=f"each of its {2000**30} combinations"):
    code_table.CodeTable(np.zeros((2000, 1)), factors)
