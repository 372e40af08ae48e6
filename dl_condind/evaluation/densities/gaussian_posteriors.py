"""Gaussian posteriors q(z|x) as arrays: checked, sampled, and made independent of each other.

`mean` and `stddev` are `[num_posteriors, num_latent]`, the standard deviations those of each latent
alone, and `scale_tril` is the lower triangular root of the covariance,
`[num_posteriors, num_latent, num_latent]`.
"""

import numpy as np

from dl_condind.evaluation import checks
from dl_condind.utils import errors


def check_posteriors(
  mean: np.ndarray,
  stddev: np.ndarray,
  scale_tril: np.ndarray | None = None,
  whose: str = "The posterior's",
) -> None:
  """Checks that arrays describe Gaussians that have a density.

  Args:
    mean: `[num_posteriors, num_latent]`.
    stddev: `[num_posteriors, num_latent]`.
    scale_tril: `[num_posteriors, num_latent, num_latent]`, or None for independent noise.
    whose: What messages begin with.

  Raises:
    ConfigError: If shapes disagree, a number is not finite, a standard deviation or an entry on the
      diagonal of scale_tril is not positive or one above it is not 0.
  """
  shape = np.shape(mean)
  of_scale_tril = None if scale_tril is None else np.shape(scale_tril)
  if (
    len(shape) != 2 or np.shape(stddev) != shape or of_scale_tril not in (None, (*shape, shape[-1]))
  ):
    raise errors.ConfigError(
      f"{whose} mean and stddev must be [num_posteriors, num_latent] and scale_tril "
      f"[num_posteriors, num_latent, num_latent], got {shape}, {np.shape(stddev)}, {of_scale_tril}."
    )
  checks.check_finite(f"{whose} mean", mean)
  checks.check_finite(f"{whose} stddev", stddev)
  _check_positive(f"{whose} stddev", stddev)
  if scale_tril is not None:
    checks.check_finite(f"{whose} scale_tril", scale_tril)
    _check_positive(f"{whose} scale_tril's diagonal", np.diagonal(scale_tril, axis1=1, axis2=2))
    # Row by row: an index of all entries above the diagonal would copy them.
    if any(scale_tril[:, j, j + 1 :].any() for j in range(shape[1])):
      raise errors.ConfigError(
        f"{whose} scale_tril must be lower triangular, such as a Cholesky root of the covariance; "
        "it has entries other than 0 above its diagonal."
      )


def _check_positive(what, values):
  num_bad = np.count_nonzero(values <= 0)
  if num_bad:
    raise errors.ConfigError(
      f"{what} has {num_bad} of {values.size} values that are not positive, so q(z|x) has no "
      "density: the model has diverged; train it again or choose another run."
    )


def sample_mixture(
  mean: np.ndarray,
  scale_tril: np.ndarray,
  num_samples: int,
  random_state: np.random.RandomState,
) -> np.ndarray:
  """Returns num_samples draws of each posterior, those of one posterior together.

  Args:
    mean: `[num_posteriors, num_latent]`.
    scale_tril: `[num_posteriors, num_latent, num_latent]`.
    num_samples: Number of draws of each posterior.
    random_state: State that the noise comes from.

  Returns:
    `[num_posteriors * num_samples, num_latent]`.
  """
  num_posteriors, num_latent = mean.shape
  noise = random_state.standard_normal((num_posteriors, num_samples, num_latent))
  return place_noise(mean, scale_tril, noise)


def place_noise(mean: np.ndarray, scale_tril: np.ndarray, noise: np.ndarray) -> np.ndarray:
  """Returns z = mean + scale_tril noise, the draws of one posterior together.

  Args:
    mean: `[num_posteriors, num_latent]`.
    scale_tril: `[num_posteriors, num_latent, num_latent]`.
    noise: Standard normal, `[num_posteriors, num_samples, num_latent]`.

  Returns:
    `[num_posteriors * num_samples, num_latent]`.
  """
  z = mean[:, None, :] + noise @ np.swapaxes(scale_tril, 1, 2)
  return z.reshape(-1, mean.shape[1])


def shuffle_latents(
  mean: np.ndarray, stddev: np.ndarray, random_state: np.random.RandomState
) -> tuple[np.ndarray, np.ndarray]:
  """Shuffles each latent's (mean, stddev) pairs over the observations, independently.

  The result describes an encoder with the same marginals q(z_j) whose latents do not depend on each
  other: with independent noise, its true total correlation is 0.

  Args:
    mean: `[num_posteriors, num_latent]`.
    stddev: `[num_posteriors, num_latent]`.
    random_state: State that the permutations come from.
  """
  order = np.stack([random_state.permutation(len(mean)) for _ in range(mean.shape[1])], axis=1)
  return np.take_along_axis(mean, order, axis=0), np.take_along_axis(stddev, order, axis=0)


def rescale(scale_tril: np.ndarray, stddev: np.ndarray) -> np.ndarray:
  """Returns scales of noise with other standard deviations and the same correlations.

  Args:
    scale_tril: `[num_posteriors, num_latent, num_latent]`.
    stddev: `[num_posteriors, num_latent]`.

  Returns:
    `[num_posteriors, num_latent, num_latent]`.
  """
  # A row's length is the latent's standard deviation.
  return stddev[:, :, None] * scale_tril / np.linalg.norm(scale_tril, axis=2, keepdims=True)


def independent_scales(stddev: np.ndarray) -> np.ndarray:
  """Returns the scale_tril of independent noise, `[num_posteriors, num_latent, num_latent]`."""
  return stddev[:, :, None] * np.eye(stddev.shape[1])
