"""A model with a Gaussian encoder, a decoder and a posterior family between them."""

import abc

import numpy as np
import tensorflow as tf

from dl_condind.methods import architectures
from dl_condind.methods import losses
from dl_condind.methods import posteriors


class GaussianEncoderModel(abc.ABC):
  """Networks and posterior of a latent variable model.

  The constructor of a subclass takes hyperparameters only, so that gin can make the object while it
  parses; `build` makes the networks.

  Attributes:
    observation_shape: (height, width, channels).
    num_latent: Number of latents.
    encoder: Keras model, images -> means and log variances.
    decoder: Keras model, latents -> logits.
    posterior: The `posteriors.GaussianPosterior` family of q(z|x).
    global_step: Number of training steps done, int64.
  """

  def build(self, observation_shape: tuple[int, ...], seed: int, num_slices: int = 1) -> None:
    """Makes the networks, with weights that depend on the seed alone.

    Args:
      observation_shape: (height, width, channels).
      seed: Seed of the initial weights.
      num_slices: Number of slices of the batch that the networks may work on at the same time.

    Raises:
      ConfigError: If the configured networks or posterior do not fit.
    """
    encoder_seed, decoder_seed = np.random.SeedSequence(seed).generate_state(2).tolist()
    self.observation_shape = tuple(observation_shape)
    self.encoder = architectures.make_encoder(self.observation_shape, encoder_seed)
    self.num_latent = self.encoder.output_shape[0][-1]
    self.posterior = posteriors.make_posterior(self.num_latent)
    self.decoder = architectures.make_decoder(self.num_latent, self.observation_shape, decoder_seed)
    self.global_step = tf.Variable(0, dtype=tf.int64, name="global_step")
    self._num_slices = num_slices

  def encode(self, observations: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns z_mean and z_logvar of observations, each [batch, num_latent]."""
    z_mean, z_logvar = architectures.apply_in_slices(self.encoder, observations, self._num_slices)
    return z_mean, z_logvar

  def decode(self, z: tf.Tensor) -> tf.Tensor:
    """Returns the logits of reconstructions, [batch, height, width, channels]."""
    return architectures.apply_in_slices(self.decoder, z, self._num_slices)

  def elbo_terms(self, observations: tf.Tensor, seed: tf.Tensor) -> dict[str, tf.Tensor]:
    """Returns the terms of the evidence lower bound of each observation.

    Args:
      observations: [batch, height, width, channels].
      seed: Two integers that determine the noise.

    Returns:
      `reconstruction_loss`, `kl_loss` (factorized) and `kl_loss_full`, each [batch], nats.
    """
    z_mean, z_logvar = self.encode(observations)
    z = self.posterior.distribution(z_mean, z_logvar).sample(seed=seed)
    return {
      "reconstruction_loss": losses.make_reconstruction_loss(observations, self.decode(z)),
      "kl_loss": posteriors.factorized_kl(z_mean, z_logvar),
      "kl_loss_full": self.posterior.full_kl(z_mean, z_logvar),
    }

  @abc.abstractmethod
  def compute_losses(self, observations: tf.Tensor, seed: tf.Tensor) -> dict[str, tf.Tensor]:
    """Returns scalars, averaged over the batch, among them `loss`.

    Args:
      observations: [batch, height, width, channels].
      seed: Two integers that determine every random draw.
    """

  @abc.abstractmethod
  def train_step(self, observations: tf.Tensor, seed: tf.Tensor) -> dict[str, tf.Tensor]:
    """Updates the weights once and returns compute_losses of the weights before."""

  @abc.abstractmethod
  def state(self) -> dict[str, tf.__internal__.tracking.Trackable]:
    """Returns everything that training changes, by name: what a checkpoint holds."""
