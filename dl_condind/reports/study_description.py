"""What was run in a study and what is missing, as texts for a page."""

from collections.abc import Iterable
from collections.abc import Sequence
import shlex
from typing import NamedTuple

from dl_condind.reports import families
from dl_condind.reports import measures
from dl_condind.reports import next_steps
from dl_condind.reports import sentences
from dl_condind.reports import study_runs
from dl_condind.studies import progress
from dl_condind.studies import stage_files
from dl_condind.studies import study_file
from dl_condind.utils import run_config
from dl_condind.utils import run_folder

_VERSIONS = (
  "dl_condind",
  "python",
  "tensorflow",
  "keras",
  "tensorflow_probability",
  "numpy",
  "scipy",
  "scikit-learn",
  "gin-config",
)
# The parts of a run's fingerprint that are not versions: its bits depend on them.
_FINGERPRINT = ("runtime.device", "runtime.intra_op_threads", "runtime.onednn")
_METRICS = {measure.metric for measure in measures.MEASURES} - {""}


Facts = list[tuple[str, str]]  # Names and what there is to say of each.


class Provenance(NamedTuple):
  """What was run.

  Attributes:
    facts: Title of a table -> its facts.
    commands: The commands of the trainings, with comments that name their runs.
  """

  facts: dict[str, Facts]
  commands: list[str]


class Missing(NamedTuple):
  """What is missing: how many runs there are, and a line for each problem."""

  summary: str
  problems: list[str]


def what_was_run(settings: study_runs.Settings) -> Provenance:
  """Describes methods, data, training, evaluation, versions and commands."""
  everything = [run for runs in settings.values() for run in runs]
  metrics = _evaluation_settings(everything)
  facts = [(metric, "; or ".join(texts)) for metric, texts in metrics.items()]
  facts += [
    (name, _join(run.provenance.get(name) for run in everything))
    for name in (*_VERSIONS, *_FINGERPRINT)
  ]
  facts.append(("processor", _join(run.provenance.get("cpu") for run in everything)))
  tables = {name: _facts(runs) for name, runs in settings.items()}
  lines = [
    f"# run {run.name}\n{shlex.join(next_steps.command_line(run)) or '-'}" for run in everything
  ]
  return Provenance({**tables, "Evaluation and versions": facts}, lines)


def data_sets(runs: Sequence[study_runs.Run]) -> str:
  """Says where the data of a study is from."""
  by_name: dict[str, list[study_runs.Run]] = {}
  for run in runs:
    by_name.setdefault(run.dataset, []).append(run)
  parts = [f"{name}: {_data_source(members)}" for name, members in sorted(by_name.items())]
  return f"Data: {'; '.join(parts)}."


def _facts(runs: Sequence[study_runs.Run]) -> Facts:
  first = runs[0]
  words = families.of(first).sentences
  parameters = [
    f"{key} = {first.setting(key)}" for key in first.config if key.startswith(f"{first.method}.")
  ]
  by_correlation = [
    f"{run_config.name_correlation(label)}: "
    f"{', '.join(run.seed for run in runs if run.correlation_label == label)}"
    for label in study_runs.correlation_labels(runs)
  ]
  return [
    ("Method", ", ".join([first.method_name, *parameters])),
    ("Data set", f"{first.dataset}, {_data_source(runs)}"),
    ("Networks", words.name_networks(first)),
    (
      "Training",
      f"{first.setting('model.training_steps')} steps, batches of "
      f"{first.setting('model.batch_size')}, learning rate {words.name_learning_rates(first)}",
    ),
    ("Seeds", "; ".join(by_correlation)),
  ]


def _data_source(runs: Sequence[study_runs.Run]) -> str:
  sources = {str(run.provenance.get("dataset_source", "-")) for run in runs}
  source = _join(map(sentences.source_name, sources))
  digests = [run.provenance["dataset_sha256"] for run in runs if "dataset_sha256" in run.provenance]
  return f"{source}, sha256 {_join(digest[:16] for digest in digests)}" if digests else source


def _join(values: Iterable[object]) -> str:
  """Returns the different values of the runs."""
  return ", ".join(sorted({str(value) for value in values if value is not None})) or "-"


def _evaluation_settings(runs: Sequence[study_runs.Run]) -> dict[str, list[str]]:
  """Returns the parameters of the metrics the report shows, metric -> those that occur."""
  found: dict[str, list[str]] = {}
  for run in runs:
    settings: dict[tuple[str, str], list[str]] = {}
    for column, value in run.row.items():
      evaluation, is_setting, key = column.partition(".config.")
      representation, _, metric = evaluation.partition(".")
      kept = (f"{metric}.", "discretizer.", "digit_classifier.num_epochs", "digit_classifier.seed")
      if is_setting and metric in _METRICS and key.startswith((*kept, "evaluation.random_seed")):
        settings.setdefault((representation, metric), []).append(f"{key} = {value}")
    for (_, metric), items in settings.items():
      text = ", ".join(sorted(items))
      if text not in found.setdefault(metric, []):
        found[metric].append(text)
  return found


def what_is_missing(
  runs: Sequence[study_runs.Run],
  left_out: Sequence[study_runs.Run],
  study: study_file.Study | None = None,
) -> Missing:
  """Lists runs that do not count, runs of the study that are absent, and values that runs lack.

  Args:
    runs: The runs that count.
    left_out: The other runs that were begun.
    study: The study, if it is known; otherwise gaps in the numbers of runs are listed.
  """
  problems: dict[str, list[str]] = {}  # What is wrong -> runs, so that many take one line.
  for run in left_out:
    problems.setdefault(run.problem, []).append(run.name)
  names = {run.name for run in (*runs, *left_out)}
  numbers = [int(name) for name in names if name.isdecimal()]
  for number in study.model_nums if study else range(max(numbers, default=0)):
    if str(number) not in names:
      problems.setdefault("not trained", []).append(str(number))
  for run in runs:
    lacking = _lacking(run, study)
    if lacking:
      problems.setdefault(f"not evaluated: {', '.join(lacking)}", []).append(run.name)
  found = sentences.count_of("trained run", len(runs))
  if study:
    found += f" of {len(study.model_nums)} of the study {study.name}"
  if not problems:
    return Missing(f"{found}, each with every value; none begun and not finished.", [])
  lines = [
    f"{'Run' if len(names) == 1 else 'Runs'} {ranges(names)}: {problem}."
    for problem, names in problems.items()
  ]
  return Missing(f"{found} count. Not part of the figures, or only of some:", lines)


def _lacking(run: study_runs.Run, study: study_file.Study | None) -> list[str]:
  """Returns the evaluations that a run lacks: those of its study, or those the report shows."""
  if study is None:
    return [
      measure.evaluation
      for measure in measures.of_kind(run.kind)
      if measure.evaluation
      and measure.dataset in ("", run.dataset)
      and run.measure(measure.name) is None
    ]
  stages = [*map(stage_files.stage_name, study.metrics)]
  for kind, names in (
    (run_folder.VALIDATION, study.validation),
    (run_folder.REASONING, study.reasoning),
  ):
    stages += [f"{kind}.{stage_files.stage_name(name)}" for name in names]
  return [
    f"{stage} ({name})"
    for stage in stages
    for name in study.evaluated
    if not any(column.startswith(f"{name}.{stage}.") for column in run.row)
  ]


def ranges(names: Sequence[str]) -> str:
  """Returns names of runs with consecutive numbers joined, such as `1-3, 7, other`."""
  numbers = sorted(int(name) for name in names if name.isdecimal())
  parts = progress.format_numbers(numbers).split(",") if numbers else []
  return ", ".join([*parts, *sorted(name for name in names if not name.isdecimal())])
