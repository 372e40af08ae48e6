"""Users' own images or vectors and factors, from arrays in an .npz or HDF5 file."""

import contextlib
import pathlib

import gin
import numpy as np

from dl_condind.data import reading
from dl_condind.data.ground_truth import array_files
from dl_condind.data.ground_truth import factor_table
from dl_condind.data.ground_truth import labelled_images
from dl_condind.utils import errors
from dl_condind.utils import observations

_OF_FACTORS = ("factors", "factor_names", "factor_sizes")
_ARRAYS = ("observations", "feature_names", *_OF_FACTORS)
_KINDS = "an .npz, .h5 or .hdf5 file"

_Layouts = dict[str, array_files.Layout]


@gin.configurable("arrays")
class Arrays(labelled_images.LabelledImages):
  """Images of any size or vectors, with any factors or none, from one .npz, .h5 or .hdf5 file.

  | array         | shape                   | values                                              |
  | ------------- | ----------------------- | --------------------------------------------------- |
  | observations  | [n, height, width, c],  | uint8 in 0...255, or float16, float32 or float64 in |
  |               | c = 1 or 3, or          | [0, 1]                                              |
  |               | [n, height, width]      |                                                     |
  |               | or [n, features]        | vectors: float16, float32 or float64, any finite    |
  | feature_names | [features]              | text, of vectors; optional                          |
  | factors       | [n, num_factors]        | integers from 0, or floats; optional                |
  | factor_names  | [num_factors]           | text; optional, else factor_0, factor_1, ...        |
  | factor_sizes  | [num_factors]           | number of values of each factor, 0 if continuous;   |
  |               |                         | optional, else the largest value + 1 of integers,   |
  |               |                         | and 0 for floats                                    |

  Metrics take a factor for continuous if a value of it is not a whole number.

  Other arrays in the file are not read, and nothing is unpickled.
  """

  def __init__(self, path: str | None = None):
    """Describes the data set and reads its factors. The images are read on first use.

    Args:
      path: The file, as named from the current folder, or else in the data folder.

    Raises:
      ConfigError: If there is no path, or it does not end in .npz, .h5 or .hdf5.
      DatasetError: If the file is missing, damaged or does not hold such arrays.
    """
    found = labelled_images.own_path("arrays.path", path, _KINDS)
    if found.suffix.lower() not in array_files.SUFFIXES:
      raise errors.ConfigError(f"arrays.path must be the name of {_KINDS}, got {path!r}.")
    with _clear_errors(found):
      version = _version(found)
      layouts = array_files.read_layouts(found, _ARRAYS, "observations")
      shape = _observation_shape(layouts)
      feature_names = _read_feature_names(found, layouts, shape)
      factors, names, num_values = _read_factors(found, layouts)
    super().__init__(
      name="arrays",
      path=found,
      factor_names=names,
      factors_num_values=num_values,
      num_rows=len(factors),
      observation_shape=shape,
      version=version,
    )
    self._factors = factors
    self.feature_names = feature_names

  def read_factors(self) -> np.ndarray:
    """Returns the factors, as they were when the data set was opened."""
    return self._factors

  def read_images(self, folder: pathlib.Path) -> tuple[np.ndarray, dict[str, str]]:
    """Returns all observations, uint8 or float32 `[num_rows, *observation_shape]`, and provenance.

    Raises:
      DatasetError: If the file is damaged, was changed since, or a value is out of range.
    """
    del folder  # The path is absolute.
    with _clear_errors(self.path):
      if _version(self.path) != self.version:
        raise ValueError("it has changed since it was opened")
      images = _read_observations(self.path)
      sha256 = reading.sha256(self.path)
    return images, {"source": "own arrays", "sha256": sha256, "path": self.path.name}


def _clear_errors(path: pathlib.Path) -> contextlib.AbstractContextManager:
  return reading.clear_errors(path, "a file that arrays.path can name", "correct or replace it")


def _version(path: pathlib.Path) -> tuple[int, ...]:
  if not path.is_file():
    raise ValueError("it is not a file")
  stat = path.stat()
  return stat.st_size, stat.st_mtime_ns, stat.st_ino


def _observation_shape(layouts: _Layouts) -> tuple[int, ...]:
  """Returns (height, width, channels), or (features,) of vectors.

  Raises:
    ValueError: If the observations are neither images nor vectors.
  """
  dtype, shape = layouts["observations"]
  if len(shape) == 2 and min(shape) >= 1:
    if dtype.kind != "f" or dtype.itemsize > 8:
      raise ValueError(f"observations are vectors of {dtype}, not float16, float32 or float64")
    return shape[1:]
  if dtype != np.uint8 and (dtype.kind != "f" or dtype.itemsize > 8):
    raise ValueError(f"observations is {dtype}, not uint8, float16, float32 or float64")
  channels = shape[3:] or (1,)
  if len(shape) not in (3, 4) or min(shape) < 1 or channels not in ((1,), (3,)):
    raise ValueError(
      f"observations has the shape {shape}, not [n, height, width], or [n, height, width, 1 or 3], "
      "or [n, features] of vectors"
    )
  return (*shape[1:3], *channels)


def _read_feature_names(
  path: pathlib.Path, layouts: _Layouts, shape: tuple[int, ...]
) -> list[str] | None:
  """Returns the names of the features, None without any.

  Raises:
    ValueError, ...: If there is not a name for each feature of vectors.
  """
  if "feature_names" not in layouts:
    return None
  if layouts["feature_names"][1] != shape:
    raise ValueError(
      f"feature_names has the shape {layouts['feature_names'][1]}, and an observation {shape}"
    )
  return array_files.read_text(path, "feature_names", layouts["feature_names"])


def _read_factors(path: pathlib.Path, layouts: _Layouts) -> tuple[np.ndarray, list[str], list[int]]:
  """Returns factors, their names and numbers of values.

  Raises:
    ValueError, ...: If they do not fit each other or the observations.
  """
  num_rows = layouts["observations"][1][0]
  if "factors" not in layouts:
    others = layouts.keys() & {*_OF_FACTORS}
    if others:
      raise ValueError(f"it holds {max(others)} without factors")
    return np.empty((num_rows, 0), np.int64), [], []
  shape = layouts["factors"][1]
  if len(shape) != 2 or not 1 <= shape[1] <= factor_table.MAX_FACTORS or shape[0] != num_rows:
    raise ValueError(
      f"factors has the shape {shape}, not [{num_rows}, num_factors]: a row for each observation "
      f"and up to {factor_table.MAX_FACTORS} columns"
    )
  for name in ("factor_names", "factor_sizes"):
    if name in layouts and layouts[name][1] != shape[1:]:
      raise ValueError(f"{name} has the shape {layouts[name][1]}, not {shape[1:]}")
  factors = array_files.read(path, "factors", layouts["factors"])
  names = [f"factor_{i}" for i in range(shape[1])]
  sizes = [0 if factors.dtype.kind == "f" else None] * shape[1]
  if "factor_names" in layouts:
    names = array_files.read_text(path, "factor_names", layouts["factor_names"])
    factor_table.check_names(names)
  if "factor_sizes" in layouts:
    sizes = array_files.read(path, "factor_sizes", layouts["factor_sizes"])
    if sizes.dtype.kind not in "iu":
      raise ValueError(f"factor_sizes is {sizes.dtype}, not integers")
  factors, num_values = factor_table.check_factors(factors, names, sizes)
  return factors, names, num_values


def _read_observations(path: pathlib.Path) -> np.ndarray:
  """Returns all observations, uint8 or float32 `[n, *observation_shape]`, read-only.

  Raises:
    ValueError, ...: If the file is damaged or a value is out of range.
  """
  layouts = array_files.read_layouts(path, ["observations"], "observations")
  observation_shape = _observation_shape(layouts)
  check = _check_finite if observations.is_vector(observation_shape) else _check_unit_interval
  dtype, shape = layouts["observations"]
  images = np.empty(shape, np.uint8 if dtype == np.uint8 else np.float32)
  start, largest = 0, 0
  for block in array_files.blocks(path, "observations", layouts["observations"]):
    if dtype == np.uint8:
      largest = max(largest, int(block.max()))
    else:
      check(block, start)
    images[start : start + len(block)] = block
    start += len(block)
  if dtype == np.uint8 and largest == 1:
    raise ValueError("observations is uint8 but nowhere above 1, of 255: multiply it by 255")
  images.flags.writeable = False
  return images.reshape(-1, *observation_shape)


def _check_unit_interval(block: np.ndarray, start: int) -> None:
  # NaN is outside too.
  _check_none(~((block >= 0) & (block <= 1)), block, start, "in [0, 1]")


def _check_finite(block: np.ndarray, start: int) -> None:
  with np.errstate(over="ignore"):
    _check_none(~np.isfinite(block.astype(np.float32)), block, start, "a finite number of float32")


def _check_none(wrong: np.ndarray, block: np.ndarray, start: int, allowed: str) -> None:
  if wrong.any():
    place = np.unravel_index(np.argmax(wrong), block.shape)
    index = ", ".join(map(str, (start + place[0], *place[1:])))
    raise ValueError(f"observations[{index}] is {block[place]}, not {allowed}")
