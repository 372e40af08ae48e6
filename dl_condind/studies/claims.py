"""The claims of Yang et al. (2020), arXiv:1911.10922, on VAEs, each with a verdict from a study.

A claim is about cells of method, data set and number of latents at correlation 0 and 0.9, with the
paper's weights. What can show a claim in a cell is one of three tests of `statistics`: a one-sided
Mann-Whitney test ("falls", "rises"), an equivalence test ("nearly unchanged") or a t-test of a
difference of differences. Then a claim

- holds if it is shown in each of its cells;
- fails if in any of them the opposite is shown, or it is not shown with at least ten runs, the
  paper's number, on each side;
- otherwise there are not enough runs.
"""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence
import dataclasses

from dl_condind.studies import comparisons
from dl_condind.studies import statistics
from dl_condind.visualize import study_runs

HOLDS, FAILS, NOT_ENOUGH_RUNS = "holds", "fails", "not enough runs"
NUM_PAPER_SEEDS = 10

_LOW, _HIGH = "0", "0.9"
_METHODS = {
  "vae": {"vae.beta": "1.0"},
  "factor_vae": {"factor_vae.gamma": "35.0"},
  "beta_tc_vae": {"beta_tc_vae.beta": "6.0", "beta_tc_vae.density": "factorized"},
}
_METHOD_NAMES = {"vae": "VAE", "factor_vae": "FactorVAE", "beta_tc_vae": "beta-TCVAE"}
_DATASETS = {"dsprites_full": "dSprites", "smallnorb": "SmallNORB", "cars3d": "Cars3D"}
_MEASURES = {measure.name: measure for measure in comparisons.MEASURES}


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
class _Finding:
  """What one cell says: shown, the opposite shown, or neither with num_runs on the smaller side."""

  is_shown: bool
  is_opposite: bool
  num_runs: int
  text: str


_Cells = dict[tuple[str, str, str], list[str]]


def judge(settings: comparisons.Settings, tables: comparisons.Tables) -> list[Claim]:
  """Returns the paper's claims with their verdicts.

  Args:
    settings: Runs of each cell, as `study_runs.group_by_setting` returns them.
    tables: Their comparisons, as `comparisons.compare_all` returns them.
  """
  cells: _Cells = {}
  for name, runs in settings.items():
    if _has_paper_weights(runs[0]):
      cells.setdefault((runs[0].method, runs[0].dataset, runs[0].num_latent), []).append(name)
  return [
    *_mig_claims(cells, tables),
    _larger_fall_claim(cells, settings),
    *_figure_2_claims(cells, tables),
    _kl_claim(cells, settings),
  ]


def _has_paper_weights(run: study_runs.Run) -> bool:
  weights = _METHODS.get(run.method)
  return weights is not None and all(run.setting(key) == v for key, v in weights.items())


def _mig_claims(cells: _Cells, tables: comparisons.Tables) -> list[Claim]:
  claims = []
  for num_latent, source in (("10", "Section 5.1, Figure 1"), ("20", "Appendix F, Figure 5")):
    for dataset, name in _DATASETS.items():
      methods, exception = list(_METHODS), ""
      if (num_latent, dataset) == ("20", "cars3d"):
        methods.remove("vae")
        exception = " (for VAE the paper itself saw a slight anomaly)"
      findings = [
        finding
        for method in methods
        for finding in _findings(
          cells, (method, dataset, num_latent), tables["mig_mean"], _directed("mig_mean")
        )
      ]
      text = f"MIG falls on {name} with {num_latent} latents{exception}"
      claims.append(_claim(text, source, findings))
  return claims


def _figure_2_claims(cells: _Cells, tables: comparisons.Tables) -> list[Claim]:
  unchanged, changed = [], []
  for name in ("reconstruction_loss", "kl_loss", "total_correlation"):
    measure = _MEASURES[name]
    findings = [
      finding
      for method in ("vae", "factor_vae")
      for finding in _findings(cells, (method, "dsprites_full", "10"), tables[name], _unchanged)
    ]
    title = measure.title[0].upper() + measure.title[1:]
    text = f"{title} is nearly unchanged for VAE and FactorVAE on dSprites"
    unchanged.append(_claim(text, "Section 5.1, Figure 2", findings))
    cell = ("beta_tc_vae", "dsprites_full", "10")
    findings = _findings(cells, cell, tables[name], _directed(name))
    text = f"{title} {'falls' if measure.falls else 'rises'} for beta-TCVAE on dSprites"
    changed.append(_claim(text, "Section 5.1, Figure 2", findings))
  return unchanged + changed


_Test = Callable[[comparisons.Entry, comparisons.Entry], _Finding]


def _findings(
  cells: _Cells, cell: tuple[str, str, str], table: comparisons.Table, test: _Test
) -> list[_Finding]:
  """Applies a test to the cells of a method, data set and number of latents, named by method."""
  method = _METHOD_NAMES[cell[0]]
  found = []
  for setting in cells.get(cell, ()):
    low, high = table.get((setting, _LOW)), table.get((setting, _HIGH))
    if low and high and low.summary.count and high.summary.count:
      finding = test(high, low)
      found.append(dataclasses.replace(finding, text=f"{method}: {finding.text}"))
  return found or [_Finding(False, False, 0, f"{method}: no runs")]


def _directed(measure: str) -> _Test:
  def test(high: comparisons.Entry, low: comparisons.Entry) -> _Finding:
    comparison = high.comparison
    parts = [_means(low, high, _MEASURES[measure].digits), f"A12 {comparison.effect:.2f}"]
    if comparison.p_value is None:
      parts.append("too few runs for a test")
    else:
      p_values = p_text(comparison.p_value), p_text(comparison.adjusted, "Holm")
      parts.append(f"Mann-Whitney {', '.join(p_values)}")
    is_shown = comparison.adjusted is not None and comparison.adjusted <= comparisons.ALPHA
    if not is_shown and comparison.detectable is not None:
      parts.append(f"a shift of {comparison.detectable:.1f} sd would have been found in 80 %")
    return _Finding(is_shown, comparison.opposite, _smaller(low, high), ", ".join(parts))

  return test


def _unchanged(high: comparisons.Entry, low: comparisons.Entry) -> _Finding:
  equivalence = high.comparison.equivalence
  parts = [_means(low, high, 2)]
  if equivalence is None:
    parts.append("too few runs for a test, or no positive mean")
    return _Finding(False, False, _smaller(low, high), ", ".join(parts))
  parts.append(
    f"change {high.comparison.change:+.1%}, TOST within ±{comparisons.MARGIN:.0%} "
    f"{p_text(equivalence.p_value)}"
  )
  return _Finding(
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


def _larger_fall_claim(cells: _Cells, settings: comparisons.Settings) -> Claim:
  """Tests, for each method and data set, that MIG falls more with 20 latents than with 10."""
  drawn = {}
  for method in ("factor_vae", "beta_tc_vae"):
    for dataset, dataset_name in _DATASETS.items():
      names = [cells.get((method, dataset, num_latent), ()) for num_latent in ("20", "10")]
      if any(len(found) != 1 for found in names):
        continue  # Not there, or not one that belongs to the other.
      samples = [
        study_runs.values_of(study_runs.of_correlation(settings[name], label), "mig_mean")
        for (name,) in names
        for label in (_LOW, _HIGH)
      ]
      if min(map(len, samples)) > 1:
        drawn[f"{_METHOD_NAMES[method]} on {dataset_name}"] = samples
  weights = (1, -1, -1, 1)
  p_values = {name: statistics.welch(samples, weights) for name, samples in drawn.items()}
  findings = []
  for (name, samples), adjusted in zip(
    drawn.items(), statistics.holm(list(p_values.values())), strict=True
  ):
    at_20, at_10 = (sum(a) / len(a) - sum(b) / len(b) for a, b in (samples[:2], samples[2:]))
    text = (
      f"{name}: fall {at_10:.3f} → {at_20:.3f}, Welch {p_text(p_values[name])}, "
      f"{p_text(adjusted, 'Holm')}"
    )
    is_opposite = 1 - p_values[name] <= comparisons.ALPHA / len(drawn)
    is_shown = adjusted <= comparisons.ALPHA
    findings.append(_Finding(is_shown, is_opposite, min(map(len, samples)), text))
  missing = 2 * len(_DATASETS) - len(findings)
  if missing:
    findings.append(_Finding(False, False, 0, f"{missing} of 6 pairs of cells lack runs"))
  text = "MIG falls more with 20 latents than with 10 for FactorVAE and beta-TCVAE"
  return _claim(text, "Appendix F", findings)


def _kl_claim(cells: _Cells, settings: comparisons.Settings) -> Claim:
  """Tests all runs together; there are as many as on the smallest side of any method."""
  text = "TC and KL are positively correlated on dSprites"
  points, num_runs = {}, []
  for method, name in _METHOD_NAMES.items():
    points[name] = []
    for label in (_LOW, _HIGH):
      runs = [
        run
        for setting in cells.get((method, "dsprites_full", "10"), ())
        for run in study_runs.of_correlation(settings[setting], label)
      ]
      pairs = [(run.measure("kl_loss"), run.measure("total_correlation")) for run in runs]
      pairs = [pair for pair in pairs if None not in pair]
      points[name] += pairs
      num_runs.append(len(pairs))
  everything = [pair for pairs in points.values() for pair in pairs]
  found = _rank_correlation(everything)
  if found is None:
    findings = [_Finding(False, False, 0, f"{len(everything)} runs have both")]
  else:
    rho, p_value = found
    within = [
      f"{name} {alone[0]:.2f}"
      for name, pairs in points.items()
      if (alone := _rank_correlation(pairs))
    ]
    evidence = (
      f"Spearman {rho:.2f} over {len(everything)} runs, permutation {p_text(p_value)}; "
      f"within methods: {', '.join(within) or '-'}"
    )
    is_opposite = rho < 0 and 1 - p_value <= comparisons.ALPHA
    is_shown = p_value <= comparisons.ALPHA
    findings = [_Finding(is_shown, is_opposite, min(num_runs), evidence)]
  return _claim(text, "Appendix D, Figure 2", findings)


def _rank_correlation(pairs: Sequence[tuple[float, float]]) -> tuple[float, float] | None:
  return statistics.rank_correlation(*zip(*pairs, strict=True)) if pairs else None


def _claim(text: str, source: str, findings: Iterable[_Finding]) -> Claim:
  findings = list(findings)
  unshown = [f for f in findings if not f.is_shown]
  if any(f.is_opposite or f.num_runs >= NUM_PAPER_SEEDS for f in unshown):
    verdict = FAILS
  else:
    verdict = NOT_ENOUGH_RUNS if unshown else HOLDS
  return Claim(text, source, verdict, "\n".join(f.text for f in findings))


def p_text(p_value: float, name: str = "p") -> str:
  """Returns a p-value with two significant digits, or that it is below 0.0001."""
  text = f"{name} < 0.0001" if p_value < 1e-4 else f"{name} = {p_value:.2g}"
  return text.replace(" ", "\u00a0")
