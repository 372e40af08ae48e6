"""Reading files that may be missing, damaged, hostile or something else than their name says.

Nothing here unpickles, and nothing allocates before the sizes a file declares are checked.
"""

from collections.abc import Iterable
from collections.abc import Iterator
import contextlib
import functools
import gzip
import hashlib
import os
import pathlib
import zipfile

import h5py
import numpy as np

from dl_condind.data import sources
from dl_condind.utils import errors
from dl_condind.utils import files
from dl_condind.utils import json_objects

DATA_FOLDER_VARIABLE = "DISENTANGLEMENT_LIB_DATA"

_DIGESTS = ".checksums.json"
_HEADER_READERS = {
  (1, 0): np.lib.format.read_array_header_1_0,
  (2, 0): np.lib.format.read_array_header_2_0,
}


def data_folder() -> pathlib.Path:
  """Returns the data folder: `DISENTANGLEMENT_LIB_DATA`, or the current folder if it is not set.

  Raises:
    DatasetError: If it is no folder, or may not be read. One that does not exist yet is no error.
  """
  folder = pathlib.Path(os.environ.get(DATA_FOLDER_VARIABLE) or ".")
  if os.path.exists(folder) and not os.path.isdir(folder):
    problem = "is a file, not a folder"
  elif os.path.exists(folder) and not os.access(folder, os.R_OK | os.X_OK):
    problem = "may not be read"
  else:
    return folder
  raise errors.DatasetError(
    f"{DATA_FOLDER_VARIABLE} is {folder}, which {problem}: set it to the folder of your data sets."
  )


@contextlib.contextmanager
def clear_errors(path: str | os.PathLike, what: str, remedy: str) -> Iterator[None]:
  """Turns whatever goes wrong while a file is read into one clear line.

  Args:
    path: The file.
    what: What it should be.
    remedy: What to do.

  Raises:
    DatasetError: If anything is raised within, other than the errors of this package.
  """
  try:
    yield
  except (errors.ConfigError, errors.DatasetError, errors.TryAgainError):
    raise
  except Exception as error:  # NB: On damaged files libraries raise about every kind there is.
    reason = " ".join(str(error).split()) or type(error).__name__
    raise errors.DatasetError(
      f"{path} is damaged or not {what} ({reason[:200]}): {remedy}."
    ) from error


def find(folder: pathlib.Path, names: list[str], data_set: str) -> pathlib.Path:
  """Returns the first of some files that is there.

  Args:
    folder: Where they belong.
    names: The names under which the content is known, such as with and without `.gz`.
    data_set: Name of the data set that needs it.

  Raises:
    DatasetError: If none is there, or the folder cannot be read.
  """
  for name in names:
    try:
      (folder / name).stat()
    except (FileNotFoundError, NotADirectoryError):
      continue
    except OSError as error:
      raise errors.DatasetError(
        f"Cannot read {folder / name} ({os.strerror(error.errno or 0)}): change its permissions, "
        f"or set {DATA_FOLDER_VARIABLE} to the folder of your data sets."
      ) from error
    return folder / name
  raise errors.DatasetError(
    f"{folder / names[0]} is missing{_why_missing()}: put it there, set {DATA_FOLDER_VARIABLE} to "
    f"the folder of your data sets, or run dl_condind_download_data --datasets={data_set}."
  )


def _why_missing() -> str:
  folder = data_folder()
  if not folder.is_dir():
    return f" ({DATA_FOLDER_VARIABLE} is {folder}, which does not exist)"
  return "" if os.environ.get(DATA_FOLDER_VARIABLE) else f" ({DATA_FOLDER_VARIABLE} is not set)"


def sha256(path: pathlib.Path) -> str:
  """Returns the SHA-256 of a file; see `digest`."""
  return digest(path, "sha256")


def digest(path: pathlib.Path, algorithm: str, start: int = 0) -> str:
  """Returns a checksum of a file, read once for as long as its size and time do not change.

  What is known is kept in `.checksums.json` beside the file, where that can be written, and in this
  process.

  Args:
    path: The file.
    algorithm: A name that `hashlib` knows.
    start: The byte from which on the file counts.
  """
  stat = path.stat()
  state = [stat.st_size, stat.st_mtime_ns, stat.st_ino]
  notes, key = path.with_name(_DIGESTS), f"{algorithm} {start} {path.name}"
  known = _read_notes(notes).get(key)
  if isinstance(known, list) and known[:-1] == state and isinstance(known[-1], str):
    return known[-1]
  found = _digest_of_state(path, algorithm, start, *state)
  with contextlib.suppress(errors.ConfigError, errors.TryAgainError):  # Only time is lost.
    files.write_json(notes, {**_read_notes(notes), key: [*state, found]})
  return found


@functools.lru_cache
def _digest_of_state(path: pathlib.Path, algorithm: str, start: int, *state: int) -> str:
  del state
  return files.digest(path, algorithm, start)


def is_official(path: pathlib.Path) -> bool:
  """Returns whether a file of a data set is known to be the published one, by its checksum."""
  known = sources.CHECKSUMS.get(f"{path.parent.name}/{path.name}", "")
  algorithm, _, expected = known.partition(":")
  return bool(expected) and digest(path, algorithm) == expected


def _read_notes(path: pathlib.Path) -> dict[str, object]:
  with contextlib.suppress(OSError, ValueError):
    return json_objects.read(path)
  return {}


def open_plain(path: pathlib.Path):
  """Opens a file for reading bytes, decompressed if its name ends in `.gz`."""
  return gzip.open(path, "rb") if path.suffix == ".gz" else open(path, "rb")


def exactly(file, num_bytes: int, what: str) -> bytes:
  """Returns the next bytes of a file.

  Raises:
    ValueError: If there are fewer.
  """
  content = file.read(num_bytes)
  if len(content) != num_bytes:
    raise ValueError(f"{what} ends too early")
  return content


def check_sha256(content: Iterable[bytes], expected: str | None) -> None:
  """Checks the SHA-256 of a file's content, given in pieces.

  Raises:
    ValueError: If it is not the expected one, where one is expected.
  """
  found = hashlib.sha256()
  for piece in content:
    found.update(piece)
  if expected not in (None, found.hexdigest()):
    raise ValueError(f"its SHA-256 is {found.hexdigest()}, not {expected}")


def check_layout(what: str, found: tuple, expected: tuple) -> None:
  """Checks the element type and shape of an array.

  Args:
    what: Name of the array.
    found: (dtype, shape) that a file declares.
    expected: (dtype, shape) that it must have.

  Raises:
    ValueError: If they differ.
  """
  found, expected = ((np.dtype(dtype), tuple(shape)) for dtype, shape in (found, expected))
  if found != expected:
    raise ValueError("{} is {} {}, not {} {}".format(what, *found, *expected))


@contextlib.contextmanager
def npz_member(path: pathlib.Path, name: str) -> Iterator[tuple]:
  """Opens one array of an .npz file. The others, which may hold pickles, are not touched.

  Yields:
    The file object, at the first element, the (dtype, shape) that the array declares, and whether
    its columns follow each other (Fortran order) rather than its rows.

  Raises:
    ValueError, KeyError, ...: If the file is damaged or the array cannot be read without pickle.
  """
  with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as member:
    info = archive.getinfo(f"{name}.npy")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
      raise ValueError(f"{name} is not compressed with deflate")
    version = np.lib.format.read_magic(member)
    if version not in _HEADER_READERS:
      raise ValueError(f"{name} has the unknown format version {version}")
    shape, fortran_order, dtype = _HEADER_READERS[version](member)
    if dtype.hasobject:
      raise ValueError(f"{name} holds Python objects, which are never unpickled")
    if fortran_order and len(shape) > 2:
      raise ValueError(f"{name} is in Fortran order: save np.ascontiguousarray({name})")
    num_bytes = int(np.prod(shape, dtype=object)) * dtype.itemsize
    if info.file_size != member.tell() + num_bytes:
      raise ValueError(f"{name} does not have the size that its shape {shape} needs")
    yield member, (dtype, shape), fortran_order and len(shape) == 2


def npz_rows(
  path: pathlib.Path, name: str, dtype: str, shape: tuple[int, ...], rows_per_block: int
) -> Iterator[np.ndarray]:
  """Yields an array of an .npz file block by block, along its first axis.

  Raises:
    ValueError, KeyError, ...: If the file is damaged or the array has another layout.
  """
  with npz_member(path, name) as (member, layout, by_columns):
    check_layout(name, layout, (dtype, shape))
    if by_columns:
      whole = np.frombuffer(member.read(), layout[0]).reshape(shape[::-1]).T
      for start in range(0, shape[0], rows_per_block):
        yield np.ascontiguousarray(whole[start : start + rows_per_block])
      return
    for start in range(0, shape[0], rows_per_block):
      block = (min(rows_per_block, shape[0] - start), *shape[1:])
      num_bytes = int(np.prod(block)) * np.dtype(dtype).itemsize
      yield np.frombuffer(exactly(member, num_bytes, name), dtype).reshape(block)
    if member.read(1):  # The checksum is compared at the end only.
      raise ValueError(f"{name} goes on after its last element")


def hdf5_rows(
  path: pathlib.Path, name: str, dtype: str, shape: tuple[int, ...], rows_per_block: int
) -> Iterator[np.ndarray]:
  """Yields an array of an HDF5 file block by block, along its first axis.

  Raises:
    ValueError, KeyError, ...: If the file is damaged or the array has another layout.
  """
  with h5py.File(path, "r") as file:
    array = hdf5_array(file, name)
    check_layout(name, (array.dtype, array.shape), (dtype, shape))
    for start in range(0, shape[0], rows_per_block):
      yield array[start : start + rows_per_block]


def hdf5_array(file: h5py.File, name: str) -> h5py.Dataset:
  """Returns an array of an HDF5 file that lies in this file alone.

  Raises:
    ValueError: If it is a group, or its data are in other files.
    KeyError: If it is absent.
  """
  if isinstance(file.get(name, getlink=True), h5py.ExternalLink):
    raise ValueError(f"{name} is a link to another file")
  array = file[name]
  if not isinstance(array, h5py.Dataset):
    raise ValueError(f"{name} is not an array")
  if array.is_virtual or array.external:
    raise ValueError(f"the data of {name} are in other files")
  return array
