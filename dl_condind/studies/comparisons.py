"""Each measure of each cell of a study, and how it compares with factorized noise.

A cell is what `study_runs.group_by_setting` returns: runs that differ in nothing but their noise
correlation and seed.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses

from dl_condind.studies import statistics
from dl_condind.visualize import study_runs

ALPHA = 0.05
MARGIN = 0.1
BASELINE = "0"  # The factorized posterior.

Settings = Mapping[str, Sequence[study_runs.Run]]


@dataclasses.dataclass(frozen=True)
class Measure:
  """A measure of runs and the direction that is tested: the paper's, where it gives one.

  Attributes:
    name: Its name in `study_runs.COLUMNS`.
    title: Its name for readers.
    falls: Whether the test is that it falls, or that it rises.
    digits: Decimal places to show.
    family: Which methods have it.
  """

  name: str
  title: str
  falls: bool
  digits: int
  family: str = study_runs.VAE


MEASURES = (
  Measure("mig_mean", "MIG, mean representation", falls=True, digits=3),
  Measure("mig_sampled", "MIG, sampled representation", falls=True, digits=3),
  Measure("reconstruction_loss", "reconstruction error", falls=False, digits=2),
  Measure("kl_loss", "KL, factorized", falls=True, digits=2),
  Measure("total_correlation", "TC estimate", falls=True, digits=2),
  *(
    Measure(name, title, falls, digits, study_runs.INFOGAN)
    for name, title, falls, digits in (
      ("conditional_r2_mean_gap", "gap of R² between best and second code", True, 3),
      ("conditional_r2_assigned", "R² of a code with an attribute of its own", True, 3),
      ("digit_change_rate", "share of traversals along which the digit changes", False, 3),
      ("error_correlation", "correlation of the recognition network's errors", False, 2),
      ("discriminator_loss", "loss of the discriminator", False, 2),
      ("generator_loss", "loss of the generator", False, 2),
    )
  ),
)


@dataclasses.dataclass(frozen=True)
class Comparison:
  """A measure at a correlation against that of the baseline.

  Attributes:
    change: Change of the mean as a share of the baseline's, None without values or if the
      baseline's mean is not positive.
    effect: A12, the probability that a run is further in the tested direction than one of the
      baseline; None without values.
    p_value: One-sided Mann-Whitney test; None if the runs are too few for any values to show it.
    adjusted: p_value by Holm's method over all comparisons of this measure.
    detectable: The shift in standard deviations that these numbers of runs would have shown with
      a probability of 80 % at the first step of Holm's method; None if there is none.
    equivalence: Tests that the mean changed by less than the margin, not adjusted.
    opposite: Whether a change in the other direction is shown, at the level of Holm's first step.
  """

  change: float | None
  effect: float | None
  p_value: float | None
  adjusted: float | None
  detectable: float | None
  equivalence: statistics.Equivalence | None
  opposite: bool


@dataclasses.dataclass(frozen=True)
class Entry:
  """A measure of the runs of one correlation in one cell.

  Attributes:
    setting: Name of the cell.
    label: The correlation.
    summary: The values.
    comparison: Against the baseline, of which it is None.
  """

  setting: str
  label: str
  summary: statistics.Summary
  comparison: Comparison | None


Table = dict[tuple[str, str], Entry]
Tables = dict[str, Table]  # Name of a measure -> its table.


def compare(
  settings: Settings, measure: Measure, margin: float = MARGIN, alpha: float = ALPHA
) -> Table:
  """Returns a measure of every cell and correlation, compared within each cell.

  The baseline of a cell is factorized noise, or where no run has that, the lowest correlation.
  Comparisons that have too few runs count in Holm's method like those that show nothing, so that
  what is shown stays so when they are finished and show nothing.

  Args:
    settings: Runs of each cell; those of other families than the measure's are left out.
    measure: What is compared.
    margin: Of the equivalence tests, a share of the baseline's mean.
    alpha: Level of all tests.

  Returns:
    (cell, correlation) -> entry.
  """
  settings = study_runs.by_family(settings).get(measure.family, {})
  values = {
    (setting, label): study_runs.values_of(study_runs.of_correlation(runs, label), measure.name)
    for setting, runs in settings.items()
    for label in study_runs.correlation_labels(runs)
  }
  baselines = {key: _baseline(key[0], settings) for key in values}
  compared = [key for key, baseline in baselines.items() if key[1] != baseline]
  pairs = {key: (values[key], values[key[0], baselines[key]]) for key in compared}
  level = alpha / max(1, len(pairs))
  smallest = [statistics.smallest_p_value(*map(len, pair)) for pair in pairs.values()]
  can_show = [p <= alpha for p in statistics.holm(smallest)]
  p_values = {
    key: _p_value(*pair, measure) if can else None
    for (key, pair), can in zip(pairs.items(), can_show, strict=True)
  }
  adjusted = statistics.holm([1.0 if p is None else p for p in p_values.values()])
  comparisons = {
    key: _comparison(*pairs[key], measure, margin, level, p_values[key], holm)
    for key, holm in zip(pairs, adjusted, strict=True)
  }
  return {
    key: Entry(*key, statistics.summarize(values[key]), comparisons.get(key)) for key in values
  }


def compare_all(settings: Settings) -> Tables:
  """Returns `compare` of each of MEASURES."""
  return {measure.name: compare(settings, measure) for measure in MEASURES}


def _baseline(setting: str, settings: Settings) -> str:
  labels = study_runs.correlation_labels(settings[setting])
  return BASELINE if BASELINE in labels else labels[0]


def _p_value(values: Sequence[float], baseline: Sequence[float], measure: Measure) -> float:
  greater, less = (baseline, values) if measure.falls else (values, baseline)
  return statistics.mann_whitney(greater, less)


def _comparison(
  values: Sequence[float],
  baseline: Sequence[float],
  measure: Measure,
  margin: float,
  level: float,
  p_value: float | None,
  adjusted: float,
) -> Comparison:
  if not values or not baseline:
    return Comparison(None, None, None, None, None, None, opposite=False)
  greater, less = (baseline, values) if measure.falls else (values, baseline)
  before, after = (sum(found) / len(found) for found in (baseline, values))
  return Comparison(
    change=(after - before) / before if before > 0 else None,
    effect=statistics.probability_of_superiority(greater, less),
    p_value=p_value,
    adjusted=None if p_value is None else adjusted,
    detectable=statistics.detectable_shift(len(greater), len(less), level),
    equivalence=statistics.equivalence(values, baseline, margin),
    opposite=p_value is not None and statistics.mann_whitney(less, greater) <= level,
  )
