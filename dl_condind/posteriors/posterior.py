"""The interface of the families of q(z|x).

A family maps what the encoder emits for an image to a Gaussian q(z|x) = N(z_mean, L L^T). It
defines L, `scale_tril`; all that an objective or an export needs follows from it. A family whose
terms have a cheaper closed form overrides them.
"""

import abc
from typing import NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from dl_condind.posteriors import gaussian_formulas


class Encoded(NamedTuple):
  """What an encoder emits for a batch of images.

  Attributes:
    z_mean: Means of q(z|x), [batch, num_latent].
    z_logvar: Log variances, [batch, num_latent]: of the latents, unless the family says otherwise.
    extra: What else the family needs, [batch, num_extra], or None if it needs nothing.
  """

  z_mean: tf.Tensor
  z_logvar: tf.Tensor
  extra: tf.Tensor | None = None


class Posterior(abc.ABC):
  """A family of Gaussian posteriors q(z|x).

  Its objects hold settings only: one serves any number of latents and any number of models. In the
  arguments of all methods, `z_logvar` and `extra` are as in `Encoded`.

  Attributes:
    kl_kind: Which KL `kl_loss` is: "full", that of the distribution z is drawn from, or
      "factorized", that of the product of its marginals.
    shares_extra: Whether `extra` is the same for all images: trained weights of their own instead
      of an output of the encoder.
  """

  kl_kind = "full"
  shares_extra = False

  def __repr__(self) -> str:
    return f"{type(self).__name__}()"

  def check(self, num_latent: int) -> None:  # noqa: B027 (Most families allow any number.)
    """Checks that the family exists for a number of latents.

    Raises:
      ConfigError: If it does not. It is a ValueError.
    """

  def num_extra(self, num_latent: int) -> int:
    """Returns how many numbers per image the family needs beyond z_mean and z_logvar."""
    del num_latent
    return 0

  def initial_extra(self, num_latent: int) -> np.ndarray:
    """Returns the value of `extra` before the training, the same for all images, [num_extra]."""
    return np.zeros(self.num_extra(num_latent))

  def summaries(
    self, z_logvar: tf.Tensor, extra: tf.Tensor | None = None
  ) -> dict[str, tf.Tensor | float]:
    """Returns the scalars of the posterior that training logs, by name."""
    return {
      "conditional_total_correlation": tf.reduce_mean(
        self.conditional_total_correlation(z_logvar, extra)
      )
    }

  @abc.abstractmethod
  def scale_tril(self, z_logvar: tf.Tensor, extra: tf.Tensor | None = None) -> tf.Tensor:
    """Returns L, the Cholesky factors of the covariances, [batch, num_latent, num_latent]."""

  def marginal_logvar(self, z_logvar: tf.Tensor, extra: tf.Tensor | None = None) -> tf.Tensor:
    """Returns the log variance of each latent of q(z|x), [batch, num_latent]."""
    # Var(z_l | x) = sum_k L_lk^2
    return tf.math.log(tf.reduce_sum(tf.square(self.scale_tril(z_logvar, extra)), axis=-1))

  def distribution(
    self, z_mean: tf.Tensor, z_logvar: tf.Tensor, extra: tf.Tensor | None = None
  ) -> tfp.distributions.MultivariateNormalTriL:
    """Returns q(z|x) as a TensorFlow Probability distribution over [batch, num_latent]."""
    return tfp.distributions.MultivariateNormalTriL(
      loc=z_mean, scale_tril=self.scale_tril(z_logvar, extra)
    )

  def sample(
    self,
    z_mean: tf.Tensor,
    z_logvar: tf.Tensor,
    extra: tf.Tensor | None = None,
    *,
    seed: tf.Tensor,
  ) -> tf.Tensor:
    """Draws one z of q(z|x) for each image, [batch, num_latent].

    Args:
      z_mean: As in `Encoded`.
      z_logvar: As in `Encoded`.
      extra: As in `Encoded`.
      seed: Two integers that determine the draw.
    """
    return self.distribution(z_mean, z_logvar, extra).sample(seed=seed)

  def kl(self, z_mean: tf.Tensor, z_logvar: tf.Tensor, extra: tf.Tensor | None = None) -> tf.Tensor:
    """Returns KL(q(z|x) || N(0, I)) of the distribution z is drawn from, [batch], nats.

    This is the general formula. Families of a fixed correlation, the default among them, override
    it with `gaussian_formulas.factorized_kl` and a constant.
    """
    # 0.5 * (tr(L L^T) + z_mean^T z_mean - num_latent) - log det L
    scale_tril = self.scale_tril(z_logvar, extra)
    squares = tf.reduce_sum(tf.square(scale_tril), axis=[-2, -1])
    squares += tf.reduce_sum(tf.square(z_mean) - 1, axis=-1)
    return 0.5 * squares - _log_determinant(scale_tril)

  def kl_loss(
    self, z_mean: tf.Tensor, z_logvar: tf.Tensor, extra: tf.Tensor | None = None
  ) -> tf.Tensor:
    """Returns the KL that objectives minimize, [batch], nats."""
    return self.kl(z_mean, z_logvar, extra)

  def kl_missing_in_loss(
    self, z_logvar: tf.Tensor, extra: tf.Tensor | None = None
  ) -> tf.Tensor | float:
    """Returns `kl - kl_loss`, nats: a scalar, if it is the same for every image, or [batch]."""
    del z_logvar, extra
    return 0.0

  def conditional_total_correlation(
    self, z_logvar: tf.Tensor, extra: tf.Tensor | None = None
  ) -> tf.Tensor | float:
    """Returns TC(z|x), nats: a scalar, if it is the same for every image, or [batch]."""
    # TC(z|x) = sum_l H(z_l|x) - H(z|x) = sum_l 0.5 * logvar_l - log det L
    log_stddev = 0.5 * self.marginal_logvar(z_logvar, extra)
    return tf.reduce_sum(log_stddev, axis=-1) - _log_determinant(self.scale_tril(z_logvar, extra))

  def log_density(
    self,
    z: tf.Tensor,
    z_mean: tf.Tensor,
    z_logvar: tf.Tensor,
    extra: tf.Tensor | None = None,
    density: str = "full",
  ) -> tf.Tensor:
    """Returns log q(z|x), nats, over the broadcast of z and z_mean.

    Args:
      z: Points, [..., num_latent]; [num, 1, num_latent] to have each point under each posterior.
      z_mean: As in `Encoded`.
      z_logvar: As in `Encoded`.
      extra: As in `Encoded`.
      density: "full": the density z is drawn from. "factorized": the product of its marginals, as
        in the paper's Appendix D and in disentanglement_lib.
    """
    if density == "factorized":
      logvar = self.marginal_logvar(z_logvar, extra)
      return tf.reduce_sum(gaussian_formulas.log_density(z, z_mean, logvar), axis=-1)
    return self.full_log_density(z, z_mean, z_logvar, extra)

  def full_log_density(
    self, z: tf.Tensor, z_mean: tf.Tensor, z_logvar: tf.Tensor, extra: tf.Tensor | None = None
  ) -> tf.Tensor:
    """Returns the log of the density z is drawn from; arguments as `log_density`."""
    # log N(z; z_mean, L L^T) = sum_l log N(white_l; 0, 1) - log det L, white = L^-1 (z - z_mean)
    scale_tril = self.scale_tril(z_logvar, extra)  # [batch, num_latent, num_latent]
    identity = tf.eye(scale_tril.shape[-1], batch_shape=tf.shape(scale_tril)[:-2], dtype=z.dtype)
    white = tf.linalg.matvec(tf.linalg.triangular_solve(scale_tril, identity), z - z_mean)
    log_normal = -0.5 * (tf.square(white) + np.log(2 * np.pi))
    return tf.reduce_sum(log_normal, axis=-1) - _log_determinant(scale_tril)


def _log_determinant(scale_tril: tf.Tensor) -> tf.Tensor:
  return tf.reduce_sum(tf.math.log(tf.linalg.diag_part(scale_tril)), axis=-1)
