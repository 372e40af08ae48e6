"""The numbers of several records in one table, a column for each representation."""

from collections.abc import Sequence
import pathlib
from typing import NamedTuple

from dl_condind.utils import results

_NO_SCORE = ("elapsed_time",)


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


def format_table(records: Sequence[Record]) -> str:
  """Returns the main numbers, a row for each and a column for each representation.

  Numbers of single factors or latents, whose keys have a dot, are left to the records.
  """
  columns, rows = [], {}
  for column, metric, directory in records:
    if column not in columns:
      columns.append(column)
    for key, value in results.read_results(directory, "evaluation").items():
      is_number = isinstance(value, int | float) and not isinstance(value, bool)
      if is_number and "." not in key and key not in _NO_SCORE:
        rows.setdefault((metric, key), {})[column] = f"{value:.4g}"
  table = [("metric", "result", *columns)]
  for (metric, key), values in rows.items():
    table.append((metric, key, *(values.get(column, "-") for column in columns)))
  widths = [max(map(len, cells)) for cells in zip(*table, strict=True)]
  lines = (
    "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in table
  )
  return "\n".join(line.rstrip() for line in lines)
