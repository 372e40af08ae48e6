"""The folders of a study: runs that count, and those that do not, with the reason."""

from collections.abc import Sequence
import dataclasses
import os
import pathlib

from dl_condind.reports import grouping
from dl_condind.reports import study_runs
from dl_condind.studies import run_state
from dl_condind.utils import errors
from dl_condind.utils import results
from dl_condind.utils import run_folder
from dl_condind.utils import run_search
from dl_condind.utils import training_logs

_Settings = dict[str, list[study_runs.Run]]


def read_study(
  study_dir: str | os.PathLike, model_nums: Sequence[int] | None = None
) -> tuple[_Settings, _Settings]:
  """Reads the runs of a study and writes its table `runs.csv`.

  Args:
    study_dir: Folder of the study, with a folder for each run.
    model_nums: Numbers of the runs that belong to the study; None if all do.

  Returns:
    Name of a setting, as `grouping.group_by_setting`, -> runs that count; and name -> those that
    do not: repeated, diverged and unfinished ones. Runs that left no configuration, or belong to
    another study, have the name "".

  Raises:
    ConfigError: If no run of the study is trained.
    DatasetError: If what a run left is damaged.
  """
  found = [*study_runs.read_runs(study_dir), *read_unfinished(study_dir)]
  return _sort(found, model_nums, study_dir)


def read_table(
  path: str | os.PathLike, model_nums: Sequence[int] | None = None
) -> tuple[_Settings, _Settings]:
  """Reads the runs of a table such as `runs.csv`; arguments and result as `read_study`.

  Raises:
    ConfigError: If no run of the study is in it.
    DatasetError: If the file is missing, or not such a table.
  """
  return _sort(study_runs.read_table(path), model_nums, path)


def _sort(
  found: Sequence[study_runs.Run], model_nums: Sequence[int] | None, source: str | os.PathLike
) -> tuple[_Settings, _Settings]:
  """Returns runs that count, and those that do not, as `read_study`."""
  wanted = None if model_nums is None else set(map(str, model_nums))
  runs: list[study_runs.Run] = []
  foreign: list[study_runs.Run] = []
  for run in found:
    (runs if wanted is None or run.name in wanted else foreign).append(run)
  counted, repeated = without_repetitions([r for r in runs if r.state == study_runs.TRAINED])
  if not counted:
    raise errors.ConfigError(f"No trained run of the study in {source}: is it the right place?")
  begun = [run for run in runs if run.state != study_runs.TRAINED]
  groups = grouping.group_by_setting([*counted, *repeated, *(r for r in begun if r.config)])
  others = [
    dataclasses.replace(r, state=study_runs.FOREIGN, problem="not of this study") for r in foreign
  ]
  groups[""] = [*(run for run in begun if not run.config), *others]
  counts: _Settings = {}
  left_out: _Settings = {}
  for name, members in groups.items():
    for run in members:
      chosen = counts if run.state == study_runs.TRAINED else left_out
      chosen.setdefault(name, []).append(run)
  return counts, left_out


def read_unfinished(study_dir: str | os.PathLike) -> list[study_runs.Run]:
  """Reads the runs of a study that were begun and are not trained.

  Raises:
    DatasetError: If what a run left is damaged.
  """
  study_dir = pathlib.Path(study_dir)
  runs = []
  for folder in run_search.begun_below(study_dir):
    if not results.is_complete(folder.model.path, "train"):
      path = folder.model.identity
      identity = results.read_object(path, "start its run anew") if path.is_file() else {}
      row = {f"train_config.{k}": v for k, v in identity.items() if not k.startswith("runtime.")}
      name = folder.path.relative_to(study_dir).as_posix()
      runs.append(study_runs.Run(name, folder.path, row, {}, *_end(folder)))
  return runs


def _end(folder: run_folder.RunFolder) -> tuple[str, str]:
  """Returns the state of a run that is not trained, and what is known of it."""
  if state := run_state.end_of(folder.path):
    return state, f"{state}: {run_state.why(folder.path)['message']}".rstrip(".")
  step = training_logs.last_step(folder.model.path)
  return study_runs.UNFINISHED, f"training not finished, its log ends at step {step}"


def without_repetitions(
  runs: Sequence[study_runs.Run],
) -> tuple[list[study_runs.Run], list[study_runs.Run]]:
  """Returns the first run of each configuration and seed, and the other runs."""
  first: dict[tuple, study_runs.Run] = {}
  repeated = []
  for run in runs:
    counted = first.setdefault(run.identity, run)
    if counted is not run:
      problem = f"repeats run {counted.name} (same configuration and seed), which counts"
      repeated.append(dataclasses.replace(run, state=study_runs.REPEATED, problem=problem))
  return list(first.values()), repeated
