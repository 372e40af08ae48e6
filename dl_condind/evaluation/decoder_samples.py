"""What a decoder does at the posterior means of sampled observations, in NumPy arrays."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from dl_condind.data.ground_truth import ground_truth_data as ground_truth
from dl_condind.evaluation import checks
from dl_condind.evaluation import posterior_samples
from dl_condind.evaluation import representation

_CHUNK = 20  # points; the decoder runs once for each of their latents


class Points(NamedTuple):
  """Posterior means and what is known there.

  Attributes:
    z_mean: `[num_points, num_latent]`.
    covariance: Of q(z|x), `[num_points, num_latent, num_latent]`.
    grams: Fisher information of the decoder, `[num_points, num_latent, num_latent]`, float64.
  """

  z_mean: np.ndarray
  covariance: np.ndarray
  grams: np.ndarray


def sample(
  ground_truth_data: ground_truth.GroundTruthData,
  representation_function: Callable,
  num_points: int,
  random_state: np.random.RandomState,
  metric: str,
) -> Points:
  """Samples observations and returns the Fisher information of the decoder at their means.

  Args:
    ground_truth_data: Data set to sample from.
    representation_function: `Representation` with a `gaussian_encoder` and a `fisher_gram`.
    num_points: Number of observations.
    random_state: State that every draw comes from.
    metric: Name of the metric, for errors.

  Raises:
    ConfigError: If the representation lacks a function or a number is not finite.
  """
  gaussian_encoder, fisher_gram = (
    representation.model_function(representation_function, name, metric)
    for name in ("gaussian_encoder", "fisher_gram")
  )
  z_mean, _, scale_tril = posterior_samples.sample_posteriors(
    ground_truth_data, gaussian_encoder, num_points, random_state
  )
  chunks = [fisher_gram(z_mean[i : i + _CHUNK]) for i in range(0, num_points, _CHUNK)]
  grams = np.concatenate(chunks).astype(np.float64)
  checks.check_finite("The decoder's Fisher information", grams)
  return Points(z_mean, scale_tril @ np.swapaxes(scale_tril, 1, 2), grams)
