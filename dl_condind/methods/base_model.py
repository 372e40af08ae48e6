"""What a training needs of a model, whatever kind of model it is."""

import abc
from collections.abc import Mapping
from typing import Any
from typing import ClassVar

import tensorflow as tf

Trackable = tf.__internal__.tracking.Trackable

VAE, INFOGAN, OTHER = "vae", "infogan", "other"


class Model(abc.ABC):
  """A model that can be built, trained step by step, saved and exported.

  The constructor of a subclass takes hyperparameters only, so that gin can make the object while it
  parses; `build` makes the networks.

  Attributes:
    kind: The kind of model, which goes into the record of the training: `VAE` is a model with an
      encoder and a decoder, `INFOGAN` one with a generator and a recognition network, `OTHER` one
      that can be trained and exported, but neither evaluated nor reported.
    main_losses: Names of the losses that a message about the progress shows.
    observation_shape: (height, width, channels).
  """

  kind: ClassVar[str] = OTHER
  main_losses: ClassVar[tuple[str, ...]]
  observation_shape: tuple[int, ...]

  @abc.abstractmethod
  def build(self, observation_shape: tuple[int, ...], seed: int, num_slices: int = 1) -> None:
    """Makes the networks, with weights that depend on the seed alone.

    Args:
      observation_shape: (height, width, channels).
      seed: Seed of the initial weights.
      num_slices: Number of slices of the batch that the networks may work on at the same time.

    Raises:
      ConfigError: If the configured networks or posterior do not fit.
    """

  @abc.abstractmethod
  def compute_losses(self, observations: tf.Tensor, seed: tf.Tensor) -> dict[str, tf.Tensor]:
    """Returns scalars, averaged over the batch, among them the main losses. Changes nothing.

    Args:
      observations: [batch, height, width, channels].
      seed: Two integers that determine every random draw.
    """

  @abc.abstractmethod
  def train_step(self, observations: tf.Tensor, seed: tf.Tensor) -> dict[str, tf.Tensor]:
    """Updates the weights once and returns losses of the weights before."""

  @abc.abstractmethod
  def state(self) -> dict[str, Trackable]:
    """Returns everything that training changes, by name: what a checkpoint holds."""

  @abc.abstractmethod
  def exported(self) -> tuple[tf.Module, Mapping[str, Any]]:
    """Returns what a SavedModel is made of: a module, and its functions by name."""

  def problems(self) -> dict[str, str | None]:
    """Returns what can go wrong without an error, by name: what happened, None if it did not."""
    return {}
