"""Making one run in a process of its own, again if need be, until it is done or given up.

A fresh process for each attempt, since gin, TensorFlow's threads and its determinism belong to a
process. It is `dl_condind_reproduce --model_num`, which knows nothing of engines.
"""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
import contextlib
import dataclasses
import datetime
import os
import pathlib
import signal
import subprocess
import time
from typing import Any

from dl_condind.studies import run_state
from dl_condind.utils import errors
from dl_condind.utils import files
from dl_condind.utils import processes
from dl_condind.utils import run_folder

GRACE = 60.0  # seconds from SIGTERM, at which a training saves a checkpoint, to SIGKILL

_FINAL = {
  errors.ConfigError.exit_code: run_state.FAILED,
  errors.DatasetError.exit_code: run_state.FAILED,
  errors.DivergedError.exit_code: run_state.DIVERGED,
}
# The last one is what joblib takes for the number of processors.
_NUM_THREADS = (
  "OMP_NUM_THREADS",
  "OPENBLAS_NUM_THREADS",
  "MKL_NUM_THREADS",
  "LOKY_MAX_CPU_COUNT",
)
_MAX_WAIT = 60.0  # seconds before another attempt
_POLL = 0.2  # seconds


@dataclasses.dataclass(frozen=True)
class Job:
  """A run to be made.

  Attributes:
    model_num: Number of the run in its study.
    folder: Folder of the run, absolute.
    command: Program and arguments that make it.
    settings: Settings of the run, as `study_file.Study.settings`.
    directory: Working directory.
  """

  model_num: int
  folder: str
  command: Sequence[str]
  settings: Mapping[str, Any]
  directory: str


@dataclasses.dataclass(frozen=True)
class Limits:
  """What an attempt may use and how often it is repeated.

  Attributes:
    num_threads: Threads of a run.
    devices: "cpu", or "gpu" for what CUDA_VISIBLE_DEVICES names.
    timeout: Seconds of an attempt.
    retries: Attempts after the first one, of a run that could succeed when it is tried again.
    wait: Seconds before the second attempt; they double each time.
  """

  num_threads: int = 1
  devices: str = "cpu"
  timeout: float = 96 * 3600.0
  retries: int = 5
  wait: float = 1.0

  def wait_after(self, num_attempts: int) -> float:
    """Returns the seconds between an attempt and the next one."""
    return min(self.wait * 2 ** (num_attempts - 1), _MAX_WAIT)


@dataclasses.dataclass(frozen=True)
class Outcome:
  """How an attempt ended.

  Attributes:
    state: `run_state.DONE`, DIVERGED, FAILED, or MISSING if it can be tried again.
    exit_code: Of the process; of a signal, minus its number.
    message: Last line that it printed.
  """

  state: str
  exit_code: int
  message: str


class Attempt:
  """A running attempt at a run, in a process group that ends with this process."""

  def __init__(self, job: Job, limits: Limits, gpu: str | None = None):
    """Starts it.

    Args:
      job: The run.
      limits: What it may use.
      gpu: Value of CUDA_VISIBLE_DEVICES; None leaves it as it is.

    Raises:
      TryAgainError: If the disk is full.
      ConfigError: If the folder of the run cannot be written.
    """
    self.job = job
    self.start = time.monotonic()
    self._deadline = self.start + limits.timeout
    self._stop_time: float | None = None
    num_threads = run_state.num_threads(job.folder) or limits.num_threads
    command = [*job.command, *_threads_binding(job, num_threads)]
    log = run_folder.RunFolder(pathlib.Path(job.folder)).log
    with files.clear_write_errors(log):
      log.parent.mkdir(parents=True, exist_ok=True)
      with open(log, "ab") as file:
        date = datetime.datetime.now().isoformat(timespec="seconds")
        file.write(f"{run_state.HEADER} {date} {' '.join(command)}\n".encode())
        file.flush()
        self._process = subprocess.Popen(
          command,
          cwd=job.directory,
          stdin=subprocess.DEVNULL,
          stdout=file,
          stderr=file,
          env=_environment(num_threads, limits.devices, gpu),
          start_new_session=True,
        )

  def poll(self) -> Outcome | None:
    """Returns how the attempt ended, or None if it goes on. Enforces the time limit."""
    exit_code = self._process.poll()
    if exit_code is None:
      now = time.monotonic()
      if self._stop_time is None and now > self._deadline:
        self.stop()
      elif self._stop_time is not None and now > self._stop_time + GRACE:
        self.kill()
      return None
    self.kill()  # What it started itself and left behind.
    state = _FINAL.get(exit_code, run_state.MISSING)
    if exit_code == 0:
      state = run_state.DONE
    return Outcome(state, exit_code, self._message(exit_code))

  def _message(self, exit_code: int) -> str:
    message = run_state.last_line(self.job.folder).removeprefix("error: ")
    if exit_code < 0:
      message = f"ended by {signal.Signals(-exit_code).name}; its last line: {message or '(none)'}"
    if self._stop_time is not None and self._stop_time > self._deadline:
      message = f"stopped after {self._stop_time - self.start:.0f} s, its limit; {message}"
    return message

  def stop(self) -> None:
    """Asks the attempt to save what it has and end; `poll` makes sure that it does."""
    if self._stop_time is None:
      self._stop_time = time.monotonic()
      self._signal(signal.SIGTERM)

  def kill(self) -> None:
    """Ends the attempt, and what it started, at once."""
    self._signal(signal.SIGKILL)

  def _signal(self, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
      os.killpg(self._process.pid, number)


def _threads_binding(job: Job, num_threads: int) -> list[str]:
  """Returns the argument that sets the threads of the training, unless a binding of it does.

  It wins over a gin file of the study: to read those, gin would have to import TensorFlow here.
  """
  if any(binding.startswith(run_state.NUM_THREADS) for binding in job.settings["bindings"]):
    return []
  return [f"--gin_bindings={run_state.NUM_THREADS} = {num_threads}"]


def _environment(num_threads: int, devices: str, gpu: str | None) -> dict[str, str]:
  environment = {**os.environ, processes.PARENT: str(os.getpid())}
  for name in _NUM_THREADS:
    environment[name] = str(num_threads)
  if devices == "cpu":
    environment["CUDA_VISIBLE_DEVICES"] = "-1"
  else:
    environment["TF_FORCE_GPU_ALLOW_GROWTH"] = "true"
    if gpu is not None:
      environment["CUDA_VISIBLE_DEVICES"] = gpu
  return environment


def record(job: Job, outcome: Outcome, num_attempts: int, limits: Limits) -> str:
  """Returns the state of a run after an attempt, and records it if the run is given up.

  Raises:
    TryAgainError: If the record cannot be written, since the disk is full.
    ConfigError: If the record cannot be written.
  """
  state = outcome.state
  if state == run_state.MISSING and num_attempts > limits.retries:
    state = run_state.FAILED
  if state == run_state.FAILED:
    run_state.give_up(job.folder, outcome.exit_code, outcome.message, num_attempts)
  return state


def make(job: Job, limits: Limits, tell: Callable[[str], None] = print) -> str:
  """Makes a run, waiting for it: attempt after attempt until it is done or given up.

  Args:
    job: The run.
    limits: What an attempt may use and how often it is repeated.
    tell: Is told of each failed attempt.

  Returns:
    `run_state.DONE`, DIVERGED or FAILED.

  Raises:
    TryAgainError: If the disk is full.
    ConfigError: If the folder of the run cannot be written.
  """
  num_attempts = 0
  while True:
    state = run_state.state_of(job.folder, job.settings)
    if state in (run_state.DONE, run_state.DIVERGED):
      return state
    if state == run_state.RUNNING:  # Elsewhere, or by what a dead machine left behind.
      time.sleep(_POLL)
      continue
    num_attempts += 1
    outcome = _wait_for(Attempt(job, limits))
    state = record(job, outcome, num_attempts, limits)
    if state != run_state.MISSING:
      return state
    wait = limits.wait_after(num_attempts)
    tell(f"Run {job.model_num} will be tried again in {wait:g} s: {outcome.message}")
    time.sleep(wait)


def _wait_for(attempt: Attempt) -> Outcome:
  try:
    while (outcome := attempt.poll()) is None:
      time.sleep(_POLL)
    return outcome
  except BaseException:  # A request to stop, such as Ray's.
    attempt.stop()
    while attempt.poll() is None:
      time.sleep(_POLL)
    raise
