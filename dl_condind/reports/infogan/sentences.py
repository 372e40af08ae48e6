"""What the measures of a study of InfoGANs say, and do not say, in words."""

from collections.abc import Mapping
from collections.abc import Sequence

from dl_condind.reports import comparisons
from dl_condind.reports import study_runs
from dl_condind.reports.vae import sentences as vae_sentences

_PAPER = (
  "The paper shows one InfoGAN of each kind (Figure 3): at c = 0 its two codes turn the digit and "
  "change its width, at c = 0.9 no factor of variation belongs to a code and digits change along "
  "the codes. Their losses converge in both (Figure 4)."
)
_R2 = (
  "R² is of the slant, width, height and thickness of generated digits, measured by image moments, "
  "within a category (or, without a categorical code, a predicted digit). A factor of variation "
  "that is none of these four is not seen: look at the pictures too."
)
_PRIOR = (
  "A prior N(0, I) is the same in all directions of the codes, so that which ones the codes of a "
  "run take is partly chance: runs of one correlation differ, and one run a side decides nothing."
)


def describe(settings: Mapping[str, Sequence[study_runs.Run]]) -> list[str]:
  """Returns sentences on the measures of InfoGANs grouped by setting, most important first."""
  paragraphs = []
  if len(settings) <= vae_sentences.MAX_TOLD_SETTINGS:
    for name, runs in settings.items():
      start = f"{name}. " if len(settings) > 1 else ""
      pair = study_runs.extremes(runs)
      paragraphs.append(f"{start}{_describe(*pair) if pair else vae_sentences.nothing_told(runs)}")
  everything = [run for runs in settings.values() for run in runs]
  if study_runs.values_of(everything, "conditional_r2_assigned"):
    paragraphs.append(_R2)
  if any(run.continuous_prior == "normal" for run in everything):
    paragraphs.append(_PRIOR)
  return [*paragraphs, _PAPER]


def _describe(low: Sequence[study_runs.Run], high: Sequence[study_runs.Run]) -> str:
  changes = [
    f"{measure.title} {vae_sentences.describe_change(low, high, measure.name, measure.digits)}"
    for measure in comparisons.MEASURES
    if measure.family == study_runs.INFOGAN
    and study_runs.values_of(low, measure.name)
    and study_runs.values_of(high, measure.name)
  ]
  if not changes:
    return "The measures are missing on one side."
  return f"Median {'; '.join(changes)}."
