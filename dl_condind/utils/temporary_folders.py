"""Temporary folders that the next process removes if their writer was killed.

A temporary folder holds a lock file, which its writer keeps locked for as long as it lives. The
system gives the lock back when a process ends, however it ends, so a lock that can be taken proves
that the writer is dead. A process id would not: it may be used again, or be that of another host.
"""

from collections.abc import Iterator
import contextlib
import os
import pathlib
import re
import shutil
import tempfile
from typing import IO

from dl_condind.utils import locks

_LOCK = "writer.lock"
_SUFFIX = ".tmp"
_NAME = re.compile(r"\..*\.[a-z0-9_]{8}\.tmp", re.DOTALL)  # What `beside` makes.


@contextlib.contextmanager
def beside(path: pathlib.Path) -> Iterator[pathlib.Path]:
  """Yields a new temporary folder next to path, on the same disk, and removes it at the end.

  What dead writers left next to path is removed first.
  """
  remove_leftovers(path.parent)
  folder, lock = _make(path)
  try:
    yield folder
  finally:
    _remove(folder, lock)


def remove_leftovers(folder: str | os.PathLike[str]) -> None:
  """Removes the temporary folders in a folder whose writer is dead.

  Those of a living writer stay, and so does everything that `beside` did not make.
  """
  with contextlib.suppress(OSError), os.scandir(folder) as entries:
    found = [e.path for e in entries if _NAME.fullmatch(e.name) and e.is_dir(follow_symlinks=False)]
    for path in found:
      _remove_if_dead(pathlib.Path(path))


def _make(path: pathlib.Path) -> tuple[pathlib.Path, IO[bytes]]:
  """Returns a new temporary folder and its lock, which is held."""
  prefix = f".{path.name[:50]}."  # A name has at most 255 bytes, a character up to 4.
  while True:
    folder = pathlib.Path(tempfile.mkdtemp(_SUFFIX, prefix, path.parent))
    try:
      lock = open(folder / _LOCK, "ab")  # noqa: SIM115 (held until `_remove`)
    except FileNotFoundError:  # Another process took the folder for a leftover.
      continue
    except OSError:
      with contextlib.suppress(OSError):
        folder.rmdir()
      raise
    if _take(lock) and (folder / _LOCK).exists():
      return folder, lock
    lock.close()


def _take(lock: IO[bytes]) -> bool:
  """Takes a lock without waiting and returns whether no other process has it."""
  try:
    return locks.take(lock)
  except OSError:  # A disk without locks, on which `_remove_if_dead` gets none either.
    return True


def _remove_if_dead(folder: pathlib.Path) -> None:
  try:
    lock = open(folder / _LOCK, "r+b")  # noqa: SIM115 (held until `_remove`)
  except FileNotFoundError:  # The writer died before it made its lock, or after it removed it.
    with contextlib.suppress(OSError):
      folder.rmdir()
    return
  except OSError:  # Of another user.
    return
  is_dead = False
  with contextlib.suppress(OSError):  # A disk without locks.
    is_dead = locks.take(lock)
  if is_dead:
    _remove(folder, lock)
  else:
    lock.close()


def _remove(folder: pathlib.Path, lock: IO[bytes]) -> None:
  """Removes a temporary folder, its lock last: what an interruption leaves can still be told."""
  with contextlib.suppress(OSError):
    for entry in set(folder.iterdir()) - {folder / _LOCK}:
      if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry, ignore_errors=True)
      else:
        entry.unlink(missing_ok=True)
  lock.close()  # First, since NFS keeps a file that is open.
  with contextlib.suppress(OSError):
    if os.listdir(folder) == [_LOCK]:
      (folder / _LOCK).unlink()
      folder.rmdir()
