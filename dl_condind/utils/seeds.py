"""Seeds: which there are, and those derived from others."""

import numpy as np

from dl_condind.utils import errors


def check_seed(name: str, seed: int) -> None:
  """Checks that a seed is one of NumPy's.

  Raises:
    ConfigError: If it is out of range.
  """
  if not 0 <= seed < 2**32:
    raise errors.ConfigError(f"{name} must be in [0, 2**32), got {seed}.")


def seed_from(random_state: np.random.RandomState) -> int:
  """Returns a seed for classifiers that depends on random_state and leaves it as it is.

  disentanglement_lib leaves its classifiers unseeded. A seed drawn from random_state itself would
  shift the points drawn after it away from those of disentanglement_lib.
  """
  copy = np.random.RandomState()
  copy.set_state(random_state.get_state())
  return int(copy.randint(2**31 - 1))
