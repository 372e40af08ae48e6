"""The dSprites data set, from an official file if there is one, else rendered.

The table is kept as one bit for each pixel, in a cache file in the data folder.
"""

from collections.abc import Callable
from collections.abc import Iterator
import contextlib
import functools
import os
import pathlib
import tokenize
import zipfile
import zlib

import h5py
import numpy as np

from dl_condind.data.ground_truth import dsprites_renderer
from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.data.ground_truth import table_cache
from dl_condind.utils import errors
from dl_condind.utils import files

FOLDER = "dsprites"
OFFICIAL_NPZ = "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz"
OFFICIAL_HDF5 = "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.hdf5"

NUM_ROWS = dsprites_renderer.NUM_ROWS
ROW_BYTES = dsprites_renderer.ROW_BYTES
IMAGE_SHAPE = (dsprites_renderer.SIZE, dsprites_renderer.SIZE)
_NPZ_BLOCK = 4096  # images, 16 MB
_HDF5_BLOCK = 23040  # images, 94 MB: the official file's chunks, each decompressed once.

# HDF5 takes a chunk it has lost for zeros. Far more than what the rendering may be off by, and less
# than what most chunks hold.
_MAX_OFF_PIXELS = 5000

# What damaged files set off in the libraries that read them.
_READ_ERRORS = (
  OSError,
  ValueError,
  KeyError,
  EOFError,
  RuntimeError,
  tokenize.TokenError,
  zipfile.BadZipFile,
  zlib.error,
)


class DSprites(ground_truth_data.TableData):
  """Binary images, 64 x 64 x 1, of one white sprite on black.

  | index | factor      | values                                     |
  | ----- | ----------- | ------------------------------------------ |
  | -     | color       | 1 (white), not exposed                     |
  | 0     | shape       | 3 (square, ellipse, heart)                 |
  | 1     | scale       | 6 (0.5 to 1)                               |
  | 2     | orientation | 40 (0 to 2 pi, both there: 0 and 39 equal) |
  | 3     | posX        | 32 (left to right)                         |
  | 4     | posY        | 32 (top to bottom)                         |

  Row of the table: `(((shape * 6 + scale) * 40 + orientation) * 32 + posX) * 32 + posY`.

  The images come from `dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz`, or else the same name with
  `.hdf5`, in the folder `dsprites` of the data folder. If neither is there they are rendered, which
  takes seconds and gives the same images; of all 3.0e9 pixels about 100 can differ.
  """

  def __init__(self):
    super().__init__(
      name="dsprites_full",
      factor_names=["color", "shape", "scale", "orientation", "posX", "posY"],
      factor_sizes=[1, 3, 6, 40, 32, 32],
      latent_factor_indices=[1, 2, 3, 4, 5],
      observation_shape=(*IMAGE_SHAPE, 1),
      packed=True,
    )

  def read_table(self, folder: pathlib.Path) -> tuple[np.ndarray, dict[str, str]]:
    """Returns packed bits, uint8 `[737280, 512]`, and their provenance.

    `sha256` is that of the official file, or of the packed bits if they were rendered.

    Raises:
      DatasetError: If an official file is damaged or not what it should be.
      TryAgainError: If there is no space for the cache file.
    """
    folder = folder / FOLDER
    official = read_official(folder, NUM_ROWS, dsprites_renderer.NUM_ON_PIXELS)
    if official is not None:
      return official
    sha256 = dsprites_renderer.SHA256
    table = table_cache.cached(
      folder / "rendered.npy", dsprites_renderer.render, (NUM_ROWS, ROW_BYTES), sha256
    )
    return table, {"source": "rendered", "sha256": sha256}


def read_official(
  folder: pathlib.Path, num_rows: int, num_on_pixels: int
) -> tuple[np.ndarray, dict[str, str]] | None:
  """Returns the packed table of the official file in a folder and its provenance, if there is one.

  Args:
    folder: Where the file lies, and its packed form is kept.
    num_rows: Number of images it must hold.
    num_on_pixels: About how many of their pixels must be 1.

  Raises:
    DatasetError: If the file is damaged or not what it should be.
    TryAgainError: If there is no space for the cache file.
  """
  readers = ((OFFICIAL_NPZ, "official npz", read_npz), (OFFICIAL_HDF5, "official hdf5", read_hdf5))
  for filename, source, reader in readers:
    path = folder / filename
    if os.path.exists(path):
      with _clear_read_errors(path):
        sha256 = files.sha256(path)
      cache = folder / f"packed-{sha256[:16]}.npy"
      chunks = functools.partial(_read_checked, reader, path, num_rows, num_on_pixels)
      table = table_cache.cached(cache, chunks, (num_rows, ROW_BYTES))
      return table, {"source": source, "sha256": sha256}
  return None


def _read_checked(
  reader: Callable[[pathlib.Path, int], Iterator[np.ndarray]],
  path: pathlib.Path,
  num_rows: int,
  num_on_pixels: int,
) -> Iterator[np.ndarray]:
  """Yields what reader does, then checks the number of pixels that are on."""
  found = 0
  for chunk in reader(path, num_rows):
    found += int(np.bitwise_count(chunk).sum())
    yield chunk
  with _clear_read_errors(path):
    if abs(found - num_on_pixels) > _MAX_OFF_PIXELS:
      raise ValueError(f"{found} pixels of imgs are 1, not about {num_on_pixels}")


@contextlib.contextmanager
def _clear_read_errors(path: pathlib.Path) -> Iterator[None]:
  """Turns an error of a library that reads path into one clear line."""
  try:
    yield
  except _READ_ERRORS as error:
    reason = " ".join(str(error).split()) or type(error).__name__
    raise errors.DatasetError(
      f"{path} is damaged or not the official dSprites file ({reason}): fetch it again, or move it "
      "away to have the images rendered."
    ) from error


def _check_layout(dtype: np.dtype, shape: tuple[int, ...], num_rows: int) -> None:
  if dtype != np.uint8 or shape != (num_rows, *IMAGE_SHAPE):
    raise ValueError(f"imgs is {dtype} {shape}, not uint8 {(num_rows, *IMAGE_SHAPE)}")


def _pack(images: np.ndarray) -> np.ndarray:
  if images.max() > 1:
    raise ValueError(f"imgs holds the value {images.max()}, not 0 and 1 only")
  return np.packbits(images.reshape(-1, ROW_BYTES * 8), axis=1)


def read_npz(path: pathlib.Path, num_rows: int) -> Iterator[np.ndarray]:
  """Yields the packed images of a file in the official npz layout, uint8 `[n, 512]` each.

  Only the member `imgs` is read, block by block. The file's other members, one of them a pickle,
  are never opened.

  Raises:
    DatasetError: If the file is damaged or imgs is not uint8 `[num_rows, 64, 64]` of 0 and 1.
  """
  header_readers = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
  }
  with (
    _clear_read_errors(path),
    zipfile.ZipFile(path) as archive,
    archive.open("imgs.npy") as member,
  ):
    if archive.getinfo("imgs.npy").compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
      raise ValueError("imgs.npy is not compressed with deflate")
    version = np.lib.format.read_magic(member)
    if version not in header_readers:
      raise ValueError(f"imgs.npy has the unknown format version {version}")
    shape, fortran_order, dtype = header_readers[version](member)
    _check_layout(dtype, shape, num_rows)
    if fortran_order:
      raise ValueError("imgs is in Fortran order")
    for start in range(0, num_rows, _NPZ_BLOCK):
      num_bytes = min(_NPZ_BLOCK, num_rows - start) * ROW_BYTES * 8
      block = member.read(num_bytes)
      if len(block) != num_bytes:
        raise ValueError("imgs.npy ends too early")
      yield _pack(np.frombuffer(block, np.uint8))
    if member.read(1):  # The checksum is compared at the end only.
      raise ValueError("imgs.npy goes on after its last image")


def read_hdf5(path: pathlib.Path, num_rows: int) -> Iterator[np.ndarray]:
  """Yields the packed images of a file in the official HDF5 layout, uint8 `[n, 512]` each.

  Raises:
    DatasetError: If the file is damaged or imgs is not uint8 `[num_rows, 64, 64]` of 0 and 1.
  """
  with _clear_read_errors(path), h5py.File(path, "r") as file:
    images = file["imgs"]
    if not isinstance(images, h5py.Dataset):
      raise ValueError("imgs is not a data set")
    _check_layout(images.dtype, images.shape, num_rows)
    for start in range(0, num_rows, _HDF5_BLOCK):
      yield _pack(images[start : start + _HDF5_BLOCK])
