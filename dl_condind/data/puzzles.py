"""Puzzles of panels: images, or what stands for them, in the cells of progressive matrices."""

from collections.abc import Sequence
import copy
import re
from typing import Any
from typing import NamedTuple
from typing import Self

import gin
import numpy as np

from dl_condind.data import batches
from dl_condind.data import progressive_matrices
from dl_condind.data.ground_truth import factor_distributions
from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.data.ground_truth import quantized_factors
from dl_condind.utils import errors

NUM_CONTEXT = 8  # panels that are given
NUM_ANSWERS = 6  # panels to choose from
NUM_PANELS = NUM_CONTEXT + NUM_ANSWERS

# What of a panel a batch has.
FACTORS, ROWS, IMAGES = "factors", "rows", "images"

# Numbers of values in van Steenkiste et al. (2019). Other data sets are taken as they are.
NUM_VALUES = {"abstract_dsprites": (5, 6, 3, 3, 4, 4), "shapes3d": (10, 10, 10, 4, 4, 4)}
_MAX_RELATIONS = 3
_TYPE = re.compile(r"(easy|hard)_?([123]|mixed)")


class Puzzle(NamedTuple):
  """A puzzle and its panels.

  Attributes:
    matrix: Its factor values.
    solution: What is seen of the nine panels of the solved matrix, row by row, `[9, ...]`.
    alternatives: What is seen of the wrong answers, `[5, ...]`.
    position: Index of the right answer among the six.
  """

  matrix: progressive_matrices.Matrix
  solution: np.ndarray
  alternatives: np.ndarray
  position: int

  def panels(self) -> np.ndarray:
    """Returns the eight panels that are given, then the six answers, `[14, ...]`."""
    context, right = self.solution[:-1], self.solution[-1:]
    wrong = np.split(self.alternatives, [self.position])
    return np.concatenate([context, wrong[0], right, wrong[1]])


class PuzzleBatch(NamedTuple):
  """A batch of puzzles.

  Attributes:
    panels: The eight panels that are given, then the six answers: factors, int32
      `[num, 14, num_factors]`; numbers of rows, int32 `[num, 14]`; or images, float32
      `[num, 14, ...]`.
    position: Index of the right answer, int32 `[num]`.
  """

  panels: Any
  position: Any


class Puzzles(batches.Batches):
  """Puzzles of a data set, with the draws of disentanglement_lib in its order.

  Unlike there, the wrong answers of `hard` puzzles are hard. Factors that a data set does not
  expose, such as the orientation of `abstract_dsprites`, are drawn for each panel.

  Attributes:
    data: The data set with the numbers of values that puzzles have.
    pgm_type: `easy1`, `easy2`, `easy3`, `easy_mixed`, `hard1`, ...
    keep_duplicates: Whether two wrong answers may be equal.
    sees: What of a panel a batch has: `FACTORS`, `ROWS` (indices into `rows`) or `IMAGES`.
    rows: Rows of all panels that there are, int64 `[num]`, sorted; None unless ROWS are seen.
  """

  data: quantized_factors.QuantizedFactors
  what = "puzzles"
  how_to_make = "make them of the data set by dl.Puzzles(data, 'easy1')"

  def __init__(
    self,
    data: ground_truth_data.GroundTruthData,
    pgm_type: str,
    num_values: Sequence[int] | None = None,
    keep_duplicates: bool = True,
  ):
    """Describes the puzzles.

    Args:
      data: The data set, with an image of every combination of factors.
      pgm_type: How wrong answers are made, `easy` or `hard`, and how many factors are constant in
        each row: 1, 2, 3 or, each with probability 1/3, `mixed`. See `progressive_matrices.sample`.
      num_values: Largest number of values of each factor. None stands for those of van Steenkiste
        et al. (2019) for `abstract_dsprites` and `shapes3d`, and for all values of other data sets.
      keep_duplicates: Whether two wrong answers of a puzzle may be equal, as in
        disentanglement_lib.

    Raises:
      ConfigError: If the type is unknown, factors cannot be set one by one or have a distribution
        of their own, there are fewer than three of them, or one has fewer than three values.
    """
    super().__init__(data)
    match = _TYPE.fullmatch(pgm_type)
    if match is None:
      raise errors.ConfigError(
        "pgm.pgm_type must be easy or hard followed by 1, 2, 3 or _mixed, such as 'easy1' or "
        f"'hard_mixed', got {pgm_type!r}."
      )
    if not data.has_complete_grid:
      raise errors.ConfigError(
        f"A PGM needs an image of every combination of factors, which {data.name} does not have: "
        "choose another data set."
      )
    if isinstance(data, factor_distributions.RedistributedFactors):
      raise errors.ConfigError(
        "A PGM draws factors by its own rules, so dataset.factor_distribution has no meaning for "
        "it: leave it out."
      )
    if data.num_factors < _MAX_RELATIONS:
      raise errors.ConfigError(
        f"A PGM needs at least {_MAX_RELATIONS} factors, and {data.name} has {data.num_factors}: "
        "choose another data set."
      )
    allowed = num_values or NUM_VALUES.get(data.name) or data.factors_num_values
    self.data = quantized_factors.QuantizedFactors(data, allowed)
    names = [f"{name!r} of {data.name}" for name in data.factor_names]
    progressive_matrices.check_num_values(self.data.factors_num_values, names)
    self.pgm_type = pgm_type
    self.keep_duplicates = keep_duplicates
    self.sees = IMAGES
    self.rows: np.ndarray | None = None
    self._strategy, number = match.groups()
    self._probabilities = np.full(3, 1 / 3) if number == "mixed" else np.eye(3)[int(number) - 1]

  def seen_as(self, sees: str) -> Self:
    """Returns the same puzzles, of whose panels batches have factors, rows or images."""
    puzzles = copy.copy(self)
    puzzles.sees = sees
    puzzles.rows = self.data.all_rows() if sees == ROWS else None
    return puzzles

  def layout(self, num: int) -> PuzzleBatch:
    """Returns the layouts of panels and positions."""
    shapes = {FACTORS: (self.data.num_factors,), ROWS: (), IMAGES: self.data.observation_shape}
    dtype = np.float32 if self.sees == IMAGES else np.int32
    panels = batches.Layout((num, NUM_PANELS, *shapes[self.sees]), dtype)
    return PuzzleBatch(panels, batches.Layout((num,), np.int32))

  def sample(self, num: int, random_state: np.random.RandomState, step: int = 0) -> PuzzleBatch:
    """Returns puzzles, each drawn after the one before."""
    del step
    found = [self.sample_puzzle(random_state) for _ in range(num)]
    panels = np.stack([puzzle.panels() for puzzle in found])
    if self.rows is not None:
      panels = np.searchsorted(self.rows, panels)
    return PuzzleBatch(panels, np.array([puzzle.position for puzzle in found]))

  def sample_puzzle(self, random_state: np.random.RandomState) -> Puzzle:
    """Returns one puzzle."""
    num_relations = 1 + random_state.choice(_MAX_RELATIONS, p=self._probabilities)
    matrix = progressive_matrices.sample(
      random_state,
      num_relations,
      self.data.factors_num_values,
      self._strategy,
      self.keep_duplicates,
    )
    solution = np.concatenate([self._panels(row, random_state) for row in matrix.cells])
    alternatives = self._panels(matrix.alternatives, random_state)
    return Puzzle(matrix, solution, alternatives, random_state.randint(NUM_ANSWERS))

  def _panels(self, factors: np.ndarray, random_state: np.random.RandomState) -> np.ndarray:
    """Returns what is seen of panels with some factors, with the same draws whatever it is."""
    if self.sees == IMAGES or not self.data.has_rows:
      images = self.data.sample_observations_from_factors(factors, random_state)
      return factors if self.sees == FACTORS else images
    rows = self.data.sample_rows_from_factors(factors, random_state)
    return factors if self.sees == FACTORS else rows


@gin.configurable("pgm", denylist=["data"])
def puzzles_of(
  data: ground_truth_data.GroundTruthData,
  pgm_type: str = gin.REQUIRED,
  num_values: Sequence[int] | None = None,
  keep_duplicates: bool = True,
) -> Puzzles:
  """Returns the puzzles that gin binds; arguments and errors as `Puzzles`."""
  return Puzzles(data, pgm_type, num_values, keep_duplicates)
