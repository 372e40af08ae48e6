"""The runs of a study as a report shows them: settings, correlation and measures of each."""

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import os
import pathlib
import statistics
from typing import Any

from dl_condind.reports import aggregate_results
from dl_condind.reports import measures
from dl_condind.utils import results
from dl_condind.utils import run_config
from dl_condind.utils import run_folder

TRAINED, REPEATED, UNFINISHED, DIVERGED = "trained", "repeated", "unfinished", "diverged"
FAILED, FOREIGN = "failed", "foreign"

# How a run was observed, which does not change what it is.
_OBSERVATION = (
  "model.checkpoint_seconds",
  "model.checkpoint_steps",
  "model.eval_steps",
  "model.log_steps",
  "model.model_num",
  "model.name",
  "model.num_threads",
  "model.snapshot_steps",
)
_NOISE = ("posterior.", "equicorrelated.", "given_correlation.")
_INITIAL = "model.initial_model_dir"


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
  row: Mapping[str, Any]
  provenance: Mapping[str, Any]
  state: str = TRAINED
  problem: str = ""

  @property
  def model(self) -> run_folder.StageFolder:
    """The folder of its training."""
    return run_folder.RunFolder(self.folder).model

  @property
  def config(self) -> dict[str, str]:
    """The training's gin keys and values, as gin writes them."""
    return run_config.of_record(self.row)

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
  def kind(self) -> str:
    """Kind of its model, such as `run_config.VAE`."""
    return run_config.kind(self.row)

  @property
  def dataset(self) -> str:
    """Name of the data set."""
    return self.setting("dataset.name")

  @property
  def num_latent(self) -> str:
    """Number of latents, or of the continuous codes that a method has instead."""
    return run_config.num_latent(self.config)

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
    return self.setting_items, () if self.correlation == 0 else noise, self.seed, self.initial_model

  @property
  def setting_items(self) -> tuple[tuple[str, str], ...]:
    """The configuration without the posterior, the seed and how the run was observed.

    Runs that start from trained models differ from others, but not by the model they start from,
    which is another one for each seed.
    A parameter that is None, or its default, is left out: a run that was made before there was the
    parameter, or is only begun, does not name it.
    """
    skipped = (*_NOISE, f"{self.noise_correlation}.", *_OBSERVATION, "model.random_seed")
    return _canonical_items(
      (key, "'a trained model'" if key == _INITIAL else value)
      for key, value in self.config.items()
      if value not in ("None", run_config.DEFAULTS.get(key)) and not key.startswith(skipped)
    )

  @property
  def initial_model(self) -> str:
    """Folder of the model whose weights the training started from; empty for random weights."""
    found = self.config.get(_INITIAL, "None")
    return "" if found == "None" else found

  def setting(self, key: str) -> str:
    """Returns a value of the configuration as text, strings without quotes, or `-`."""
    return run_config.setting(self.config, key)

  def evaluation_setting(self, metric: str, key: str, absent: object) -> object:
    """Returns a setting that a metric was computed with; `absent` if it is not recorded."""
    columns = (
      f"{name}.{metric}.config.{key}" for name in (*measures.REPRESENTATIONS, run_folder.MODEL)
    )
    values = (self.row[column] for column in columns if self.row.get(column) is not None)
    return next((run_config.literal(str(value)) for value in values), absent)

  def measure(self, name: str) -> float | None:
    """Returns a measure of `measures.MEASURES`, or None if the run lacks it."""
    values = (self.row.get(column) for column in measures.find(name).columns)
    return next((float(v) for v in values if isinstance(v, int | float)), None)

  @property
  def failures(self) -> list[measures.Measure]:
    """The measures that say that something went wrong in the run."""
    return [m for m in measures.of_kind(self.kind) if m.failure and self.measure(m.name)]


Settings = Mapping[str, Sequence[Run]]  # Name of a setting -> its runs.


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
    model_dir = run_folder.RunFolder(folder).model.path
    is_trained = results.is_complete(model_dir, "train")
    provenance = results.read_provenance(model_dir, "train") if is_trained else {}
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


def _canonical_items(items: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
  """Returns sorted items in which numbers are written in one way, so that 6 is 6.0."""
  return tuple(sorted((key, run_config.canonical(value)) for key, value in items))


def correlation_labels(runs: Sequence[Run]) -> list[str]:
  """Returns the correlations that occur, numbers in ascending order first."""
  found = {run.correlation_label: run.correlation for run in runs}
  return sorted(found, key=lambda label: (found[label] is None, found[label] or 0.0, label))


def values_of(runs: Iterable[Run], measure: str) -> list[float]:
  """Returns a measure of the runs that have it."""
  return [value for run in runs if (value := run.measure(measure)) is not None]


def points_of(runs: Iterable[Run], names: Sequence[str]) -> list[tuple[float, ...]]:
  """Returns several measures of the runs that have all of them."""
  points = (tuple(v for n in names for v in values_of([run], n)) for run in runs)
  return [point for point in points if len(point) == len(names)]


def seeded_values_of(runs: Iterable[Run], measure: str) -> list[tuple[str, float]]:
  """Returns seed and measure of the runs that have it."""
  return [(run.seed, value) for run in runs if (value := run.measure(measure)) is not None]


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
