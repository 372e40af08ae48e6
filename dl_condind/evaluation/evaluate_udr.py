"""Unsupervised disentanglement ranking: from stored representations to one record of all."""

from collections.abc import Callable
from collections.abc import Sequence
import os
import pathlib
import time
from typing import Any

from absl import logging
import gin
import numpy as np

from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.data.ground_truth import named_data
from dl_condind.evaluation import evaluate  # noqa: F401 (registers `evaluation`)
from dl_condind.evaluation import representation
from dl_condind.evaluation import stored_representations
from dl_condind.evaluation.metrics import udr  # noqa: F401 (registers `udr_sklearn`)
from dl_condind.evaluation.metrics import vae_terms
from dl_condind.saved_models import saved_model
from dl_condind.utils import configs
from dl_condind.utils import errors
from dl_condind.utils import files
from dl_condind.utils import progress_lines
from dl_condind.utils import results
from dl_condind.utils import run_folder
from dl_condind.utils import seeds
from dl_condind.utils import stages

STEP = "udr"

_EvaluationFn = Callable[
  [ground_truth_data.GroundTruthData, Sequence[Callable], np.random.RandomState], dict[str, Any]
]

# What may differ between models that are compared.
_OWN_SETTINGS = ("model.random_seed", "model.model_num", "model.name")


def evaluate_with_gin(
  input_dirs: Sequence[str],
  output_dir: str | os.PathLike,
  overwrite: bool = False,
  gin_config_files: Sequence[str] = (),
  gin_bindings: Sequence[str] = (),
  trust_gin_imports: bool = False,
  trust_model: bool = False,
) -> None:
  """Ranks the models of several representations as gin files and bindings describe.

  `dataset.name = "auto"` stands for the data set of the first representation. The function and the
  seed are bound as `udr.evaluation_fn` and `udr.random_seed` or, as in disentanglement_lib, as
  `evaluation.evaluation_fn` and `evaluation.random_seed`.

  Args:
    input_dirs: Folders of representations, or patterns of them.
    output_dir: Folder of the record.
    overwrite: Whether to replace what is there.
    gin_config_files: gin files that are read first.
    gin_bindings: gin bindings that are read last.
    trust_gin_imports: Whether gin files may import any module.
    trust_model: Whether models may have operations that no model of this package has.

  Raises:
    DatasetError: If a representation is missing or damaged.
    ConfigError: If there are fewer than two, or they come from trainings that differ in more than
      their seed, a setting has both names, or output_dir holds something made with other settings.
  """
  folders = stages.matching_representations(input_dirs)
  for folder in folders:
    results.check_recorded_model(run_folder.StageFolder(folder).saved_model)
  _check_same_training(folders)
  digests = [
    files.manifest_digest(run_folder.StageFolder(folder).saved_model) for folder in folders
  ]
  stages.parse_with_dataset(
    gin_config_files,
    [*gin_bindings, f"udr.input_sha256 = {digests}"],
    trust_gin_imports,
    run_folder.StageFolder(folders[0]).results.gin_file("postprocess"),
    named_data.DATA_SETS,
  )
  try:
    _take_names_of_evaluation()
    with saved_model.trusting(trust_model):
      evaluate_models(folders, pathlib.Path(output_dir), overwrite)
  finally:
    gin.clear_config()


def _take_names_of_evaluation() -> None:
  """Binds to `udr` what the configuration binds to `evaluation`."""
  for name in ("evaluation_fn", "random_seed"):
    value = configs.bound(f"evaluation.{name}")
    if value is None:
      continue
    if configs.bound(f"udr.{name}") is not None:
      raise errors.ConfigError(
        f"udr.{name} and evaluation.{name} are two names of one setting: bind one of them."
      )
    with gin.unlock_config():
      gin.bind_parameter(f"udr.{name}", value)


def _check_same_training(folders: Sequence[pathlib.Path]) -> None:
  """Checks that trainings differ in their seed only."""
  first = _training(folders[0])
  for folder in folders[1:]:
    other = _training(folder)
    different = sorted(
      key for key in first.keys() | other.keys() if first.get(key) != other.get(key)
    )
    if different:
      raise errors.ConfigError(
        f"udr compares models trained with the same settings, {folder} differs from {folders[0]} "
        f"in {', '.join(different)}: leave it out."
      )


def _training(folder: pathlib.Path) -> dict[str, object]:
  record = results.read_aggregate(run_folder.StageFolder(folder).results.flat("postprocess"))
  prefix = "train_config."
  settings = {key.removeprefix(prefix): record[key] for key in record if key.startswith(prefix)}
  return {key: value for key, value in settings.items() if key not in _OWN_SETTINGS}


@gin.configurable("udr", denylist=["input_dirs", "output_dir", "overwrite"])
def evaluate_models(
  input_dirs: Sequence[pathlib.Path],
  output_dir: pathlib.Path,
  overwrite: bool = False,
  evaluation_fn: _EvaluationFn = gin.REQUIRED,
  random_seed: int = gin.REQUIRED,
  input_sha256: Sequence[str] = (),
) -> None:
  """Writes the ranking of models into output_dir, unless it is there already.

  Args:
    input_dirs: Folders of the representations.
    output_dir: Folder of the record.
    overwrite: Whether to replace what is there.
    evaluation_fn: Function (data set, representation functions, random state) -> results.
    random_seed: Seed of the observations.
    input_sha256: Digest of each representation, which makes them part of the settings.

  Raises:
    ConfigError: If output_dir holds something made with other settings.
  """
  del input_sha256
  seeds.check_seed("udr.random_seed", random_seed)
  start_time = time.monotonic()
  with stages.stage(
    output_dir, STEP, run_folder.StageFolder(input_dirs[0]).saved_model, overwrite
  ) as stage:
    if stage.is_complete:
      return
    dataset = named_data.get_named_ground_truth_data()
    functions = [
      gaussian_function(run_folder.StageFolder(folder).saved_model) for folder in input_dirs
    ]
    logging.info("Comparing %d models.", len(functions))
    with progress_lines.heartbeat(f"Comparing {len(functions)} models"):
      values = evaluation_fn(dataset, functions, np.random.RandomState(random_seed))
    stage.finish(
      {
        **values,
        "input_dirs": [str(folder) for folder in input_dirs],
        "elapsed_time": time.monotonic() - start_time,
      },
      results.provenance(dataset.provenance(), {"random_seed": random_seed}),
      previous=input_dirs[0],
    )
  for folder, score in zip(input_dirs, values["model_scores"], strict=True):
    logging.info("UDR of %s: %.4f", folder, score)


def gaussian_function(path: pathlib.Path) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
  """Returns observations -> (means of q(z|x), KL of each latent averaged over observations).

  The KL is that of the marginal of each latent, also where the posterior is correlated.

  Args:
    path: Folder of the SavedModel.
  """
  represent = stored_representations.load_representation(path)
  encode = representation.model_function(represent, "gaussian_encoder", "udr")

  def function(observations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    posterior = encode(observations)
    return posterior["mean"], vae_terms.kl_per_latent(posterior["mean"], posterior["logvar"])

  return function
