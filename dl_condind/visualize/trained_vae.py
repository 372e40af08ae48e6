"""The model of a run with the data set it was trained on."""

import os
import pathlib

import gin

from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.data.ground_truth import named_data
from dl_condind.methods import losses
from dl_condind.saved_models import stored_vae
from dl_condind.utils import configs
from dl_condind.utils import errors
from dl_condind.utils import run_folder
from dl_condind.utils import stages


class TrainedVAE(stored_vae.StoredVAE):
  """A stored VAE and its data.

  Attributes:
    dataset: The data set it was trained on.
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
    config = folder.results.gin_file("train")
    activation = "logits"
    if config.is_file():
      activation = str(configs.query(config, "reconstruction_loss.activation"))
    super().__init__(folder.saved_model, activation)
    if not config.is_file():
      raise errors.DatasetError(f"No {config}: finish the training first.")
    try:
      losses.check_activation(activation)
    except errors.ConfigError as error:
      raise errors.ConfigError(f"{config}: {error}") from error
    self.dataset = dataset_of(config, trust_gin_imports)


def dataset_of(
  config: pathlib.Path, trust_gin_imports: bool = False
) -> ground_truth_data.GroundTruthData:
  """Returns the data set of a stage, its factors drawn independently.

  Args:
    config: The stage's gin file.
    trust_gin_imports: Whether to run the modules that the stage imported.

  Raises:
    ConfigError: If the configuration is damaged, or needs an import that is not trusted.
  """
  same = ['dataset.name = "auto"']
  stages.parse_with_dataset([], same, trust_gin_imports, config, named_data.DATA_SETS)
  try:
    return named_data.get_named_ground_truth_data()
  finally:
    gin.clear_config()
