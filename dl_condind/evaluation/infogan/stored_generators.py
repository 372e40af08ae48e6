"""Trained InfoGANs as what a metric sees of them."""

import os
import pathlib

import numpy as np

from dl_condind.evaluation.infogan import coded_generator
from dl_condind.evaluation.infogan import digit_classifier
from dl_condind.saved_models import stored_infogan
from dl_condind.utils import configs
from dl_condind.utils import errors
from dl_condind.utils import gin_texts
from dl_condind.utils import run_config
from dl_condind.utils import run_folder


def load_generator(model_dir: str | os.PathLike) -> coded_generator.CodedGenerator:
  """Loads a trained InfoGAN, whose images gin's `digit_classifier` classifies.

  Args:
    model_dir: Folder of the trained model.

  Raises:
    DatasetError: If the model is missing or damaged.
    ConfigError: If the model is no InfoGAN.
  """
  model_dir = pathlib.Path(model_dir)
  stage = run_folder.StageFolder(model_dir)
  model = stored_infogan.StoredInfoGAN(stage.saved_model)
  config = stage.results.gin_file("train")
  if not config.is_file():
    raise errors.DatasetError(f"No {config}: finish the training first.")
  method = run_config.method(configs.values_of(gin_texts.read(config)))
  prior = str(configs.query(config, f"{method}.continuous_prior"))

  def generate(codes: coded_generator.Codes) -> np.ndarray:
    return model.generate(codes.continuous, codes.noise, codes.categories)

  return coded_generator.CodedGenerator(
    num_continuous=model.num_continuous,
    num_noise=model.num_noise,
    num_categories=model.num_categories,
    continuous_prior=prior,
    generate=generate,
    recognize=model.recognize,
    load_classifier=digit_classifier.load_classifier,
  )
