"""The tables of a study's report, as pieces of an HTML page."""

from collections.abc import Sequence

from dl_condind.reports import comparisons
from dl_condind.reports import families
from dl_condind.reports import measures
from dl_condind.reports import page
from dl_condind.reports import statistics
from dl_condind.reports import study_runs
from dl_condind.reports import verdicts

_MAX_OPEN_RUNS = 20  # More are folded away.
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
  "only the other tests apply. The verdicts above rest on the tests that do not use pairs, so that "
  "they are the same on every page."
)
_KINDS = {
  verdicts.HOLDS: "holds",
  verdicts.OPPOSITE: "opposite",
  verdicts.TOO_SMALL: "small",
  verdicts.OPEN: "open",
}


def verdict_rows(found: Sequence[verdicts.Claim], claim: str, source: str) -> str:
  """Returns a table of claims.

  Args:
    found: The claims.
    claim: Heading of what is claimed.
    source: Heading of where it is claimed, or of what.
  """
  rows = [page.row([c.summary, c.text, c.source, c.evidence], _KINDS[c.verdict]) for c in found]
  return page.table(["Verdict", claim, source, "What decides"], rows, "verdicts")


def verdict_table(found: Sequence[verdicts.Claim]) -> list[str]:
  """Returns the table of the paper's claims."""
  note = (
    "A claim is about one or more settings, such as a method on a data set with a number of "
    "latents, each trained with several seeds. The last column has a line for each setting. A "
    "claim holds if every setting shows it. It is opposite if one setting shows the opposite, and "
    f"too small if one setting shows that the effect is below {verdicts.SIZE:g} standard "
    "deviation of the runs. Otherwise it is open, which says nothing against it: then the last "
    "column tells how many runs could decide it. Whatever is true, a verdict is wrong with a "
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
  return [verdict_rows(found, "Claim, from c = 0 to c = 0.9", "Paper"), page.note(note)]


def setting_statistics(found: comparisons.Tables, left_out: study_runs.Settings) -> list[str]:
  """Returns the table of each measure of each setting and correlation.

  Args:
    found: The comparisons.
    left_out: Runs of each setting that do not count, which are counted.
  """
  headings = ["Setting", "c", "Runs", "Not counted", "Median", "Mean", "95 % interval"]
  headings += ["Change", "A12", "p", "p, Holm", "Would show", f"p, ±{comparisons.MARGIN:.0%}"]
  headings += ["Pairs", "Mean difference, 95 % interval", "p, paired", "p, paired, Holm"]
  rows = []
  for measure in measures.compared():
    table = found[measure.name]
    if not any(entry.summary.count for entry in table.values()):
      continue
    test = f"{measure.title}; tested: it {measure.expected}"
    rows.append(page.row([test], "setting", span=len(headings)))
    rows += [page.row(_statistics_cells(entry, measure, left_out)) for entry in table.values()]
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
  return [page.table(headings, rows), page.note(note), page.note(_PAIRED_NOTE)]


def _statistics_cells(
  entry: comparisons.Entry, measure: measures.Measure, left_out: study_runs.Settings
) -> list[str]:
  summary, digits = entry.summary, measure.digits
  others = study_runs.of_correlation(left_out.get(entry.setting, ()), entry.label)
  states = [run.state for run in others]
  counts = [f"{states.count(state)} {state}" for state in dict.fromkeys(states)]
  interval = summary.interval and " to ".join(f"{value:,.{digits}f}" for value in summary.interval)
  cells = [entry.setting, entry.label, str(summary.count), ", ".join(counts) or _ABSENT]
  cells += [_text(summary.median, f",.{digits}f"), _text(summary.mean, f",.{digits}f")]
  return [*cells, interval or _ABSENT, *_comparison_cells(entry.comparison, measure)]


def _comparison_cells(
  comparison: comparisons.Comparison | None, measure: measures.Measure
) -> list[str]:
  if comparison is None:
    return [""] * 10
  if comparison.effect is None:
    return [_ABSENT] * 10
  shift, equivalence = comparison.detectable, comparison.equivalence
  no_equivalence = "too few" if measure.is_ratio else _ABSENT
  return [
    _text(comparison.change, "+.1%" if measure.is_ratio else f"+z.{measure.digits}f"),
    f"{comparison.effect:.2f}",
    "too few" if comparison.p_value is None else _p_value(comparison.p_value),
    _ABSENT if comparison.adjusted is None else _p_value(comparison.adjusted),
    _ABSENT if shift is None else f"{shift:.1f} sd",
    no_equivalence if equivalence is None else _p_value(equivalence.p_value),
    *_paired_cells(comparison, measure),
  ]


def _paired_cells(comparison: comparisons.Comparison, measure: measures.Measure) -> list[str]:
  found, digits = comparison.paired, measure.digits
  if found is None:
    return [f"none: {comparison.unpaired}", _ABSENT, _ABSENT, _ABSENT]
  difference = f"{found.mean:+z.{digits}f}"
  if found.interval:
    difference += " (" + " to ".join(f"{bound:+z.{digits}f}" for bound in found.interval) + ")"
  return [
    str(found.num_pairs),
    difference,
    "too few" if found.p_value is None else _p_value(found.p_value),
    _ABSENT if found.adjusted is None else _p_value(found.adjusted),
  ]


def _p_value(p_value: float) -> str:
  return "< 0.0001" if p_value < 1e-4 else f"{p_value:.2g}"


def _text(value: float | None, style: str) -> str:
  return _ABSENT if value is None else f"{value:{style}}"


def every_run(settings: study_runs.Settings) -> list[str]:
  """Returns a table of all runs of each family, with the medians of each correlation."""
  parts = []
  for family, members in families.by_family(settings).items():
    parts += _family_runs(family, members)
  return parts


def _family_runs(family: families.Family, settings: study_runs.Settings) -> list[str]:
  everything = [run for runs in settings.values() for run in runs]
  columns = [c for c in family.columns if study_runs.values_of(everything, c.name)]
  headings = ["Run", "c", "Seed", *(_heading(column) for column in columns), "Minutes"]
  rows = []
  for name, runs in settings.items():
    rows.append(page.row([name], "setting", span=len(headings)))
    for run in runs:
      rows.append(page.row([run.name, run.correlation_label, run.seed, *_values([run], columns)]))
    for label in study_runs.correlation_labels(runs):
      members = study_runs.of_correlation(runs, label)
      if len(members) == 1:
        continue  # The row of the run says it.
      cells = [f"median of {len(members)}", label, "", *_values(members, columns)]
      rows.append(page.row(cells, "median"))
  table = page.table(headings, rows)
  if len(everything) > _MAX_OPEN_RUNS:
    table = page.details(f"All {len(everything)} runs", table)
  return [table, page.note(f"{family.sentences.explain_columns(everything)} {_RUN_NOTE}")]


def _values(runs: Sequence[study_runs.Run], columns: Sequence[measures.Measure]) -> list[str]:
  """Returns the measures of a run, or the medians of several."""
  seconds = study_runs.median(runs, "seconds")
  minutes = None if seconds is None else seconds / 60
  return [*(_cell(runs, column) for column in columns), _text(minutes, ",.1f")]


def _heading(column: measures.Measure) -> str:
  return f"{column.heading} (null)" if column.null else column.heading


def _cell(runs: Sequence[study_runs.Run], column: measures.Measure) -> str:
  style = f"z,.{column.digits}f"  # z: never -0.00
  text = _text(study_runs.median(runs, column.name), style)
  if column.null is None or text == _ABSENT:
    return text
  return f"{text} ({_text(study_runs.median(runs, column.null), style)})"
