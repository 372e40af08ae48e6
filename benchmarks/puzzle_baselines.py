"""Prints how many puzzles two rules solve, one of which does not understand them.

    python benchmarks/puzzle_baselines.py

"all rows" takes an answer that goes on with every factor which is constant in each row. "third row"
does not look at the rows that are complete: of the factors on which the two given panels of the
third row agree, the answer goes on with as many as it can. Where a rule leaves several answers, it
counts as right by chance. A network is at the start of understanding `easy` puzzles only where it
is better than the second rule.
"""

import numpy as np

import dl_condind as dl
from dl_condind.data import puzzles

NUM_VALUES = {"spots": (5, 5, 3, 3), "abstract_dsprites": None}
TYPES = ("easy1", "easy2", "easy3", "hard1", "hard2", "hard3")


def solved(scores: np.ndarray, position: np.ndarray) -> float:
  """Returns the share of puzzles whose right answer has the highest score, ties at chance.

  Args:
    scores: `[num, 6]`.
    position: Index of the right answer, `[num]`.
  """
  is_best = scores == scores.max(axis=1, keepdims=True)
  return float(np.mean(is_best[np.arange(len(position)), position] / is_best.sum(axis=1)))


def scores_of_rules(batch: puzzles.PuzzleBatch) -> tuple[np.ndarray, np.ndarray]:
  """Returns the scores of "all rows" and of "third row", `[num, 6]`."""
  rows = batch.panels[:, :6].reshape(len(batch.panels), 2, 3, -1)  # [num, row, column, factor]
  is_constant = (rows == rows[:, :, :1]).all(axis=(1, 2))  # [num, factor]
  agrees = batch.panels[:, 6] == batch.panels[:, 7]
  goes_on = batch.panels[:, 8:] == batch.panels[:, 7:8]  # [num, answer, factor]
  is_active = (is_constant & agrees)[:, None]
  return (goes_on & is_active).sum(axis=2), (goes_on & agrees[:, None]).sum(axis=2)


def main(num: int = 5_000) -> None:
  """Prints a table."""
  print("| data set | type | all rows | third row |\n| --- | --- | ---: | ---: |")
  for name, num_values in NUM_VALUES.items():
    data = dl.load_data(name)
    for pgm_type in TYPES:
      drawn = dl.Puzzles(data, pgm_type, num_values).seen_as(puzzles.FACTORS)
      batch = drawn.sample(num, np.random.RandomState(0))
      shares = [solved(scores, batch.position) for scores in scores_of_rules(batch)]
      print(f"| {name} | `{pgm_type}` | {shares[0]:.3f} | {shares[1]:.3f} |")


if __name__ == "__main__":
  main()
