import numpy as np
import pytest

from dl_condind.evaluation.probes.trees import visiting_order


def literal_halves(order, goes_left):
  """Returns the halves by exchanging one point after another."""
  points, start, end = list(order), 0, len(order)
  while start < end:
    if goes_left[points[start]]:
      start += 1
    else:
      end -= 1
      points[start], points[end] = points[end], points[start]
  return points[:end], points[end:]


def literal_left_sums(ordered, total, possible):
  """Returns the sums left of the possible splits by adding one target after another."""
  value, at, sums = 0.0, 0, []
  for split in np.flatnonzero(possible) + 1:
    if split - at <= len(ordered) - split:
      for target in ordered[at:split]:
        value += target
    else:
      value = total
      for target in ordered[: split - 1 : -1]:
        value -= target
    at = split
    sums.append(value)
  return sums


@pytest.mark.parametrize("num_points", [2, 3, 8, 101])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_halves_are_those_of_exchanging_points(num_points, share):
  for seed in range(20):
    random_state = np.random.RandomState(seed)
    order = random_state.permutation(num_points)
    goes_left = random_state.uniform(size=num_points) < share
    goes_left[order[:2]] = [True, False]
    values, targets = np.empty(num_points), random_state.standard_normal(num_points)
    values[order] = np.arange(num_points)
    left, right = visiting_order.halves(values, order, targets, goes_left)
    expected = literal_halves(order, goes_left)
    np.testing.assert_array_equal(left.targets, targets[expected[0]])
    np.testing.assert_array_equal(right.targets, targets[expected[1]])
    assert left.certain and right.certain


@pytest.mark.parametrize(
  ("goes_left", "targets", "certain"),
  [
    ([1, 1, 0, 0], [1, 2, 3, 4], [False, True]),
    ([0, 0, 1, 1], [1, 2, 3, 4], [True, False]),
    ([1, 1, 0, 0], [5, 5, 3, 4], [True, True]),  # Equal targets may change places.
    ([1, 0, 0, 0], [5, 5, 3, 4], [False, False]),
    ([1, 0, 1, 0], [1, 2, 3, 4], [False, False]),
  ],
)
def test_order_of_equal_values_is_not_certain(goes_left, targets, certain):
  values = np.array([0.5, 0.5, 1, 2])
  order = np.arange(4)
  halves = visiting_order.halves(values, order, np.array(targets), np.array(goes_left, dtype=bool))
  assert [half.certain for half in halves] == certain


@pytest.mark.parametrize("share", [0.05, 0.3, 0.7, 1.0])
def test_left_sums_go_back_from_the_total_where_that_is_nearer(share):
  for seed in range(20):
    random_state = np.random.RandomState(seed)
    ordered = random_state.standard_normal(60)
    possible = random_state.uniform(size=59) < share
    total = visiting_order.add_up(ordered) + 0.5  # so that the way back shows
    sums = visiting_order.left_sums(ordered, total, possible)
    np.testing.assert_array_equal(sums[possible], literal_left_sums(ordered, total, possible))


def test_sums_are_added_one_after_another():
  values = np.random.RandomState(0).standard_normal(1000)
  expected = 0.0
  for value in values:
    expected += value
  assert visiting_order.add_up(values) == expected


def test_columns_that_vary_are_visited_once_and_those_known_to_be_constant_never():
  draws = visiting_order.ColumnDraws(6, seed=5)
  is_constant = np.array([False, True, False, False, True, False])
  varying, last, num_constant = draws.draw(is_constant, 0)
  assert sorted(varying) == [0, 2, 3, 5]
  assert num_constant == 2
  assert last in range(6)
  again, last, num_constant = draws.draw(is_constant, 2)
  assert sorted(again) == [0, 2, 3, 5]
  assert again != varying
  assert last == again[-1]
  assert num_constant == 2


def test_no_column_is_visited_if_all_are_known_to_be_constant():
  draws = visiting_order.ColumnDraws(2, seed=0)
  is_constant = np.ones(2, dtype=bool)
  assert draws.draw(is_constant, 0)[::2] == ([], 2)
  assert draws.draw(is_constant, 2) == ([], None, 2)
