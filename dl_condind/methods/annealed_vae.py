"""AnnealedVAE (Burgess et al., 2018, arXiv:1804.03599)."""

from collections.abc import Sequence
import dataclasses
from typing import ClassVar

import tensorflow as tf

from dl_condind.methods import base_model
from dl_condind.methods import vae
from dl_condind.utils import errors


@base_model.register("annealed_vae")
@dataclasses.dataclass(eq=False)
class AnnealedVAE(vae.BaseVAE):
  """Minimizes reconstruction loss + gamma * |KL - C|, where the capacity C grows linearly.

  Attributes:
    gamma: Weight of the distance between KL and capacity.
    c_max: Largest capacity, nats.
    iteration_threshold: Step at which it is reached. A ConfigError is raised if it is not positive.
  """

  WEIGHTS: ClassVar[Sequence[str]] = ("gamma",)

  gamma: float
  c_max: float
  iteration_threshold: int

  def __post_init__(self):
    if self.iteration_threshold < 1:
      raise errors.ConfigError(
        f"annealed_vae.iteration_threshold must be at least 1, got {self.iteration_threshold}."
      )

  def regularizer(self, kl_loss, z_mean, z_logvar, z_sampled):
    """Returns gamma * |kl_loss - capacity at this step|."""
    del z_mean, z_logvar, z_sampled
    progress = tf.cast(self.global_step, kl_loss.dtype) / self.iteration_threshold
    capacity = self.c_max * tf.minimum(progress, 1)
    return self.gamma * tf.abs(kl_loss - capacity)
