"""Prints how models change that go on under another family of posteriors, every 1,000 steps.

    python benchmarks/switch_tables.py output/switch_spots

A row for each family and step: means over the seeds. Then, after the last step, the mean difference
to the control of the same seed, with Student's 95 % interval.
"""

from collections.abc import Mapping
import pathlib
import sys

import numpy as np

from dl_condind.reports import paired
from dl_condind.reports import study_runs
from dl_condind.utils import results
from dl_condind.utils import run_folder

CONTROL = "independent"
FAMILIES = (CONTROL, "equicorrelated", "rotated", "full")
# Heading -> metric and the name of the number in its record.
MEASURES = {
  "MIG along latents": ("mig", "discrete_mig"),
  "along the noise's axes": ("aligned_mig", "noise_eigenbasis.mig"),
  "cost of independent noise": ("posterior_family_cost", "cost.independent"),
  "of c = 0.9": ("posterior_family_cost", "cost.equicorrelated_0.9"),
  "of rotated noise": ("posterior_family_cost", "cost.rotated"),
}


def read(folder: run_folder.RunFolder) -> list[float]:
  """Returns the measures of a run or snapshot."""
  values = []
  for metric, name in MEASURES.values():
    record = results.read_aggregate(folder.metric("mean", metric).results.flat("evaluation"))
    values.append(float(record[f"evaluation_results.{name}"]))
  return values


def read_study(study_dir: str) -> dict[str, dict[int, Mapping[str, list[float]]]]:
  """Returns family -> step -> seed -> measures."""
  found: dict[str, dict[int, dict[str, list[float]]]] = {family: {} for family in FAMILIES}
  for run in study_runs.read_runs(study_dir):
    folder = run_folder.RunFolder(pathlib.Path(run.folder))
    last = int(run.config["model.training_steps"])
    paths = {int(s.path.name.removeprefix("step_")): s for s in folder.model.snapshots()}
    for step, path in {**paths, last: folder}.items():
      found[run.noise_correlation].setdefault(step, {})[run.seed] = read(path)
  return found


def main(study_dir: str) -> None:
  """Prints both tables."""
  found = read_study(study_dir)
  print(f"| family | steps | seeds | {' | '.join(MEASURES)} |")
  print(f"| --- |{' ---: |' * (len(MEASURES) + 2)}")
  for family, by_step in found.items():
    for step, by_seed in sorted(by_step.items()):
      means = np.mean(list(by_seed.values()), axis=0)
      numbers = " | ".join(f"{mean:.3f}" for mean in means)
      print(f"| `{family}` | {step:,} | {len(by_seed)} | {numbers} |")
  print(f"\n| family | {' | '.join(MEASURES)} |\n| --- |{' ---: |' * len(MEASURES)}")
  last = max(found[CONTROL])
  for family in FAMILIES[1:]:
    control, ended = found[CONTROL][last], found[family][last]
    seeds = sorted(control.keys() & ended.keys())
    differences = np.array([np.subtract(ended[seed], control[seed]) for seed in seeds])
    cells = []
    for of_measure in differences.T:
      low, high = paired.interval(of_measure.tolist())
      cells.append(f"{of_measure.mean():+.3f} ({low:+.3f} to {high:+.3f})")
    print(f"| `{family}` | {' | '.join(cells)} |")


if __name__ == "__main__":
  main(*sys.argv[1:])
