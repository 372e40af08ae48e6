"""How often the intervals of the estimators contain the mean of their estimator and the truth.

See `estimators.py --coverage`.
"""

import functools
import multiprocessing
import sys
import time

import gaussian_models
import numpy as np

from dl_condind.evaluation.metrics import information_estimators

# How often intervals cover: models, settings of each repetition, and the estimators that they are
# enough for. The bootstrap and the minibatches need no more than so many points.
MODELS = [(2, 0.6, 0.9, 0.0), (10, 0.6, 0.0, 0.0), (10, 0.6, 0.9, 0.0)]
REPEATS = 100
SETTINGS = [
  (
    2000,
    {"num_points": 500, "num_ratio_points": 2000, "num_samples": 5, "num_resamples": 300},
    information_estimators.ESTIMATORS,
  ),
  (
    10_000,
    {"num_points": 20, "num_minibatches": 2, "num_samples": 1, "num_resamples": 1},
    ("density_ratio",),
  ),
]

HEAD = """# How often the intervals of the estimators cover

Written by `python benchmarks/estimators.py --coverage --output=docs/estimators_coverage.md`; every
number follows from its seeds. Models and estimators are those of [estimators.md](estimators.md).

Each model was drawn {repeats} times, with other observations and other z. *own mean* is the mean of
the {repeats} estimates, *sd* their standard deviation and *half width* that of the interval, on
average. The last two columns are the shares of intervals that contain the mean of the estimator,
which should be 0.95, and the truth, which is less where the estimator is biased. One share of
0.95 in {repeats} repetitions has a standard error of 0.02.

With 2,000 observations: 500 z for the mixtures and the Gaussian, 2,000 for the classifier, 30
minibatches of B = 64 with 5 z each. With 10,000: 10,000 for the classifier, its default.
"""

COLUMNS = ("truth", "own mean", "sd", "half width", "covers own mean", "covers truth")


def page() -> str:
  """Returns the page: a table of coverage for each setting and model."""
  lines = [HEAD.format(repeats=REPEATS)]
  with multiprocessing.Pool() as pool:
    for num_posteriors, settings, names in SETTINGS:
      for model in MODELS:
        repeat = functools.partial(repetition, model, num_posteriors, settings)
        start = time.perf_counter()
        results = pool.map(repeat, range(REPEATS), chunksize=1)
        print(f"{model}: {time.perf_counter() - start:.0f} s", file=sys.stderr)
        truth = gaussian_models.gaussian_encoder(model, 1, seed=0)[1]
        lines += coverage_of(model, num_posteriors, truth, results, names)
  return "\n".join(lines)


def repetition(
  model: gaussian_models.Model, num_posteriors: int, settings: dict[str, int], seed: int
) -> dict[str, float]:
  """Returns the estimates from observations and draws of their own."""
  posteriors, _ = gaussian_models.gaussian_encoder(model, num_posteriors, seed)
  return information_estimators.estimate(*posteriors, np.random.RandomState(seed), **settings)


def coverage_of(
  model: gaussian_models.Model,
  num_posteriors: int,
  truth: dict[str, float],
  results: list[dict[str, float]],
  names: tuple[str, ...],
) -> list[str]:
  """Returns the table of one model: how often intervals have the mean and the truth."""
  num_latent, stddev, correlation, of_means = model
  lines = [
    f"## {num_posteriors:,} observations, J = {num_latent}, stddev = {stddev:g}, "
    f"c = {correlation:g}, means = {of_means:g}",
    "",
    *gaussian_models.table_head(
      ["estimator", *(f"{q}: {what}" for q in ("TC", "MI") for what in COLUMNS)]
    ),
  ]
  for name in names:
    cells = [f"`{name}`"]
    for quantity in information_estimators.QUANTITIES:
      ends = ("", "_low", "_high")
      value, low, high = np.array([[r[f"{quantity}.{name}{e}"] for e in ends] for r in results]).T
      own, true = np.mean(value), truth[quantity]
      shares = [np.mean((low <= center) & (center <= high)) for center in (own, true)]
      sizes = [true, own, np.std(value, ddof=1), np.mean(high - low) / 2]
      cells += [*(f"{x:z.3f}" for x in sizes), *(f"{x:.2f}" for x in shares)]
    lines.append(gaussian_models.row(cells))
  return [*lines, ""]
