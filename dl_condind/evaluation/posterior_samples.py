"""Posteriors q(z|x) of sampled observations, or of all rows of a data set, in NumPy arrays."""

from collections.abc import Callable
from collections.abc import Iterator

import numpy as np

from dl_condind.data.ground_truth import ground_truth_data as ground_truth
from dl_condind.evaluation import checks
from dl_condind.evaluation import codes
from dl_condind.evaluation.densities import gaussian_posteriors
from dl_condind.utils import errors
from dl_condind.utils import progress_lines

CHUNK = codes.ENCODE_CHUNK  # observations
_MAX_BYTES = 2**32  # of the posteriors of a data set


def sample_observation_chunks(
  ground_truth_data: ground_truth.GroundTruthData,
  num_points: int,
  random_state: np.random.RandomState,
) -> Iterator[np.ndarray]:
  """Yields num_points sampled observations in chunks of at most `CHUNK`."""
  starts = range(0, num_points, CHUNK)
  what = f"Sampling and encoding {num_points:,} images, part"
  for start in progress_lines.each(starts, what, len(starts)):
    size = min(CHUNK, num_points - start)
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
    ConfigError: If shapes disagree, a number is not finite or a standard deviation is 0.
  """
  chunks = sample_observation_chunks(ground_truth_data, num_points, random_state)
  mean, stddev, scale_tril = _encode_posteriors(chunks, gaussian_encoder, num_points)
  return mean, stddev, scale_tril.astype(np.float64)


def row_posteriors(
  ground_truth_data: ground_truth.RowData,
  gaussian_encoder: Callable[[np.ndarray], dict[str, np.ndarray]],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Returns the Gaussian posterior q(z|x) of every row of a data set, in the order of rows.

  Returns:
    As `sample_posteriors`, but scales in the floating point type of the encoder: in float64 those
    of a large data set would not fit.

  Raises:
    ConfigError: If shapes disagree, a number is not finite, a standard deviation is 0 or they do
      not fit into memory.
  """
  num_rows = ground_truth_data.num_rows
  starts = range(0, num_rows, CHUNK)
  what = f"Encoding {num_rows:,} images, part"
  chunks = (
    ground_truth_data.observations_from_rows(np.arange(first, min(first + CHUNK, num_rows)))
    for first in progress_lines.each(starts, what, len(starts))
  )
  return _encode_posteriors(chunks, gaussian_encoder, num_rows)


def _encode_posteriors(chunks, gaussian_encoder, num_points):
  """Returns mean and stddev in float64 and scale_tril of all chunks of observations together."""
  stacked, start = None, 0
  for observations in chunks:
    posterior = _checked_posterior(gaussian_encoder(observations))
    if stacked is None:
      _check_size(num_points, posterior[2])
      stacked = [np.empty((num_points, *part.shape[1:]), part.dtype) for part in posterior]
    for whole, part in zip(stacked, posterior, strict=True):
      whole[start : start + len(part)] = part
    start += len(observations)
  return tuple(stacked)


def _check_size(num_points: int, scale_tril: np.ndarray) -> None:
  """Refuses posteriors that take more memory than most machines have."""
  num_bytes = num_points * scale_tril[0].nbytes
  if num_bytes > _MAX_BYTES:
    raise errors.ConfigError(
      f"The posteriors of {num_points:,} images with {scale_tril.shape[1]} latents take "
      f"{num_bytes / 1e9:.0f} GB: set num_posteriors to fewer, such as 10000."
    )


def _checked_posterior(posterior):
  mean, logvar = (np.asarray(posterior[name], dtype=np.float64) for name in ("mean", "logvar"))
  scale_tril = np.asarray(posterior["scale_tril"])
  checks.check_finite("The posterior's logvar", logvar)
  with np.errstate(over="ignore"):  # What overflows is refused below.
    stddev = np.exp(0.5 * logvar)
  gaussian_posteriors.check_posteriors(mean, stddev, scale_tril)
  return mean, stddev, scale_tril
