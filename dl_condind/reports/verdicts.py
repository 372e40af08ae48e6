"""A claim of a paper and its verdict from a study: what decides, and how.

A claim is about certain cells: the settings of one method, data set and number of latents, several
only where none follows the paper's protocol. Each cell is tested for the claim, for its opposite,
and for an effect that is smaller than a stated size. The verdict is

- HOLDS if every cell shows the claim;
- OPPOSITE if one cell shows the opposite;
- TOO_SMALL if one cell shows that its effect is smaller than the stated size;
- OPEN otherwise.

Each one-sided test has the level LEVEL = ALPHA / 2. HOLDS needs all cells, so its tests need no
adjustment; the other verdicts need one cell, so their tests are adjusted for the number of the
claim's cells (Bonferroni). Then a verdict is wrong with a probability of at most ALPHA, however
many runs and other cells a study has. Few runs leave a claim open.

The tests of `directed` and `unchanged` do not use that runs of one seed are pairs; where they are,
the evidence has the paired tests as well. `paired_verdicts` decides by those.
"""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses

from dl_condind.reports import equivalence
from dl_condind.reports import paired
from dl_condind.reports import protocol
from dl_condind.reports import statistics
from dl_condind.reports import study_runs

HOLDS, OPPOSITE, TOO_SMALL, OPEN = "holds", "opposite", "too small", "open"
NO_RUNS = "no runs"  # The leaning of a claim that no run says anything of.
ALPHA = 0.05  # Probability of a wrong verdict, at most.
LEVEL = ALPHA / 2
SIZE = 1.0  # Standard deviations; a smaller shift of a measure is too small.
MARGIN = 0.1  # Share of the mean; a smaller change is nearly none.
LOW, HIGH = "0", "0.9"  # correlations

Values = Sequence[float]


@dataclasses.dataclass(frozen=True)
class Finding:
  """What the runs of one cell say of a claim.

  Attributes:
    text: The numbers and tests.
    p_claim: p-value for "the cell is as claimed", None if no values of so few runs could show it.
    p_opposite: p-value for "the cell is the opposite", or None.
    p_small: p-value for "the effect is below the stated size", or None.
    leans: Whether the values point to the claim so far (True) or against it (False), or neither.
    is_tied: Whether there are values, and they point neither way.
  """

  text: str
  p_claim: float | None = None
  p_opposite: float | None = None
  p_small: float | None = None
  leans: bool | None = None
  is_tied: bool = False

  @property
  def has_runs(self) -> bool:
    """Whether runs say something of the claim."""
    return self.leans is not None or self.p_claim is not None or self.is_tied


@dataclasses.dataclass(frozen=True)
class Claim:
  """A claim and what a study says of it.

  Attributes:
    text: The claim.
    source: Where the paper makes it.
    verdict: HOLDS, OPPOSITE, TOO_SMALL or OPEN.
    leaning: Of an open claim, which way it points so far.
    evidence: The numbers and tests that decide, a line for each cell.
    deviations: How the runs differ from the paper's protocol; none if they follow it.
  """

  text: str
  source: str
  verdict: str
  leaning: str
  evidence: str
  deviations: tuple[protocol.Deviation, ...] = ()

  @property
  def has_runs(self) -> bool:
    """Whether any run says something of it."""
    return self.leaning != NO_RUNS

  @property
  def where(self) -> str:
    """The protocol that the verdict is about, such as ` in this shorter protocol`, if any."""
    return f" in {protocol.name(self.deviations)}" if self.deviations else ""

  @property
  def summary(self) -> str:
    """The verdict, the protocol it is about if that is not the paper's, and the leaning."""
    return f"{self.verdict}{self.where}{f': {self.leaning}' if self.leaning else ''}"


# Of the values at LOW and at HIGH, and whether the two of a place are a pair.
Test = Callable[[Values, Values, bool], Finding]


def decide(
  text: str,
  source: str,
  findings: Sequence[Finding],
  deviations: Sequence[protocol.Deviation] = (),
) -> Claim:
  """Returns a claim with its verdict; findings are those of all of its cells, at least one."""
  level_of_one = LEVEL / len(findings)
  if all(_is_shown(f.p_claim, LEVEL) for f in findings):
    verdict = HOLDS
  elif any(_is_shown(f.p_opposite, level_of_one) for f in findings):
    verdict = OPPOSITE
  elif any(_is_shown(f.p_small, level_of_one) for f in findings):
    verdict = TOO_SMALL
  else:
    verdict = OPEN
  leaning = leaning_of(findings) if verdict == OPEN else ""
  evidence = "\n".join(f.text for f in findings)
  if not any(f.has_runs for f in findings):
    deviations = ()  # No run follows another protocol.
  return Claim(text, source, verdict, leaning, evidence, tuple(dict.fromkeys(deviations)))


def _is_shown(p_value: float | None, level: float) -> bool:
  return p_value is not None and p_value <= level


def leaning_of(findings: Sequence[Finding]) -> str:
  """Returns which way the cells point, in words."""
  pointing = [f.leans for f in findings if f.leans is not None]
  if not any(f.has_runs for f in findings):
    return NO_RUNS
  if not pointing:
    return "points neither way so far"
  if all(pointing):
    return "points to it so far" + _of_cells(len(pointing), len(findings))
  if not any(pointing):
    return "points against it so far" + _of_cells(len(pointing), len(findings))
  return f"mixed so far, {sum(pointing)} of {len(findings)} settings point to it"


def _of_cells(num_pointing: int, num_cells: int) -> str:
  return f", in {num_pointing} of {num_cells} settings" if num_pointing < num_cells else ""


def compare(settings: study_runs.Settings, measure: str, test: Test, name: str) -> list[Finding]:
  """Applies a test to each setting that has a measure at both correlations.

  Runs are pairs if the seeds of both sides are the same; otherwise the finding says why not.

  Args:
    settings: The settings.
    measure: Name of a measure of `measures.MEASURES`.
    test: `directed` or `unchanged`.
    name: What to call a setting that is the only one; others go by their names.

  Returns:
    Findings, one that there are no runs if there is no such setting.
  """
  found = {}
  for setting, runs in settings.items():
    sides = (study_runs.of_correlation(runs, label) for label in (LOW, HIGH))
    matched = paired.match(*(study_runs.seeded_values_of(side, measure) for side in sides))
    if matched.before and matched.after:
      finding = test(matched.before, matched.after, matched.are_pairs)
      reason = f", unpaired ({matched.problem})" if matched.problem else ""
      found[setting] = dataclasses.replace(finding, text=finding.text + reason)
  return named(found, name)


def named(found: Mapping[str, Finding], name: str, missing: str = "no runs") -> list[Finding]:
  """Returns findings of settings under the name of their cell, or several under their own.

  Args:
    found: Name of a setting -> its finding.
    name: What to call the cell.
    missing: What is said of a cell without findings.
  """
  if not found:
    return [Finding(f"{name}: {missing}")]
  return [
    dataclasses.replace(finding, text=f"{name if len(found) == 1 else setting}: {finding.text}")
    for setting, finding in found.items()
  ]


def directed(falls: bool, digits: int) -> Test:
  """Returns the test that a measure falls or rises, by one-sided Mann-Whitney tests."""
  words = ("falls", "rises") if falls else ("rises", "falls")

  def test(low: Values, high: Values, are_pairs: bool = False) -> Finding:
    greater, less = (low, high) if falls else (high, low)
    effect = statistics.probability_of_superiority(greater, less)
    parts = [_means(low, high, digits), f"A12 {effect:.2f}"]
    leans = None if effect == 0.5 else effect > 0.5
    in_pairs = _directed_pairs(low, high, digits, words) if are_pairs else ""
    if statistics.smallest_p_value(len(low), len(high)) > LEVEL:
      parts.append(_too_few())
      return Finding(", ".join(parts) + in_pairs, leans=leans, is_tied=leans is None)
    p_claim, p_opposite = (
      statistics.mann_whitney(*pair) for pair in ((greater, less), (less, greater))
    )
    small = equivalence.of_standardized_sum([high, low], [1, -1], SIZE)
    texts = dict(zip(words, (p_claim, p_opposite), strict=True))
    if small:
      texts[f"changes by less than {SIZE:g} sd"] = small.p_value
    parts += [f"{p_text(p_value)} that it {word}" for word, p_value in texts.items()]
    if p_claim > LEVEL and leans:
      parts.append(f"runs on each side: {_would_show()}")
    p_small = small.p_value if small else None
    return Finding(", ".join(parts) + in_pairs, p_claim, p_opposite, p_small, leans)

  return test


def _directed_pairs(low: Values, high: Values, digits: int, words: Sequence[str]) -> str:
  """Returns the permutation tests of pairs, as evidence beside the tests that decide."""
  falls = [before - after for before, after in zip(low, high, strict=True)]
  rises = [-fall for fall in falls]
  p_values = {"falls": paired.permutation_test(falls), "rises": paired.permutation_test(rises)}
  told = ", ".join(f"{p_text(p_values[word])} that it {word}" for word in words)
  return f"; {describe_pairs(rises, digits)}, {told}"


def describe_pairs(differences: Values, digits: int) -> str:
  """Returns number, mean difference and Student's interval of pairs of one seed, in words."""
  mean, interval = sum(differences) / len(differences), paired.interval(differences)
  between = f" (95 % {interval[0]:+z.{digits}f} to {interval[1]:+z.{digits}f})" if interval else ""
  pairs = "pair" if len(differences) == 1 else "pairs"
  return f"in {len(differences)} {pairs} of one seed {mean:+z.{digits}f}{between}"


def _too_few() -> str:
  least = next(n for n in range(1, 100) if statistics.smallest_p_value(n, n) <= LEVEL)
  return f"too few runs for a verdict: {least} on each side are the least, {_would_show()}"


def _would_show() -> str:
  num = statistics.num_runs_to_show(SIZE, LEVEL)
  return f"{num} would show a shift of {SIZE:g} sd in 80 % of cases"


def unchanged(low: Values, high: Values, are_pairs: bool = False) -> Finding:
  """Tests that the mean changes by less than MARGIN of its value at LOW."""
  parts = [_means(low, high, 2)]
  found = equivalence.of_ratio(high, low, MARGIN)
  if found is None:
    return Finding(", ".join([*parts, "too few runs for a test, or no positive mean"]))
  change = sum(high) / len(high) / (sum(low) / len(low)) - 1
  parts.append(f"change {change:+.1%}")
  num = equivalence.num_runs_for_ratio(high, low, MARGIN, LEVEL)
  would_show = (
    f"runs on each side with as much variation: {num or 'more than 1,000'} would show that an "
    "equal mean is equal in 80 % of cases"
  )
  finding = equivalence_finding(parts, found, abs(change) < MARGIN, f"±{MARGIN:.0%}", would_show)
  in_pairs = paired.within_ratio(low, high, MARGIN) if are_pairs else None
  if in_pairs is None:
    return finding
  differences = [after - before for before, after in zip(low, high, strict=True)]
  told = f"{p_text(in_pairs.p_value)} that it is within ±{MARGIN:.0%}"
  return dataclasses.replace(
    finding, text=f"{finding.text}; {describe_pairs(differences, 2)}, {told}"
  )


def equivalence_finding(
  parts: Sequence[str],
  found: equivalence.Equivalence,
  leans: bool,
  bounds: str,
  would_show: str = "",
) -> Finding:
  """Returns what a test of equivalence says.

  Args:
    parts: The numbers.
    found: The tests that the cell is as claimed, which is within bounds.
    leans: Whether the numbers are within the bounds.
    bounds: The bounds in words.
    would_show: What is said if it is not shown to be within them.
  """
  parts = [
    *parts,
    f"{p_text(found.p_value)} that it is within {bounds}",
    f"{p_text(found.opposite_p_value)} that it is not",
  ]
  if would_show and leans and found.p_value > LEVEL:
    parts.append(would_show)
  return Finding(", ".join(parts), found.p_value, found.opposite_p_value, leans=leans)


def _means(low: Values, high: Values, digits: int) -> str:
  means = [f"{sum(values) / len(values):.{digits}f}" for values in (low, high)]
  return f"mean {means[0]} → {means[1]} (n = {len(low)} and {len(high)})"


def p_text(p_value: float, name: str = "p") -> str:
  """Returns a p-value with two significant digits, or that it is below 0.0001."""
  text = f"{name} < 0.0001" if p_value < 1e-4 else f"{name} = {p_value:.2g}"
  return text.replace(" ", "\u00a0")
