"""How a training shows how far it has come: one line that moves on a terminal, lines elsewhere."""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
import contextlib
import dataclasses
import logging as standard_logging
import sys
import time
from typing import TextIO

from absl import logging
import numpy as np
import tqdm

from dl_condind.utils import progress_lines

_SECONDS_PER_LINE = 10
_SECONDS_PER_BAR = 0.2


@dataclasses.dataclass(frozen=True)
class State:
  """How far a training has come.

  Attributes:
    step: Number of steps done.
    training_steps: Number of steps in all.
    steps_per_second: Since the last message.
    losses: The model's main losses of the last step.
  """

  step: int
  training_steps: int
  steps_per_second: float
  losses: Mapping[str, float]


@dataclasses.dataclass(frozen=True)
class Show:
  """How to show a `State`.

  Attributes:
    function: Shows one.
    seconds: Least time between two.
    say: Shows a line of text.
    close: Is called at the end, also of a training that is interrupted.
  """

  function: Callable[[State], None]
  seconds: float
  say: Callable[[str], None] = lambda text: logging.info("%s", text)
  close: Callable[[], None] = lambda: None


class Progress(contextlib.AbstractContextManager):
  """Shows the progress of one training, at intervals and at its last step."""

  def __init__(
    self,
    step: int,
    training_steps: int,
    main_losses: Sequence[str],
    negative_losses: Mapping[str, str],
    show: Show,
  ):
    """Starts at a step.

    Args:
      step: Number of steps done.
      training_steps: Number of steps in all.
      main_losses: Names of the losses to show.
      negative_losses: Name of a loss -> what it means that it is negative.
      show: How to show them.
    """
    self._training_steps = training_steps
    self._main_losses = main_losses
    self._negative_losses = negative_losses
    self._show = show
    self._step, self._time = step, time.monotonic()
    self._explained: set[str] = set()

  def update(self, step: int, scalars: Mapping[str, np.ndarray]) -> None:
    """Shows the state after a step, if it is due.

    Args:
      step: Number of steps done.
      scalars: What the model reported for the last steps, [num_steps] each.
    """
    seconds = time.monotonic() - self._time
    if seconds < self._show.seconds and step < self._training_steps:
      return
    rate = (step - self._step) / max(seconds, 1e-9)
    self._step, self._time = step, time.monotonic()
    losses = {name: float(scalars[name][-1]) for name in self._main_losses}
    self._show.function(State(step, self._training_steps, rate, losses))
    self._explain(losses)

  def _explain(self, losses: Mapping[str, float]) -> None:
    """Says once for each loss what it means that it is negative."""
    for name, value in losses.items():
      if value < 0 and name in self._negative_losses and name not in self._explained:
        self._explained.add(name)
        self._show.say(f"{name} is negative, which is not an error: {self._negative_losses[name]}.")

  def __exit__(self, *exc_info: object) -> None:
    self._show.close()


def _line(state: State) -> str:
  left = (state.training_steps - state.step) / state.steps_per_second
  return (
    f"step {state.step} of {state.training_steps}, {state.steps_per_second:.1f} steps/s, "
    f"{progress_lines.format_seconds(left)} left, {_losses(state)}"
  )


def _losses(state: State) -> str:
  return ", ".join(f"{name} {value:.2f}" for name, value in state.losses.items())


def in_program(training_steps: int) -> Show:
  """Returns a bar where the log goes to a terminal, and lines of the log elsewhere."""
  if sys.stderr.isatty() and logging.get_verbosity() >= logging.INFO:
    return _bar(training_steps, sys.stderr)
  return Show(lambda state: logging.info("%s", _line(state)), _SECONDS_PER_LINE)


def in_python(training_steps: int) -> Show:
  """Returns a bar where Python runs in a notebook or a terminal, and lines elsewhere."""
  if "ipykernel" in sys.modules or sys.stdout.isatty():
    return _bar(training_steps, sys.stdout)
  say = _print
  return Show(lambda state: say(_line(state)), _SECONDS_PER_LINE, say)


def _print(text: str) -> None:
  print(text, flush=True)


def _bar(training_steps: int, stream: TextIO) -> Show:
  """Returns a line of a terminal that is written again and again, below what else is written."""
  bar = tqdm.tqdm(
    total=training_steps,
    file=stream,
    unit=" steps",
    dynamic_ncols=True,
    bar_format="{l_bar}{bar:12}| {n_fmt}/{total_fmt} steps{postfix}",
  )

  def show(state: State) -> None:
    bar.n = state.step
    left = (training_steps - state.step) / state.steps_per_second
    bar.set_postfix_str(
      f"{state.steps_per_second:.1f} steps/s, {progress_lines.format_seconds(left)} left, "
      f"{_losses(state)}",
      refresh=False,
    )
    bar.refresh()

  class ClearLine(standard_logging.Filter):
    """Lets messages of the log begin on a line of their own."""

    def filter(self, record: standard_logging.LogRecord) -> bool:
      del record
      bar.clear()
      return True

  handler, clear_line = logging.get_absl_handler(), ClearLine()
  handler.addFilter(clear_line)

  def close() -> None:
    handler.removeFilter(clear_line)
    bar.close()

  return Show(show, _SECONDS_PER_BAR, lambda text: bar.write(text, file=stream), close)
