"""A model of two stages that solves puzzles: panels -> codes -> scores of the answers."""

from collections.abc import Callable
from collections.abc import Mapping
import dataclasses
import types
from typing import Any
from typing import ClassVar

import gin
import keras
import numpy as np
import tensorflow as tf

from dl_condind.data import puzzles
from dl_condind.methods import optimizers
from dl_condind.reasoning import embeddings
from dl_condind.reasoning import network_settings
from dl_condind.reasoning import relational_network
from dl_condind.utils import errors


@gin.register(denylist=["activation", "kernel_initializer"])
@dataclasses.dataclass(eq=False)
class TwoStageModel:
  """Embeds each panel by itself, scores the answers, and minimizes their softmax cross-entropy.

  Attributes:
    embedding_model_class: The first stage: "values" or "onehot" of the factors, an
      `embeddings.Embedding`, or a class or function that makes one.
    reasoning_model_class: The second stage, an `OptimizedWildRelNet`, or a class or function that
      makes one.
    optimizer_fn: Function without arguments -> Keras optimizer, or an optimizer, whose settings are
      copied; None stands for Adam, with a learning rate of 0.001 unless gin binds another one.
    activation: Activation of all hidden layers; see `network_settings.NetworkSettings`.
    kernel_initializer: Initializer of all kernels; see there.
    embedding: The first stage, made by `build`.
    network: The second stage, made by `build`.
    num_slices: Number of slices of the batch that may be worked on at the same time, set after.
  """

  embedding_model_class: str | Callable[..., Any]
  reasoning_model_class: Callable[..., Any]
  optimizer_fn: Callable[..., keras.optimizers.Optimizer] | None = None
  _: dataclasses.KW_ONLY
  activation: network_settings.Activation = "relu"
  kernel_initializer: network_settings.Initializer = "lecun_normal"
  num_slices: int = dataclasses.field(default=1, init=False)

  main_losses: ClassVar[tuple[str, ...]] = ("loss", "accuracy")
  negative_losses: ClassVar[Mapping[str, str]] = types.MappingProxyType({})

  def make_stages(self) -> None:
    """Makes both stages, without weights.

    Raises:
      ConfigError: If they are something else.
    """
    self.embedding = embeddings.make(self.embedding_model_class)
    made = self.reasoning_model_class
    network = made if isinstance(made, relational_network.OptimizedWildRelNet) else made()
    if not isinstance(network, relational_network.OptimizedWildRelNet):
      raise errors.ConfigError(
        "TwoStageModel.reasoning_model_class must make an OptimizedWildRelNet, got a "
        f"{type(network).__name__}."
      )
    self.network = network

  def build(self, made: puzzles.Puzzles, seed: int) -> None:
    """Makes the weights, after `make_stages`, without reading any image.

    Args:
      made: The puzzles to solve.
      seed: Seed of the initial weights.

    Raises:
      ConfigError: If a part does not fit.
      DatasetError: If a stored model is missing or damaged.
    """
    words = np.random.SeedSequence(seed).generate_state(2) >> 1  # TensorFlow's are signed.
    settings = network_settings.NetworkSettings(self.activation, self.kernel_initializer)
    of_embedding, of_network = (dataclasses.replace(settings, seed=int(word)) for word in words)
    self.embedding.build(made, of_embedding)
    self.network.build(self.embedding.num_codes, of_network)
    self._optimizer = optimizers.make(self.optimizer_fn or optimizers.adam(0.001))
    self._optimizer.build(self.trainable_variables)

  def prepare(self, made: puzzles.Puzzles) -> puzzles.Puzzles:
    """Returns the same puzzles, of whose panels batches have what the embedding sees.

    Raises:
      DatasetError: If the data cannot be read.
    """
    self.embedding.prepare(made)
    return made.seen_as(self.embedding.sees)

  @property
  def trainable_variables(self) -> list[tf.Variable]:
    """Weights of both stages, as far as they are trained."""
    return [*self.embedding.trainable_variables, *self.network.trainable_variables]

  def scores(self, panels: tf.Tensor, seed: tf.Tensor, in_training: bool = False) -> tf.Tensor:
    """Returns the score of each answer, `[batch, 6]`.

    Args:
      panels: What the embedding sees, `[batch, 14, ...]`.
      seed: Two integers that determine every random draw.
      in_training: Whether units are dropped.
    """
    seeds = tf.random.split(seed, 2)
    codes = self.embedding.codes(panels, seeds[0])
    return self.network.scores(codes, seeds[1] if in_training else None, self.num_slices)

  def compute_losses(
    self, batch: puzzles.PuzzleBatch, seed: tf.Tensor, in_training: bool = False
  ) -> dict[str, tf.Tensor]:
    """Returns `loss`, nats, and `accuracy`, averaged over a batch."""
    scores = self.scores(batch.panels, seed, in_training)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(batch.position, scores)
    is_right = tf.argmax(scores, axis=1, output_type=batch.position.dtype) == batch.position
    return {
      "loss": tf.reduce_mean(losses),
      "accuracy": tf.reduce_mean(tf.cast(is_right, tf.float32)),
    }

  def train_step(self, batch: puzzles.PuzzleBatch, seed: tf.Tensor) -> dict[str, tf.Tensor]:
    """Updates the weights once and returns the losses before, with units dropped."""
    variables = self.trainable_variables
    with tf.GradientTape() as tape:
      scalars = self.compute_losses(batch, seed, in_training=True)
    optimizers.apply(self._optimizer, tape.gradient(scalars["loss"], variables), variables)
    return scalars

  def state(self) -> dict[str, tf.__internal__.tracking.Trackable]:
    """Returns everything that training changes, by name."""
    return {**self.embedding.state(), **self.network.state(), "optimizer": self._optimizer}

  def problems(self) -> dict[str, str | None]:
    """Returns silent failures of training, of which there are none."""
    return {}
