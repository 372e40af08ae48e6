"""What a training needs of a model, whatever kind of model it is."""

import abc
from collections.abc import Callable
from collections.abc import Mapping
import dataclasses
import inspect
import types
from typing import Any
from typing import ClassVar
from typing import Self

import gin
import keras
import tensorflow as tf

from dl_condind.data import batches as batches_of_data
from dl_condind.utils import errors

Trackable = tf.__internal__.tracking.Trackable

VAE, INFOGAN, OTHER = "vae", "infogan", "other"


class _ModelClass(abc.ABCMeta):
  """A class that shows the parameters of its `__init__`; `Model.__new__` takes any."""

  @property
  def __signature__(cls) -> inspect.Signature:
    signature = inspect.signature(cls.__init__)
    parameters = list(signature.parameters.values())[1:]  # Without `self`.
    return signature.replace(parameters=parameters, return_annotation=signature.empty)


@dataclasses.dataclass(eq=False)
class Model(metaclass=_ModelClass):
  """A model that can be built, trained step by step, saved and exported.

  A subclass is a dataclass: its fields are its hyperparameters, and by keyword only its parts, such
  as networks and optimizers, which have defaults. A subclass may instead have an `__init__` of its
  own that takes hyperparameters only, as disentanglement_lib's have; its parts can be set after it.
  The constructor makes no weights: `build` does, and replaces functions that make a network or an
  optimizer by what they make.

  Attributes:
    kind: The kind of model, which goes into the record of the training: `VAE` is a model with an
      encoder and a decoder, `INFOGAN` one with a generator and a recognition network, `OTHER` one
      that can be trained and exported, but neither evaluated nor reported.
    main_losses: Names of the losses that a message about the progress shows.
    negative_losses: Name of a main loss -> what it means that it is negative, where it can be.
    learns_from: The kind of batches that it learns from.
    num_slices: Number of slices of the batch that the networks may work on at the same time. The
      training loop sets it.
    observation_shape: (height, width, channels), or (features,) of vectors, set by `build`.
  """

  kind: ClassVar[str] = OTHER
  main_losses: ClassVar[tuple[str, ...]]
  negative_losses: ClassVar[Mapping[str, str]] = types.MappingProxyType({})
  learns_from: ClassVar[type[batches_of_data.Batches]] = batches_of_data.Images
  num_slices: ClassVar[int] = 1

  def __new__(cls, *args, **kwargs) -> Self:
    """Gives the model its default parts, whichever `__init__` follows."""
    del args, kwargs
    model = super().__new__(cls)
    for field in parts(cls):
      setattr(model, field.name, field.default)
    return model

  def check_batches(self, batches: batches_of_data.Batches) -> None:
    """Checks that the model can learn from batches, before it is built.

    Raises:
      ConfigError: If it cannot.
    """
    if not isinstance(batches, self.learns_from):
      raise errors.ConfigError(
        f"{type(self).__name__} learns from {self.learns_from.what}, got {batches.what}: "
        f"{self.learns_from.how_to_make}."
      )

  @abc.abstractmethod
  def build(self, observation_shape: tuple[int, ...], seed: int) -> None:
    """Makes the networks, with weights that depend on the seed alone.

    Args:
      observation_shape: (height, width, channels), or (features,) of vectors.
      seed: Seed of the initial weights.

    Raises:
      ConfigError: If networks or posterior do not fit.
    """

  @abc.abstractmethod
  def compute_losses(self, batch: Any, seed: tf.Tensor) -> dict[str, tf.Tensor]:
    """Returns scalars, averaged over the batch, among them the main losses. Changes nothing.

    Args:
      batch: A nest of tensors in the structure that `learns_from` draws; of single observations,
        [batch, *observation_shape].
      seed: Two integers that determine every random draw.
    """

  @abc.abstractmethod
  def train_step(self, batch: Any, seed: tf.Tensor) -> dict[str, tf.Tensor]:
    """Updates the weights once and returns losses of the weights before."""

  @abc.abstractmethod
  def state(self) -> dict[str, Trackable]:
    """Returns everything that training changes, by name: what a checkpoint holds."""

  @abc.abstractmethod
  def exported(self) -> tuple[tf.Module, Mapping[str, Any]]:
    """Returns what a SavedModel is made of: a module, and its functions by name."""

  def exported_variables(self) -> list[keras.Variable]:
    """Returns the variables of the networks that are exported, in the order of the networks.

    Raises:
      ConfigError: If the model does not tell them apart.
    """
    raise errors.ConfigError(f"{type(self).__name__} cannot start from the weights of another run.")

  def problems(self) -> dict[str, str | None]:
    """Returns silent failures of training: name -> description, or None if it did not occur."""
    return {}


def parts(model: Model | type[Model]) -> list[dataclasses.Field]:
  """Returns the fields of a model that are parts: those given by keyword only."""
  return [field for field in dataclasses.fields(model) if field.kw_only]


def register(name: str) -> Callable[[type[Model]], type[Model]]:
  """Returns a decorator that gives a model's hyperparameters a name in gin.

  Its parts have gin names of their own, such as `encoder.encoder_fn`; see `gin_parts`.
  """

  def decorate(model: type[Model]) -> type[Model]:
    return gin.register(name, denylist=[field.name for field in parts(model)])(model)

  return decorate
