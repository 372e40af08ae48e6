"""Makes a model's networks of the functions or Keras models that a user gave, and checks them."""

from collections.abc import Callable
from collections.abc import Iterator
import itertools

import keras
from keras import layers
import numpy as np
import tensorflow as tf

from dl_condind.utils import errors
from dl_condind.utils import limits

Shape = tuple[int, ...]
EncoderFn = Callable[[Shape, int, int], keras.Model]  # (observation_shape, num_latent, seed)
DecoderFn = Callable[[int, Shape, int], keras.Model]  # (num_latent, observation_shape, seed)
DiscriminatorFn = Callable[[int, int], keras.Model]  # (num_latent, seed)


def check_num_latent(num_latent: int) -> None:
  """Checks a number of latents.

  Raises:
    ConfigError: If it is out of range.
  """
  if not 1 <= num_latent <= limits.MAX_LATENT:
    raise errors.ConfigError(
      f"encoder.num_latent must be in [1, {limits.MAX_LATENT}], got {num_latent}."
    )


# Layers that have an effect in training only.
_OF_TRAINING = (
  layers.AlphaDropout,
  layers.Dropout,
  layers.GaussianDropout,
  layers.GaussianNoise,
  layers.SpectralNormalization,
)


def make_encoder(
  encoder: EncoderFn | keras.Model,
  observation_shape: Shape,
  num_latent: int,
  seed: int,
  initial_extra: np.ndarray | None = None,
  shares_extra: bool = False,
) -> keras.Model:
  """Builds an encoder and checks it.

  Args:
    encoder: Function that returns a model from images to means and log variances, or such a model,
      of which a copy is made that starts from its weights.
    observation_shape: (height, width, channels).
    num_latent: Number of latents.
    seed: Seed of the initial weights.
    initial_extra: What more the posterior needs for each image, as it is before the training,
      [num_extra]; None stands for nothing. It is a third output, [batch, num_extra]. A model
      without one gets it, made of the same features as the output of the layer `means`.
    shares_extra: Whether the third output is the same for all images.

  Raises:
    ConfigError: If the model takes or returns something else.
  """
  network = _make("encoder", encoder, observation_shape, num_latent, seed)
  num_extra = 0 if initial_extra is None else len(initial_extra)
  if num_extra and shares_extra and len(network.outputs) > 2:
    raise errors.ConfigError(
      "This posterior has numbers that are the same for all images: the encoder must return means "
      f"and log variances only, got {len(network.outputs)} outputs."
    )
  if num_extra and len(network.outputs) == 2:
    network = _with_extra_output(network, initial_extra, shares_extra)
  outputs = [(1, num_latent), (1, num_latent), (1, num_extra)]
  _check_network("encoder", encoder, network, observation_shape, outputs[: 3 if num_extra else 2])
  return network


def _with_extra_output(encoder: keras.Model, initial: np.ndarray, is_shared: bool) -> keras.Model:
  """Returns an encoder with one more output, of the features that its means are made of."""
  if is_shared:
    features = encoder.outputs[0]  # Any will do.
  elif "means" in [layer.name for layer in encoder.layers]:
    features = encoder.get_layer("means").input
  else:
    raise errors.ConfigError(
      f"This posterior needs {len(initial)} numbers per image beyond means and log variances: the "
      "encoder must return them as a third output, or have a layer named 'means'."
    )
  outputs = [*encoder.outputs, extra_layer(initial, is_shared)(features)]
  return keras.Model(encoder.inputs, outputs, name="encoder")


def extra_layer(initial: np.ndarray, is_shared: bool) -> layers.Layer:
  """Returns a layer from features to [batch, num_extra] that starts at `initial` for all inputs."""
  if is_shared:
    return SharedOutput(initial, name="extra")
  return layers.Dense(
    len(initial),
    kernel_initializer="zeros",
    bias_initializer=keras.initializers.Constant(initial) if np.any(initial) else "zeros",
    name="extra",
  )


class SharedOutput(layers.Layer):
  """Trained numbers that do not depend on the input, [batch, num]."""

  def __init__(self, initial: np.ndarray, **keywords):
    """Creates the layer.

    Args:
      initial: The numbers before the training, [num].
      **keywords: Those of a Keras layer.
    """
    super().__init__(**keywords)
    self._initial = initial

  def build(self, input_shape):
    """Makes the weights."""
    del input_shape
    initializer = keras.initializers.Constant(self._initial)
    self.values = self.add_weight(shape=self._initial.shape, initializer=initializer)

  def call(self, inputs):
    """Returns the numbers once for each row of the input."""
    return tf.tile(tf.convert_to_tensor(self.values)[None], [tf.shape(inputs)[0], 1])

  def compute_output_shape(self, input_shape):
    """Returns [batch, num]."""
    return (input_shape[0], *self._initial.shape)


def make_decoder(
  decoder: DecoderFn | keras.Model, num_latent: int, observation_shape: Shape, seed: int
) -> keras.Model:
  """Builds a decoder, latents -> logits of images, and checks it. Arguments as `make_encoder`."""
  network = _make("decoder", decoder, num_latent, observation_shape, seed)
  _check_network("decoder", decoder, network, (num_latent,), [(1, *observation_shape)])
  return network


def make_discriminator(
  discriminator: DiscriminatorFn | keras.Model, num_latent: int, seed: int
) -> keras.Model:
  """Builds FactorVAE's discriminator, latents -> two logits, and checks it."""
  network = _make("discriminator", discriminator, num_latent, seed)
  _check_network("discriminator", discriminator, network, (num_latent,), [(1, 2)])
  return network


def _make(name: str, network: Callable[..., keras.Model] | keras.Model, *arguments) -> keras.Model:
  if not callable(network):
    raise errors.ConfigError(
      f"{name} must be a function that returns a Keras model, or such a model, got {network!r}."
    )
  if isinstance(network, keras.Model):
    made = keras.models.clone_model(network)
    made.set_weights(network.get_weights())
  else:
    made = network(*arguments)
  if not isinstance(made, keras.Model):
    raise errors.ConfigError(
      f"{name}.{name}_fn must return a Keras model, got a {type(made).__name__}."
    )
  # The statistics of a given model stay as they are; those of a new one would be none.
  is_given = isinstance(network, keras.Model)
  without_effect = _OF_TRAINING if is_given else (*_OF_TRAINING, layers.BatchNormalization)
  for layer in _layers_of(made):
    if isinstance(layer, without_effect):
      raise errors.ConfigError(
        f"The {name} has a layer of the class {type(layer).__name__}. Networks do the same in "
        "training and afterwards, so it would have no effect: leave it out, or take a layer such "
        "as LayerNormalization."
      )
  return made


def _layers_of(model: keras.Model) -> Iterator[layers.Layer]:
  """Yields the layers of a model and of models within it."""
  for layer in model.layers:
    yield layer
    if isinstance(layer, keras.Model):
      yield from _layers_of(layer)


def _check_network(
  name: str,
  source: Callable[..., keras.Model] | keras.Model,
  network: keras.Model,
  inputs: Shape,
  outputs: list[Shape],
) -> None:
  """Checks what a network takes and returns for a single input."""
  is_model = isinstance(source, keras.Model)
  setting = f"{name} must be" if is_model else f"{name}.{name}_fn must return"
  try:
    returned = network(tf.zeros([1, *inputs]))
    if isinstance(returned, dict):
      raise errors.ConfigError(
        f"{setting} a model whose outputs are a list in their order, got a dictionary."
      )
    found = [tuple(output.shape) for output in tf.nest.flatten(returned)]
  except errors.ConfigError:  # A ValueError itself.
    raise
  except (ValueError, tf.errors.InvalidArgumentError) as error:
    problem = str(error).splitlines()[0]
    raise errors.ConfigError(
      f"{setting} a model that takes [batch, {', '.join(map(str, inputs))}]: {problem}"
    ) from error
  if network.losses:
    raise errors.ConfigError(
      f"{setting} a model without losses of its own, such as those of kernel_regularizer: they are "
      "not part of the objective. Add a penalty by an objective of your own."
    )
  if found != outputs:
    raise errors.ConfigError(
      f"{setting} a model whose outputs for a single input have the shapes {outputs}, got {found}."
    )


def apply_in_slices(network: keras.Model, inputs: tf.Tensor, num_slices: int):
  """Applies a network to slices of the batch, which TensorFlow can run at the same time.

  The result is the network's on the whole batch up to rounding. On a CPU this uses the cores better
  than splitting each convolution does.

  Args:
    network: Model without state that depends on other members of the batch.
    inputs: [batch, ...].
    num_slices: Number of slices; a batch that is smaller, or of unknown size, is not sliced.
  """
  batch_size = inputs.shape[0]
  if num_slices == 1 or batch_size is None or batch_size < num_slices:
    return network(inputs)
  bounds = np.linspace(0, batch_size, num_slices + 1).astype(int)
  outputs = [network(inputs[start:end]) for start, end in itertools.pairwise(bounds)]
  return tf.nest.map_structure(lambda *slices: tf.concat(slices, axis=0), *outputs)
