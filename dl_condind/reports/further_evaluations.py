"""What the evaluations of one metric of one run add up to, as columns of tables of runs."""

from collections.abc import Mapping
from collections.abc import MutableMapping
import statistics
from typing import TypeGuard

from dl_condind.studies import repeated_evaluations

MEAN, SD, NUMBER = ".evaluations_mean", ".evaluations_sd", ".num_evaluations"

_RESULTS = "evaluation_results."
_SKIPPED = ("evaluation_results.elapsed_time", "evaluation_results.uuid")


class Spread:
  """The records of further evaluations, gathered to be told in the rows of their runs."""

  def __init__(self) -> None:
    self._records: dict[tuple[str, str], list[Mapping[str, object]]] = {}

  def takes(self, run: str, representation: str, record: Mapping[str, object]) -> bool:
    """Returns whether a record is of a further evaluation, and keeps it if so."""
    metric = repeated_evaluations.metric_of(record)
    if metric is not None:
      self._records.setdefault((run, f"{representation}.{metric}"), []).append(record)
    return metric is not None

  def add_to(self, rows: Mapping[str, MutableMapping[str, object]]) -> None:
    """Adds mean and standard deviation of each number to the rows, which have the first ones."""
    for (run, name), records in self._records.items():
      row = rows[run]
      row[f"{name}{NUMBER}"] = 1 + len(records)
      for key in records[0]:
        column = f"{name}.{key.removeprefix(_RESULTS)}"
        found = [row.get(column), *(record.get(key) for record in records)]
        values = [value for value in found if is_number(value)]
        if key.startswith(_RESULTS) and key not in _SKIPPED and len(values) == len(found):
          row[f"{column}{MEAN}"] = statistics.fmean(values)
          row[f"{column}{SD}"] = statistics.stdev(values)


def is_number(value: object) -> TypeGuard[float]:
  """Returns whether a value of a record is a number; true and false are none."""
  return isinstance(value, int | float) and not isinstance(value, bool)
