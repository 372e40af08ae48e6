"""Codes of observations: the one cache between a model and the metrics.

Observations are encoded in chunks. Of a data set with rows, each row is encoded once; of any other,
what was drawn from the same random state before is neither drawn nor encoded again.
"""

from collections.abc import Callable
from collections.abc import Sequence
import hashlib
from typing import Any
from typing import cast

import numpy as np

from dl_condind.data.ground_truth import ground_truth_data as ground_truth
from dl_condind.evaluation import checks
from dl_condind.utils import errors
from dl_condind.utils import progress_lines

ENCODE_CHUNK = 1000  # observations; large enough to be fast, small enough for any memory
ROW_CHUNK = 250  # rows; whole batches of a stored model, and faster than 1000 for a large network
_MAX_REMEMBERED = 64  # chunks of 1000 posteriors, of 10 latents 0.5 MB each


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
  return np.concatenate([_check(representation_function(chunk), chunk) for chunk in chunks])


def _check(representations: np.ndarray, observations: np.ndarray) -> np.ndarray:
  representations = np.asarray(representations)
  if representations.ndim != 2 or len(representations) != len(observations):
    raise errors.ConfigError(
      f"The representation function returned shape {representations.shape} for "
      f"{len(observations)} observations: it must return [{len(observations)}, num_latent]."
    )
  checks.check_finite("The representation", representations)
  return representations


class Codes:
  """The codes of one data set by one representation function.

  Attributes:
    data: The data set.
    represent: Observations -> representations.
  """

  def __init__(
    self,
    ground_truth_data: ground_truth.GroundTruthData,
    represent: Callable[[np.ndarray], np.ndarray],
    represent_rows: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
  ):
    """Starts without any code.

    Args:
      ground_truth_data: The data set.
      represent: Observations -> representations.
      represent_rows: Observations and their rows -> representations, where noise is a function of
        the row; None stands for represent.
    """
    self.data = ground_truth_data
    self.represent = represent
    self._represent_rows = represent_rows or (lambda observations, rows: represent(observations))
    self._sampled: dict[tuple, tuple[np.ndarray, np.ndarray, Any]] = {}
    self._is_known = np.zeros(0, bool)  # [num_rows], once a row was asked for
    self._of_rows = np.zeros((0, 0))  # [num_rows, num_latent], once a row is known

  def of_rows(self, rows: np.ndarray) -> np.ndarray:
    """Returns the codes of rows of a data set that has rows, each encoded when first asked for.

    So a sampled representation has one sample of each row.

    Args:
      rows: int `[num]`, at least one.

    Returns:
      `[num, num_latent]`.

    Raises:
      ConfigError: See `encode`.
    """
    data = cast(ground_truth.RowData, self.data)
    if not self._is_known.size:
      self._is_known = np.zeros(data.num_rows, bool)
    is_wanted = np.zeros_like(self._is_known)
    is_wanted[rows] = True
    missing = np.flatnonzero(is_wanted & ~self._is_known)
    starts = range(0, len(missing), ROW_CHUNK)
    what = f"Encoding {len(missing):,} images, part"
    for start in progress_lines.each(starts, what, len(starts)):
      chunk = missing[start : start + ROW_CHUNK]
      observations = data.observations_from_rows(chunk)
      codes = _check(self._represent_rows(observations, chunk), observations)
      if not self._of_rows.size:
        self._of_rows = np.empty((len(self._is_known), codes.shape[1]), codes.dtype)
      self._of_rows[chunk] = codes
      self._is_known[chunk] = True
    return self._of_rows[rows]

  def of_factors(self, factors: np.ndarray, random_state: np.random.RandomState) -> np.ndarray:
    """Returns the code of an observation of each row of factors, `[num, num_latent]`.

    Args:
      factors: `[num, num_factors]`.
      random_state: State that the draws of `sample_observations_from_factors` come from.

    Raises:
      ConfigError: See `encode`.
    """
    drawn = self.drawn()
    drawn.draw(factors, random_state)
    return drawn.codes()

  def sample(
    self, sizes: Sequence[int], random_state: np.random.RandomState
  ) -> tuple[np.ndarray, np.ndarray]:
    """Returns codes and factors of random observations, drawn in batches of some sizes.

    A later call with the same sizes and state of random_state on a data set without rows neither
    draws nor encodes, and leaves random_state as drawing would have.

    Returns:
      `[sum(sizes), num_latent]` and `[sum(sizes), num_factors]`.

    Raises:
      ConfigError: See `encode`.
    """
    key = (*sizes, _key_of(random_state))
    if key in self._sampled:
      codes, factors, end_state = self._sampled[key]
      random_state.set_state(end_state)
      return codes.copy(), factors.copy()
    drawn = self.drawn()
    factors = np.concatenate([drawn.sample(size, random_state) for size in sizes])
    codes = drawn.codes()
    if not isinstance(self.data, ground_truth.RowData):
      self._sampled[key] = (codes.copy(), factors.copy(), random_state.get_state())
    return codes, factors

  def drawn(self) -> "Drawn":
    """Returns a sample of observations that has none yet."""
    return Drawn(self)


class Drawn:
  """Observations that are drawn batch after batch, with the draws of the data set, and encoded.

  If the data set has rows, rows are drawn instead of images, and encoded at the end. Otherwise
  observations are encoded in chunks of whole batches.
  """

  def __init__(self, codes: Codes):
    """Starts without any observation.

    Args:
      codes: Codes of the data set to draw from.
    """
    self._all = codes
    self._waiting: list[np.ndarray] = []  # All rows, or the observations not encoded yet.
    self._codes: list[np.ndarray] = []

  def sample(self, num: int, random_state: np.random.RandomState) -> np.ndarray:
    """Draws random observations and returns their factors, `[num, num_factors]`."""
    data = self._all.data
    if isinstance(data, ground_truth.RowData):
      factors, rows = data.sample_rows(num, random_state)
      self._waiting.append(rows)
    else:
      factors, observations = data.sample(num, random_state)
      self._add(observations)
    return factors

  def draw(self, factors: np.ndarray, random_state: np.random.RandomState) -> None:
    """Draws an observation of each row of factors, `[num, num_factors]`."""
    data = self._all.data
    if isinstance(data, ground_truth.RowData):
      self._waiting.append(data.sample_rows_from_factors(factors, random_state))
    else:
      self._add(data.sample_observations_from_factors(factors, random_state))

  def _add(self, observations: np.ndarray) -> None:
    self._waiting.append(observations)
    if sum(map(len, self._waiting)) >= ENCODE_CHUNK:
      self._encode_waiting()

  def _encode_waiting(self) -> None:
    self._codes.append(encode(self._all.represent, np.concatenate(self._waiting)))
    self._waiting = []

  def codes(self) -> np.ndarray:
    """Returns the codes of all observations in the order they were drawn, `[num, num_latent]`."""
    if isinstance(self._all.data, ground_truth.RowData):
      return self._all.of_rows(np.concatenate(self._waiting))
    if self._waiting:
      self._encode_waiting()
    return np.concatenate(self._codes)


def once_per_chunk(
  encode_chunk: Callable[[np.ndarray], dict[str, np.ndarray]],
) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
  """Returns a function that encodes the same chunk of observations, drawn by two metrics, once."""
  known: dict[tuple, dict[str, np.ndarray]] = {}

  def encode_once(images: np.ndarray) -> dict[str, np.ndarray]:
    key = (images.shape, hashlib.blake2b(np.ascontiguousarray(images)).digest())
    if key not in known:
      if len(known) == _MAX_REMEMBERED:
        known.clear()
      known[key] = encode_chunk(images)
      for values in known[key].values():
        values.flags.writeable = False
    return known[key]

  return encode_once


def _key_of(random_state: np.random.RandomState) -> tuple:
  name, keys, *rest = random_state.get_state()
  return (name, keys.tobytes(), *rest)
