from helpers import testdata
import numpy as np
import pytest

from dl_condind.data import progressive_matrices
from dl_condind.utils import errors

SIZES = [5, 6, 3, 3, 4, 4]
STRATEGIES = ("easy", "hard")


@pytest.mark.parametrize("number", range(60))
def test_puzzles_are_those_of_disentanglement_lib_to_the_last_draw(number):
  known = testdata.dlib_puzzles()[number]
  random_state = np.random.RandomState(known["seed"])
  found = progressive_matrices.sample(
    random_state, known["num_relations"], known["sizes"], known["strategy"]
  )
  assert found.active == known["active"]
  assert found.cells.tolist() == known["matrix"]
  assert found.alternatives.tolist() == known["alternatives"]
  assert random_state.random_sample() == known["next_rand"]


def fits(matrix, answer):
  """Returns whether an answer completes the last row, judged by the rows before alone."""
  rule = [f for f in range(len(SIZES)) if all(len(set(row)) == 1 for row in matrix.cells[:2, :, f])]
  assert set(rule) == set(matrix.active)
  return all(answer[f] == matrix.cells[2, 0, f] for f in rule)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_exactly_one_answer_fits(strategy):
  random_state = np.random.RandomState(0)
  for number in range(300):
    matrix = progressive_matrices.sample(random_state, 1 + number % 3, SIZES, strategy)
    assert fits(matrix, matrix.cells[2, 2])
    assert not any(fits(matrix, answer) for answer in matrix.alternatives)
    for factor in set(range(len(SIZES))) - set(matrix.active):
      rows = matrix.cells[:2, :, factor].tolist()
      assert {len(set(row)) for row in rows} not in ({1}, {3})


def test_hard_answers_agree_with_the_rule_more_often():
  def mean_agreement(strategy):
    random_state = np.random.RandomState(1)
    found = []
    for _ in range(300):
      matrix = progressive_matrices.sample(random_state, 3, SIZES, strategy)
      active = matrix.active
      found.append((matrix.alternatives == matrix.cells[2, 2])[:, active].mean())
    return np.mean(found)

  assert mean_agreement("easy") < 0.3 < 0.4 < mean_agreement("hard")


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_equal_answers_are_drawn_again_if_asked(strategy):
  def num_with_duplicates(keep_duplicates):
    random_state = np.random.RandomState(2)
    num = 0
    for _ in range(300):
      matrix = progressive_matrices.sample(random_state, 1, [3, 3, 3], strategy, keep_duplicates)
      num += len({tuple(answer) for answer in matrix.alternatives.tolist()}) < 5
    return num

  assert num_with_duplicates(True) > 15
  assert num_with_duplicates(False) == 0


def test_factors_of_two_values_and_too_many_relations_are_refused():
  random_state = np.random.RandomState(0)
  with pytest.raises(errors.ConfigError, match=r"needs at least 3 values.*factor 1 has 2: choose"):
    progressive_matrices.sample(random_state, 1, [3, 2, 4], "easy")
  with pytest.raises(errors.ConfigError, match=r"of 2 factors has from 1 to 2 relations, got 3"):
    progressive_matrices.sample(random_state, 3, [3, 3], "hard")
