"""Tables of images kept in cache files, which are checked, made again if damaged, and mapped.

A mapped table lies in memory once for all processes of a machine.
"""

from collections.abc import Callable
from collections.abc import Iterator
import contextlib
import hashlib
import io
import math
import os
import pathlib

from absl import logging
import numpy as np

from dl_condind.data import reading
from dl_condind.utils import errors
from dl_condind.utils import files
from dl_condind.utils import locks

_LARGE = 2**30  # bytes, which take seconds to check

Chunks = Iterator[np.ndarray]  # of consecutive rows, uint8
Shape = tuple[int, ...]


def cached(
  path: pathlib.Path, chunks: Callable[[], Chunks], shape: Shape, sha256: str | None = None
) -> np.ndarray:
  """Returns a table from its cache file, which is made first where absent or damaged.

  Where no file can be written the table is made in memory.

  Args:
    path: The cache file, a .npy.
    chunks: Makes the table, as consecutive rows.
    shape: Shape of the table.
    sha256: Checksum of the table's bytes; if None, it is kept in a file beside the cache file.

  Returns:
    uint8 array of this shape, mapped read-only from the cache file if there is one.

  Raises:
    DatasetError: If the table that was made does not have the given checksum.
    TryAgainError: If there is no space for the cache file.
  """
  table = _read_cache(path, shape, sha256)
  if table is not None:
    return table
  try:
    with only_writer(path.parent):
      table = _read_cache(path, shape, sha256)  # Another process may have made it meanwhile.
      if table is None:
        logging.info("Making %s.", path)
        _write_cache(path, chunks(), shape, sha256)
        table = _map_cache(path, shape)
      return table
  except errors.ConfigError as error:  # The data folder may well be read-only.
    logging.warning("Keeping the images in memory: %s", error)
    return _make_in_memory(chunks(), shape, sha256)


@contextlib.contextmanager
def only_writer(folder: pathlib.Path) -> Iterator[None]:
  """Waits until no other process writes cache files to a folder, then holds the others off."""
  with files.clear_write_errors(folder):
    folder.mkdir(parents=True, exist_ok=True)
    lock = open(folder / ".cache.lock", "ab")  # noqa: SIM115  Held over the yield.
  with lock:
    try:
      locks.take(lock, wait=True)
    except OSError as error:
      raise errors.ConfigError(
        f"{folder} is on a disk without locks ({error.strerror}): choose another data folder."
      ) from error
    yield


def _npy_header(shape: Shape) -> bytes:
  header = io.BytesIO()
  layout = {"descr": "|u1", "fortran_order": False, "shape": shape}
  np.lib.format.write_array_header_1_0(header, layout)
  return header.getvalue()


def _checksum_file(path: pathlib.Path) -> pathlib.Path:
  return path.with_name(f"{path.name}.sha256")


def _check_sha256(actual: str, expected: str | None) -> None:
  if expected not in (None, actual):
    raise errors.DatasetError(
      f"The images that were made have the SHA-256 {actual} instead of {expected}: NumPy "
      f"{np.__version__} computes wrongly here, use another build of it."
    )


def _map_cache(path: pathlib.Path, shape: Shape) -> np.ndarray | None:
  """Returns the table in a cache file, unchecked, or None if it has another layout."""
  header = _npy_header(shape)
  with open(path, "rb") as file:
    same = file.read(len(header)) == header
  if not same or path.stat().st_size != len(header) + math.prod(shape):
    return None
  return np.memmap(path, np.uint8, "r", offset=len(header), shape=shape)


def _read_cache(path: pathlib.Path, shape: Shape, sha256: str | None) -> np.ndarray | None:
  """Returns the table in a cache file, or None if the file is absent or damaged."""
  if not (os.path.isfile(path) and os.access(path, os.R_OK)):
    return None
  checksum_file = _checksum_file(path)
  if sha256 is None and checksum_file.is_file():
    sha256 = checksum_file.read_text(encoding="utf-8", errors="replace").strip()
  table = _map_cache(path, shape)
  if table is None or _known_sha256(path, len(_npy_header(shape))) != sha256:
    logging.warning("%s is damaged and not used.", path)
    return None
  return table


def _known_sha256(path: pathlib.Path, header_bytes: int) -> str:
  """Returns the checksum of the table in a cache file.

  It is computed by reading, not through the map, whose pages would count as memory of the process.
  Of a large file it is remembered for as long as size and time of the file do not change.
  """
  large = path.stat().st_size > _LARGE
  return (reading.digest if large else files.digest)(path, "sha256", header_bytes)


def _write_cache(path: pathlib.Path, chunks: Chunks, shape: Shape, sha256: str | None) -> None:
  digest = hashlib.sha256()
  with files.atomic_file(path) as temporary:
    with open(temporary, "wb") as file:
      file.write(_npy_header(shape))
      for chunk in chunks:
        file.write(chunk)
        digest.update(chunk)
    _check_sha256(digest.hexdigest(), sha256)
  if sha256 is None:
    files.write_text(_checksum_file(path), digest.hexdigest() + "\n")


def _make_in_memory(chunks: Chunks, shape: Shape, sha256: str | None) -> np.ndarray:
  table = np.empty(shape, np.uint8)
  start = 0
  for chunk in chunks:
    table[start : start + len(chunk)] = chunk
    start += len(chunk)
  _check_sha256(hashlib.sha256(table).hexdigest(), sha256)
  return table
