"""Estimates of log q(z) and of every log q(z_j), where q(z) is the aggregate posterior.

From them follow the total correlation `E[log q(z) - sum_j log q(z_j)]` and the mutual information
`E[log q(z|x) - log q(z)]`. All of the posteriors given are taken for the data set, and every
estimate is `[1 + num_latent, num_points]` in nats: q(z) first, then the latents.
"""

import numpy as np
from scipy import stats

from dl_condind.evaluation.densities import mixtures
from dl_condind.utils import errors


def joint_and_latents(num_latent: int) -> list[tuple[int, ...]]:
  """Returns the subsets that estimates are of: all latents, then each by itself."""
  return [tuple(range(num_latent)), *((j,) for j in range(num_latent))]


def of_all_data(
  z: np.ndarray,
  own: np.ndarray,
  mean: np.ndarray,
  stddev: np.ndarray,
  scale_tril: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
  """Returns the mixture of all posteriors and that of all but the one each point was drawn from.

  The first is exact if the posteriors are those of all there is. If they are a sample, it is biased
  upwards at points drawn from them and the second one downwards (the logarithm of an unbiased
  estimate). So is every log q(z_j): the total correlation, a difference of such terms, can be
  biased in either direction, upwards for the first one where latents depend little on each other.

  Args:
    z: `[num_points, num_latent]`.
    own: Index of the posterior that each point was drawn from, `[num_points]`.
    mean: `[num_posteriors, num_latent]`.
    stddev: `[num_posteriors, num_latent]`.
    scale_tril: `[num_posteriors, num_latent, num_latent]`, or None for the factorized density.

  Returns:
    `all_data` and `leave_one_out`.
  """
  subsets = joint_and_latents(z.shape[1])
  others = mixtures.log_mixture_density(z, mean, stddev, scale_tril, subsets, leave_out=own)
  scales = None if scale_tril is None else scale_tril[own]
  itself = mixtures.log_posterior_density(z, mean[own], stddev[own], scales, subsets)
  num_others = len(mean) - 1
  # Adding the posterior itself to the others saves a second pass over all of them.
  both = np.logaddexp(others + np.log(num_others), itself) - np.log(len(mean))
  return {"all_data": both, "leave_one_out": others}


def of_minibatch(
  z: np.ndarray,
  own: np.ndarray,
  num_observations: int,
  mean: np.ndarray,
  stddev: np.ndarray,
  scale_tril: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
  """Returns three estimates from the posteriors of a minibatch alone.

  Each is the logarithm of a weighted sum of the posteriors' densities; see `minibatch_weights`.

  Args:
    z: Points, each drawn from a posterior of the minibatch, `[num_points, num_latent]`.
    own: Index in the minibatch of the posterior that each point was drawn from, `[num_points]`.
    num_observations: Size of the data set that the minibatch was drawn from.
    mean: Of the minibatch, `[batch, num_latent]`.
    stddev: `[batch, num_latent]`.
    scale_tril: `[batch, num_latent, num_latent]`, or None for the factorized density.

  Returns:
    Estimates by the names of `minibatch_weights`.
  """
  pairs = mixtures.pairwise_log_density(
    z, mean, stddev, scale_tril, joint_and_latents(z.shape[1])
  )  # [1 + num_latent, num_points, batch]
  largest = np.max(pairs, axis=2)
  ratios = np.exp(pairs - largest[:, :, None])
  return {
    name: np.log(np.einsum("spb,pb->sp", ratios, weights[own])) + largest
    for name, weights in minibatch_weights(len(mean), num_observations).items()
  }


def minibatch_weights(batch_size: int, num_observations: int) -> dict[str, np.ndarray]:
  """Returns the weights of the posteriors of a minibatch at a point drawn from one of them.

  - `minibatch`: 1 / batch_size, Appendix D of Yang et al. (2020), arXiv:1911.10922.
  - `minibatch_weighted`: 1 / (num_observations * batch_size), Eq. 6 of Chen et al. (2018),
    arXiv:1802.04942. They do not sum to one: on average the estimate is below q(z).
  - `minibatch_stratified`: appendix C.2 of Chen et al. (2018). The minibatch is the posterior that
    the point was drawn from and M = batch_size - 1 others, drawn without replacement. The first has
    weight 1 / N, where N is num_observations, one of the others (N - M) / (N * M) and each of the
    rest 1 / M. Those of the others sum to (N - 1) / N and each other observation is as likely as
    the next, so the expectation over minibatches is q(z). (The logarithm of it is below log q(z).)

  Args:
    batch_size: Size of the minibatch, from 2 to num_observations.
    num_observations: Size of the data set.

  Returns:
    By name `[batch_size, batch_size]`: row i for points drawn from posterior i.

  Raises:
    ConfigError: If batch_size is out of range.
  """
  if not 2 <= batch_size <= num_observations:
    raise errors.ConfigError(
      f"The minibatch size must be from 2 to {num_observations}, the number of posteriors it is "
      f"drawn from, got {batch_size}."
    )
  equal = np.full((batch_size, batch_size), 1 / batch_size)
  num_others = batch_size - 1
  stratified = np.full_like(equal, 1 / num_others)
  rows = np.arange(batch_size)
  stratified[rows, rows] = 1 / num_observations
  # Whichever other one it is, it was drawn like the rest.
  stratified[rows, (rows + 1) % batch_size] = (num_observations - num_others) / (
    num_observations * num_others
  )
  return {
    "minibatch": equal,
    "minibatch_weighted": equal / num_observations,
    "minibatch_stratified": stratified,
  }


def of_gaussian(z: np.ndarray) -> np.ndarray | None:
  """Returns the log densities of the Gaussian with the mean and covariance of z, at z.

  Their average is minus the Gaussian's entropies: of its total correlation only the correlations of
  z are left, and q(z) has at most the Gaussian's entropy, so the mutual information is an upper
  bound.

  Args:
    z: `[num_points, num_latent]`.

  Returns:
    `[1 + num_latent, num_points]`, or None if the covariance of z is singular in double precision,
    as with too few points for so many latents.
  """
  center, scale = np.mean(z, axis=0), np.std(z, axis=0)
  standardized = (z - center) / scale  # Latents of very different scales are no singular matrix.
  correlation = standardized.T @ standardized / len(z)
  variances, axes = np.linalg.eigh(correlation)
  if variances[0] <= len(variances) * np.finfo(np.float64).eps * variances[-1]:
    return None
  squares = np.sum((standardized @ axes) ** 2 / variances, axis=1)
  joint = -0.5 * (squares + np.sum(np.log(2 * np.pi * variances))) - np.sum(np.log(scale))
  latents = stats.norm(center, scale).logpdf(z)
  return np.concatenate([joint.reshape(1, -1), latents.T])
