"""FactorVAE (Kim and Mnih, 2018, arXiv:1802.05983)."""

from collections.abc import Sequence
import dataclasses
from typing import Any
from typing import ClassVar

import keras
import numpy as np
import tensorflow as tf

from dl_condind.methods import base_model
from dl_condind.methods import optimizers
from dl_condind.methods import vae
from dl_condind.networks import architectures
from dl_condind.networks import network_parts


def shuffle_latents(z: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
  """Permutes every latent over the batch on its own: samples of the product of marginals.

  Args:
    z: [batch, num_latent].
    seed: Two integers that determine the permutations.
  """
  order = tf.argsort(tf.random.stateless_uniform(tf.shape(z), seed), axis=0)
  return keras.ops.take_along_axis(z, order, axis=0)


def total_correlation(logits: tf.Tensor) -> tf.Tensor:
  """Returns the discriminator's estimate of the total correlation, a scalar, nats.

  Args:
    logits: Of (joint, product of marginals) at samples of the joint, [batch, 2].
  """
  return tf.reduce_mean(logits[:, 0] - logits[:, 1])


def discriminator_loss(joint_logits: tf.Tensor, product_logits: tf.Tensor) -> tf.Tensor:
  """Returns the cross-entropy of the discriminator, a scalar, nats.

  Args:
    joint_logits: Its logits at samples of the joint, [batch, 2].
    product_logits: Its logits at samples of the product of marginals, [batch, 2].
  """
  joint = tf.clip_by_value(tf.nn.softmax(joint_logits), 1e-6, 1 - 1e-6)
  product = tf.clip_by_value(tf.nn.softmax(product_logits), 1e-6, 1 - 1e-6)
  return -0.5 * tf.reduce_mean(tf.math.log(joint[:, 0]) + tf.math.log(product[:, 1]))


@base_model.register("factor_vae")
@dataclasses.dataclass(eq=False)
class FactorVAE(vae.BaseVAE):
  """Minimizes reconstruction loss + KL + gamma * total correlation.

  A discriminator that tells samples of q(z) from samples of the product of its marginals estimates
  the total correlation. As in disentanglement_lib both come from one batch (the paper takes two),
  and a step updates encoder, decoder and discriminator once. disentanglement_lib counts such a step
  twice, so its 300,000 steps are 150,000 of these.

  Attributes:
    gamma: Weight of the total correlation.
    discriminator: Function (num_latent, seed) -> Keras model, or a Keras model. `build` replaces it
      by the model: latents -> logits of (joint, product of marginals), [batch, 2].
    discriminator_optimizer: As `optimizer`, of the discriminator.
  """

  WEIGHTS: ClassVar[Sequence[str]] = ("gamma",)

  gamma: float
  _: dataclasses.KW_ONLY
  discriminator: network_parts.DiscriminatorFn | keras.Model = architectures.fc_discriminator
  discriminator_optimizer: optimizers.OptimizerPart = optimizers.adam(
    learning_rate=1e-4, beta1=0.5, beta2=0.9, epsilon=1e-8
  )

  def build(self, observation_shape: tuple[int, ...], seed: int) -> None:
    """Makes the networks, the discriminator and both optimizers."""
    super().build(observation_shape, seed)
    discriminator_seed = int(np.random.SeedSequence(seed).generate_state(3)[2])
    self.discriminator = network_parts.make_discriminator(
      self.discriminator, self.num_latent, discriminator_seed
    )
    self.discriminator_optimizer = optimizers.make(self.discriminator_optimizer)
    self.discriminator_optimizer.build(self.discriminator.trainable_variables)

  def compute_losses(self, batch: Any, seed: tf.Tensor) -> dict[str, tf.Tensor]:
    """Returns the losses of a VAE and `discriminator_loss`, averaged over the batch, nats."""
    noise_seed, shuffle_seed = tf.unstack(tf.random.split(seed, 2))
    scalars, z_sampled = self.vae_losses(batch, noise_seed)
    logits = self.discriminator(z_sampled)
    shuffled = shuffle_latents(tf.stop_gradient(z_sampled), shuffle_seed)
    penalty = self.gamma * total_correlation(logits)
    return {
      **scalars,
      "loss": scalars["loss"] + penalty,
      "regularizer": scalars["regularizer"] + penalty,
      "discriminator_loss": discriminator_loss(logits, self.discriminator(shuffled)),
    }

  def updates(self):
    """Returns the updates of encoder and decoder, and of the discriminator."""
    variables = self.discriminator.trainable_variables
    update = vae.Update(self.discriminator_optimizer, "discriminator_loss", variables)
    return [*super().updates(), update]

  def state(self) -> dict[str, tf.__internal__.tracking.Trackable]:
    """Returns networks, optimizers and step."""
    return {
      **super().state(),
      "discriminator": self.discriminator,
      "discriminator_optimizer": self.discriminator_optimizer,
    }
