"""Every metric of a run on several draws: how much of a score is the luck of its points.

The first evaluation is that of the metric's own file. Each further one has a seed of its own, drawn
from one state for all runs, and the same for every metric and representation of a run, which
therefore share their points and encodings. More evaluations only add to fewer: their seeds begin
alike.
"""

from collections.abc import Mapping
import dataclasses

import numpy as np

from dl_condind.studies import stage_files
from dl_condind.studies import study_file
from dl_condind.utils import checks
from dl_condind.utils import errors
from dl_condind.utils import run_config

MAX_EVALUATIONS = 1000
_LABEL = "evaluation.name"
_FURTHER = ", evaluation "


def repeat(study: study_file.Study, num_evaluations: int) -> study_file.Study:
  """Returns a study in which every metric is evaluated several times.

  Args:
    study: The study.
    num_evaluations: Number of evaluations of each metric, with the first one.

  Raises:
    ConfigError: If the number is not in [1, MAX_EVALUATIONS], or the folder of a further evaluation
      has the name of another metric.
  """
  checks.check_in("num_evaluations", num_evaluations, 1, MAX_EVALUATIONS)
  names = {stage_files.stage_name(metric) for metric in (*study.metrics, *study.snapshot_metrics)}
  for name in sorted(names):
    taken = [f"{name}_{i}" for i in range(1, num_evaluations) if f"{name}_{i}" in names]
    if taken:
      raise errors.ConfigError(
        f"num_evaluations: the metric {taken[0]} has the name of an evaluation of {name}: rename "
        "its file, or leave one of them out of the study."
      )
  return dataclasses.replace(study, num_evaluations=num_evaluations)


def seeds(num_evaluations: int) -> list[int]:
  """Returns the seeds of all evaluations but the first.

  >>> seeds(3)
  [2357136044, 2546248239]
  """
  return np.random.RandomState(0).randint(2**32, size=num_evaluations - 1, dtype=np.int64).tolist()


def bindings(metric: str, number: int) -> list[str]:
  """Returns the gin bindings of an evaluation.

  Args:
    metric: Name of the metric.
    number: Number of the evaluation, from 0.
  """
  if number == 0:
    return []
  label = f"{metric}{_FURTHER}{number}"
  return [f"evaluation.random_seed = {seeds(number + 1)[-1]}", f"{_LABEL} = {label!r}"]


def metric_of(record: Mapping[str, object]) -> str | None:
  """Returns the metric that the record of a further evaluation is of, None of a first one."""
  label = run_config.setting({_LABEL: record.get(f"evaluation_config.{_LABEL}", "-")}, _LABEL)
  metric, further, number = label.rpartition(_FURTHER)
  return metric if further and number.isdecimal() else None
