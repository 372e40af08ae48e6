"""A stored InfoGAN as functions of NumPy arrays."""

from typing import Any

import numpy as np
import tensorflow as tf

from dl_condind.methods import model_errors
from dl_condind.utils import errors

SIGNATURES = ("generator", "recognition_network")
_CHUNK = 1000  # images; large enough to be fast, small enough for any memory


def is_infogan(signatures: dict[str, Any]) -> bool:
  """Returns whether a stored model has the signatures of an InfoGAN."""
  return all(name in signatures for name in SIGNATURES)


class StoredInfoGAN:
  """A generator with its recognition network.

  Attributes:
    num_continuous: Number of continuous codes.
    num_noise: Number of noise dimensions.
    num_categories: Number of values of the categorical code, 0 if there is none.
  """

  def __init__(self, model: Any):
    """Takes a model.

    Args:
      model: What `saved_models.load` returned. It is kept, for it owns the weights.

    Raises:
      ConfigError: If it is no InfoGAN.
      DatasetError: If it is damaged.
    """
    if not is_infogan(model.signatures):
      raise errors.ConfigError(
        f"This model is no InfoGAN, it lacks {' and '.join(SIGNATURES)}: name the folder of a "
        "trained InfoGAN. (A VAE is postprocessed before it is evaluated.)"
      )
    self._model = model
    with model_errors.clear_errors("This InfoGAN"):
      inputs = model.signatures["generator"].structured_input_signature[1]
      sizes = {name: spec.shape[-1] for name, spec in inputs.items()}
      self.num_continuous = sizes["continuous"]
      self.num_noise = sizes["noise"]
      self.num_categories = sizes.get("categorical", 0)

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
    return self._call("generator", inputs)["images"]

  def recognize(self, images: np.ndarray) -> dict[str, np.ndarray]:
    """Returns what the recognition network says of images.

    Args:
      images: `[num, height, width, channels]` in [0, 1].

    Returns:
      `mean` and `logvar`, `[num, num_continuous]`, `scale_tril`, `[num, num_continuous,
      num_continuous]`, and `categorical_logits`, `[num, num_categories]`, if there is a categorical
      code.
    """
    return self._call("recognition_network", {"images": images})

  def _call(self, name: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    function = self._model.signatures[name]
    chunks = []
    for start in range(0, len(next(iter(inputs.values()))), _CHUNK):
      chunk = {key: values[start : start + _CHUNK] for key, values in inputs.items()}
      tensors = {key: tf.constant(values, tf.float32) for key, values in chunk.items()}
      with model_errors.clear_errors("This InfoGAN"):
        chunks.append(function(**tensors))
    return {key: np.concatenate([chunk[key].numpy() for chunk in chunks]) for key in chunks[0]}
