import numpy as np
import pytest

import dl_condind as dl
from dl_condind.data import progressive_matrices
from dl_condind.data import puzzles
from dl_condind.data.ground_truth import cars3d
from dl_condind.data.ground_truth import dsprites_variants
from dl_condind.data.ground_truth import dummy_data
from dl_condind.data.ground_truth import mpi3d
from dl_condind.data.ground_truth import shapes3d
from dl_condind.data.ground_truth import spots
from dl_condind.utils import errors

SPOTS = (5, 5, 3, 3)


def test_a_puzzle_is_drawn_in_the_order_of_disentanglement_lib():
  made = puzzles.Puzzles(dsprites_variants.AbstractDSprites(), "hard_mixed")
  puzzle = made.sample_puzzle(np.random.RandomState(5))
  rs = np.random.RandomState(5)
  number = 1 + rs.choice(3, p=[1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0])
  matrix = progressive_matrices.sample(rs, number, [5, 6, 3, 3, 4, 4], "hard")
  original = dsprites_variants.AbstractDSprites()
  spaced = np.array([1, 1, 1, 2, 8, 8])
  rows = [original.sample_observations_from_factors(row * spaced, rs) for row in matrix.cells]
  wrong = original.sample_observations_from_factors(matrix.alternatives * spaced, rs)
  np.testing.assert_array_equal(puzzle.solution, np.concatenate(rows))
  np.testing.assert_array_equal(puzzle.alternatives, wrong)
  assert puzzle.position == rs.choice(6)


@pytest.mark.parametrize("sees", [puzzles.FACTORS, puzzles.ROWS, puzzles.IMAGES])
def test_batches_are_the_same_puzzles_whatever_is_seen(sees):
  made = puzzles.Puzzles(spots.Spots(), "easy2", SPOTS)
  states = [np.random.RandomState(0) for _ in range(2)]
  images = made.sample(4, states[0])
  assert images.panels.shape == (4, 14, 16, 16, 1)
  seen = made.seen_as(sees)
  batch = seen.sample(4, states[1])
  np.testing.assert_array_equal(batch.position, images.position)
  assert states[0].random_sample() == states[1].random_sample()
  if sees == puzzles.FACTORS:
    spaced = batch.panels.reshape(-1, 4) * [2, 2, 2, 2]
    shown = spots.Spots().sample_observations_from_factors(spaced, None)
  elif sees == puzzles.ROWS:
    assert len(seen.rows) == np.prod(SPOTS)
    shown = spots.Spots().observations_from_rows(seen.rows[batch.panels.reshape(-1)])
  else:
    shown = batch.panels
  np.testing.assert_array_equal(shown.reshape(images.panels.shape), images.panels)
  layout = seen.layout(4)
  assert layout.panels.shape == batch.panels.shape and layout.position.shape == (4,)


def test_the_right_answer_is_at_its_position_and_positions_vary():
  made = puzzles.Puzzles(spots.Spots(), "easy1", SPOTS).seen_as(puzzles.FACTORS)
  random_state = np.random.RandomState(0)
  positions = []
  for _ in range(50):
    puzzle = made.sample_puzzle(random_state)
    panels, cells = puzzle.panels(), puzzle.matrix.cells.reshape(9, -1)
    np.testing.assert_array_equal(panels[:8], cells[:8])
    np.testing.assert_array_equal(panels[8 + puzzle.position], cells[8])
    others = np.delete(panels[8:], puzzle.position, axis=0)
    np.testing.assert_array_equal(others, puzzle.matrix.alternatives)
    positions.append(puzzle.position)
  assert set(positions) == set(range(6))


def test_data_without_rows_draws_its_images_in_any_case():
  made = puzzles.Puzzles(dummy_data.DummyData(), "easy1")
  assert made.data.factors_num_values == [5] * 10
  states = [np.random.RandomState(0) for _ in range(2)]
  for state, sees in zip(states, (puzzles.FACTORS, puzzles.IMAGES), strict=True):
    made.seen_as(sees).sample(2, state)
  assert states[0].random_sample() == states[1].random_sample()


def test_sizes_are_those_of_the_paper():
  for data, sizes in (
    (dsprites_variants.AbstractDSprites(), [5, 6, 3, 3, 4, 4]),
    (shapes3d.Shapes3D(), [10, 10, 10, 4, 4, 4]),
  ):
    assert puzzles.Puzzles(data, "hard3").data.factors_num_values == sizes


@pytest.mark.parametrize(
  ("data", "pgm_type", "message"),
  [
    (spots.Spots(), "easy_mixes", r"pgm_type must be easy or hard followed by 1, 2, 3 or _mixed"),
    (spots.Spots(), "easy4", r"got 'easy4'"),
    (mpi3d.MPI3D("mpi3d_toy"), "easy1", r"'object size' of mpi3d_toy has 2: choose"),
    (3, "easy1", r"data must be a data set"),
  ],
)
def test_mistakes_are_refused(data, pgm_type, message):
  with pytest.raises(errors.ConfigError, match=message):
    puzzles.Puzzles(data, pgm_type)


class WithGaps(spots.Spots):
  """Spots that would lack some combinations of factors."""

  has_complete_grid = False


def test_data_with_gaps_is_refused():
  with pytest.raises(errors.ConfigError, match=r"every combination of factors, which spots does"):
    puzzles.Puzzles(WithGaps(), "easy1")


def test_data_with_a_distribution_of_their_own_are_refused():
  distribution = dl.FactorDistribution(held_out=[{"width": 0, "brightness": 0}])
  data = dl.load_data("spots", factor_distribution=distribution)
  with pytest.raises(errors.ConfigError, match=r"factor_distribution has no meaning"):
    puzzles.Puzzles(data, "easy1")


def test_numbers_of_values_are_checked():
  with pytest.raises(errors.ConfigError, match=r"'width' of spots has 2"):
    puzzles.Puzzles(spots.Spots(), "easy1", (5, 5, 2, 3))
  with pytest.raises(errors.ConfigError, match=r"must be 3 positive numbers"):
    puzzles.Puzzles(cars3d.Cars3D(), "easy1", (5, 5))
