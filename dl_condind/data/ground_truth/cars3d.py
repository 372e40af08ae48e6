"""The Cars3D data set (Reed et al., NIPS 2015), from the files of its archive."""

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import pathlib
import zlib

from absl import logging
import numpy as np
import scipy.io

from dl_condind.data import archives
from dl_condind.data import checksums
from dl_condind.data import reading
from dl_condind.data import sources
from dl_condind.data.ground_truth import official_table
from dl_condind.data.ground_truth import resizing
from dl_condind.utils import errors

FOLDER = "cars"
_MEMBERS = sources.CARS
_LIST = _MEMBERS.index
NUM_ELEVATIONS, NUM_AZIMUTHS, NUM_OBJECTS = 4, 24, _MEMBERS.count
NUM_VIEWS = NUM_ELEVATIONS * NUM_AZIMUTHS
IMAGE_SHAPE = (64, 64, 3)
_SOURCE_SHAPE = (128, 128, 3, NUM_AZIMUTHS, NUM_ELEVATIONS)

_MAX_FILE_BYTES = 16 * 2**20  # An uncompressed file has 6.
_MAT_HEADER_BYTES = 128
_COMPRESSED = 15  # Type of a compressed element.


class Cars3D(official_table.OfficialTable):
  """Drawn cars on white, 64 x 64 x 3.

  | index | factor    | values                          |
  | ----- | --------- | ------------------------------- |
  | 0     | elevation | 4                               |
  | 1     | azimuth   | 24                              |
  | 2     | object    | 183, in the order of file names |

  Row of the table: `(object * 24 + azimuth) * 4 + elevation`.

  The files `*.mat` of the archive and its `list.txt` lie in the folder `cars` of the data folder.
  Images are resized from 128 x 128 with a Lanczos filter and kept in a cache file next to them.
  disentanglement_lib numbers objects in the order in which the folder happens to list its files.
  """

  folder = FOLDER
  kind = "a Cars3D file"
  has_one_file = False

  def __init__(self, num_objects: int = NUM_OBJECTS):
    """Describes the data set.

    Args:
      num_objects: Number of cars that must be there; 183 in the archive.
    """
    super().__init__(
      name="cars3d",
      factor_names=["elevation", "azimuth", "object"],
      factor_sizes=[NUM_ELEVATIONS, NUM_AZIMUTHS, num_objects],
      observation_shape=IMAGE_SHAPE,
    )

  def rows_from_all_factors(self, factors: np.ndarray) -> np.ndarray:
    """Returns the row of each combination of factors, `[num]`."""
    elevation, azimuth, car = factors.T
    return (car * NUM_AZIMUTHS + azimuth) * NUM_ELEVATIONS + elevation

  def find_files(self, folder: pathlib.Path) -> list[pathlib.Path]:
    """Returns the files of the cars, sorted by name.

    Raises:
      DatasetError: If a file is missing or extra.
    """
    if not folder.is_dir():
      reading.find(folder, [_LIST], self.name)  # Says what is missing and where it belongs.
    with self.reading(folder):
      found = {path.name for path in folder.iterdir() if path.suffix == ".mat"}
    listed = set(archives.listed(folder, _MEMBERS)) if (folder / _LIST).is_file() else None
    if listed is not None:
      _check_none(folder, listed - found, f"missing, although {_LIST} names it")
      _check_none(folder, found - listed, f"extra: {_LIST} does not name it, move it away")
    num_objects = self.factor_sizes[2]
    difference = num_objects - len(found)
    if difference:
      hint = "" if listed else f"; the {_LIST} of the archive, put there too, tells which"
      what = f"{difference} missing" if difference > 0 else f"{-difference} too many"
      raise errors.DatasetError(
        f"{folder} holds {len(found)} cars (*.mat) instead of {num_objects}, {what}{hint}: "
        "dl_condind_download_data --datasets=cars3d fetches them."
      )
    return [folder / name for name in sorted(found)]

  def source(self, paths: Sequence[pathlib.Path], digests: Mapping[str, str]) -> str:
    """Returns whether the files are as they were unpacked from the official archive.

    Raises:
      DatasetError: If they were unpacked from it and one is not any more.
    """
    folder = paths[0].parent
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

  def image_blocks(self, paths: Sequence[pathlib.Path]) -> Iterator[np.ndarray]:
    """Yields the resized views of each car, uint8 `[96, 64, 64, 3]`, row `azimuth * 4 + elevation`.

    Raises:
      DatasetError: If a file is damaged or its `im` is not uint8 `[128, 128, 3, 24, 4]`.
    """
    for number, path in enumerate(paths, start=1):
      with self.reading(path):
        yield _read_car(path)
      if number % 50 == 0 or number == len(paths):
        logging.info("Resized %d of %d cars.", number, len(paths))


def _check_none(folder: pathlib.Path, names: set[str], problem: str) -> None:
  if names:
    first = min(names)
    others = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
    raise errors.DatasetError(
      f"{folder / first}{others} is {problem}: dl_condind_download_data --datasets=cars3d fetches "
      "the files of the archive."
    )


def _read_car(path: pathlib.Path) -> np.ndarray:
  """Returns the resized views of one car, uint8 `[96, 64, 64, 3]`.

  Raises:
    ValueError, ...: If the file is damaged or has another layout.
  """
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
  # [row, column, channel, azimuth, elevation] -> [view, row, column, channel]
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
