"""The log of a training: a JSON object of scalars a line."""

from collections.abc import Mapping
from collections.abc import Sequence
import contextlib
import os
import pathlib

import numpy as np

from dl_condind.utils import errors
from dl_condind.utils import json_objects
from dl_condind.utils import run_folder

NAME = run_folder.TRAIN_LOG
END_SHARE = 0.2  # of the lines
NUM_BLOCKS = 20


def read(model_dir: str | os.PathLike) -> dict[str, np.ndarray]:
  """Returns the scalars that a training logged.

  Args:
    model_dir: Folder of the trained model.

  Returns:
    `step` and the scalars by name, each float64 `[num_lines]`.

  Raises:
    DatasetError: If the log is missing, empty or damaged.
  """
  path = run_folder.StageFolder(pathlib.Path(model_dir)).log
  if not path.is_file():
    raise errors.DatasetError(f"No {path}: name the folder of a trained model.")
  try:
    entries = [json_objects.parse(line) for line in path.read_bytes().splitlines()]
    names = ["step", *entries[0]]
    return {name: _scalars(name, [entry[name] for entry in entries]) for name in names}
  except (ValueError, KeyError, IndexError) as error:
    raise errors.DatasetError(
      f"{path} is empty or damaged ({error}): restore it, or train the model again."
    ) from error


def _scalars(name: str, values: Sequence[object]) -> np.ndarray:
  if not all(isinstance(value, int | float) for value in values):
    raise ValueError(f"{name} is not a number in each line")
  return np.array(values, np.float64)


def whole_lines(model_dir: str | os.PathLike) -> list[tuple[int, str]]:
  """Returns (step, line) of each line of the log that is whole and undamaged."""
  return whole_lines_of(run_folder.StageFolder(pathlib.Path(model_dir)).log)


def whole_lines_of(path: pathlib.Path) -> list[tuple[int, str]]:
  """Returns (step, line) of each line of a file like a log that is whole and undamaged."""
  found = []
  for line in path.read_bytes().splitlines() if path.is_file() else ():
    with contextlib.suppress(ValueError):
      step = json_objects.parse(line).get("step")
      if isinstance(step, int):
        found.append((step, line.decode("utf-8")))
  return found


def last_step(model_dir: str | os.PathLike) -> int:
  """Returns the step of the last line of the log that is whole, 0 if there is none."""
  lines = whole_lines(model_dir)
  return lines[-1][0] if lines else 0


def end_means(log: Mapping[str, np.ndarray], names: Sequence[str]) -> dict[str, float]:
  """Returns the means of scalars over the last lines of a log, of which they are END_SHARE."""
  num_lines = max(1, round(END_SHARE * len(log["step"])))
  return {name: float(log[name][-num_lines:].mean()) for name in names}


def drifts(log: Mapping[str, np.ndarray], names: Sequence[str]) -> dict[str, float]:
  """Returns how much scalars still change at the end of a log, as shares of their whole range.

  The log is cut into NUM_BLOCKS blocks of equal length. The drift is the mean over the last fifth
  of the blocks less that over the fifth before, divided by the range of all blocks' means: 0.21 for
  a straight line, near 0 for a curve that has settled.

  Returns:
    Name -> drift. Scalars of logs shorter than NUM_BLOCKS lines, or constant ones, are left out.
  """
  found = {}
  for name in names:
    if len(log[name]) < NUM_BLOCKS:
      continue
    blocks = np.array([block.mean() for block in np.array_split(log[name], NUM_BLOCKS)])
    fifth = NUM_BLOCKS // 5
    if np.ptp(blocks):
      change = blocks[-fifth:].mean() - blocks[-2 * fifth : -fifth].mean()
      found[name] = float(change / np.ptp(blocks))
  return found
