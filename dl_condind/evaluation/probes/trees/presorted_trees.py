"""Regression trees of scikit-learn, grown from columns that are sorted once.

scikit-learn sorts every column again in each node of each tree. Boosting fits thousands of trees to
the same points, and most of its time goes to that. Here a node receives its points in the order of
each column, and the sums of all its splits are one cumulative sum.

The trees are those of `tree.DecisionTreeRegressor`, which takes the split whose computed criterion
is largest. Splits that are equally good are common, for instance those that part the same point
from the others, and of them rounding chooses, or a random order of the columns. So sums are added
up here in scikit-learn's order and the same random numbers are drawn. What is not known is how it
orders points of equal value: where a choice depends on that, there is no tree.
"""

from typing import NamedTuple

import numpy as np

from dl_condind.evaluation.probes.trees import visiting_order

SEEDS = 2**31 - 1  # scikit-learn draws the seed of a tree from [0, SEEDS).
LEAF = -1  # child of a leaf
NO_COLUMN = -2  # column and threshold of a leaf

# scikit-learn's: values nearer than the first are taken as equal, and a node whose impurity is at
# most the second is a leaf.
_SMALLEST_GAP = np.float32(1e-7)
_EPSILON = float(np.finfo(np.float64).eps)
_NO_ORDER = np.empty((0, 0), np.int64)  # of a leaf
_TIE = 1e-9  # Criteria this close, relative to their size, may differ by rounding alone.


class Columns(NamedTuple):
  """The columns of a table of points.

  Attributes:
    values: float32, `[num_columns, num_points]`.
    order: Indices of the points by rising value, `[num_columns, num_points]`.
  """

  values: np.ndarray
  order: np.ndarray


class _Node(NamedTuple):
  """A node that is still to be added.

  Attributes:
    order: Indices of its points by rising value of each column, `[num_columns, num_points]`;
      empty if it is a leaf.
    targets: What it predicts, in the order in which scikit-learn adds it up, `[num_points]`.
    certain: Whether that order is known, as far as it changes a sum.
    impurity: Variance of its targets.
    exact: Whether the impurity is scikit-learn's to the last bit.
    num_constant: Number of columns known to be constant.
    depth: Number of nodes above it.
    link: Where its index belongs: the index of the node above, and 0 if it is left of it, else 1.
  """

  order: np.ndarray
  targets: np.ndarray
  certain: bool
  impurity: float
  exact: bool
  num_constant: int
  depth: int
  link: tuple[int, int] | None


def sort_columns(x: np.ndarray) -> Columns:
  """Returns the columns of points, `[num_points, num_columns]`, that are finite in float32."""
  values = np.ascontiguousarray(np.asarray(x, dtype=np.float32).T)
  return Columns(values, np.argsort(values, axis=1, kind="stable"))


def grow(columns: Columns, targets: np.ndarray, max_depth: int, seed: int) -> list[list] | None:
  """Returns the nodes of the tree that scikit-learn grows, or None where that is not known.

  Args:
    columns: Columns of the points.
    targets: What the tree predicts, `[num_points]`.
    max_depth: Number of splits above a leaf at most, positive.
    seed: The number in [0, SEEDS) that scikit-learn draws for the tree.

  Returns:
    A list for each node, parents before their children and left before right: left child, right
    child, column, threshold, impurity (variance of the targets), number of points.
  """
  num_points = len(targets)
  draws = visiting_order.ColumnDraws(len(columns.values), seed)
  mean, mean_square = (visiting_order.add_up(t) / num_points for t in (targets, targets * targets))
  impurity = mean_square - mean * mean  # not mean**2, which may round otherwise
  order = columns.order if impurity > _EPSILON else _NO_ORDER
  waiting = [_Node(order, targets, True, impurity, True, 0, 0, None)]
  nodes: list[list] = []
  while waiting:
    node = waiting.pop()
    index = len(nodes)
    nodes.append([LEAF, LEAF, NO_COLUMN, NO_COLUMN, node.impurity, len(node.targets)])
    if node.link:
      nodes[node.link[0]][node.link[1]] = index
    if not node.order.size:
      continue
    varying, last, num_constant = draws.draw(_constant(columns, node.order), node.num_constant)
    total = visiting_order.add_up(node.targets)
    if not varying:
      continue
    best = _best_split(columns, targets, node, total, varying)
    if best is None:
      return None
    column, num_left = best
    if not num_left:
      continue
    goes_left = np.zeros(num_points, dtype=bool)
    goes_left[node.order[column, :num_left]] = True
    halves = visiting_order.halves(columns.values[last], node.order[last], targets, goes_left)
    impurities, exact, error = _impurities(node, total, halves)
    depth = node.depth + 1
    decisions = _decide(node, num_points, halves, impurities, exact, error, depth == max_depth)
    if decisions is None:
      return None
    is_better, splits = decisions
    if is_better:
      low, high = columns.values[column, node.order[column, num_left - 1 : num_left + 1]]
      nodes[index][2:4] = column, float(low) / 2 + float(high) / 2
      for side in (1, 0):  # The left one is added first.
        order = _part(node.order, goes_left ^ bool(side)) if splits[side] else _NO_ORDER
        half, numbers = halves[side], (impurities[side], exact[side], num_constant, depth)
        waiting.append(_Node(order, half.targets, half.certain, *numbers, (index, side)))
  return nodes


def _apart(low: np.ndarray, high: np.ndarray) -> np.ndarray:
  return high > low + _SMALLEST_GAP


def _constant(columns: Columns, order: np.ndarray) -> np.ndarray:
  """Returns whether each column is constant in a node, `[num_columns]`."""
  every = np.arange(len(order))
  return ~_apart(columns.values[every, order[:, 0]], columns.values[every, order[:, -1]])


def _part(order: np.ndarray, chosen: np.ndarray) -> np.ndarray:
  """Returns the order, `[num_columns, num_chosen]`, of the points for which chosen is True."""
  flat = order.ravel()
  return flat.compress(chosen.take(flat, mode="clip")).reshape(len(order), -1)


def _best_split(
  columns: Columns, targets: np.ndarray, node: _Node, total: float, varying: list[int]
) -> tuple[int, int] | None:
  """Returns the column of a node's best split and the number of points left of it, or None.

  The number is 0 if no split is possible. Splits are compared by how much they lower the sum of
  squares. Those so close that rounding may decide are then compared as scikit-learn does.
  """
  num_points = len(node.targets)
  num_left = np.arange(1.0, num_points)
  # [num_columns, num_splits]
  gain = targets.take(node.order, mode="clip").cumsum(axis=1)[:, :-1]
  gain -= num_left * (total / num_points)
  np.square(gain, out=gain)
  gain *= num_points / (num_left * (num_points - num_left))
  largest = gain.max(axis=1).tolist()
  while True:
    best = max(largest[column] for column in varying)
    if best < 0:
      return varying[0], 0
    limit = best - _TIE * (best + total * total / num_points)
    close = [column for column in varying if largest[column] >= limit]
    rivals = [(column, (gain[column] >= limit).nonzero()[0]) for column in close]
    wrong = [
      column for column, splits in rivals if not _are_possible(columns, node, column, splits)
    ]
    if not wrong:
      break
    for column in wrong:
      values = columns.values[column].take(node.order[column])
      gain[column, ~_apart(values[:-1], values[1:])] = -1.0
      largest[column] = float(gain[column].max())
  if len(rivals) == 1 and len(rivals[0][1]) == 1:
    return rivals[0][0], int(rivals[0][1][0]) + 1
  return _first_of_largest(columns, targets, node, total, rivals)


def _are_possible(columns: Columns, node: _Node, column: int, splits: np.ndarray) -> bool:
  """Returns whether the values on both sides of each split differ."""
  values, order = columns.values[column], node.order[column]
  return bool(_apart(values[order[splits]], values[order[splits + 1]]).all())


def _first_of_largest(
  columns: Columns,
  targets: np.ndarray,
  node: _Node,
  total: float,
  rivals: list[tuple[int, np.ndarray]],
) -> tuple[int, int] | None:
  """Returns the rival whose criterion scikit-learn computes to be largest, as `_best_split`."""
  largest, found, num_points = -np.inf, None, len(node.targets)
  for column, splits in rivals:
    values, ordered = (every[node.order[column]] for every in (columns.values[column], targets))
    same = visiting_order.same_as_next(values)
    if not node.certain or (same & ~visiting_order.same_as_next(ordered)).any():
      return None
    possible = _apart(values[:-1], values[1:])
    left = visiting_order.left_sums(ordered, total, possible)[splits]
    right = total - left
    num_left = splits + 1.0
    criterion = left * left / num_left + right * right / (num_points - num_left)
    if criterion.max() > largest:
      largest, found = criterion.max(), (column, int(splits[criterion.argmax()]) + 1)
  return found


def _impurities(
  node: _Node, total: float, halves: list[visiting_order.Half]
) -> tuple[list[float], list[bool], float]:
  """Returns the impurity of both halves of a node, whether each is exact, and their rounding error.

  scikit-learn adds up the smaller half and subtracts from the total. An impurity that is not exact
  is off by at most about the error divided by the number of points.
  """
  (left, left_known), (right, right_known) = halves
  is_added = len(left) <= len(right)
  steps = left if is_added else np.concatenate(([total], -right[::-1]))
  left_sum, left_squares = visiting_order.add_up(steps), visiting_order.add_up(left * left)
  squares = visiting_order.add_up(node.targets * node.targets)
  sums = (left_sum, left_squares), (total - left_sum, squares - left_squares)
  impurities = []
  for (first, second), half in zip(sums, halves, strict=True):
    mean = first / len(half.targets)
    impurities.append(second / len(half.targets) - mean * mean)
  exact = [
    left_known and (is_added or (node.certain and right_known)),
    left_known and node.certain and (is_added or right_known),
  ]
  return impurities, exact, 8 * _EPSILON * len(node.targets) ** 0.5 * squares


def _decide(
  node: _Node,
  num_points: int,
  halves: list[visiting_order.Half],
  impurities: list[float],
  exact: list[bool],
  error: float,
  deepest: bool,
) -> tuple[bool, list[bool]] | None:
  """Returns whether a node is split, and whether each half is; None if that is not known.

  Args:
    node: The node.
    num_points: Number of points of the tree.
    halves: The halves.
    impurities: Of the halves, as `_impurities`.
    exact: As `_impurities`.
    error: As `_impurities`.
    deepest: Whether the halves are as deep as may be.
  """
  sizes, size = [len(half.targets) for half in halves], len(node.targets)
  within = sizes[1] / size * impurities[1], sizes[0] / size * impurities[0]
  improvement = size / num_points * (node.impurity - within[0] - within[1])
  if not (node.exact and all(exact)) and abs(improvement + _EPSILON) < error / num_points:
    return None
  splits = []
  for impurity, is_exact, num in zip(impurities, exact, sizes, strict=True):
    may_split = num > 1 and not deepest
    if may_split and not is_exact and abs(impurity - _EPSILON) < error / num:
      return None
    splits.append(may_split and impurity > _EPSILON)
  return improvement + _EPSILON >= 0, splits
