"""A stored InfoGAN as functions of NumPy arrays."""

import os

import numpy as np

from dl_condind.saved_models import network_layers
from dl_condind.saved_models import stored_model
from dl_condind.utils import errors

_SIGNATURES = ("generator", "recognition_network")


class StoredInfoGAN:
  """A generator with its recognition network.

  Attributes:
    num_continuous: Number of continuous codes.
    num_noise: Number of noise dimensions.
    num_categories: Number of values of the categorical code, 0 if there is none.
    image_shape: (height, width, channels).
  """

  def __init__(self, path: str | os.PathLike):
    """Loads it.

    Args:
      path: Folder of the SavedModel.

    Raises:
      ConfigError: If it is no InfoGAN.
      DatasetError: If it is missing, damaged or not harmless.
    """
    self._model = stored_model.StoredModel(path)
    if not all(name in self._model for name in _SIGNATURES):
      raise errors.ConfigError(
        f"{path} holds no InfoGAN, it lacks {' and '.join(_SIGNATURES)}: name the folder of a "
        "trained InfoGAN. (A VAE is postprocessed before it is evaluated.)"
      )
    (self.num_continuous,) = self._model.row_shape("generator", "continuous")
    (self.num_noise,) = self._model.row_shape("generator", "noise")
    self.num_categories = 0
    if self._model.takes("generator", "categorical"):
      (self.num_categories,) = self._model.row_shape("generator", "categorical")
    self.image_shape = self._model.row_shape("recognition_network", "images")

  def generate(
    self, continuous: np.ndarray, noise: np.ndarray, categories: np.ndarray | None
  ) -> np.ndarray:
    """Returns the images of codes.

    Args:
      continuous: `[num, num_continuous]`.
      noise: `[num, num_noise]`.
      categories: Whole numbers in [0, num_categories), `[num]`; None if there is no categorical
        code.

    Returns:
      float32 `[num, height, width, channels]` in [0, 1].
    """
    inputs = {"continuous": continuous, "noise": noise}
    if self.num_categories:
      inputs["categorical"] = np.eye(self.num_categories)[categories]
    return self._call("generator", **inputs)["images"]

  def recognize(self, images: np.ndarray) -> dict[str, np.ndarray]:
    """Returns what the recognition network says of images.

    Args:
      images: `[num, height, width, channels]` in [0, 1].

    Returns:
      `mean` and `logvar`, `[num, num_continuous]`, `scale_tril`, `[num, num_continuous,
      num_continuous]`, and `categorical_logits`, `[num, num_categories]`, if there is a categorical
      code.
    """
    return self._call("recognition_network", images=images)

  def generator_layers(self) -> network_layers.Network:
    """Returns the generator as plain layers.

    Raises:
      ConfigError: If it consists of something else.
    """
    return self._model.layers("generator")

  def _call(self, name: str, **inputs: np.ndarray) -> dict[str, np.ndarray]:
    inputs = {key: np.asarray(value, np.float32) for key, value in inputs.items()}
    return self._model.call_in_chunks(name, **inputs)
