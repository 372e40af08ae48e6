"""A trained model with an encoder and a decoder."""

import functools
from typing import NamedTuple

import numpy as np

from dl_condind.evaluation.densities import gaussian_posteriors
from dl_condind.methods import losses
from dl_condind.runs import run
from dl_condind.utils import errors
from dl_condind.utils import run_config
from dl_condind.visualize import traversals

_SHOWN_LATENTS = 10


class Posteriors(NamedTuple):
  """Gaussian posteriors q(z|x) of images.

  Attributes:
    mean: [num, num_latent].
    stddev: Standard deviation of each latent, [num, num_latent].
    scale_tril: Cholesky factors of the covariances, [num, num_latent, num_latent].
  """

  mean: np.ndarray
  stddev: np.ndarray
  scale_tril: np.ndarray


class VAERun(run.Run):
  """A trained model with an encoder and a decoder."""

  @functools.cached_property
  def image_shape(self) -> tuple[int, ...]:
    """(height, width, channels)."""
    inputs = self.saved_model.signatures["gaussian_encoder"].structured_input_signature[1]
    return tuple(inputs["images"].shape[1:])

  @functools.cached_property
  def num_latent(self) -> int:
    """Number of latents."""
    inputs = self.saved_model.signatures["decoder"].structured_input_signature[1]
    return inputs["latent_vectors"].shape[-1]

  def posterior(self, images: np.ndarray) -> Posteriors:
    """Returns the posteriors q(z|x) of images.

    Args:
      images: [num, height, width, channels], uint8, or floating point in [0, 1].

    Raises:
      ConfigError: If they have another shape or type, or are out of range. It is a ValueError.
    """
    encoded = self._call("encode", images=run.check_images(images, self.image_shape))
    return Posteriors(encoded["mean"], np.exp(0.5 * encoded["logvar"]), encoded["scale_tril"])

  def encode(self, images: np.ndarray) -> np.ndarray:
    """Returns the means of q(z|x), [num, num_latent]; argument and errors as `posterior`."""
    return self.posterior(images).mean

  def sample(self, images: np.ndarray, seed: int = 0) -> np.ndarray:
    """Samples z = mean + L noise of each image, [num, num_latent]; errors as `posterior`.

    Args:
      images: [num, height, width, channels].
      seed: Seed of the noise.
    """
    mean, _, scale_tril = self.posterior(images)
    noise = np.random.default_rng(seed).standard_normal(mean.shape, np.float32)
    return gaussian_posteriors.place_noise(mean, scale_tril, noise[:, None])

  def decode(self, z: np.ndarray) -> np.ndarray:
    """Returns the images of latents in [0, 1], [..., height, width, channels].

    Args:
      z: [..., num_latent].

    Raises:
      ConfigError: If z has another number of latents. It is a ValueError.
    """
    z = np.asarray(z, np.float32)
    if z.shape[-1:] != (self.num_latent,):
      raise errors.ConfigError(f"z must be [..., {self.num_latent}], got {list(z.shape)}.")
    outputs = self._call("decoder", latent_vectors=z.reshape(-1, self.num_latent))["images"]
    activation = run_config.setting(self.config, "reconstruction_loss.activation")
    images = np.asarray(losses.images_of(outputs, activation))
    return images.reshape(*z.shape[:-1], *self.image_shape)

  def reconstruct(self, images: np.ndarray, seed: int | None = None) -> np.ndarray:
    """Returns what the decoder makes of the code of each image; errors as `posterior`.

    Args:
      images: [num, height, width, channels].
      seed: Seed of a sample of q(z|x) to decode; None stands for the mean.
    """
    return self.decode(self.encode(images) if seed is None else self.sample(images, seed))

  def traverse(
    self, image: np.ndarray | None = None, values: np.ndarray | None = None
  ) -> np.ndarray:
    """Returns images along each latent, [num_latent, num_values, height, width, channels].

    Args:
      image: [height, width, channels], from whose code the others differ in one latent; None
        stands for the prior's mean.
      values: Values each latent takes, [num_values]; by default seven from -2 to 2.

    Raises:
      ConfigError: As `posterior`.
    """
    base = np.zeros(self.num_latent) if image is None else self.encode(np.asarray(image)[None])[0]
    values = np.linspace(-2, 2, 7) if values is None else np.asarray(values)
    return self.decode(traversals.traverse(base, values))

  def picture(self) -> np.ndarray:
    """Returns a traversal from the prior's mean."""
    return self.traverse()[:_SHOWN_LATENTS]
