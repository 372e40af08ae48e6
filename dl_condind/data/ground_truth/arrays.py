"""Users' own images and factors, from arrays in an .npz or HDF5 file."""

from collections.abc import Iterator
from collections.abc import Sequence
import contextlib
import difflib
import pathlib
import zipfile

import gin
import h5py
import numpy as np

from dl_condind.data import reading
from dl_condind.data.ground_truth import factor_table
from dl_condind.data.ground_truth import labelled_images
from dl_condind.utils import errors

_KNOWN = ("observations", "factors", "factor_names", "factor_sizes")
_SUFFIXES = (".npz", ".h5", ".hdf5")
_BLOCK_BYTES = 2**24
_MAX_BLOCK_BYTES = 2**28
_MAX_NAME_BYTES = 2**12

# Deflate cannot compress more than this.
_MAX_DEFLATE_RATIO = 1032
# HDF5 stores what was never written as nothing at all.
_MAX_HDF5_RATIO = 2000
_LARGE = 2**30  # bytes

_Layouts = dict[str, tuple[np.dtype, tuple[int, ...]]]  # name -> dtype and shape


@gin.configurable("arrays")
class Arrays(labelled_images.LabelledImages):
  """Images [height, width, 1 or 3] of any size with any factors, from one file.

  The file is an .npz or an HDF5 file with the arrays

  | name         | shape                      | content                                           |
  | ------------ | -------------------------- | ------------------------------------------------- |
  | observations | [n, height, width, 1 or 3] | uint8 in 0...255, or float16, float32 or float64  |
  |              | or [n, height, width]      | in [0, 1]                                         |
  | factors      | [n, num_factors]           | integers from 0, or floats; optional              |
  | factor_names | [num_factors]              | text; optional, else factor_0, factor_1, ...      |
  | factor_sizes | [num_factors]              | number of values of each factor, 0 for a          |
  |              |                            | continuous one; optional, else the largest plus 1 |
  |              |                            | for integers and 0 for floats                     |

  Other arrays are not read. Nothing is unpickled.
  """

  def __init__(self, path: str | None = None):
    """Describes the data set and reads its factors. The images are read on first use.

    Args:
      path: The file, absolute or relative to the data folder.

    Raises:
      ConfigError: If there is no path, or it does not end in .npz, .h5 or .hdf5.
      DatasetError: If the file is missing, damaged or does not hold such arrays.
    """
    found = labelled_images.own_path("arrays.path", path, "an .npz, .h5 or .hdf5 file")
    if found.suffix.lower() not in _SUFFIXES:
      raise errors.ConfigError(
        f"arrays.path must be the name of an .npz, .h5 or .hdf5 file, got {path!r}."
      )
    with _clear_errors(found):
      version = _version(found)
      layouts = _read_layouts(found)
      shape = _observation_shape(layouts)
      factors, names, num_values = _read_factors(found, layouts)
    super().__init__(
      name="arrays",
      path=found,
      factor_names=names,
      factors_num_values=num_values,
      factors=factors,
      observation_shape=shape,
      version=version,
    )

  def read_images(self, folder: pathlib.Path) -> tuple[np.ndarray, dict[str, str]]:
    """Returns all images, uint8 or float32 `[num_rows, *observation_shape]`, and their provenance.

    Raises:
      DatasetError: If the file is damaged, was changed since, or holds other values.
    """
    del folder  # The path is absolute.
    with _clear_errors(self.path):
      if _version(self.path) != self.version:
        raise ValueError("it has changed since it was opened")
      table = _read_observations(self.path)
      sha256 = reading.sha256(self.path)
    return table, {"source": "own arrays", "sha256": sha256, "path": self.path.name}


def _clear_errors(path: pathlib.Path) -> contextlib.AbstractContextManager:
  remedy = f"correct or replace it; {Arrays.__name__} of dl_condind says what it has to hold"
  return reading.clear_errors(path, "a file of images and factors for arrays.path", remedy)


def _version(path: pathlib.Path) -> tuple[int, ...]:
  if not path.is_file():
    raise ValueError("it is not a file")
  stat = path.stat()
  return stat.st_size, stat.st_mtime_ns, stat.st_ino


def _is_npz(path: pathlib.Path) -> bool:
  return path.suffix.lower() == ".npz"


def _read_layouts(path: pathlib.Path) -> _Layouts:
  """Returns what the arrays in a file declare, once the file can hold that much.

  Raises:
    ValueError, KeyError, ...: If it cannot, or there are no observations.
  """
  layouts = {}
  if _is_npz(path):
    with zipfile.ZipFile(path) as archive:
      members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
    for name in _known(list(members)):
      _check_compression(name, members[name], path.stat().st_size)
      with reading.npz_member(path, name) as (_, layout):
        layouts[name] = layout
  else:
    with h5py.File(path, "r") as file:
      for name in _known(list(file)):
        array = _hdf5_array(file, name)
        _check_stored(name, array, path.stat().st_size)
        layouts[name] = (array.dtype, array.shape)
  return layouts


def _known(names: Sequence[str]) -> list[str]:
  """Returns which of the arrays in a file are to be read.

  Raises:
    ValueError: If there are no observations, or a name is misspelt.
  """
  for known in set(_KNOWN) - set(names):
    lower = [name.lower() for name in names]
    for close in difflib.get_close_matches(known, lower, cutoff=0.9):
      name = names[lower.index(close)]
      if name not in _KNOWN:
        raise ValueError(f"it holds {name} and no {known}, which should perhaps be its name")
  if "observations" not in names:
    raise ValueError(f"it holds no observations, but {', '.join(sorted(names))[:100] or 'nothing'}")
  return [name for name in _KNOWN if name in names]


def _check_compression(name: str, info: zipfile.ZipInfo, num_file_bytes: int) -> None:
  """Checks that a member of an .npz file can be as large as it declares.

  Raises:
    ValueError: If it cannot.
  """
  ratio = 1 if info.compress_type == zipfile.ZIP_STORED else _MAX_DEFLATE_RATIO
  if info.compress_size > num_file_bytes or info.file_size > ratio * info.compress_size:
    raise ValueError(
      f"{name} declares {info.file_size} bytes, which the {num_file_bytes} bytes of the file "
      "cannot hold"
    )


def _hdf5_array(file: h5py.File, name: str) -> h5py.Dataset:
  """Returns an array that lies in this file.

  Raises:
    ValueError: If it is a group, or its data are in other files.
  """
  array = reading.hdf5_array(file, name)
  if array.file.filename != file.filename:  # A link by way of a link.
    raise ValueError(f"{name} is a link to another file")
  return array


def _check_stored(name: str, array: h5py.Dataset, num_file_bytes: int) -> None:
  """Checks that an array of an HDF5 file is there and can be as large as it declares.

  Raises:
    ValueError: If it cannot.
  """
  if array.shape is None:
    raise ValueError(f"{name} is empty")
  stored = array.id.get_storage_size()
  declared = array.dtype.itemsize * max(
    int(np.prod(shape, dtype=object)) for shape in (array.shape, array.chunks or ())
  )
  too_much = declared > _LARGE and declared > _MAX_HDF5_RATIO * stored
  if stored == 0 or stored > num_file_bytes or too_much:
    raise ValueError(
      f"{name} declares {declared} bytes, of which {stored} are stored, in a file of "
      f"{num_file_bytes} bytes"
    )


def _observation_shape(layouts: _Layouts) -> tuple[int, int, int]:
  """Returns (height, width, channels).

  Raises:
    ValueError: If the observations are not images.
  """
  dtype, shape = layouts["observations"]
  is_float = dtype.kind == "f" and dtype.itemsize in (2, 4, 8)
  if dtype != np.uint8 and not is_float:
    raise ValueError(f"observations is {dtype}, not uint8, float16, float32 or float64")
  channels = shape[3:] or (1,)
  if len(shape) not in (3, 4) or channels not in ((1,), (3,)) or min(shape) < 1:
    raise ValueError(
      f"observations has the shape {tuple(shape)}, not [n, height, width], [n, height, width, 1] "
      "or [n, height, width, 3]"
    )
  return (*shape[1:3], *channels)


def _read_factors(path: pathlib.Path, layouts: _Layouts) -> tuple[np.ndarray, list[str], list[int]]:
  """Returns factors, their names and numbers of values.

  Raises:
    ValueError, ...: If they do not fit each other or the observations.
  """
  num_rows = layouts["observations"][1][0]
  if "factors" not in layouts:
    extra = [name for name in ("factor_names", "factor_sizes") if name in layouts]
    if extra:
      raise ValueError(f"it holds {extra[0]} without factors")
    return np.empty((num_rows, 0), np.int64), [], []
  shape = layouts["factors"][1]
  if len(shape) != 2 or not 1 <= shape[1] <= factor_table.MAX_FACTORS or shape[0] != num_rows:
    raise ValueError(
      f"factors has the shape {tuple(shape)}, not [{num_rows}, num_factors], a row for each "
      f"observation and up to {factor_table.MAX_FACTORS} columns"
    )
  for name in ("factor_names", "factor_sizes"):
    if name in layouts and layouts[name][1] != shape[1:]:
      raise ValueError(f"{name} has the shape {tuple(layouts[name][1])}, not ({shape[1]},)")
  names, sizes = [f"factor_{i}" for i in range(shape[1])], None
  if "factor_names" in layouts:
    names = factor_table.check_names(_read_names(path, layouts))
  if "factor_sizes" in layouts:
    sizes = _read_small(path, "factor_sizes", layouts)
    if sizes.dtype.kind not in "iu":
      raise ValueError(f"factor_sizes is {sizes.dtype}, not integers")
  factors, num_values = factor_table.check_factors(
    _read_small(path, "factors", layouts), names, sizes
  )
  return factors, names, num_values


def _read_names(path: pathlib.Path, layouts: _Layouts) -> list[str]:
  dtype = layouts["factor_names"][0]
  if _is_npz(path):
    if dtype.kind != "U" or dtype.itemsize > _MAX_NAME_BYTES:
      raise ValueError(f"factor_names is {dtype}, not text of up to {_MAX_NAME_BYTES // 4} letters")
    return _read_small(path, "factor_names", layouts).tolist()
  if h5py.check_string_dtype(dtype) is None or dtype.itemsize > _MAX_NAME_BYTES:
    raise ValueError(f"factor_names is {dtype}, not text of up to {_MAX_NAME_BYTES} bytes")
  with h5py.File(path, "r") as file:
    return _hdf5_array(file, "factor_names").asstr()[()].tolist()


def _read_small(path: pathlib.Path, name: str, layouts: _Layouts) -> np.ndarray:
  return np.concatenate(list(_blocks(path, name, layouts)))


def _blocks(path: pathlib.Path, name: str, layouts: _Layouts) -> Iterator[np.ndarray]:
  """Yields an array of a file block by block, along its first axis."""
  dtype, shape = layouts[name]
  row_bytes = max(1, dtype.itemsize * int(np.prod(shape[1:], dtype=object)))
  rows = max(1, _BLOCK_BYTES // row_bytes)
  if _is_npz(path):
    return reading.npz_rows(path, name, dtype, shape, rows)
  with h5py.File(path, "r") as file:
    chunk_rows = (_hdf5_array(file, name).chunks or (1,))[0]
  # Whole chunks, each of which is decompressed once unless it is too large.
  rows = max(rows // chunk_rows, 1) * chunk_rows
  rows = max(1, min(rows, _MAX_BLOCK_BYTES // row_bytes))
  return reading.hdf5_rows(path, name, dtype, shape, rows)


def _read_observations(path: pathlib.Path) -> np.ndarray:
  """Returns all images, uint8 or float32 `[n, height, width, channels]`.

  Raises:
    ValueError, ...: If the file is damaged or a value is out of range.
  """
  layouts = _read_layouts(path)
  image_shape = _observation_shape(layouts)
  dtype, shape = layouts["observations"]
  table = np.empty(shape, np.uint8 if dtype == np.uint8 else np.float32)
  start, largest = 0, 0
  for block in _blocks(path, "observations", layouts):
    if dtype == np.uint8:
      largest = max(largest, int(block.max()))
    else:
      _check_unit_interval(block, start)
    table[start : start + len(block)] = block
    start += len(block)
  if dtype == np.uint8 and largest == 1:
    raise ValueError("observations is uint8 and nowhere more than 1: multiply it by 255")
  table.flags.writeable = False
  return table.reshape(-1, *image_shape)


def _check_unit_interval(block: np.ndarray, start: int) -> None:
  outside = ~((block >= 0) & (block <= 1))  # NaN is too.
  if outside.any():
    place = np.unravel_index(np.argmax(outside), block.shape)
    index = ", ".join(map(str, (start + place[0], *place[1:])))
    raise ValueError(f"observations[{index}] is {block[place]}, not in [0, 1]")
