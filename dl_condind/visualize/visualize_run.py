"""Pictures of a trained model, whatever kind of model it is."""

import os

from absl import logging

from dl_condind.utils import results
from dl_condind.utils import run_config
from dl_condind.visualize import visualize_infogan
from dl_condind.visualize import visualize_model


def visualize_run(
  model_dir: str | os.PathLike,
  output_dir: str | os.PathLike,
  overwrite: bool = False,
  trust_gin_imports: bool = False,
  trust_model: bool = False,
) -> None:
  """Writes the pictures of a model's kind into output_dir, unless they are there already.

  Args:
    model_dir: Folder of the trained model.
    output_dir: Folder of the pictures; replaced as a whole.
    overwrite: Whether to replace pictures of another model.
    trust_gin_imports: Whether to run the modules that the training imported.
    trust_model: Whether the model may have operations that no model of this package has.

  Raises:
    DatasetError: If the model is missing or damaged, or its data set cannot be read.
    ConfigError: If output_dir holds something else, or the data set needs an import that is not
      trusted.
  """
  kind = run_config.kind(results.read_record(model_dir, "train"))
  if kind == run_config.VAE:
    visualize_model.visualize_model(
      model_dir,
      output_dir,
      overwrite,
      trust_gin_imports=trust_gin_imports,
      trust_model=trust_model,
    )
  elif kind == run_config.INFOGAN:
    visualize_infogan.visualize_infogan([model_dir], output_dir, overwrite, trust_model=trust_model)
  else:
    logging.info("There are no pictures of a model of the kind %r.", kind)
