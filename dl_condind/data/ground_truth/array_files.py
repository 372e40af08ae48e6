"""Named arrays in an .npz or HDF5 file, of which nothing is known before it is opened.

What an array declares is compared with what the file can hold before anything is allocated. Nothing
is unpickled.
"""

from collections.abc import Iterator
from collections.abc import Sequence
import difflib
import pathlib
import zipfile

import h5py
import numpy as np

from dl_condind.data import reading

SUFFIXES = (".npz", ".h5", ".hdf5")

_BLOCK_BYTES = 2**24
_MAX_BLOCK_BYTES = 2**28
_MAX_TEXT_BYTES = 2**12

# Deflate cannot compress more than this.
_MAX_DEFLATE_RATIO = 1032
# HDF5 stores nothing at all of what was never written.
_MAX_HDF5_RATIO = 2000
_LARGE = 2**30  # bytes

Layout = tuple[np.dtype, tuple[int, ...]]


def _is_npz(path: pathlib.Path) -> bool:
  return path.suffix.lower() == ".npz"


def read_layouts(path: pathlib.Path, wanted: Sequence[str], required: str) -> dict[str, Layout]:
  """Returns dtype and shape of those of the wanted arrays that a file has.

  Args:
    path: The file.
    wanted: Names of arrays.
    required: Name of the array that has to be there.

  Raises:
    ValueError, KeyError, ...: If the file is damaged or cannot hold what an array declares, the
      required array is absent, or there is a misspelt one.
  """
  num_bytes = path.stat().st_size
  layouts = {}
  if _is_npz(path):
    with zipfile.ZipFile(path) as archive:
      members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
    for name in _present(list(members), wanted, required):
      _check_compression(name, members[name], num_bytes)
      with reading.npz_member(path, name) as (_, layout, _):
        layouts[name] = layout
  else:
    with h5py.File(path, "r") as file:
      for name in _present(list(file), wanted, required):
        array = _hdf5_array(file, name)
        _check_stored(name, array, num_bytes)
        layouts[name] = (array.dtype, array.shape)
  return layouts


def _present(names: Sequence[str], wanted: Sequence[str], required: str) -> list[str]:
  lower = [name.lower() for name in names]
  for absent in sorted(set(wanted) - set(names)):
    for close in difflib.get_close_matches(absent, lower, cutoff=0.9):
      name = names[lower.index(close)]
      if name not in wanted:
        raise ValueError(f"it holds {name} and no {absent}: rename it")
  if required not in names:
    raise ValueError(f"it holds no {required}, but {', '.join(sorted(names))[:100] or 'nothing'}")
  return [name for name in wanted if name in names]


def _check_compression(name: str, info: zipfile.ZipInfo, num_file_bytes: int) -> None:
  ratio = 1 if info.compress_type == zipfile.ZIP_STORED else _MAX_DEFLATE_RATIO
  if info.compress_size > num_file_bytes or info.file_size > ratio * info.compress_size:
    raise ValueError(
      f"{name} declares {info.file_size} bytes, which a file of {num_file_bytes} bytes cannot hold"
    )


def _hdf5_array(file: h5py.File, name: str) -> h5py.Dataset:
  array = reading.hdf5_array(file, name)
  if array.file.filename != file.filename:  # A link by way of a link.
    raise ValueError(f"{name} is a link to another file")
  return array


def _check_stored(name: str, array: h5py.Dataset, num_file_bytes: int) -> None:
  if array.shape is None:
    raise ValueError(f"{name} is empty")
  if array.size == 0:
    return
  stored = array.id.get_storage_size()
  # Its last chunk may reach beyond the array, but is decompressed as a whole.
  largest = max(int(np.prod(shape, dtype=object)) for shape in (array.shape, array.chunks or (1,)))
  declared = largest * array.dtype.itemsize
  too_much = declared > _LARGE and declared > _MAX_HDF5_RATIO * stored
  if stored == 0 or stored > num_file_bytes or too_much:
    raise ValueError(
      f"{name} declares {declared} bytes, of which a file of {num_file_bytes} bytes stores {stored}"
    )


def blocks(path: pathlib.Path, name: str, layout: Layout) -> Iterator[np.ndarray]:
  """Yields an array of a file block by block, along its first axis.

  Args:
    path: The file.
    name: Name of the array.
    layout: Its dtype and shape, as `read_layouts` returned them.

  Raises:
    ValueError, KeyError, ...: If the file is damaged or was changed.
  """
  dtype, shape = layout
  row_bytes = max(1, dtype.itemsize * int(np.prod(shape[1:], dtype=object)))
  rows = max(1, _BLOCK_BYTES // row_bytes)
  if _is_npz(path):
    return reading.npz_rows(path, name, dtype, shape, rows)
  with h5py.File(path, "r") as file:
    chunk_rows = (_hdf5_array(file, name).chunks or (1,))[0]
  # Whole chunks, each decompressed once, unless they are too large.
  rows = max(1, rows // chunk_rows) * chunk_rows
  rows = max(1, min(rows, _MAX_BLOCK_BYTES // row_bytes))
  return reading.hdf5_rows(path, name, dtype, shape, rows)


def read(path: pathlib.Path, name: str, layout: Layout) -> np.ndarray:
  """Returns a small array of a file; arguments and errors as `blocks`."""
  return np.concatenate(list(blocks(path, name, layout)))


def read_text(path: pathlib.Path, name: str, layout: Layout) -> list[str]:
  """Returns an array of texts; arguments and errors as `blocks`.

  Raises:
    ValueError: If it holds something else.
  """
  dtype, _ = layout
  is_text = dtype.kind == "U" if _is_npz(path) else h5py.check_string_dtype(dtype) is not None
  if not is_text or dtype.itemsize > _MAX_TEXT_BYTES:
    raise ValueError(f"{name} is {dtype}, not text of up to {_MAX_TEXT_BYTES} bytes")
  if _is_npz(path):
    return read(path, name, layout).tolist()
  with h5py.File(path, "r") as file:
    return _hdf5_array(file, name).asstr("utf-8")[()].tolist()
