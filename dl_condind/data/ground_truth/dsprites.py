"""The dSprites data set, from an official file if there is one, else rendered.

The table is kept as one bit for each pixel, in a cache file in the data folder.
"""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
import functools
import pathlib

from absl import logging
import numpy as np

from dl_condind.data import reading
from dl_condind.data.ground_truth import dsprites_renderer
from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.data.ground_truth import table_cache

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

  def __init__(
    self, latent_factor_indices: Sequence[int] = (1, 2, 3, 4, 5), name: str = "dsprites_full"
  ):
    """Describes the data set.

    Args:
      latent_factor_indices: Which of color, shape, scale, orientation, posX and posY are exposed.
        The others are drawn anew for every observation.
      name: Name of the data set.
    """
    super().__init__(
      name=name,
      factor_names=["color", "shape", "scale", "orientation", "posX", "posY"],
      factor_sizes=[1, 3, 6, 40, 32, 32],
      latent_factor_indices=latent_factor_indices,
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
  formats = (
    (OFFICIAL_NPZ, "npz", read_npz),
    (OFFICIAL_HDF5, "hdf5", read_hdf5),
  )
  for filename, kind, reader in formats:
    path = folder / filename
    if path.exists():
      with _clear_errors(path):
        sha256 = reading.sha256(path)
        origin = "official" if reading.is_official(path) else "unofficial"
      if origin == "unofficial":
        logging.warning("%s is not the official file; records say so.", path)
      cache = folder / f"packed-{sha256[:16]}.npy"
      chunks = functools.partial(_read_checked, reader, path, num_rows, num_on_pixels)
      table = table_cache.cached(cache, chunks, (num_rows, ROW_BYTES))
      return table, {"source": f"{origin} {kind}", "sha256": sha256}
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
  with _clear_errors(path):
    if abs(found - num_on_pixels) > _MAX_OFF_PIXELS:
      raise ValueError(f"{found} pixels of imgs are 1, not about {num_on_pixels}")


def _clear_errors(path: pathlib.Path):
  remedy = "fetch it again, or move it away to have the images rendered"
  return reading.clear_errors(path, "the official dSprites file", remedy)


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
  with _clear_errors(path):
    for images in reading.npz_rows(path, "imgs", "uint8", (num_rows, *IMAGE_SHAPE), _NPZ_BLOCK):
      yield _pack(images)


def read_hdf5(path: pathlib.Path, num_rows: int) -> Iterator[np.ndarray]:
  """Yields the packed images of a file in the official HDF5 layout, uint8 `[n, 512]` each.

  Raises:
    DatasetError: If the file is damaged or imgs is not uint8 `[num_rows, 64, 64]` of 0 and 1.
  """
  with _clear_errors(path):
    for images in reading.hdf5_rows(path, "imgs", "uint8", (num_rows, *IMAGE_SHAPE), _HDF5_BLOCK):
      yield _pack(images)
