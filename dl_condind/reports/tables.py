"""The tables of a study's report: cells with their texts, and with what they are sorted by."""

from collections.abc import Sequence
from typing import NamedTuple

from dl_condind.reports import comparisons
from dl_condind.reports import families
from dl_condind.reports import measures
from dl_condind.reports import sentences
from dl_condind.reports import statistics
from dl_condind.reports import study_runs
from dl_condind.reports import verdicts
from dl_condind.utils import run_config

_ABSENT = "-"

_RUN_NOTE = (
  "Medians are of the runs that have the value; “-” is a value that is not there. Minutes of "
  "training are those since it was last continued. The same numbers, and more, are in runs.csv."
)
_PAIRED_NOTE = (
  "Runs of one seed share data, initial weights and noise. Where c = 0 and the other side have the "
  "same seeds, they are pairs, and the last columns compare within each: the mean difference with "
  "Student's interval, and p of the permutation test of its sign, exact up to 20 pairs, which does "
  "not see what differs between seeds. Elsewhere the column of pairs says why there are none, and "
  "only the other tests apply. The verdicts on the paper's claims rest on the tests that use no "
  "pairs, so that they are the same on every page."
)
VERDICT_NOTE = (
  "A claim is about one or more settings, such as a method on a data set with a number of "
  "latents, each trained with several seeds. Its evidence has a line for each setting. A "
  "claim holds if every setting shows it. It is opposite if one setting shows the opposite, and "
  f"too small if one setting shows that the effect is below {verdicts.SIZE:g} standard "
  "deviation of the runs. Otherwise it is open, which says nothing against it: then its evidence "
  "tells how many runs could decide it. Whatever is true, a verdict is wrong with a "
  f"probability of at most {verdicts.ALPHA:.0%}: each one-sided test has the level "
  f"{verdicts.LEVEL:g}, divided by the number of the claim's settings where one "
  "setting is enough. “Falls” and “rises” are Mann-Whitney "
  f"tests, an effect below {verdicts.SIZE:g} standard deviation is a noncentral t-test. “Nearly "
  f"unchanged”: the mean changes by less than {verdicts.MARGIN:.0%} (two one-sided tests of the "
  "ratio of means). Settings that are not the claim's make no difference. These tests decide, as "
  "on all pages before. Where both sides have the same seeds, runs are pairs. Then the evidence "
  "also has the permutation test of the differences, or the two t-tests of the ratio, which "
  "are sharper but change no verdict."
)


class Cell(NamedTuple):
  """A cell of a table.

  Attributes:
    text: What it shows.
    value: What its column is sorted by, if that is a number.
    run: Name of the run that the cell names, or "".
  """

  text: str
  value: float | None = None
  run: str = ""


class Table(NamedTuple):
  """A table.

  Attributes:
    title: What it shows.
    headings: Of its columns.
    rows: Its cells.
    summary: What it shows, in short.
  """

  title: str
  headings: Sequence[str]
  rows: Sequence[Sequence[Cell]]
  summary: str = ""


def setting_statistics(found: comparisons.Tables, left_out: study_runs.Settings) -> list[Table]:
  """Returns a table for each measure, of all settings and correlations.

  Args:
    found: The comparisons.
    left_out: Runs of each setting that do not count, which are counted.
  """
  headings = ["Setting", "c", "Runs", "Not counted", "Median", "Mean", "95 % interval"]
  headings += ["Change", "A12", "p", "p, Holm", "Would show", f"p, ±{comparisons.MARGIN:.0%}"]
  headings += ["Pairs", "Mean difference, 95 % interval", "p, paired", "p, paired, Holm"]
  tables = []
  for measure in measures.compared():
    table = found[measure.name]
    if any(entry.summary.count for entry in table.values()):
      rows = [_statistics_cells(entry, measure, left_out) for entry in table.values()]
      title = f"{measure.title}; tested: it {measure.expected}"
      tables.append(Table(title, headings, rows, _summary(table)))
  return tables


def _summary(table: comparisons.Table) -> str:
  """Says in short what the comparisons of a measure show."""
  compared = [entry.comparison for entry in table.values() if entry.comparison]
  tested = [c.adjusted for c in compared if c.adjusted is not None]
  if not compared:
    return "nothing to compare"
  if not tested:
    return "too few runs for a test"
  num_shown = sum(p <= comparisons.ALPHA for p in tested)
  return f"shown in {num_shown} of {len(compared)} (smallest p, Holm: {p_text(min(tested))})"


def statistics_notes() -> list[str]:
  """Says what the columns of the tables of `setting_statistics` are."""
  effects = [f"{statistics.superiority_of_shift(shift):.2f}" for shift in (1.0, 1.5, 2.0)]
  note = (
    "Runs are those that have the measure. The interval of the mean is a bootstrap interval (BCa, "
    f"9,999 resamples), from {statistics.MIN_INTERVAL_VALUES} runs on; with ten it covers about "
    "90 % rather than 95 %. The other columns compare with c = 0, or the lowest c there is: change "
    "of the mean (in percent; for shares and correlations a difference); A12, the probability "
    "that a run is further in the tested direction than one at c = 0 (0.5 is no effect); p of the "
    "Mann-Whitney test, one-sided if a direction is tested, and adjusted by Holm's method over all "
    "comparisons of the measure, including those with too few runs (the verdicts above adjust for "
    "the settings of a claim instead). “Would show” is the shift, in standard deviations, that as "
    "many runs of normal values would have shown in 80 % of the cases at the first step of Holm's "
    f"method; shifts of 1, 1.5 and 2 are A12 of {', '.join(effects)}. "
    f"“p, ±{comparisons.MARGIN:.0%}” is of the tests that the mean changed by less than that. "
    "“too few” means that no values of so few runs could have been significant."
  )
  return [note, _PAIRED_NOTE]


def _statistics_cells(
  entry: comparisons.Entry, measure: measures.Measure, left_out: study_runs.Settings
) -> list[Cell]:
  summary, digits = entry.summary, measure.digits
  others = study_runs.of_correlation(left_out.get(entry.setting, ()), entry.label)
  states = [run.state for run in others]
  counts = [f"{states.count(state)} {state}" for state in dict.fromkeys(states)]
  interval = summary.interval and " to ".join(f"{value:,.{digits}f}" for value in summary.interval)
  return [
    Cell(entry.setting),
    _label(entry.label),
    Cell(str(summary.count), summary.count),
    Cell(", ".join(counts) or _ABSENT),
    number(summary.median, f",.{digits}f"),
    number(summary.mean, f",.{digits}f"),
    Cell(interval or _ABSENT, summary.interval and summary.interval[0]),
    *_comparison_cells(entry.comparison, measure),
  ]


def _comparison_cells(
  comparison: comparisons.Comparison | None, measure: measures.Measure
) -> list[Cell]:
  if comparison is None:
    return [Cell("")] * 10
  if comparison.effect is None:
    return [Cell(_ABSENT)] * 10
  equivalence = comparison.equivalence
  no_equivalence = "too few" if measure.is_ratio else _ABSENT
  return [
    number(comparison.change, "+.1%" if measure.is_ratio else f"+z.{measure.digits}f"),
    number(comparison.effect, ".2f"),
    _p_value(comparison.p_value, "too few"),
    _p_value(comparison.adjusted),
    number(comparison.detectable, ".1f", " sd"),
    _p_value(equivalence.p_value if equivalence else None, no_equivalence),
    *_paired_cells(comparison, measure),
  ]


def _paired_cells(comparison: comparisons.Comparison, measure: measures.Measure) -> list[Cell]:
  found, digits = comparison.paired, measure.digits
  if found is None:
    return [Cell(f"none: {comparison.unpaired}"), *[Cell(_ABSENT)] * 3]
  difference = f"{found.mean:+z.{digits}f}"
  if found.interval:
    difference += " (" + " to ".join(f"{bound:+z.{digits}f}" for bound in found.interval) + ")"
  return [
    Cell(str(found.num_pairs), found.num_pairs),
    Cell(difference, found.mean),
    _p_value(found.p_value, "too few"),
    _p_value(found.adjusted),
  ]


def _p_value(p_value: float | None, absent: str = _ABSENT) -> Cell:
  return Cell(absent) if p_value is None else Cell(p_text(p_value), p_value)


def p_text(p_value: float) -> str:
  """Returns a p-value with two significant digits, or that it is below 0.0001."""
  return "< 0.0001" if p_value < 1e-4 else f"{p_value:.2g}"


def number(value: float | None, style: str, unit: str = "") -> Cell:
  """Returns the cell of a number in a format, such as `.3f`; `-` if there is none."""
  return Cell(_ABSENT) if value is None else Cell(f"{value:{style}}{unit}", value)


def _label(label: str) -> Cell:
  return Cell(label, float(label) if run_config.is_number(label) else None)


class RunTables(NamedTuple):
  """All runs of one family, their medians, and what the columns are."""

  runs: Table
  medians: Table
  note: str


def every_run(family: families.Family, settings: study_runs.Settings) -> RunTables:
  """Returns a table of all runs of a family, and the medians of several of one correlation."""
  everything = [run for runs in settings.values() for run in runs]
  columns = [c for c in family.columns if study_runs.values_of(everything, c.name)]
  measured = [*(_heading(column) for column in columns), "Minutes"]
  rows = [
    [
      Cell(run.name, float(run.name) if run.name.isdecimal() else None, run.name),
      Cell(name),
      _label(run.correlation_label),
      Cell(run.seed, float(run.seed) if run.seed.isdecimal() else None),
      *_values([run], columns),
    ]
    for name, runs in settings.items()
    for run in runs
  ]
  medians = []
  for name, runs in settings.items():
    for label in study_runs.correlation_labels(runs):
      members = study_runs.of_correlation(runs, label)
      if len(members) > 1:  # Otherwise the row of the run says it.
        count = Cell(str(len(members)), len(members))
        medians.append([Cell(name), _label(label), count, *_values(members, columns)])
  return RunTables(
    Table(
      f"{sentences.count_of(family.name, len(everything))}",
      ["Run", "Setting", "c", "Seed", *measured],
      rows,
    ),
    Table("Medians of runs with equal correlation", ["Setting", "c", "Runs", *measured], medians),
    f"{family.sentences.explain_columns(everything)} {_RUN_NOTE}",
  )


def _values(runs: Sequence[study_runs.Run], columns: Sequence[measures.Measure]) -> list[Cell]:
  """Returns the measures of a run, or the medians of several."""
  seconds = study_runs.median(runs, "seconds")
  minutes = None if seconds is None else seconds / 60
  return [*(_cell(runs, column) for column in columns), number(minutes, ",.1f")]


def _heading(column: measures.Measure) -> str:
  return f"{column.heading} (null)" if column.null else column.heading


def _cell(runs: Sequence[study_runs.Run], column: measures.Measure) -> Cell:
  style = f"z,.{column.digits}f"  # z: never -0.00
  cell = number(study_runs.median(runs, column.name), style)
  if column.null is None or cell.value is None:
    return cell
  null = number(study_runs.median(runs, column.null), style)
  return Cell(f"{cell.text} ({null.text})", cell.value)
