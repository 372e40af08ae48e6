"""The measures of runs: one line says where a report finds a number and where it shows it.

An entry of MEASURES is all that a metric needs to reach the table of every run, the statistics, the
figures and the list of what is missing. `runs.csv` has every result of every metric without it;
what it adds there are means of losses of the log (`train_log.*`).
"""

from collections.abc import Sequence
import dataclasses
import functools

from dl_condind.utils import run_config

FALLS, RISES, CHANGES = "falls", "rises", "changes"
OWN, TERMS, NOWHERE = "own", "terms", ""
UNIT_OF_LOSS = "unit of the reconstruction loss"

REPRESENTATIONS = ("mean", "sampled")
_LOG, _DRIFT = "train_log.", "_drift"


@dataclasses.dataclass(frozen=True)
class Measure:
  """A number of a run.

  Attributes:
    name: Its name.
    column: Its column in `aggregate_results.runs_table`. `*` stands for either representation,
      since measures of the model itself are the same for both.
    kind: The kind of model that has it; None if every kind does.
    digits: Decimal places to show.
    heading: Heading of its column in the table of every run; without one, it is not in it.
    null: Name of the measure that stands next to it there in brackets: the same of shuffled data.
    title: Its name in the statistics; without one, correlations are not compared by it.
    expected: What is tested: that it FALLS or RISES, as the paper says, or CHANGES either way.
    is_ratio: Whether a change as a share of the baseline means something. It does not for a
      correlation or a share, which may be near 0.
    label: Its name on the axis of a figure and within a sentence; the title if empty.
    unit: Its unit there, if it has one; UNIT_OF_LOSS is looked up in the settings of the runs.
    figure: OWN for a figure of all data sets, TERMS for one of each data set, or NOWHERE.
    caption: What the caption of its figure says; the title if empty.
    evaluation: How its evaluation is called where a run lacks it; if empty, it is not missed.
    dataset: The only data set on which it is missed, if there is only one.
    failure: Of a measure that is true or false, what is wrong with a run in which it is true.
  """

  name: str
  column: str
  kind: str | None = run_config.VAE
  digits: int = 2
  heading: str = ""
  null: str | None = None
  title: str = ""
  expected: str = CHANGES
  is_ratio: bool = True
  label: str = ""
  unit: str = ""
  figure: str = OWN
  caption: str = ""
  evaluation: str = ""
  dataset: str = ""
  failure: str = ""

  @property
  def columns(self) -> tuple[str, ...]:
    """The columns that may hold it, in the order of preference."""
    if not self.column.startswith("*"):
      return (self.column,)
    return tuple(self.column.replace("*", name, 1) for name in REPRESENTATIONS)

  @property
  def metric(self) -> str:
    """Name of the metric it is a result of; empty if it is of the training."""
    source, _, rest = self.column.partition(".")
    return "" if source.startswith("train_") else rest.partition(".")[0]

  @property
  def axis_label(self) -> str:
    """Its name within a figure or sentence, without a unit."""
    return self.label or self.title


_Vae = functools.partial(Measure, kind=run_config.VAE)
_InfoGAN = functools.partial(Measure, kind=run_config.INFOGAN)
_Codes = functools.partial(_InfoGAN, is_ratio=False)
_Loss = functools.partial(_InfoGAN, figure=NOWHERE)

# fmt: off
MEASURES = (
  Measure("steps", "train_results.global_step", kind=None, digits=0, heading="Steps"),
  Measure("seconds", "train_results.elapsed_time", kind=None),
  _Vae("mig_mean", "mean.mig.discrete_mig", digits=3, heading="MIG, mean",
       title="MIG, mean representation", expected=FALLS, label="MIG",
       caption="Mutual information gap of the mean representation", evaluation="MIG (mean)"),
  _Vae("mig_sampled", "sampled.mig.discrete_mig", digits=3, heading="MIG, sampled",
       title="MIG, sampled representation", expected=FALLS, label="MIG",
       caption="Mutual information gap of the sampled representation", evaluation="MIG (sampled)"),
  _Vae("mig_noise_axes", "mean.aligned_mig.noise_eigenbasis.mig", digits=3,
       heading="MIG, noise's axes", title="MIG along the noise's axes, mean representation",
       label="MIG along the noise's axes",
       caption="Mutual information gap along the axes of the noise, of the mean representation"),
  _Vae("mig_best_rotation", "mean.rotated_mig.rotated_mig", digits=3,
       heading="MIG, best rotation", title="MIG along the best rotation, mean representation",
       label="MIG along the best rotation",
       caption="Mutual information gap along the best rotation, of the mean representation"),
  _Vae("probe_accuracy", "mean.dci.informativeness_test", digits=3, heading="Probes",
       title="accuracy of probes", label="accuracy of probes",
       caption="Accuracy of boosted trees that read factors off the mean representation"),
  _Vae("info_e", "mean.info_mec.info_e", digits=3, heading="InfoE",
       title="InfoE, mean representation", label="InfoE",
       caption="Information about the factors that models read off all latents together"),
  _Vae("reconstruction_loss", "*.vae_terms.reconstruction_loss", heading="Reconstr. error",
       title="reconstruction error", expected=RISES, unit=UNIT_OF_LOSS, figure=TERMS,
       evaluation="reconstruction error and KL"),
  _Vae("kl_loss", "*.vae_terms.kl_loss", heading="KL, factorized",
       title="KL, factorized", expected=FALLS, label="factorized KL", unit="nats", figure=TERMS),
  _Vae("kl_loss_full", "*.vae_terms.kl_loss_full", heading="KL, full"),
  _Vae("total_correlation", "*.total_correlation.total_correlation", heading="TC",
       title="TC estimate", expected=FALLS, unit="nats", figure=TERMS, evaluation="TC"),
  _Vae("total_correlation_std_error", "*.total_correlation.total_correlation_std_error", digits=3,
       heading="TC, std. error"),
  _Vae("total_correlation_null", "*.total_correlation.total_correlation_null",
       heading="TC, null"),
  _Vae("total_correlation_leave_one_out", "*.total_correlation.total_correlation_leave_one_out",
       heading="TC, leave‑one‑out"),
  _Codes("conditional_r2_mean_gap", "model.infogan_disentanglement.conditional_r2_mean_gap",
         digits=3, heading="R² gap", null="conditional_r2_mean_gap_null",
         title="gap of R² between best and second code", expected=FALLS, label="gap of R²",
         caption="Gap between the shares of an attribute's variance (R²) that the best and the "
         "second code explain, averaged over the attributes"),
  _Codes("conditional_r2_assigned", "model.infogan_disentanglement.conditional_r2_assigned",
         digits=3, heading="R² of own attribute", null="conditional_r2_assigned_null",
         title="R² of a code with an attribute of its own", expected=FALLS,
         label="R² of own attribute", caption="R² of each code with an attribute of its own, "
         "averaged over the codes"),
  _Codes("digit_change_rate", "model.infogan_disentanglement.digit_change_rate",
         digits=3, heading="Digit changes", null="digit_change_rate_null",
         title="share of traversals along which the digit changes", expected=RISES,
         label="digit changes", evaluation="infogan_disentanglement", dataset="mnist",
         caption="Share of the traversals along which the digit changes"),
  _Codes("error_correlation", "model.infogan_disentanglement.error_correlation",
         heading="Error correlation", null="error_correlation_null",
         title="correlation of the recognition network's errors", expected=RISES,
         label="error correlation", caption="Correlation of the recognition network's errors"),
  *(_Codes(name, f"model.infogan_disentanglement.{name}") for name in (
    "conditional_r2_mean_gap_null", "conditional_r2_assigned_null", "digit_change_rate_null",
    "error_correlation_null")),
  _Codes("sure_share", "model.infogan_disentanglement.sure_share", digits=3,
         heading="Classifier sure"),
  _Codes("num_covered_digits", "model.infogan_disentanglement.num_covered_digits", digits=0,
         heading="Digits covered"),
  _Loss("discriminator_loss", "train_log.discriminator_loss", heading="Discr. loss",
        title="loss of the discriminator"),
  _Loss("generator_loss", "train_log.generator_loss", heading="Gen. loss",
        title="loss of the generator"),
  _Loss("mutual_information_penalty", "train_log.mutual_information_penalty", digits=3,
        heading="MI penalty", title="mutual information penalty", is_ratio=False),
  *(_Loss(f"{name}_drift", f"train_log.{name}_drift") for name in (
    "discriminator_loss", "generator_loss", "mutual_information_penalty")),
  _InfoGAN("collapsed", "model.infogan_disentanglement.collapsed",
           failure="fewer than eight digits are covered"),
  _InfoGAN("discriminator_collapsed", "train_results.discriminator_collapsed",
           failure="the discriminator was right nearly always for a while"),
)
# fmt: on

_BY_NAME = {measure.name: measure for measure in MEASURES}


def find(name: str) -> Measure:
  """Returns the measure with a name."""
  return _BY_NAME[name]


def of_kind(kind: str) -> list[Measure]:
  """Returns the measures that a kind of model has."""
  return [measure for measure in MEASURES if measure.kind in (None, kind)]


def shown(kind: str) -> list[Measure]:
  """Returns the measures of a kind of model that are columns of the table of every run."""
  return [measure for measure in of_kind(kind) if measure.heading]


def compared(kind: str | None = None) -> list[Measure]:
  """Returns the measures that correlations are compared by, of one kind of model or of all."""
  chosen = MEASURES if kind is None else of_kind(kind)
  return [measure for measure in chosen if measure.title]


def drawn(kind: str, *figures: str) -> list[Measure]:
  """Returns the measures of a kind of model that are in certain figures, such as OWN."""
  return [measure for measure in compared(kind) if measure.figure in figures]


def logged(kind: str) -> Sequence[str]:
  """Returns the scalars of a training's log whose ends are measures of a kind of model."""
  found = (m.column.removeprefix(_LOG) for m in of_kind(kind) if m.column.startswith(_LOG))
  return [name for name in found if not name.endswith(_DRIFT)]
