"""The relational network that picks the answer of a puzzle from the codes of its panels."""

from collections.abc import Sequence
import dataclasses

import gin
from keras import layers
import tensorflow as tf

from dl_condind.data import puzzles
from dl_condind.networks import network_parts
from dl_condind.reasoning import network_settings
from dl_condind.utils import errors

_NUM_NODES = puzzles.NUM_CONTEXT + 1  # of the graph of one answer
_MAX_UNITS = 2**14


@gin.register
@dataclasses.dataclass(eq=False)
class OptimizedWildRelNet:
  """The Wild Relation Network (Barrett et al., 2018, arXiv:1807.04225) on codes of panels.

  Each answer completes the matrix: a graph of nine nodes x_1, ..., x_9, the codes with a one-hot
  vector of their position. Its score is

    score = graph_mlp(sum_i sum_j edge_mlp([x_i, x_j]))                        i, j = 1, ..., 9

  The 64 edges between given panels are the same for every answer and are computed once. So a puzzle
  has 64 + 6 * 17 = 166 edges instead of 6 * 81 = 486, with the same result up to rounding.

  Attributes:
    edge_mlp: Number of units of each layer of edge_mlp.
    graph_mlp: Number of units of each hidden layer of graph_mlp, whose output is one number.
    dropout_in_last_graph_layer: Share of the units of the last hidden layer that are **kept** in
      training, in [0, 1]; None or 0 for all. It is disentanglement_lib's meaning, in spite of the
      name. One mask serves a whole batch, as there.
  """

  edge_mlp: Sequence[int]
  graph_mlp: Sequence[int]
  dropout_in_last_graph_layer: float | None

  def __post_init__(self):
    for name in ("edge_mlp", "graph_mlp"):
      sizes = getattr(self, name)
      if not sizes or not all(1 <= size <= _MAX_UNITS for size in sizes):
        raise errors.ConfigError(
          f"OptimizedWildRelNet.{name} must be one or more numbers of units in [1, {_MAX_UNITS}], "
          f"got {sizes}."
        )
    kept = self.dropout_in_last_graph_layer
    if kept is not None and not 0 <= kept <= 1:
      raise errors.ConfigError(
        "OptimizedWildRelNet.dropout_in_last_graph_layer must be None or in [0, 1], the share of "
        f"units that are kept, got {kept}."
      )

  def build(self, num_codes: int, settings: network_settings.NetworkSettings) -> None:
    """Makes the weights.

    Args:
      num_codes: Size of the code of a panel.
      settings: Activation, initializer and seed.

    Raises:
      ConfigError: If Keras does not know one of them.
    """
    self._activate, kernels = settings.activation_function(), settings.kernels()
    size = 2 * (num_codes + _NUM_NODES)
    self._edge_layers, size = _dense_layers(self.edge_mlp, size, kernels)
    self._graph_layers, size = _dense_layers(self.graph_mlp, size, kernels)
    (self._last,), _ = _dense_layers([1], size, kernels)

  @property
  def trainable_variables(self) -> list[tf.Variable]:
    """Weights of all layers."""
    return [v for layer in self.state().values() for v in layer.trainable_variables]

  def state(self) -> dict[str, layers.Layer]:
    """Returns the layers by name: what a checkpoint holds."""
    edges = {f"edge_{i}": layer for i, layer in enumerate(self._edge_layers)}
    graphs = {f"graph_{i}": layer for i, layer in enumerate(self._graph_layers)}
    return {**edges, **graphs, "last": self._last}

  def scores(
    self, codes: tf.Tensor, dropout_seed: tf.Tensor | None = None, num_slices: int = 1
  ) -> tf.Tensor:
    """Returns the score of each answer, `[batch, 6]`.

    Args:
      codes: Codes of the eight given panels, then of the six answers, `[batch, 14, num_codes]`.
      dropout_seed: Two integers that determine which units are dropped; None for no dropout.
      num_slices: Slices of the batch that may be worked on at the same time.
    """
    hidden = network_parts.apply_in_slices(self.sum_of_edges, codes, num_slices)
    for layer in self._graph_layers:
      hidden = self._activate(layer(hidden))
    kept = self.dropout_in_last_graph_layer
    if kept and dropout_seed is not None:
      uniform = tf.random.stateless_uniform([1, 1, hidden.shape[-1]], dropout_seed)
      hidden = tf.where(uniform < kept, hidden / kept, 0.0)
    return tf.squeeze(self._last(hidden), axis=-1)

  def sum_of_edges(self, codes: tf.Tensor) -> tf.Tensor:
    """Returns sum_i sum_j edge_mlp([x_i, x_j]) of each answer's graph, `[batch, 6, units]`."""
    first = self._edge_layers[0]
    size = first.kernel.shape[0] // 2
    # edge_mlp's first layer of [x_i, x_j] is one part of x_i plus another of x_j.
    nodes = _with_positions(codes)  # [batch, 14, size]
    to_context, to_answers = _split(_multiply(nodes, first.kernel[:size]) + first.bias)
    from_context, from_answers = _split(_multiply(nodes, first.kernel[size:]))
    shared = to_context[:, :, None] + from_context[:, None]  # [batch, 8, 8, units]
    answers = tf.concat(  # [batch, 6, 8 + 8 + 1, units]
      [
        to_context[:, None] + from_answers[:, :, None],
        to_answers[:, :, None] + from_context[:, None],
        (to_answers + from_answers)[:, :, None],
      ],
      axis=2,
    )
    num_shared = puzzles.NUM_CONTEXT**2
    units = first.units
    edges = [tf.reshape(shared, [-1, num_shared, units]), tf.reshape(answers, [-1, 6 * 17, units])]
    hidden = self._activate(tf.concat(edges, axis=1))  # [batch, 166, units]
    for layer in self._edge_layers[1:]:
      hidden = self._activate(_multiply(hidden, layer.kernel) + layer.bias)
    of_context = tf.reduce_sum(hidden[:, :num_shared], axis=1, keepdims=True)
    of_answers = tf.reshape(hidden[:, num_shared:], [-1, puzzles.NUM_ANSWERS, 17, hidden.shape[-1]])
    return of_context + tf.reduce_sum(of_answers, axis=2)


def _dense_layers(sizes, num_inputs, kernels) -> tuple[list[layers.Dense], int]:
  """Returns linear layers of some sizes, each built for the outputs of the one before."""
  made = []
  for size in sizes:
    layer = layers.Dense(size, kernel_initializer=next(kernels))
    layer.build((None, num_inputs))
    made.append(layer)
    num_inputs = size
  return made, num_inputs


def _with_positions(codes: tf.Tensor) -> tf.Tensor:
  """Returns codes with a one-hot vector of their place: 1 to 8, and 9 for each answer."""
  places = list(range(puzzles.NUM_CONTEXT)) + [puzzles.NUM_CONTEXT] * puzzles.NUM_ANSWERS
  positions = tf.one_hot(places, _NUM_NODES)[None]
  return tf.concat([codes, tf.tile(positions, [tf.shape(codes)[0], 1, 1])], axis=-1)


def _split(nodes: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
  """Returns what belongs to the given panels and what to the answers."""
  return nodes[:, : puzzles.NUM_CONTEXT], nodes[:, puzzles.NUM_CONTEXT :]


def _multiply(features: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
  """Returns features times a matrix, as one product of matrices, which is fast."""
  flat = tf.matmul(tf.reshape(features, [-1, features.shape[-1]]), kernel)
  return tf.reshape(flat, [-1, *features.shape[1:-1], kernel.shape[-1]])
