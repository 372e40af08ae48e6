"""InfoGAN (Chen et al., 2016, arXiv:1606.03657) with the posterior of Yang et al. (2020).

A generator makes images from a categorical code, continuous codes and noise. A discriminator tells
them from real ones, and a recognition network, which shares all but its last layers with the
discriminator, recovers the codes: the better it does, the more the image informs about the codes.
"""

from collections.abc import Mapping
import dataclasses
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from dl_condind import posteriors
from dl_condind.methods import base_model
from dl_condind.methods import discriminator_watch
from dl_condind.methods import image_inputs
from dl_condind.methods import losses
from dl_condind.methods import optimizers
from dl_condind.networks import infogan_networks
from dl_condind.utils import errors
from dl_condind.utils import limits

_MAX_WEIGHT = 1e30  # What single precision can multiply a loss by.
PRIORS = ("normal", "uniform")


@base_model.register("infogan")
@dataclasses.dataclass(eq=False)
class InfoGAN(base_model.Model):
  """Plays the non-saturating GAN game plus a penalty for codes that cannot be recovered.

  Discriminator and recognition network minimize `discriminator_loss + penalty`, the generator
  `generator_loss + penalty`, where the penalty is `info_weight` times the negative log likelihood
  of the continuous codes under Eq. 12 of Yang et al. (2020), arXiv:1911.10922, whose noise has the
  correlation `posterior.noise_correlation`, plus `categorical_weight` times the cross-entropy of
  the categorical code.

  One step updates all networks once, from the weights before it and on one batch of generated
  images: simultaneous rather than alternating gradient descent, which saves a second draw and makes
  all losses of the log belong to the same weights. As in the code published with InfoGAN, the
  layers that discriminator and recognition network share learn from both losses.

  Attributes:
    info_weight: Weight of the negative log likelihood of the continuous codes.
    categorical_weight: Weight of the cross-entropy of the categorical code.
    num_continuous: Number of continuous codes.
    num_categories: Number of values of the categorical code; 0 leaves it out.
    num_noise: Number of dimensions of the noise, which is N(0, I).
    continuous_prior: "normal": N(0, I); "uniform": on [-1, 1].
    posterior: The family of q(z|x) of the continuous codes.
    discriminator_optimizer: Function without arguments -> Keras optimizer, or a Keras optimizer,
      whose settings are copied, for the discriminator and the layers that it shares with the
      recognition network. `build` replaces it by the optimizer, as the next two.
    generator_optimizer: The same for the generator.
    recognition_optimizer: The same for the recognition network's own layers.
    generator: Keras model, parts of the latent code -> images. `build` makes it and the following.
    feature_network: Keras model, images -> features that the two heads share.
    discriminator_head: Keras model, features -> logits of being real.
    recognition_head: Keras model, features -> mean, logvar, what else the posterior needs, as
      `extra`, and categorical_logits.
    global_step: Number of training steps done, int64.
  """

  kind = base_model.INFOGAN
  main_losses = ("discriminator_loss", "generator_loss")

  info_weight: float = 0.1
  categorical_weight: float = 1.0
  num_continuous: int = 2
  num_categories: int = 10
  num_noise: int = 62
  continuous_prior: str = "normal"
  _: dataclasses.KW_ONLY
  posterior: posteriors.Posterior = posteriors.Independent()
  discriminator_optimizer: optimizers.OptimizerPart = optimizers.adam(
    learning_rate=2e-4, beta1=0.5, beta2=0.999
  )
  generator_optimizer: optimizers.OptimizerPart = optimizers.adam(
    learning_rate=1e-3, beta1=0.5, beta2=0.999
  )
  recognition_optimizer: optimizers.OptimizerPart = optimizers.adam(
    learning_rate=2e-4, beta1=0.5, beta2=0.999
  )

  def __post_init__(self):
    _check_in(1, limits.MAX_LATENT, num_continuous=self.num_continuous, num_noise=self.num_noise)
    _check_in(
      0, _MAX_WEIGHT, info_weight=self.info_weight, categorical_weight=self.categorical_weight
    )
    if not 2 <= self.num_categories <= limits.MAX_LATENT and self.num_categories != 0:
      raise errors.ConfigError(
        f"infogan.num_categories must be 0 (no categorical code) or in [2, {limits.MAX_LATENT}], "
        f"got {self.num_categories}."
      )
    if self.continuous_prior not in PRIORS:
      raise errors.ConfigError(
        f'infogan.continuous_prior must be "normal" or "uniform", got {self.continuous_prior!r}.'
      )

  @property
  def code_sizes(self) -> dict[str, int]:
    """Number of dimensions of each part of the latent code."""
    sizes = {
      "categorical": self.num_categories,
      "continuous": self.num_continuous,
      "noise": self.num_noise,
    }
    return {name: size for name, size in sizes.items() if size}

  def build(self, observation_shape: tuple[int, ...], seed: int) -> None:
    """Makes the networks and their optimizers.

    The batch is not sliced, since it is normalized as a whole: the two passes of the feature
    network and what follows from them keep two threads busy.

    Raises:
      ConfigError: If images or posterior do not fit.
    """
    seeds = np.random.SeedSequence(seed).generate_state(4).tolist()
    shape = self.observation_shape = tuple(observation_shape)
    self.posterior.check(self.num_continuous)
    self.generator = infogan_networks.generator(self.code_sizes, shape, seeds[0])
    self.feature_network = infogan_networks.feature_network(shape, seeds[1])
    self.discriminator_head = infogan_networks.discriminator_head(seeds[2])
    self.recognition_head = infogan_networks.recognition_head(
      self.num_continuous,
      self.num_categories,
      seeds[3],
      self.posterior.initial_extra(self.num_continuous),
      self.posterior.shares_extra,
    )
    self.discriminator_variables = (
      self.feature_network.trainable_variables + self.discriminator_head.trainable_variables
    )
    self.discriminator_optimizer = optimizers.make(self.discriminator_optimizer)
    self.discriminator_optimizer.build(self.discriminator_variables)
    self.recognition_optimizer = optimizers.make(self.recognition_optimizer)
    self.recognition_optimizer.build(self.recognition_head.trainable_variables)
    self.generator_optimizer = optimizers.make(self.generator_optimizer)
    self.generator_optimizer.build(self.generator.trainable_variables)
    self.global_step = tf.Variable(0, dtype=tf.int64, name="global_step")
    self.discriminator_watch = discriminator_watch.DiscriminatorWatch()

  def sample_code(self, batch_size: int, seed: tf.Tensor) -> dict[str, tf.Tensor]:
    """Returns independent draws of the latent code: [batch, size] of each part, by its name."""
    continuous_seed, noise_seed, categorical_seed = tf.unstack(tf.random.split(seed, 3))
    shape = [batch_size, self.num_continuous]
    if self.continuous_prior == "normal":
      continuous = tf.random.stateless_normal(shape, continuous_seed)
    else:
      continuous = tf.random.stateless_uniform(shape, continuous_seed, -1.0, 1.0)
    code = {
      "continuous": continuous,
      "noise": tf.random.stateless_normal([batch_size, self.num_noise], noise_seed),
    }
    if self.num_categories:
      categories = tf.random.stateless_uniform(
        [batch_size], categorical_seed, 0, self.num_categories, tf.int32
      )
      code["categorical"] = tf.one_hot(categories, self.num_categories)
    return code

  @tf.autograph.experimental.do_not_convert  # It would wrap our errors in its own.
  def compute_losses(self, observations: tf.Tensor, seed: tf.Tensor) -> dict[str, tf.Tensor]:
    """Returns the losses of the networks as they are exported, averaged over the batch, nats.

    They differ from those of a training step, which normalizes a batch by its own statistics.
    """
    return self._losses(observations, seed, training=False)

  def _losses(
    self, observations: tf.Tensor, seed: tf.Tensor, training: bool
  ) -> dict[str, tf.Tensor]:
    """Returns the losses. In training it updates the moving statistics of the batches."""
    batch_size = observations.shape[0]
    if batch_size == 1:
      raise errors.ConfigError("model.batch_size must be at least 2: infogan normalizes batches.")
    code = self.sample_code(batch_size, seed)
    images = self.generator(code, training=training)
    real_features = self.feature_network(observations, training=training)
    features = self.feature_network(images, training=training)
    scalars = losses.adversarial_losses(
      self.discriminator_head(real_features), self.discriminator_head(features)
    )
    recognized = self.recognition_head(features, training=training)
    log_density = self.posterior.full_log_density(code["continuous"], *_encoded(recognized))
    scalars["continuous_nll"] = -tf.reduce_mean(log_density)
    penalty = self.info_weight * scalars["continuous_nll"]
    if self.num_categories:
      cross_entropy = tf.nn.softmax_cross_entropy_with_logits(
        code["categorical"], recognized["categorical_logits"]
      )
      scalars["categorical_cross_entropy"] = tf.reduce_mean(cross_entropy)
      penalty += self.categorical_weight * scalars["categorical_cross_entropy"]
    scalars["mutual_information_penalty"] = penalty
    return scalars

  def train_step(self, observations: tf.Tensor, seed: tf.Tensor) -> dict[str, tf.Tensor]:
    """Updates all networks once, all from the weights before the step."""
    with tf.GradientTape() as discriminator_tape, tf.GradientTape() as generator_tape:
      scalars = self._losses(observations, seed, training=True)
      penalty = scalars["mutual_information_penalty"]
      discriminator_objective = scalars["discriminator_loss"] + penalty
      generator_objective = scalars["generator_loss"] + penalty
    recognition_variables = self.recognition_head.trainable_variables
    generator_variables = self.generator.trainable_variables
    gradients = discriminator_tape.gradient(
      discriminator_objective, [self.discriminator_variables, recognition_variables]
    )
    generator_gradients = generator_tape.gradient(generator_objective, generator_variables)
    optimizers.apply(self.discriminator_optimizer, gradients[0], self.discriminator_variables)
    optimizers.apply(self.recognition_optimizer, gradients[1], recognition_variables)
    optimizers.apply(self.generator_optimizer, generator_gradients, generator_variables)
    accuracies = [scalars[f"discriminator_accuracy_{kind}"] for kind in ("real", "fake")]
    self.discriminator_watch.update(self.global_step, tf.add_n(accuracies) / 2)
    self.global_step.assign_add(1)
    return scalars

  def problems(self) -> dict[str, str | None]:
    """Returns whether the discriminator has collapsed: was (almost) always right."""
    return {"discriminator_collapsed": self.discriminator_watch.problem()}

  def state(self) -> dict[str, base_model.Trackable]:
    """Returns networks with their moving statistics, optimizers, watch and step."""
    names = (
      *("generator", "feature_network", "discriminator_head", "recognition_head"),
      *("generator_optimizer", "discriminator_optimizer", "recognition_optimizer"),
      *("discriminator_watch", "global_step"),
    )
    return {name: getattr(self, name) for name in names}

  def exported_variables(self) -> list[keras.Variable]:
    """Returns the variables of all networks."""
    networks = [self.generator, self.feature_network, self.discriminator_head]
    return [v for network in [*networks, self.recognition_head] for v in network.variables]

  def exported(self) -> tuple[tf.Module, Mapping[str, Any]]:
    """Returns a module and its functions, with the moving statistics of the batches.

    `generator(categorical, continuous, noise)` returns `images` in [0, 1]; it has no `categorical`
    where there is no such code. `recognition_network(images)` returns `mean`, `logvar` and
    `scale_tril` of q(z|x) of the continuous codes and `categorical_logits`, if there is such a
    code; `discriminator(images)` the `logits` of being real, [batch]. Images outside [0, 1] are an
    error.

    The module's function `recognize(images)`, not a signature, returns what `recognition_network`
    does and takes uint8 images, too.
    """
    exported = _Exported(self)
    return exported, exported.signatures()


def _check_in(lowest: int, highest: float, **settings: float) -> None:
  for name, value in settings.items():
    if not lowest <= value <= highest:
      raise errors.ConfigError(f"infogan.{name} must be in [{lowest}, {highest:g}], got {value}.")


def _encoded(recognized: Mapping[str, tf.Tensor]) -> posteriors.Encoded:
  return posteriors.Encoded(recognized["mean"], recognized["logvar"], recognized.get("extra"))


class _Exported(tf.Module):
  """The signatures of an InfoGAN."""

  def __init__(self, model: InfoGAN):
    super().__init__()
    # Listed one by one, since TensorFlow Lite drops variables it only finds inside Keras models.
    self.tracked_variables = [variable.value for variable in model.exported_variables()]
    images = tf.TensorSpec([None, *model.observation_shape], tf.float32, name="images")
    code = {
      name: tf.TensorSpec([None, size], tf.float32, name=name)
      for name, size in model.code_sizes.items()
    }

    def recognition_network(images):
      images = image_inputs.check(images, "recognize")
      recognized = dict(model.recognition_head(model.feature_network(images)))
      z_mean, *parameters = _encoded(recognized)
      recognized |= {
        "mean": z_mean,
        "logvar": model.posterior.marginal_logvar(*parameters),
        "scale_tril": model.posterior.scale_tril(*parameters),
      }
      recognized.pop("extra", None)
      return recognized

    def discriminator(images):
      images = image_inputs.check(images, "recognize")
      return {"logits": model.discriminator_head(model.feature_network(images))[:, 0]}

    self.generator = tf.function(lambda code: {"images": model.generator(code)}, [code])
    self.recognition_network = tf.function(recognition_network, [images])
    self.discriminator = tf.function(discriminator, [images])
    self.recognize = image_inputs.for_all_types(self.recognition_network, model.observation_shape)

  def signatures(self) -> dict[str, Any]:
    """Returns the functions a caller can name."""
    names = ("generator", "recognition_network", "discriminator")
    return {name: getattr(self, name) for name in names}
