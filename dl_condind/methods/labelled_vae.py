"""Learning from images of which a few have labels: the base of the semi-supervised methods.

  loss = reconstruction loss + U + g(t) * S

Reconstruction loss and U, the unsupervised regularizer, are of images without labels. S, the
supervised loss, is of as many images with labels, of which only the means of q(z|x) count: they are
neither sampled nor decoded (Locatello et al., 2020, arXiv:1905.01258).
"""

import abc
from collections.abc import Sequence
import dataclasses
from typing import ClassVar

import numpy as np
import tensorflow as tf

from dl_condind import posteriors
from dl_condind.data import partly_labelled
from dl_condind.methods import annealers
from dl_condind.methods import supervised_losses
from dl_condind.methods import vae
from dl_condind.utils import errors

_LABEL_SEED = 3  # The words before it are of encoder, decoder and discriminator.


@dataclasses.dataclass(eq=False)
class LabelledVAE(vae.BaseVAE):
  """Adds a loss of labels to the regularizer of a VAE.

  Attributes:
    num_values: Number of values of each label, set by `check_batches`.
    label_weights: What the loss of labels trains, by name, made by `build`.
  """

  learns_from = partly_labelled.PartlyLabelled
  num_values: ClassVar[Sequence[int]]
  label_weights: ClassVar[dict[str, tf.Variable]]

  @abc.abstractmethod
  def initial_label_weights(self, generator: np.random.Generator) -> dict[str, np.ndarray]:
    """Returns the initial weights of the loss of labels, by name."""

  @abc.abstractmethod
  def label_losses(
    self, z_mean: tf.Tensor, labels: tf.Tensor, seed: tf.Tensor
  ) -> dict[str, tf.Tensor]:
    """Returns scalars, among them `supervised_loss`, S.

    Args:
      z_mean: Means of the posteriors of labelled images, [batch, num_latent].
      labels: [batch, num_labels].
      seed: Two integers that determine any draw.
    """

  def supervised_weight(self) -> float | tf.Tensor:
    """Returns g(t), the weight of S at this step: 1 unless overridden."""
    return 1.0

  def check_batches(self, batches):
    """Checks the batches and takes note of the numbers of values of their labels."""
    super().check_batches(batches)
    self.num_values = batches.num_values

  def build(self, observation_shape, seed):
    """Makes the weights of the loss of labels, the networks and the optimizer."""
    generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_LABEL_SEED,)))
    self.label_weights = {
      name: tf.Variable(value, dtype=tf.float32, name=name)
      for name, value in self.initial_label_weights(generator).items()
    }
    super().build(observation_shape, seed)

  def encode_both(
    self, batch: partly_labelled.LabelledBatch
  ) -> tuple[posteriors.Encoded, tf.Tensor]:
    """Returns the posteriors of images without labels and the means of those with labels."""
    both = self.encode(tf.concat([batch.images, batch.labelled_images], axis=0))
    num = tf.shape(batch.images)[0]
    encoded = posteriors.Encoded(*(part if part is None else part[:num] for part in both))
    return encoded, both.z_mean[num:]

  def vae_losses(self, batch, seed):
    """Returns the losses, averaged over the batch, nats, and z_sampled, [batch, num_latent]."""
    encoded, z_mean = self.encode_both(batch)
    scalars, z_sampled = self.losses_of_encoded(batch.images, encoded, seed)
    of_labels = self.label_losses(z_mean, batch.labels, seed)
    penalty = self.supervised_weight() * of_labels["supervised_loss"]
    sums = {name: scalars[name] + penalty for name in ("loss", "regularizer")}
    return {**scalars, **sums, **of_labels}, z_sampled

  def state(self):
    """Returns networks, optimizer, step and the weights of the loss of labels."""
    weights = {f"label_{name}": weight for name, weight in self.label_weights.items()}
    return {**super().state(), **weights}


@dataclasses.dataclass(eq=False)
class SupervisedLossVAE(LabelledVAE):
  """A `LabelledVAE` whose loss of labels is a `supervised_losses.SupervisedLoss`.

  Attributes:
    supervised_loss: The loss.
  """

  _: dataclasses.KW_ONLY
  supervised_loss: supervised_losses.SupervisedLoss = supervised_losses.CrossEntropy()

  @property
  def vae_variables(self):
    """Trainable variables of encoder and decoder, and the weights of the supervised loss."""
    return super().vae_variables + list(self.label_weights.values())

  def check_batches(self, batches):
    """Checks that the labels fit the loss and the latents.

    Raises:
      ConfigError: If there are more labels than latents, or labels are not classes, and the loss
        needs it.
    """
    super().check_batches(batches)
    loss = self.supervised_loss
    name = type(loss).__name__
    num_labels = len(self.num_values)
    if loss.ties_latents and num_labels > self.num_latent:
      raise errors.ConfigError(
        f"{name} ties each label to a latent: encoder.num_latent must be at least {num_labels}, "
        f"the number of labels of {batches.data.name}, got {self.num_latent}."
      )
    if loss.needs_classes:
      batches.check_classes(name)

  def initial_label_weights(self, generator):
    """Returns the weights of the supervised loss."""
    return self.supervised_loss.initial_weights(self.num_values, generator)

  def label_losses(self, z_mean, labels, seed):
    """Returns the supervised loss."""
    del seed
    weights = self.label_weights
    return {"supervised_loss": self.supervised_loss.value(z_mean, labels, self.num_values, weights)}


@dataclasses.dataclass(eq=False)
class AnnealedLabelledVAE(LabelledVAE):
  """A `LabelledVAE` that weighs the loss of labels; a subclass has the field `gamma_sup`.

  Attributes:
    anneal_fn: Function (gamma_sup, step, iteration_threshold) -> the weight.
    iteration_threshold: Its number of steps; None if it needs none.
  """

  _: dataclasses.KW_ONLY
  anneal_fn: annealers.Annealer = annealers.fixed
  iteration_threshold: int | None = None

  def build(self, observation_shape, seed):
    """Makes the networks; a mistake in the settings of the annealer is found here."""
    super().build(observation_shape, seed)
    self.supervised_weight()

  def supervised_weight(self):
    """Returns the weight at this step."""
    return self.anneal_fn(self.gamma_sup, self.global_step, self.iteration_threshold)
