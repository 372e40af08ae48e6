"""The log of a training: a JSON object of scalars a line."""

from collections.abc import Mapping
from collections.abc import Sequence
import json
import os
import pathlib

import numpy as np

from dl_condind.utils import errors

NAME = "train_log.jsonl"
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
  path = pathlib.Path(model_dir) / NAME
  if not path.is_file():
    raise errors.DatasetError(f"No {path}: name the folder of a trained model.")
  lines = path.read_text(encoding="utf-8").splitlines()
  try:
    entries = [json.loads(line) for line in lines]
    names = ["step", *entries[0]]
    return {name: np.array([entry[name] for entry in entries], np.float64) for name in names}
  except (ValueError, KeyError, IndexError, TypeError) as error:
    raise errors.DatasetError(
      f"{path} is empty or damaged ({error}): restore it, or train the model again."
    ) from error


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
