"""What Yang et al. (2020), arXiv:1911.10922, say of InfoGANs, as claims on numbers.

Figure 3 shows one InfoGAN of each kind: with c = 0 one code turns the digits and one changes their
width; with c = 0.9 no factor of variation belongs to a code, and codes change the digit. Section
4.2 and Appendix E argue that a factorized recognition posterior makes the codes independent given
the image. Figure 4 shows that both converge. Cells are of MNIST, with the paper's number of codes
and weight.
"""

from collections.abc import Callable
from collections.abc import Sequence
import itertools
import operator

from dl_condind.reports import equivalence
from dl_condind.reports import measures
from dl_condind.reports import one_mean
from dl_condind.reports import protocol
from dl_condind.reports import study_runs
from dl_condind.reports import verdicts
from dl_condind.utils import run_config

_R2_BOUND = 0.5  # A code is an attribute if it explains more than half of its variance.
_CORRELATION_BOUND = 0.1  # of errors that are nearly uncorrelated
_DRIFT_BOUND = 0.1  # of a loss that has settled, as a share of its range

NOTE = (
  "Of InfoGANs the paper shows pictures of one at c = 0 and one at c = 0.9, and gives no numbers. "
  "The claims here are on measures that would show what it sees in them, of the metric "
  "infogan_disentanglement and of the losses in training, on MNIST with two continuous codes of "
  "weight 0.1 and what else methods/infogan.gin says of the objective. Claims about one "
  "correlation are tested by Student's t against a stated bound: half of an attribute's variance, "
  f"errors correlated by {_CORRELATION_BOUND:g}, a loss that still moves by {_DRIFT_BOUND:.0%} of "
  "its range between the last two fifths of training. The mutual information penalty may be below "
  f"0, so its change is compared with {verdicts.MARGIN:.0%} of the generator's loss."
)

_SETTING = {
  "dataset.name": "mnist",
  "infogan.info_weight": 0.1,
  "infogan.num_continuous": 2,
  "infogan.continuous_prior": "normal",  # From here on what methods/infogan.gin takes for unsaid.
  "infogan.num_categories": 10,
  "infogan.categorical_weight": 1.0,
}
_FIGURE_3 = "Section 5.2, Figure 3"
_APPENDIX_E = "Section 4.2, Appendix E"
_FIGURE_4 = "Appendix E, Figure 4"
_R2 = "model.infogan_disentanglement.conditional_r2."
_LOSSES = ("discriminator_loss", "generator_loss", "mutual_information_penalty")
PROTOCOL = protocol.Protocol(
  training_steps={"infogan": 15000},
  settings={"model.batch_size": 64, "model.initial_model_dir": None, "infogan.num_noise": 62},
  optimizers={
    "discriminator_optimizer": (2e-4, 0.5, 0.999),
    "generator_optimizer": (1e-3, 0.5, 0.999),
    "recognition_optimizer": (2e-4, 0.5, 0.999),
  },
  evaluations={},
)

_MeasureOf = Callable[[study_runs.Run], float | None]


def judge(settings: study_runs.Settings) -> list[verdicts.Claim]:
  """Returns the paper's claims on InfoGANs with their verdicts.

  Args:
    settings: Runs of each setting of InfoGANs, as `grouping.group_by_setting` returns them.
  """
  chosen, deviations = protocol.choose(
    PROTOCOL,
    {
      name: runs
      for name, runs in settings.items()
      if all(
        run_config.literal(runs[0].config.get(key, "-")) == value for key, value in _SETTING.items()
      )
    },
  )
  found = [
    *_figure_3_claims(chosen),
    *_independence_claims(chosen),
    *_convergence_claims(chosen),
    *_level_claims(chosen),
  ]
  return [verdicts.decide(*parts, deviations) for parts in found]


_Parts = tuple[str, str, list[verdicts.Finding]]  # Text, source and findings of a claim.


def _figure_3_claims(settings: study_runs.Settings) -> list[_Parts]:
  contrasts = (
    (
      "Codes differ less in what they change at c = 0.9: the gap of R² between the best and the "
      "second code falls",
      "conditional_r2_mean_gap",
      True,
    ),
    (
      "Codes have less of a nameable factor each at c = 0.9: R² with an attribute of their own "
      "falls",
      "conditional_r2_assigned",
      True,
    ),
    (
      "Codes change the digit along more of their traversals at c = 0.9",
      "digit_change_rate",
      False,
    ),
  )
  return [
    (
      "At c = 0 one code is the slant of digits and the other their width",
      _FIGURE_3,
      _at(settings, verdicts.LOW, _slant_and_width, one_mean.above(_R2_BOUND, 3)),
    ),
    (
      "At c = 0.9 no code is an attribute of digits",
      _FIGURE_3,
      _at(settings, verdicts.HIGH, _best_share, one_mean.below(_R2_BOUND, 3)),
    ),
    *(
      (text, _FIGURE_3, verdicts.compare(settings, measure, verdicts.directed(falls, 3), "InfoGAN"))
      for text, measure, falls in contrasts
    ),
  ]


def _independence_claims(settings: study_runs.Settings) -> list[_Parts]:
  measure = "error_correlation"
  test = one_mean.inside(-_CORRELATION_BOUND, _CORRELATION_BOUND, 2)
  return [
    (
      "A factorized posterior makes codes independent given the image: errors of the recognition "
      "network are nearly uncorrelated at c = 0",
      _APPENDIX_E,
      _at(settings, verdicts.LOW, lambda run: run.measure(measure), test),
    ),
    (
      "Errors of the recognition network are more correlated at c = 0.9",
      _APPENDIX_E,
      verdicts.compare(settings, measure, verdicts.directed(falls=False, digits=2), "InfoGAN"),
    ),
  ]


def _convergence_claims(settings: study_runs.Settings) -> list[_Parts]:
  """Judges each curve of Figure 4 by itself, at both correlations."""
  test = one_mean.inside(-_DRIFT_BOUND, _DRIFT_BOUND, 3)
  found = []
  for loss in _LOSSES:
    title, drift = measures.find(loss).title, f"{loss}_drift"
    findings = [
      finding
      for label in (verdicts.LOW, verdicts.HIGH)
      for finding in _at(settings, label, operator.methodcaller("measure", drift), test)
    ]
    found.append((f"Training converges: the {title} settles", _FIGURE_4, findings))
  return found


def _level_claims(settings: study_runs.Settings) -> list[_Parts]:
  """Compares where the curves of Figure 4 end."""
  text = "The correlated posterior does not change where the {} ends"
  found = [
    (
      text.format(measures.find(loss).title),
      _FIGURE_4,
      verdicts.compare(settings, loss, verdicts.unchanged, "InfoGAN"),
    )
    for loss in ("discriminator_loss", "generator_loss")
  ]
  penalty = "mutual_information_penalty"
  findings = {}
  for setting, runs in settings.items():
    low, high = (study_runs.of_correlation(runs, label) for label in (verdicts.LOW, verdicts.HIGH))
    pairs = study_runs.points_of(low, (penalty, "generator_loss"))
    after = study_runs.values_of(high, penalty)
    if pairs and after:
      findings[setting] = _penalty_finding(pairs, after)
  return [
    *found,
    (text.format(measures.find(penalty).title), _FIGURE_4, verdicts.named(findings, "InfoGAN")),
  ]


def _penalty_finding(low: Sequence[Sequence[float]], high: verdicts.Values) -> verdicts.Finding:
  """Tests the change of the penalty against a share of the generator's loss.

  Args:
    low: Penalty and generator's loss of each run at c = 0.
    high: Penalty of each run at c = 0.9.
  """
  before, loss = (sum(column) / len(low) for column in zip(*low, strict=True))
  after = sum(high) / len(high)
  margin = verdicts.MARGIN * loss
  text = f"mean {before:.3f} → {after:.3f} (n = {len(low)} and {len(high)})"
  found = equivalence.of_difference(
    high,
    [(penalty, verdicts.MARGIN * of_generator) for penalty, of_generator in low],
  )
  if found is None:
    return verdicts.Finding(f"{text}, too few runs for a test", leans=abs(after - before) < margin)
  return verdicts.equivalence_finding([text], found, abs(after - before) < margin, f"±{margin:.2f}")


def _at(
  settings: study_runs.Settings, label: str, measure: _MeasureOf, test: one_mean.TestOfOne
) -> list[verdicts.Finding]:
  """Applies a test to a measure of each setting's runs at one correlation."""
  found = {}
  for setting, runs in settings.items():
    values = map(measure, study_runs.of_correlation(runs, label))
    if known := [value for value in values if value is not None]:
      found[setting] = test(known)
  return verdicts.named(found, f"InfoGAN, {run_config.name_correlation(label)}")


def _slant_and_width(run: study_runs.Run) -> float | None:
  """Returns the smaller of the R² of slant with one code and width with another, at best."""
  slant, width = (_shares(run, attribute) for attribute in ("slant", "width"))
  pairs = itertools.permutations(range(len(slant)), 2)
  return max((min(slant[i], width[j]) for i, j in pairs), default=None)


def _best_share(run: study_runs.Run) -> float | None:
  """Returns the largest R² of any attribute with any code."""
  attributes = ("slant", "width", "height", "thickness")
  return max((share for name in attributes for share in _shares(run, name)), default=None)


def _shares(run: study_runs.Run, attribute: str) -> list[float]:
  """Returns the R² of an attribute with each code; none if one is missing."""
  values = [run.row.get(f"{_R2}{attribute}.code_{code}") for code in range(int(run.num_latent))]
  known = [float(value) for value in values if value is not None]
  return known if len(known) == len(values) else []
