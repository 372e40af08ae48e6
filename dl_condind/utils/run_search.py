"""Finds runs, stages and records below a folder."""

from collections.abc import Iterator
import glob
import pathlib

from dl_condind.utils import run_folder


def stages_in(directory: pathlib.Path) -> list[run_folder.StageFolder]:
  """Returns the stages with a stored model whose folders are in a folder, sorted."""
  return [run_folder.StageFolder(path.parent) for path in sorted(directory.glob("*/saved_model"))]


def trained_below(directory: pathlib.Path) -> list[run_folder.RunFolder]:
  """Returns the runs below a folder that have the record of a training, sorted by its path."""
  return [
    run_folder.RunFolder(run_folder.stage_of(path).path.parent)
    for path in _below(directory, run_folder.TRAINING_RECORD)
  ]


def evaluations_below(directory: pathlib.Path) -> list[pathlib.Path]:
  """Returns the records of what was done with representations below a folder, sorted."""
  found = _below(directory, "*/*/*/results/aggregate/*.json")  # One walk for all kinds.
  return [path for path in found if run_folder.evaluated(path)]


def begun_below(directory: pathlib.Path) -> list[run_folder.RunFolder]:
  """Returns the runs below a folder that were begun, whether or not they are done, sorted."""
  found = {
    path.parents[pattern.count("/")]
    for pattern in run_folder.BEGUN
    for path in _below(directory, pattern)
  }
  return [run_folder.RunFolder(path) for path in sorted(found)]


def ended_below(directory: pathlib.Path) -> list[run_folder.RunFolder]:
  """Returns the runs below a folder that say that they are done or have diverged, sorted."""
  found = {
    path.parent
    for name in (run_folder.DONE, run_folder.DIVERGED)
    for path in _below(directory, name)
  }
  return [run_folder.RunFolder(path) for path in sorted(found)]


def _below(directory: pathlib.Path, pattern: str) -> Iterator[pathlib.Path]:
  """Yields the files of a pattern, but not those of snapshots of runs, sorted."""
  found = glob.glob(f"**/{pattern}", root_dir=directory, recursive=True)
  of_runs = (name for name in sorted(found) if run_folder.SNAPSHOTS not in name.split("/"))
  return (directory / name for name in of_runs)
