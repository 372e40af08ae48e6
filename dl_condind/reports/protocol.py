"""How runs differ from the protocol of Yang et al. (2020), arXiv:1911.10922.

The paper trains VAEs as disentanglement_lib does without tuning, which is what `shared.gin` and
`methods/` say. Of InfoGANs it gives no steps and no optimizers: `methods/infogan.gin` stands in.
"""

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

from dl_condind.reports import study_runs
from dl_condind.utils import run_config

_STEPS = "training steps"


class Protocol(NamedTuple):
  """How the paper trains and evaluates one kind of model.

  Attributes:
    training_steps: Name of a method -> number of its steps.
    settings: gin key of a training -> value.
    optimizers: Name of an optimizer -> learning rate, beta1 and beta2 of its Adam.
    evaluations: Name of a metric -> gin key -> value.
  """

  training_steps: Mapping[str, int]
  settings: Mapping[str, object]
  optimizers: Mapping[str, tuple[float, float, float]]
  evaluations: Mapping[str, Mapping[str, object]]


class Deviation(NamedTuple):
  """A setting of a run that is not the paper's."""

  what: str
  value: Any
  expected: Any

  def __str__(self) -> str:
    """Describes it in words, such as `training steps: 4,000 instead of 300,000`."""
    return f"{self.what}: {_text(self.value)} instead of {_text(self.expected)}"


def deviations(
  protocol: Protocol, runs: Sequence[study_runs.Run], metric: str = ""
) -> list[Deviation]:
  """Returns how the trainings of runs, and the settings of a metric, differ from a protocol.

  A setting that the record does not have was not used, or is of an older record: it counts as the
  protocol's.
  """
  found: list[Deviation] = []
  for run in runs:
    found += [d for d in _of_run(protocol, run, metric) if d not in found]
  return found


def _of_run(protocol: Protocol, run: study_runs.Run, metric: str) -> list[Deviation]:
  steps = protocol.training_steps.get(run.method)
  found = [Deviation(_STEPS, run.measure("steps") or steps, steps)]
  for key, expected in protocol.settings.items():
    found.append(Deviation(key, _literal(run.config, key, expected), expected))
  for optimizer, rates in protocol.optimizers.items():
    found += _of_optimizer(run.config, optimizer, rates)
  for key, expected in protocol.evaluations.get(metric, {}).items():
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
  protocol: Protocol, settings: study_runs.Settings, metric: str = ""
) -> tuple[study_runs.Settings, list[Deviation]]:
  """Chooses the settings that a claim of the paper is judged by.

  These are the settings that follow the paper's protocol or, where none does, all.

  Args:
    protocol: The paper's.
    settings: The settings that the claim is about.
    metric: The metric that the claim is about, if it has settings.

  Returns:
    The chosen settings, and how they deviate.
  """
  found = {name: deviations(protocol, runs, metric) for name, runs in settings.items()}
  chosen = {name: settings[name] for name, differing in found.items() if not differing}
  chosen = chosen or dict(settings)
  return chosen, [deviation for name in chosen for deviation in found[name]]


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
