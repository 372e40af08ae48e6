"""A stored VAE as functions of NumPy arrays.

What is called images here may be vectors, of the shape (features,): then their values may be any
finite numbers.
"""

import os
from typing import NamedTuple

import numpy as np

from dl_condind.methods import losses
from dl_condind.saved_models import network_layers
from dl_condind.saved_models import stored_model
from dl_condind.utils import errors


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


class StoredVAE:
  """An encoder and a decoder whose images are in [0, 1], or vectors of any range.

  Attributes:
    num_latent: Number of latents.
    image_shape: (height, width, channels), or (features,) of vectors.
  """

  def __init__(self, path: str | os.PathLike, activation: str):
    """Loads it.

    Args:
      path: Folder of the SavedModel.
      activation: What the decoder's outputs are: "logits", "tanh" or "linear".

    Raises:
      ConfigError: If it is no VAE.
      DatasetError: If it is missing, damaged or not harmless.
    """
    self._model = stored_model.StoredModel(path)
    self._activation = activation
    if "gaussian_encoder" not in self._model:
      raise errors.ConfigError(
        f"{path} holds no VAE. If it is an InfoGAN: make its pictures with "
        "dl_condind_visualize_infogan."
      )
    (self.num_latent,) = self._model.row_shape("decoder", "latent_vectors")
    self.image_shape = self._model.row_shape("gaussian_encoder", "images")

  def posterior(self, images: np.ndarray) -> Posteriors:
    """Returns the posteriors q(z|x) of images.

    Args:
      images: [num, height, width, channels], float32 in [0, 1] or uint8.
    """
    function = "encode" if images.dtype == np.uint8 else "gaussian_encoder"
    encoded = self._model.call_in_chunks(function, images=images)
    return Posteriors(encoded["mean"], np.exp(0.5 * encoded["logvar"]), encoded["scale_tril"])

  def decode(self, z: np.ndarray) -> np.ndarray:
    """Returns the images of latents, [..., height, width, channels].

    Args:
      z: [..., num_latent].
    """
    flat = np.reshape(z, (-1, self.num_latent)).astype(np.float32)
    outputs = self._model.call_in_chunks("decoder", latent_vectors=flat)
    return self._images_of(outputs).reshape(*np.shape(z)[:-1], *self.image_shape)

  def reconstruct(self, images: np.ndarray) -> np.ndarray:
    """Returns the image of one sample of q(z|x) for each image, float32 as they are.

    The noise of the n-th call after loading is always the same.
    """
    return self._images_of(self._model.call("reconstructions", images=images))

  def decoder_layers(self) -> network_layers.Network:
    """Returns the decoder as plain layers, the last of which returns images in [0, 1].

    Raises:
      ConfigError: If it consists of something else, or its outputs are the pixels themselves.
    """
    if self._activation == "linear":
      raise errors.ConfigError(
        'The model has the activation "linear": a page shows models of images in [0, 1], with '
        '"logits" or "tanh".'
      )
    network = self._model.layers("decoder")
    *others, last = network.layers
    if last.activation != "linear":
      raise errors.ConfigError(
        f"The last layer of the decoder has the activation {last.activation}: a page shows "
        "decoders whose last layer is linear."
      )
    scale = 1 if self._activation == "logits" else 2  # tanh(x) / 2 + 1/2 = sigmoid(2 x)
    last = last._replace(weights=scale * last.weights, bias=scale * last.bias, activation="sigmoid")
    return network._replace(layers=[*others, last])

  def _images_of(self, outputs: dict[str, np.ndarray]) -> np.ndarray:
    return np.asarray(losses.images_of(outputs["images"], self._activation))
