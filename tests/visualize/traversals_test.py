import numpy as np
import pytest
from scipy import stats

from dl_condind.visualize import traversals


def test_each_row_changes_one_latent():
  base, values = np.array([5.0, 6.0, 7.0]), np.array([-2.0, 0.0, 2.0, 3.0])
  codes = traversals.traverse(base, values)
  assert codes.shape == (3, 4, 3)
  for latent in range(3):
    for index, value in enumerate(values):
      expected = base.copy()
      expected[latent] = value
      np.testing.assert_array_equal(codes[latent, index], expected)
  np.testing.assert_array_equal(base, [5, 6, 7])


def test_values_of_each_latent_may_differ():
  codes = traversals.traverse(np.zeros(2), np.array([[1.0, 2.0], [3.0, 4.0]]))
  np.testing.assert_array_equal(codes[0], [[1, 0], [2, 0]])
  np.testing.assert_array_equal(codes[1], [[0, 3], [0, 4]])


@pytest.mark.parametrize("start", [-2.0, -0.3, 0.0, 1.7, 2.0])
def test_interval_is_crossed_at_constant_speed_and_closes(start):
  values = traversals.cycle_interval(start, num_frames=16)
  assert values[0] == pytest.approx(start)
  assert np.all((values >= -2) & (values <= 2))
  steps = np.abs(np.diff([*values, values[0]]))
  # 16 steps of 8 / 16; the one over an end is shorter as it turns back.
  assert np.sum(np.isclose(steps, 0.5)) >= 14
  assert np.max(values) > 1.7 and np.min(values) < -1.7
  if start < 2:
    assert values[1] > values[0]


def test_interval_can_be_chosen():
  values = traversals.cycle_interval(0.0, num_frames=8, lowest=0, highest=1)
  np.testing.assert_allclose(values, [0, 0.25, 0.5, 0.75, 1, 0.75, 0.5, 0.25])


@pytest.mark.parametrize("start", [-1.0, 0.0, 2.0])
def test_gaussian_cycle_moves_through_quantiles(start):
  values = traversals.cycle_gaussian(start, num_frames=50)
  assert values[0] == pytest.approx(start)
  quantiles = stats.norm.cdf(values)
  assert 0.01 - 1e-9 <= quantiles.min() < 0.03
  assert 0.97 < quantiles.max() <= 0.99 + 1e-9
  steps = np.abs(np.diff(quantiles))
  assert np.sum(np.isclose(steps, 2 * 0.98 / 50)) >= 47


def test_start_outside_is_moved_to_the_end():
  assert traversals.cycle_interval(9.0, 4)[0] == 2
  assert traversals.cycle_gaussian(-40.0, 4)[0] == pytest.approx(stats.norm.ppf(0.01))


def test_animation_starts_from_the_base_in_every_latent():
  base = np.array([-0.5, 1.0])
  codes = traversals.traverse(base, traversals.cycle_interval(base, num_frames=6))
  assert codes.shape == (2, 6, 2)
  np.testing.assert_allclose(codes[:, 0], [base, base])
  np.testing.assert_array_equal(codes[0, :, 1], np.ones(6))
  np.testing.assert_allclose(codes[1, :, 1], traversals.cycle_interval(1.0, 6))


def test_each_latent_has_an_interval_of_its_own():
  lowest, highest = np.array([-1.0, 0.0]), np.array([1.0, 8.0])
  values = traversals.cycle_interval(np.array([0.0, 2.0]), 8, lowest, highest)
  np.testing.assert_allclose(values[0], [0, 0.5, 1, 0.5, 0, -0.5, -1, -0.5])
  np.testing.assert_allclose(values[1], [2, 4, 6, 8, 6, 4, 2, 0])


def test_a_latent_that_does_not_vary_stays():
  values = traversals.cycle_interval(np.array([3.0]), 4, np.array([3.0]), np.array([3.0]))
  np.testing.assert_array_equal(values, np.full((1, 4), 3.0))


def test_a_gaussian_can_be_fitted():
  values = traversals.cycle_gaussian(np.array([5.0, -1.0]), 50, np.array([5.0, -1.0]), 3.0)
  standard = traversals.cycle_gaussian(0.0, 50)
  np.testing.assert_allclose(values, [5 + 3 * standard, -1 + 3 * standard])
