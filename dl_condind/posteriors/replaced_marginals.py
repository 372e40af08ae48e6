"""Posteriors whose marginals are replaced while the correlation of their noise stays.

Of q(z|x) = N(m, S), replaced means m' and standard deviations s' of the latents give
N(m', T S T) with T = diag(s' / s): covariance D' R D', where R is the correlation of q(z|x) and
D' = diag(s'). So every family can be given marginals, whether or not it has that covariance itself.
"""

from typing import NamedTuple

import tensorflow as tf

from dl_condind.posteriors import gaussian_formulas
from dl_condind.posteriors import posterior as posterior_family


class Marginals(NamedTuple):
  """Normal distributions of single latents.

  Attributes:
    mean: [batch, num_latent].
    logvar: Their log variances, [batch, num_latent].
  """

  mean: tf.Tensor
  logvar: tf.Tensor


def marginals(
  posterior: posterior_family.Posterior, encoded: posterior_family.Encoded
) -> Marginals:
  """Returns the marginals of posteriors of a family."""
  z_mean, *parameters = encoded
  return Marginals(z_mean, posterior.marginal_logvar(*parameters))


def sample(
  posterior: posterior_family.Posterior,
  encoded: posterior_family.Encoded,
  own: Marginals,
  replaced: Marginals,
  seed: tf.Tensor,
) -> tf.Tensor:
  """Draws one z of each posterior with replaced marginals, [batch, num_latent].

  Args:
    posterior: The family.
    encoded: Parameters of the posteriors.
    own: Their marginals.
    replaced: Their new marginals.
    seed: Two integers that determine the draw.
  """
  noise = posterior.sample(tf.zeros_like(encoded.z_mean), *encoded[1:], seed=seed)
  return replaced.mean + tf.exp(0.5 * (replaced.logvar - own.logvar)) * noise


def kl_loss(
  posterior: posterior_family.Posterior, encoded: posterior_family.Encoded, replaced: Marginals
) -> tf.Tensor:
  """Returns the KL to N(0, I) of posteriors with replaced marginals, [batch], nats.

  It is the KL that `posterior.kl_loss` is. The full one is that of the product of the marginals
  plus TC(z|x), which depends on the correlation alone, so that it stays.

  Args:
    posterior: The family.
    encoded: Parameters of the posteriors.
    replaced: Their new marginals.
  """
  of_marginals = gaussian_formulas.factorized_kl(*replaced)
  if posterior.kl_kind == "factorized":
    return of_marginals
  return of_marginals + posterior.conditional_total_correlation(*encoded[1:])
