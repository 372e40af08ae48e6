"""The numbers of several records in one table, a column for each representation."""

from collections.abc import Mapping
from collections.abc import Sequence
import pathlib
import re
from typing import NamedTuple

from dl_condind.utils import results

_NO_SCORE = ("elapsed_time",)
_OF_ONE = re.compile(r"_[0-9]+$")  # factor_2, code_0, merge_1_3


class Record(NamedTuple):
  """The record of a metric.

  Attributes:
    representation: Name of the representation, empty if there is one only.
    metric: Name of the metric.
    directory: Folder of the record.
  """

  representation: str
  metric: str
  directory: pathlib.Path


def main_numbers(values: Mapping[str, object]) -> dict[str, int | float]:
  """Returns the numbers of a record that are worth a row, in its order.

  Those of single factors, latents or parts, whose keys have a dot, are left to the record. Where
  all have one, as those of `unified_scores`, it separates the name of a matrix from that of a
  score: then only those of single factors and latents are left out.
  """
  numbers = {
    key: value
    for key, value in values.items()
    if isinstance(value, int | float) and not isinstance(value, bool) and key not in _NO_SCORE
  }
  without_dot = {key: value for key, value in numbers.items() if "." not in key}
  return without_dot or {key: v for key, v in numbers.items() if not _OF_ONE.search(key)}


def format_table(records: Sequence[Record]) -> str:
  """Returns the main numbers, a row for each and a column for each representation."""
  columns: list[str] = []
  rows: dict[tuple[str, str], dict[str, str]] = {}
  for column, metric, directory in records:
    if column not in columns:
      columns.append(column)
    for key, value in main_numbers(results.read_results(directory, "evaluation")).items():
      rows.setdefault((metric, key), {})[column] = f"{value:.4g}"
  table = [("metric", "result", *columns)]
  for (metric, key), values in rows.items():
    table.append((metric, key, *(values.get(column, "-") for column in columns)))
  widths = [max(map(len, cells)) for cells in zip(*table, strict=True)]
  lines = (
    "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in table
  )
  return "\n".join(line.rstrip() for line in lines)
