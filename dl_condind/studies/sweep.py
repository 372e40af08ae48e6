"""All runs of a study, or some: their state, and making those that are missing with an engine."""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import os
import subprocess

from absl import logging

from dl_condind.studies import attempts
from dl_condind.studies import local_engine
from dl_condind.studies import progress
from dl_condind.studies import ray_engine
from dl_condind.studies import run_state
from dl_condind.studies import study_file
from dl_condind.utils import errors


@dataclasses.dataclass(frozen=True)
class Options:
  """How the runs of a study are made.

  Attributes:
    engine: "local", "ray" or "slurm".
    workers: Number of runs at a time; None for one for each `threads` processors, or each share of
      a GPU.
    threads: Threads of a run; None for an equal share of the processors. A run that was begun goes
      on with the number it was begun with.
    devices: "cpu" or "gpu".
    runs_per_gpu: Number of runs that share a GPU.
    retries: Attempts after the first one.
    timeout_hours: Hours of an attempt.
    ray_address: Address of a Ray cluster, or None to start one on this machine.
  """

  engine: str = "local"
  workers: int | None = None
  threads: int | None = None
  devices: str = "cpu"
  runs_per_gpu: int = 1
  retries: int = 5
  timeout_hours: float = 96.0
  ray_address: str | None = None


def parse_model_nums(text: str | None, study: study_file.Study) -> list[int]:
  """Returns the numbers of runs in text such as `0-9,40`, ascending; of None, all of the study's.

  Raises:
    ConfigError: If text is not of this form, or names a run that the study does not have.
  """
  if text is None:
    return list(study.model_nums)
  numbers: set[int] = set()
  for part in text.split(","):
    first, dash, last = part.strip().partition("-")
    last = last if dash else first
    are_numbers = all(end.isdecimal() and len(end) < 20 for end in (first, last))
    if not are_numbers or int(first) > int(last):
      raise errors.ConfigError(
        f"model_nums must be numbers and ranges, such as 0-9,40, got {text!r}."
      )
    for number in (first, last):  # Before a range is made of them.
      study.run(int(number))
    numbers.update(range(int(first), int(last) + 1))
  return sorted(numbers & set(study.model_nums))


def make_jobs(
  study: study_file.Study,
  model_nums: Sequence[int],
  output_directory: str,
  command: Sequence[str],
  gin_bindings: Sequence[str] = (),
) -> list[attempts.Job]:
  """Returns what makes each run.

  Args:
    study: The study.
    model_nums: Numbers of the runs.
    output_directory: Folder of a run, with `{model_num}` in it.
    command: Program and arguments, without --model_num and --output_directory.
    gin_bindings: Bindings of the training, read last, which are part of the command.

  Raises:
    ConfigError: If the folder is the same for all runs.
  """
  if study_file.MODEL_NUM not in output_directory:
    raise errors.ConfigError(
      f"output_directory must have {study_file.MODEL_NUM} in it to hold several runs, got "
      f"{output_directory!r}."
    )
  jobs = []
  for model_num in model_nums:
    folder = study.run_folder(output_directory, model_num)
    jobs.append(
      attempts.Job(
        model_num=model_num,
        folder=os.path.abspath(folder),
        command=[*command, f"--model_num={model_num}", f"--output_directory={folder}"],
        settings=study.settings(model_num, gin_bindings),
        directory=os.getcwd(),
      )
    )
  return jobs


def states_of(jobs: Sequence[attempts.Job]) -> dict[int, str]:
  """Returns the state of each run, by its number."""
  return {job.model_num: run_state.state_of(job.folder, job.settings) for job in jobs}


def missing_jobs(jobs: Sequence[attempts.Job], states: Mapping[int, str]) -> list[attempts.Job]:
  """Returns the runs that an engine is to make: all but those that are done or have diverged."""
  is_over = (run_state.DONE, run_state.DIVERGED)
  return [job for job in jobs if states[job.model_num] not in is_over]


def make_runs(
  jobs: Sequence[attempts.Job],
  options: Options,
  check_command: Sequence[str] | None = None,
  overwrite: bool = False,
) -> str:
  """Makes the runs that are missing, and those that failed before, with an engine of processes.

  Args:
    jobs: The runs.
    options: How.
    check_command: Program and arguments that check the settings of the study before a run starts.
    overwrite: Whether to make all of them anew. What they wrote is deleted when nothing else can
      keep the engine from starting.

  Returns:
    A line with the number of runs in each state.

  Raises:
    ConfigError, DatasetError, DivergedError, TryAgainError: If a run ended so, when all have ended.
      ConfigError also if the engine is not installed or lacks a GPU, TryAgainError if it was
      interrupted.
  """
  states = states_of(jobs)
  missing = jobs if overwrite else missing_jobs(jobs, states)
  show = progress.Progress(states | {job.model_num: run_state.MISSING for job in missing})
  if missing:
    engine = _engine(options)
    if check_command:
      _check(check_command)
    if overwrite:
      for job in jobs:
        run_state.clear(job.folder)
    engine(missing, show)
  _raise_for_failures(jobs, show.states)
  return progress.count_states(show.states.values())


def _check(command: Sequence[str]) -> None:
  """Runs a program that checks the study. In a process of its own, for it needs TensorFlow."""
  logging.info("Checking the settings of the study.")
  done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
  if done.returncode:
    lines = done.stderr.strip().splitlines() or ["(no message)"]
    raise errors.ConfigError(lines[-1].removeprefix("error: "))


def _engine(options: Options) -> Callable[[Sequence[attempts.Job], progress.Progress], None]:
  """Returns the engine as a function of the runs.

  Raises:
    ConfigError: If it is not installed, or lacks a GPU.
  """
  gpus = []
  if options.engine == "ray":
    ray_engine.import_ray()
  if options.devices == "gpu" and options.engine == "local":
    gpus = [gpu for gpu in local_engine.visible_gpus() for _ in range(options.runs_per_gpu)]
  threads, workers = split(local_engine.num_cpus(), options, len(gpus))
  limits = attempts.Limits(threads, options.devices, options.timeout_hours * 3600, options.retries)

  def make_locally(jobs: Sequence[attempts.Job], show: progress.Progress) -> None:
    logging.info("%d runs at a time, %d threads each, on %s.", workers, threads, options.devices)
    local_engine.run(jobs, workers, limits, show, gpus)

  def make_on_ray(jobs: Sequence[attempts.Job], show: progress.Progress) -> None:
    share = 1 / options.runs_per_gpu if options.devices == "gpu" else 0.0
    ray_engine.run(jobs, options.workers, limits, show, options.ray_address, share)

  return make_on_ray if options.engine == "ray" else make_locally


def split(num_cpus: int, options: Options, num_gpu_slots: int = 0) -> tuple[int, int]:
  """Returns threads of a run and number of runs at a time.

  One thread a run makes about as many steps a second in total as more of them, so without
  `options.threads` and `workers` there are as many runs as processors, or as shares of a GPU.
  """
  workers = options.workers
  if num_gpu_slots:
    workers = min(workers or num_gpu_slots, num_gpu_slots)
  if options.engine == "ray" or workers is None:
    threads = options.threads or 1
    return threads, workers or max(1, num_cpus // threads)
  return options.threads or max(1, num_cpus // workers), workers


def _raise_for_failures(jobs: Sequence[attempts.Job], states: dict[int, str]) -> None:
  """Raises the error that the first failed run, or else the first diverged one, ended with."""
  for state, verb in ((run_state.FAILED, "failed"), (run_state.DIVERGED, "diverged")):
    found = [job for job in jobs if states[job.model_num] == state]
    if not found:
      continue
    why = run_state.why(found[0].folder)
    line = (
      f"{len(found)} of {len(jobs)} runs {verb}; the first, run {found[0].model_num}: "
      f"{why['message']} (dl_condind_reproduce --status lists them all)"
    )
    if state == run_state.DIVERGED:
      raise errors.DivergedError(line)
    for error in (errors.ConfigError, errors.DatasetError):
      if why.get("exit_code") == error.exit_code:
        raise error(line)
    raise errors.TryAgainError(line)
