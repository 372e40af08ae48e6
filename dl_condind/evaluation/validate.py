"""Validation: from a stored representation to its score on a labelled sample of a data set.

A metric draws as many points as it likes, with all their factors. Validation is what a person can
do who has labelled a few observations: the same scores on one sample, with the labels of a
labeller.
"""

from collections.abc import Callable
from collections.abc import Sequence
import os
import pathlib
import time
from typing import Any

from absl import logging
import gin
import numpy as np

from dl_condind.data import labelled_samples
from dl_condind.data.ground_truth import named_data
from dl_condind.evaluation import stored_representations
from dl_condind.evaluation.metrics import fixed_data  # noqa: F401 (registers `mig_validation`, ...)
from dl_condind.evaluation.metrics import unified_scores  # noqa: F401 (registers its matrices)
from dl_condind.saved_models import saved_model
from dl_condind.utils import progress_lines
from dl_condind.utils import results
from dl_condind.utils import run_folder
from dl_condind.utils import seeds
from dl_condind.utils import stages

STEP = "validation"

# Observations, labels with a row for each, representation function.
_ValidationFn = Callable[[np.ndarray, np.ndarray, Callable], dict[str, Any]]


def validate_with_gin(
  input_dir: str | os.PathLike,
  output_dir: str | os.PathLike,
  overwrite: bool = False,
  gin_config_files: Sequence[str] = (),
  gin_bindings: Sequence[str] = (),
  trust_gin_imports: bool = False,
  trust_model: bool = False,
) -> None:
  """Validates a representation as gin files and bindings describe; see `validate`.

  `dataset.name = "auto"` stands for the data set of the representation. Only with trust_model may
  the model have operations that no model of this package has.
  """
  input_dir = pathlib.Path(input_dir)
  stages.parse_with_dataset(
    gin_config_files,
    gin_bindings,
    trust_gin_imports,
    stages.config_of(input_dir),
    named_data.DATA_SETS,
  )
  try:
    with saved_model.trusting(trust_model):
      validate(input_dir, output_dir, overwrite)
  finally:
    gin.clear_config()


@gin.configurable("validation", denylist=["input_dir", "output_dir", "overwrite"])
def validate(
  input_dir: str | os.PathLike,
  output_dir: str | os.PathLike,
  overwrite: bool = False,
  validation_fn: _ValidationFn = gin.REQUIRED,
  random_seed: int = gin.REQUIRED,
  num_labelled_samples: int = gin.REQUIRED,
  name: str = "",
) -> None:
  """Writes the score of a labelled sample into output_dir, unless it is there already.

  The sample is that of disentanglement_lib for the same seed.

  Args:
    input_dir: Folder of the representation.
    output_dir: Folder of the record.
    overwrite: Whether to replace what is there.
    validation_fn: Function (observations, labels with a row for each, representation function) ->
      results, such as `@mig_validation`.
    random_seed: Seed of the sample and its labels, and of the samples of a sampled representation.
    num_labelled_samples: Number of observations.
    name: Label for the record.

  Raises:
    DatasetError: If the representation is missing or damaged, or the data cannot be read.
    ConfigError: If a setting is out of range, labels do not fit the data set, or output_dir holds
      something made with other settings.
  """
  del name
  seeds.check_seed("validation.random_seed", random_seed)
  start_time = time.monotonic()
  input_dir, output_dir = pathlib.Path(input_dir), pathlib.Path(output_dir)
  model_dir = run_folder.StageFolder(input_dir).saved_model
  with stages.stage(output_dir, STEP, model_dir, overwrite) as stage:
    if stage.is_complete:
      return
    dataset = named_data.get_named_ground_truth_data()
    represent = stored_representations.load_representation(model_dir, random_seed)
    logging.info("Validating %s on %d labelled observations.", input_dir, num_labelled_samples)
    with progress_lines.heartbeat("Validating"):
      sample = labelled_samples.sample(
        dataset, num_labelled_samples, random_seed, labelled_samples.labeller()
      )
      values = validation_fn(sample.observations, _whole(sample.labels), represent)
    stage.finish(
      {**values, "elapsed_time": time.monotonic() - start_time},
      results.provenance(dataset.provenance(), {"random_seed": random_seed}),
      previous=input_dir,
    )
  logging.info("Validated %s.", output_dir)


def _whole(labels: np.ndarray) -> np.ndarray:
  """Returns labels as int64 if they are whole numbers, which classifiers take as classes."""
  return labels.astype(np.int64) if np.array_equal(labels, np.floor(labels)) else labels
