import hypothesis
from hypothesis import strategies
import numpy as np
import pytest
import sklearn
from sklearn import tree

from dl_condind.evaluation.probes.trees import boosted_trees
from dl_condind.evaluation.probes.trees import presorted_trees

pytestmark = pytest.mark.skipif(
  not sklearn.__version__.startswith(boosted_trees.SCIKIT_LEARN),
  reason="These are the trees of one version of scikit-learn.",
)


def scikit_learns(x, targets, max_depth, seed):
  """Returns the nodes of scikit-learn's tree, given a random state that draws seed."""

  class Seed(np.random.RandomState):
    def randint(self, low, high):
      assert (low, high) == (0, presorted_trees.SEEDS)
      return seed

  model = tree.DecisionTreeRegressor(max_depth=max_depth, random_state=Seed(0))
  grown = model.fit(x.astype(np.float32), targets).tree_
  names = ("children_left", "children_right", "feature", "threshold", "impurity", "n_node_samples")
  return [list(node) for node in zip(*(getattr(grown, name) for name in names), strict=True)]


def points(num_points, num_columns, seed):
  random_state = np.random.RandomState(seed)
  x = random_state.standard_normal((num_points, num_columns))
  return x, x[:, 0] ** 2 + random_state.standard_normal(num_points)


@pytest.mark.parametrize("max_depth", [1, 2, 3, 6])
@pytest.mark.parametrize("num_points", [2, 3, 10, 500])
@pytest.mark.parametrize("num_columns", [1, 7])
def test_trees_of_different_values_are_scikit_learns_bit_by_bit(num_points, num_columns, max_depth):
  for seed in (0, 1, 2**31 - 2):
    x, targets = points(num_points, num_columns, seed % 1000)
    nodes = presorted_trees.grow(presorted_trees.sort_columns(x), targets, max_depth, seed)
    assert nodes == scikit_learns(x, targets, max_depth, seed)


@hypothesis.settings(max_examples=300, deadline=None, derandomize=True)
@hypothesis.given(
  strategies.integers(0, 10**6),
  strategies.integers(1, 40),
  strategies.integers(1, 5),
  strategies.sampled_from([1, 3, 1000, 10**6]),
  strategies.sampled_from([1, 2, 5, 10**6]),
)
def test_trees_of_equal_values_are_scikit_learns_if_known(
  seed, num_points, num_columns, num_values, num_targets
):
  random_state = np.random.RandomState(seed)
  x = random_state.randint(num_values, size=(num_points, num_columns)) / 7
  targets = random_state.randint(num_targets, size=num_points) / 7 - 0.1
  nodes = presorted_trees.grow(presorted_trees.sort_columns(x), targets, 3, seed)
  if nodes is None:
    assert num_values < 10**6
    return
  expected = scikit_learns(x, targets, 3, seed)
  for node, other in zip(nodes, expected, strict=True):
    assert node[:4] == other[:4] and node[5] == other[5]
    # Of points of equal value in another order sums of squares differ by rounding.
    assert node[4] == pytest.approx(other[4], abs=1e-13 * np.square(targets).sum())


def test_root_that_does_not_vary_is_a_leaf():
  columns = presorted_trees.sort_columns(points(9, 2, 0)[0])
  assert presorted_trees.grow(columns, np.full(9, 0.5), 3, 1) == [[-1, -1, -2, -2, 0.0, 9]]


def test_columns_are_sorted_as_float32():
  x = np.array([[3.0, 1 + 1e-12], [1.0, 1.0], [2.0, 0.0]])
  columns = presorted_trees.sort_columns(x)
  assert columns.values.dtype == np.float32
  np.testing.assert_array_equal(columns.order, [[1, 2, 0], [2, 0, 1]])
