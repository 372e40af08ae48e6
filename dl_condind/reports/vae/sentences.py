"""What the measures of a study of VAEs say, and do not say, in words; and what any study lacks."""

from collections.abc import Mapping
from collections.abc import Sequence

from dl_condind.reports import study_runs
from dl_condind.utils import run_config

MAX_TOLD_SETTINGS = 3  # Of more, the table of statistics says the same in less space.


def describe(settings: Mapping[str, Sequence[study_runs.Run]]) -> list[str]:
  """Returns sentences on the measures of VAEs grouped by setting, most important first."""
  paragraphs = []
  if len(settings) <= MAX_TOLD_SETTINGS:
    for name, runs in settings.items():
      start = f"{name}. " if len(settings) > 1 else ""
      if pair := study_runs.extremes(runs):
        paragraphs += [f"{start}{_describe_mig(*pair)}", f"{start}{_describe_terms(*pair)}"]
      else:
        paragraphs.append(f"{start}{nothing_told(runs)}")
  if any(study_runs.extremes(runs) for runs in settings.values()):
    paragraphs.append(_PAPER)
  everything = [run for runs in settings.values() for run in runs]
  return [*paragraphs, *_describe_kl(everything), _TOTAL_CORRELATION, _MIG]


def caveats(
  settings: Mapping[str, Sequence[study_runs.Run]], lost: Sequence[study_runs.Run] = ()
) -> list[str]:
  """Returns sentences on what the verdicts of a study do not hold for.

  Args:
    settings: Runs grouped by setting.
    lost: Runs that were begun and are not trained.
  """
  everything = [run for runs in settings.values() for run in runs]
  return [
    *_describe_data(settings),
    *_describe_diverged([run for run in lost if run.state == study_runs.DIVERGED]),
    *_describe_collapsed(everything),
  ]


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
  sentences = []
  for measure, representation in (("mig_mean", "mean"), ("mig_sampled", "sampled")):
    if not (study_runs.values_of(low, measure) and study_runs.values_of(high, measure)):
      sentences.append(f"MIG of the {representation} representation is missing on one side.")
      continue
    change = describe_change(low, high, measure, digits=3)
    sentences.append(f"Median MIG of the {representation} representation {change}.")
  low_values, high_values = (
    study_runs.values_of(low, "mig_mean"),
    study_runs.values_of(high, "mig_mean"),
  )
  num_pairs = len(low_values) * len(high_values)
  if num_pairs:
    lower = sum(h < l for l in low_values for h in high_values)  # noqa: E741
    sentences.append(
      f"In {lower} of {count_of('pair', num_pairs)} of one run each, the one with "
      f"{run_config.name_correlation(high[0].correlation_label)} has the lower MIG (mean "
      "representation)."
    )
  return " ".join(sentences)


def _describe_terms(low: Sequence[study_runs.Run], high: Sequence[study_runs.Run]) -> str:
  names = {
    "reconstruction_loss": "reconstruction error",
    "kl_loss": "factorized KL",
    "total_correlation": "TC estimate",
  }
  changes = [
    f"{name} {describe_change(low, high, measure, digits=2)}"
    for measure, name in names.items()
    if study_runs.values_of(low, measure) and study_runs.values_of(high, measure)
  ]
  if not changes:
    return "The other measures are missing on one side."
  return f"Median {'; '.join(changes)}."


def nothing_told(runs: Sequence[study_runs.Run]) -> str:
  """Says why there are no two numbers c to compare."""
  if len(study_runs.correlation_labels(runs)) == 1:
    return "All runs have one noise correlation, so nothing is compared."
  return "Not all noise correlations are numbers c: the table of statistics compares them."


def describe_change(
  low: Sequence[study_runs.Run], high: Sequence[study_runs.Run], measure: str, digits: int
) -> str:
  """Returns how the median of a measure, of which there are values, changes from low to high."""
  before, after = (round(study_runs.median(runs, measure), digits) for runs in (low, high))
  counts = [len(study_runs.values_of(runs, measure)) for runs in (low, high)]
  where = [
    f"at {run_config.name_correlation(runs[0].correlation_label)} ({count_of('run', count)})"
    for runs, count in zip((low, high), counts, strict=True)
  ]
  if after == before:
    return f"stayed {before:.{digits}f}, {where[0]} and {where[1]}"
  verb = "rose" if after > before else "fell"
  return f"{verb} from {before:.{digits}f} {where[0]} to {after:.{digits}f} {where[1]}"


def _describe_kl(runs: Sequence[study_runs.Run]) -> list[str]:
  differences: dict[tuple[str, str], list[float]] = {}
  for run in runs:
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


def _describe_data(settings: Mapping[str, Sequence[study_runs.Run]]) -> list[str]:
  """Warns of data that are not the official files, and of different data in one cell."""
  found: dict[str, dict[str, int]] = {}
  paragraphs = []
  for name, runs in settings.items():
    digests = {str(run.provenance.get("dataset_sha256", "-")) for run in runs}
    if len(digests) > 1:
      paragraphs.append(
        f"{name}: its runs saw different data ({', '.join(sorted(d[:12] for d in digests))})."
      )
    for run in runs:
      counts = found.setdefault(run.dataset, {})
      source = str(run.provenance.get("dataset_source", "unknown"))
      counts[source] = counts.get(source, 0) + 1
  parts = [
    f"{dataset}: {source_name(source)} ({count_of('run', number)})"
    for dataset, counts in sorted(found.items())
    for source, number in sorted(counts.items())
    if not source.startswith("official")
  ]
  if parts:
    paragraphs.append(f"Not the official files that the paper used: {'; '.join(parts)}.")
  return paragraphs


def source_name(source: str) -> str:
  """Returns what a data set's source is, in words."""
  names = {
    "rendered": "rendered by this package",
    "synthetic": "synthetic stand-in, not real images",
  }
  return names.get(source, source)


def _describe_diverged(runs: Sequence[study_runs.Run]) -> list[str]:
  counts: dict[str, int] = {}
  for run in runs:
    cell = f"run {run.name}, whose configuration is lost"
    if run.config:
      correlation = run_config.name_correlation(run.correlation_label)
      cell = f"{study_runs.setting_name(run)}, {correlation}"
    counts[cell] = counts.get(cell, 0) + 1
  if not counts:
    return []
  parts = [f"{cell}: {number}" for cell, number in sorted(counts.items())]
  return [
    "Diverged runs have no values, and those that are left are no longer a fair sample of seeds: "
    f"{'; '.join(parts)}."
  ]


def _describe_collapsed(runs: Sequence[study_runs.Run]) -> list[str]:
  """Warns of InfoGANs whose generator or discriminator collapsed."""
  described = {
    "collapsed": "fewer than eight digits are covered",
    "discriminator_collapsed": "the discriminator was right nearly always for a while",
  }
  parts = [
    f"run {run.name} ({run_config.name_correlation(run.correlation_label)}): {what}"
    for run in runs
    for measure, what in described.items()
    if run.measure(measure)
  ]
  if not parts:
    return []
  return [
    f"Runs that collapsed count in all tables and figures: {'; '.join(parts)}. What their codes do "
    "says little of the posterior."
  ]


def count_of(word: str, number: int) -> str:
  """Returns a number and its noun, such as `1 run` or `2 runs`."""
  return f"{number} {word}" if number == 1 else f"{number} {word}s"
