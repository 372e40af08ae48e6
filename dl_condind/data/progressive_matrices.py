"""Procedurally generated matrices (PGMs): puzzles of factor values, three rows of three cells.

Some factors are active: each is constant within every row, in the matrix of all three rows. The
others vary, so that they neither are constant in the first two rows nor differ in all cells of
both. Whoever solves the puzzle sees all cells but the last, and picks it among six answers (van
Steenkiste et al., 2019, arXiv:1905.12506).

All draws are those of disentanglement_lib, in its order.
"""

from collections.abc import Callable
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dl_condind.utils import errors

SIZE = 3  # rows, and cells in a row
NUM_ALTERNATIVES = 5
EASY, HARD = "easy", "hard"

_MAX_ALTERNATIVES = 100  # tried for each one that is wrong

_Propose = Callable[[list[int]], list[int]]  # From the last proposal to the next.


class Matrix(NamedTuple):
  """A puzzle.

  Attributes:
    active: Indices of the active factors, in the order they were drawn.
    cells: The matrix with its solution, int64 `[3, 3, num_factors]`.
    alternatives: Wrong values of the last cell, int64 `[5, num_factors]`.
  """

  active: list[int]
  cells: np.ndarray
  alternatives: np.ndarray


def sample(
  random_state: np.random.RandomState,
  num_relations: int,
  num_values: Sequence[int],
  strategy: str,
  keep_duplicates: bool = True,
) -> Matrix:
  """Draws a puzzle.

  Args:
    random_state: State that every draw comes from.
    num_relations: Number of active factors.
    num_values: Number of values of each factor, at least 3.
    strategy: How wrong answers are made: `EASY` takes the last cell of another random matrix with
      as many active factors, `HARD` changes one active factor of the solution and all others that
      are not active. Both go on until an active factor has another value than in its row.
    keep_duplicates: Whether two wrong answers may be equal, as disentanglement_lib lets them by
      mistake; otherwise another one is drawn.

  Raises:
    ConfigError: If there are fewer factors than relations, or too few values.
  """
  check_num_values(num_values, [f"factor {i}" for i in range(len(num_values))])
  if not 1 <= num_relations <= len(num_values):
    raise errors.ConfigError(
      f"A PGM of {len(num_values)} factors has from 1 to {len(num_values)} relations, got "
      f"{num_relations}."
    )
  active = _draw_active(random_state, num_relations, len(num_values))
  values = _draw_values(random_state, active, num_values)
  if strategy == EASY:
    propose = _easy_proposals(random_state, num_relations, num_values)
  else:
    propose = _hard_proposals(random_state, active, num_values)
  solution = _last_cell(values)
  alternatives: list[list[int]] = []
  for _ in range(NUM_ALTERNATIVES):
    excluded = [] if keep_duplicates else alternatives
    alternatives.append(_draw_wrong(propose, active, solution, excluded))
  cells = np.array(values, np.int64).T.reshape(SIZE, SIZE, -1)
  return Matrix(active, cells, np.array(alternatives, np.int64))


def check_num_values(num_values: Sequence[int], names: Sequence[str]) -> None:
  """Checks that every factor has enough values.

  Raises:
    ConfigError: If one has fewer than three.
  """
  for size, name in zip(num_values, names, strict=True):
    if size < SIZE:
      raise errors.ConfigError(
        f"Every factor of a PGM needs at least {SIZE} values, one for each cell of a row, and "
        f"{name} has {size}: choose another data set."
      )


def _draw_active(random_state: np.random.RandomState, num: int, num_factors: int) -> list[int]:
  """Returns active factors, drawn without replacement."""
  left = list(range(num_factors))
  return [left.pop(random_state.randint(len(left))) for _ in range(num)]


def _draw_values(
  random_state: np.random.RandomState, active: Sequence[int], num_values: Sequence[int]
) -> list[list[int]]:
  """Returns the nine values of each factor, row by row, of a matrix with given active factors."""
  values = []
  for factor, size in enumerate(num_values):
    if factor in active:
      rows = [random_state.randint(size) for _ in range(SIZE)]
      values.append([row for row in rows for _ in range(SIZE)])
    else:
      values.append(_draw_varying(random_state, size))
  return values


def _draw_varying(random_state: np.random.RandomState, size: int) -> list[int]:
  """Returns the nine values of a factor that is not active, row by row."""
  while True:  # At most 5 of 81 draws fail, of a factor with three values.
    values = random_state.randint(size, size=SIZE * SIZE).tolist()
    num_different = {len(set(values[:SIZE])), len(set(values[SIZE : 2 * SIZE]))}
    if num_different not in ({1}, {SIZE}):
      return values


def _last_cell(values: Sequence[Sequence[int]]) -> list[int]:
  return [of_factor[-1] for of_factor in values]


def _easy_proposals(
  random_state: np.random.RandomState, num_relations: int, num_values: Sequence[int]
) -> _Propose:
  def propose(current: list[int]) -> list[int]:
    del current
    active = _draw_active(random_state, num_relations, len(num_values))
    return _last_cell(_draw_values(random_state, active, num_values))

  return propose


def _hard_proposals(
  random_state: np.random.RandomState, active: Sequence[int], num_values: Sequence[int]
) -> _Propose:
  def propose(current: list[int]) -> list[int]:
    changed = current.copy()
    factor = active[random_state.randint(len(active))]
    changed[factor] = random_state.randint(num_values[factor])
    for factor, size in enumerate(num_values):
      if factor not in active:
        changed[factor] = random_state.randint(size)
    return changed

  return propose


def _draw_wrong(
  propose: _Propose,
  active: Sequence[int],
  solution: list[int],
  excluded: Sequence[list[int]],
) -> list[int]:
  """Returns the first of a chain of proposals that breaks the rule and is not excluded.

  The chain starts at the solution.
  """
  found = solution
  for _ in range(_MAX_ALTERNATIVES):
    found = propose(found)
    if any(found[i] != solution[i] for i in active) and found not in excluded:
      return found
  raise errors.ConfigError(
    f"No wrong answer was found in {_MAX_ALTERNATIVES} draws: the factors have too few values."
  )
