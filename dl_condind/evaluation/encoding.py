"""From observations to representations, in chunks, and each row of a data set once."""

from collections.abc import Callable

import numpy as np

from dl_condind.data.ground_truth import ground_truth_data as ground_truth
from dl_condind.evaluation import checks
from dl_condind.utils import errors
from dl_condind.utils import progress_lines

ENCODE_CHUNK = 1000  # observations; large enough to be fast, small enough for any memory
ROW_CHUNK = 250  # rows; whole batches of a stored model, and faster than 1000 for a large network


def encode(representation_function: Callable, observations: np.ndarray) -> np.ndarray:
  """Returns the representations of any number of observations, encoded in equal chunks.

  Args:
    representation_function: Observations -> representations.
    observations: `[num_points, ...]`.

  Returns:
    `[num_points, num_latent]`, in the floating point type the function returns.

  Raises:
    ConfigError: If the function returns another shape or a value that is not finite.
  """
  chunks = np.array_split(observations, max(1, -(-len(observations) // ENCODE_CHUNK)))
  return np.concatenate([_encode_chunk(representation_function, chunk) for chunk in chunks])


def _encode_chunk(representation_function: Callable, observations: np.ndarray) -> np.ndarray:
  representations = np.asarray(representation_function(observations))
  if representations.ndim != 2 or len(representations) != len(observations):
    raise errors.ConfigError(
      f"The representation function returned shape {representations.shape} for "
      f"{len(observations)} observations: it must return [{len(observations)}, num_latent]."
    )
  checks.check_finite("The representation", representations)
  return representations


class RowCodes:
  """Codes of the rows of a data set, each row encoded when it is first asked for."""

  def __init__(
    self,
    ground_truth_data: ground_truth.GroundTruthData,
    encode_rows: Callable[[np.ndarray, np.ndarray], np.ndarray],
  ):
    """Starts without any code.

    Args:
      ground_truth_data: Data set that has rows.
      encode_rows: Observations and their rows -> representations.
    """
    self._data = ground_truth_data
    self._encode_rows = encode_rows
    self._is_known = np.zeros(ground_truth_data.num_rows, bool)
    self._codes = None

  def __call__(self, rows: np.ndarray) -> np.ndarray:
    """Returns the codes of rows, `[num, num_latent]`.

    Raises:
      ConfigError: As `encode`.
    """
    is_wanted = np.zeros_like(self._is_known)
    is_wanted[rows] = True
    missing = np.flatnonzero(is_wanted & ~self._is_known)
    starts = range(0, len(missing), ROW_CHUNK)
    what = f"Encoding {len(missing):,} images, part"
    for start in progress_lines.each(starts, what, len(starts)):
      chunk = missing[start : start + ROW_CHUNK]
      codes = self._encode(chunk)
      if self._codes is None:
        self._codes = np.empty((len(self._is_known), codes.shape[1]), codes.dtype)
      self._codes[chunk] = codes
      self._is_known[chunk] = True
    return self._codes[rows]

  def _encode(self, rows: np.ndarray) -> np.ndarray:
    observations = self._data.observations_from_rows(rows)
    # In one call: in chunks of `encode`, each would have to come with its own part of the rows.
    return _encode_chunk(lambda chunk: self._encode_rows(chunk, rows), observations)
