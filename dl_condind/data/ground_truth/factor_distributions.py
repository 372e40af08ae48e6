"""Factors that are not drawn independently: correlated pairs, and combinations held out."""

from collections.abc import Mapping
from collections.abc import Sequence
import itertools
from typing import Any
from typing import Literal

import gin
import numpy as np

from dl_condind.data.ground_truth import factor_pairs
from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.utils import checks
from dl_condind.utils import errors

_MAX_COMBINATIONS = 10_000_000
_STRENGTHS = (1e-6, 1e6)  # Within these the square of s is neither 0 nor infinite.


@gin.register
class FactorDistribution:
  """Distribution of factors in which pairs are correlated or combinations are left out.

  Implements the formula in Section 3 of Traeuble et al. (2021), arXiv:2006.07886: the values f1 and
  f2 of a correlated pair of factors with n1 and n2 values have a probability proportional to
  `exp(-(f1/n1 - f2/n2)^2 / (2 s^2))`. Several pairs multiply. What no pair and
  no held-out combination names stays uniform and independent.

  The code that Traeuble et al. published does not draw from this formula: it draws a line of width
  `ceil(s * min(n1, n2))` through the grid of the two factors and blurs it, which is `kind="line"`.
  At the same s its factors are more strongly correlated, and how strongly depends on n1 and n2:

  | s | the formula, n1 = 8, n2 = 15 | line (8, 15) | (10, 10) | (6, 32) |
  | --- | --- | --- | --- | --- |
  | 0.2 | 0.77 | 0.86 | 0.81 | 0.87 |
  | 0.4 | 0.40 | 0.69 | 0.68 | 0.62 |
  | 0.7 | 0.16 | 0.42 | 0.23 | 0.37 |

  For a line, s of 1 or more gives uniform, independent factors, and their experiments have s = 0.2,
  0.4, 0.7 and 10, the last as the baseline. So compare results of different kinds at equal
  correlation (the record has it), not at equal s.

  Attributes:
    correlated_pairs: Names of the factors of each pair.
    strength: s; small is strong.
    held_out: Combinations with probability zero.
    kind: The distribution of a pair, a name in `factor_pairs.KINDS`.
    confounders: Names of the factors that are correlated with every other one.
  """

  def __init__(
    self,
    correlated_pairs: Sequence[Sequence[str]] = (),
    strength: float = 0.2,
    held_out: Sequence[Mapping[str, int | Sequence[int]]] = (),
    kind: Literal["gaussian", "line", "unit_gaussian"] = "gaussian",
    confounders: Sequence[str] = (),
  ):
    """Describes the distribution.

    Args:
      correlated_pairs: Names of the factors of each pair, such as `[("scale", "posX")]`.
      strength: s, in [1e-6, 1e6].
      held_out: Combinations that are never drawn, such as `[{"shape": 2, "posX": [0, 1, 2]}]`:
        hearts at the three leftmost positions.
      kind: "gaussian" for the formula above; "line" for what Traeuble et al.'s code draws, which
        needs OpenCV; "unit_gaussian" for the formula with f1 / (n1 - 1) and f2 / (n2 - 1), as in
        the code of Roth et al. (2023), arXiv:2210.07347.
      confounders: Names of factors that form a pair with every other factor.

    Raises:
      ConfigError: If a setting is not of this form, or nothing is correlated or held out.
    """
    checks.check_in("FactorDistribution.strength", strength, *_STRENGTHS)
    if kind not in factor_pairs.KINDS:
      raise errors.ConfigError(
        f"FactorDistribution.kind must be one of {', '.join(factor_pairs.KINDS)}, got {kind!r}."
      )
    if not correlated_pairs and not held_out and not confounders:
      raise errors.ConfigError(
        "FactorDistribution needs correlated_pairs, confounders or held_out; leave "
        "dataset.factor_distribution unset for independent factors."
      )
    if isinstance(confounders, str):
      raise errors.ConfigError(
        f"FactorDistribution.confounders must be a list of names, got {confounders!r}."
      )
    if any(
      isinstance(pair, str) or not len(pair) == len({*pair}) == 2 for pair in correlated_pairs
    ):
      raise errors.ConfigError(
        "FactorDistribution.correlated_pairs must be pairs of different names, got "
        f"{list(correlated_pairs)}."
      )
    if not all(isinstance(combination, Mapping) and combination for combination in held_out):
      raise errors.ConfigError(
        "FactorDistribution.held_out must be mappings from names of factors to values, got "
        f"{list(held_out)}."
      )
    self.correlated_pairs = [(first, second) for first, second in correlated_pairs]
    self.strength = strength
    self.held_out = [dict(combination) for combination in held_out]
    self.kind = kind
    self.confounders = list(confounders)

  def pairs(self, factor_names: Sequence[str]) -> list[tuple[str, str]]:
    """Returns the pairs of correlated factors of a data set, those of confounders with each other.

    No pair occurs twice, in whatever order its factors are named.
    """
    found = list(self.correlated_pairs)
    found += [(one, other) for one in self.confounders for other in factor_names if one != other]
    unique: dict[frozenset[str], tuple[str, str]] = {}
    for first, second in found:
      unique.setdefault(frozenset((first, second)), (first, second))
    return list(unique.values())

  def described(self) -> str:
    """Returns the settings as text, those left out that are as in records without them."""
    settings: dict[str, object] = {
      "correlated_pairs": self.correlated_pairs,
      "strength": self.strength,
      "held_out": self.held_out,
    }
    if self.kind != "gaussian":
      settings["kind"] = self.kind
    if self.confounders:
      settings["confounders"] = self.confounders
    return repr(settings)


class RedistributedFactors(ground_truth_data.GroundTruthData):
  """A data set whose factors are drawn from another distribution.

  Attributes:
    described: The distribution, as it was given.
    distribution: Probability of each combination of the factors that depend on each other, an array
      with an axis for each.
    dependent: Their indices, in the order of the axes.
  """

  def __init__(self, data: ground_truth_data.GroundTruthData, distribution: FactorDistribution):
    """Wraps a data set.

    Args:
      data: The data set, whose factors can be set one by one.
      distribution: The distribution.

    Raises:
      ConfigError: If the distribution names a factor or value that is not there, leaves nothing to
        draw, or the data set has no complete grid.
    """
    super().__init__(data.name, data.factor_names, data.factors_num_values, data.observation_shape)
    if not data.has_complete_grid:
      raise errors.ConfigError(
        f"dataset.factor_distribution needs a complete grid, an image of every combination of "
        f"factors, which {data.name} does not have."
      )
    self.options = data.options
    self.feature_names = data.feature_names
    self._data = data
    self.described = distribution
    for name in distribution.confounders:
      self._index(name)
    self._pairs = distribution.pairs(self.factor_names)
    named = [name for pair in self._pairs for name in pair]
    named += [name for combination in distribution.held_out for name in combination]
    self.dependent = sorted({self._index(name) for name in named})
    sizes = [self.factors_num_values[i] for i in self.dependent]
    if int(np.prod(sizes, dtype=object)) > _MAX_COMBINATIONS:
      raise errors.ConfigError(
        f"dataset.factor_distribution makes {len(sizes)} factors with {sizes} values depend on "
        f"each other: more than {_MAX_COMBINATIONS} combinations, name fewer factors."
      )
    self.distribution = self._probabilities(sizes)
    self._cumulative = np.cumsum(self.distribution)

  def _index(self, name: str) -> int:
    if name not in self.factor_names:
      raise errors.ConfigError(
        f"dataset.factor_distribution names the factor {name!r}; {self.name} has "
        f"{', '.join(self.factor_names)}."
      )
    return self.factor_names.index(name)

  def _probabilities(self, sizes: Sequence[int]) -> np.ndarray:
    log_weights = np.zeros(sizes)
    for pair in self._pairs:
      log_weights += self._log_weights(pair)
    if log_weights.max() == -np.inf:
      raise errors.ConfigError(
        "dataset.factor_distribution: no combination has a probability above 0 in all pairs."
      )
    weights = np.exp(log_weights - log_weights.max())
    for combination in self.described.held_out:
      weights[np.ix_(*self._held_out_values(combination))] = 0
    if not weights.any():
      raise errors.ConfigError("dataset.factor_distribution holds out every combination.")
    return weights / weights.sum()

  def _log_weights(self, pair: tuple[str, str]) -> np.ndarray:
    """Returns log weights of a pair, with an axis for each dependent factor, mostly of length 1."""
    axes = [self.dependent.index(self._index(name)) for name in pair]
    first, second = (self.factors_num_values[self.dependent[axis]] for axis in axes)
    weights = factor_pairs.KINDS[self.described.kind]((first, second), self.described.strength)
    if axes[0] > axes[1]:
      weights = weights.T
    others = [axis for axis in range(len(self.dependent)) if axis not in axes]
    return np.expand_dims(weights, others)

  def _held_out_values(self, combination: Mapping[str, int | Sequence[int]]) -> list[np.ndarray]:
    """Returns the values of each dependent factor that a held-out combination stands for."""
    chosen = []
    for i in self.dependent:
      size = self.factors_num_values[i]
      values = np.atleast_1d(combination.get(self.factor_names[i], np.arange(size)))
      whole = [float(value).is_integer() and 0 <= value < size for value in values]
      if not whole or not all(whole):
        raise errors.ConfigError(
          f"FactorDistribution.held_out gives {self.factor_names[i]} the values "
          f"{values.tolist()}; {self.name} has 0 to {size - 1}."
        )
      chosen.append(values.astype(int))
    return chosen

  def sample_factors(self, num: int, random_state: np.random.RandomState) -> np.ndarray:
    """Returns random factors, int64 `[num, num_factors]`: independent ones first."""
    factors = np.empty((num, self.num_factors), np.int64)
    for i in set(range(self.num_factors)) - set(self.dependent):
      factors[:, i] = random_state.randint(self.factors_num_values[i], size=num)
    uniform = random_state.random_sample(num) * self._cumulative[-1]
    cells = np.searchsorted(self._cumulative, uniform, side="right")
    factors[:, self.dependent] = np.column_stack(np.unravel_index(cells, self.distribution.shape))
    return factors

  def sample_observations_from_factors(
    self, factors: np.ndarray, random_state: np.random.RandomState
  ) -> np.ndarray:
    """Returns an observation of each row of factors, float32 `[num, height, width, channels]`."""
    return self._data.sample_observations_from_factors(factors, random_state)

  def correlations(self) -> dict[str, float]:
    """Returns the Pearson correlation of each pair of dependent factors, by `first~second`."""
    found = {}
    for (axis, i), (other, j) in itertools.combinations(enumerate(self.dependent), 2):
      rest = tuple(a for a in range(len(self.dependent)) if a not in (axis, other))
      joint = self.distribution.sum(axis=rest)
      pair = f"{self.factor_names[i]}~{self.factor_names[j]}"
      found[pair] = factor_pairs.pearson(joint)
    return found

  def provenance(self) -> dict[str, Any]:
    """Returns where the observations come from and how factors are drawn. Loads the data.

    Beside the keys of the data set: `factor_distribution`, `held_out_share` (of the combinations of
    dependent factors) and `factor_correlation.{first}~{second}`.
    """
    return {
      **self._data.provenance(),
      "factor_distribution": self.described.described(),
      "held_out_share": float(np.mean(self.distribution == 0)),
      **{f"factor_correlation.{pair}": value for pair, value in self.correlations().items()},
    }


class RedistributedRows(RedistributedFactors, ground_truth_data.RowData):
  """A data set that is a list of images, whose factors are drawn from another distribution."""

  _data: ground_truth_data.RowData

  def __init__(self, data: ground_truth_data.RowData, distribution: FactorDistribution):
    """Wraps a data set; arguments and errors as of `RedistributedFactors`."""
    super().__init__(data, distribution)
    self.num_rows = data.num_rows

  def sample_rows_from_factors(
    self, factors: np.ndarray, random_state: np.random.RandomState
  ) -> np.ndarray:
    """Returns an image's row for each row of factors, `[num]`."""
    return self._data.sample_rows_from_factors(factors, random_state)

  def observations_from_rows(self, rows: np.ndarray) -> np.ndarray:
    """Returns the images of rows as float32 `[num, height, width, channels]`."""
    return self._data.observations_from_rows(rows)


def redistribute(
  data: ground_truth_data.GroundTruthData, distribution: FactorDistribution
) -> RedistributedFactors:
  """Returns a data set with its factors drawn from another distribution.

  Raises:
    ConfigError: See `RedistributedFactors`.
  """
  if isinstance(data, ground_truth_data.RowData):
    return RedistributedRows(data, distribution)
  return RedistributedFactors(data, distribution)
