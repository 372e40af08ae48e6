"""What a training draws its batches from: single images, or pairs of them.

A model says which kind it learns from. A batch is any nest of arrays; pipeline, trainer and loop
pass it on as it is.
"""

import abc
import dataclasses
import numbers
from typing import Any
from typing import ClassVar
from typing import Literal
from typing import NamedTuple
from typing import Self

import gin
import numpy as np

from dl_condind.data import pair_dynamics
from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.utils import errors

ANY_NUMBER = -1  # As `k`: up to all factors but one change.


@dataclasses.dataclass(frozen=True)
class Layout:
  """Shape and type of one array of a batch."""

  shape: tuple[int, ...]
  dtype: type[np.generic]


class Batches(abc.ABC):
  """Draws the batches of a training from a data set.

  Attributes:
    what: What the batches consist of, in words.
    how_to_make: How a user gets such batches, in words.
    data: The data set.
  """

  what: ClassVar[str]
  how_to_make: ClassVar[str]

  def __init__(self, data: ground_truth_data.GroundTruthData):
    """Takes the data set.

    Raises:
      ConfigError: If it is not a data set.
    """
    if not isinstance(data, ground_truth_data.GroundTruthData):
      raise errors.ConfigError(
        "data must be a data set, such as dl.load_data('dsprites_full'), got "
        f"{type(data).__name__}."
      )
    self.data = data

  @abc.abstractmethod
  def layout(self, num: int) -> Any:
    """Returns the `Layout` of each array of a batch of num, in the batch's structure."""

  @abc.abstractmethod
  def sample(self, num: int, random_state: np.random.RandomState, step: int = 0) -> Any:
    """Returns a batch of num draws.

    Args:
      num: Number of draws.
      random_state: State that every draw comes from.
      step: Number of the batch, for what has an order instead.
    """

  def prepared(self, seed: int, reads_data: bool = True) -> Self:
    """Returns the same with all that is drawn once for a run.

    Args:
      seed: Seed of the run.
      reads_data: Whether to draw it; if not, no data are read.
    """
    del seed, reads_data
    return self

  def for_evaluation(self) -> Self:
    """Returns what the final losses are averaged over."""
    return self


class Images(Batches):
  """Single images, drawn independently: a batch is float32 `[num, height, width, channels]`."""

  what = "single images"
  how_to_make = "give it the data set itself"

  def layout(self, num: int) -> Layout:
    """Returns the layout of the images."""
    return Layout((num, *self.data.observation_shape), np.float32)

  def sample(self, num: int, random_state: np.random.RandomState, step: int = 0) -> np.ndarray:
    """Returns images."""
    del step
    return self.data.sample_observations(num, random_state)


class Pair(NamedTuple):
  """A batch of pairs of images.

  Attributes:
    first: `[num, height, width, channels]`.
    second: The images after some factors were drawn again, of the same shape.
    changed: Index of the last factor that was drawn again, `[num]`.
  """

  first: Any
  second: Any
  changed: Any


@gin.register("dynamics", denylist=["data"])
class Pairs(Batches):
  """Pairs of images that share all but a few of their factors.

  Follows the code of Locatello et al. (2020), arXiv:2002.02886: the factors of the first image are
  drawn from the data set. With probability 1/2 one of them is drawn again, else k of them; with
  k = -1, k is drawn for each pair from 1, ..., num_factors - 1. A factor drawn again may keep its
  value, so that some pairs differ in nothing. Factors that the data set does not expose are drawn
  for each image.

  Unlike in disentanglement_lib, the new values come from the seed of the run rather than from
  NumPy's global generator. Where factors are correlated (`dataset.factor_distribution`), `redraw`
  says how a new value depends on the others.

  Attributes:
    k: Number of factors that change, or -1.
    exclude_current: Whether a factor drawn again gets another value for sure.
    redraw: How a factor is drawn again, a name in `pair_dynamics.REDRAWS`.
  """

  what = "pairs of images"
  how_to_make = "make them of the data set by dl.Pairs(data, k=1)"

  def __init__(
    self,
    data: ground_truth_data.GroundTruthData,
    k: int,
    exclude_current: bool = False,
    redraw: Literal["uniform", "fresh_draw", "given_first", "given_others"] = "uniform",
  ):
    """Describes the pairs.

    Args:
      data: The data set, with an image of every combination of factors.
      k: Number of factors that change in half of the pairs, in [1, num_factors], or -1.
      exclude_current: Whether a factor drawn again gets another value for sure; of "uniform".
      redraw: "uniform": any value. "fresh_draw": the factor's value in a new draw of all factors.
        "given_first": of the second factor of a correlated pair a value given the first, of others
        any value. "given_others": of a correlated factor another value given the others, of others
        any value, so that both images are as the data set draws them.

    Raises:
      ConfigError: If k is not a whole number in range, factors cannot be set one by one, a factor
        has no other value, or exclude_current is asked of another redraw.
    """
    super().__init__(data)
    num_factors = data.num_factors
    if not data.has_complete_grid:
      raise errors.ConfigError(
        f"Pairs need a complete grid, an image of every combination of factors, which {data.name} "
        "does not have: choose another data set, or a model that learns from single images."
      )
    is_whole = isinstance(k, numbers.Integral) and not isinstance(k, bool)
    if not (is_whole and (1 <= k <= num_factors or (k == ANY_NUMBER and num_factors > 1))):
      any_number = f", or {ANY_NUMBER} (any number)" if num_factors > 1 else ""
      raise errors.ConfigError(
        f"dynamics.k must be a whole number in [1, {num_factors}], the number of factors of "
        f"{data.name}{any_number}, got {k!r}."
      )
    if exclude_current and min(data.factors_num_values) < 2:
      name = data.factor_names[int(np.argmin(data.factors_num_values))]
      raise errors.ConfigError(
        f"dynamics.exclude_current needs factors of two or more values, and {name} of {data.name} "
        "has one: leave exclude_current at False."
      )
    if redraw not in pair_dynamics.REDRAWS:
      raise errors.ConfigError(
        f"dynamics.redraw must be one of {', '.join(pair_dynamics.REDRAWS)}, got {redraw!r}."
      )
    if exclude_current and redraw != "uniform":
      raise errors.ConfigError(
        f"dynamics.exclude_current is for dynamics.redraw='uniform', got {redraw!r}: leave it at "
        "False."
      )
    self.k = k
    self.exclude_current = exclude_current
    self.redraw = redraw

  def layout(self, num: int) -> Pair:
    """Returns the layouts of both images and of the index."""
    images = Layout((num, *self.data.observation_shape), np.float32)
    return Pair(images, images, Layout((num,), np.int32))

  def sample(self, num: int, random_state: np.random.RandomState, step: int = 0) -> Pair:
    """Returns pairs."""
    del step
    factors = self.data.sample_factors(num, random_state)
    steps = [self.step(row, random_state) for row in factors]
    after = np.stack([changed for changed, _ in steps])
    both = np.concatenate([factors, after])
    images = self.data.sample_observations_from_factors(both, random_state)
    last = np.array([chosen[-1] for _, chosen in steps], np.int32)
    return Pair(images[:num], images[num:], last)

  def step(
    self, factors: np.ndarray, random_state: np.random.RandomState
  ) -> tuple[np.ndarray, np.ndarray]:
    """Draws some factors of one image again.

    The draws are those of disentanglement_lib, in its order, but for the new values.

    Args:
      factors: `[num_factors]`.
      random_state: State that every draw comes from.

    Returns:
      The factors after it, `[num_factors]`, and the indices of those drawn again.
    """
    num_factors = len(factors)
    most = random_state.randint(1, num_factors) if self.k == ANY_NUMBER else self.k
    num_changed = (1, most)[random_state.randint(2)]
    chosen = random_state.permutation(num_factors)[:num_changed]
    after = factors.copy()
    for i in chosen:
      if self.exclude_current:
        value = random_state.randint(self.data.factors_num_values[i] - 1)
        after[i] = value + (value >= factors[i])  # Skips the current value.
      else:
        after[i] = pair_dynamics.REDRAWS[self.redraw](self.data, i, after, random_state)
    return after, chosen
