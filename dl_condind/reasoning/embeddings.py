"""Embeddings: from the panels of puzzles to their codes.

An embedding says what of a panel it sees, so that batches hold no images where factors or numbers
of rows are enough. Those of a stored model are frozen: each panel is encoded once, before the
training, where there are finitely many.
"""

import abc
from collections.abc import Callable
import pathlib
from typing import ClassVar

import gin
import keras
from keras import layers
import numpy as np
import tensorflow as tf

from dl_condind.data import puzzles
from dl_condind.methods import image_inputs
from dl_condind.reasoning import network_settings
from dl_condind.reasoning import panel_codes
from dl_condind.utils import errors
from dl_condind.utils import observations

VALUES, ONE_HOT = "values", "onehot"


class Embedding(abc.ABC):
  """What a network of the second stage gets to see of a panel.

  Attributes:
    sees: What of the panels it needs: `puzzles.FACTORS`, `ROWS` or `IMAGES`. At the latest,
      `prepare` sets it.
    num_codes: Size of the code of a panel, set by `build`.
  """

  sees: str
  num_codes: int

  @property
  def model_path(self) -> pathlib.Path | None:
    """Folder of the SavedModel that it was made of, None if of none."""
    return None

  @abc.abstractmethod
  def build(self, made: puzzles.Puzzles, settings: network_settings.NetworkSettings) -> None:
    """Makes what is trained, without reading any image.

    Args:
      made: The puzzles.
      settings: Activation, initializer and seed of its network, if it has one.

    Raises:
      ConfigError: If it does not fit their panels.
    """

  def prepare(self, made: puzzles.Puzzles) -> None:  # noqa: B027 (Few have anything to prepare.)
    """Reads the panels of puzzles, once, where that saves time in each step.

    Raises:
      DatasetError: If the data cannot be read.
    """

  @abc.abstractmethod
  def codes(self, panels: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Returns the codes of panels, `[batch, 14, num_codes]`.

    Args:
      panels: What `sees` says, `[batch, 14, ...]`.
      seed: Two integers that determine its noise, if it has any.
    """

  @property
  def trainable_variables(self) -> list[tf.Variable]:
    """What is trained together with the network of the second stage."""
    return []

  def state(self) -> dict[str, tf.__internal__.tracking.Trackable]:
    """Returns what training changes, by name."""
    return {}


class FactorValues(Embedding):
  """The factors themselves, the n values of each evenly spaced from -1/2 to 1/2."""

  sees = puzzles.FACTORS

  def build(self, made: puzzles.Puzzles, settings: network_settings.NetworkSettings) -> None:
    """Takes the numbers of values."""
    del settings
    self._num_values = made.data.factors_num_values
    self.num_codes = len(self._num_values)

  def codes(self, panels: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Returns v / (n - 1) - 1/2 for each factor."""
    del seed
    largest = tf.constant(self._num_values, tf.float32) - 1
    return tf.cast(panels, tf.float32) / largest - 0.5


class OneHotFactors(Embedding):
  """The factors as one-hot vectors, side by side."""

  sees = puzzles.FACTORS

  def build(self, made: puzzles.Puzzles, settings: network_settings.NetworkSettings) -> None:
    """Takes the numbers of values."""
    del settings
    self._num_values = made.data.factors_num_values
    self.num_codes = sum(self._num_values)

  def codes(self, panels: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Returns a one-hot vector of each factor, concatenated."""
    del seed
    one_hot = [tf.one_hot(panels[:, :, i], size) for i, size in enumerate(self._num_values)]
    return tf.concat(one_hot, axis=-1)


@gin.register
class BaselineCNNEmbedder(Embedding):
  """A convolutional network that is trained together with the second stage.

  Four convolutions of 4 x 4 pixels with stride 2 and 32, 32, 64 and 64 channels; the code is all of
  the last one's output, of images of 64 x 64 pixels 1024 numbers.
  """

  sees = puzzles.IMAGES
  _CHANNELS: ClassVar[tuple[int, ...]] = (32, 32, 64, 64)

  def __init__(self, num_latent: int | None = None):
    """Describes the network.

    Args:
      num_latent: Has no effect, as in disentanglement_lib, whose files set it.
    """
    del num_latent

  def build(self, made: puzzles.Puzzles, settings: network_settings.NetworkSettings) -> None:
    """Makes the network.

    Raises:
      ConfigError: If panels are vectors.
    """
    shape = made.data.observation_shape
    if observations.is_vector(shape):
      raise errors.ConfigError(
        f"BaselineCNNEmbedder takes images, and {made.data.name} has vectors of {shape[0]} "
        "features: choose another embedding."
      )
    activate, kernels = settings.activation_function(), settings.kernels()
    hidden = images = keras.Input(shape)
    for channels in self._CHANNELS:
      layer = layers.Conv2D(channels, 4, 2, padding="same", kernel_initializer=next(kernels))
      hidden = layers.Activation(activate)(layer(hidden))
    self._network = keras.Model(images, layers.Flatten()(hidden))
    self.num_codes = self._network.output_shape[-1]

  def prepare(self, made: puzzles.Puzzles) -> None:
    """Checks the panels of a puzzle.

    Raises:
      DatasetError: If a value is outside [0, 1], or the data cannot be read.
    """
    images = made.seen_as(puzzles.IMAGES).sample(1, np.random.RandomState(0)).panels[0]
    image_inputs.check_observations(images, made.data.name)

  def codes(self, panels: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Returns the output of the network for each panel."""
    del seed
    flat = tf.reshape(panels, [-1, *panels.shape[2:]])
    return tf.reshape(self._network(flat), [-1, puzzles.NUM_PANELS, self.num_codes])

  @property
  def trainable_variables(self) -> list[tf.Variable]:
    """Weights of the convolutions."""
    return self._network.trainable_variables

  def state(self) -> dict[str, tf.__internal__.tracking.Trackable]:
    """Returns the network."""
    return {"embedding": self._network}


@gin.register
class HubEmbedding(Embedding):
  """The representation of a trained model, which stays as it is.

  It has disentanglement_lib's name, though the model is a SavedModel. A sampled representation
  draws new noise every time a panel is seen, as there. Panels of data that know the rows of every
  combination of factors are encoded once, before the training, others in every step.

  Attributes:
    hub_path: Folder of the SavedModel.
  """

  def __init__(self, hub_path: str | None = None):
    """Names the model.

    Args:
      hub_path: Folder of the SavedModel of a representation, such as
        `postprocessed/mean/saved_model`; None stands for that of the input folder of the stage.
    """
    self.hub_path = hub_path

  @property
  def model_path(self) -> pathlib.Path | None:
    """Folder of the SavedModel."""
    return None if self.hub_path is None else pathlib.Path(self.hub_path)

  def build(self, made: puzzles.Puzzles, settings: network_settings.NetworkSettings) -> None:
    """Loads the model.

    Raises:
      ConfigError: If no model is named, it has no representation, or its images have another size.
      DatasetError: If the model is missing, damaged or not harmless.
    """
    del settings
    if self.model_path is None:
      raise errors.ConfigError(
        "HubEmbedding needs a trained model: name the folder of its representation by input_dir, "
        "such as output/vae/postprocessed/mean."
      )
    self._encoder = panel_codes.StoredEncoder(self.model_path, made.data.observation_shape)
    self.num_codes = self._encoder.num_latent

  def prepare(self, made: puzzles.Puzzles) -> None:
    """Encodes all panels, if there are finitely many.

    Raises:
      DatasetError: If the data cannot be read.
    """
    self._table = panel_codes.encode_all(self._encoder, made) if made.data.has_rows else None
    self.sees = puzzles.IMAGES if self._table is None else puzzles.ROWS

  def codes(self, panels: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Returns the representation of each panel."""
    shape = [tf.shape(panels)[0] * puzzles.NUM_PANELS, self.num_codes]
    noise = tf.random.stateless_normal(shape, seed)
    if self._table is None:
      images = tf.reshape(panels, [-1, *panels.shape[2:]])
      codes = self._encoder.represent(images, noise)
    else:
      codes = self._table.look_up(tf.reshape(panels, [-1]), noise)
    return tf.stop_gradient(tf.reshape(codes, [-1, puzzles.NUM_PANELS, self.num_codes]))


_NAMED: dict[str, Callable[[], Embedding]] = {VALUES: FactorValues, ONE_HOT: OneHotFactors}


def make(name_or_class: str | Callable[[], Embedding] | Embedding) -> Embedding:
  """Returns an embedding.

  Args:
    name_or_class: "values", "onehot", an embedding, or a class or function that makes one.

  Raises:
    ConfigError: If it is something else.
  """
  if isinstance(name_or_class, Embedding):
    return name_or_class
  if isinstance(name_or_class, str):
    if name_or_class not in _NAMED:
      raise errors.ConfigError(
        f"TwoStageModel.embedding_model_class must be '{VALUES}', '{ONE_HOT}', "
        f"@BaselineCNNEmbedder or @HubEmbedding, got {name_or_class!r}."
      )
    return _NAMED[name_or_class]()
  made = name_or_class()
  if not isinstance(made, Embedding):
    raise errors.ConfigError(
      f"TwoStageModel.embedding_model_class must make an Embedding, got a {type(made).__name__}."
    )
  return made
