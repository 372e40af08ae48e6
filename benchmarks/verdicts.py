"""How often a claim gets each verdict, by simulation: the table of docs/running_many.md.

Runs are normal with equal variance; a claim has one setting or three, in each of which the measure
falls by the same number of standard deviations.

    python benchmarks/verdicts.py --studies=500
"""

import collections

from absl import app
from absl import flags
import numpy as np

from dl_condind.reports import verdicts

_STUDIES = flags.DEFINE_integer("studies", 500, "Simulated studies for each row.")

_FALLS = (1.5, 1.0, 0.0, -1.5)  # standard deviations
_NUM_RUNS = (3, 5, 10, 30)
_VERDICTS = (verdicts.HOLDS, verdicts.OPPOSITE, verdicts.TOO_SMALL, verdicts.OPEN)


def _shares(rng: np.random.Generator, fall: float, num_runs: int, num_cells: int) -> list[float]:
  """Returns the share of each verdict."""
  test = verdicts.directed(falls=True, digits=2)
  counts = collections.Counter()
  for _ in range(_STUDIES.value):
    findings = [
      test(rng.normal(fall, 1, num_runs).tolist(), rng.normal(0, 1, num_runs).tolist())
      for _ in range(num_cells)
    ]
    counts[verdicts.decide("", "", findings).verdict] += 1
  return [counts[verdict] / _STUDIES.value for verdict in _VERDICTS]


def main(_) -> None:
  """Prints the table."""
  print("| fall in every setting | settings | runs on each side |", " | ".join(_VERDICTS), "|")
  print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
  for fall in _FALLS:
    for num_cells in (1, 3):
      for num_runs in _NUM_RUNS:
        rng = np.random.default_rng([num_cells, num_runs, int(10 * fall) + 15])
        shares = " | ".join(f"{s:.2f}" for s in _shares(rng, fall, num_runs, num_cells))
        print(f"| {fall:g} sd | {num_cells} | {num_runs} | {shares} |", flush=True)


if __name__ == "__main__":
  app.run(main)
