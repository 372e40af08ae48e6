"""A claim of a paper and its verdict from a study: what decides, and how.

A claim is about cells of a study at correlation 0 and 0.9. What can show it in a cell is a test of
`statistics`: a one-sided Mann-Whitney test ("falls", "rises"), an equivalence test ("nearly
unchanged"), or another that the claim names. Then a claim

- holds if it is shown in each of its cells;
- fails if in any of them the opposite is shown, or it is not shown with at least NUM_PAPER_SEEDS
  runs on each side;
- otherwise there are not enough runs.
"""

from collections.abc import Callable
from collections.abc import Iterable
import dataclasses

from dl_condind.studies import comparisons

HOLDS, FAILS, NOT_ENOUGH_RUNS = "holds", "fails", "not enough runs"
NUM_PAPER_SEEDS = 10  # of each VAE of Yang et al. (2020)

LOW, HIGH = "0", "0.9"  # correlations
MEASURES = {measure.name: measure for measure in comparisons.MEASURES}


@dataclasses.dataclass(frozen=True)
class Claim:
  """A claim and what a study says of it.

  Attributes:
    text: The claim.
    source: Where the paper makes it.
    verdict: HOLDS, FAILS or NOT_ENOUGH_RUNS.
    evidence: The numbers and tests that decide, a line for each cell.
  """

  text: str
  source: str
  verdict: str
  evidence: str


@dataclasses.dataclass(frozen=True)
class Finding:
  """What one cell says: shown, the opposite shown, or neither with num_runs on the smaller side."""

  is_shown: bool
  is_opposite: bool
  num_runs: int
  text: str


Test = Callable[[comparisons.Entry, comparisons.Entry], Finding]  # Of HIGH and LOW.


def decide(text: str, source: str, findings: Iterable[Finding]) -> Claim:
  """Returns a claim with its verdict."""
  findings = list(findings)
  unshown = [f for f in findings if not f.is_shown]
  if any(f.is_opposite or f.num_runs >= NUM_PAPER_SEEDS for f in unshown):
    verdict = FAILS
  else:
    verdict = NOT_ENOUGH_RUNS if unshown else HOLDS
  return Claim(text, source, verdict, "\n".join(f.text for f in findings))


def find(settings: Iterable[str], table: comparisons.Table, test: Test, cell: str) -> list[Finding]:
  """Applies a test to each setting that has the measure at both correlations.

  Args:
    settings: Names of the settings.
    table: The measure.
    test: `directed` or `unchanged`.
    cell: What to call a setting that is the only one; others go by their names.

  Returns:
    Findings, one that there are no runs if there is no such setting.
  """
  found, settings = [], list(settings)
  for setting in settings:
    low, high = table.get((setting, LOW)), table.get((setting, HIGH))
    if low and high and low.summary.count and high.summary.count:
      finding = test(high, low)
      name = cell if len(settings) == 1 else setting
      found.append(dataclasses.replace(finding, text=f"{name}: {finding.text}"))
  return found or [Finding(False, False, 0, f"{cell}: no runs")]


def directed(measure: str) -> Test:
  """Returns the test that a measure changes in its direction, adjusted by Holm's method."""

  def test(high: comparisons.Entry, low: comparisons.Entry) -> Finding:
    comparison = high.comparison
    parts = [_means(low, high, MEASURES[measure].digits), f"A12 {comparison.effect:.2f}"]
    if comparison.p_value is None:
      parts.append("too few runs for a test")
    else:
      p_values = p_text(comparison.p_value), p_text(comparison.adjusted, "Holm")
      parts.append(f"Mann-Whitney {', '.join(p_values)}")
    is_shown = comparison.adjusted is not None and comparison.adjusted <= comparisons.ALPHA
    if not is_shown and comparison.detectable is not None:
      parts.append(f"a shift of {comparison.detectable:.1f} sd would have been found in 80 %")
    return Finding(is_shown, comparison.opposite, _smaller(low, high), ", ".join(parts))

  return test


def unchanged(high: comparisons.Entry, low: comparisons.Entry) -> Finding:
  """Tests that the mean changed by less than the margin; not adjusted."""
  equivalence = high.comparison.equivalence
  parts = [_means(low, high, 2)]
  if equivalence is None:
    parts.append("too few runs for a test, or no positive mean")
    return Finding(False, False, _smaller(low, high), ", ".join(parts))
  parts.append(
    f"change {high.comparison.change:+.1%}, TOST within ±{comparisons.MARGIN:.0%} "
    f"{p_text(equivalence.p_value)}"
  )
  return Finding(
    equivalence.p_value <= comparisons.ALPHA,
    equivalence.opposite_p_value <= comparisons.ALPHA,
    _smaller(low, high),
    ", ".join(parts),
  )


def _means(low: comparisons.Entry, high: comparisons.Entry, digits: int) -> str:
  counts = f"n = {low.summary.count} and {high.summary.count}"
  return f"mean {low.summary.mean:.{digits}f} → {high.summary.mean:.{digits}f} ({counts})"


def _smaller(low: comparisons.Entry, high: comparisons.Entry) -> int:
  return min(low.summary.count, high.summary.count)


def p_text(p_value: float, name: str = "p") -> str:
  """Returns a p-value with two significant digits, or that it is below 0.0001."""
  text = f"{name} < 0.0001" if p_value < 1e-4 else f"{name} = {p_value:.2g}"
  return text.replace(" ", "\u00a0")
