"""A VAE that keeps latents from knowing other labels than their own.

From Locatello et al. (2020), arXiv:1905.01258. Networks estimate the mutual information of each
label and each latent: see `mutual_information`.
"""

from collections.abc import Sequence
import dataclasses
from typing import ClassVar

import tensorflow as tf

from dl_condind.methods import base_model
from dl_condind.methods import factor_vae
from dl_condind.methods import labelled_vae
from dl_condind.methods import mutual_information
from dl_condind.methods import optimizers
from dl_condind.methods import vae

LEARNING_RATE = 0.01  # Of the networks that estimate, as in disentanglement_lib.


@base_model.register("s2_mine_vae")
@dataclasses.dataclass(eq=False)
class S2MineVAE(labelled_vae.AnnealedLabelledVAE):
  """Minimizes reconstruction loss + beta * KL + weight * sum_(k != j) I(label k; latent j)^2.

  Label k belongs to latent k. Latents beyond the labels are kept from all of them. A step updates
  the networks that estimate once, too.

  Attributes:
    beta: Weight of the KL.
    gamma_sup: Weight of the squared mutual informations.
  """

  WEIGHTS: ClassVar[Sequence[str]] = ("beta", "gamma_sup")

  beta: float
  gamma_sup: float

  def regularizer(self, kl_loss, z_mean, z_logvar, z_sampled):
    """Returns beta * kl_loss."""
    del z_mean, z_logvar, z_sampled
    return self.beta * kl_loss

  def build(self, observation_shape, seed):
    """Makes the networks and both optimizers."""
    super().build(observation_shape, seed)
    self.estimator_optimizer = optimizers.adam(LEARNING_RATE)()
    self.estimator_optimizer.build(list(self.label_weights.values()))

  def initial_label_weights(self, generator):
    """Returns the weights of the networks that estimate."""
    return mutual_information.initial_weights(len(self.num_values), self.num_latent, generator)

  def label_losses(self, z_mean, labels, seed):
    """Returns `supervised_loss`, the sum of squares, and what the other networks minimize."""
    shape = tf.shape(z_mean)[0], labels.shape[1], self.num_latent
    # [batch, num_labels, num_latent], for each pair in an order of its own.
    shuffle_seed = tf.unstack(tf.random.split(seed, 2))[1]  # The noise has the seed itself.
    shuffled = factor_vae.shuffle_latents(tf.broadcast_to(labels[..., None], shape), shuffle_seed)
    bounds = mutual_information.lower_bounds(z_mean, labels, shuffled, self.label_weights)
    belongs = tf.eye(*bounds.shape)
    return {
      "supervised_loss": tf.reduce_sum(tf.square(bounds) * (1 - belongs)),
      "estimator_loss": -tf.reduce_sum(bounds),
    }

  def updates(self):
    """Returns the updates of encoder and decoder, and of the networks that estimate."""
    variables = list(self.label_weights.values())
    update = vae.Update(self.estimator_optimizer, "estimator_loss", variables)
    return [*super().updates(), update]

  def state(self):
    """Returns networks, optimizers and step."""
    return {**super().state(), "estimator_optimizer": self.estimator_optimizer}
