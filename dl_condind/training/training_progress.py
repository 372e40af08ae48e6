"""How a training shows how far it has come."""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import sys
import time

from absl import logging
import keras
import numpy as np

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
  """

  function: Callable[[State], None]
  seconds: float


class Progress:
  """Shows the progress of one training, at intervals and at its last step."""

  def __init__(self, step: int, training_steps: int, main_losses: Sequence[str], show: Show):
    """Starts at a step; `main_losses` names the losses to show."""
    self._training_steps = training_steps
    self._main_losses = main_losses
    self._show = show
    self._step, self._time = step, time.monotonic()

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


def _line(state: State) -> str:
  left = (state.training_steps - state.step) / state.steps_per_second
  losses = ", ".join(f"{name} {value:.2f}" for name, value in state.losses.items())
  return (
    f"step {state.step} of {state.training_steps}, {state.steps_per_second:.1f} steps/s, "
    f"{progress_lines.format_seconds(left)} left, {losses}"
  )


# For programs: lines of the log.
LOG = Show(lambda state: logging.info("%s", _line(state)), _SECONDS_PER_LINE)


def in_python(training_steps: int) -> Show:
  """Returns a bar where Python runs in a notebook or a terminal, and lines elsewhere."""
  if "ipykernel" not in sys.modules and not sys.stdout.isatty():
    return Show(lambda state: print(_line(state), flush=True), _SECONDS_PER_LINE)
  bar = keras.utils.Progbar(training_steps, unit_name="step", interval=0)

  def show(state: State) -> None:
    # Keras averages values unless they come with the number of steps they stand for.
    bar.stateful_metrics = set(state.losses)
    bar.update(state.step, list(state.losses.items()), finalize=state.step == training_steps)

  return Show(show, _SECONDS_PER_BAR)
