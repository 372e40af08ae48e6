"""A model with a Gaussian encoder, a decoder and a posterior family between them."""

from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from dl_condind.methods import architectures
from dl_condind.methods import base_model
from dl_condind.methods import image_inputs
from dl_condind.methods import losses
from dl_condind.methods import posteriors

_SEED = tf.TensorSpec([2], tf.int32, name="seed")


class GaussianEncoderModel(base_model.Model):
  """Networks and posterior of a latent variable model.

  Attributes:
    num_latent: Number of latents.
    encoder: Keras model, images -> means and log variances.
    decoder: Keras model, latents -> logits.
    posterior: The `posteriors.GaussianPosterior` family of q(z|x).
    global_step: Number of training steps done, int64.
  """

  kind = base_model.VAE
  main_losses = ("loss", "reconstruction_loss")

  def build(self, observation_shape: tuple[int, ...], seed: int, num_slices: int = 1) -> None:
    """Makes the networks, with weights that depend on the seed alone."""
    encoder_seed, decoder_seed = np.random.SeedSequence(seed).generate_state(2).tolist()
    self.observation_shape = tuple(observation_shape)
    self.encoder = architectures.make_encoder(self.observation_shape, encoder_seed)
    self.num_latent = self.encoder.output_shape[0][-1]
    self.posterior = posteriors.make_posterior(self.num_latent)
    self.decoder = architectures.make_decoder(self.num_latent, self.observation_shape, decoder_seed)
    self.global_step = tf.Variable(0, dtype=tf.int64, name="global_step")
    self._num_slices = num_slices
    # A mistake in its settings is found here rather than inside of AutoGraph, which would wrap it.
    blank = tf.zeros([1, *self.observation_shape])
    losses.make_reconstruction_loss(blank, blank)

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

  def exported(self) -> tuple[tf.Module, Mapping[str, Any]]:
    """Returns a module and its functions, which have disentanglement_lib's names.

    `gaussian_encoder(images)` returns mean, logvar and scale_tril of q(z|x);
    `decoder(latent_vectors)` the logits `images`; `reconstructions(images)` the logits `images` of
    a sampled z, anew in every call; `elbo_terms(images, seed)` reconstruction_loss, kl_loss and
    kl_loss_full of each image; `decoder_jacobian(latent_vectors)` the derivatives `jacobian` of the
    mean image, in [0, 1], with respect to each latent, [batch, num_latent, height, width,
    channels]. Images outside [0, 1] are an error.

    The module's function `encode(images)`, not a signature, returns what `gaussian_encoder` does
    and takes uint8 images, too.
    """
    exported = _Exported(self)
    return exported, exported.signatures()


class _Exported(tf.Module):
  """The signatures of a Gaussian encoder model."""

  def __init__(self, model: GaussianEncoderModel):
    super().__init__()
    # Listed one by one, since TensorFlow Lite drops variables it only finds inside Keras models.
    self.tracked_variables = [v.value for v in model.encoder.variables + model.decoder.variables]
    self.draws = tf.Variable(0, trainable=False)
    images = tf.TensorSpec([None, *model.observation_shape], tf.float32, name="images")
    latent_vectors = tf.TensorSpec([None, model.num_latent], tf.float32, name="latent_vectors")

    def gaussian_encoder(images):
      z_mean, z_logvar = model.encode(image_inputs.check(images, "encode"))
      return {
        "mean": z_mean,
        "logvar": z_logvar,
        "scale_tril": model.posterior.scale_tril(z_logvar),
      }

    def reconstructions(images):
      seed = tf.stack([tf.constant(0), self.draws.assign_add(1)])
      images = image_inputs.check(images, "encode")
      z = model.posterior.distribution(*model.encode(images)).sample(seed=seed)
      return {"images": model.decode(z)}

    def decoder(latent_vectors):
      return {"images": model.decode(latent_vectors)}

    def elbo_terms(images, seed):
      return model.elbo_terms(image_inputs.check(images, "encode"), seed)

    def mean_images(latent_vectors):
      return losses.make_images(model.decode(latent_vectors))

    def decoder_jacobian(latent_vectors):
      return {"jacobian": jacobian(mean_images, latent_vectors)}

    self.gaussian_encoder = tf.function(gaussian_encoder, [images])
    self.reconstructions = tf.function(reconstructions, [images])
    self.decoder = tf.function(decoder, [latent_vectors])
    self.elbo_terms = tf.function(elbo_terms, [images, _SEED])
    self.decoder_jacobian = tf.function(decoder_jacobian, [latent_vectors])
    self.encode = image_inputs.for_all_types(self.gaussian_encoder, model.observation_shape)

  def signatures(self) -> dict[str, Any]:
    """Returns the functions a caller can name."""
    names = ("gaussian_encoder", "reconstructions", "decoder", "elbo_terms", "decoder_jacobian")
    return {name: getattr(self, name) for name in names}


def jacobian(function: Callable[[tf.Tensor], tf.Tensor], inputs: tf.Tensor) -> tf.Tensor:
  """Returns the derivatives of a function of each row of its input, by forward mode.

  Args:
    function: `[batch, num_inputs]` -> `[batch, ...]`, whose rows do not depend on each other.
    inputs: `[batch, num_inputs]`.

  Returns:
    `[batch, num_inputs, ...]`.
  """
  num_inputs = inputs.shape[1]
  rows = tf.repeat(inputs, num_inputs, axis=0)
  directions = tf.tile(tf.eye(num_inputs), [tf.shape(inputs)[0], 1])
  with tf.autodiff.ForwardAccumulator(rows, directions) as accumulator:
    outputs = function(rows)
  derivatives = accumulator.jvp(outputs, tf.UnconnectedGradients.ZERO)
  return tf.reshape(derivatives, [-1, num_inputs, *outputs.shape[1:]])
