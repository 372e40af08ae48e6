"""Files that are either whole or absent: atomic writes, checksums and locks."""

from collections.abc import Iterator
import contextlib
import errno
import hashlib
import json
import os
import pathlib
import shutil

from dl_condind.utils import errors
from dl_condind.utils import json_objects
from dl_condind.utils import locks
from dl_condind.utils import temporary_folders

MANIFEST = "manifest.json"

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
_REFUSED = (
  errno.EACCES,
  errno.EEXIST,  # mkdir's word for a file where a folder is needed.
  errno.EIO,
  errno.EISDIR,
  errno.ELOOP,
  errno.ENAMETOOLONG,
  errno.ENOTDIR,
  errno.EPERM,
  errno.EROFS,
)


def sha256(path: str | os.PathLike) -> str:
  """Returns the SHA-256 of a file as a hexadecimal string."""
  return digest(path, "sha256")


def digest(path: str | os.PathLike, algorithm: str, start: int = 0) -> str:
  """Returns a checksum of a file, from the byte start on, as a hexadecimal string."""
  with open(path, "rb") as file:
    file.seek(start)
    return hashlib.file_digest(file, algorithm).hexdigest()


def fsync(path: str | os.PathLike) -> None:
  """Waits until a file, or the names in a folder, are on the disk."""
  descriptor = os.open(path, os.O_RDONLY)
  try:
    os.fsync(descriptor)
  finally:
    os.close(descriptor)


@contextlib.contextmanager
def clear_write_errors(path: str | os.PathLike) -> Iterator[None]:
  """Turns the operating system's refusal to write below path into one clear line.

  Raises:
    TryAgainError: If the disk is full.
    ConfigError: If path is read-only or lies where nothing can be created.
  """
  try:
    yield
  except OSError as error:
    texts = [f"[Errno {number}]" for number in _NO_SPACE]
    is_full_copy = isinstance(error, shutil.Error) and any(text in str(error) for text in texts)
    if error.errno in _NO_SPACE or is_full_copy:
      raise no_space(path) from error
    if error.errno in _REFUSED:
      reason = os.strerror(errno.ENOTDIR if error.errno == errno.EEXIST else error.errno)
      raise errors.ConfigError(
        f"Cannot write {path} ({reason}): choose a folder that can be written to."
      ) from error
    raise


def no_space(path: str | os.PathLike) -> errors.TryAgainError:
  """Returns the error that says that the disk is too full to write path, and how full it is."""
  folder = pathlib.Path(path).absolute()
  while not folder.is_dir():
    folder = folder.parent
  return errors.TryAgainError(
    f"No space left to write {path} ({shutil.disk_usage(folder).free:,} bytes free): free some and "
    "run the same command again."
  )


@contextlib.contextmanager
def atomic_file(path: str | os.PathLike) -> Iterator[pathlib.Path]:
  """Yields the name of a temporary file that becomes path when the block ends without an error.

  Readers see the old file or the new one, also after a crash or loss of power. What a process that
  was killed while it wrote has left in the same folder is removed.
  """
  path = pathlib.Path(path)
  with clear_write_errors(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    with temporary_folders.beside(path) as folder:
      temporary = folder / "new"
      temporary.touch()
      os.chmod(temporary, 0o644)
      yield temporary
      fsync(temporary)
      os.replace(temporary, path)
      fsync(path.parent)


def write_text(path: str | os.PathLike, text: str) -> None:
  """Writes a text file atomically."""
  with atomic_file(path) as temporary:
    temporary.write_text(text, encoding="utf-8")


def _json_text(value: object) -> str:
  return json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n"


def write_json(path: str | os.PathLike, value: object) -> None:
  """Writes strict JSON (no NaN or infinity) atomically.

  Raises:
    ValueError: If a number in value is not finite.
  """
  write_text(path, _json_text(value))


@contextlib.contextmanager
def atomic_directory(path: str | os.PathLike) -> Iterator[pathlib.Path]:
  """Yields a temporary folder that becomes path when the block ends without an error.

  Every file in it gets its SHA-256 in `manifest.json`, so `verify_manifest` can tell a whole folder
  from a damaged one. An existing folder is replaced: there is the old one or the new one, or, for
  the instant between two renames, none. Leftovers of dead writers are removed as by `atomic_file`.
  """
  with clear_write_errors(path):
    path = pathlib.Path(os.path.realpath(path))  # A link is written through, not replaced.
    if path.exists() and not path.is_dir():
      raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    with temporary_folders.beside(path) as folder:
      temporary = folder / "new"
      temporary.mkdir()
      os.chmod(temporary, 0o755)
      yield temporary
      names = {str(p.relative_to(temporary)) for p in temporary.rglob("*") if p.is_file()}
      digests = {name: sha256(temporary / name) for name in names - {MANIFEST}}
      (temporary / MANIFEST).write_text(_json_text(digests), encoding="utf-8")
      for entry in temporary.rglob("*"):
        fsync(entry)
      fsync(temporary)
      _replace_directory(temporary, path, folder / "old")
      fsync(path.parent)


def _replace_directory(new: pathlib.Path, path: pathlib.Path, old: pathlib.Path) -> None:
  """Renames a folder to path; what is at path is renamed to old."""
  if not path.exists():
    os.replace(new, path)
    return
  os.replace(path, old)
  try:
    os.replace(new, path)
  except OSError:
    os.replace(old, path)
    raise


def remove_directory(path: str | os.PathLike) -> None:
  """Removes a folder so that a crash half-way leaves nothing under its name."""
  path = pathlib.Path(path)
  with clear_write_errors(path), temporary_folders.beside(path) as folder:
    os.replace(path, folder / "old")


def manifest_digest(path: str | os.PathLike) -> str:
  """Returns the SHA-256 of a folder's manifest: one number for all of its contents."""
  return sha256(pathlib.Path(path) / MANIFEST)


def verify_manifest(path: str | os.PathLike) -> None:
  """Checks that a folder holds exactly the files it was written with.

  Raises:
    DatasetError: If the manifest is missing, or a file is missing, changed or extra.
  """
  path = pathlib.Path(path)
  manifest_path = path / MANIFEST
  if not manifest_path.is_file():
    raise errors.DatasetError(
      f"{path} has no {MANIFEST}: it is incomplete or not from dl_condind; write it again."
    )
  try:
    manifest = json_objects.read(manifest_path)
  except ValueError as error:
    raise errors.DatasetError(
      f"{manifest_path} is damaged ({error}); write the folder again."
    ) from error
  found = {str(p.relative_to(path)) for p in path.rglob("*") if p.is_file()} - {MANIFEST}
  for name in sorted(found | set(manifest)):
    if name not in manifest:
      problem = "is not in its manifest"
    elif name not in found:
      problem = "is missing"
    elif sha256(path / name) != manifest[name]:
      problem = "has changed since it was written"
    else:
      continue
    raise errors.DatasetError(f"{path / name} {problem}; restore it or write {path} again.")


@contextlib.contextmanager
def locked(path: str | os.PathLike) -> Iterator[None]:
  """Holds the only writer's lock of a folder, which is created where absent.

  The lock goes with the process, however it ends. What dead writers left directly in the folder is
  removed.

  Raises:
    TryAgainError: If another process holds it.
    ConfigError: If path cannot be written, or its disk knows no locks.
  """
  path = pathlib.Path(path)
  with clear_write_errors(path):
    path.mkdir(parents=True, exist_ok=True)
    lock = open(path / ".lock", "ab+", buffering=0)  # noqa: SIM115 (held over the yield)
  with lock:
    try:
      is_free = locks.take(lock)
    except OSError as error:
      raise errors.ConfigError(
        f"Files cannot be locked in {path} ({error.strerror}): choose a folder on another disk."
      ) from error
    if not is_free:
      lock.seek(0)
      raise errors.TryAgainError(
        f"{path} is in use by process {_number(lock.read())}: "
        "wait for it to end or choose another folder."
      )
    with clear_write_errors(path):
      lock.truncate(0)
      lock.write(f"{os.getpid()}\n".encode())
    temporary_folders.remove_leftovers(path)
    yield


def _number(content: bytes) -> str:
  """Returns the number that a lock file holds."""
  digits = content.strip()
  return digits.decode() if digits.isdigit() and len(digits) < 20 else "(unknown)"
