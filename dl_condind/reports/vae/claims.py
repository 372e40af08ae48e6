"""The claims of Yang et al. (2020), arXiv:1911.10922, on VAEs, each with a verdict from a study.

Cells are of method, data set and number of latents, with the paper's weights. Next to the tests of
`verdicts` there are Welch's t-test of a difference of differences, a permutation test of a rank
correlation within cells, and a test of an estimate against its own null.
"""

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np

from dl_condind.reports import equivalence
from dl_condind.reports import measures
from dl_condind.reports import protocol
from dl_condind.reports import rank_correlation
from dl_condind.reports import statistics
from dl_condind.reports import study_runs
from dl_condind.reports import verdicts
from dl_condind.utils import run_config

NOTE = (
  "Of VAEs, only models with the paper's weights count, MIG is that of the mean representation, "
  "and KL the factorized one. “Falls more”: Welch's test of the difference of the two falls. "
  "“Positively correlated”: a permutation test of the mean rank correlation within methods and "
  f"correlations; below {rank_correlation.BOUND:g} it is too small. “Precise”: Student's test that "
  f"the estimate for independent latents, whose TC is 0, is below {verdicts.MARGIN:.0%} of the "
  "estimate."
)

_METHODS: dict[str, dict[str, Any]] = {
  "vae": {"vae.beta": 1.0},
  "factor_vae": {"factor_vae.gamma": 35.0},
  "beta_tc_vae": {"beta_tc_vae.beta": 6.0, "beta_tc_vae.density": "factorized"},
}
_METHOD_NAMES = {"vae": "VAE", "factor_vae": "FactorVAE", "beta_tc_vae": "beta-TCVAE"}
_DATASETS = {"dsprites_full": "dSprites", "smallnorb": "SmallNORB", "cars3d": "Cars3D"}
PROTOCOL = protocol.Protocol(
  training_steps={"vae": 300000, "factor_vae": 150000, "beta_tc_vae": 300000},
  settings={
    "model.batch_size": 64,
    "model.initial_model_dir": None,
    "encoder.encoder_fn": "@conv_encoder",
    "decoder.decoder_fn": "@deconv_decoder",
    "reconstruction_loss.loss_fn": "@bernoulli_loss",
    "reconstruction_loss.activation": "logits",
    "bernoulli_loss.subtract_true_image_entropy": False,
    "discriminator.discriminator_fn": "@fc_discriminator",
    "dataset.factor_distribution": None,
  },
  optimizers={
    "vae_optimizer": (1e-4, 0.9, 0.999),
    "discriminator_optimizer": (1e-4, 0.5, 0.9),
  },
  evaluations={
    "mig": {
      "mig.num_train": 10000,
      "discretizer.discretizer_fn": "@histogram_discretizer",
      "discretizer.num_bins": 20,
    },
    "total_correlation": {
      "total_correlation.density": "factorized",
      "total_correlation.num_posteriors": 64,
      "total_correlation.num_samples": 30,
    },
  },
)

_NOT_ONE = "no runs, or runs of several settings"

_Key = tuple[str, str, str]  # Method, data set, number of latents.
_Cells = Mapping[_Key, study_runs.Settings]
_Judged = tuple[list[verdicts.Finding], list[protocol.Deviation]]


def judge(settings: study_runs.Settings) -> list[verdicts.Claim]:
  """Returns the paper's claims on VAEs with their verdicts.

  Args:
    settings: Runs of each setting of VAEs, as `grouping.group_by_setting` returns them.
  """
  cells: dict[_Key, dict[str, Sequence[study_runs.Run]]] = {}
  for name, runs in settings.items():
    if _has_paper_weights(runs[0]):
      key = (runs[0].method, runs[0].dataset, runs[0].num_latent)
      cells.setdefault(key, {})[name] = runs
  return [
    *_mig_claims(cells),
    _larger_fall_claim(cells),
    *_figure_2_claims(cells),
    _lower_tc_claim(cells),
    _kl_claim(cells),
    _precision_claim(cells),
  ]


def _has_paper_weights(run: study_runs.Run) -> bool:
  weights = _METHODS.get(run.method)
  return weights is not None and all(
    run_config.literal(run.config.get(key, "-")) == value for key, value in weights.items()
  )


def _mig_claims(cells: _Cells) -> list[verdicts.Claim]:
  judged = []
  for num_latent, source in (("10", "Section 5.1, Figure 1"), ("20", "Appendix F, Figure 5")):
    for dataset, name in _DATASETS.items():
      methods, exception = list(_METHODS), ""
      if (num_latent, dataset) == ("20", "cars3d"):
        methods.remove("vae")
        exception = " (for VAE the paper itself saw a slight anomaly)"
      keys = [(method, dataset, num_latent) for method in methods]
      text = f"MIG falls on {name} with {num_latent} latents{exception}"
      found = _compare(cells, keys, "mig_mean", verdicts.directed(falls=True, digits=3))
      judged.append(verdicts.decide(text, source, *found))
  return judged


def _figure_2_claims(cells: _Cells) -> list[verdicts.Claim]:
  unchanged, changed = [], []
  for name in ("reconstruction_loss", "kl_loss", "total_correlation"):
    measure = measures.find(name)
    title = measure.title[0].upper() + measure.title[1:]
    keys = [(method, "dsprites_full", "10") for method in ("vae", "factor_vae")]
    text = f"{title} is nearly unchanged for VAE and FactorVAE on dSprites"
    found = _compare(cells, keys, name, verdicts.unchanged)
    unchanged.append(verdicts.decide(text, "Section 5.1, Figure 2", *found))
    falls = name != "reconstruction_loss"
    text = f"{title} {'falls' if falls else 'rises'} for beta-TCVAE on dSprites"
    keys = [("beta_tc_vae", "dsprites_full", "10")]
    found = _compare(cells, keys, name, verdicts.directed(falls, measure.digits))
    changed.append(verdicts.decide(text, "Section 5.1, Figure 2", *found))
  return unchanged + changed


def _compare(cells: _Cells, keys: Sequence[_Key], measure: str, test: verdicts.Test) -> _Judged:
  """Applies a test to the settings of each cell that the paper's protocol chooses."""
  findings, deviations = [], []
  for key in keys:
    chosen, found = protocol.choose(PROTOCOL, cells.get(key, {}), measures.find(measure).metric)
    findings += verdicts.compare(chosen, measure, test, _METHOD_NAMES[key[0]])
    deviations += found
  return findings, deviations


def _only(
  cells: _Cells, key: _Key, metric: str = ""
) -> tuple[Sequence[study_runs.Run], list[protocol.Deviation]]:
  """Returns the runs of a cell's only setting; none if it has no setting, or several."""
  chosen, deviations = protocol.choose(PROTOCOL, cells.get(key, {}), metric)
  if len(chosen) != 1:
    return [], []
  (runs,) = chosen.values()
  return runs, deviations


def _larger_fall_claim(cells: _Cells) -> verdicts.Claim:
  """Tests, for each method and data set, that MIG falls more with 20 latents than with 10."""
  findings, deviations = [], []
  for method in ("factor_vae", "beta_tc_vae"):
    for dataset, dataset_name in _DATASETS.items():
      samples = []
      for num_latent in ("20", "10"):
        runs, found = _only(cells, (method, dataset, num_latent), "mig")
        deviations += found
        samples += [
          study_runs.values_of(study_runs.of_correlation(runs, label), "mig_mean")
          for label in (verdicts.LOW, verdicts.HIGH)
        ]
      findings.append(_larger_fall(f"{_METHOD_NAMES[method]} on {dataset_name}", samples))
  text = "MIG falls more with 20 latents than with 10 for FactorVAE and beta-TCVAE"
  return verdicts.decide(text, "Appendix F", findings, deviations)


def _larger_fall(name: str, samples: Sequence[verdicts.Values]) -> verdicts.Finding:
  """Compares the falls; samples are of 20 latents at both correlations, then of 10."""
  if not all(samples):
    return verdicts.Finding(f"{name}: {_NOT_ONE}")
  means = [sum(values) / len(values) for values in samples]
  at_20, at_10 = means[0] - means[1], means[2] - means[3]
  text = f"{name}: fall {at_10:.3f} → {at_20:.3f}"
  leans = None if at_20 == at_10 else at_20 > at_10
  if min(map(len, samples)) < 2:
    return verdicts.Finding(f"{text}, too few runs for a test", leans=leans)
  weights = (1, -1, -1, 1)
  p_value = statistics.welch(samples, weights)
  small = equivalence.of_standardized_sum(samples, weights, verdicts.SIZE)
  text += f", Welch {verdicts.p_text(p_value)} that it is larger"
  return verdicts.Finding(text, p_value, 1 - p_value, small.p_value if small else None, leans)


def _lower_tc_claim(cells: _Cells) -> verdicts.Claim:
  """Tests that the penalties on TC lower it below VAE's where the posterior is factorized."""
  test = verdicts.directed(falls=True, digits=2)
  samples: dict[str, verdicts.Values] = {}
  deviations: list[protocol.Deviation] = []
  for method in _METHODS:
    runs, deviating = _only(cells, (method, "dsprites_full", "10"), "total_correlation")
    runs = study_runs.of_correlation(runs, verdicts.LOW)
    samples[method] = study_runs.values_of(runs, "total_correlation")
    deviations += deviating
  findings = []
  for method in ("factor_vae", "beta_tc_vae"):
    pair = samples["vae"], samples[method]
    are_pairs = False  # Two methods do not start from the same weights.
    found = {"": test(*pair, are_pairs)} if all(pair) else {}
    findings += verdicts.named(found, f"VAE → {_METHOD_NAMES[method]}", _NOT_ONE)
  text = "At c = 0, FactorVAE and beta-TCVAE have a lower TC than VAE on dSprites"
  return verdicts.decide(text, "Section 5, Models", findings, deviations)


def _points(
  cells: _Cells, metric: str, names: Sequence[str]
) -> tuple[dict[str, list[tuple[float, ...]]], list[protocol.Deviation]]:
  """Returns measures of the runs on dSprites that have all of them, by method and correlation."""
  points: dict[str, list[tuple[float, ...]]] = {}
  deviations: list[protocol.Deviation] = []
  for method, title in _METHOD_NAMES.items():
    runs, deviating = _only(cells, (method, "dsprites_full", "10"), metric)
    deviations += deviating
    for label in (verdicts.LOW, verdicts.HIGH):
      name = f"{title}, {run_config.name_correlation(label)}"
      points[name] = study_runs.points_of(study_runs.of_correlation(runs, label), names)
  return points, deviations


def _kl_claim(cells: _Cells) -> verdicts.Claim:
  """Tests the mean rank correlation of the six cells, by permutations within each."""
  points, deviations = _points(cells, "total_correlation", ("kl_loss", "total_correlation"))
  groups = [np.reshape(values, (-1, 2)).T for values in points.values()]
  found = rank_correlation.within(groups)
  if found is None:
    lacking = [name for name, values in points.items() if len(values) < 3]
    text = f"too few runs with both measures: {'; '.join(lacking) or 'one does not vary'}"
    finding = verdicts.Finding(text)
  else:
    small = found.equivalence
    text = (
      f"mean Spearman {found.mean:.2f} within {len(points)} groups of {_counts(points)} runs of "
      "one method and correlation, "
      f"{verdicts.p_text(found.p_positive)} that it is positive, "
      f"{verdicts.p_text(found.p_negative)} that it is negative"
    )
    finding = verdicts.Finding(
      text,
      found.p_positive,
      found.p_negative,
      small.p_value if small else None,
      leans=None if found.mean == 0 else found.mean > 0,
    )
  text = "TC and KL are positively correlated on dSprites"
  return verdicts.decide(text, "Appendix D, Figure 2", [finding], deviations)


def _counts(points: Mapping[str, Sequence]) -> str:
  counts = sorted({len(values) for values in points.values()})
  return f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"


def _precision_claim(cells: _Cells) -> verdicts.Claim:
  """Tests the estimate for latents made independent, whose TC is 0, against the estimate itself."""
  names = ("total_correlation", "total_correlation_null")
  points, deviations = _points(cells, "total_correlation", names)
  findings = []
  for name, values in points.items():
    found = {"": _precision(values)} if values else {}
    findings += verdicts.named(found, name, _NOT_ONE)
  text = "B = 64 posteriors give a precise estimate of TC on dSprites"
  return verdicts.decide(text, "Appendix D", findings, deviations)


def _precision(values: Sequence[Sequence[float]]) -> verdicts.Finding:
  estimate, null = (sum(column) / len(values) for column in zip(*values, strict=True))
  room = [verdicts.MARGIN * abs(tc) - abs(of_null) for tc, of_null in values]
  text = f"estimate {estimate:.2f}, of independent latents {null:.2f} (n = {len(values)})"
  leans = sum(room) > 0
  if len(values) < 2:
    return verdicts.Finding(f"{text}, too few runs for a test", leans=leans)
  p_value = statistics.welch([room], [1])
  text += f", {verdicts.p_text(p_value)} that it is precise"
  text += f", {verdicts.p_text(1 - p_value)} that it is not"
  return verdicts.Finding(text, p_value, 1 - p_value, leans=leans)
