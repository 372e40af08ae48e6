"""What a study found, in a sentence or two: the first thing that a report says."""

from collections.abc import Mapping
from collections.abc import Sequence

from dl_condind.reports import comparisons
from dl_condind.reports import families
from dl_condind.reports import measures
from dl_condind.reports import sentences
from dl_condind.reports import study_runs
from dl_condind.reports import tables
from dl_condind.reports import verdicts
from dl_condind.utils import run_config

_MAX_TOLD_SETTINGS = 4

_Sides = tuple[list[study_runs.Run], list[study_runs.Run]]  # Of the lowest and of the highest c.
_WORDS = {
  verdicts.HOLDS: ("holds", "hold"),
  verdicts.OPPOSITE: ("is the opposite", "are the opposite"),
  verdicts.TOO_SMALL: ("is too small", "are too small"),
  verdicts.OPEN: ("is open", "are open"),
}


def describe(
  family: families.Family, settings: study_runs.Settings, found: comparisons.Tables
) -> str:
  """Says how the main measure of a family changes from the lowest to the highest c.

  Args:
    family: The family.
    settings: Its settings.
    found: `comparisons.compare_all` of all settings.
  """
  measure = measures.find(family.figures.MAIN)
  sides: dict[str, _Sides] = {}
  for name, runs in settings.items():
    measured = [run for run in runs if run.measure(measure.name) is not None]
    pair = study_runs.extremes(measured)
    if pair:
      sides[name] = pair
  if not sides:
    (first, *_) = settings.values()
    if not any(study_runs.values_of(runs, measure.name) for runs in settings.values()):
      return f"No run has a value of {_name(measure)}."
    return sentences.nothing_told(first)
  if len(sides) == 1:
    ((name, pair),) = sides.items()
    where = f"{name}: " if len(settings) > 1 else ""
    return where + _describe_one(name, pair, measure, found[measure.name])
  return _describe_several(settings, sides, measure, found[measure.name])


def _describe_one(
  name: str, pair: _Sides, measure: measures.Measure, table: comparisons.Table
) -> str:
  before, after = _averages(pair, measure)
  low, high = (run_config.name_correlation(runs[0].correlation_label) for runs in pair)
  counts = [len(runs) for runs in pair]
  average = "" if max(counts) == 1 else ", on average over runs,"
  change = (
    f"stayed{average} {before} at {low} and {high}"
    if before == after
    else f"{_verb(before, after)}{average} from {before} at {low} to {after} at {high}"
  )
  return f"{_capitalized(_name(measure))} {change}; {_test(name, pair, measure, table)}."


def _test(name: str, pair: _Sides, measure: measures.Measure, table: comparisons.Table) -> str:
  """Says what the test of a setting says, or why there is none."""
  counts = [len(runs) for runs in pair]
  if counts == [1, 1]:
    return "one run per side, so no test"
  per_side = f"{counts[0]} against {counts[1]} runs"
  low, high = (table[name, runs[0].correlation_label] for runs in pair)
  if low.comparison is not None or high.comparison is None:
    return f"{per_side}; the tests compare each with c = 0"
  if high.comparison.adjusted is None:
    return f"{per_side}, too few for a test"
  num = sum(entry.comparison is not None for entry in table.values())
  for_number = f", adjusted for {num} comparisons" if num > 1 else ""
  p_value = verdicts.p_text(high.comparison.adjusted)
  return f"{p_value} that it {measure.expected} (Mann-Whitney, {per_side}{for_number})"


def _describe_several(
  settings: study_runs.Settings,
  sides: dict[str, _Sides],
  measure: measures.Measure,
  table: comparisons.Table,
) -> str:
  falls = measure.expected == measures.FALLS
  changes = {name: _averages(pair, measure) for name, pair in sides.items()}
  num = sum((float(b) > float(a)) if falls else (float(b) < float(a)) for b, a in changes.values())
  ends = {tuple(runs[0].correlation_label for runs in pair) for pair in sides.values()}
  low, high = ("the lowest c", "the highest c")
  if len(ends) == 1:
    low, high = map(run_config.name_correlation, next(iter(ends)))
  _, titles = sentences.split_names({name: settings[name] for name in sides})
  told = ", ".join(
    f"{titles[name]} {before} → {after}"
    for name, (before, after) in list(changes.items())[:_MAX_TOLD_SETTINGS]
  )
  more = ", ..." if len(changes) > _MAX_TOLD_SETTINGS else ""
  compared = [
    comparison
    for name, (_, runs) in sides.items()
    if (comparison := table[name, runs[0].correlation_label].comparison)
  ]
  tested = [c.adjusted for c in compared if c.adjusted is not None]
  if all(len(runs) == 1 for pair in sides.values() for runs in pair):
    test = "one run per side, so no test"
  elif not tested:
    test = "too few runs for a test"
  else:
    num_shown = sum(p <= comparisons.ALPHA for p in tested)
    test = (
      f"tests that it {measure.expected} show that in {num_shown} of {len(compared)} "
      f"(smallest p by Holm's method {tables.p_text(min(tested))})"
    )
  return (
    f"On average over runs, {_name(measure)} is {'lower' if falls else 'higher'} at {high} than at "
    f"{low} in {num} of {len(sides)} settings ({told}{more}); {test}."
  )


def _averages(pair: _Sides, measure: measures.Measure) -> tuple[str, str]:
  """Returns the means of both sides, which are what the evidence of claims has too, as texts."""
  sides = (study_runs.values_of(runs, measure.name) for runs in pair)
  low, high = (f"{sum(values) / len(values):.{measure.digits}f}" for values in sides)
  return low, high


def _verb(before: str, after: str) -> str:
  return "rose" if float(after) > float(before) else "fell"


def _name(measure: measures.Measure) -> str:
  """Returns the name of a measure within a sentence: `MIG of the mean representation`."""
  return measure.title.replace(", ", " of the ", 1)


def _capitalized(text: str) -> str:
  return text[:1].upper() + text[1:]


def count_all_verdicts(
  paper: Sequence[verdicts.Claim], others: Mapping[str, Sequence[verdicts.Claim]]
) -> list[str]:
  """Says how many claims of each set have each verdict.

  Args:
    paper: The paper's claims, which are left out if only others are about the runs.
    others: Title of another set -> its claims.
  """
  told = [f"{title} {count_verdicts(claims)}" for title, claims in others.items()]
  is_of_paper = any(claim.has_runs for claim in paper)
  return [count_verdicts(paper, " of the paper"), *told] if is_of_paper or not told else told


def count_verdicts(claims: Sequence[verdicts.Claim], source: str = "") -> str:
  """Says how many claims of a set have runs, and how many have each verdict."""
  with_runs = [claim.verdict for claim in claims if claim.has_runs]
  if not with_runs:
    return f"None of the claims{source} is about these runs."
  parts = []
  for verdict, (one, several) in _WORDS.items():
    if number := with_runs.count(verdict):
      parts.append(f"{number} {one if number == 1 else several}")
  verb = "has" if len(with_runs) == 1 else "have"
  return f"Of {len(claims)} claims{source}, {len(with_runs)} {verb} runs: {', '.join(parts)}."
