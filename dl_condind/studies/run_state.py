"""What a run's folder says about the run: done, running, diverged, failed or missing.

All that engines need to know lies in the folders of the runs, so a study can be stopped, started
and shared between engines and machines at any time:

    .lock          held by the process that makes the run, and by nobody after it ended
    done.json      written last: the settings of the run and its id
    diverged.json  the step at which a loss was not finite, the message, and the settings
    failed.json    why an engine gave the run up: exit code, message, number of attempts
    unpacked.json  the archive that the records came from, without the models: see `archive`
    log.txt        what all attempts of engines printed
"""

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
import contextlib
import fcntl
import itertools
import os
import pathlib
import time
from typing import Any

from dl_condind.utils import errors
from dl_condind.utils import files
from dl_condind.utils import json_objects
from dl_condind.utils import run_folder

DONE, RUNNING, DIVERGED, FAILED, MISSING = "done", "running", "diverged", "failed", "missing"
STATES = (DONE, RUNNING, FAILED, DIVERGED, MISSING)
HEADER = "==="  # Of an attempt, in its log.

NUM_THREADS = "model.num_threads"  # Engines set it; it decides a result's last bits only.

OWN_FILES = "own_files"  # Digests of the gin files that are not the package's.

_PATIENCE = 2.0  # seconds, of a run whose lock is looked at by an engine


def state_of(folder: str | os.PathLike, settings: Mapping[str, object]) -> str:
  """Returns the state of a run.

  Args:
    folder: Folder of the run.
    settings: What the run is made with, as `study_file.Study.settings`. A run made with others
      is not done.

  Raises:
    ConfigError: If the folder cannot be read.
  """
  if _is_done(_run(folder), settings):
    return DONE
  if is_locked(folder):
    return RUNNING
  end = end_of(folder)
  if end == DIVERGED and not _has_diverged(_run(folder), settings):
    return MISSING
  return end or MISSING


def end_of(folder: str | os.PathLike) -> str | None:
  """Returns DIVERGED or FAILED if the folder of a run that is not done says so, otherwise None."""
  run = _run(folder)
  if os.path.isfile(run.diverged):
    return DIVERGED
  return FAILED if os.path.isfile(run.failed) else None


def _run(folder: str | os.PathLike) -> run_folder.RunFolder:
  return run_folder.RunFolder(pathlib.Path(folder))


def _is_done(run: run_folder.RunFolder, settings: Mapping[str, object]) -> bool:
  """Returns whether the run was made with these settings and has the record of every stage."""
  return is_made_with(recorded_settings(run.path), comparable(settings))


def _has_diverged(run: run_folder.RunFolder, settings: Mapping[str, object]) -> bool:
  """Returns whether the run diverged with these settings, or with some that it does not say."""
  if not run.diverged.is_file():
    return False
  recorded = _read(run.diverged).get("settings")
  return not isinstance(recorded, dict) or is_made_with(recorded, comparable(settings))


def is_made_with(recorded: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> bool:
  """Returns whether a run made with some settings has all that others ask for.

  It may have been evaluated more often than they ask. Digests of files that only one of the two has
  make no difference: they were not always recorded.

  Args:
    recorded: As `recorded_settings`.
    wanted: As `comparable`.
  """
  there, here = {"num_evaluations": 1, **(recorded or {})}, {"num_evaluations": 1, **wanted}
  counts = there.pop("num_evaluations"), here.pop("num_evaluations")
  files_there, files_here = there.pop(OWN_FILES, {}), here.pop(OWN_FILES, {})
  are_equal = all(files_there[name] == files_here[name] for name in files_there.keys() & files_here)
  is_enough = isinstance(counts[0], int) and counts[0] >= counts[1]
  return there == here and are_equal and is_enough


def recorded_settings(folder: str | os.PathLike) -> dict[str, object] | None:
  """Returns what a finished run was made with, as `comparable`.

  It is None if the run is not done, lacks a record that it had then, or was trained again since.

  Raises:
    ConfigError: If the folder cannot be read.
  """
  run = _run(folder)
  found = _read(run.done)
  settings, records = found.get("settings"), found.get("records", [])
  if not isinstance(settings, dict) or not isinstance(records, list):
    return None
  are_there = all(os.path.isfile(run.path / str(name)) for name in records)
  return settings if are_there and found.get("run_id") in (None, _run_id(run)) else None


def comparable(settings: Mapping[str, Any]) -> dict[str, object]:
  """Returns settings without what does not make a run another one."""
  bindings = [b for b in settings["bindings"] if not b.startswith(NUM_THREADS)]
  return {**settings, "bindings": bindings}


def _read(path: pathlib.Path) -> dict[str, object]:
  """Reads a JSON object; one that is absent or damaged is empty, so that its run is made again."""
  try:
    return json_objects.read(path)
  except (FileNotFoundError, NotADirectoryError, ValueError):
    return {}
  except OSError as error:
    raise errors.ConfigError(f"Cannot read {path}: {error.strerror}.") from error


def is_locked(folder: str | os.PathLike) -> bool:
  """Returns whether a process works in a folder, as `utils.files.locked` says it."""
  try:
    lock = os.open(os.path.join(folder, ".lock"), os.O_RDONLY)
  except OSError:
    return False
  try:
    fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
  except BlockingIOError:
    return True
  finally:
    os.close(lock)
  return False


def why(folder: str | os.PathLike) -> dict[str, object]:
  """Returns what `diverged.json` or else `failed.json` says, with a `message` in any case."""
  found = _read(_run(folder).diverged) or _read(_run(folder).failed)
  return {"message": "(its record is damaged)", **found}


@contextlib.contextmanager
def making(
  folder: str | os.PathLike, settings: Mapping[str, object], overwrite: bool
) -> Iterator[None]:
  """Holds the lock of a run while it is made, and leaves in its folder how that ended.

  Args:
    folder: Folder of the run, created where absent.
    settings: As `state_of`.
    overwrite: Whether to delete what followed the training, before anything else, and how it ended.

  Raises:
    TryAgainError: If another process makes the run.
    DivergedError: If the run has diverged before.
    ConfigError: If the run came out of an archive and lacks something, for which its model would be
      needed.
  """
  folder, run = pathlib.Path(folder), _run(folder)
  with contextlib.ExitStack() as stack:
    _lock(stack, folder)
    if overwrite:
      forget(folder)
      _remove(path for path in run.stages() if path != run.model.path)
    elif _has_diverged(run, settings):
      raise errors.DivergedError(
        f"{folder} has diverged: {why(folder)['message']} Start it anew with overwrite=True."
      )
    elif is_unpacked(folder) and not _is_done(run, settings):
      raise errors.ConfigError(
        f"{folder} came out of an archive without its model, and the study has other settings or "
        "more metrics now: take the study as it was, or train the run again with overwrite=True."
      )
    try:
      yield
    except errors.DivergedError as error:
      end = {"step": error.step, "message": str(error), "settings": comparable(settings)}
      files.write_json(run.diverged, end)
      raise
    if not _is_done(run, settings):
      files.write_json(run.done, {"settings": comparable(settings), **_made(run)})
    run.failed.unlink(missing_ok=True)


def is_unpacked(folder: str | os.PathLike) -> bool:
  """Returns whether the records of a run came out of an archive, so that it has no models."""
  return os.path.isfile(_run(folder).unpacked)


def _lock(stack: contextlib.ExitStack, folder: pathlib.Path) -> None:
  deadline = time.monotonic() + _PATIENCE
  while True:
    try:
      stack.enter_context(files.locked(folder))
      return
    except errors.TryAgainError:
      if time.monotonic() > deadline:
        raise
      time.sleep(0.1)


def _made(run: run_folder.RunFolder) -> dict[str, object]:
  """Returns the id of a run, a digest of its resolved configuration, and the records it has."""
  return {
    "run_id": _run_id(run),
    "records": sorted(path.relative_to(run.path).as_posix() for path in run.records()),
  }


def _run_id(run: run_folder.RunFolder) -> str | None:
  identity = run.model.identity
  return files.sha256(identity) if identity.is_file() else None


def forget(folder: pathlib.Path) -> None:
  """Deletes how a run ended and where it came from. The caller holds its lock."""
  run = _run(folder)
  with files.clear_write_errors(folder):
    for path in (run.done, run.diverged, run.failed, run.unpacked):
      path.unlink(missing_ok=True)


def clear(folder: str | os.PathLike) -> None:
  """Deletes what a run wrote, so that it is made anew.

  Raises:
    TryAgainError: If a process makes the run.
  """
  folder = pathlib.Path(folder)
  if not folder.is_dir():
    return
  with files.locked(folder):
    forget(folder)
    _remove(_run(folder).stages())


def _remove(folders: Iterable[pathlib.Path]) -> None:
  for folder in folders:
    if folder.is_dir():
      files.remove_directory(folder)


def give_up(folder: str | os.PathLike, exit_code: int, message: str, num_attempts: int) -> None:
  """Records that a run failed.

  Args:
    folder: Folder of the run.
    exit_code: How its last attempt ended; of a signal, minus its number.
    message: Last line that the attempt printed.
    num_attempts: Number of attempts.

  Raises:
    TryAgainError: If the disk is full.
    ConfigError: If the folder cannot be written.
  """
  record = {"exit_code": exit_code, "message": message, "attempts": num_attempts}
  files.write_json(_run(folder).failed, record)


def num_threads(folder: str | os.PathLike) -> int | None:
  """Returns the number of threads that a run was begun with, None if it was not begun."""
  found = _read(_run(folder).model.identity).get(NUM_THREADS)
  if isinstance(found, str) and found.isdecimal() and len(found) < 10:
    return int(found)
  return None


def last_line(folder: str | os.PathLike) -> str:
  """Returns the last line that the last attempt left in a run's log, without reading all of it."""
  try:
    with open(_run(folder).log, "rb") as log:
      log.seek(0, os.SEEK_END)
      log.seek(max(0, log.tell() - 4000))
      lines = log.read().decode(errors="replace").split("\n")
  except OSError:
    return ""
  said = itertools.takewhile(lambda line: not line.startswith(HEADER), reversed(lines))
  return next(filter(None, map(str.strip, said)), "")
