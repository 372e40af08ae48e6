"""The runs of a study as a report shows them: settings, correlation and measures of each."""

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import os
import pathlib
import statistics

from dl_condind.reports import aggregate_results
from dl_condind.utils import results
from dl_condind.utils import run_config

VAE, INFOGAN = "VAE", "InfoGAN"
TRAINED, REPEATED, UNFINISHED, DIVERGED = "trained", "repeated", "unfinished", "diverged"
FAILED, FOREIGN = "failed", "foreign"

# The columns of `aggregate_results.runs_table` that hold each measure. Those of the model itself
# are the same for both representations.
COLUMNS = {
  "mig_mean": ("mean.mig.discrete_mig",),
  "mig_sampled": ("sampled.mig.discrete_mig",),
  **{
    name: (f"mean.vae_terms.{name}", f"sampled.vae_terms.{name}")
    for name in ("reconstruction_loss", "kl_loss", "kl_loss_full")
  },
  **{
    name: (f"mean.total_correlation.{name}", f"sampled.total_correlation.{name}")
    for name in (
      "total_correlation",
      "total_correlation_std_error",
      "total_correlation_null",
      "total_correlation_leave_one_out",
    )
  },
  **{
    name: (f"model.infogan_disentanglement.{name}",)
    for name in (
      "conditional_r2_mean_gap",
      "conditional_r2_mean_gap_null",
      "conditional_r2_assigned",
      "conditional_r2_assigned_null",
      "digit_change_rate",
      "digit_change_rate_null",
      "error_correlation",
      "error_correlation_null",
      "sure_share",
      "num_covered_digits",
      "collapsed",
    )
  },
  **{
    name: (f"train_log.{name}",)
    for loss in aggregate_results.INFOGAN_LOSSES
    for name in (loss, f"{loss}_drift")
  },
  "discriminator_collapsed": ("train_results.discriminator_collapsed",),
  "steps": ("train_results.global_step",),
  "seconds": ("train_results.elapsed_time",),
}

# How a run was observed, which does not change what it is.
_OBSERVATION = (
  "model.checkpoint_seconds",
  "model.checkpoint_steps",
  "model.eval_steps",
  "model.log_steps",
  "model.model_num",
  "model.name",
  "model.num_threads",
)
_NOISE = ("posterior.", "equicorrelated.", "given_correlation.")


@dataclasses.dataclass(frozen=True)
class Run:
  """A run that was begun.

  Attributes:
    name: Its folder in the study.
    folder: Its folder.
    row: Its row of `aggregate_results.runs_table`; of a run that is not trained, its configuration.
    provenance: Versions, data set and command line of its training.
    state: TRAINED if it counts; otherwise REPEATED, UNFINISHED, DIVERGED, FAILED or FOREIGN.
    problem: Why it does not count.
  """

  name: str
  folder: pathlib.Path
  row: Mapping[str, object]
  provenance: Mapping[str, object]
  state: str = TRAINED
  problem: str = ""

  @property
  def config(self) -> dict[str, str]:
    """The training's gin keys and values, as gin writes them."""
    prefix = "train_config."
    return {k.removeprefix(prefix): str(v) for k, v in self.row.items() if k.startswith(prefix)}

  @property
  def noise_correlation(self) -> str:
    """Name of the noise correlation's gin configurable, such as `equicorrelated`."""
    return run_config.noise_correlation(self.config)

  @property
  def correlation(self) -> float | None:
    """Correlation of any two latents' noise, or None if that is not one number."""
    return run_config.correlation(self.config)

  @property
  def correlation_label(self) -> str:
    """The correlation as text; of another noise correlation, what it is."""
    return run_config.correlation_label(self.config)

  @property
  def method(self) -> str:
    """Name of the method's gin configurable, such as `beta_tc_vae`."""
    return run_config.method(self.config)

  @property
  def method_name(self) -> str:
    """Name of the method as its paper writes it."""
    return run_config.method_name(self.config)

  @property
  def family(self) -> str:
    """VAE or INFOGAN."""
    return INFOGAN if run_config.is_infogan(self.config) else VAE

  @property
  def dataset(self) -> str:
    """Name of the data set."""
    return self.setting("dataset.name")

  @property
  def num_latent(self) -> str:
    """Number of latents, of an InfoGAN that of its continuous codes."""
    return run_config.num_latent(self.config)

  @property
  def continuous_prior(self) -> str:
    """Prior of an InfoGAN's continuous codes, "normal" or "uniform"."""
    return self.setting(f"{self.method}.continuous_prior")

  @property
  def seed(self) -> str:
    """Seed of the training."""
    return self.setting("model.random_seed")

  @property
  def identity(self) -> tuple[object, ...]:
    """What runs must differ in to count both: setting, noise and seed.

    How a run was observed (its number, threads, log and checkpoints) makes no difference.
    """
    keys = (*_NOISE, f"{self.noise_correlation}.")
    noise = _canonical_items((k, v) for k, v in self.config.items() if k.startswith(keys))
    # All ways of writing independent noise are one.
    return _setting_items(self), () if self.correlation == 0 else noise, self.seed

  def setting(self, key: str) -> str:
    """Returns a value of the configuration as text, strings without quotes, or `-`."""
    return run_config.setting(self.config, key)

  def evaluation_setting(self, metric: str, key: str, absent: object) -> object:
    """Returns a setting that a metric was computed with; `absent` if it is not recorded."""
    columns = (f"{name}.{metric}.config.{key}" for name in ("mean", "sampled", "model"))
    values = (self.row[column] for column in columns if self.row.get(column) is not None)
    return next((run_config.literal(str(value)) for value in values), absent)

  def measure(self, name: str) -> float | None:
    """Returns a measure of COLUMNS, or None if the run lacks it."""
    values = (self.row.get(column) for column in COLUMNS[name])
    return next((float(v) for v in values if isinstance(v, int | float)), None)


def read_runs(study_dir: str | os.PathLike) -> list[Run]:
  """Reads the trained runs of a study and writes its table `runs.csv`.

  Raises:
    ConfigError: If there is none.
    DatasetError: If a record is damaged.
  """
  study_dir = pathlib.Path(study_dir)
  runs = []
  for row in aggregate_results.runs_table(study_dir):
    folder = study_dir / row["run"]
    trained = results.is_complete(folder / "model", "train")
    provenance = results.read_provenance(folder / "model", "train") if trained else {}
    name = study_dir.resolve().name if row["run"] == "." else row["run"]
    runs.append(Run(name, folder, row, provenance))
  return runs


def read_table(path: str | os.PathLike) -> list[Run]:
  """Reads the trained runs of a table such as `runs.csv`, without their folders.

  Raises:
    DatasetError: If the file is missing, or not such a table.
  """
  runs = []
  for row in aggregate_results.read_runs_table(path):
    prefix = "train_provenance."
    provenance = {k.removeprefix(prefix): v for k, v in row.items() if k.startswith(prefix)}
    runs.append(Run(row["run"], pathlib.Path(row["run"]), row, provenance))
  return runs


def group_by_setting(runs: Sequence[Run]) -> dict[str, list[Run]]:
  """Groups runs that differ in nothing but the posterior and the seed.

  Returns:
    Name -> runs. Names say method, data set and number of latents or continuous codes, and whatever
    else is needed to tell them apart.
  """
  groups: dict[tuple, list[Run]] = {}
  for run in runs:
    groups.setdefault(_setting_items(run), []).append(run)
  named = {}
  for setting, members in groups.items():
    name = setting_name(members[0])
    alike = [set(other) for other in groups if setting_name(groups[other][0]) == name]
    shared = set.intersection(*alike)
    extra = ", ".join(f"{key} = {value}" for key, value in setting if (key, value) not in shared)
    named[f"{name} ({extra})" if extra else name] = members
  return named


def setting_name(run: Run) -> str:
  """Returns method, data set and number of latents or continuous codes."""
  what = "latents"
  if run.family == INFOGAN:
    what = "continuous code" if run.num_latent == "1" else "continuous codes"
  return f"{run.method_name} on {run.dataset}, {run.num_latent} {what}"


def _setting_items(run: Run) -> tuple[tuple[str, str], ...]:
  """Returns the configuration without the posterior, the seed and how the run was observed."""
  skipped = (*_NOISE, f"{run.noise_correlation}.", *_OBSERVATION, "model.random_seed")
  return _canonical_items((k, v) for k, v in run.config.items() if not k.startswith(skipped))


def _canonical_items(items: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
  """Returns sorted items in which numbers are written in one way, so that 6 is 6.0."""
  return tuple(sorted((key, run_config.canonical(value)) for key, value in items))


def by_family(settings: Mapping[str, Sequence[Run]]) -> dict[str, dict[str, Sequence[Run]]]:
  """Returns the settings of each family that occurs, in the order VAE, INFOGAN."""
  families = {runs[0].family for runs in settings.values()}
  return {
    family: {name: runs for name, runs in settings.items() if runs[0].family == family}
    for family in (VAE, INFOGAN)
    if family in families
  }


def correlation_labels(runs: Sequence[Run]) -> list[str]:
  """Returns the correlations that occur, numbers in ascending order first."""
  found = {run.correlation_label: run.correlation for run in runs}
  return sorted(found, key=lambda label: (found[label] is None, found[label] or 0.0, label))


def values_of(runs: Iterable[Run], measure: str) -> list[float]:
  """Returns a measure of the runs that have it."""
  return [value for run in runs if (value := run.measure(measure)) is not None]


def median(runs: Iterable[Run], measure: str) -> float | None:
  """Returns the median of a measure over the runs that have it, None if none has."""
  values = values_of(runs, measure)
  return statistics.median(values) if values else None


def of_correlation(runs: Iterable[Run], label: str) -> list[Run]:
  """Returns the runs of a correlation."""
  return [run for run in runs if run.correlation_label == label]


def extremes(runs: Sequence[Run]) -> tuple[list[Run], list[Run]] | None:
  """Returns the runs of the lowest and of the highest correlation, None if there is only one."""
  correlations = sorted({run.correlation for run in runs if run.correlation is not None})
  if len(correlations) < 2:
    return None
  low, high = ([r for r in runs if r.correlation == c] for c in (correlations[0], correlations[-1]))
  return low, high
