"""Evaluation: from a stored representation to the record of a metric."""

from collections.abc import Callable
from collections.abc import Sequence
import functools
import importlib
import inspect
import itertools
import json
import os
import pathlib
import re
import time
from typing import Any

from absl import logging
import gin

from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.data.ground_truth import named_data
from dl_condind.evaluation import metric
from dl_condind.evaluation import representation
from dl_condind.evaluation import scoring
from dl_condind.evaluation import side_by_side
from dl_condind.evaluation import stored_representations
from dl_condind.evaluation.infogan import coded_generator
from dl_condind.evaluation.infogan import stored_generators
from dl_condind.saved_models import saved_model
from dl_condind.utils import configs
from dl_condind.utils import errors
from dl_condind.utils import files
from dl_condind.utils import gin_texts
from dl_condind.utils import progress_lines
from dl_condind.utils import results
from dl_condind.utils import run_folder
from dl_condind.utils import seeds
from dl_condind.utils import stages

STEP = "evaluation"

metric.load_all()  # Gin knows their names, and those of noise, from here on.
importlib.import_module("dl_condind.posteriors")

_Represented = Callable | coded_generator.CodedGenerator
# With several representations `evaluate_udr` calls it, whose files bind `evaluation`, too.
_EvaluationFn = Callable[
  [ground_truth_data.GroundTruthData, _Represented | Sequence[Callable]], dict[str, Any]
]


def evaluate_with_gin(
  input_dir: str | os.PathLike,
  output_dir: str | os.PathLike,
  overwrite: bool = False,
  gin_config_files: Sequence[str] = (),
  gin_bindings: Sequence[str] = (),
  trust_gin_imports: bool = False,
  trust_model: bool = False,
  dataset: ground_truth_data.GroundTruthData | None = None,
) -> None:
  """Evaluates the metric that gin files and bindings describe; see `evaluate`.

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
      evaluate(input_dir, output_dir, overwrite, dataset=dataset)
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
  trust_model: bool = False,
) -> tuple[list[side_by_side.Record], list[str]]:
  """Evaluates one metric or several, on one representation or on all of a model, side by side.

  What is there already is left as it is. A metric that cannot be evaluated here, such as one that
  sets factors on a data set without a complete grid, does not keep the others from it.

  Args:
    input_dir: Folder of a representation, or of folders of representations, such as
      `postprocessed`.
    output_dir: Folder to write to: the record itself, or a folder of the name of each
      representation, if there are several, and in it one of the name of each gin file, if there is
      a pattern.
    pattern: Pattern of gin files, each of one metric, in the working directory or else in
      `gin_configs`; None if gin_config_files describe one metric.
    overwrite: Whether to replace what is there.
    gin_config_files: gin files that are read first.
    gin_bindings: gin bindings that are read last.
    trust_gin_imports: Whether gin files may import any module.
    trust_model: Whether models may have operations that no model of this package has.

  Returns:
    The records, and what kept each other metric from being evaluated.

  Raises:
    DatasetError: If there is no representation.
    ConfigError: If no file matches, two have one name or one is not valid, before anything is
      evaluated; or if there is one metric only, and it cannot be evaluated.
    TryAgainError: If a folder is in use or the disk is full.
  """
  input_dir, output_dir = pathlib.Path(input_dir), pathlib.Path(output_dir)
  metrics = {"": []} if pattern is None else gin_texts.matching_files(pattern)
  for path in metrics.values():
    configs.parse([*gin_config_files, *path], gin_bindings, trust_gin_imports)
  names = stages.representations_in(input_dir)
  failures, records = [], []
  for i, (name, stem) in enumerate(itertools.product(names, metrics), start=1):
    directory = output_dir / name / stem
    logging.info("[%d/%d] %s", i, len(names) * len(metrics), directory)
    try:
      evaluate_with_gin(
        input_dir / name,
        directory,
        overwrite,
        [*gin_config_files, *metrics[stem]],
        gin_bindings,
        trust_gin_imports,
        trust_model,
      )
      records.append(side_by_side.Record(name, stem or output_dir.name, directory))
    except (ValueError, errors.DivergedError) as error:
      if len(names) * len(metrics) == 1:
        raise
      message = str(error).splitlines()[0]  # gin appends lines of its own.
      logging.error("%s: %s", directory, message)
      failures.append(f"{directory.relative_to(output_dir)}: {message}")
  return records, failures


@gin.configurable("evaluation", denylist=["input_dir", "output_dir", "overwrite", "dataset"])
def evaluate(
  input_dir: str | os.PathLike,
  output_dir: str | os.PathLike,
  overwrite: bool = False,
  evaluation_fn: _EvaluationFn = gin.REQUIRED,
  random_seed: int = gin.REQUIRED,
  name: str = "",
  dataset: ground_truth_data.GroundTruthData | None = None,
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
    dataset: The data set; None stands for the one that gin's configuration names.

  Raises:
    DatasetError: If the representation is missing or damaged.
    ConfigError: If output_dir holds something made with other settings, or the function takes
      several representations.
  """
  del name
  seeds.check_seed("evaluation.random_seed", random_seed)
  if "representation_functions" in inspect.signature(evaluation_fn).parameters:
    raise errors.ConfigError(
      "evaluation.evaluation_fn compares several models: call dl_condind_udr with this "
      "configuration."
    )
  start_time = time.monotonic()
  input_dir, output_dir = pathlib.Path(input_dir), pathlib.Path(output_dir)
  model_dir = run_folder.StageFolder(input_dir).saved_model
  data = None if dataset is None else _identity_of(dataset)
  with stages.stage(output_dir, STEP, model_dir, overwrite, data=data) as stage:
    if stage.is_complete:
      return
    bound = configs.bound("evaluation.evaluation_fn")  # Such as @mig; None if a caller passed it.
    metric_name = str(bound or output_dir.name).removeprefix("@")
    logging.info("Computing %s of %s.", metric_name, input_dir)
    dataset = dataset or _shared(named_data.get_named_ground_truth_data())
    represent = load_evaluated(input_dir, random_seed)
    with progress_lines.heartbeat(f"Computing {metric_name}"):
      values = scoring.evaluate_metric(dataset, represent, evaluation_fn, random_seed)
    stage.finish(
      {**values, "elapsed_time": time.monotonic() - start_time},
      results.provenance(dataset.provenance(), {"random_seed": random_seed}),
      previous=input_dir,
    )
  numbers = {key: round(value, 4) for key, value in side_by_side.main_numbers(values).items()}
  logging.info("Evaluated %s: %s", output_dir, numbers)


def _identity_of(dataset: ground_truth_data.GroundTruthData) -> dict[str, str]:
  """Returns what distinguishes a data set from others with its name."""
  options = re.sub(r" at 0x[0-9a-f]+", "", repr(dict(dataset.options)))
  return {"dataset_sha256": str(dataset.provenance()["sha256"]), "dataset_options": options}


_data_sets: dict[str, ground_truth_data.GroundTruthData] = {}


def _shared(dataset: ground_truth_data.GroundTruthData) -> ground_truth_data.GroundTruthData:
  """Returns the first data set like this one in this process, whose encodings are remembered."""
  key = json.dumps(dataset.provenance(), sort_keys=True)
  return _data_sets.setdefault(key, dataset)


def load_evaluated(input_dir: pathlib.Path, random_seed: int) -> _Represented:
  """Loads the model in a folder for metrics: a representation or an InfoGAN."""
  if stages.config_of(input_dir).stem == "train":
    return stored_generators.load_generator(input_dir)
  model_dir = run_folder.StageFolder(input_dir).saved_model
  digest, path = files.manifest_digest(model_dir), str(model_dir.resolve())
  return _load(path, digest, random_seed, saved_model.is_trusting())


@functools.lru_cache(maxsize=2)
def _load(
  path: str, digest: str, random_seed: int, is_trusting: bool
) -> representation.Representation:
  del digest, is_trusting  # A model that was loaded in trust is not returned to others.
  return stored_representations.load_representation(path, random_seed)
