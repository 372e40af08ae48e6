"""Gathers the records of many runs in tables, as JSON and CSV."""

from collections.abc import Mapping
from collections.abc import Sequence
import csv
import glob
import json
import os
import pathlib

from dl_condind.utils import errors
from dl_condind.utils import files
from dl_condind.utils import results

DEFAULT_PATTERN = "output/*/*/metrics/*/*/results/aggregate/evaluation.json"

_Row = dict[str, object]


def aggregate(pattern: str, output_path: str | os.PathLike) -> list[_Row]:
  """Gathers aggregate records in one JSON file and, beside it, one CSV file.

  The JSON file is disentanglement_lib's: `pandas.read_json` makes it a table with one row per
  record, a column per key and the column `path`. The CSV file has the same rows; lists in it are
  JSON.

  Args:
    pattern: Glob pattern of the records, such as `DEFAULT_PATTERN`; `**` means any folders.
    output_path: Name of the JSON file. The CSV file has the same name but for its ending.

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
  paths = sorted(glob.glob(pattern, recursive=True))
  if not paths:
    raise errors.ConfigError(f"No file matches {pattern!r}: has the evaluation run, and where?")
  rows = [{**results.read_aggregate(path), "path": path} for path in paths]
  columns = {
    column: {str(index): row.get(column) for index, row in enumerate(rows)}
    for column in _columns(rows)
  }
  files.write_text(output_path, json.dumps(columns, allow_nan=False) + "\n")
  _write_csv(output_path.with_suffix(".csv"), rows, first="path")
  return rows


def runs_table(directory: str | os.PathLike) -> list[_Row]:
  """Gathers the runs below a folder in `{directory}/runs.csv`, one row for each.

  Columns are `run` (the run's folder, relative to directory), `train_config.*`,
  `train_results.*` and the evaluations as `{representation}.{metric}.{result}`, for example
  `mean.mig.discrete_mig`. Cells of evaluations that a run lacks are empty.

  Args:
    directory: A folder with runs in it, such as `output/{study}`, or one run.

  Returns:
    The rows, sorted by run.

  Raises:
    ConfigError: If there is no trained run, or the table cannot be written.
    DatasetError: If a record is damaged.
  """
  directory = pathlib.Path(directory)
  rows: dict[str, _Row] = {}
  for path in _below(directory, "model/results/aggregate/train.json"):
    run = path.parents[3].relative_to(directory).as_posix()
    rows[run] = {"run": run, **_select(results.read_aggregate(path))}
  for path in _below(directory, "metrics/*/*/results/aggregate/evaluation.json"):
    run = path.parents[5].relative_to(directory).as_posix()
    evaluation = results.read_aggregate(path)
    row = rows.setdefault(run, {"run": run, **_select(evaluation)})
    prefix = "evaluation_results."
    for key, value in evaluation.items():
      if key.startswith(prefix) and key != "evaluation_results.uuid":
        row[f"{path.parents[3].name}.{path.parents[2].name}.{key.removeprefix(prefix)}"] = value
  if not rows:
    raise errors.ConfigError(f"No trained run in {directory}: is it the right folder?")
  table = [rows[run] for run in sorted(rows, key=_natural_order)]
  _write_csv(directory / "runs.csv", table, first="run")
  return table


def _below(directory: pathlib.Path, pattern: str) -> list[pathlib.Path]:
  found = glob.glob(f"**/{pattern}", root_dir=directory, recursive=True)
  return [directory / path for path in sorted(found)]


def _select(record: Mapping[str, object]) -> _Row:
  kept = ("train_config.", "train_results.")
  return {key: value for key, value in record.items() if key.startswith(kept)}


def _natural_order(run: str) -> list[tuple[bool, int, str]]:
  """Sorts 9 before 10."""
  return [
    (not part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in run.split("/")
  ]


def _columns(rows: Sequence[_Row]) -> list[str]:
  return list(dict.fromkeys(key for row in rows for key in row))


def _write_csv(path: pathlib.Path, rows: Sequence[_Row], first: str) -> None:
  columns = [first, *sorted(set(_columns(rows)) - {first})]
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
