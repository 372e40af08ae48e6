"""Findings on one setting against another, by tests of pairs where the seeds are the same.

The building blocks of a study's own claims: `of_runs` pairs the runs of two settings, a test makes
a finding of them, and `verdicts.decide` or `claim_sets.decide_all` a verdict. For example, that MIG
falls and that information is not lower:

    pairing = paired_verdicts.of_runs(independent, rotated, lambda run: run.measure("mig_mean"))
    finding = paired_verdicts.directed(falls=True, digits=3)(pairing)
    accuracy = paired_verdicts.of_runs(independent, rotated, lambda run: run.row.get(COLUMN))
    finding = paired_verdicts.not_lower(margin=0.02, digits=3)(accuracy)

`directed` is the permutation test of the mean difference; without pairs it is the Mann-Whitney
test. `equivalent`, `not_lower`, `not_higher` and `higher_by` are Student's t-tests of the
differences against an absolute margin; without pairs they are Welch's. The text says which it was,
and what as many pairs would have shown.
"""

from collections.abc import Callable
from collections.abc import Iterable

from dl_condind.reports import equivalence
from dl_condind.reports import paired
from dl_condind.reports import statistics
from dl_condind.reports import study_runs
from dl_condind.reports import verdicts

MeasureOf = Callable[[study_runs.Run], float | None]
Test = Callable[[paired.Pairing], verdicts.Finding]


def of_runs(
  before: Iterable[study_runs.Run],
  after: Iterable[study_runs.Run],
  measure: MeasureOf,
  measure_after: MeasureOf | None = None,
) -> paired.Pairing:
  """Pairs the runs of two settings that have a measure.

  Args:
    before: Runs of one setting, such as those with independent noise.
    after: Runs of the other setting.
    measure: Returns a number of a run, None if the run lacks it.
    measure_after: The same for the other setting, where it is another number.
  """
  sides = ((before, measure), (after, measure_after or measure))
  found = (
    [(run.seed, value) for run in runs if (value := measured(run)) is not None]
    for runs, measured in sides
  )
  return paired.match(*found)


def in_column(column: str) -> MeasureOf:
  """Returns the function from a run to the number that its row has in a column, or None."""

  def number(run: study_runs.Run) -> float | None:
    value = run.row.get(column)
    return float(value) if isinstance(value, int | float) else None

  return number


def directed(
  falls: bool, digits: int, size: float | None = None, level: float = verdicts.LEVEL
) -> Test:
  """Returns the test that a measure falls, or rises.

  Args:
    falls: Whether it falls.
    digits: Decimal places to show.
    size: A smaller change, in the unit of the measure, is too small to count; None if any counts.
    level: Level of the test, for what as many pairs would have shown: that of the first step where
      p-values are adjusted.
  """
  sign, words = (-1, ("falls", "rises")) if falls else (1, ("rises", "falls"))

  def test(pairing: paired.Pairing) -> verdicts.Finding:
    if not pairing.before or not pairing.after:
      return verdicts.Finding("no runs")
    change = _change(pairing)
    leans = None if change == 0 else sign * change > 0
    small = _within(pairing, size) if size else None
    p_small = small.p_value if small else None
    parts = [_describe(pairing, digits)]
    p_claim, p_opposite = None, None
    if _smallest_p_value(pairing) > verdicts.LEVEL:
      parts.append("too few runs for a verdict")
    else:
      p_claim, p_opposite = _directed_p_values(pairing, sign)
    texts = dict(zip(words, (p_claim, p_opposite), strict=True))
    texts[f"changes by less than {size}"] = p_small
    parts += [f"{verdicts.p_text(p)} that it {word}" for word, p in texts.items() if p is not None]
    if pairing.are_pairs:
      parts.append(_would_show(paired.detectable_difference(pairing.differences, level), digits))
    return verdicts.Finding(", ".join(filter(None, parts)), p_claim, p_opposite, p_small, leans)

  return test


def equivalent(margin: float, digits: int, level: float = verdicts.LEVEL) -> Test:
  """Returns the test that a measure changes by less than a margin; arguments as `not_lower`."""
  return _against_margin(margin, digits, level, f"within ±{margin:g}", None)


def not_lower(margin: float, digits: int, level: float = verdicts.LEVEL) -> Test:
  """Returns the test that a measure falls by less than a margin (non-inferiority).

  Args:
    margin: Positive, in the unit of the measure.
    digits: Decimal places to show.
    level: As `directed`.
  """
  return _against_margin(margin, digits, level, f"above {-margin:g}", 1)


def not_higher(margin: float, digits: int, level: float = verdicts.LEVEL) -> Test:
  """Returns the test that a measure rises by less than a margin; arguments as `not_lower`."""
  return _against_margin(margin, digits, level, f"below {margin:g}", -1)


def higher_by(margin: float, digits: int, level: float = verdicts.LEVEL) -> Test:
  """Returns the test that a measure rises by more than a margin.

  It is Student's t-test of the differences against the margin, which a few pairs can show that are
  too few for the permutation test. The opposite is that it rises by less, or falls.

  Args:
    margin: Positive, in the unit of the measure.
    digits: Decimal places to show.
    level: As `directed`.
  """

  def test(pairing: paired.Pairing) -> verdicts.Finding:
    if not pairing.before or not pairing.after:
      return verdicts.Finding("no runs")
    leans = _change(pairing) > margin
    parts = [_describe(pairing, digits)]
    found = _within(pairing, margin)
    if found is None:
      return verdicts.Finding(f"{parts[0]}, too few runs for a test", leans=leans)
    p_claim, p_opposite = 1 - found.p_below, found.p_below
    parts.append(f"{verdicts.p_text(p_claim)} that the change is above {margin:g}")
    parts.append(f"{verdicts.p_text(p_opposite)} that it is not")
    if pairing.are_pairs:
      beyond = paired.detectable_margin(pairing.differences, level, two_sided=False)
      parts.append(_would_show(beyond and margin + beyond, digits, "a rise of "))
    return verdicts.Finding(", ".join(filter(None, parts)), p_claim, p_opposite, leans=leans)

  return test


def _against_margin(
  margin: float, digits: int, level: float, bounds: str, side: int | None
) -> Test:
  """Returns the test that a change is within bounds; of one side 1 (lower) or -1 (upper)."""

  def test(pairing: paired.Pairing) -> verdicts.Finding:
    if not pairing.before or not pairing.after:
      return verdicts.Finding("no runs")
    change = _change(pairing)
    leans = abs(change) < margin if side is None else side * change > -margin
    parts = [_describe(pairing, digits)]
    found = _within(pairing, margin)
    if found is None:
      return verdicts.Finding(f"{parts[0]}, too few runs for a test", leans=leans)
    p_claim = {None: found.p_value, 1: found.p_above, -1: found.p_below}[side]
    p_opposite = found.opposite_p_value if side is None else 1 - p_claim
    parts.append(f"{verdicts.p_text(p_claim)} that the change is {bounds}")
    parts.append(f"{verdicts.p_text(p_opposite)} that it is not")
    if pairing.are_pairs:
      both = side is None
      smallest = paired.detectable_margin(pairing.differences, level, two_sided=both)
      parts.append(_would_show(smallest, digits, "a margin of ", " where nothing differs"))
      if leans and p_claim > level:
        num = paired.num_pairs_for_margin(pairing.differences, margin, level, two_sided=both)
        parts.append(f"{num or 'more than 1,000'} pairs would show this margin")
    return verdicts.Finding(", ".join(filter(None, parts)), p_claim, p_opposite, leans=leans)

  return test


def _change(pairing: paired.Pairing) -> float:
  """Returns the difference of the means."""
  before, after = (sum(side) / len(side) for side in (pairing.before, pairing.after))
  return after - before


def _describe(pairing: paired.Pairing, digits: int) -> str:
  """Returns the means, and whether the runs are pairs."""
  before, after = (sum(side) / len(side) for side in (pairing.before, pairing.after))
  means = f"mean {before:.{digits}f} → {after:.{digits}f}"
  if pairing.are_pairs:
    return f"{means}, {verdicts.describe_pairs(pairing.differences, digits)}"
  counts = f"n = {len(pairing.before)} and {len(pairing.after)}"
  return f"{means} ({counts}), unpaired ({pairing.problem})"


def _smallest_p_value(pairing: paired.Pairing) -> float:
  counts = len(pairing.before), len(pairing.after)
  if pairing.are_pairs:
    return paired.smallest_p_value(counts[0])
  return statistics.smallest_p_value(*counts)


def _directed_p_values(pairing: paired.Pairing, sign: int) -> tuple[float, float]:
  """Returns the p-values that the change has a sign, and that it has the other one."""
  if pairing.are_pairs:
    signed = [sign * difference for difference in pairing.differences]
    return paired.permutation_test(signed), paired.permutation_test([-d for d in signed])
  greater, less = (pairing.after, pairing.before)[::sign]
  return statistics.mann_whitney(greater, less), statistics.mann_whitney(less, greater)


def _within(pairing: paired.Pairing, margin: float) -> equivalence.Equivalence | None:
  if pairing.are_pairs:
    return paired.within(pairing.differences, margin)
  return equivalence.of_difference(pairing.after, [(value, margin) for value in pairing.before])


def _would_show(size: float | None, digits: int, what: str = "", where: str = "") -> str:
  if size is None:
    return ""
  return f"as many would show {what}{size:.{digits}f} in 80 % of cases{where}"
