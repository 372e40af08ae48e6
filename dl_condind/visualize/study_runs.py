"""The runs of a study as a report shows them: settings, correlation and measures of each."""

import ast
from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import json
import os
import pathlib

from dl_condind.utils import aggregate_results
from dl_condind.utils import results

GIVEN = "given"

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
  "steps": ("train_results.global_step",),
  "seconds": ("train_results.elapsed_time",),
}

# What runs that are compared may differ in: the posterior, the seed, and how they were observed.
_NOT_SETTING = (
  "posterior.",
  "equicorrelated.",
  "given_correlation.",
  "model.checkpoint_seconds",
  "model.checkpoint_steps",
  "model.eval_steps",
  "model.log_steps",
  "model.model_num",
  "model.name",
  "model.num_threads",
  "model.random_seed",
)

_METHOD_NAMES = {
  "annealed_vae": "AnnealedVAE",
  "beta_tc_vae": "beta-TCVAE",
  "dip_vae": "DIP-VAE",
  "factor_vae": "FactorVAE",
  "vae": "VAE",
}


@dataclasses.dataclass(frozen=True)
class Run:
  """A trained run.

  Attributes:
    name: Its folder in the study.
    folder: Its folder.
    row: Its row of `aggregate_results.runs_table`.
    provenance: Versions, data set and command line of its training.
  """

  name: str
  folder: pathlib.Path
  row: Mapping[str, object]
  provenance: Mapping[str, object]

  @property
  def config(self) -> dict[str, str]:
    """The training's gin keys and values, as gin writes them."""
    prefix = "train_config."
    return {k.removeprefix(prefix): str(v) for k, v in self.row.items() if k.startswith(prefix)}

  @property
  def noise_correlation(self) -> str:
    """Name of the noise correlation's gin configurable, such as `equicorrelated`."""
    found = self.config.get("posterior.noise_correlation", "None")
    return "independent" if found == "None" else _reference(found)

  @property
  def correlation(self) -> float | None:
    """Correlation of any two latents' noise, or None if that is not one number."""
    if self.noise_correlation == "independent":
      return 0.0
    value = _literal(self.config.get(f"{self.noise_correlation}.correlation", ""))
    return float(value) if isinstance(value, int | float) else None

  @property
  def correlation_label(self) -> str:
    """The correlation as text; of another noise correlation, what it is."""
    if self.correlation is not None:
      return f"{self.correlation:g}"
    return GIVEN if self.noise_correlation == "given_correlation" else self.noise_correlation

  @property
  def method(self) -> str:
    """Name of the method's gin configurable, such as `beta_tc_vae`."""
    return _reference(self.config.get("model.model", "-")).split("/")[-1]

  @property
  def method_name(self) -> str:
    """Name of the method as its paper writes it."""
    return _METHOD_NAMES.get(self.method, self.method)

  @property
  def dataset(self) -> str:
    """Name of the data set."""
    return self.setting("dataset.name")

  @property
  def seed(self) -> str:
    """Seed of the training."""
    return self.setting("model.random_seed")

  def setting(self, key: str) -> str:
    """Returns a value of the configuration as text, strings without quotes, or `-`."""
    return str(_literal(self.config.get(key, "-")))

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


def group_by_setting(runs: Sequence[Run]) -> dict[str, list[Run]]:
  """Groups runs that differ in nothing but the posterior and the seed.

  Returns:
    Name -> runs. Names say method, data set and number of latents, and whatever else is needed to
    tell them apart.
  """
  groups: dict[tuple, list[Run]] = {}
  for run in runs:
    skipped = (*_NOT_SETTING, f"{run.noise_correlation}.")
    items = {k: v for k, v in run.config.items() if not k.startswith(skipped)}
    groups.setdefault(tuple(sorted(items.items())), []).append(run)
  named = {}
  for setting, members in groups.items():
    name = _setting_name(members[0])
    alike = [set(other) for other in groups if _setting_name(groups[other][0]) == name]
    shared = set.intersection(*alike)
    extra = ", ".join(f"{key} = {value}" for key, value in setting if (key, value) not in shared)
    named[f"{name} ({extra})" if extra else name] = members
  return named


def _setting_name(run: Run) -> str:
  num_latent = run.setting("encoder.num_latent")
  return f"{run.method_name} on {run.dataset}, {num_latent} latents"


def name_correlation(label: str) -> str:
  """Returns `c = 0.9`, unbroken, for the label `0.9`; a name, such as `given`, as it is."""
  return f"c\u00a0=\u00a0{label}" if label[:1] in "-.0123456789" else label


def correlation_labels(runs: Sequence[Run]) -> list[str]:
  """Returns the correlations that occur, numbers in ascending order first."""
  found = {run.correlation_label: run.correlation for run in runs}
  return sorted(found, key=lambda label: (found[label] is None, found[label] or 0.0, label))


def not_finished(study_dir: str | os.PathLike, runs: Sequence[Run]) -> dict[str, str]:
  """Returns what is known of runs that a study began, or skipped in its numbering.

  Args:
    study_dir: Folder of the study.
    runs: Its trained runs.

  Returns:
    Name -> what is missing.
  """
  study_dir = pathlib.Path(study_dir)
  missing = {}
  for path in sorted(study_dir.glob("**/model/run.json")):
    if not results.is_complete(path.parent, "train"):
      name = path.parents[1].relative_to(study_dir).as_posix()
      missing[name] = f"training not finished, its log ends at step {_last_step(path.parent)}"
  names = {run.name for run in runs} | set(missing)
  numbers = [int(name) for name in names if name.isdecimal()]
  for number in range(max(numbers, default=0)):
    if str(number) not in names:
      missing[str(number)] = "not trained"
  return missing


def _last_step(model_dir: pathlib.Path) -> int:
  log = model_dir / "train_log.jsonl"
  lines = log.read_text(encoding="utf-8").splitlines() if log.is_file() else []
  whole = [line for line in lines if line.endswith("}")]  # The last one may be torn.
  return json.loads(whole[-1])["step"] if whole else 0


def evaluation_settings(runs: Sequence[Run]) -> dict[str, list[str]]:
  """Returns the parameters of the metrics the report shows, metric -> those that occur."""
  found: dict[str, list[str]] = {}
  for run in runs:
    for path in sorted(run.folder.glob("metrics/*/*/results/aggregate/evaluation.json")):
      metric = path.parents[2].name
      if metric not in ("mig", "total_correlation", "vae_terms"):
        continue
      prefix = "evaluation_config."
      record = results.read_aggregate(path)
      kept = (f"{prefix}{metric}.", f"{prefix}discretizer.", f"{prefix}evaluation.random_seed")
      items = [f"{k.removeprefix(prefix)} = {v}" for k, v in record.items() if k.startswith(kept)]
      text = ", ".join(sorted(items))
      if text not in found.setdefault(metric, []):
        found[metric].append(text)
  return found


def _reference(text: str) -> str:
  """Returns the name in a gin reference such as `@scope/vae()`."""
  return text.removeprefix("@").removesuffix("()")


def _literal(text: str) -> object:
  try:
    return ast.literal_eval(text)
  except (ValueError, SyntaxError):  # A reference or macro.
    return text
