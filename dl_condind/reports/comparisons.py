"""Each measure of each setting of a study, and how it compares with factorized noise."""

from collections.abc import Iterable
from collections.abc import Sequence
import dataclasses

from dl_condind.reports import equivalence
from dl_condind.reports import measures
from dl_condind.reports import paired
from dl_condind.reports import statistics
from dl_condind.reports import study_runs

ALPHA = 0.05
MARGIN = 0.1
BASELINE = "0"  # The factorized posterior.


@dataclasses.dataclass(frozen=True)
class PairedComparison:
  """A measure at a correlation against that of the baseline, in pairs of one seed.

  Attributes:
    num_pairs: Number of pairs.
    mean: Mean difference.
    interval: Student's interval of it at 95 %, None of one pair.
    p_value: Permutation test of the mean difference, one-sided if a direction is tested; None if
      the pairs are too few for any values to show it.
    adjusted: p_value by Holm's method over all comparisons of this measure.
  """

  num_pairs: int
  mean: float
  interval: tuple[float, float] | None
  p_value: float | None
  adjusted: float | None


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
    paired: The same comparison in pairs, None if the runs cannot be paired.
    unpaired: Why the runs cannot be paired, in words; empty if they can.
  """

  change: float | None
  effect: float | None
  p_value: float | None
  adjusted: float | None
  detectable: float | None
  equivalence: equivalence.Equivalence | None
  paired: PairedComparison | None = None
  unpaired: str = ""


@dataclasses.dataclass(frozen=True)
class Entry:
  """A measure of the runs of one correlation in one setting.

  Attributes:
    setting: Name of the setting.
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
  settings: study_runs.Settings,
  measure: measures.Measure,
  margin: float = MARGIN,
  alpha: float = ALPHA,
) -> Table:
  """Returns a measure of every setting and correlation, compared within each setting.

  The baseline of a setting is factorized noise, or where no run has that, the lowest correlation.
  Comparisons that have too few runs count in Holm's method like those that show nothing, so that
  what is shown stays so when they are finished and show nothing.

  Args:
    settings: Runs of each setting; models of another kind than the measure's are left out.
    measure: What is compared.
    margin: Of the equivalence tests, a share of the baseline's mean.
    alpha: Level of all tests.

  Returns:
    (name of the setting, correlation) -> entry.
  """
  settings = {name: runs for name, runs in settings.items() if runs[0].kind == measure.kind}
  seeded = _seeded_values(settings, measure)
  values = {key: [value for _, value in found] for key, found in seeded.items()}
  baselines = {key: _baseline(key[0], settings) for key in values}
  compared = [key for key, baseline in baselines.items() if key[1] != baseline]
  pairs = {key: (values[key], values[key[0], baselines[key]]) for key in compared}
  matched = {key: paired.match(seeded[key[0], baselines[key]], seeded[key]) for key in compared}
  level = alpha / max(1, len(pairs))
  sides = 2 if measure.expected == measures.CHANGES else 1
  smallest = [sides * statistics.smallest_p_value(*map(len, pair)) for pair in pairs.values()]
  can_show = [p <= alpha for p in statistics.holm(smallest)]
  p_values = {
    key: _p_value(*pair, measure) if can else None
    for (key, pair), can in zip(pairs.items(), can_show, strict=True)
  }
  adjusted = _adjust(p_values.values())
  in_pairs = _compare_pairs(list(matched.values()), measure, sides, alpha)
  comparisons = {
    key: dataclasses.replace(
      _comparison(*pairs[key], measure, margin, level / sides, p_values[key], holm),
      paired=found,
      unpaired=matched[key].problem,
    )
    for key, holm, found in zip(pairs, adjusted, in_pairs, strict=True)
  }
  return {
    key: Entry(*key, statistics.summarize(values[key]), comparisons.get(key)) for key in values
  }


def _seeded_values(
  settings: study_runs.Settings, measure: measures.Measure
) -> dict[tuple[str, str], list[tuple[str, float]]]:
  """Returns (name of the setting, correlation) -> seed and value of each run."""
  return {
    (setting, label): study_runs.seeded_values_of(
      study_runs.of_correlation(runs, label), measure.name
    )
    for setting, runs in settings.items()
    for label in study_runs.correlation_labels(runs)
  }


def _adjust(p_values: Iterable[float | None]) -> list[float]:
  """Returns p-values adjusted by Holm's method, in which one that is None counts as 1."""
  return statistics.holm([1.0 if p is None else p for p in p_values])


def _compare_pairs(
  matched: Sequence[paired.Pairing], measure: measures.Measure, sides: int, alpha: float
) -> list[PairedComparison | None]:
  """Returns the comparison of each pairing; Holm's method counts those without pairs, too."""
  smallest = [
    min(1.0, sides * paired.smallest_p_value(len(m.before))) if m.are_pairs else 1.0
    for m in matched
  ]
  can_show = [p <= alpha for p in statistics.holm(smallest)]
  p_values = [
    _paired_p_value(m.differences, measure) if can else None
    for m, can in zip(matched, can_show, strict=True)
  ]
  adjusted = _adjust(p_values)
  return [
    PairedComparison(
      num_pairs=len(m.before),
      mean=sum(m.differences) / len(m.before),
      interval=paired.interval(m.differences),
      p_value=p,
      adjusted=None if p is None else holm,
    )
    if m.are_pairs
    else None
    for m, p, holm in zip(matched, p_values, adjusted, strict=True)
  ]


def _paired_p_value(differences: Sequence[float], measure: measures.Measure) -> float:
  if measure.expected == measures.CHANGES:
    return paired.two_sided(differences)
  sign = -1 if measure.expected == measures.FALLS else 1
  return paired.permutation_test([sign * difference for difference in differences])


def compare_all(settings: study_runs.Settings) -> Tables:
  """Returns `compare` of each measure that correlations are compared by."""
  return {measure.name: compare(settings, measure) for measure in measures.compared()}


def _baseline(setting: str, settings: study_runs.Settings) -> str:
  labels = study_runs.correlation_labels(settings[setting])
  return BASELINE if BASELINE in labels else labels[0]


def _p_value(
  values: Sequence[float], baseline: Sequence[float], measure: measures.Measure
) -> float:
  rises, falls = (
    statistics.mann_whitney(*pair) for pair in ((values, baseline), (baseline, values))
  )
  if measure.expected == measures.CHANGES:
    return min(1.0, 2 * min(rises, falls))
  return falls if measure.expected == measures.FALLS else rises


def _comparison(
  values: Sequence[float],
  baseline: Sequence[float],
  measure: measures.Measure,
  margin: float,
  level: float,
  p_value: float | None,
  adjusted: float,
) -> Comparison:
  if not values or not baseline:
    return Comparison(None, None, None, None, None, None)
  greater, less = (baseline, values) if measure.expected == measures.FALLS else (values, baseline)
  before, after = (sum(found) / len(found) for found in (baseline, values))
  return Comparison(
    change=_change(before, after, measure),
    effect=statistics.probability_of_superiority(greater, less),
    p_value=p_value,
    adjusted=None if p_value is None else adjusted,
    detectable=statistics.detectable_shift(len(greater), len(less), level),
    equivalence=equivalence.of_ratio(values, baseline, margin) if measure.is_ratio else None,
  )


def _change(before: float, after: float, measure: measures.Measure) -> float | None:
  if not measure.is_ratio:
    return after - before
  return (after - before) / before if before > 0 else None
