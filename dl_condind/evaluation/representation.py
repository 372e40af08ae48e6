"""What a metric sees of a model: arrays sampled once, encoded once and handed on.

`Representation` wraps the functions of a stored model, whatever made them; TensorFlow is not needed
here. `generate_batch_factor_code` draws the points of the metrics that compare representations with
factors, `sample_observation_chunks` and `sample_posteriors` those of the metrics that need the
model's own posterior.
"""

from collections.abc import Callable
from collections.abc import Iterator
import numbers
from typing import Any

import numpy as np

from dl_condind.data.ground_truth import ground_truth_data as ground_truth
from dl_condind.utils import errors

ENCODE_CHUNK = 1000  # observations; large enough to be fast, small enough for any memory


class Representation:
  """A representation function together with what its model can tell about an observation.

  Called on observations `[batch, ...]` it returns representations `[batch, num_latent]`. It
  remembers the points that `generate_batch_factor_code` drew and encoded with it, so metrics that
  use the same points share them. Every function takes and returns NumPy arrays.

  Attributes:
    gaussian_encoder: Observations -> `{"mean": [batch, num_latent], "logvar": [batch, num_latent],
      "scale_tril": [batch, num_latent, num_latent]}` of q(z|x), or None.
    elbo_terms: Observations -> `{"reconstruction_loss", "kl_loss", "kl_loss_full"}`, each
      `[batch]`, in nats, or None.
  """

  def __init__(
    self,
    representation_fn: Callable[[np.ndarray], np.ndarray],
    gaussian_encoder: Callable[[np.ndarray], dict[str, np.ndarray]] | None = None,
    elbo_terms: Callable[[np.ndarray], dict[str, np.ndarray]] | None = None,
  ):
    self.gaussian_encoder = gaussian_encoder
    self.elbo_terms = elbo_terms
    self._representation_fn = representation_fn
    self._sampled = {}

  def __call__(self, observations: np.ndarray) -> np.ndarray:
    """Returns the representations of observations, `[batch, num_latent]`."""
    return self._representation_fn(observations)

  def recall(self, key: tuple) -> tuple | None:
    """Returns what was remembered under key, or None."""
    return self._sampled.get(key)

  def remember(self, key: tuple, value: tuple) -> None:
    """Stores value under key for as long as this object lives."""
    self._sampled[key] = value


def check_count(name: str, value: Any, minimum: int) -> None:
  """Checks that a setting is a whole number of at least minimum.

  Raises:
    ConfigError: If it is not.
  """
  whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
  if not whole or value < minimum:
    raise errors.ConfigError(f"{name} must be a whole number of at least {minimum}, got {value!r}.")


def model_function(representation_function: Callable, name: str, metric: str) -> Callable:
  """Returns the model's own function of this name, such as `gaussian_encoder`.

  Raises:
    ConfigError: If the representation does not have it, with the metric that needs it.
  """
  function = getattr(representation_function, name, None)
  if function is None:
    raise errors.ConfigError(
      f"{metric} needs the model's {name}, which this representation function does not have: "
      "evaluate the stored representation of a VAE, or leave this metric out."
    )
  return function


def encode(representation_function: Callable, observations: np.ndarray) -> np.ndarray:
  """Returns the representations of any number of observations, encoded in chunks.

  Args:
    representation_function: Observations -> representations.
    observations: `[num_points, ...]`.

  Returns:
    `[num_points, num_latent]`, in the floating point type the function returns.

  Raises:
    ConfigError: If the function returns another shape or a value that is not finite.
  """
  return np.concatenate(
    [
      _encode_chunk(representation_function, observations[start : start + ENCODE_CHUNK])
      for start in range(0, len(observations), ENCODE_CHUNK)
    ]
  )


def _encode_chunk(representation_function: Callable, observations: np.ndarray) -> np.ndarray:
  representations = np.asarray(representation_function(observations))
  if representations.ndim != 2 or len(representations) != len(observations):
    raise errors.ConfigError(
      f"The representation function returned shape {representations.shape} for "
      f"{len(observations)} observations: it must return [{len(observations)}, num_latent]."
    )
  check_finite("The representation", representations)
  return representations


def check_finite(what: str, values: np.ndarray) -> None:
  """Checks that every number is finite.

  Raises:
    ConfigError: If one is not.
  """
  num_bad = values.size - np.count_nonzero(np.isfinite(values))
  if num_bad:
    raise errors.ConfigError(
      f"{what} has {num_bad} of {values.size} values that are not finite: the model has diverged "
      "or its input is not what it was trained on; train it again or choose another run."
    )


def generate_batch_factor_code(
  ground_truth_data: ground_truth.GroundTruthData,
  representation_function: Callable,
  num_points: int,
  random_state: np.random.RandomState,
  batch_size: int,
  needs_factors: bool = True,
) -> tuple[np.ndarray, np.ndarray]:
  """Samples observations and returns their representations with their factors.

  The points are drawn in batches of batch_size, the last one smaller, as disentanglement_lib draws
  them: the same random state gives the same points. Encoding goes in larger chunks. The arrays are
  its arrays transposed.

  A `Representation` remembers the result. A later call with the same data set object, state of
  random_state, num_points and batch_size neither samples nor encodes, and leaves random_state as
  sampling would have.

  Args:
    ground_truth_data: Data set to sample from.
    representation_function: Observations -> representations.
    num_points: Number of points.
    random_state: State that every draw comes from.
    batch_size: Number of points of one draw.
    needs_factors: Whether a data set without factors is an error.

  Returns:
    Representations, `[num_points, num_latent]`, in the floating point type of the representation
    function (bin edges depend on it), and factors, int64 or, if a factor of the data set is
    continuous, float64 `[num_points, num_factors]`.

  Raises:
    ConfigError: If a count is not positive, a representation is misshapen or not finite, or there
      are no factors.
  """
  if needs_factors and ground_truth_data.num_factors == 0:
    raise errors.ConfigError(
      f"{ground_truth_data.name} has no factors: add factors to the data set, or leave out the "
      "metrics that compare representations with them."
    )
  check_count("The number of points to evaluate on", num_points, 1)
  check_count("batch_size", batch_size, 1)
  shared = isinstance(representation_function, Representation)
  if shared:
    key = (id(ground_truth_data), num_points, batch_size, _state_key(random_state))
    known = representation_function.recall(key)
    if known is not None:
      _, representations, factors, end_state = known
      random_state.set_state(end_state)
      return representations.copy(), factors.copy()
  sizes = [min(batch_size, num_points - start) for start in range(0, num_points, batch_size)]
  if isinstance(ground_truth_data, ground_truth.TableData):
    sample = _sample_table
  else:
    sample = _sample_batches
  representations, factors = sample(ground_truth_data, representation_function, sizes, random_state)
  factors = np.concatenate(factors)
  is_continuous = np.issubdtype(factors.dtype, np.floating)
  factors = factors.astype(np.float64 if is_continuous else np.int64)
  if shared:
    # The data set is kept, so that no other can take over its id.
    value = (ground_truth_data, representations.copy(), factors.copy(), random_state.get_state())
    representation_function.remember(key, value)
  return representations, factors


def generate_splits(
  ground_truth_data: ground_truth.GroundTruthData,
  representation_function: Callable,
  num_train: int,
  num_test: int,
  random_state: np.random.RandomState,
  batch_size: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
  """Returns representations and factors of points to fit and, drawn after those, to test on.

  Arguments, shapes and errors as `generate_batch_factor_code`.
  """
  draws = (ground_truth_data, representation_function)
  train = generate_batch_factor_code(*draws, num_train, random_state, batch_size)
  test = generate_batch_factor_code(*draws, num_test, random_state, batch_size)
  return *train, *test


def _state_key(random_state: np.random.RandomState) -> tuple:
  name, keys, *rest = random_state.get_state()
  return (name, keys.tobytes(), *rest)


def _sample_table(data, representation_function, sizes, random_state):
  """Samples rows first, so that only one chunk of observations exists at a time."""
  factors, rows = zip(*(data.sample_rows(size, random_state) for size in sizes), strict=True)
  rows = np.concatenate(rows)
  representations = [
    encode(representation_function, data.observations_from_rows(rows[start : start + ENCODE_CHUNK]))
    for start in range(0, len(rows), ENCODE_CHUNK)
  ]
  return np.concatenate(representations), factors


def _sample_batches(data, representation_function, sizes, random_state):
  """Samples batch by batch and encodes whenever a chunk is full."""
  factors, representations, waiting, num_waiting = [], [], [], 0
  for size in sizes:
    batch_factors, observations = data.sample(size, random_state)
    factors.append(batch_factors)
    waiting.append(observations)
    num_waiting += size
    if num_waiting >= ENCODE_CHUNK:
      representations.append(encode(representation_function, np.concatenate(waiting)))
      waiting, num_waiting = [], 0
  if waiting:
    representations.append(encode(representation_function, np.concatenate(waiting)))
  return np.concatenate(representations), factors


def sample_observation_chunks(
  ground_truth_data: ground_truth.GroundTruthData,
  num_points: int,
  random_state: np.random.RandomState,
) -> Iterator[np.ndarray]:
  """Yields num_points sampled observations in chunks of at most `ENCODE_CHUNK`."""
  for start in range(0, num_points, ENCODE_CHUNK):
    size = min(ENCODE_CHUNK, num_points - start)
    yield ground_truth_data.sample_observations(size, random_state)


def sample_posteriors(
  ground_truth_data: ground_truth.GroundTruthData,
  gaussian_encoder: Callable[[np.ndarray], dict[str, np.ndarray]],
  num_points: int,
  random_state: np.random.RandomState,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Samples observations and returns their Gaussian posteriors q(z|x) in float64.

  Returns:
    Means `[num_points, num_latent]`, standard deviations of each latent, of the same shape, and
    lower triangular scales `[num_points, num_latent, num_latent]`.

  Raises:
    ConfigError: If a number is not finite or a standard deviation is 0.
  """
  posteriors = [
    gaussian_encoder(observations)
    for observations in sample_observation_chunks(ground_truth_data, num_points, random_state)
  ]
  mean, logvar, scale_tril = (
    np.concatenate([posterior[name] for posterior in posteriors]).astype(np.float64)
    for name in ("mean", "logvar", "scale_tril")
  )
  for name, values in (("mean", mean), ("logvar", logvar), ("scale_tril", scale_tril)):
    check_finite(f"The posterior's {name}", values)
  stddev = np.exp(0.5 * logvar)
  if not (stddev.all() and np.diagonal(scale_tril, axis1=1, axis2=2).all()):
    raise errors.ConfigError(
      "The posterior has a standard deviation of 0, so q(z|x) has no density: the model has "
      "diverged; train it again or choose another run."
    )
  return mean, stddev, scale_tril
