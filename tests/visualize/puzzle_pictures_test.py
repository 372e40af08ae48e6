import numpy as np
import pytest

from dl_condind.data import puzzles
from dl_condind.data.ground_truth import dsprites_variants
from dl_condind.data.ground_truth import spots
from dl_condind.utils import errors
from dl_condind.visualize import puzzle_pictures

GREEN, RED, GREY = (52, 168, 83), (234, 67, 53), (210, 210, 210)
SPOT = 16 + 8 + 8  # pixels from one panel to the next


def corner(row, column):
  """Returns where the border of a cell begins, for images of 16 x 16 pixels."""
  right = 2 * 8 + 2 + 3 * SPOT - 8 if column > 2 else 0
  return 8 + (column % 3) * SPOT + right, 8 + row * SPOT


@pytest.fixture
def puzzle():
  return puzzles.Puzzles(spots.Spots(), "easy1").sample_puzzle(np.random.RandomState(0))


@pytest.mark.parametrize("is_solved", [False, True])
def test_panels_are_where_they_belong(puzzle, is_solved):
  picture = puzzle_pictures.draw(puzzle, is_solved)
  panels = np.round(255 * puzzle.panels()[..., 0])
  answers = [(i // 3, 3 + i % 3, 8 + i) for i in range(6)]
  for row, column, number in [(i // 3, i % 3, i) for i in range(8)] + answers:
    left, top = corner(row, column)
    shown = np.asarray(picture)[top + 4 : top + 20, left + 4 : left + 20]
    np.testing.assert_array_equal(shown, np.repeat(panels[number][..., None], 3, axis=2))
    right = number - 8 == puzzle.position
    color = GREY if number < 8 or not is_solved else GREEN if right else RED
    assert picture.getpixel((left, top)) == color
  left, top = corner(2, 2)
  last = np.asarray(picture)[top + 4 : top + 20, left + 4 : left + 20, 0]
  assert np.array_equal(last, panels[8 + puzzle.position]) == is_solved
  assert picture.getpixel((left, top)) == (GREEN if is_solved else GREY)


def test_colors_are_kept():
  made = puzzles.Puzzles(dsprites_variants.AbstractDSprites(), "easy1")
  puzzle = made.sample_puzzle(np.random.RandomState(0))
  picture = np.asarray(puzzle_pictures.draw(puzzle))
  shown = picture[12 : 12 + 64, 12 : 12 + 64]
  np.testing.assert_array_equal(shown, np.round(255 * puzzle.panels()[0]).astype(np.uint8))


def test_files_are_the_puzzles_of_the_seed(tmp_path):
  made = puzzles.Puzzles(spots.Spots(), "hard2").seen_as(puzzles.FACTORS)
  puzzle_pictures.save(made, 2, 5, tmp_path / "pictures")
  random_state = np.random.RandomState(5)
  images = made.seen_as(puzzles.IMAGES)
  for number in range(2):
    puzzle = images.sample_puzzle(random_state)
    for end, is_solved in (("", False), ("_solved", True)):
      path = tmp_path / "pictures" / f"puzzle_{number}{end}.png"
      expected = np.asarray(puzzle_pictures.draw(puzzle, is_solved))
      np.testing.assert_array_equal(np.asarray(puzzle_pictures.Image.open(path)), expected)


def test_number_is_checked():
  made = puzzles.Puzzles(spots.Spots(), "easy1")
  with pytest.raises(errors.ConfigError, match=r"num_pictures must be in \[0, 1000\], got -1"):
    puzzle_pictures.check(made, -1)
