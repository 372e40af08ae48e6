"""The Cars3D data set (Reed et al., NIPS 2015), from the files of its archive."""

from collections.abc import Iterator
import hashlib
import json
import pathlib
import zlib

from absl import logging
import numpy as np
import scipy.io

from dl_condind.data import archives
from dl_condind.data import checksums
from dl_condind.data import reading
from dl_condind.data import sources
from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.data.ground_truth import resizing
from dl_condind.data.ground_truth import table_cache
from dl_condind.utils import errors

FOLDER = "cars"
_MEMBERS = sources.DATA_SETS["cars3d"][0].members  # Of its archive.
_LIST = _MEMBERS.index
NUM_ELEVATIONS, NUM_AZIMUTHS, NUM_OBJECTS = 4, 24, _MEMBERS.count
NUM_VIEWS = NUM_ELEVATIONS * NUM_AZIMUTHS
IMAGE_SHAPE = (64, 64, 3)
_SOURCE_SHAPE = (128, 128, 3, NUM_AZIMUTHS, NUM_ELEVATIONS)

_MAX_FILE_BYTES = 16 * 2**20  # An uncompressed file has 6.
_MAT_HEADER_BYTES = 128
_COMPRESSED = 15  # Type of a compressed element.


class Cars3D(ground_truth_data.TableData):
  """Drawn cars on white, 64 x 64 x 3.

  | index | factor    | values                          |
  | ----- | --------- | ------------------------------- |
  | 0     | elevation | 4                               |
  | 1     | azimuth   | 24                              |
  | 2     | object    | 183, in the order of file names |

  Row of the table: `(object * 24 + azimuth) * 4 + elevation`.

  The files `*.mat` of the archive and its `list.txt` lie in the folder `cars` of the data folder.
  Images are resized from 128 x 128 with a Lanczos filter and kept in a cache file beside them.
  disentanglement_lib numbers objects in the order in which the folder happens to list its files.
  """

  def __init__(self, num_objects: int = NUM_OBJECTS):
    """Describes the data set.

    Args:
      num_objects: Number of cars that must be there; 183 in the archive.
    """
    super().__init__(
      name="cars3d",
      factor_names=["elevation", "azimuth", "object"],
      factor_sizes=[NUM_ELEVATIONS, NUM_AZIMUTHS, num_objects],
      latent_factor_indices=[0, 1, 2],
      observation_shape=IMAGE_SHAPE,
      packed=False,
    )
    self.table_arguments = (num_objects,)

  def rows_from_all_factors(self, factors: np.ndarray) -> np.ndarray:
    """Returns the row of each combination of factors, `[num]`."""
    elevation, azimuth, car = factors.T
    return (car * NUM_AZIMUTHS + azimuth) * NUM_ELEVATIONS + elevation

  def check_files(self) -> None:
    """Checks that the files of the cars are there, without reading them.

    Raises:
      DatasetError: If one is missing or extra.
    """
    find_cars(reading.data_folder().resolve() / FOLDER, *self.table_arguments)

  def read_table(self, folder: pathlib.Path) -> tuple[np.ndarray, dict[str, str]]:
    """Returns the images, uint8 `[num_objects * 96, 64, 64, 3]`, and their provenance.

    Raises:
      DatasetError: If a file is missing, extra, damaged or not what it should be.
      TryAgainError: If there is no space for the cache file.
    """
    folder = folder / FOLDER
    (num_objects,) = self.table_arguments
    paths = find_cars(folder, num_objects)
    with _clear_errors(folder):
      digests = {path.name: reading.sha256(path) for path in paths}
    source = _source(folder, digests)
    text = json.dumps([resizing.VERSION, digests], sort_keys=True)
    key = hashlib.sha256(text.encode()).hexdigest()

    def make() -> Iterator[np.ndarray]:
      for number, path in enumerate(paths, start=1):
        yield read_car(path)
        if number % 50 == 0 or number == num_objects:
          logging.info("Resized %d of %d cars.", number, num_objects)

    cache = folder / f"images-{key[:16]}.npy"
    table = table_cache.cached(cache, make, (self.num_rows, *IMAGE_SHAPE))
    return table, {"source": source, "sha256": key}


def _source(folder: pathlib.Path, digests: dict[str, str]) -> str:
  """Returns whether the files are as they were unpacked from the official archive.

  Raises:
    DatasetError: If they were unpacked from it and one is not any more.
  """
  noted = checksums.read_note(archives.note_path(folder))
  if noted is None:
    return "unverified files (perhaps altered or synthetic)"
  changed = sorted(name for name, found in digests.items() if noted.get(name) != found)
  if changed:
    raise errors.DatasetError(
      f"{folder / changed[0]} is not as it was unpacked from the official archive: "
      f"dl_condind_download_data --datasets=cars3d fetches it again; for other files, move "
      f"{archives.note_path(folder).name} away."
    )
  return "official archive"


def find_cars(folder: pathlib.Path, num_objects: int) -> list[pathlib.Path]:
  """Returns the files of the cars, sorted by name.

  Raises:
    DatasetError: If a file is missing or extra.
  """
  if not folder.is_dir():
    reading.find(folder, [_LIST], "cars3d")  # Says what is missing and where it belongs.
  with _clear_errors(folder):
    found = {path.name for path in folder.iterdir() if path.suffix == ".mat"}
  listed = set(archives.listed(folder, _MEMBERS)) if (folder / _LIST).is_file() else None
  if listed is not None:
    _check_none(folder, listed - found, f"missing, although {_LIST} names it")
    _check_none(folder, found - listed, f"extra: {_LIST} does not name it, move it away")
  if len(found) != num_objects:
    hint = "" if listed else f"; the {_LIST} of the archive, put there too, tells which"
    difference = num_objects - len(found)
    what = f"{difference} missing" if difference > 0 else f"{-difference} too many"
    raise errors.DatasetError(
      f"{folder} holds {len(found)} cars (*.mat) instead of {num_objects}, {what}{hint}: "
      "dl_condind_download_data --datasets=cars3d fetches them."
    )
  return [folder / name for name in sorted(found)]


def _check_none(folder: pathlib.Path, names: set[str], problem: str) -> None:
  if names:
    first = min(names)
    others = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
    raise errors.DatasetError(
      f"{folder / first}{others} is {problem}: dl_condind_download_data --datasets=cars3d fetches "
      "the files of the archive."
    )


def _clear_errors(path: pathlib.Path):
  remedy = "fetch it again with dl_condind_download_data --datasets=cars3d"
  return reading.clear_errors(path, "a Cars3D file", remedy)


def read_car(path: pathlib.Path) -> np.ndarray:
  """Returns the resized views of one car, uint8 `[96, 64, 64, 3]`, row `azimuth * 4 + elevation`.

  Raises:
    DatasetError: If the file is damaged or its `im` is not uint8 `[128, 128, 3, 24, 4]`.
  """
  with _clear_errors(path):
    if path.stat().st_size > _MAX_FILE_BYTES:
      raise ValueError(f"it has {path.stat().st_size} bytes, which no car has")
    _check_compressed_elements(path)
    declared = {name: (shape, kind) for name, shape, kind in scipy.io.whosmat(path)}
    if "im" not in declared:
      raise ValueError(f"it has no variable im, but {sorted(declared)}")
    if declared["im"] != (_SOURCE_SHAPE, "uint8"):
      shape, kind = declared["im"]
      raise ValueError(f"im is {kind} {shape}, not uint8 {_SOURCE_SHAPE}")
    images = scipy.io.loadmat(path, variable_names=["im"])["im"]
    reading.check_layout("im", (images.dtype, images.shape), ("uint8", _SOURCE_SHAPE))
    views = images.transpose(3, 4, 0, 1, 2).reshape(NUM_VIEWS, *_SOURCE_SHAPE[:3])
    return resizing.resize(np.ascontiguousarray(views), IMAGE_SHAPE[:2])


def _check_compressed_elements(path: pathlib.Path) -> None:
  """Compares the checksums of compressed variables, which SciPy leaves unread.

  Raises:
    ValueError, zlib.error: If one is damaged.
  """
  content = memoryview(path.read_bytes())
  position = _MAT_HEADER_BYTES
  while position < len(content):
    tag = np.frombuffer(content[position : position + 8], "<u4")
    if len(tag) != 2:
      raise ValueError("it ends within a variable")
    kind, length = tag.tolist()
    element = content[position + 8 : position + 8 + length]
    if len(element) != length:
      raise ValueError("it ends within a variable")
    if kind == _COMPRESSED:
      decompressor = zlib.decompressobj()
      decompressor.decompress(element, _MAX_FILE_BYTES)
      if not decompressor.eof:
        raise ValueError("a variable is larger than any of a car, or its compression is damaged")
    position += 8 + length
