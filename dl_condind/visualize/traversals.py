"""Paths through latent space along which one latent changes and the others stay."""

from collections.abc import Callable

import numpy as np
from scipy import special

Cycle = Callable[[float, int], np.ndarray]

_TAIL = 0.01  # probability left out at each end of a Gaussian cycle


def traverse(base: np.ndarray, values: np.ndarray) -> np.ndarray:
  """Returns codes that differ from base in one latent each.

  Args:
    base: [num_latent].
    values: Values that each latent takes, [num_values], the same for all, or [num_latent,
      num_values].

  Returns:
    [num_latent, num_values, num_latent]; element [i, k] has value k in latent i.
  """
  num_latent = len(base)
  values = np.broadcast_to(values, (num_latent, np.shape(values)[-1]))
  codes = np.tile(base, (num_latent, values.shape[1], 1))
  for latent in range(num_latent):
    codes[latent, :, latent] = values[latent]
  return codes


def cycle_traversal(base: np.ndarray, cycle: Cycle, num_frames: int) -> np.ndarray:
  """Returns the codes of an animation, [num_latent, num_frames, num_latent].

  Args:
    base: [num_latent].
    cycle: Function (start, num_frames) -> the values of one latent in time.
    num_frames: Number of frames.
  """
  return traverse(base, np.stack([cycle(start, num_frames) for start in base]))


def cycle_gaussian(start: float, num_frames: int) -> np.ndarray:
  """Returns values that move through N(0, 1) at constant probability, from start and back.

  Args:
    start: First value; beyond the 1% and 99% quantiles it is moved there.
    num_frames: Number of values.

  Returns:
    [num_frames]: up to the 99% quantile, down to the 1% quantile, and up to start again.
  """
  return special.ndtri(_cycle(special.ndtr(start), num_frames, _TAIL, 1 - _TAIL))


def cycle_interval(
  start: float, num_frames: int, lowest: float = -2.0, highest: float = 2.0
) -> np.ndarray:
  """Returns values that move through an interval at constant speed, from start and back.

  Args:
    start: First value; outside the interval it is moved to its end.
    num_frames: Number of values.
    lowest: Lower end of the interval.
    highest: Upper end of the interval.

  Returns:
    [num_frames]: up to highest, down to lowest, and up to start again.
  """
  return _cycle(start, num_frames, lowest, highest)


def _cycle(start: float, num_frames: int, lowest: float, highest: float) -> np.ndarray:
  """Returns a triangle wave of one period; the frame after the last would be the first again."""
  width = highest - lowest
  distance = (
    np.clip(start, lowest, highest) - lowest + 2 * width * np.arange(num_frames) / num_frames
  )
  return highest - np.abs(distance % (2 * width) - width)
