"""The tables of a study's report, as pieces of an HTML page."""

from collections.abc import Sequence
from typing import NamedTuple

from dl_condind.reports import claims
from dl_condind.reports import comparisons
from dl_condind.reports import page
from dl_condind.reports import reading
from dl_condind.reports import statistics
from dl_condind.reports import study_runs
from dl_condind.reports.vae import figures as vae_figures

_MAX_OPEN_RUNS = 20  # More are folded away.
_ABSENT = "-"


class _Column(NamedTuple):
  """A measure of runs; its null, if it has one, stands beside it in brackets."""

  heading: str
  measure: str
  digits: int
  null: str | None = None


_VAE_COLUMNS = (
  _Column("Steps", "steps", 0),
  _Column("MIG, mean", "mig_mean", 3),
  _Column("MIG, sampled", "mig_sampled", 3),
  _Column("Reconstr. error", "reconstruction_loss", 2),
  _Column("KL, factorized", "kl_loss", 2),
  _Column("KL, full", "kl_loss_full", 2),
  _Column("TC", "total_correlation", 2),
  _Column("TC, std. error", "total_correlation_std_error", 3),
  _Column("TC, null", "total_correlation_null", 2),
  _Column("TC, leave‑one‑out", "total_correlation_leave_one_out", 2),
)
_INFOGAN_COLUMNS = (
  _Column("Steps", "steps", 0),
  _Column("R² gap", "conditional_r2_mean_gap", 3, "conditional_r2_mean_gap_null"),
  _Column("R² of own attribute", "conditional_r2_assigned", 3, "conditional_r2_assigned_null"),
  _Column("Digit changes", "digit_change_rate", 3, "digit_change_rate_null"),
  _Column("Error correlation", "error_correlation", 2, "error_correlation_null"),
  _Column("Classifier sure", "sure_share", 3),
  _Column("Digits covered", "num_covered_digits", 0),
  _Column("Discr. loss", "discriminator_loss", 2),
  _Column("Gen. loss", "generator_loss", 2),
  _Column("MI penalty", "mutual_information_penalty", 3),
)
_INFOGAN_NOTE = (
  "R² is the share of the variance of an attribute of the generated digits (slant, width, height, "
  "thickness) that a continuous code explains, within each category (or, without a categorical "
  "code, each predicted digit) and averaged over these. The gap is the best code's less the second "
  "best's, averaged over the attributes. “Of own attribute”: each code with a different attribute, "
  "averaged over the codes. “Digit changes”: share of the traversals of a code along which the "
  "classifier sees the digit change. “Error correlation”: of the recognition network's errors in "
  "units of the standard deviation it reports. In brackets: the same of shuffled codes, of images "
  "shuffled among traversals, of shuffled errors. “Classifier sure”: share of the images of "
  "whose digit it is. “Digits covered”: out of ten. Losses in nats, averaged over the last fifth "
  "of training's log; the MI penalty is the weighted negative log likelihood of all codes, which "
  "may be below 0."
)
_RUN_NOTE = (
  "Medians are of the runs that have the value; “-” is a value that is not there. Minutes of "
  "training are those since it was last continued. The same numbers, and more, are in runs.csv."
)
_KINDS = {
  claims.HOLDS: "holds",
  claims.OPPOSITE: "opposite",
  claims.TOO_SMALL: "small",
  claims.OPEN: "open",
}


def verdicts(found: Sequence[claims.Claim]) -> list[str]:
  """Returns the table of the paper's claims."""
  rows = [page.row([c.summary, c.text, c.source, c.evidence], _KINDS[c.verdict]) for c in found]
  headings = ["Verdict", "Claim, from c = 0 to c = 0.9", "Paper", "What decides"]
  note = (
    "A claim holds if it is shown in each of its cells. It is opposite if the opposite is shown in "
    f"one, and too small if one shows that its effect is below {claims.SIZE:g} standard deviation "
    "of the runs. Otherwise it is open, which says nothing against it: then the last column tells "
    "how many runs could decide it. Whatever is true, a verdict is wrong with a probability of at "
    f"most {claims.ALPHA:.0%}: each one-sided test has the level {claims.LEVEL:g}, divided by the "
    "number of the claim's cells where one cell is enough. “Falls” and “rises”: Mann-Whitney "
    f"tests; an effect below {claims.SIZE:g} standard deviation: noncentral t-tests. “Nearly "
    f"unchanged”: the mean changes by less than {claims.MARGIN:.0%} (two one-sided tests of the "
    "ratio of means). Cells that are not the claim's make no difference."
  )
  return [page.table(headings, rows, "verdicts"), page.note(note)]


def cell_statistics(found: comparisons.Tables, left_out: reading.Cells) -> list[str]:
  """Returns the table of each measure of each cell and correlation.

  Args:
    found: The comparisons.
    left_out: Runs of each cell that do not count, which are counted.
  """
  headings = ["Cell", "c", "Runs", "Not counted", "Median", "Mean", "95 % interval"]
  headings += ["Change", "A12", "p", "p, Holm", "Would show", f"p, ±{comparisons.MARGIN:.0%}"]
  rows = []
  for measure in comparisons.MEASURES:
    table = found[measure.name]
    if not any(entry.summary.count for entry in table.values()):
      continue
    test = f"{measure.title}; tested: {measure.tested}"
    rows.append(page.row([test], "setting", span=len(headings)))
    rows += [page.row(_statistics_cells(entry, measure, left_out)) for entry in table.values()]
  effects = [f"{statistics.superiority_of_shift(shift):.2f}" for shift in (1.0, 1.5, 2.0)]
  note = (
    "Runs are those that have the measure. The interval of the mean is a bootstrap one (BCa, 9,999 "
    f"resamples), from {statistics.MIN_INTERVAL_VALUES} runs on; with ten it covers about 90 % "
    "rather than 95 %. The other columns compare with c = 0, or the lowest c there is: change of "
    "the mean (in percent, or of shares and correlations as a difference); A12, the probability "
    "that a run is further in the tested direction than one at c = 0 (0.5 is no effect); p of the "
    "Mann-Whitney test, one-sided if a direction is tested, and adjusted by Holm's method over all "
    "comparisons of the measure, those with too few runs included: the verdicts above adjust for "
    "the cells of a claim instead. “Would show” is the shift, in standard deviations, that as many "
    "runs of normal values would have shown in 80 % of the cases at the first step of Holm's "
    "method; shifts of 1, "
    f"1.5 and 2 are A12 of {', '.join(effects)}. The "
    "last p is of the tests that the mean changed by less than the margin. “too few” is said where "
    "no values whatever of these numbers of runs could have been significant."
  )
  return [page.table(headings, rows), page.note(note)]


def _statistics_cells(
  entry: comparisons.Entry, measure: comparisons.Measure, left_out: reading.Cells
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
  comparison: comparisons.Comparison | None, measure: comparisons.Measure
) -> list[str]:
  if comparison is None:
    return [""] * 6
  if comparison.effect is None:
    return [_ABSENT] * 6
  shift, equivalence = comparison.detectable, comparison.equivalence
  no_equivalence = "too few" if measure.is_ratio else _ABSENT
  return [
    _text(comparison.change, "+.1%" if measure.is_ratio else f"+z.{measure.digits}f"),
    f"{comparison.effect:.2f}",
    "too few" if comparison.p_value is None else _p_value(comparison.p_value),
    _ABSENT if comparison.adjusted is None else _p_value(comparison.adjusted),
    _ABSENT if shift is None else f"{shift:.1f} sd",
    no_equivalence if equivalence is None else _p_value(equivalence.p_value),
  ]


def _p_value(p_value: float) -> str:
  return "< 0.0001" if p_value < 1e-4 else f"{p_value:.2g}"


def _text(value: float | None, style: str) -> str:
  return _ABSENT if value is None else f"{value:{style}}"


def every_run(settings: comparisons.Settings) -> list[str]:
  """Returns a table of all VAEs and one of all InfoGANs, with the medians of each correlation."""
  parts = []
  for family, cells in study_runs.by_family(settings).items():
    if family == study_runs.INFOGAN:
      parts += _family_runs(cells, _INFOGAN_COLUMNS, _INFOGAN_NOTE)
    else:
      runs = [run for members in cells.values() for run in members]
      parts += _family_runs(cells, _VAE_COLUMNS, _vae_note(runs))
  return parts


def _family_runs(
  settings: comparisons.Settings, columns: Sequence[_Column], note: str
) -> list[str]:
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
  num_runs = sum(map(len, settings.values()))
  if num_runs > _MAX_OPEN_RUNS:
    table = page.details(f"All {num_runs} runs", table)
  return [table, page.note(f"{note} {_RUN_NOTE}")]


def _vae_note(runs: Sequence[study_runs.Run]) -> str:
  return (
    "KL and TC in nats; reconstruction error summed over pixels, in "
    f"{vae_figures.reconstruction_unit(runs)}. TC is the paper's estimate with its standard "
    "error over batches."
  )


def _values(runs: Sequence[study_runs.Run], columns: Sequence[_Column]) -> list[str]:
  """Returns the measures of a run, or the medians of several."""
  seconds = study_runs.median(runs, "seconds")
  minutes = None if seconds is None else seconds / 60
  return [*(_cell(runs, column) for column in columns), _text(minutes, ",.1f")]


def _heading(column: _Column) -> str:
  return f"{column.heading} (null)" if column.null else column.heading


def _cell(runs: Sequence[study_runs.Run], column: _Column) -> str:
  style = f"z,.{column.digits}f"  # z: never -0.00
  text = _text(study_runs.median(runs, column.measure), style)
  if column.null is None or text == _ABSENT:
    return text
  return f"{text} ({_text(study_runs.median(runs, column.null), style)})"
