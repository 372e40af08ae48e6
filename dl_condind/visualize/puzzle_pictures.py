"""Pictures of puzzles: the question, the answers, and the solution."""

import pathlib

import numpy as np
from PIL import Image
from PIL import ImageDraw
from PIL import ImageFont

from dl_condind.data import puzzles
from dl_condind.utils import errors
from dl_condind.utils import files
from dl_condind.utils import observations
from dl_condind.visualize import image_grids

MAX_PUZZLES = 1000

_COLUMNS = 3
_BORDER = 4  # pixels around a panel
_GAP = 8  # pixels between panels, and around all
_LINE = 2  # pixels, the line between question and answers
_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)
_PLAIN = (210, 210, 210)  # grey, around panels that are neither right nor wrong
_RIGHT, _WRONG = (52, 168, 83), (234, 67, 53)  # green and red


def save(made: puzzles.Puzzles, num_puzzles: int, seed: int, folder: pathlib.Path) -> None:
  """Writes pictures of puzzles: `puzzle_{i}.png`, and `puzzle_{i}_solved.png` with the solution.

  Args:
    made: The puzzles.
    num_puzzles: Number of puzzles, the first that a `RandomState` of seed draws.
    seed: Seed of the puzzles.
    folder: Folder to write, as a whole.

  Raises:
    ConfigError: If the panels are vectors, or the number is out of range.
    DatasetError: If the data cannot be read.
  """
  check(made, num_puzzles)
  made = made.seen_as(puzzles.IMAGES)
  random_state = np.random.RandomState(seed)
  with files.atomic_directory(folder) as temporary:
    for number in range(num_puzzles):
      puzzle = made.sample_puzzle(random_state)
      draw(puzzle).save(temporary / f"puzzle_{number}.png")
      draw(puzzle, is_solved=True).save(temporary / f"puzzle_{number}_solved.png")


def check(made: puzzles.Puzzles, num_puzzles: int) -> None:
  """Checks what `save` gets; errors as there."""
  if not 0 <= num_puzzles <= MAX_PUZZLES:
    raise errors.ConfigError(f"num_pictures must be in [0, {MAX_PUZZLES}], got {num_puzzles}.")
  if num_puzzles and observations.is_vector(made.data.observation_shape):
    raise errors.ConfigError(
      f"{made.data.name} has vectors, which are not drawn: leave num_pictures at 0."
    )


def draw(puzzle: puzzles.Puzzle, is_solved: bool = False) -> Image.Image:
  """Returns the picture of a puzzle of images: the matrix on the left, the answers on the right.

  Args:
    puzzle: The puzzle.
    is_solved: Whether to show the solution, with green around it and red around what is wrong,
      instead of a question mark.
  """
  panels = [_panel(pixels) for pixels in image_grids.to_bytes(puzzle.panels())]
  context, answers = panels[: puzzles.NUM_CONTEXT], panels[puzzles.NUM_CONTEXT :]
  last = answers[puzzle.position] if is_solved else _question_mark(panels[0].size)
  cells = [*((panel, _PLAIN) for panel in context), (last, _RIGHT if is_solved else _PLAIN)]
  question = _grid(cells)
  colors = [_RIGHT if i == puzzle.position else _WRONG for i in range(len(answers))]
  choice = _grid([(panel, colors[i] if is_solved else _PLAIN) for i, panel in enumerate(answers)])
  width = question.width + choice.width + 2 * _GAP + _LINE
  canvas = Image.new("RGB", (width + 2 * _GAP, question.height + 2 * _GAP), _WHITE)
  canvas.paste(question, (_GAP, _GAP))
  left = 2 * _GAP + question.width
  box = (left, _GAP, left + _LINE - 1, _GAP + question.height - 1)
  ImageDraw.Draw(canvas).rectangle(box, fill=_BLACK)
  canvas.paste(choice, (left + _LINE + _GAP, _GAP))
  return canvas


def _panel(pixels: np.ndarray) -> Image.Image:
  """Returns a panel in color, uint8 `[height, width, 1 or 3]`."""
  grey = pixels.shape[-1] == 1
  return Image.fromarray(pixels[:, :, 0] if grey else pixels).convert("RGB")


def _question_mark(size: tuple[int, int]) -> Image.Image:
  """Returns a question mark in the middle of a white panel."""
  panel = Image.new("RGB", size, _WHITE)
  font = ImageFont.load_default(0.6 * min(size))
  middle = (size[0] / 2, size[1] / 2)
  ImageDraw.Draw(panel).text(middle, "?", _BLACK, font, anchor="mm")
  return panel


def _grid(cells: list[tuple[Image.Image, tuple[int, int, int]]]) -> Image.Image:
  """Returns panels, three in a row, each in a border of its color."""
  width, height = cells[0][0].width + 2 * _BORDER, cells[0][0].height + 2 * _BORDER
  num_rows = -(-len(cells) // _COLUMNS)
  size = (_COLUMNS * (width + _GAP) - _GAP, num_rows * (height + _GAP) - _GAP)
  canvas = Image.new("RGB", size, _WHITE)
  for index, (panel, color) in enumerate(cells):
    row, column = divmod(index, _COLUMNS)
    left, top = column * (width + _GAP), row * (height + _GAP)
    canvas.paste(Image.new("RGB", (width, height), color), (left, top))
    canvas.paste(panel, (left + _BORDER, top + _BORDER))
  return canvas
