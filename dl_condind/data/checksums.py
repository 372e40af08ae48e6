"""Checks of data files against checksums: known ones, and those noted when a file was fetched.

Notes have the format of `sha256sum`, so that `sha256sum --check` reads them too.
"""

from collections.abc import Iterator
from collections.abc import Mapping
import contextlib
import dataclasses
import os
import pathlib
import re

from dl_condind.utils import errors
from dl_condind.utils import files

OK = "ok"
UNCHECKED = "unchecked"
MISSING = "missing"
DAMAGED = "damaged"

_NOTE = re.compile(r"([0-9a-f]{64}) [ *](.+)")


@dataclasses.dataclass(frozen=True)
class Finding:
  """What a check of a file found.

  Attributes:
    path: The file, or the folder of several.
    state: OK, MISSING, DAMAGED, or UNCHECKED if there is nothing to compare it with.
    detail: Its checksum, or what is wrong with it.
  """

  path: pathlib.Path
  state: str
  detail: str


@contextlib.contextmanager
def clear_read_errors(path: pathlib.Path) -> Iterator[None]:
  """Turns the operating system's refusal to read path into one clear line.

  Raises:
    DatasetError: If path cannot be read.
  """
  try:
    yield
  except OSError as error:
    reason = os.strerror(error.errno) if error.errno else str(error)
    raise errors.DatasetError(f"Cannot read {path} ({reason}).") from error


def note_path(path: pathlib.Path) -> pathlib.Path:
  """Returns where the checksum of a file is noted."""
  return path.with_name(f"{path.name}.sha256")


def write_note(path: pathlib.Path, digests: Mapping[str, str]) -> None:
  """Notes the SHA-256 of files, by name, in the file path."""
  lines = [f"{digests[name]}  {name}\n" for name in sorted(digests)]
  files.write_text(path, "".join(lines))


def read_note(path: pathlib.Path) -> dict[str, str] | None:
  """Returns the SHA-256 of files, by name, that path notes, or None if there is no such file."""
  with clear_read_errors(path):
    if not path.is_file():
      return None
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
  return {match[2]: match[1] for match in map(_NOTE.fullmatch, lines) if match}


def check(path: pathlib.Path, size: int | None, checksum: str | None) -> Finding:
  """Compares a file with what is known of it.

  Args:
    path: The file.
    size: Number of bytes, or None if it is not known.
    checksum: "sha256:..." or "md5:..."; if None, the checksum that was noted is taken.

  Raises:
    DatasetError: If the file cannot be read.
  """
  with clear_read_errors(path):
    if not path.exists():
      return Finding(path, MISSING, "")
    if not path.is_file():
      return Finding(path, DAMAGED, "is not a file")
    found_size = path.stat().st_size
    if found_size != size and (size is not None or found_size == 0):
      expected = "" if size is None else f" instead of {size}"
      return Finding(path, DAMAGED, f"has {found_size} bytes{expected}")
    algorithm, _, expected = (checksum or "sha256:").partition(":")
    found = files.digest(path, algorithm)
  if checksum is None:
    noted = read_note(note_path(path))
    if noted is None:
      return Finding(path, UNCHECKED, f"sha256 {found}, nothing to compare it with")
    expected = noted.get(path.name, f"what {note_path(path).name} should say")
  if found != expected:
    return Finding(path, DAMAGED, f"has {algorithm} {found} instead of {expected}")
  return Finding(path, OK, f"{algorithm} {found}")
