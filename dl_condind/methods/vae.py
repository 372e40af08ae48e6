"""The variational autoencoder and beta-VAE, and the base of every objective built on them."""

import gin
import keras
import tensorflow as tf

from dl_condind.methods import gaussian_encoder_model
from dl_condind.methods import losses
from dl_condind.methods import optimizers
from dl_condind.methods import posteriors


class BaseVAE(gaussian_encoder_model.GaussianEncoderModel):
  """Minimizes reconstruction loss plus a regularizer, which a subclass defines."""

  def regularizer(
    self, kl_loss: tf.Tensor, z_mean: tf.Tensor, z_logvar: tf.Tensor, z_sampled: tf.Tensor
  ) -> tf.Tensor:
    """Returns what is added to the reconstruction loss, a scalar: kl_loss unless overridden.

    Args:
      kl_loss: Factorized KL to the prior, averaged over the batch, nats.
      z_mean: Means of the posteriors, [batch, num_latent].
      z_logvar: Log variances, [batch, num_latent].
      z_sampled: One sample of each posterior, [batch, num_latent].
    """
    del z_mean, z_logvar, z_sampled
    return kl_loss

  def build(self, observation_shape: tuple[int, ...], seed: int, num_slices: int = 1) -> None:
    """Makes the networks and the optimizer."""
    super().build(observation_shape, seed, num_slices)
    self.optimizer = optimizers.make_vae_optimizer()
    self.optimizer.build(self.vae_variables)

  @property
  def vae_variables(self) -> list[keras.Variable]:
    """Trainable variables of encoder and decoder."""
    return self.encoder.trainable_variables + self.decoder.trainable_variables

  def compute_losses(self, observations: tf.Tensor, seed: tf.Tensor) -> dict[str, tf.Tensor]:
    """Returns the losses, averaged over the batch, nats."""
    return self.vae_losses(observations, seed)[0]

  def vae_losses(
    self, observations: tf.Tensor, seed: tf.Tensor
  ) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
    """Returns the losses, averaged over the batch, nats, and z_sampled, [batch, num_latent]."""
    z_mean, z_logvar = self.encode(observations)
    z_sampled = self.posterior.distribution(z_mean, z_logvar).sample(seed=seed)
    reconstruction_loss = tf.reduce_mean(
      losses.make_reconstruction_loss(observations, self.decode(z_sampled))
    )
    kl_loss = tf.reduce_mean(posteriors.factorized_kl(z_mean, z_logvar))
    regularizer = self.regularizer(kl_loss, z_mean, z_logvar, z_sampled)
    scalars = {
      "loss": reconstruction_loss + regularizer,
      "reconstruction_loss": reconstruction_loss,
      "elbo": -(reconstruction_loss + kl_loss),
      "regularizer": regularizer,
      "kl_loss": kl_loss,
      "kl_loss_full": kl_loss + self.posterior.conditional_total_correlation,
    }
    return scalars, z_sampled

  def train_step(self, observations: tf.Tensor, seed: tf.Tensor) -> dict[str, tf.Tensor]:
    """Updates encoder and decoder once."""
    with tf.GradientTape() as tape:
      scalars = self.compute_losses(observations, seed)
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


@gin.register("vae")
class BetaVAE(BaseVAE):
  """The VAE (beta = 1; Kingma and Welling, 2014) and beta-VAE (Higgins et al., 2017)."""

  def __init__(self, beta: float):
    """Creates the objective.

    Args:
      beta: Weight of the KL.
    """
    self.beta = beta

  def regularizer(self, kl_loss, z_mean, z_logvar, z_sampled):
    """Returns beta * kl_loss."""
    del z_mean, z_logvar, z_sampled
    return self.beta * kl_loss
