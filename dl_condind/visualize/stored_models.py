"""A stored model as functions from arrays to images."""

import os
import pathlib

import gin
import numpy as np
import tensorflow as tf

from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.data.ground_truth import named_data
from dl_condind.methods import losses
from dl_condind.methods import model_errors
from dl_condind.methods import saved_models
from dl_condind.utils import configs
from dl_condind.utils import errors
from dl_condind.utils import run_folder
from dl_condind.utils import stages


class StoredModel:
  """A trained model whose images are in [0, 1].

  Attributes:
    dataset: The data set it was trained on.
    num_latent: Number of latents.
  """

  def __init__(self, model_dir: str | os.PathLike, trust_gin_imports: bool = False):
    """Loads the model of a run.

    Args:
      model_dir: Folder of the trained model.
      trust_gin_imports: Whether to run the modules that its training imported.

    Raises:
      DatasetError: If the model is missing or damaged.
      ConfigError: If its configuration is, it is an InfoGAN, or its data set needs an import that
        is not trusted.
    """
    folder = run_folder.StageFolder(pathlib.Path(model_dir))
    self._model = saved_models.load(folder.saved_model)  # It owns the weights.
    self._signatures = self._model.signatures
    if "gaussian_encoder" not in self._signatures:
      raise errors.ConfigError(
        f"{model_dir} holds no VAE. If it is an InfoGAN: make its pictures with "
        "dl_condind_visualize_infogan."
      )
    config = folder.results.gin_file("train")
    if not config.is_file():
      raise errors.DatasetError(f"No {config}: finish the training first.")
    self._activation = configs.query(config, "reconstruction_loss.activation")
    if self._activation not in ("logits", "tanh"):
      raise errors.ConfigError(
        f'{config}: reconstruction_loss.activation must be "logits" or "tanh", got '
        f"{self._activation!r}."
      )
    self.dataset = _dataset_of(config, trust_gin_imports)
    self._name = f"The model of {model_dir}"
    with model_errors.clear_errors(self._name):
      inputs = self._signatures["decoder"].structured_input_signature[1]
      self.num_latent = inputs["latent_vectors"].shape[-1]

  def encode(self, observations: np.ndarray) -> np.ndarray:
    """Returns the means of q(z|x), [batch, num_latent]."""
    with model_errors.clear_errors(self._name):
      return self._signatures["gaussian_encoder"](images=_tensor(observations))["mean"].numpy()

  def decode(self, z: np.ndarray) -> np.ndarray:
    """Returns the images of latents of any shape [..., num_latent], flat: [num, ...]."""
    z = _tensor(z.reshape(-1, self.num_latent))
    with model_errors.clear_errors(self._name):
      outputs = self._signatures["decoder"](latent_vectors=z)
      return losses.images_of(outputs["images"], self._activation).numpy()

  def reconstruct(self, observations: np.ndarray) -> np.ndarray:
    """Returns the images of one sample of q(z|x) for each observation.

    The noise of the n-th call after loading is always the same.
    """
    with model_errors.clear_errors(self._name):
      outputs = self._signatures["reconstructions"](images=_tensor(observations))
      return losses.images_of(outputs["images"], self._activation).numpy()


def _tensor(values: np.ndarray) -> tf.Tensor:
  return tf.constant(values, tf.float32)


def _dataset_of(config: pathlib.Path, trust_gin_imports: bool) -> ground_truth_data.GroundTruthData:
  """Returns the data set of a training, its factors drawn independently."""
  same = ['dataset.name = "auto"']
  stages.parse_with_dataset([], same, trust_gin_imports, config, named_data.DATA_SETS)
  try:
    return named_data.get_named_ground_truth_data()
  finally:
    gin.clear_config()
