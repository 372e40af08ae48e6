"""How runs differ from the protocol of Yang et al. (2020), arXiv:1911.10922.

The paper trains VAEs as disentanglement_lib does without tuning, which is what `shared.gin` and
`methods/` say. Of InfoGANs it gives no steps and no optimizers: `methods/infogan.gin` stands in.
"""

from collections.abc import Mapping
from collections.abc import Sequence
from typing import NamedTuple

from dl_condind.reports import study_runs
from dl_condind.utils import run_config

_STEPS = "training steps"
_TRAINING_STEPS = {"vae": 300000, "factor_vae": 150000, "beta_tc_vae": 300000, "infogan": 15000}
_VAE = {
  "model.batch_size": 64,
  "encoder.encoder_fn": "@conv_encoder",
  "decoder.decoder_fn": "@deconv_decoder",
  "reconstruction_loss.loss_fn": "@bernoulli_loss",
  "reconstruction_loss.activation": "logits",
  "bernoulli_loss.subtract_true_image_entropy": False,
  "discriminator.discriminator_fn": "@fc_discriminator",
  "dataset.factor_distribution": None,
}
_INFOGAN = {"model.batch_size": 64, "infogan.num_noise": 62}
# Optimizer of a family -> learning rate, beta1, beta2 of its Adam.
_OPTIMIZERS = {
  study_runs.VAE: {
    "vae_optimizer": (1e-4, 0.9, 0.999),
    "discriminator_optimizer": (1e-4, 0.5, 0.9),
  },
  study_runs.INFOGAN: {
    "discriminator_optimizer": (2e-4, 0.5, 0.999),
    "generator_optimizer": (1e-3, 0.5, 0.999),
    "recognition_optimizer": (2e-4, 0.5, 0.999),
  },
}
_EVALUATION = {
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
}


class Deviation(NamedTuple):
  """A setting of a run that is not the paper's."""

  what: str
  value: object
  expected: object

  def __str__(self) -> str:
    """Describes it in words, such as `training steps: 4,000 instead of 300,000`."""
    return f"{self.what}: {_text(self.value)} instead of {_text(self.expected)}"


def deviations(run: study_runs.Run, metric: str = "") -> list[Deviation]:
  """Returns what differs from the protocol in a run's training and in a metric's settings.

  A setting that the record does not have was not used, or is of an older record: it counts as the
  protocol's.
  """
  steps = _TRAINING_STEPS.get(run.method)
  found = [Deviation(_STEPS, run.measure("steps") or steps, steps)]
  for key, expected in (_INFOGAN if run.family == study_runs.INFOGAN else _VAE).items():
    found.append(Deviation(key, _literal(run.config, key, expected), expected))
  for optimizer, rates in _OPTIMIZERS[run.family].items():
    found += _of_optimizer(run.config, optimizer, rates)
  for key, expected in _EVALUATION.get(metric, {}).items():
    found.append(Deviation(key, run.evaluation_setting(metric, key, expected), expected))
  return [deviation for deviation in found if deviation.value != deviation.expected]


def name(found: Sequence[Deviation]) -> str:
  """Returns what to call a protocol that deviates from the paper's."""
  is_shorter = any(d.what == _STEPS and d.value < d.expected for d in found)
  return "this shorter protocol" if is_shorter else "this other protocol"


def describe(found: Sequence[Deviation]) -> str:
  """Returns a sentence on how runs deviate, and what their verdicts are about."""
  return (
    "These runs do not follow the paper's protocol, which shared.gin and methods/ describe "
    f"({'; '.join(map(str, found))}). The verdicts are about {name(found)}: what is so here need "
    "not be so in the paper's."
  )


def choose(
  cell: Mapping[str, Sequence[study_runs.Run]], metric: str = ""
) -> tuple[dict[str, Sequence[study_runs.Run]], list[Deviation]]:
  """Chooses the settings of a cell that a claim of the paper is judged by.

  These are the settings that follow the paper's protocol or, where none does, all.

  Args:
    cell: Name of a setting -> its runs.
    metric: The metric that the claim is about, if it has settings.

  Returns:
    The chosen settings, and how they deviate.
  """
  found = {setting: deviations(runs[0], metric) for setting, runs in cell.items()}
  chosen = {setting: cell[setting] for setting, differing in found.items() if not differing}
  chosen = chosen or dict(cell)
  return chosen, [deviation for setting in chosen for deviation in found[setting]]


def _of_optimizer(
  config: Mapping[str, str], optimizer: str, rates: Sequence[float]
) -> list[Deviation]:
  """Returns name, learning rate and beta of an optimizer, as a run has them and as it should."""
  reference = config.get(f"{optimizer}.optimizer_fn")
  if reference is None:
    return []
  scoped = reference.removeprefix("@")
  kind = scoped.rpartition("/")[2]
  learning_rate, *betas = rates
  rate = _literal(config, f"{optimizer}.learning_rate", None)
  if rate is None:
    rate = _literal(config, f"{scoped}.learning_rate", learning_rate)
  found = [
    Deviation(f"{optimizer}.optimizer_fn", kind, "AdamOptimizer"),
    Deviation(f"{optimizer}.learning_rate", rate, learning_rate),
  ]
  if kind == "AdamOptimizer":
    found += [
      Deviation(f"{optimizer}.{name}", _literal(config, f"{scoped}.{name}", beta), beta)
      for name, beta in zip(("beta1", "beta2"), betas, strict=True)
    ]
  return found


def _literal(config: Mapping[str, str], key: str, absent: object) -> object:
  return run_config.literal(config[key]) if key in config else absent


def _text(value: object) -> str:
  """Returns a value for readers, such as `4,000`."""
  if isinstance(value, int | float) and not isinstance(value, bool):
    return f"{value:,.0f}" if value >= 1000 else f"{value:g}"
  return str(value).removeprefix("@")
