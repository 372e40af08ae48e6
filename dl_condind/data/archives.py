"""Taking files out of a .tar.gz that may be damaged or hostile.

No path, link, mode or owner that an archive names is ever used, and it is neither unpacked further
nor read into memory in larger pieces than is allowed.
"""

from collections.abc import Iterator
import contextlib
import dataclasses
import gzip
import hashlib
import lzma
import os
import pathlib
import re
import shutil
import tarfile
from typing import IO
from typing import cast
import zlib

from dl_condind.data import checksums
from dl_condind.data import sources
from dl_condind.utils import errors
from dl_condind.utils import files

_STAGING = ".unpacking"
_MAX_INDEX_BYTES = 1 << 20
_BLOCK = 1 << 14  # bytes, read at once; nor is a longer header read, which has a few hundred

# What damaged archives set off in the libraries that read them.
_READ_ERRORS = (
  EOFError,
  OverflowError,
  RecursionError,
  ValueError,
  gzip.BadGzipFile,
  tarfile.TarError,
  zlib.error,
)


@dataclasses.dataclass(frozen=True)
class Limits:
  """What an archive may hold.

  Attributes:
    entries: Number of entries, wanted or not.
    members: Number of wanted members.
    member_bytes: Size of a wanted member.
    total_bytes: Size of the decompressed archive.
  """

  entries: int = 20_000
  members: int = 1_000
  member_bytes: int = 20_000_000
  total_bytes: int = 4_000_000_000


class Guard:
  """A decompressed archive that can be read forwards only, in small pieces and up to a limit.

  tarfile reads a header of any size that an archive declares at once, and jumps to any offset.
  """

  def __init__(self, file: gzip.GzipFile | lzma.LZMAFile, total_bytes: int):
    self._file = file
    self._total_bytes = total_bytes

  def read(self, size: int) -> bytes:
    """Returns at most size bytes; a ValueError is raised if that is too much."""
    if not 0 <= size <= _BLOCK:
      raise ValueError(f"it declares a header of {size} bytes")
    content = self._file.read(size)
    self._check(self._file.tell())
    return content

  def seek(self, position: int) -> None:
    """Moves forwards; a ValueError is raised if that is backwards or beyond the limit."""
    if position < self._file.tell():
      raise ValueError("it declares a negative size")
    self._check(position)
    self._file.seek(position)

  def tell(self) -> int:
    """Returns the position."""
    return self._file.tell()

  def _check(self, position: int) -> None:
    if position > self._total_bytes:
      raise ValueError(f"it unpacks to more than {self._total_bytes} bytes")


def unpack(
  path: pathlib.Path, pattern: str, folder: pathlib.Path, limits: Limits = Limits()
) -> dict[str, str]:
  """Writes the wanted members of an archive to a folder, under their base names.

  Args:
    path: A .tar.gz.
    pattern: Regular expression that the whole name of a wanted member matches.
    folder: Where to write them. After an error some may be there.
    limits: What the archive may hold.

  Returns:
    SHA-256 of each member, by base name.

  Raises:
    DatasetError: If the archive is damaged or hostile, or cannot be read.
    TryAgainError: If the disk is full.
  """
  wanted = re.compile(pattern, re.ASCII)
  digests: dict[str, str] = {}
  with _clear_errors(path), gzip.open(path, "rb") as plain:
    guard = Guard(plain, limits.total_bytes)
    with tarfile.open(fileobj=cast(IO[bytes], guard), mode="r:") as archive:
      for member in _entries(archive, limits.entries):
        if not wanted.fullmatch(member.name):
          continue
        name = os.path.basename(member.name)
        _check_member(member, name in digests, limits)
        if len(digests) == limits.members:
          raise ValueError(f"it holds more than {limits.members} files that are wanted")
        digests[name] = _copy(archive, member, folder / name)
    while guard.read(_BLOCK):  # The checksum is compared at the end only.
      pass
  return digests


@contextlib.contextmanager
def _clear_errors(path: pathlib.Path) -> Iterator[None]:
  with checksums.clear_read_errors(path):
    try:
      yield
    except errors.ConfigError:  # A ValueError, but about the folder that is written to.
      raise
    except _READ_ERRORS as error:
      reason = " ".join(str(error).split()) or type(error).__name__
      raise errors.DatasetError(
        f"{path} is damaged or not what it should be ({reason}): delete it and fetch it again."
      ) from error


def _entries(archive: tarfile.TarFile, max_entries: int) -> Iterator[tarfile.TarInfo]:
  for _ in range(max_entries):
    member = archive.next()
    if member is None:
      return
    if member.size < 0:
      raise ValueError("it declares a negative size")
    yield member
  raise ValueError(f"it holds more than {max_entries} entries")


def _check_member(member: tarfile.TarInfo, is_known: bool, limits: Limits) -> None:
  if is_known:
    raise ValueError(f"it holds {member.name} twice")
  if not member.isreg() or member.issparse():
    raise ValueError(f"{member.name} is not a plain file")
  if member.size > limits.member_bytes:
    raise ValueError(f"{member.name} has {member.size} bytes, more than {limits.member_bytes}")


def _copy(archive: tarfile.TarFile, member: tarfile.TarInfo, target: pathlib.Path) -> str:
  """Writes a member to target and returns its SHA-256."""
  digest = hashlib.sha256()
  source = archive.extractfile(member)
  if source is None:
    raise ValueError(f"{member.name} is not a plain file")
  with files.atomic_file(target) as temporary, open(temporary, "wb") as file:
    while block := source.read(_BLOCK):
      file.write(block)
      digest.update(block)
  return digest.hexdigest()


def note_path(folder: pathlib.Path) -> pathlib.Path:
  """Returns where the checksums of the files unpacked to a folder are noted."""
  return folder / f"{folder.name}.sha256"


def install(path: pathlib.Path, members: sources.Members, limits: Limits = Limits()) -> None:
  """Replaces an archive by its wanted members, in the same folder, and notes their checksums.

  Nothing changes unless the archive is whole and complete. The caller makes sure that no other
  process does the same.

  Raises:
    DatasetError: If the archive is damaged, hostile or incomplete, or its folder holds files of
      another one.
    TryAgainError: If the disk is full.
    ConfigError: If the folder cannot be written.
  """
  folder = path.parent
  staging = folder / _STAGING
  with files.clear_write_errors(folder):
    shutil.rmtree(staging, ignore_errors=True)  # From a process that was killed.
    staging.mkdir()
    try:
      digests = unpack(path, members.pattern, staging, limits)
      _check_complete(path, staging, members, set(digests))
      for name in sorted(digests):
        os.replace(staging / name, folder / name)
      checksums.write_note(note_path(folder), digests)
    finally:
      shutil.rmtree(staging, ignore_errors=True)
    path.unlink()


def _check_complete(
  path: pathlib.Path, staging: pathlib.Path, members: sources.Members, names: set[str]
) -> None:
  expected = {members.index, *listed(staging, members)} if members.index in names else set()
  if names != expected or len(names) != members.count + 1:
    raise errors.DatasetError(
      f"{path} does not hold {members.index} and the {members.count} files that it lists: delete "
      "it and fetch it again."
    )
  there = {entry.name for entry in path.parent.glob(f"*{members.suffix}")}
  if strangers := sorted(there - names):
    raise errors.DatasetError(
      f"{path.parent / strangers[0]} does not belong to {path.name}: move it away and run the same "
      "command again."
    )


def listed(folder: pathlib.Path, members: sources.Members) -> list[str]:
  """Returns the names of the files that the index in a folder lists.

  Raises:
    DatasetError: If the index cannot be read.
  """
  index = folder / members.index
  with checksums.clear_read_errors(index):
    if index.stat().st_size > _MAX_INDEX_BYTES:
      raise errors.DatasetError(f"{index} is far too long for a list of files: fetch it again.")
    lines = index.read_text(encoding="utf-8", errors="replace").splitlines()
  return [f"{line.strip()}{members.suffix}" for line in lines if line.strip()]


def check(folder: pathlib.Path, members: sources.Members) -> list[checksums.Finding]:
  """Compares the files unpacked to a folder with their index and with what was noted of them.

  Returns:
    What is wrong, one finding for each file; or else a single one for the folder.

  Raises:
    DatasetError: If a file cannot be read.
  """
  index = folder / members.index
  if not index.is_file():
    return [checksums.Finding(index, checksums.MISSING, "")]
  note = checksums.read_note(note_path(folder))
  noted = note or {}
  expected = {members.index, *listed(folder, members)}
  present = {members.index} | {entry.name for entry in folder.glob(f"*{members.suffix}")}
  damaged = {name: f"is not in {members.index}" for name in present - expected}
  if len(expected) != members.count + 1:
    damaged[members.index] = f"lists {len(expected) - 1} files instead of {members.count}"
  for name in expected & present & noted.keys() - damaged.keys():
    found = checksums.check(folder / name, None, f"sha256:{noted[name]}")
    if found.state == checksums.DAMAGED:
      damaged[name] = found.detail
  if note is not None:
    for name in expected & present - noted.keys() - damaged.keys():
      damaged[name] = f"has no checksum in {note_path(folder).name}"
  states = dict.fromkeys(expected - present, (checksums.MISSING, ""))
  states |= {name: (checksums.DAMAGED, detail) for name, detail in damaged.items()}
  if states:
    return [checksums.Finding(folder / name, *states[name]) for name in sorted(states)]
  summary = f"{len(expected)} files"
  if note is None:
    return [checksums.Finding(folder, checksums.UNCHECKED, f"{summary}, no checksums noted")]
  return [checksums.Finding(folder, checksums.OK, f"{summary}, sha256 as when unpacked")]
