"""Each measure of each cell of a study, and how it compares with factorized noise.

A cell is what `study_runs.group_by_setting` returns: runs that differ in nothing but their noise
correlation and seed.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses

from dl_condind.reports import equivalence
from dl_condind.reports import statistics
from dl_condind.reports import study_runs

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
    falls: Whether the test is that it falls (True), rises (False) or changes either way (None).
    digits: Decimal places to show.
    family: Which methods have it.
    is_ratio: Whether a change as a share of the baseline means something. It does not for a
      correlation or a share, which may be near 0.
  """

  name: str
  title: str
  falls: bool | None
  digits: int
  family: str = study_runs.VAE
  is_ratio: bool = True

  @property
  def tested(self) -> str:
    """What is tested, in words."""
    return {True: "it falls", False: "it rises", None: "it changes"}[self.falls]


MEASURES = (
  Measure("mig_mean", "MIG, mean representation", falls=True, digits=3),
  Measure("mig_sampled", "MIG, sampled representation", falls=True, digits=3),
  Measure("reconstruction_loss", "reconstruction error", falls=False, digits=2),
  Measure("kl_loss", "KL, factorized", falls=True, digits=2),
  Measure("total_correlation", "TC estimate", falls=True, digits=2),
  *(
    Measure(name, title, falls, digits, study_runs.INFOGAN, is_ratio)
    for name, title, falls, digits, is_ratio in (
      ("conditional_r2_mean_gap", "gap of R² between best and second code", True, 3, False),
      ("conditional_r2_assigned", "R² of a code with an attribute of its own", True, 3, False),
      ("digit_change_rate", "share of traversals along which the digit changes", False, 3, False),
      ("error_correlation", "correlation of the recognition network's errors", False, 2, False),
      ("discriminator_loss", "loss of the discriminator", None, 2, True),
      ("generator_loss", "loss of the generator", None, 2, True),
      ("mutual_information_penalty", "mutual information penalty", None, 3, False),
    )
  ),
)


def measure(name: str) -> Measure:
  """Returns the measure of MEASURES with a name."""
  return next(found for found in MEASURES if found.name == name)


@dataclasses.dataclass(frozen=True)
class Comparison:
  """A measure at a correlation against that of the baseline.

  Attributes:
    change: Change of the mean, of a ratio measure as a share of the baseline's; None without
      values, or for a share if the baseline's mean is not positive.
    effect: A12, the probability that a run is further in the tested direction (if none is tested,
      higher) than one of the baseline; None without values.
    p_value: Mann-Whitney test, one-sided if a direction is tested; None if the runs are too few for
      any values to show it.
    adjusted: p_value by Holm's method over all comparisons of this measure.
    detectable: The shift in standard deviations that these numbers of runs would have shown with
      a probability of 80 % at the first step of Holm's method; None if there is none.
    equivalence: Tests that the mean changed by less than the margin, not adjusted; None if that is
      no ratio measure.
  """

  change: float | None
  effect: float | None
  p_value: float | None
  adjusted: float | None
  detectable: float | None
  equivalence: equivalence.Equivalence | None


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
  sides = 2 if measure.falls is None else 1
  smallest = [sides * statistics.smallest_p_value(*map(len, pair)) for pair in pairs.values()]
  can_show = [p <= alpha for p in statistics.holm(smallest)]
  p_values = {
    key: _p_value(*pair, measure) if can else None
    for (key, pair), can in zip(pairs.items(), can_show, strict=True)
  }
  adjusted = statistics.holm([1.0 if p is None else p for p in p_values.values()])
  comparisons = {
    key: _comparison(*pairs[key], measure, margin, level / sides, p_values[key], holm)
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
  rises, falls = (
    statistics.mann_whitney(*pair) for pair in ((values, baseline), (baseline, values))
  )
  if measure.falls is None:
    return min(1.0, 2 * min(rises, falls))
  return falls if measure.falls else rises


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
    return Comparison(None, None, None, None, None, None)
  greater, less = (baseline, values) if measure.falls else (values, baseline)
  before, after = (sum(found) / len(found) for found in (baseline, values))
  return Comparison(
    change=_change(before, after, measure),
    effect=statistics.probability_of_superiority(greater, less),
    p_value=p_value,
    adjusted=None if p_value is None else adjusted,
    detectable=statistics.detectable_shift(len(greater), len(less), level),
    equivalence=equivalence.of_ratio(values, baseline, margin) if measure.is_ratio else None,
  )


def _change(before: float, after: float, measure: Measure) -> float | None:
  if not measure.is_ratio:
    return after - before
  return (after - before) / before if before > 0 else None
