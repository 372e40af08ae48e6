"""The numbers of several records in one table, a column for each representation."""

from collections.abc import Sequence
import os
import pathlib

from dl_condind.utils import results

_NO_SCORE = ("elapsed_time",)


def format_table(output_dir: str | os.PathLike, directories: Sequence[pathlib.Path]) -> str:
  """Returns the main numbers of evaluated metrics, a row for each and a column for each folder.

  Numbers of single factors or latents, whose keys have a dot, are left to the records.

  Args:
    output_dir: Folder that the records lie in.
    directories: Folders of the records, `{output_dir}/{representation}/{metric}`, where either may
      be missing.
  """
  columns, rows = [], {}
  for directory in directories:
    *representation, metric = directory.relative_to(output_dir).parts or (directory.name,)
    column = "/".join(representation)
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
