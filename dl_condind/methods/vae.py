"""The variational autoencoder and beta-VAE, and the base of every objective built on them."""

import dataclasses
from typing import Any

import keras
import tensorflow as tf

from dl_condind import posteriors
from dl_condind.methods import base_model
from dl_condind.methods import gaussian_encoder_model
from dl_condind.methods import optimizers


@dataclasses.dataclass(eq=False)
class BaseVAE(gaussian_encoder_model.GaussianEncoderModel):
  """Minimizes reconstruction loss plus a regularizer, which a subclass defines.

  Attributes:
    optimizer: Function without arguments -> Keras optimizer of encoder and decoder, or a Keras
      optimizer, whose settings are copied. `build` replaces it by the optimizer.
  """

  _: dataclasses.KW_ONLY
  optimizer: optimizers.OptimizerPart = optimizers.adam(
    learning_rate=1e-4, beta1=0.9, beta2=0.999, epsilon=1e-8
  )

  def regularizer(
    self, kl_loss: tf.Tensor, z_mean: tf.Tensor, z_logvar: tf.Tensor, z_sampled: tf.Tensor
  ) -> tf.Tensor:
    """Returns what is added to the reconstruction loss, a scalar: kl_loss unless overridden.

    Args:
      kl_loss: The posterior's `kl_loss`, averaged over the batch, nats.
      z_mean: Means of the posteriors, [batch, num_latent].
      z_logvar: Log variances of the latents, [batch, num_latent].
      z_sampled: One sample of each posterior, [batch, num_latent].
    """
    del z_mean, z_logvar, z_sampled
    return kl_loss

  def posterior_regularizer(
    self, kl_loss: tf.Tensor, encoded: posteriors.Encoded, z_sampled: tf.Tensor
  ) -> tf.Tensor:
    """Returns the regularizer; to override where it needs more than means and log variances.

    Args:
      kl_loss: As `regularizer`.
      encoded: Parameters of the posteriors, for the methods of `posterior`.
      z_sampled: As `regularizer`.
    """
    z_mean, *parameters = encoded
    z_logvar = self.posterior.marginal_logvar(*parameters)
    return self.regularizer(kl_loss, z_mean, z_logvar, z_sampled)

  def build(self, observation_shape: tuple[int, ...], seed: int) -> None:
    """Makes the networks and the optimizer."""
    super().build(observation_shape, seed)
    self.optimizer = optimizers.make(self.optimizer)
    self.optimizer.build(self.vae_variables)

  @property
  def vae_variables(self) -> list[keras.Variable]:
    """Trainable variables of encoder and decoder."""
    return self.encoder.trainable_variables + self.decoder.trainable_variables

  def compute_losses(self, batch: Any, seed: tf.Tensor) -> dict[str, tf.Tensor]:
    """Returns the losses, averaged over the batch, nats."""
    return self.vae_losses(batch, seed)[0]

  def vae_losses(self, batch: Any, seed: tf.Tensor) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
    """Returns the losses, averaged over the batch, nats, and z_sampled, [batch, num_latent]."""
    encoded = self.encode(batch)
    z_sampled = self.posterior.sample(*encoded, seed=seed)
    reconstruction_loss = tf.reduce_mean(self.image_loss(batch, self.decode(z_sampled)))
    kl_loss = tf.reduce_mean(self.posterior.kl_loss(*encoded))
    regularizer = self.posterior_regularizer(kl_loss, encoded, z_sampled)
    return self.scalars(encoded, reconstruction_loss, kl_loss, regularizer), z_sampled

  def scalars(
    self,
    encoded: posteriors.Encoded,
    reconstruction_loss: tf.Tensor,
    kl_loss: tf.Tensor,
    regularizer: tf.Tensor,
  ) -> dict[str, tf.Tensor]:
    """Returns the losses of a batch by name, averaged over it, nats.

    Args:
      encoded: Parameters of the posteriors.
      reconstruction_loss: Averaged over the batch.
      kl_loss: The KL that the objective minimizes, averaged over the batch.
      regularizer: What is added to the reconstruction loss.
    """
    missing = tf.reduce_mean(self.posterior.kl_missing_in_loss(encoded.z_logvar, encoded.extra))
    return {
      "loss": reconstruction_loss + regularizer,
      "reconstruction_loss": reconstruction_loss,
      "elbo": -(reconstruction_loss + kl_loss),
      "regularizer": regularizer,
      "kl_loss": kl_loss,
      "kl_loss_full": kl_loss + missing,
      **self.posterior.summaries(encoded.z_logvar, encoded.extra),
    }

  def train_step(self, batch: Any, seed: tf.Tensor) -> dict[str, tf.Tensor]:
    """Updates encoder and decoder once."""
    with tf.GradientTape() as tape:
      scalars = self.compute_losses(batch, seed)
    variables = self.vae_variables
    self.optimizer.apply(tape.gradient(scalars["loss"], variables), variables)
    self.global_step.assign_add(1)
    return scalars

  def state(self) -> dict[str, tf.__internal__.tracking.Trackable]:
    """Returns networks, optimizer and step."""
    return {
      "encoder": self.encoder,
      "decoder": self.decoder,
      "optimizer": self.optimizer,
      "global_step": self.global_step,
    }


@base_model.register("vae")
@dataclasses.dataclass(eq=False)
class BetaVAE(BaseVAE):
  """The VAE (beta = 1; Kingma and Welling, 2014) and beta-VAE (Higgins et al., 2017).

  Attributes:
    beta: Weight of the KL.
  """

  beta: float

  def regularizer(self, kl_loss, z_mean, z_logvar, z_sampled):
    """Returns beta * kl_loss."""
    del z_mean, z_logvar, z_sampled
    return self.beta * kl_loss
