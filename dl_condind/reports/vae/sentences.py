"""What a report says of VAEs in words: what they are, what their measures say and do not say."""

from collections.abc import Sequence

from dl_condind.reports import measures
from dl_condind.reports import sentences
from dl_condind.reports import study_runs
from dl_condind.utils import run_config

INTRODUCTION = (
  "Here a variational autoencoder draws its latents as z = mean + stddev * noise "
  "with noise of covariance (1 - c) I + c 1 1ᵀ, or of another family where the page names one. "
  "c = 0 is the usual, factorized posterior q(z|x); with c = 0.9 all latents are correlated "
  "given the image. Yang et al. (2020), "
  "arXiv:1911.10922, argue that disentanglement needs the factorized one, so that the mutual "
  "information gap (MIG) falls when c rises, while reconstruction error, KL and total correlation "
  "(TC) change little."
)
NEXT_STEPS = (
  "Other methods: copy gin_configs/studies/quickstart.gin, put another file of "
  "gin_configs/methods/ in it (vae.gin, factor_vae.gin, ...), and give the path of the copy to "
  "dl_condind_reproduce --study.",
  "Three methods and three seeds in hours: dl_condind_reproduce --study=paper_reduced "
  "--engine=local; all runs of the paper: --study=paper. docs/running_many.md says how.",
  "Pictures of any run: dl_condind_visualize_model --model_dir={run}/model --output_dir=...",
)

_MIGS = {"mig_mean": "mean", "mig_sampled": "sampled"}  # Measure -> representation.


def describe(settings: study_runs.Settings) -> list[str]:
  """Returns sentences on the measures of VAEs grouped by setting, most important first."""
  paragraphs = sentences.tell_each(
    settings, lambda *pair: [_describe_mig(*pair), _describe_terms(*pair)]
  )
  if any(study_runs.extremes(runs) for runs in settings.values()):
    paragraphs.append(_PAPER)
  everything = [run for runs in settings.values() for run in runs]
  return [*paragraphs, *_describe_kl(everything), _TOTAL_CORRELATION, _MIG]


_PAPER = (
  "The paper reports that MIG falls from c = 0 to c = 0.9 for VAE, FactorVAE and beta-TCVAE, and "
  "that reconstruction error, KL and TC are nearly unchanged for the first two; for beta-TCVAE "
  "reconstruction error rises while KL and TC fall."
)
_TOTAL_CORRELATION = (
  "Total correlation (TC) is the estimate of the paper's Appendix D. Unless its density is set to "
  "“full”, it scores every sample by factorized densities, also where the noise is correlated, so "
  "it hardly sees c: a TC that stays the same is what it reports in either case. It is biased, "
  "the more the narrower the posteriors are: upwards where latents depend little on each other. "
  "Read it beside its null (the same estimate with latents made independent, whose true TC is 0) "
  "and its leave-one-out value (no sample is scored by its own posterior), which is then biased "
  "downwards. The null has independent noise: with density “full” and c above 0 it is biased less "
  "than the estimate, which compares with total_correlation_own_noise_null in runs.csv instead."
)
_MIG = (
  "MIG of the mean representation does not see the noise of the posterior itself, only what "
  "training with it did to the encoder; MIG of the sampled representation sees both. MIG values of "
  "other programs compare only with the same representation, points, bins and factors."
)


def _describe_mig(low: Sequence[study_runs.Run], high: Sequence[study_runs.Run]) -> str:
  told = []
  for name, representation in _MIGS.items():
    if not (study_runs.values_of(low, name) and study_runs.values_of(high, name)):
      told.append(f"MIG of the {representation} representation is missing on one side.")
      continue
    change = sentences.describe_change(low, high, measures.find(name))
    told.append(f"Median MIG of the {representation} representation {change}.")
  low_values, high_values = (
    study_runs.values_of(low, "mig_mean"),
    study_runs.values_of(high, "mig_mean"),
  )
  num_pairs = len(low_values) * len(high_values)
  if num_pairs:
    lower = sum(h < l for l in low_values for h in high_values)  # noqa: E741
    told.append(
      f"In {lower} of {sentences.count_of('pair', num_pairs)} of one run each, the one with "
      f"{run_config.name_correlation(high[0].correlation_label)} has the lower MIG (mean "
      "representation)."
    )
  return " ".join(told)


def _describe_terms(low: Sequence[study_runs.Run], high: Sequence[study_runs.Run]) -> str:
  changes = [
    f"{measure.axis_label} {sentences.describe_change(low, high, measure)}"
    for measure in measures.compared(run_config.VAE)
    if measure.name not in _MIGS
    and study_runs.values_of(low, measure.name)
    and study_runs.values_of(high, measure.name)
  ]
  if not changes:
    return "The other measures are missing on one side."
  return f"Median {'; '.join(changes)}."


def _describe_kl(runs: Sequence[study_runs.Run]) -> list[str]:
  differences: dict[tuple[str, str], list[float]] = {}
  for run in runs:
    if not _has_fixed_correlation(run):  # Its difference is trained.
      continue
    full, factorized = run.measure("kl_loss_full"), run.measure("kl_loss")
    if full is not None and factorized is not None:
      key = (run.correlation_label, run.num_latent)
      differences.setdefault(key, []).append(full - factorized)
  if not differences:
    return []
  parts = []
  for (label, num_latent), values in sorted(differences.items()):
    amount = f"{abs(min(values)):.2f}"  # Never -0.00.
    if f"{abs(max(values)):.2f}" != amount:
      amount += f" to {max(values):.2f}"
    parts.append(f"{amount} nats at {run_config.name_correlation(label)} ({num_latent} latents)")
  return [
    f"The full KL exceeds the factorized KL by {'; '.join(parts)}. That is the constant "
    "-1/2 log det R of the noise correlation R. It is there by construction, the same for every "
    "image and without a gradient, so training neither made it nor can lower it. The KL that the "
    "paper and the objective call unchanged or lower is the factorized one."
  ]


def _has_fixed_correlation(run: study_runs.Run) -> bool:
  """Returns whether the noise of a run has one correlation that training does not change."""
  return run.correlation is not None or run.setting("posterior.family") in ("-", "None")


def explain_columns(runs: Sequence[study_runs.Run]) -> str:
  """Says what the columns of the table of every run are."""
  return (
    "KL and TC in nats; reconstruction error summed over pixels, in "
    f"{reconstruction_unit(runs)}. TC is the paper's estimate with its standard error over batches."
  )


def reconstruction_unit(runs: Sequence[study_runs.Run]) -> str:
  """Returns the unit of the reconstruction error of runs."""
  losses = {run.setting("reconstruction_loss.loss_fn") for run in runs}
  if losses and losses <= {"@bernoulli_loss", "@gaussian_loss"}:
    return "nats"
  return "squared error" if losses == {"@l2_loss"} else "units of its loss"


def name_latents(run: study_runs.Run) -> str:
  """Returns the number of latents of a run."""
  return f"{run.num_latent} latents"


def name_networks(run: study_runs.Run) -> str:
  """Returns the networks of a run."""
  keys = ("encoder.encoder_fn", "decoder.decoder_fn", "reconstruction_loss.loss_fn")
  networks = ", ".join(run.setting(key).removeprefix("@") for key in keys)
  return f"{networks}, {name_latents(run)}"


def name_learning_rates(run: study_runs.Run) -> str:
  """Returns the learning rates of a run."""
  return sentences.learning_rate(run, "vae_optimizer")
