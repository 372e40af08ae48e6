"""What an engine says while it works: a live table on a terminal, plain lines elsewhere."""

from collections.abc import Iterable
from collections.abc import Sequence
import dataclasses
import os
import re
import statistics
import sys
import time
from typing import TextIO

from absl import logging

from dl_condind.studies import attempts
from dl_condind.studies import run_state
from dl_condind.utils import progress_lines

_SECONDS_PER_TABLE = 1.0
_STEP = re.compile(r"step (\d+) of (\d+)")
_LOG_PREFIX = re.compile(r"^\d\d:\d\d:\d\d INFO ")
_MAX_WIDTH = 110  # characters


def count_states(states: Iterable[str]) -> str:
  """Returns a line such as `3 of 10 done, 1 running, 0 failed, 0 diverged, 6 missing`."""
  states = list(states)
  counts = {state: states.count(state) for state in run_state.STATES}
  others = [f"{counts[state]} {state}" for state in run_state.STATES if state != run_state.DONE]
  return ", ".join([f"{counts[run_state.DONE]} of {len(states)} done", *others])


@dataclasses.dataclass
class _Running:
  job: attempts.Job
  attempt: int
  start: float
  first_step: int | None = None  # That its training said it made in this attempt.
  first_time: float = 0.0


class Progress:
  """Shows the runs of a study while an engine makes them."""

  def __init__(self, states: dict[int, str], stream: TextIO | None = None):
    """Begins to show.

    Args:
      states: State of each run, by its number.
      stream: Where to; by default standard error. The table is for a terminal only.
    """
    self._states = dict(states)
    self._stream = stream or sys.stderr
    self._running: dict[int, _Running] = {}
    self._num_workers = 1
    self._elsewhere: set[int] = set()
    self._durations: list[float] = []  # seconds, of the runs that ended here
    self._num_lines = 0
    self._table_time = 0.0

  @property
  def states(self) -> dict[int, str]:
    """State of each run, by its number."""
    return self._states

  def started(self, job: attempts.Job, attempt: int) -> None:
    """Notes that an attempt at a run began."""
    self._running[job.model_num] = _Running(job, attempt, time.monotonic())
    self._num_workers = max(self._num_workers, len(self._running))
    self._states[job.model_num] = run_state.RUNNING
    suffix = f", attempt {attempt}" if attempt > 1 else ""
    self._say(f"Run {job.model_num} started{suffix}: {job.folder}")

  def retried(self, job: attempts.Job, wait: float, message: str) -> None:
    """Notes that an attempt failed and that there will be another one."""
    self._running.pop(job.model_num, None)
    self._states[job.model_num] = run_state.MISSING
    self._say(f"Run {job.model_num} will be tried again in {wait:g} s: {message}")

  def elsewhere(self, job: attempts.Job) -> None:
    """Notes that another process makes a run."""
    self._states[job.model_num] = run_state.RUNNING
    if job.model_num not in self._elsewhere:
      self._elsewhere.add(job.model_num)
      self._say(f"Run {job.model_num} is made by another process.")

  def ended(self, job: attempts.Job, state: str, message: str) -> None:
    """Notes that a run is done or was given up."""
    self._states[job.model_num] = state
    running = self._running.pop(job.model_num, None)
    if running and state == run_state.DONE:
      self._durations.append(time.monotonic() - running.start)
    detail = "" if state == run_state.DONE else f": {message.rstrip('.')}"
    self._say(f"Run {job.model_num} {state}{detail}. {self.summary()}")

  def summary(self) -> str:
    """Returns a line with the number of runs in each state and the time left."""
    return f"{count_states(self._states.values())}{self._time_left()}"

  def refresh(self) -> None:
    """Draws the table anew if it is old and this is a terminal."""
    if not self._stream.isatty() or time.monotonic() - self._table_time < _SECONDS_PER_TABLE:
      return
    self._table_time = time.monotonic()
    self._erase()
    lines = [self.summary(), *(_describe(r) for _, r in sorted(self._running.items()))]
    width = self._width()
    self._stream.write("".join(f"{line[:width]}\n" for line in lines))
    self._stream.flush()
    self._num_lines = len(lines)

  def _width(self) -> int:
    """Returns the length of a line that the terminal does not wrap, so that it can be erased."""
    columns = os.get_terminal_size(self._stream.fileno()).columns
    return min(_MAX_WIDTH, columns - 1) if columns else _MAX_WIDTH  # Some do not tell: 0.

  def _say(self, line: str) -> None:
    self._erase()
    logging.info("%s", line)

  def _erase(self) -> None:
    if self._num_lines:
      self._stream.write(f"\x1b[{self._num_lines}A\x1b[J")
      self._num_lines = 0

  def _time_left(self) -> str:
    """Returns `, about 3 h left`, or nothing while that cannot be told."""
    if self._durations:
      duration = statistics.mean(self._durations)
    elif self._running:
      durations = [d for running in self._running.values() if (d := _expected_seconds(running))]
      if not durations:
        return ""
      duration = statistics.mean(durations)
    else:
      return ""
    now = time.monotonic()
    open_states = (run_state.MISSING, run_state.RUNNING)
    left = sum(state in open_states for state in self._states.values()) * duration
    left -= sum(min(now - running.start, duration) for running in self._running.values())
    return f", about {progress_lines.format_seconds(left / self._num_workers)} left"


def _describe(running: _Running) -> str:
  """Returns the line of a run in the table."""
  line = _LOG_PREFIX.sub("", run_state.last_line(running.job.folder))
  elapsed = progress_lines.format_seconds(time.monotonic() - running.start)
  return f"  run {running.job.model_num:<6} attempt {running.attempt}  {elapsed:>8}  {line}"


def _expected_seconds(running: _Running) -> float | None:
  """Returns how long a training takes, from the steps it says it made, None if it says none."""
  match = _STEP.search(run_state.last_line(running.job.folder))
  if not match:
    return None
  step, training_steps = int(match[1]), int(match[2])
  if running.first_step is None:
    running.first_step, running.first_time = step, time.monotonic()
  if step <= running.first_step:
    return None
  rate = (step - running.first_step) / (time.monotonic() - running.first_time)
  return training_steps / rate


def describe_study(
  jobs: Sequence[attempts.Job], states: dict[int, str], most: int = 20
) -> list[str]:
  """Returns the lines of --status: how many runs are in each state, and which are not done why.

  Args:
    jobs: The runs.
    states: State of each, by its number.
    most: Number of runs of a state that are described; of the others only their number is said.
  """
  lines = [count_states(states.values())]
  for state in (run_state.RUNNING, run_state.FAILED, run_state.DIVERGED):
    found = [job for job in jobs if states[job.model_num] == state]
    for job in found[:most]:
      is_running = state == run_state.RUNNING
      known = (
        run_state.last_line(job.folder) if is_running else run_state.why(job.folder)["message"]
      )
      lines.append(f"  run {job.model_num:<6} {state:9} {_LOG_PREFIX.sub('', str(known))}")
    if len(found) > most:
      lines.append(f"  ... and {len(found) - most} more are {state}")
  missing = [job.model_num for job in jobs if states[job.model_num] == run_state.MISSING]
  if missing:
    lines.append(f"  missing: {format_numbers(missing)}")
  return lines


def format_numbers(numbers: Sequence[int]) -> str:
  """Returns ascending numbers as `--model_nums` takes them, such as `0-9,40`."""
  ranges: list[list[int]] = []
  for number in numbers:
    if ranges and number == ranges[-1][1] + 1:
      ranges[-1][1] = number
    else:
      ranges.append([number, number])
  return ",".join(f"{a}" if a == b else f"{a}-{b}" for a, b in ranges)
