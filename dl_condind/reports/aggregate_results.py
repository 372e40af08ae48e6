"""Gathers the records of many runs in tables, as JSON and CSV."""

from collections.abc import Mapping
from collections.abc import Sequence
import csv
import glob
import json
import os
import pathlib
import sys
from typing import Any

from dl_condind.reports import further_evaluations
from dl_condind.reports import measures
from dl_condind.utils import errors
from dl_condind.utils import files
from dl_condind.utils import json_objects
from dl_condind.utils import results
from dl_condind.utils import run_config
from dl_condind.utils import run_folder
from dl_condind.utils import run_search
from dl_condind.utils import training_logs

DEFAULT_PATTERN = f"output/**/{run_folder.EVALUATIONS}"

_FIRST_COLUMNS = ("run", "method", "dataset", "num_latent", "correlation", "seed", "steps")

_TRAIN_PARTS = ("train_config.", "train_results.", "train_provenance.")
_TRAINING_ID = "train_results.uuid"

_Row = dict[str, Any]


def aggregate(result_file_pattern: str | os.PathLike, output_path: str | os.PathLike) -> list[_Row]:
  """Gathers aggregate records in one JSON file and, beside it, two CSV files.

  The JSON file is disentanglement_lib's: `pandas.read_json` makes it a table with one row per
  record, a column per key and the column `path`. The first CSV file has the same rows; lists in it
  are JSON. The second one, `{name}_runs.csv`, has one row per run, as `runs_table`; it is written
  if there are records of evaluations (`metrics/*/*/results/aggregate/evaluation.json`).

  Args:
    result_file_pattern: Glob pattern of the records, such as `DEFAULT_PATTERN`; `**` means any
      folders.
    output_path: Name of the JSON file. The CSV files have the same name but for its ending.

  Returns:
    The rows, sorted by path.

  Raises:
    ConfigError: If no file matches, or a file cannot be written.
    DatasetError: If a record is damaged.
  """
  output_path = pathlib.Path(output_path)
  if output_path.suffix == ".csv":
    raise errors.ConfigError(
      f"{output_path} would be overwritten by the CSV file; end it on .json."
    )
  pattern = os.fspath(result_file_pattern)
  paths = sorted(glob.glob(pattern, recursive=True))
  if not paths:
    raise errors.ConfigError(
      f"No file matches {pattern!r}: evaluate a metric first, or name the files of another folder, "
      "such as result_file_pattern='output/mine/**/evaluation.json'."
    )
  rows = [{**results.read_aggregate(path), "path": path} for path in paths]
  columns = {
    column: {str(index): row.get(column) for index, row in enumerate(rows)}
    for column in _columns(rows)
  }
  files.write_text(output_path, json.dumps(columns, allow_nan=False) + "\n")
  _write_csv(output_path.with_suffix(".csv"), rows, first=["path"])
  runs: dict[str, _Row] = {}
  spread = further_evaluations.Spread()
  for path, row in zip(map(pathlib.Path, paths), rows, strict=True):
    if found := run_folder.evaluated(path):
      _add_evaluation(runs, found.run.path.as_posix(), found, row, spread)
  spread.add_to(runs)
  if runs:
    table = [runs[run] for run in sorted(runs, key=_natural_order)]
    _write_csv(output_path.with_name(f"{output_path.stem}_runs.csv"), table, _FIRST_COLUMNS)
  return rows


def runs_table(directory: str | os.PathLike) -> list[_Row]:
  """Gathers the runs below a folder in `{directory}/runs.csv`, one row for each.

  Columns are `run` (the run's folder, relative to directory), what tells runs apart (`method`,
  `dataset`, `num_latent`, `correlation`, `seed`), `steps`, then `train_config.*`,
  `train_results.*`, `train_provenance.*` and the evaluations as
  `{representation}.{metric}.{result}`, for example `mean.mig.discrete_mig`, with the settings of
  each as `{representation}.{metric}.config.{key}`. Validations and trainings on puzzles are there
  in the same way: `mean.validation.labelled_mig.discrete_mig`,
  `mean.reasoning.representation.best.test.accuracy`.
  Further evaluations of a metric (`studies.repeated_evaluations`) have no columns of their own:
  `mean.mig.num_evaluations` says how many evaluations there are, and
  `mean.mig.discrete_mig.evaluations_mean` and `.evaluations_sd` are the mean and the standard
  deviation of a number over all of them, while `mean.mig.discrete_mig` is that of the first one.
  `train_log.*` are the scalars that `measures` names, averaged over the last fifth of the log, and
  their `training_logs.drifts`. Evaluations that a run lacks are empty.

  Args:
    directory: A folder with runs in it, such as `output/{study}`, or one run.

  Returns:
    The rows, sorted by run.

  Raises:
    ConfigError: If there is no trained run, or the table cannot be written.
    DatasetError: If a record is damaged.
  """
  directory = pathlib.Path(directory)
  table = gather_runs(directory)
  if not table:
    raise errors.ConfigError(f"No trained run in {directory}: is it the right folder?")
  _write_csv(directory / "runs.csv", table, _FIRST_COLUMNS)
  return table


def gather_runs(directory: str | os.PathLike) -> list[_Row]:
  """Returns the rows of `runs_table`, none without a trained run, and writes no file.

  Raises:
    DatasetError: If a record is damaged.
  """
  directory = pathlib.Path(directory)
  rows: dict[str, _Row] = {}
  for run in run_search.trained_below(directory):
    name = run.path.relative_to(directory).as_posix()
    record = results.read_record(run.model.path, "train")
    rows[name] = _new_row(name, record)
    rows[name] |= _end_of_log(run.model, measures.logged(run_config.kind(record)))
  spread = further_evaluations.Spread()
  for path in run_search.evaluations_below(directory):
    if found := run_folder.evaluated(path):
      name = found.run.path.relative_to(directory).as_posix()
      _add_evaluation(rows, name, found, results.read_aggregate(path), spread)
  spread.add_to(rows)
  return [rows[run] for run in sorted(rows, key=_natural_order)]


def read_runs_table(path: str | os.PathLike) -> list[_Row]:
  """Reads a table of runs that `runs_table` or `aggregate` wrote, without its empty fields.

  Raises:
    DatasetError: If the file is missing, or not such a table.
  """
  path = pathlib.Path(path)
  if not path.is_file():
    raise errors.DatasetError(f"No {path}: name the runs.csv of a study.")
  try:
    with open(path, encoding="utf-8", newline="") as file:
      csv.field_size_limit(sys.maxsize)  # A field may be the matrix of a score.
      rows = list(csv.DictReader(file, strict=True))
  except (UnicodeDecodeError, csv.Error) as error:
    raise errors.DatasetError(f"{path} is damaged ({error}): write the table again.") from error
  is_table = rows and "run" in rows[0] and "train_config.model.model" in rows[0]
  if not is_table or any(None in row or None in row.values() for row in rows):
    raise errors.DatasetError(f"{path} is not a table of runs: name the runs.csv of a study.")
  return [{k: _value(k, text) for k, text in row.items() if text} for row in rows]


def _value(column: str, text: str) -> object:
  """Returns the value of a field; those of configurations stay as gin wrote them."""
  if column.startswith("train_config.") or ".config." in column or column == "run":
    return text
  if text in ("True", "False"):
    return text == "True"
  try:
    found = json_objects.parse(f'{{"value": {text}}}')
  except ValueError:
    return text
  return found["value"] if len(found) == 1 else text


def _add_evaluation(
  rows: dict[str, _Row],
  run: str,
  evaluation: run_folder.Evaluated,
  record: Mapping[str, object],
  spread: further_evaluations.Spread,
) -> None:
  """Adds the record of an evaluation to the row of its run, which is made where absent.

  That of a further evaluation is only added to what tells their spread.
  """
  row = rows.get(run) or rows.setdefault(run, _new_row(run, record))
  if record.get(_TRAINING_ID) not in (None, row.get(_TRAINING_ID)):
    raise errors.DatasetError(
      f"{evaluation.name} ({evaluation.representation}) of run {run} is of another training than "
      "the model that is there now: evaluate it again with overwrite=True, or delete its folder."
    )
  if spread.takes(run, evaluation.representation, record):
    return
  name, step = f"{evaluation.representation}.{evaluation.name}", evaluation.step
  prefixes = {f"{step}_results.": f"{name}.", f"{step}_config.": f"{name}.config."}
  for key, value in record.items():
    for prefix, column in prefixes.items():
      if key.startswith(prefix) and key != f"{step}_results.uuid":
        row[f"{column}{key.removeprefix(prefix)}"] = value


def _end_of_log(training: run_folder.StageFolder, names: Sequence[str]) -> _Row:
  """Returns scalars at the end of a training's log, if it is there."""
  if not names or not training.log.is_file():
    return {}
  log = training_logs.read(training.path)
  ends = training_logs.end_means(log, names)
  drifts = training_logs.drifts(log, names)
  ends |= {f"{name}_drift": drift for name, drift in drifts.items()}
  return {f"train_log.{name}": value for name, value in ends.items()}


def _new_row(run: str, record: Mapping[str, object]) -> _Row:
  return {
    "run": run,
    **run_config.columns(run_config.of_record(record)),
    "steps": record.get("train_results.global_step"),
    **{k: v for k, v in record.items() if k.startswith(_TRAIN_PARTS)},
  }


def _natural_order(run: str) -> list[tuple[bool, int, str]]:
  """Sorts 9 before 10."""
  return [
    (not part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in run.split("/")
  ]


def _columns(rows: Sequence[_Row]) -> list[str]:
  return list(dict.fromkeys(key for row in rows for key in row))


def _write_csv(path: pathlib.Path, rows: Sequence[_Row], first: Sequence[str]) -> None:
  columns = [*first, *sorted(set(_columns(rows)) - set(first))]
  with (
    files.atomic_file(path) as temporary,
    open(temporary, "w", encoding="utf-8", newline="") as f,
  ):
    writer = csv.DictWriter(f, columns, restval="", lineterminator="\n")
    writer.writeheader()
    for row in rows:
      writer.writerow({key: _cell(value) for key, value in row.items()})


def _cell(value: object) -> object:
  return json.dumps(value) if isinstance(value, list | dict) else value
