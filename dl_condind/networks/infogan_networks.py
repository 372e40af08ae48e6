"""Generator, discriminator and recognition network of InfoGAN, as Keras models.

The layers are those of Table 1 in appendix C.1 of Chen et al. (2016), arXiv:1606.03657, written
there for 28 x 28 pixels: two layers of stride 2 on either side of a quarter of the size. Kernels
start from N(0, 0.02^2), as in DCGAN (Radford et al., 2016, arXiv:1511.06434), which InfoGAN
follows. In training a batch is normalized by its own statistics, real and generated images apart;
afterwards by the moving averages of these.
"""

from collections.abc import Iterator

import keras
from keras import layers
import numpy as np

from dl_condind.networks import deconvolution
from dl_condind.networks import network_parts
from dl_condind.utils import errors
from dl_condind.utils import observations

_LEAK = 0.1
_NUM_FEATURES = 1024


def _initializers(seed: int) -> Iterator[keras.initializers.Initializer]:
  """Yields initializers of kernels with independent seeds."""
  sequence = np.random.SeedSequence(seed)
  while True:
    (child,) = sequence.spawn(1)
    yield keras.initializers.RandomNormal(stddev=0.02, seed=int(child.generate_state(1)[0] >> 1))


def _normalized(hidden: keras.KerasTensor, name: str) -> keras.KerasTensor:
  """Returns the batch normalization of the last axis."""
  return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=name)(hidden)


def generator(
  code_sizes: dict[str, int], observation_shape: tuple[int, int, int], seed: int
) -> keras.Model:
  """Builds the generator.

  Args:
    code_sizes: Number of dimensions of each part of the latent code, by its name.
    observation_shape: (height, width, channels), the first two multiples of 4.
    seed: Seed of the initial weights.

  Returns:
    Model from the parts of the latent code, each [batch, size], as a dictionary, to images in
    [0, 1], [batch, height, width, channels].

  Raises:
    ConfigError: If the data are vectors, or height or width is not a multiple of 4.
  """
  if observations.is_vector(observation_shape):
    raise errors.ConfigError(
      f"infogan takes images, got vectors of {observation_shape[0]} features: choose another "
      "dataset.name."
    )
  height, width, channels = observation_shape
  if height % 4 or width % 4:
    raise errors.ConfigError(
      f"infogan takes images whose height and width are multiples of 4, got {height} x {width}: "
      "choose another dataset.name."
    )
  kernels = _initializers(seed)
  code = {name: keras.Input((size,), name=name) for name, size in code_sizes.items()}
  hidden = layers.Concatenate()(list(code.values())) if len(code) > 1 else next(iter(code.values()))
  low_size = (height // 4, width // 4, 128)
  for index, units in enumerate((_NUM_FEATURES, int(np.prod(low_size))), start=1):
    dense = layers.Dense(units, kernel_initializer=next(kernels), use_bias=False, name=f"g{index}")
    hidden = layers.ReLU()(_normalized(dense(hidden), f"g{index}_norm"))
  hidden = layers.Reshape(low_size)(hidden)
  deconvolve = layers.Conv2DTranspose(
    64, 4, 2, "same", kernel_initializer=next(kernels), use_bias=False, name="g3"
  )
  hidden = layers.ReLU()(_normalized(deconvolve(hidden), "g3_norm"))
  logits = deconvolution.DoublingConv2DTranspose(channels, next(kernels), name="g4")(hidden)
  return keras.Model(code, layers.Activation("sigmoid", name="images")(logits), name="generator")


def feature_network(observation_shape: tuple[int, int, int], seed: int) -> keras.Model:
  """Builds what discriminator and recognition network share.

  Args:
    observation_shape: (height, width, channels).
    seed: Seed of the initial weights.

  Returns:
    Model from images, [batch, height, width, channels], to features, [batch, 1024].
  """
  kernels = _initializers(seed)
  images = keras.Input(observation_shape, name="images")
  convolve = layers.Conv2D(64, 4, 2, "same", kernel_initializer=next(kernels), name="d1")
  hidden = layers.LeakyReLU(_LEAK)(convolve(images))
  convolve = layers.Conv2D(
    128, 4, 2, "same", kernel_initializer=next(kernels), use_bias=False, name="d2"
  )
  hidden = layers.LeakyReLU(_LEAK)(_normalized(convolve(hidden), "d2_norm"))
  hidden = layers.Flatten()(hidden)
  dense = layers.Dense(_NUM_FEATURES, kernel_initializer=next(kernels), use_bias=False, name="d3")
  features = layers.LeakyReLU(_LEAK)(_normalized(dense(hidden), "d3_norm"))
  return keras.Model(images, features, name="features")


def discriminator_head(seed: int) -> keras.Model:
  """Builds the end of the discriminator: features -> logits of "real", [batch, 1]."""
  features = keras.Input((_NUM_FEATURES,), name="features")
  logits = layers.Dense(1, kernel_initializer=next(_initializers(seed)), name="logits")
  return keras.Model(features, logits(features), name="discriminator_head")


def recognition_head(
  num_continuous: int,
  num_categories: int,
  seed: int,
  initial_extra: np.ndarray | None = None,
  shares_extra: bool = False,
) -> keras.Model:
  """Builds the end of the recognition network.

  Args:
    num_continuous: Number of continuous codes.
    num_categories: Number of values of the categorical code, 0 if there is none.
    seed: Seed of the initial weights.
    initial_extra: What the posterior needs beyond mean and logvar, as it is before the training,
      [num_extra]; None stands for nothing.
    shares_extra: Whether that is the same for all images.

  Returns:
    Model from features, [batch, 1024], to a dictionary: `mean` and `logvar` of the posterior of
    the continuous codes, [batch, num_continuous], `extra`, [batch, num_extra], if there are any,
    and `categorical_logits`, [batch, num_categories], if there is a categorical code.
  """
  kernels = _initializers(seed)
  features = keras.Input((_NUM_FEATURES,), name="features")
  dense = layers.Dense(128, kernel_initializer=next(kernels), use_bias=False, name="q1")
  hidden = layers.LeakyReLU(_LEAK)(_normalized(dense(features), "q1_norm"))
  sizes = {"mean": num_continuous, "logvar": num_continuous, "categorical_logits": num_categories}
  outputs = {
    name: layers.Dense(size, kernel_initializer=next(kernels), name=name)(hidden)
    for name, size in sizes.items()
    if size
  }
  if initial_extra is not None and len(initial_extra):
    outputs["extra"] = network_parts.extra_layer(initial_extra, shares_extra)(hidden)
  return keras.Model(features, outputs, name="recognition_head")
