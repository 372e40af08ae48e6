"""Intervals that cover the mean of an estimator in 95 percent of repetitions.

A repetition has other observations and other draws of z. The mean is that of the estimator over
them: its distance from the truth, the bias, is in no interval.
"""

import numpy as np
from scipy import stats


def bootstrap(
  values: np.ndarray, num_resamples: int, random_state: np.random.RandomState
) -> tuple[float, float]:
  """Returns the 2.5 and 97.5 percent quantiles of means of resampled values.

  Args:
    values: Independent values, `[num_values]`. Some hundreds at least: with few, the quantiles are
      too close to each other.
    num_resamples: Number of bootstrap samples.
    random_state: State that these come from.
  """
  means = [
    np.mean(values[random_state.randint(len(values), size=len(values))])
    for _ in range(num_resamples)
  ]
  low, high = np.percentile(means, [2.5, 97.5])
  return float(low), float(high)


def student(mean: float, std_error: float, num_values: int) -> tuple[float, float]:
  """Returns `mean -+ t * std_error`, t the 97.5 percent quantile with num_values - 1 degrees.

  >>> low, high = student(mean=1.0, std_error=0.1, num_values=30)
  >>> round(low, 3), round(high, 3)
  (0.795, 1.205)
  """
  half_width = stats.t.ppf(0.975, num_values - 1) * std_error
  return float(mean - half_width), float(mean + half_width)


def minibatch_error(values: np.ndarray, minibatch_size: int, num_posteriors: int) -> float:
  """Returns the standard error of the mean of minibatches that may share observations.

  Each of the m minibatches has B of the N observations, drawn without replacement, and these are a
  sample themselves. The variance of the mean is that within the sample, `s**2 / m`, plus that of
  what all possible minibatches of the sample say on average. This is a U-statistic of order B, so
  its variance is at most B / N of that of one minibatch of new observations (Hoeffding, 1948), and
  that one is `s**2` plus its own:

    variance <= s**2 * (1 / m + B / (N - B))

  The two are equal if a minibatch's value is an average over its observations.

  Args:
    values: One of each minibatch, `[m]`, at least two.
    minibatch_size: B, below N.
    num_posteriors: N.
  """
  shared = minibatch_size / (num_posteriors - minibatch_size)
  return float(np.std(values, ddof=1) * np.sqrt(1 / len(values) + shared))
