import numpy as np
import pytest
from sklearn import metrics

from dl_condind.evaluation.information import discrete_information


def test_entropy_and_mutual_information_in_closed_form():
  factors = np.array([[0, 1, 2, 0, 1, 2], [5, 5, 5, 5, 5, 5]]).T
  codes = np.array([[7, 8, 8, 7, 8, 8], [0, 1, 2, 0, 1, 2]]).T
  np.testing.assert_allclose(
    discrete_information.discrete_entropy(factors), [np.log(3), 0], atol=1e-15
  )
  split = np.log(3) - 2 / 3 * np.log(2)  # the entropy of thirds, less what two thirds leave open
  np.testing.assert_allclose(
    discrete_information.discrete_mutual_info(codes, factors),
    [[split, 0], [np.log(3), 0]],
    atol=1e-15,
  )


def test_entropy_of_many_values_needs_no_table_of_pairs():
  values = np.random.RandomState(0).permutation(200_000)[:, None]
  found = discrete_information.discrete_entropy(np.hstack([values, values // 2]))
  assert found == pytest.approx([np.log(200_000), np.log(100_000)], rel=1e-12)


def test_mutual_information_is_scikit_learns():
  random_state = np.random.RandomState(0)
  factors = np.stack([random_state.randint(n, size=2000) for n in (3, 40, 183)], axis=1)
  codes = factors[:, :2] // 2 + random_state.randint(4, size=(2000, 2))
  expected = [[metrics.mutual_info_score(f, c) for f in factors.T] for c in codes.T]
  np.testing.assert_allclose(
    discrete_information.discrete_mutual_info(codes, factors), expected, atol=1e-12
  )
  expected = [metrics.mutual_info_score(f, f) for f in factors.T]
  np.testing.assert_allclose(discrete_information.discrete_entropy(factors), expected, atol=1e-12)


def test_information_is_scikit_learns():
  rng = np.random.RandomState(0)
  for num_points in (1, 2, 17, 400):
    codes = rng.randint(6, size=(num_points, 4)) * [1, 0, -3, 10**12]
    factors = np.concatenate([rng.randint(-3, 40, size=(num_points, 2)), codes[:, :1]], axis=1)
    expected = [[metrics.mutual_info_score(y, x) for y in factors.T] for x in codes.T]
    found = discrete_information.discrete_mutual_info(codes, factors)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13)
    assert (found[1] == 0).all()
    found = discrete_information.discrete_mutual_info(
      codes * 0.1, factors
    )  # Values that are no whole numbers.
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13)


def test_values_are_numbered_in_their_order():
  values = np.array([[7, 30_000, 2], [5, -30_000, 2], [5, 0, 2]])
  numbers, num = discrete_information.enumerate_values(values)
  np.testing.assert_array_equal(numbers, [[2, 0, 0], [2, 0, 1], [0, 0, 0]])  # No point has a 6.
  np.testing.assert_array_equal(num, [3, 3, 1])
  # The width of a column may be more than its type holds.
  np.testing.assert_array_equal(
    discrete_information.enumerate_values(values.astype(np.int16))[0], numbers
  )
  numbers, num = discrete_information.enumerate_values(values / 4)
  np.testing.assert_array_equal(numbers, [[1, 0, 0], [2, 0, 1], [0, 0, 0]])
  np.testing.assert_array_equal(num, [2, 3, 1])
