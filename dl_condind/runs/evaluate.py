"""Evaluating a run from Python, with the records that the programs write."""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from dl_condind.data import batches
from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.evaluation import evaluate as evaluate_stage
from dl_condind.evaluation import metric as metric_protocol
from dl_condind.evaluation import scoring
from dl_condind.runs import run
from dl_condind.saved_models import saved_model
from dl_condind.training import gin_description
from dl_condind.utils import configs
from dl_condind.utils import errors
from dl_condind.utils import gin_texts
from dl_condind.utils import gin_types
from dl_condind.utils import results

Metric = str | Callable[..., dict[str, Any]]
_NOT_NUMBERS = ("elapsed_time", "uuid")


@errors.on_one_line()
def evaluate(
  trained: run.Run,
  data: ground_truth_data.GroundTruthData,
  metrics: Sequence[Metric],
  *,
  representation: str = "mean",
  settings: Mapping[str, Any] | None = None,
  seed: int = 0,
  overwrite: bool = False,
) -> dict[str, dict[str, Any]]:
  """Returns what metrics find in a run, by the metric's name.

  The settings are those of the metric's file in `gin_configs/metrics`, and the record goes where
  `dl_condind_reproduce` writes it: `metrics/{representation}/{metric}` next to the model. What is
  there already is read. A metric that is a function is computed in every call and has no record.
  A line says which metric is next; DCI takes the longest, minutes with 10,000 points.

  Args:
    trained: The run.
    data: The data set to sample from.
    metrics: Names, such as "mig" (the gin files have these names), or functions of
      disentanglement_lib's signature.
    representation: "mean" or "sampled". An InfoGAN has none: its metrics need the model itself.
    settings: Other values by their gin names, such as `{"mig.num_train": 1000}`. Those of a metric
      are for that metric alone, others, such as `discretizer.num_bins`, for all that are named. Of
      a function they are its arguments, after its name and a dot.
    seed: Seed of all draws, in [0, 2**32).
    overwrite: Whether to replace records that are there.

  Raises:
    ValueError: If there is no metric of this name, it refuses the model or the data, or a record of
      other settings is there.
    DatasetError: If data, model or record are damaged.
  """
  if not isinstance(trained, run.Run):
    raise errors.ConfigError(
      f"The first argument must be a run of dl.train or dl.load, got a {type(trained).__name__}. "
      "Metrics of dl_condind.evaluation.metrics take codes and factors as arrays."
    )
  if not isinstance(data, ground_truth_data.GroundTruthData):
    hint = ": give the data set they are of" if isinstance(data, batches.Batches) else ""
    what = data.what if isinstance(data, batches.Batches) else f"a {type(data).__name__}"
    raise errors.ConfigError(f"data must be a data set to sample from, got {what}{hint}.")
  bindings = [
    f"{key} = {value}"
    for key, value in gin_description.dataset_bindings(data).items()
    if gin_types.is_known(key.rpartition(".")[0])  # Classes of the user may have no gin name.
  ]
  files = {m: _file_of(m, trained.metrics_folder) for m in metrics if isinstance(m, str)}
  functions = [metric.__name__ for metric in metrics if callable(metric)]
  settings_of = _divide(settings or {}, files, functions)
  name, stage = trained.evaluated(representation, data)
  found = {}
  for number, metric in enumerate(metrics, start=1):
    metric_name = metric if isinstance(metric, str) else metric.__name__
    print(f"Evaluating {metric_name}, {number} of {len(metrics)}", flush=True)
    if callable(metric):
      with saved_model.trusting(trained.trust_model):
        represent = evaluate_stage.load_evaluated(stage.path, seed)
      found[metric_name] = scoring.evaluate_metric(
        data, represent, metric, seed, settings_of[metric_name]
      )
    else:
      output_dir = trained.folder.metric(name, metric).path
      evaluate_stage.evaluate_with_gin(
        stage.path,
        output_dir,
        overwrite,
        [files[metric]],
        [
          *bindings,
          *(
            f"{key} = {gin_description.gin_text(value)}"
            for key, value in settings_of[metric].items()
          ),
          f"evaluation.random_seed = {seed}",
        ],
        trust_model=trained.trust_model,
        dataset=data,
      )
      record = results.read_results(output_dir, evaluate_stage.STEP)
      found[metric] = {key: record[key] for key in record if key not in _NOT_NUMBERS}
  return found


def _file_of(metric: str, folder: str) -> str:
  """Returns the gin file of a metric.

  Args:
    metric: Its name.
    folder: Folder of `gin_configs` with the metrics of a kind of model.

  Raises:
    ConfigError: If there is none.
  """
  names = [path.stem for path in (gin_texts.gin_config_folder() / folder).glob("*.gin")]
  if metric not in names:
    raise errors.ConfigError(
      f"metrics must be among {', '.join(sorted(names))}, or functions, got {metric!r}"
      f"{gin_types.did_you_mean(metric, names) or '.'}"
    )
  return f"{folder}/{metric}.gin"


def _divide(
  settings: Mapping[str, Any], files: Mapping[str, str], functions: Sequence[str]
) -> dict[str, dict[str, Any]]:
  """Returns the settings for each metric, so that its record does not depend on the others.

  Args:
    settings: Values by their gin names.
    files: Metric -> its gin file.
    functions: Names of the metrics that are functions. Their settings come without this name.

  Raises:
    ConfigError: If a setting is that of a metric which is not evaluated, or of none.
  """
  folder = gin_texts.gin_config_folder()
  gin_names = {
    metric: str(configs.query(folder / path, "evaluation.evaluation_fn")).removeprefix("@")
    for metric, path in files.items()
  }
  divided: dict[str, dict[str, Any]] = {metric: {} for metric in [*files, *functions]}
  for key, value in settings.items():
    owner, _, parameter = key.partition(".")
    is_own = owner in metric_protocol.load_all()
    if owner in functions:
      divided[owner][parameter] = value
    elif is_own and owner not in gin_names.values():
      raise errors.ConfigError(f"{key} is a setting of {owner}, which is not among the metrics.")
    elif not files:
      raise errors.ConfigError(
        f"{key} is a setting of no metric that is evaluated: those of a function begin with its "
        f"name, such as {functions[0] if functions else 'my_metric'}.num_train."
      )
    else:
      for metric in files:
        if not is_own or owner == gin_names[metric]:
          divided[metric][key] = value
  return divided
