"""Learning from pairs of images that share some factors: the base of Ada-GVAE and Ada-ML-VAE.

Both images of a pair are encoded. Latents that the pair is taken to share get one posterior, an
average of the two; the others keep their own. Then each image is sampled and decoded by itself
(Locatello et al., 2020, arXiv:2002.02886, Section 4).
"""

import abc
from collections.abc import Sequence
import dataclasses
import inspect
from typing import ClassVar

import tensorflow as tf

from dl_condind.data import batches as batches_of_data
from dl_condind.methods import vae
from dl_condind.posteriors import replaced_marginals
from dl_condind.utils import errors

Marginals = replaced_marginals.Marginals


def divergences(first: Marginals, second: Marginals) -> tf.Tensor:
  """Returns 2 KL(q(z_j|first) || q(z_j|second)) of each latent, [batch, num_latent], nats.

  As in disentanglement_lib: in one direction, and without the factor 1/2 of the KL.
  """
  # delta_j = v1 / v2 + (m2 - m1)^2 / v2 - 1 + log v2 - log v1
  squares = tf.exp(first.logvar) + tf.square(second.mean - first.mean)
  return squares * tf.exp(-second.logvar) - 1 + second.logvar - first.logvar


def are_close(first: Marginals, second: Marginals) -> tf.Tensor:
  """Returns which latents a pair seems to share, [batch, num_latent], bool.

  These are the latents whose divergence is below the middle between the least and the largest of
  the pair (Equation 5 of Locatello et al., 2020).
  """
  delta = divergences(first, second)
  least, largest = (
    reduce(delta, axis=1, keepdims=True) for reduce in (tf.reduce_min, tf.reduce_max)
  )
  return delta < 0.5 * (least + largest)


def all_but(changed: tf.Tensor, num_latent: int) -> tf.Tensor:
  """Returns True for all latents but that of the factor that changed, [batch, num_latent].

  Args:
    changed: Index of a factor, which is that of its latent, [batch].
    num_latent: Number of latents.
  """
  return tf.not_equal(tf.range(num_latent), changed[:, None])


def average_parameters(first: Marginals, second: Marginals) -> Marginals:
  """Returns normal distributions of the mean of means and the mean of variances.

  The average of GVAE (Hosoya, 2019, arXiv:1809.02383).
  """
  variance = 0.5 * (tf.exp(first.logvar) + tf.exp(second.logvar))
  return Marginals(0.5 * (first.mean + second.mean), tf.math.log(variance))


def average_product(first: Marginals, second: Marginals) -> Marginals:
  """Returns normal distributions with the mean of the product of two densities.

  The average of ML-VAE (Bouchacourt et al., 2018, arXiv:1705.08841). As in disentanglement_lib, its
  variance is the harmonic mean of the two, twice that of the product: so two equal posteriors are
  their own average.
  """
  # 1 / v = (1 / v1 + 1 / v2) / 2, m = (m1 / v1 + m2 / v2) / 2 * v
  precisions = tf.exp(-first.logvar), tf.exp(-second.logvar)
  variance = 2 / (precisions[0] + precisions[1])
  mean = 0.5 * variance * (first.mean * precisions[0] + second.mean * precisions[1])
  return Marginals(mean, tf.math.log(variance))


@dataclasses.dataclass(eq=False)
class PairVAE(vae.BaseVAE):
  """Minimizes reconstruction loss + beta * KL of both images, whose shared latents are averaged.

  The noise of each image keeps the correlation that the family of its own posterior gives it:
  averages replace means and standard deviations of latents; see `replaced_marginals`.

  Attributes:
    beta: Weight of the KL.
  """

  learns_from = batches_of_data.Pairs

  WEIGHTS: ClassVar[Sequence[str]] = ("beta",)

  beta: float

  def __new__(cls, *args, **kwargs):
    """Refuses a base, which gin knows for the sake of its beta."""
    if inspect.isabstract(cls):
      models = sorted({heir.__name__ for heir in cls.__subclasses__()})
      raise errors.ConfigError(
        f"{cls.__name__} is only the base of models: choose one of {', '.join(models)}."
      )
    return super().__new__(cls, *args, **kwargs)

  @abc.abstractmethod
  def average(self, first: Marginals, second: Marginals) -> Marginals:
    """Returns the posterior of latents that two images share."""

  @abc.abstractmethod
  def shared(self, first: Marginals, second: Marginals, changed: tf.Tensor) -> tf.Tensor:
    """Returns which latents the images of each pair share, [batch, num_latent], bool.

    Args:
      first: Posteriors of the first images.
      second: Posteriors of the second images.
      changed: Index of a factor that changed, [batch].
    """

  def regularizer(self, kl_loss, z_mean, z_logvar, z_sampled):
    """Returns beta * kl_loss."""
    del z_mean, z_logvar, z_sampled
    return self.beta * kl_loss

  def replaced(self, both: Marginals, changed: tf.Tensor) -> Marginals:
    """Returns the marginals of the posteriors after averaging, [2 * batch, num_latent].

    Args:
      both: The marginals before, of all first images, then of all second ones.
      changed: Index of a factor that changed, [batch].
    """
    means, logvars = (tf.split(values, 2) for values in both)
    pair = Marginals(means[0], logvars[0]), Marginals(means[1], logvars[1])
    averaged = self.average(*pair)
    is_shared = tf.tile(self.shared(*pair, changed), [2, 1])
    # [2 * batch, num_latent]
    return Marginals(
      *(
        tf.where(is_shared, tf.tile(average, [2, 1]), own)
        for average, own in zip(averaged, both, strict=True)
      )
    )

  def vae_losses(
    self, batch: batches_of_data.Pair, seed: tf.Tensor
  ) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
    """Returns the losses, averaged over both images of all pairs, nats, and their z_sampled."""
    observations = tf.concat([batch.first, batch.second], axis=0)
    encoded = self.encode(observations)
    own = replaced_marginals.marginals(self.posterior, encoded)
    replaced = self.replaced(own, batch.changed)
    z_sampled = replaced_marginals.sample(self.posterior, encoded, own, replaced, seed)
    reconstruction_loss = tf.reduce_mean(self.image_loss(observations, self.decode(z_sampled)))
    kl_loss = tf.reduce_mean(replaced_marginals.kl_loss(self.posterior, encoded, replaced))
    regularizer = self.regularizer(kl_loss, *replaced, z_sampled)
    return self.scalars(encoded, reconstruction_loss, kl_loss, regularizer), z_sampled


class SharesCloseLatents:
  """For a `PairVAE`: a pair shares the latents whose posteriors are close to each other."""

  def shared(self, first, second, changed):
    """Returns which latents are closer than the middle of the pair's divergences."""
    del changed
    return are_close(first, second)


class SharesAllLatentsButOne:
  """For a `PairVAE`: a pair shares all latents but that of the last factor that changed.

  The index of a factor is that of its latent.
  """

  def check_batches(self, batches):
    """Checks that there is a latent for each factor.

    Raises:
      ConfigError: If there are more factors than latents.
    """
    super().check_batches(batches)
    data = batches.data
    if data.num_factors > self.num_latent:
      raise errors.ConfigError(
        f"{type(self).__name__} gives each factor a latent of its own: encoder.num_latent must be "
        f"at least {data.num_factors}, the number of factors of {data.name}, got {self.num_latent}."
      )

  def shared(self, first, second, changed):
    """Returns all latents but one."""
    del second
    return all_but(changed, first.mean.shape[1])
