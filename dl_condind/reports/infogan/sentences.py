"""What a report says of InfoGANs in words: what they are, what their measures say."""

from collections.abc import Sequence

from dl_condind.reports import measures
from dl_condind.reports import sentences
from dl_condind.reports import study_runs
from dl_condind.utils import run_config

INTRODUCTION = (
  "Here an InfoGAN recovers its continuous codes from the images it generates, "
  "with a posterior q(z|x) whose noise has the covariance (1 - c) I + c 1 1ᵀ: c = 0 is the usual, "
  "factorized one, with c = 0.9 all codes are correlated given the image. Yang et al. (2020), "
  "arXiv:1911.10922, show that with the factorized one each code does something to the digits that "
  "has a name, and that with the correlated one neither does. Here that is measured."
)
NEXT_STEPS = (
  "Another prior, other weights or codes: copy gin_configs/studies/figure3.gin, bind them in it "
  "(study.bindings = [\"infogan.continuous_prior = 'uniform'\"]), and give the path of the copy "
  "to dl_condind_reproduce --study.",
  "Pictures of any runs, side by side: dl_condind_visualize_infogan --model_dir={run}/model "
  "--model_dir={another run}/model --output_dir=...",
)

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
  "run take is partly chance: runs of one correlation differ, and one run per side decides nothing."
)
_COLUMNS = (
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


def describe(settings: study_runs.Settings) -> list[str]:
  """Returns sentences on the measures of InfoGANs grouped by setting, most important first."""
  paragraphs = sentences.tell_each(settings, lambda *pair: [_describe(*pair)])
  everything = [run for runs in settings.values() for run in runs]
  if study_runs.values_of(everything, "conditional_r2_assigned"):
    paragraphs.append(_R2)
  if any(continuous_prior(run) == "normal" for run in everything):
    paragraphs.append(_PRIOR)
  return [*paragraphs, _PAPER]


def _describe(low: Sequence[study_runs.Run], high: Sequence[study_runs.Run]) -> str:
  changes = [
    f"{measure.title} {sentences.describe_change(low, high, measure)}"
    for measure in measures.compared(run_config.INFOGAN)
    if study_runs.values_of(low, measure.name) and study_runs.values_of(high, measure.name)
  ]
  if not changes:
    return "The measures are missing on one side."
  return f"Median {'; '.join(changes)}."


def explain_columns(runs: Sequence[study_runs.Run]) -> str:
  """Says what the columns of the table of every run are."""
  del runs  # They are the same for all.
  return _COLUMNS


def continuous_prior(run: study_runs.Run) -> str:
  """Returns the prior of the continuous codes of a run, "normal" or "uniform"."""
  return run.setting(f"{run.method}.continuous_prior")


def name_latents(run: study_runs.Run) -> str:
  """Returns the number of continuous codes of a run."""
  return f"{run.num_latent} continuous code{'' if run.num_latent == '1' else 's'}"


def name_networks(run: study_runs.Run) -> str:
  """Returns the networks of a run."""
  del run
  return "those of Chen et al. (2016), appendix C.1"


def name_learning_rates(run: study_runs.Run) -> str:
  """Returns the learning rates of a run."""
  names = ("discriminator", "recognition", "generator")
  return ", ".join(f"{sentences.learning_rate(run, f'{x}_optimizer')} ({x})" for x in names)
