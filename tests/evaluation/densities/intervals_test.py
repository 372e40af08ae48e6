import numpy as np
import pytest
from scipy import stats

from dl_condind.evaluation.densities import intervals


def test_bootstrap_is_that_of_the_mean():
  values = np.random.RandomState(0).exponential(size=400)
  low, high = intervals.bootstrap(values, 4000, np.random.RandomState(1))
  standard_error = np.std(values) / 20
  assert low == pytest.approx(np.mean(values) - 1.96 * standard_error, abs=0.2 * standard_error)
  assert high == pytest.approx(np.mean(values) + 1.96 * standard_error, abs=0.2 * standard_error)


def test_student_is_scipys():
  values = np.random.RandomState(0).standard_normal(7)
  expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
  found = intervals.student(np.mean(values), stats.sem(values), 7)
  assert found == pytest.approx((expected.low, expected.high))


def test_minibatch_error_is_exact_for_averages():
  # The variance of the mean of m minibatches of B of the N draws of a standard normal variable.
  num_posteriors, minibatch_size, num_minibatches = 200, 50, 8
  means, errors = [], []
  random_state = np.random.RandomState(0)
  for _ in range(2000):
    sample = random_state.standard_normal(num_posteriors)
    values = [
      np.mean(random_state.permutation(sample)[:minibatch_size]) for _ in range(num_minibatches)
    ]
    means.append(np.mean(values))
    errors.append(intervals.minibatch_error(values, minibatch_size, num_posteriors))
  within = (1 / minibatch_size - 1 / num_posteriors) / num_minibatches
  variance = within + 1 / num_posteriors
  assert np.var(means) == pytest.approx(variance, rel=0.1)
  assert np.mean(np.square(errors)) == pytest.approx(variance, rel=0.04)


def share_covering(make_error, num_repeats=1000):
  """Returns how often an interval of 20 minibatches, of 32 of 400 values, has their true mean."""
  random_state = np.random.RandomState(0)
  num_covering = 0
  for _ in range(num_repeats):
    sample = random_state.exponential(size=400)
    values = [np.mean(random_state.permutation(sample)[:32]) for _ in range(20)]
    low, high = intervals.student(np.mean(values), make_error(values), len(values))
    num_covering += low <= 1 <= high
  return num_covering / num_repeats


@pytest.mark.slow
def test_minibatches_that_share_observations_are_covered():
  # Four standard errors of a share of 0.95 in 1000.
  assert share_covering(lambda values: intervals.minibatch_error(values, 32, 400)) == pytest.approx(
    0.95, abs=0.028
  )
  assert share_covering(stats.sem) < 0.8  # As if they were independent.
