"""Runs of a study on the machines of a Ray cluster that share the folders of the runs.

A Ray task makes one run as the local engine does, in a process of its own. Ray starts the task
again if its worker or its machine dies; what keeps two of them from one run, and lets the second go
on where the first stopped, is the run's folder.
"""

from collections.abc import Sequence
import math
import os
import socket
import time
import types
from typing import Any

from dl_condind.studies import attempts
from dl_condind.studies import local_engine
from dl_condind.studies import progress
from dl_condind.studies import run_state
from dl_condind.utils import errors
from dl_condind.utils import processes

_TASKS_PER_SLOT = 2  # In flight: one that runs, one that waits, so that no slot waits for us.
_POLL = 1.0  # seconds
_CONNECT_SECONDS = 10.0
_VARIABLES = ("DISENTANGLEMENT_LIB_DATA", "PYTHONPATH")  # Of this process, for all machines.
_OBJECT_STORE_BYTES = 100 * 2**20  # Nothing is kept in it.


def run(
  jobs: Sequence[attempts.Job],
  num_workers: int | None,
  limits: attempts.Limits,
  show: progress.Progress,
  address: str | None = None,
  gpus_per_run: float = 0.0,
) -> None:
  """Makes runs on a Ray cluster; what is raised is raised as by `local_engine.run`.

  Args:
    jobs: The runs, in folders that all machines share.
    num_workers: Number of runs at a time; None for as many as the cluster has room for.
    limits: What each may use and how often it is repeated.
    show: Is told what happens.
    address: Address of the cluster, or "auto"; None starts one on this machine.
    gpus_per_run: Share of a GPU that a run needs.

  Raises:
    ConfigError: Also if Ray is not installed, there is no cluster, or it has no room for a run.
  """
  ray = import_ray()
  _connect(ray, address, num_workers, limits.num_threads)
  try:
    slots = _num_slots(ray.cluster_resources(), limits.num_threads, gpus_per_run)
    num_workers = min(slots, num_workers or slots)
    task = ray.remote(
      num_cpus=limits.num_threads,
      num_gpus=gpus_per_run,
      max_retries=limits.retries,
      scheduling_strategy="SPREAD",
    )(attempts.make)
    # Ray starts all it has room for: where fewer runs are asked for, fewer are handed over.
    in_flight = _TASKS_PER_SLOT * slots if num_workers == slots else num_workers
    with processes.Interruption() as stop:
      _feed(ray, task, jobs, limits, show, in_flight, stop)
      stop.check("every run is saved as far as it came")
  finally:
    ray.shutdown()


def import_ray() -> types.ModuleType:
  """Imports Ray, which takes a second.

  Raises:
    ConfigError: If it is not installed.
  """
  # Both are read when Ray is imported. Without the first it replaces 127.0.0.1 by an address of the
  # machine that it may not be able to connect to.
  os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
  os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
  try:
    import ray
  except ImportError as error:
    raise errors.ConfigError(
      "engine='ray' needs Ray: run `pip install '.[ray]'` in a clone of the repository, or take "
      "engine='local'."
    ) from error
  return ray


def _connect(ray, address: str | None, num_workers: int | None, num_threads: int) -> None:
  variables = {name: os.environ[name] for name in _VARIABLES if name in os.environ}
  options = {"log_to_driver": False, "runtime_env": {"env_vars": variables}}
  if address is None:
    options |= {
      "num_cpus": num_workers * num_threads if num_workers else local_engine.num_cpus(),
      "object_store_memory": _OBJECT_STORE_BYTES,
      "include_dashboard": False,
    }
  try:
    if address not in (None, "auto"):  # Ray itself waits for minutes.
      host, _, port = address.rpartition(":")
      socket.create_connection((host, int(port)), timeout=_CONNECT_SECONDS).close()
    ray.init(address=address or "local", configure_logging=False, **options)
  except (OSError, ValueError) as error:
    raise errors.ConfigError(
      f"No Ray cluster at ray_address={address} ({str(error).splitlines()[0]}): start one with "
      "`ray start --head`, or leave the address out."
    ) from error


def _num_slots(resources: dict[str, float], num_threads: int, gpus_per_run: float) -> int:
  """Returns how many runs a cluster has room for.

  Raises:
    ConfigError: If it has none: Ray would wait for ever.
  """
  slots = int(resources.get("CPU", 0)) // num_threads
  if gpus_per_run:
    slots = min(slots, math.floor(resources.get("GPU", 0) / gpus_per_run))
  if slots < 1:
    raise errors.ConfigError(
      f"The Ray cluster has {resources.get('CPU', 0):g} CPUs and {resources.get('GPU', 0):g} GPUs, "
      f"but a run needs {num_threads} CPUs and {gpus_per_run:g} GPUs: add a machine, or take fewer "
      "threads or devices='cpu'."
    )
  return slots


def _feed(
  ray,
  task,
  jobs: Sequence[attempts.Job],
  limits: attempts.Limits,
  show: progress.Progress,
  in_flight: int,
  stop: processes.Interruption,
) -> None:
  """Hands runs to Ray, a few at a time, and notes how they end."""
  waiting = list(reversed(jobs))
  running: dict[Any, attempts.Job] = {}
  shown = set()
  while (waiting or running) and not stop.signal_name:
    while waiting and len(running) < in_flight:
      job = waiting.pop()
      running[task.remote(job, limits)] = job
    for job in running.values():
      if job.model_num not in shown and run_state.is_locked(job.folder):
        shown.add(job.model_num)
        show.started(job, 1)
    ended, _ = ray.wait(list(running), timeout=_POLL)
    for reference in ended:
      job = running.pop(reference)
      try:
        state = ray.get(reference)
      except ray.exceptions.RayTaskError as error:  # The folder of the run cannot be written.
        raise error.cause from error
      except ray.exceptions.RayError as error:  # Its worker or machine died too often.
        message = str(error).splitlines()[0]
        run_state.give_up(job.folder, 1, message, limits.retries + 1)
        state = run_state.FAILED
      reason = run_state.why(job.folder)["message"] if state != run_state.DONE else ""
      show.ended(job, state, str(reason))
    show.refresh()
  for reference in running:
    ray.cancel(reference)  # Raises KeyboardInterrupt in it, at which its run saves and ends.
  deadline = time.monotonic() + attempts.GRACE
  while running and time.monotonic() < deadline:
    ended, _ = ray.wait(list(running), timeout=_POLL)
    running = {reference: job for reference, job in running.items() if reference not in ended}
