"""The variational autoencoder and beta-VAE, and the base of every objective built on them."""

from collections.abc import Sequence
import contextlib
import dataclasses
import math
from typing import Any
from typing import ClassVar
from typing import NamedTuple

import keras
import tensorflow as tf

from dl_condind import posteriors
from dl_condind.methods import base_model
from dl_condind.methods import gaussian_encoder_model
from dl_condind.methods import optimizers
from dl_condind.utils import errors


class Update(NamedTuple):
  """What one optimizer does in a step.

  Attributes:
    optimizer: The optimizer.
    loss: Name of the loss that it minimizes.
    variables: What it changes.
  """

  optimizer: keras.optimizers.Optimizer
  loss: str
  variables: list[keras.Variable | tf.Variable]


def _gradients(
  tape: tf.GradientTape, loss: tf.Tensor, variables: list[keras.Variable | tf.Variable]
) -> list[tf.Tensor]:
  """Returns the gradients of a loss, 0 of variables that it does not depend on."""
  return [
    tf.zeros(variable.shape) if gradient is None else gradient
    for gradient, variable in zip(tape.gradient(loss, variables), variables, strict=True)
  ]


@dataclasses.dataclass(eq=False)
class BaseVAE(gaussian_encoder_model.GaussianEncoderModel):
  """Minimizes reconstruction loss plus a regularizer, which a subclass defines.

  Attributes:
    optimizer: Function without arguments -> Keras optimizer of encoder and decoder, or a Keras
      optimizer, whose settings are copied. `build` replaces it by the optimizer.
    WEIGHTS: Names of the attributes that weigh parts of the loss; `build` refuses negative ones.
  """

  WEIGHTS: ClassVar[Sequence[str]] = ()

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
    for name in self.WEIGHTS:
      if not 0 <= getattr(self, name) < math.inf:
        raise errors.ConfigError(
          f"{type(self).__name__}.{name} weighs a part of the loss and must be at least 0 and "
          f"finite, got {getattr(self, name)}."
        )
    super().build(observation_shape, seed)
    self.optimizer = optimizers.make(self.optimizer)
    self.optimizer.build(self.vae_variables)

  @property
  def vae_variables(self) -> list[keras.Variable | tf.Variable]:
    """What `optimizer` changes: the trainable variables of encoder and decoder."""
    return self.encoder.trainable_variables + self.decoder.trainable_variables

  def compute_losses(self, batch: Any, seed: tf.Tensor) -> dict[str, tf.Tensor]:
    """Returns the losses, averaged over the batch, nats."""
    return self.vae_losses(batch, seed)[0]

  def vae_losses(self, batch: Any, seed: tf.Tensor) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
    """Returns the losses, averaged over the batch, nats, and z_sampled, [batch, num_latent]."""
    return self.losses_of_encoded(batch, self.encode(batch), seed)

  def losses_of_encoded(
    self, observations: tf.Tensor, encoded: posteriors.Encoded, seed: tf.Tensor
  ) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
    """Returns the same for single observations, [batch, ...], given their posteriors."""
    z_sampled = self.posterior.sample(*encoded, seed=seed)
    reconstruction_loss = tf.reduce_mean(self.image_loss(observations, self.decode(z_sampled)))
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

  def updates(self) -> list[Update]:
    """Returns what a step updates: encoder and decoder, unless overridden."""
    return [Update(self.optimizer, "loss", self.vae_variables)]

  def train_step(self, batch: Any, seed: tf.Tensor) -> dict[str, tf.Tensor]:
    """Makes each update once, all from the weights before the step."""
    updates = self.updates()
    with contextlib.ExitStack() as stack:
      tapes = [stack.enter_context(tf.GradientTape()) for _ in updates]
      scalars = self.compute_losses(batch, seed)
    gradients = [
      _gradients(tape, scalars[update.loss], update.variables)
      for tape, update in zip(tapes, updates, strict=True)
    ]
    for update, gradient in zip(updates, gradients, strict=True):
      optimizers.apply(update.optimizer, gradient, update.variables)
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

  WEIGHTS: ClassVar[Sequence[str]] = ("beta",)

  beta: float

  def regularizer(self, kl_loss, z_mean, z_logvar, z_sampled):
    """Returns beta * kl_loss."""
    del z_mean, z_logvar, z_sampled
    return self.beta * kl_loss
