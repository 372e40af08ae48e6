"""Paths through latent space along which one latent changes and the others stay."""

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

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


def cycle_gaussian(
  start: ArrayLike, num_frames: int, mean: ArrayLike = 0.0, stddev: ArrayLike = 1.0
) -> np.ndarray:
  """Returns values that move through N(mean, stddev^2) at constant probability, and back.

  Args:
    start: First value of each latent, [num_latent], or of one, []; beyond the 1% and 99% quantiles
      it is moved there.
    num_frames: Number of values.
    mean: Of all latents or of each.
    stddev: Of all latents or of each.

  Returns:
    [num_latent, num_frames] or [num_frames]: up to the 99% quantile, down to the 1% quantile, and
    up to start again.
  """
  mean, stddev = (np.asarray(value)[..., None] for value in (mean, stddev))
  first = special.ndtr((np.asarray(start)[..., None] - mean) / stddev)
  return mean + stddev * special.ndtri(_cycle(first, num_frames, _TAIL, 1 - _TAIL))


def cycle_interval(
  start: ArrayLike, num_frames: int, lowest: ArrayLike = -2.0, highest: ArrayLike = 2.0
) -> np.ndarray:
  """Returns values that move through an interval at constant speed, from start and back.

  Args:
    start: First value of each latent, [num_latent], or of one, []; outside the interval it is moved
      to its end.
    num_frames: Number of values.
    lowest: Lower end of the interval, of all latents or of each.
    highest: Upper end of the interval, of all latents or of each.

  Returns:
    [num_latent, num_frames] or [num_frames]: up to highest, down to lowest, and up to start again.
  """
  start, lowest, highest = (np.asarray(value)[..., None] for value in (start, lowest, highest))
  return _cycle(start, num_frames, lowest, highest)


def _cycle(start: np.ndarray, num_frames: int, lowest: ArrayLike, highest: ArrayLike) -> np.ndarray:
  """Returns a triangle wave of one period; the frame after the last would be the first again."""
  width = np.asarray(highest) - lowest
  distance = np.clip(start, lowest, highest) - lowest
  distance = distance + 2 * width * np.arange(num_frames) / num_frames
  period = np.where(width > 0, 2 * width, 1.0)  # Where the interval is a point, so is the wave.
  return highest - np.abs(distance % period - width)
