"""Runs of a study on this machine: as many processes at a time as there are slots."""

from collections.abc import Sequence
import contextlib
import dataclasses
import os
import shutil
import subprocess
import time

from dl_condind.studies import attempts
from dl_condind.studies import progress
from dl_condind.studies import run_state
from dl_condind.utils import errors
from dl_condind.utils import processes

_POLL = 0.2  # seconds
_RUNS_ELSEWHERE_WAIT = 5.0  # seconds until a run that another process makes is looked at again


@dataclasses.dataclass
class _Pending:
  """A run that is waiting: for a slot, and not before a point in time."""

  job: attempts.Job
  num_attempts: int = 0
  not_before: float = 0.0


def run(
  jobs: Sequence[attempts.Job],
  num_workers: int,
  limits: attempts.Limits,
  show: progress.Progress,
  gpus: Sequence[str] = (),
) -> None:
  """Makes runs, each until it is done or given up, and those that another process makes no more.

  Args:
    jobs: The runs.
    num_workers: Number of runs at a time.
    limits: What each may use and how often it is repeated.
    show: Is told what happens.
    gpus: GPU of each worker, as CUDA_VISIBLE_DEVICES names it.

  Raises:
    TryAgainError: If SIGTERM or SIGINT came, once every run has saved what it has, or if the disk
      is full.
    ConfigError: If the folder of a run cannot be written.
  """
  slots: list[attempts.Attempt | None] = [None] * num_workers
  waiting = [_Pending(job) for job in jobs]
  running: dict[int, _Pending] = {}
  with processes.Interruption() as stop, _stopped_at_the_end(slots):
    while (waiting or running) and not stop.signal_name:
      for index, attempt in enumerate(slots):
        outcome = attempt.poll() if attempt else None
        if outcome:
          slots[index] = None
          waiting += _after(running.pop(index), outcome, limits, show)
        if slots[index] is None and (pending := _next(waiting, show)):
          slots[index] = attempts.Attempt(pending.job, limits, gpus[index] if gpus else None)
          pending.num_attempts += 1
          running[index] = pending
          show.started(pending.job, pending.num_attempts)
      show.refresh()
      time.sleep(_POLL)
    stop.check("every run is saved as far as it came")


def _next(waiting: list[_Pending], show: progress.Progress) -> _Pending | None:
  """Takes the first run from the waiting ones that is to be made now."""
  now = time.monotonic()
  for pending in [pending for pending in waiting if pending.not_before <= now]:
    state = run_state.state_of(pending.job.folder, pending.job.settings)
    if state == run_state.RUNNING:
      pending.not_before = now + _RUNS_ELSEWHERE_WAIT
      show.elsewhere(pending.job)
      continue
    waiting.remove(pending)
    if state not in (run_state.DONE, run_state.DIVERGED):
      return pending
    show.ended(pending.job, state, "made by another process")
  return None


def _after(
  pending: _Pending, outcome: attempts.Outcome, limits: attempts.Limits, show: progress.Progress
) -> list[_Pending]:
  """Records how an attempt ended and returns the run if it is to be tried again."""
  state = attempts.record(pending.job, outcome, pending.num_attempts, limits)
  if state != run_state.MISSING:
    show.ended(pending.job, state, outcome.message)
    return []
  wait = limits.wait_after(pending.num_attempts)
  pending.not_before = time.monotonic() + wait
  show.retried(pending.job, wait, outcome.message)
  return [pending]


@contextlib.contextmanager
def _stopped_at_the_end(slots: list[attempts.Attempt | None]):
  """Ends what still runs when the block ends: with SIGTERM, and if need be with SIGKILL."""
  try:
    yield
  finally:
    left = [attempt for attempt in slots if attempt]
    try:
      for attempt in left:
        attempt.stop()
      while left:
        left = [attempt for attempt in left if attempt.poll() is None]
        time.sleep(_POLL / 4)
    finally:
      for attempt in left:
        attempt.kill()


def num_cpus() -> int:
  """Returns the number of processors that this process may use."""
  return len(os.sched_getaffinity(0))


def visible_gpus() -> list[str]:
  """Returns the GPUs of this machine, as CUDA_VISIBLE_DEVICES names them.

  Raises:
    ConfigError: If there is none.
  """
  visible = os.environ.get("CUDA_VISIBLE_DEVICES")
  if visible is None and shutil.which("nvidia-smi"):
    command = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    visible = ",".join(found.stdout.split()) if not found.returncode else ""
  gpus = [gpu for gpu in (visible or "").split(",") if gpu and gpu != "-1"]
  if not gpus:
    raise errors.ConfigError(
      "devices='gpu', but there is no GPU here: neither CUDA_VISIBLE_DEVICES nor nvidia-smi names "
      "one. Take devices='cpu'."
    )
  return gpus
