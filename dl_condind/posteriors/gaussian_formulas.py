"""Formulas of Gaussian posteriors that no family changes."""

import numpy as np
import tensorflow as tf

from dl_condind.utils import errors

DENSITIES = ("factorized", "full")


def log_density(z: tf.Tensor, z_mean: tf.Tensor, z_logvar: tf.Tensor) -> tf.Tensor:
  """Returns log N(z; z_mean, exp(z_logvar)) element by element, nats."""
  return -0.5 * (tf.square(z - z_mean) * tf.exp(-z_logvar) + z_logvar + np.log(2 * np.pi))


def factorized_kl(z_mean: tf.Tensor, z_logvar: tf.Tensor) -> tf.Tensor:
  """Returns KL(N(z_mean, diag(exp(z_logvar))) || N(0, I)), [batch], nats.

  This is the KL term of the paper and of disentanglement_lib whatever the noise correlation is.
  """
  return 0.5 * tf.reduce_sum(tf.square(z_mean) + tf.exp(z_logvar) - z_logvar - 1, axis=1)


def add_noise(z_mean: tf.Tensor, scale_tril: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
  """Samples z = z_mean + L noise from each stored posterior.

  Args:
    z_mean: [batch, num_latent].
    scale_tril: L, [batch, num_latent, num_latent].
    noise: Standard normal and independent, [batch, num_latent].

  Returns:
    [batch, num_latent].
  """
  return z_mean + tf.linalg.matvec(scale_tril, noise)


def check_density(density: str, name: str) -> None:
  """Checks the name of a density.

  Raises:
    ConfigError: If it is not one of DENSITIES.
  """
  if density not in DENSITIES:
    raise errors.ConfigError(f'{name} must be "factorized" or "full", got {density!r}.')
