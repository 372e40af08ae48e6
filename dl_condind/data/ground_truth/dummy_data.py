"""Data sets without files: for tests, and to try a pipeline before the real data is there."""

import numpy as np

from dl_condind.data.ground_truth import ground_truth_data


class DummyData(ground_truth_data.GroundTruthData):
  """Images of uniform noise that say nothing about their factors.

  | index | factor               | values |
  | ----- | -------------------- | ------ |
  | 0-9   | factor_0 to factor_9 | 5      |
  """

  def __init__(self):
    super().__init__(
      name="dummy_data",
      factor_names=[f"factor_{i}" for i in range(10)],
      factors_num_values=[5] * 10,
      observation_shape=(64, 64, 1),
    )

  def sample_factors(self, num: int, random_state: np.random.RandomState) -> np.ndarray:
    """Returns random factors, int64 `[num, 10]`, in [0, 4]."""
    return random_state.randint(5, size=(num, self.num_factors))

  def sample_observations_from_factors(
    self, factors: np.ndarray, random_state: np.random.RandomState
  ) -> np.ndarray:
    """Returns noise in [0, 1], float32 `[num, 64, 64, 1]`."""
    return random_state.random_sample((len(factors), *self.observation_shape)).astype(np.float32)


class IdentityObservationsData(ground_truth_data.GroundTruthData):
  """Observations that are the factors themselves: metrics have known values on it.

  Differs from disentanglement_lib in `factors_num_values`, which says 1 there.

  | index | factor               | values         |
  | ----- | -------------------- | -------------- |
  | 0-9   | factor_0 to factor_9 | 10, from 1 on  |
  """

  def __init__(self):
    super().__init__(
      name="identity_observations",
      factor_names=[f"factor_{i}" for i in range(10)],
      factors_num_values=[10] * 10,
      observation_shape=(10,),
    )

  def sample_factors(self, num: int, random_state: np.random.RandomState) -> np.ndarray:
    """Returns random factors, int64 `[num, 10]`, in [1, 10]."""
    return random_state.randint(1, 11, size=(num, self.num_factors))

  def sample_observations_from_factors(
    self, factors: np.ndarray, random_state: np.random.RandomState
  ) -> np.ndarray:
    """Returns the factors as they are."""
    return factors
