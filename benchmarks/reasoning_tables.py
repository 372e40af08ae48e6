"""Prints how well networks solve puzzles from the codes of models with different noise.

    python benchmarks/reasoning_tables.py output/reasoning_spots

The first table has the mean test accuracy over the seeds after each iteration of the training on
puzzles. The second one has the mean differences to independent noise of the same seed: of the
accuracy averaged over the iterations, which tells how fast a network learns, and of the one it ends
with. Intervals are Student's, at 98.75 %, so that all four hold together at 95 %.
"""

import re
import sys

import numpy as np

from dl_condind.reports import paired
from dl_condind.reports import study_runs

CONTROL = "independent"
GROUPS = (CONTROL, "equicorrelated", "rotated")
CONFIDENCE = 1 - 0.05 / 4
_ACCURACY = re.compile(r"mean\.reasoning\.\w+\.step(\d+)\.test\.accuracy")


def learning_curve(run: study_runs.Run) -> list[float]:
  """Returns the test accuracy of a run after each iteration, in their order."""
  found = {int(m[1]): run.row[m[0]] for m in map(_ACCURACY.fullmatch, run.row) if m}
  return [float(found[step]) for step in sorted(found)]


def read_study(study_dir: str) -> dict[str, dict[str, list[float]]]:
  """Returns noise -> seed -> test accuracy after each iteration."""
  found: dict[str, dict[str, list[float]]] = {group: {} for group in GROUPS}
  for run in study_runs.read_runs(study_dir):
    if curve := learning_curve(run):
      found[run.noise_correlation][run.seed] = curve
  return found


def main(study_dir: str) -> None:
  """Prints both tables."""
  found = read_study(study_dir)
  if not found[CONTROL]:
    sys.exit(f"No finished run with {CONTROL} noise in {study_dir}.")
  num_iterations = len(next(iter(found[CONTROL].values())))
  print(f"| noise | seeds | {' | '.join(str(i + 1) for i in range(num_iterations))} |")
  print(f"| --- |{' ---: |' * (num_iterations + 1)}")
  for group, by_seed in found.items():
    if by_seed:
      numbers = " | ".join(f"{mean:.3f}" for mean in np.mean(list(by_seed.values()), axis=0))
      print(f"| `{group}` | {len(by_seed)} | {numbers} |")
  print(
    "\n| noise | pairs | mean over iterations | after the last one |\n| --- | ---: | ---: | ---: |"
  )
  for group in GROUPS[1:]:
    seeds = sorted(found[CONTROL].keys() & found[group].keys())
    curves = [np.subtract(found[group][seed], found[CONTROL][seed]) for seed in seeds]
    cells = []
    for differences in ([curve.mean() for curve in curves], [curve[-1] for curve in curves]):
      interval = paired.interval(differences, CONFIDENCE)
      ends = f" ({interval[0]:+.3f} to {interval[1]:+.3f})" if interval else ""
      cells.append(f"{np.mean(differences):+.3f}{ends}")
    print(f"| `{group}` | {len(seeds)} | {' | '.join(cells)} |")


if __name__ == "__main__":
  main(*sys.argv[1:])
