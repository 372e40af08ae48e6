"""Seeds that are derived from others."""

import numpy as np


def seed_from(random_state: np.random.RandomState) -> int:
  """Returns a seed for classifiers that depends on random_state and leaves it as it is.

  disentanglement_lib leaves its classifiers unseeded. A seed drawn from random_state itself would
  shift the points drawn after it away from those of disentanglement_lib.
  """
  copy = np.random.RandomState()
  copy.set_state(random_state.get_state())
  return int(copy.randint(2**31 - 1))
