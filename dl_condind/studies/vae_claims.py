"""The claims of Yang et al. (2020), arXiv:1911.10922, on VAEs, each with a verdict from a study.

Cells are of method, data set and number of latents, with the paper's weights. Beside the tests of
`claims` there is Welch's t-test, of a difference of differences.
"""

from collections.abc import Sequence

from dl_condind.studies import claims
from dl_condind.studies import comparisons
from dl_condind.studies import statistics
from dl_condind.visualize import study_runs

NOTE = (
  "Of VAEs, only models with the paper's weights count, MIG is that of the mean representation, "
  "and KL the factorized one. “Falls more”: Welch's test of the difference of the two falls."
)

_METHODS = {
  "vae": {"vae.beta": "1.0"},
  "factor_vae": {"factor_vae.gamma": "35.0"},
  "beta_tc_vae": {"beta_tc_vae.beta": "6.0", "beta_tc_vae.density": "factorized"},
}
_METHOD_NAMES = {"vae": "VAE", "factor_vae": "FactorVAE", "beta_tc_vae": "beta-TCVAE"}
_DATASETS = {"dsprites_full": "dSprites", "smallnorb": "SmallNORB", "cars3d": "Cars3D"}

_Cells = dict[tuple[str, str, str], list[str]]


def judge(settings: comparisons.Settings, tables: comparisons.Tables) -> list[claims.Claim]:
  """Returns the paper's claims on VAEs with their verdicts.

  Args:
    settings: Runs of each cell of VAEs, as `study_runs.group_by_setting` returns them.
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


def _mig_claims(cells: _Cells, tables: comparisons.Tables) -> list[claims.Claim]:
  judged = []
  for num_latent, source in (("10", "Section 5.1, Figure 1"), ("20", "Appendix F, Figure 5")):
    for dataset, name in _DATASETS.items():
      methods, exception = list(_METHODS), ""
      if (num_latent, dataset) == ("20", "cars3d"):
        methods.remove("vae")
        exception = " (for VAE the paper itself saw a slight anomaly)"
      findings = [
        finding
        for method in methods
        for finding in _find(
          cells, (method, dataset, num_latent), tables["mig_mean"], claims.directed("mig_mean")
        )
      ]
      text = f"MIG falls on {name} with {num_latent} latents{exception}"
      judged.append(claims.decide(text, source, findings))
  return judged


def _figure_2_claims(cells: _Cells, tables: comparisons.Tables) -> list[claims.Claim]:
  unchanged, changed = [], []
  for name in ("reconstruction_loss", "kl_loss", "total_correlation"):
    measure = claims.MEASURES[name]
    findings = [
      finding
      for method in ("vae", "factor_vae")
      for finding in _find(cells, (method, "dsprites_full", "10"), tables[name], claims.unchanged)
    ]
    title = measure.title[0].upper() + measure.title[1:]
    text = f"{title} is nearly unchanged for VAE and FactorVAE on dSprites"
    unchanged.append(claims.decide(text, "Section 5.1, Figure 2", findings))
    cell = ("beta_tc_vae", "dsprites_full", "10")
    findings = _find(cells, cell, tables[name], claims.directed(name))
    text = f"{title} {'falls' if measure.falls else 'rises'} for beta-TCVAE on dSprites"
    changed.append(claims.decide(text, "Section 5.1, Figure 2", findings))
  return unchanged + changed


def _find(
  cells: _Cells, cell: tuple[str, str, str], table: comparisons.Table, test: claims.Test
) -> list[claims.Finding]:
  return claims.find(cells.get(cell, ()), table, test, _METHOD_NAMES[cell[0]])


def _larger_fall_claim(cells: _Cells, settings: comparisons.Settings) -> claims.Claim:
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
        for label in (claims.LOW, claims.HIGH)
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
      f"{name}: fall {at_10:.3f} → {at_20:.3f}, Welch {claims.p_text(p_values[name])}, "
      f"{claims.p_text(adjusted, 'Holm')}"
    )
    is_opposite = 1 - p_values[name] <= comparisons.ALPHA / len(drawn)
    is_shown = adjusted <= comparisons.ALPHA
    findings.append(claims.Finding(is_shown, is_opposite, min(map(len, samples)), text))
  missing = 2 * len(_DATASETS) - len(findings)
  if missing:
    findings.append(claims.Finding(False, False, 0, f"{missing} of 6 pairs of cells lack runs"))
  text = "MIG falls more with 20 latents than with 10 for FactorVAE and beta-TCVAE"
  return claims.decide(text, "Appendix F", findings)


def _kl_claim(cells: _Cells, settings: comparisons.Settings) -> claims.Claim:
  """Tests all runs together; there are as many as on the smallest side of any method."""
  text = "TC and KL are positively correlated on dSprites"
  points, num_runs = {}, []
  for method, name in _METHOD_NAMES.items():
    points[name] = []
    for label in (claims.LOW, claims.HIGH):
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
    findings = [claims.Finding(False, False, 0, f"{len(everything)} runs have both")]
  else:
    rho, p_value = found
    within = [
      f"{name} {alone[0]:.2f}"
      for name, pairs in points.items()
      if (alone := _rank_correlation(pairs))
    ]
    evidence = (
      f"Spearman {rho:.2f} over {len(everything)} runs, permutation {claims.p_text(p_value)}; "
      f"within methods: {', '.join(within) or '-'}"
    )
    is_opposite = rho < 0 and 1 - p_value <= comparisons.ALPHA
    is_shown = p_value <= comparisons.ALPHA
    findings = [claims.Finding(is_shown, is_opposite, min(num_runs), evidence)]
  return claims.decide(text, "Appendix D, Figure 2", findings)


def _rank_correlation(pairs: Sequence[tuple[float, float]]) -> tuple[float, float] | None:
  return statistics.rank_correlation(*zip(*pairs, strict=True)) if pairs else None
