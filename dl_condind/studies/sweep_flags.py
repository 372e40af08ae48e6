"""The flags of `dl_condind_reproduce` that are about many runs, and what they ask for."""

import dataclasses
import os
import pathlib
import sys

from absl import flags

from dl_condind.studies import study_file
from dl_condind.utils import cli
from dl_condind.utils import errors
from dl_condind.utils import limits

flags.disclaim_key_flags()  # --help shows the flags below as those of the program.

_NAMES = (
  "engine",
  "model_nums",
  "status",
  "workers",
  "threads",
  "devices",
  "runs_per_gpu",
  "retries",
  "timeout_hours",
  "ray_address",
)


def define() -> None:
  """Defines --model_nums, --status and a flag for each attribute of `sweep.Options`."""
  flags.DEFINE_enum(
    "engine", None, ["local", "ray", "slurm"], "Make all missing runs of the study, and with what."
  )
  flags.DEFINE_string("model_nums", None, "Runs of --engine and --status, such as 0-9,40.")
  flags.DEFINE_bool("status", False, "Show which runs are done, and stop.")
  flags.DEFINE_integer("workers", None, "Number of runs at a time.", lower_bound=1)
  flags.DEFINE_integer(
    "threads", None, "Threads of a run.", lower_bound=1, upper_bound=limits.MAX_THREADS
  )
  flags.DEFINE_enum("devices", "cpu", ["cpu", "gpu"], "Where the runs of an engine compute.")
  flags.DEFINE_integer("runs_per_gpu", 1, "Number of runs that share a GPU.", lower_bound=1)
  flags.DEFINE_integer("retries", 5, "Attempts at a run after the first one.", lower_bound=0)
  flags.DEFINE_float("timeout_hours", 96.0, "Hours of an attempt.", lower_bound=0.01)
  flags.DEFINE_string("ray_address", None, "Address of a Ray cluster; without, one is started.")


def are_given() -> bool:
  """Returns whether one of these flags is on the command line."""
  return bool(_given())


def makes_runs() -> bool:
  """Returns whether `run` makes runs and returns when they are done."""
  return flags.FLAGS.engine in ("local", "ray") and not flags.FLAGS.status


def _given() -> list[str]:
  return [name for name in _NAMES if flags.FLAGS[name].present]


def run(study: study_file.Study) -> None:
  """Does what the flags ask for, and prints the answer.

  Raises:
    ConfigError: If a flag does not fit, or a run ended so.
    DatasetError, DivergedError, TryAgainError: If a run ended so, when all have ended.
  """
  from dl_condind.studies import progress
  from dl_condind.studies import slurm
  from dl_condind.studies import sweep

  values = flags.FLAGS
  _check_flags(values)
  options = sweep.Options(
    **{f.name: values[f.name].value for f in dataclasses.fields(sweep.Options)}
  )
  command = [sys.executable, os.path.abspath(sys.argv[0]), f"--study={values.study}"]
  command += [f"--gin_bindings={binding}" for binding in values.gin_bindings]
  if study.num_evaluations > 1:
    command += [f"--num_evaluations={study.num_evaluations}"]
  command += ["--trust_gin_imports"] if values.trust_gin_imports else []
  command += ["--trust_model"] if values.trust_model else []
  model_nums = sweep.parse_model_nums(values.model_nums, study)
  jobs = sweep.make_jobs(study, model_nums, values.output_directory, command, values.gin_bindings)
  if values.status:
    lines = [f"{study.name}:", *progress.describe_study(jobs, sweep.states_of(jobs))]
    print(cli.in_flags("\n".join(lines)))
  elif values.engine == "slurm":
    missing = [job.model_num for job in sweep.missing_jobs(jobs, sweep.states_of(jobs))]
    if not missing:
      print("No run is missing.")
      return
    path = pathlib.Path(jobs[0].folder).parent / f"{study.name}.sbatch"
    output = f"--output_directory={values.output_directory}"
    slurm.write_script(path, study.name, missing, [*command, output], options)
    print(f"{len(missing)} runs are missing. Submit them with: sbatch {path}")
  else:
    print(sweep.make_runs(jobs, options, [*command, "--only_check"], values.overwrite))


def _check_flags(values: flags.FlagValues) -> None:
  """Refuses flags that would be without effect."""
  if not values.engine and not values.status:
    raise errors.ConfigError(f"--{_given()[0]} is about many runs: add --engine or --status.")
  engine = None if values.status else values.engine
  makes_runs = engine in ("local", "ray")
  for name, is_used in (
    *((name, False) for name in ("list_studies", "only_print", "only_check")),
    *((name, False) for name in ("model_num", "model_dir")),
    *((name, engine is not None) for name in ("engine", "workers", "threads", "devices")),
    *((name, engine is not None) for name in ("retries", "timeout_hours", "trust_model")),
    ("overwrite", makes_runs),
    ("ray_address", engine == "ray"),
    ("runs_per_gpu", makes_runs and values.devices == "gpu"),
  ):
    if values[name].present and not is_used:
      hint = "; take --model_nums" if name == "model_num" else ""
      mode = f"--engine={engine}" if engine else "--status"
      raise errors.ConfigError(f"--{name} has no meaning with {mode}{hint}.")
