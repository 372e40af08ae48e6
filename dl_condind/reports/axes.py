"""Axes of charts: their limits, and round numbers for their ticks."""

import dataclasses
import math

TICKS = 5  # About as many on each axis.
_MAX_LABEL = 7  # characters


@dataclasses.dataclass(frozen=True)
class Axis:
  """An axis: its name with the unit, its limits, and (position, label) of its ticks."""

  label: str
  limits: tuple[float, float]
  ticks: tuple[tuple[float, str], ...]

  @property
  def is_slanted(self) -> bool:
    """Whether labels are too long to stand side by side, so that they are drawn at an angle."""
    return any(len(label.split("\n")[0]) > _MAX_LABEL for _, label in self.ticks)


def around(label: str, low: float, high: float, from_zero: bool = False) -> Axis:
  """Returns an axis with room around the values, or that begins at a value of 0."""
  room = 0.1 * (high - low) or 0.1 * abs(high) or 1.0
  limits = (low if from_zero and not low else low - room, high + room)
  return Axis(label, limits, ticks_between(*limits))


def ticks_between(low: float, high: float) -> tuple[tuple[float, str], ...]:
  """Returns round numbers between two others, with their labels.

  >>> ticks_between(0.0, 0.75)
  ((0.0, '0.0'), (0.2, '0.2'), (0.4, '0.4'), (0.6, '0.6'))
  """
  rough = (high - low) / TICKS
  unit = 10.0 ** math.floor(math.log10(rough))
  step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= 0.75 * rough)
  digits = max(0, -math.floor(math.log10(step) + 1e-9))
  numbers = range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
  return tuple((round(n * step, digits), f"{n * step:,.{digits}f}") for n in numbers)
