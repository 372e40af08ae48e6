"""A model with a Gaussian encoder, a decoder and a posterior family between them."""

from collections.abc import Callable
from collections.abc import Mapping
import dataclasses
import types
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from dl_condind import posteriors
from dl_condind.methods import base_model
from dl_condind.methods import image_inputs
from dl_condind.methods import losses
from dl_condind.networks import architectures
from dl_condind.networks import network_parts
from dl_condind.posteriors import gaussian_formulas
from dl_condind.utils import errors

_SEED = tf.TensorSpec([2], tf.int32, name="seed")


@dataclasses.dataclass(eq=False)
class GaussianEncoderModel(base_model.Model):
  """Networks and posterior of a latent variable model.

  Attributes:
    num_latent: Number of latents.
    posterior: The family of q(z|x).
    encoder: Function (observation_shape, num_latent, seed) -> Keras model, or a Keras model, of
      which a copy is trained. `build` replaces it by the model: images -> means, log variances and
      what else the posterior needs.
    decoder: Function (num_latent, observation_shape, seed) -> Keras model, or a Keras model.
      `build` replaces it by the model: latents -> logits, or means with the activation "linear".
    reconstruction_loss: Function (observations, decoder's outputs, activation) -> loss of each
      observation, [batch], nats.
    activation: What the decoder's outputs mean: "logits"; "tanh" if their tanh is in [-1, 1];
      "linear" if they are the observations themselves, such as vectors of any range.
    global_step: Number of training steps done, int64, made by `build`.
  """

  kind = base_model.VAE
  main_losses = ("loss", "reconstruction_loss")
  negative_losses = types.MappingProxyType(
    {
      "loss": "it contains minus the logarithm of a density, or an estimate of a total "
      "correlation, either of which can be negative; lower is better",
      "reconstruction_loss": "it is minus the logarithm of a density, and the density of "
      "continuous values can exceed 1; lower is better",
    }
  )

  _: dataclasses.KW_ONLY
  num_latent: int = 10
  posterior: posteriors.Posterior = posteriors.Independent()
  encoder: network_parts.EncoderFn | keras.Model = architectures.conv_encoder
  decoder: network_parts.DecoderFn | keras.Model = architectures.deconv_decoder
  reconstruction_loss: losses.ReconstructionLoss = losses.bernoulli_loss
  activation: str = "logits"

  def build(self, observation_shape: tuple[int, ...], seed: int) -> None:
    """Makes the networks, with weights that depend on the seed alone."""
    encoder_seed, decoder_seed = np.random.SeedSequence(seed).generate_state(2).tolist()
    shape = self.observation_shape = tuple(observation_shape)
    network_parts.check_num_latent(self.num_latent)
    if not isinstance(self.posterior, posteriors.Posterior):
      raise errors.ConfigError(
        "posterior must be an object of a family, such as dl.posteriors.Equicorrelated(0.9), got "
        f"{self.posterior!r}."
      )
    if not callable(self.reconstruction_loss):
      raise errors.ConfigError(
        "reconstruction_loss must be a function, such as dl.losses.l2_loss, got "
        f"{self.reconstruction_loss!r}."
      )
    self.posterior.check(self.num_latent)
    self.encoder = network_parts.make_encoder(
      self.encoder,
      shape,
      self.num_latent,
      encoder_seed,
      self.posterior.initial_extra(self.num_latent),
      self.posterior.shares_extra,
    )
    self.decoder = network_parts.make_decoder(self.decoder, self.num_latent, shape, decoder_seed)
    self.global_step = tf.Variable(0, dtype=tf.int64, name="global_step")
    losses.check_activation(self.activation)
    # A mistake in its settings is found here rather than inside of AutoGraph, which would wrap it.
    blank = tf.zeros([1, *shape])
    self.image_loss(blank, blank)

  def encode(self, observations: tf.Tensor) -> posteriors.Encoded:
    """Returns the parameters of q(z|x) of observations."""
    outputs = network_parts.apply_in_slices(self.encoder, observations, self.num_slices)
    return posteriors.Encoded(*outputs)

  def decode(self, z: tf.Tensor) -> tf.Tensor:
    """Returns the outputs for reconstructions, [batch, *observation_shape]."""
    return network_parts.apply_in_slices(self.decoder, z, self.num_slices)

  def image_loss(self, observations: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
    """Returns the reconstruction loss of each observation, [batch], nats.

    Args:
      observations: [batch, *observation_shape].
      outputs: The decoder's, of the same shape.
    """
    return self.reconstruction_loss(observations, outputs, self.activation)

  def elbo_terms(self, observations: tf.Tensor, seed: tf.Tensor) -> dict[str, tf.Tensor]:
    """Returns the terms of the evidence lower bound of each observation.

    Args:
      observations: [batch, *observation_shape].
      seed: Two integers that determine the noise.

    Returns:
      `reconstruction_loss`, `kl_loss`, that of the product of the marginals, and `kl_loss_full`,
      that of the distribution z is drawn from, each [batch], nats. The difference is TC(z|x).
    """
    encoded = self.encode(observations)
    z = self.posterior.sample(*encoded, seed=seed)
    z_logvar = self.posterior.marginal_logvar(*encoded[1:])
    return {
      "reconstruction_loss": self.image_loss(observations, self.decode(z)),
      "kl_loss": gaussian_formulas.factorized_kl(encoded.z_mean, z_logvar),
      "kl_loss_full": self.posterior.kl(*encoded),
    }

  def fisher_gram(self, z: tf.Tensor) -> tf.Tensor:
    """Returns how fast the loss of images grows around latents, [batch, num_latent, num_latent].

    G = J^T diag(w) J, where J are the derivatives of the decoder's outputs and w is the second
    derivative of the reconstruction loss with respect to each output, at the mean image. Moving z
    by e costs e^T G e / 2 nats to second order. It is the Fisher information of the decoder, where
    the loss is a negative log-likelihood: of Bernoulli pixels, w = p (1 - p); `l2_loss` is one of
    normal pixels of variance 1/2, `gaussian_loss` of variance stddev**2. The loss has to be a sum
    over pixels; G is 0 where it has no second derivative.

    Args:
      z: [batch, num_latent].
    """
    slopes = jacobian(self.decode, z)
    outputs = self.decode(z)
    images = tf.stop_gradient(losses.images_of(outputs, self.activation))
    with tf.GradientTape() as second:
      second.watch(outputs)
      with tf.GradientTape() as first:
        first.watch(outputs)
        loss = tf.reduce_sum(self.image_loss(images, outputs))
      gradient = first.gradient(loss, outputs)
    curvature = second.gradient(gradient, outputs, unconnected_gradients="zero")
    flat = tf.reshape(slopes, [-1, self.num_latent, tf.reduce_prod(tf.shape(slopes)[2:])])
    weighted = tf.reshape(slopes * curvature[:, None], tf.shape(flat))
    return tf.matmul(flat, weighted, transpose_b=True)

  def exported_variables(self) -> list[keras.Variable]:
    """Returns the variables of encoder and decoder."""
    return self.encoder.variables + self.decoder.variables

  def exported(self) -> tuple[tf.Module, Mapping[str, Any]]:
    """Returns a module and its functions, which have disentanglement_lib's names.

    `gaussian_encoder(images)` returns mean, logvar (of each latent) and scale_tril of q(z|x);
    `decoder(latent_vectors)` the logits `images`; `reconstructions(images)` the logits `images` of
    a sampled z, anew in every call; `elbo_terms(images, seed)` reconstruction_loss, kl_loss and
    kl_loss_full of each image; `decoder_jacobian(latent_vectors)` the derivatives `jacobian` of the
    mean image, in [0, 1], with respect to each latent, [batch, num_latent, height, width,
    channels]; `fisher_gram(latent_vectors)` the matrices `gram` of `fisher_gram`. Images outside
    [0, 1] are an error. Vectors are `images` of the shape [batch, features], any finite numbers.

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
    self.tracked_variables = [variable.value for variable in model.exported_variables()]
    self.draws = tf.Variable(0, trainable=False)
    images = tf.TensorSpec([None, *model.observation_shape], tf.float32, name="images")
    latent_vectors = tf.TensorSpec([None, model.num_latent], tf.float32, name="latent_vectors")

    def gaussian_encoder(images):
      z_mean, *parameters = model.encode(image_inputs.check(images, "encode"))
      return {
        "mean": z_mean,
        "logvar": model.posterior.marginal_logvar(*parameters),
        "scale_tril": model.posterior.scale_tril(*parameters),
      }

    def reconstructions(images):
      seed = tf.stack([tf.constant(0), self.draws.assign_add(1)])
      images = image_inputs.check(images, "encode")
      z = model.posterior.sample(*model.encode(images), seed=seed)
      return {"images": model.decode(z)}

    def decoder(latent_vectors):
      return {"images": model.decode(latent_vectors)}

    def elbo_terms(images, seed):
      return model.elbo_terms(image_inputs.check(images, "encode"), seed)

    def mean_images(latent_vectors):
      return losses.images_of(model.decode(latent_vectors), model.activation)

    def decoder_jacobian(latent_vectors):
      return {"jacobian": jacobian(mean_images, latent_vectors)}

    def fisher_gram(latent_vectors):
      return {"gram": model.fisher_gram(latent_vectors)}

    self.gaussian_encoder = tf.function(gaussian_encoder, [images])
    self.reconstructions = tf.function(reconstructions, [images])
    self.decoder = tf.function(decoder, [latent_vectors])
    self.elbo_terms = tf.function(elbo_terms, [images, _SEED])
    self.decoder_jacobian = tf.function(decoder_jacobian, [latent_vectors])
    self.fisher_gram = tf.function(fisher_gram, [latent_vectors])
    self.encode = image_inputs.for_all_types(self.gaussian_encoder, model.observation_shape)

  def signatures(self) -> dict[str, Any]:
    """Returns the functions a caller can name."""
    names = ("gaussian_encoder", "reconstructions", "decoder", "elbo_terms")
    names += ("decoder_jacobian", "fisher_gram")
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
