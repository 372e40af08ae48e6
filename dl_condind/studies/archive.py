"""Records of finished runs that travel: packed in one file here, accepted as done elsewhere.

An archive has what a report and the engines read of a run: all records, the log of the training and
how the run ended. It has no models, checkpoints and pictures. An unpacked run is done for engines
and reports; the file `unpacked.json` in its folder keeps it from being trained again.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import errno
import os
import pathlib

from dl_condind.studies import archive_file
from dl_condind.studies import run_state
from dl_condind.studies import study_file
from dl_condind.utils import errors
from dl_condind.utils import files
from dl_condind.utils import results
from dl_condind.utils import run_folder
from dl_condind.utils import run_search
from dl_condind.utils import temporary_folders

_VERSION = "dl_condind"


@dataclasses.dataclass(frozen=True)
class Packed:
  """What was packed.

  Attributes:
    num_done: Number of runs that are done.
    num_diverged: Number of runs that have diverged.
    left_out: Names of the runs that were begun and are not packed, sorted.
    num_records: Number of records.
  """

  num_done: int
  num_diverged: int
  left_out: tuple[str, ...]
  num_records: int


def pack(
  study_dir: str | os.PathLike,
  output_path: str | os.PathLike,
  study: study_file.Study | None = None,
  gin_bindings: Sequence[str] = (),
) -> Packed:
  """Writes the records of all runs that are done or have diverged to an archive.

  Args:
    study_dir: Folder of the study, with a folder for each run.
    output_path: Name of the archive, a .tar.xz; replaced if it is there.
    study: The study whose runs these are, named by their numbers: others, and those made with other
      settings, are left out. Without it all finished runs are packed.
    gin_bindings: Bindings of the trainings, read after those of the study.

  Raises:
    ConfigError: If no run is finished, or output_path cannot be written.
    DatasetError: If a record is damaged.
    TryAgainError: If a record changes meanwhile, or the disk is full.
  """
  try:
    return _pack(pathlib.Path(study_dir), output_path, study, gin_bindings)
  except FileNotFoundError as error:
    raise errors.TryAgainError(
      f"{error.filename} has changed while it was packed: run the same command again."
    ) from error


def _pack(
  study_dir: pathlib.Path,
  output_path: str | os.PathLike,
  study: study_file.Study | None,
  gin_bindings: Sequence[str],
) -> Packed:
  runs, versions = {}, set()
  for run in run_search.ended_below(study_dir):
    name = run.path.relative_to(study_dir).as_posix()
    if _is_finished(run, name, study, gin_bindings):
      for folder in run.record_folders():
        files.verify_manifest(folder)
      records = {path.relative_to(run.path).as_posix(): path for path in run.archived()}
      digests = {record: files.sha256(path) for record, path in records.items()}
      runs[name] = archive_file.ArchivedRun(run_state.recorded_settings(run.path), digests)
      versions |= _versions(run)
  if not runs:
    raise errors.ConfigError(
      f"No finished run{f' of the study {study.name}' if study else ''} in {study_dir}: is it the "
      "right folder?"
    )
  begun = {run.path.relative_to(study_dir).as_posix() for run in run_search.begun_below(study_dir)}
  study_name = study.name if study else study_dir.resolve().name
  manifest = archive_file.Manifest(study_name, tuple(sorted(versions)), runs)
  archive_file.write(output_path, study_dir, manifest)
  num_done = sum(run.settings is not None for run in runs.values())
  left_out = tuple(sorted(begun - set(runs)))
  return Packed(num_done, len(runs) - num_done, left_out, len(manifest.records()))


def _is_finished(
  run: run_folder.RunFolder,
  name: str,
  study: study_file.Study | None,
  gin_bindings: Sequence[str],
) -> bool:
  """Returns whether a run is done or has diverged, and is of the study if one is given."""
  if name == ".":  # The folder of a run rather than of a study.
    return False
  if study is None:
    return run_state.recorded_settings(run.path) is not None or run.diverged.is_file()
  if name not in map(str, study.model_nums):
    return False
  state = run_state.state_of(run.path, study.settings(int(name), gin_bindings))
  return state in (run_state.DONE, run_state.DIVERGED)


def _versions(run: run_folder.RunFolder) -> set[str]:
  """Returns the version of dl_condind that made a run, if that is known."""
  if results.is_complete(run.model.path, "train"):
    found = results.read_provenance(run.model.path, "train").get(_VERSION)
  elif run.model.identity.is_file():
    identity = results.read_object(run.model.identity, "start its run anew")
    found = identity.get(f"runtime.{_VERSION}")
  else:
    found = None
  return set() if found is None else {str(found)}


def unpack(
  path: str | os.PathLike,
  study_dir: str | os.PathLike,
  study: study_file.Study | None = None,
  gin_bindings: Sequence[str] = (),
) -> tuple[archive_file.Manifest, list[str]]:
  """Writes the runs of an archive to the folder of a study, where they are done.

  Nothing is written if the archive is damaged, or a run of other content is there. Each run appears
  as a whole; after an interruption the same call goes on.

  Args:
    path: The archive.
    study_dir: Folder of the study, created where absent.
    study: The study that the runs must be of, with the settings that it has now; None for any.
    gin_bindings: Bindings of the trainings, read after those of the study.

  Returns:
    What the archive holds, and the names of the runs that were there before.

  Raises:
    ConfigError: If the archive is of another study or configuration, another run is there, or
      study_dir cannot be written.
    DatasetError: If the archive is missing, damaged, or of a format that is not known.
    TryAgainError: If the disk is full, or a run is begun there meanwhile.
  """
  study_dir = pathlib.Path(study_dir)
  manifest = archive_file.read_manifest(path)
  if study:
    _check_study(path, manifest, study, gin_bindings)
  there = [name for name, run in manifest.runs.items() if _is_there(path, study_dir / name, run)]
  missing = [name for name in manifest.runs if name not in there]
  staging = study_dir / "runs" if study_dir.is_dir() else study_dir  # On the disk of the runs.
  with files.clear_write_errors(study_dir):
    staging.parent.mkdir(parents=True, exist_ok=True)
    with temporary_folders.beside(staging) as folder:
      archive_file.extract(path, folder)
      origin = {"archive": os.path.basename(path), "archive_sha256": files.sha256(path)}
      for name in missing:
        files.write_json(run_folder.RunFolder(folder / name).unpacked, origin)
      os.sync()  # Once for all files, before one of them gets its name.
      for name in missing:
        _move(folder / name, study_dir / name)
  return manifest, there


def _check_study(
  path: str | os.PathLike,
  manifest: archive_file.Manifest,
  study: study_file.Study,
  gin_bindings: Sequence[str],
) -> None:
  """Raises ConfigError unless each run is one of the study, with the settings it has now."""
  of_study = f"{path} holds runs of the study {manifest.study}"
  for name, run in manifest.runs.items():
    if name not in map(str, study.model_nums):
      raise errors.ConfigError(
        f"{of_study}; its run {name} is not one of the study {study.name}: name the study it is of."
      )
    wanted = run_state.comparable(study.settings(int(name), gin_bindings))
    if run.settings is not None and not run_state.is_made_with(run.settings, wanted):
      raise errors.ConfigError(
        f"{of_study}; its run {name} was made with other settings than {study.name} has now "
        f"({_difference(run.settings, wanted)}): take the study as it was, or name its own."
      )


def _difference(there: Mapping[str, object] | None, here: Mapping[str, object]) -> str:
  """Returns what two settings differ in, in words."""
  parts = []
  for key, wanted in here.items():
    found = (there or {}).get(key)
    if key == run_state.OWN_FILES and isinstance(wanted, Mapping):
      there_too = found if isinstance(found, Mapping) else wanted
      changed = [name for name in wanted if there_too.get(name, wanted[name]) != wanted[name]]
      parts += [f"{', '.join(changed)} says something else now"] if changed else []
      continue
    for values, others, where in ((found, wanted, "there"), (wanted, found, "here")):
      only = _without(values, others)
      parts += [f"{key}: {', '.join(only)} only {where}"] if only else []
  return "; ".join(parts) or "they are in another order"


def _without(values: object, others: object) -> list[str]:
  """Returns those of some values that are not among others, as text."""
  if not isinstance(values, list) or not isinstance(others, list):
    return [] if values == others else [str(values)]
  return [str(value) for value in values if value not in others]


def _is_there(path: str | os.PathLike, folder: pathlib.Path, run: archive_file.ArchivedRun) -> bool:
  """Returns whether a folder holds a run of an archive already; it may also be absent or empty.

  Raises:
    ConfigError: If it holds something else.
  """
  with files.clear_write_errors(folder):
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
      return False
  if all(_has(folder / record, digest) for record, digest in run.records.items()):
    return True
  raise errors.ConfigError(
    f"{folder} is there and is not the run that {path} holds, so nothing was unpacked: choose "
    "another study_dir, or move that folder away."
  )


def _has(path: pathlib.Path, digest: str) -> bool:
  return path.is_file() and files.sha256(path) == digest


def _move(new: pathlib.Path, target: pathlib.Path) -> None:
  target.parent.mkdir(parents=True, exist_ok=True)
  try:
    os.replace(new, target)
  except OSError as error:
    if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
      raise
    raise errors.TryAgainError(
      f"{target} was begun while it was unpacked: run the same command again."
    ) from error
