"""How a factor of a pair of images gets another value, where factors are correlated.

`uniform` is the way of Locatello et al. (2020), arXiv:2002.02886. The others are those of the code
of Traeuble et al. (2021), arXiv:2006.07886: its interventions 1 (`fresh_draw`) and 2
(`given_first`), and its observations (`given_others`).
"""

from collections.abc import Callable
from collections.abc import Mapping
from typing import TypeGuard

import numpy as np

from dl_condind.data.ground_truth import factor_distributions
from dl_condind.data.ground_truth import ground_truth_data

# (data set, index of the factor, factors of the first image, state) -> new value of the factor
Redraw = Callable[[ground_truth_data.GroundTruthData, int, np.ndarray, np.random.RandomState], int]


def uniform(
  data: ground_truth_data.GroundTruthData,
  index: int,
  factors: np.ndarray,
  random_state: np.random.RandomState,
) -> int:
  """Returns any value of the factor, whatever the others are: an intervention."""
  del factors
  return random_state.randint(data.factors_num_values[index])


def fresh_draw(
  data: ground_truth_data.GroundTruthData,
  index: int,
  factors: np.ndarray,
  random_state: np.random.RandomState,
) -> int:
  """Returns the factor's value in a new draw of all factors, whatever they are now."""
  del factors
  return data.sample_factors(1, random_state)[0, index]


def given_first(
  data: ground_truth_data.GroundTruthData,
  index: int,
  factors: np.ndarray,
  random_state: np.random.RandomState,
) -> int:
  """Returns a value of the second factor of a pair given the first, of other factors any value.

  The first factor of a pair is taken for the cause: changing it leaves the second as it is.
  """
  if _is_dependent(data, index) and index in _seconds(data):
    weights = _weights_given_others(data, index, factors)
    return _choose(weights, factors[index], random_state)
  return uniform(data, index, factors, random_state)


def given_others(
  data: ground_truth_data.GroundTruthData,
  index: int,
  factors: np.ndarray,
  random_state: np.random.RandomState,
) -> int:
  """Returns another value of a correlated factor given the others, of other factors any value.

  So both images are as the distribution has them. A factor that the others determine stays.
  """
  if _is_dependent(data, index):
    weights = _weights_given_others(data, index, factors)
    weights[factors[index]] = 0
    return _choose(weights, factors[index], random_state)
  return uniform(data, index, factors, random_state)


def _is_dependent(
  data: ground_truth_data.GroundTruthData, index: int
) -> TypeGuard[factor_distributions.RedistributedFactors]:
  return isinstance(data, factor_distributions.RedistributedFactors) and index in data.dependent


def _seconds(data: factor_distributions.RedistributedFactors) -> set[int]:
  """Returns the indices of the second factors of correlated pairs."""
  pairs = data.described.pairs(data.factor_names)
  return {data.factor_names.index(second) for _, second in pairs}


def _weights_given_others(
  data: factor_distributions.RedistributedFactors, index: int, factors: np.ndarray
) -> np.ndarray:
  """Returns the joint probability of each value of a factor with the values of the others."""
  cell = (slice(None) if i == index else factors[i] for i in data.dependent)
  return data.distribution[tuple(cell)].copy()


def _choose(weights: np.ndarray, current: int, random_state: np.random.RandomState) -> int:
  """Draws a value in proportion to its weight; keeps the current one if all weights are 0."""
  if not weights.any():
    return current
  return random_state.choice(len(weights), p=weights / weights.sum())


REDRAWS: Mapping[str, Redraw] = {
  "uniform": uniform,
  "fresh_draw": fresh_draw,
  "given_first": given_first,
  "given_others": given_others,
}
