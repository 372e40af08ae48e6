"""The order in which scikit-learn looks at columns and adds up targets when it grows a tree.

Sums of the same numbers in another order differ by rounding, which decides between splits that are
equally good. This follows scikit-learn's node_split_best, DensePartitioner and MSE.
"""

from typing import NamedTuple

import numpy as np


class ColumnDraws:
  """The random order in which scikit-learn visits the columns, from its node_split_best.

  It shuffles the columns in place, so that a node's order depends on the nodes before. Columns that
  are constant in a node are constant below it, and are not looked at there.
  """

  def __init__(self, num_columns: int, seed: int):
    self._columns = list(range(num_columns))
    self._constant = [0] * num_columns
    self._state = seed or 1  # as 0 would stay 0

  def draw(self, is_constant: np.ndarray, num_known: int) -> tuple[list[int], int | None, int]:
    """Returns the columns of a node that vary, as visited.

    Args:
      is_constant: Whether each column is constant in the node, `[num_columns]`.
      num_known: Number of columns constant in the node above it.

    Returns:
      The columns; the last one sorted, which may be constant, None if there is none; the number of
      columns that are constant.
    """
    columns, varying, last = self._columns, [], None
    end, num_constant, num_drawn = len(columns), num_known, 0
    # columns: num_known known to be constant, those found to be, and from end on those that vary.
    while end > num_constant:
      num_found = num_constant - num_known
      i = num_drawn + self._random() % (end - num_found - num_drawn)
      if i < num_known:
        columns[num_drawn], columns[i] = columns[i], columns[num_drawn]
        num_drawn += 1
        continue
      i += num_found
      last = columns[i]
      if is_constant[last]:
        columns[i], columns[num_constant] = columns[num_constant], columns[i]
        num_constant += 1
      else:
        end -= 1
        columns[i], columns[end] = columns[end], columns[i]
        varying.append(last)
    columns[:num_known] = self._constant[:num_known]
    self._constant[num_known:num_constant] = columns[num_known:num_constant]
    return varying, last, num_constant

  def _random(self) -> int:
    """Returns the next number of Marsaglia's 32 bit xorshift generator, without its top bit."""
    state = self._state
    state ^= (state << 13) & 0xFFFFFFFF
    state ^= state >> 17
    state ^= (state << 5) & 0xFFFFFFFF
    self._state = state
    return state & 0x7FFFFFFF


class Half(NamedTuple):
  """The points on one side of a split.

  Attributes:
    targets: What the tree is to predict for them, in the order in which scikit-learn adds it up.
    certain: Whether that order is known, as far as it changes a sum.
  """

  targets: np.ndarray
  certain: bool


def add_up(values: np.ndarray) -> float:
  """Returns the sum of values added one after another, unlike that of np.sum."""
  return float(values.cumsum()[-1])


def same_as_next(values: np.ndarray) -> np.ndarray:
  """Returns whether each value is equal to the next."""
  return values[1:] == values[:-1]


def left_sums(ordered: np.ndarray, total: float, possible: np.ndarray) -> np.ndarray:
  """Returns the sum of the targets left of each split, added up as scikit-learn does.

  It goes from one possible split to the next, and if the end is nearer than the last one, back
  from the total.
  """
  sums = np.cumsum(ordered)[:-1]
  num_left = np.flatnonzero(possible) + 1
  from_end = np.diff(num_left, prepend=0) > len(ordered) - num_left
  for first in num_left[from_end]:
    back = add_up(np.concatenate(([total], -ordered[: first - 1 : -1])))
    sums[first - 1 :] = np.cumsum(np.concatenate(([back], ordered[first:-1])))
  return sums


def halves(
  values: np.ndarray, order: np.ndarray, targets: np.ndarray, goes_left: np.ndarray
) -> list[Half]:
  """Returns the left and the right half of a node.

  scikit-learn leaves the points of a node in the order of the column it sorted last. From the first
  on, it exchanges one that goes right with the last not yet exchanged, and tries that one next.

  Args:
    values: The last column, `[num_points]` of the table.
    order: Its order in the node, `[num_points]` of the node.
    targets: What the tree predicts, `[num_points]` of the table.
    goes_left: Whether each point goes left, `[num_points]` of the table.
  """
  is_left, ordered = goes_left[order], targets[order]
  num_left = np.count_nonzero(is_left)
  front, back = ordered[:num_left], ordered[: num_left - 1 : -1]
  leaves, comes = ~is_left[:num_left], is_left[: num_left - 1 : -1]
  left, right = front.copy(), back.copy()
  left[leaves] = back[comes]
  moved = np.concatenate((front[leaves], back[-1:]))
  right[comes] = moved[1:]
  right = np.concatenate((moved[:1], right[:-1]))[::-1]
  # Of points of equal value scikit-learn's order is another one, which shows if they differ.
  same = same_as_next(values[order])
  if not same.any():
    return [Half(left, True), Half(right, True)]
  if (same & ~same_as_next(is_left)).any():
    return [Half(left, False), Half(right, False)]
  mixed = same & ~same_as_next(ordered)
  return [
    Half(left, not (mixed & is_left[1:]).any()),
    Half(right, not (mixed & ~is_left[1:]).any()),
  ]
