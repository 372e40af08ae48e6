"""Evaluation: from a stored representation to the record of a metric."""

from collections.abc import Callable
from collections.abc import Sequence
import functools
import glob
import json
import os
import pathlib
import time
from typing import Any
import zlib

from absl import logging
import gin
import numpy as np
import tensorflow as tf

from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.data.ground_truth import named_data
from dl_condind.evaluation import representation
from dl_condind.evaluation import unified_scores  # noqa: F401 (for its gin names, as below)
from dl_condind.evaluation import validation  # noqa: F401
from dl_condind.evaluation.metrics import beta_vae  # noqa: F401
from dl_condind.evaluation.metrics import dci  # noqa: F401
from dl_condind.evaluation.metrics import downstream_task  # noqa: F401
from dl_condind.evaluation.metrics import factor_vae  # noqa: F401
from dl_condind.evaluation.metrics import fairness  # noqa: F401
from dl_condind.evaluation.metrics import irs  # noqa: F401
from dl_condind.evaluation.metrics import mig  # noqa: F401
from dl_condind.evaluation.metrics import modularity_explicitness  # noqa: F401
from dl_condind.evaluation.metrics import reduced_downstream_task  # noqa: F401
from dl_condind.evaluation.metrics import sap_score  # noqa: F401
from dl_condind.evaluation.metrics import strong_downstream_task  # noqa: F401
from dl_condind.evaluation.metrics import total_correlation  # noqa: F401
from dl_condind.evaluation.metrics import unsupervised_metrics  # noqa: F401
from dl_condind.evaluation.metrics import vae_terms  # noqa: F401
from dl_condind.methods import saved_models
from dl_condind.utils import errors
from dl_condind.utils import files
from dl_condind.utils import results
from dl_condind.utils import stages

STEP = "evaluation"


def evaluate_with_gin(
  input_dir: str | os.PathLike,
  output_dir: str | os.PathLike,
  overwrite: bool = False,
  gin_config_files: Sequence[str] = (),
  gin_bindings: Sequence[str] = (),
  trust_gin_imports: bool = False,
) -> None:
  """Evaluates the metric that gin files and bindings describe; see `evaluate`.

  `dataset.name = "auto"` stands for the data set of the representation.
  """
  input_dir = pathlib.Path(input_dir)
  stages.parse_with_dataset(
    gin_config_files,
    gin_bindings,
    trust_gin_imports,
    input_dir / "results" / "gin" / "postprocess.gin",
  )
  try:
    evaluate(input_dir, output_dir, overwrite)
  finally:
    gin.clear_config()


def evaluate_each(
  input_dir: str | os.PathLike,
  output_dir: str | os.PathLike,
  pattern: str | None = None,
  overwrite: bool = False,
  gin_config_files: Sequence[str] = (),
  gin_bindings: Sequence[str] = (),
  trust_gin_imports: bool = False,
) -> None:
  """Evaluates the metric of each gin file that matches a pattern, into a folder of its name.

  Args:
    input_dir: Folder of the representation.
    output_dir: Folder of the metrics' folders; of the one metric where there is no pattern.
    pattern: Pattern of gin files, or None if gin_config_files describe one metric.
    overwrite: Whether to replace what is there.
    gin_config_files: gin files that are read first.
    gin_bindings: gin bindings that are read last.
    trust_gin_imports: Whether gin files may import any module.

  Raises:
    ConfigError: If no file matches.
  """
  options = (gin_bindings, trust_gin_imports)
  if pattern is None:
    evaluate_with_gin(input_dir, output_dir, overwrite, gin_config_files, *options)
    return
  paths = sorted(glob.glob(pattern, recursive=True))
  if not paths:
    raise errors.ConfigError(f"No gin file matches {pattern!r}.")
  for path in paths:
    evaluate_with_gin(
      input_dir,
      pathlib.Path(output_dir) / pathlib.Path(path).stem,
      overwrite,
      [*gin_config_files, path],
      *options,
    )


@gin.configurable("evaluation", denylist=["input_dir", "output_dir", "overwrite"])
def evaluate(
  input_dir: str | os.PathLike,
  output_dir: str | os.PathLike,
  overwrite: bool = False,
  evaluation_fn: Callable[..., dict[str, Any]] = gin.REQUIRED,
  random_seed: int = gin.REQUIRED,
  name: str = "",
) -> None:
  """Writes the value of a metric into output_dir, unless it is there already.

  In a process the data set and the representation are loaded once, and metrics that draw the same
  points from the same seed share their encodings.

  Args:
    input_dir: Folder of the representation.
    output_dir: Folder of the metric's record.
    overwrite: Whether to replace what is there.
    evaluation_fn: Function (data set, representation, random state) -> results.
    random_seed: Seed of the points, and of the samples of a sampled representation.
    name: Label for the record.

  Raises:
    DatasetError: If the representation is missing or damaged.
    ConfigError: If output_dir holds something made with other settings.
  """
  del name
  if not 0 <= random_seed < 2**32:
    raise errors.ConfigError(f"evaluation.random_seed must be in [0, 2**32), got {random_seed}.")
  start_time = time.monotonic()
  input_dir, output_dir = pathlib.Path(input_dir), pathlib.Path(output_dir)
  model_dir = input_dir / "saved_model"
  with stages.stage(output_dir, STEP, model_dir, overwrite) as stage:
    if stage.is_complete:
      return
    dataset = _shared(named_data.get_named_ground_truth_data())
    represent = _load(str(model_dir.resolve()), files.manifest_digest(model_dir), random_seed)
    values = evaluation_fn(dataset, represent, random_state=np.random.RandomState(random_seed))
    stage.finish(
      {**values, "elapsed_time": time.monotonic() - start_time},
      results.provenance(dataset.provenance(), {"random_seed": random_seed}),
      previous=input_dir,
    )
  logging.info("Evaluated %s: %s", output_dir, _scalars(values))


def _scalars(values: dict[str, Any]) -> dict[str, float]:
  return {
    key: round(value, 4)
    for key, value in values.items()
    if isinstance(value, int | float) and "." not in key
  }


_data_sets: dict[str, ground_truth_data.GroundTruthData] = {}


def _shared(dataset: ground_truth_data.GroundTruthData) -> ground_truth_data.GroundTruthData:
  """Returns the first data set like this one in this process, whose encodings are remembered."""
  key = json.dumps(dataset.provenance(), sort_keys=True)
  return _data_sets.setdefault(key, dataset)


@functools.lru_cache(maxsize=2)
def _load(path: str, digest: str, random_seed: int) -> representation.Representation:
  del digest
  return load_representation(path, random_seed)


def load_representation(
  path: str | os.PathLike, random_seed: int = 0
) -> representation.Representation:
  """Loads a representation written by postprocessing.

  Noise is a function of random_seed and of the observations passed together, so evaluations can be
  repeated and do not depend on what was evaluated before.

  Args:
    path: Folder of the SavedModel.
    random_seed: Seed of the noise.

  Raises:
    DatasetError: If it is missing or was changed.
    ConfigError: If it is a model without a representation.
  """
  signatures = saved_models.load(path).signatures
  if "seeded_representation" not in signatures:
    raise errors.ConfigError(f"{path} holds a model but no representation: postprocess it first.")
  shape = signatures["seeded_representation"].structured_input_signature[1]["images"].shape

  def call(name: str, observations: np.ndarray, seeded: bool) -> dict[str, np.ndarray]:
    if not shape.is_compatible_with(observations.shape):
      raise errors.ConfigError(
        f"The model at {path} takes observations of shape {shape.as_list()}, got "
        f"{list(observations.shape)}: evaluate it on the data set it was trained on."
      )
    observations = np.ascontiguousarray(observations, dtype=np.float32)
    inputs = {"images": tf.constant(observations)}
    if seeded:
      words = np.array([random_seed, zlib.crc32(observations) >> 1], np.uint32)
      inputs["seed"] = tf.constant(words.view(np.int32))  # TensorFlow's seeds are signed.
    return {key: value.numpy() for key, value in signatures[name](**inputs).items()}

  return representation.Representation(
    lambda observations: call("seeded_representation", observations, True)["default"],
    gaussian_encoder=lambda observations: call("gaussian_encoder", observations, False),
    elbo_terms=lambda observations: call("elbo_terms", observations, True),
  )
