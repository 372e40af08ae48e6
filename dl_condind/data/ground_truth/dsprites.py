"""The dSprites data set, from an official file if there is one, else rendered.

The table is kept as one bit for each pixel, in a cache file in the data folder.
"""

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import pathlib

import numpy as np

from dl_condind.data import checksums
from dl_condind.data import reading
from dl_condind.data.ground_truth import dsprites_renderer
from dl_condind.data.ground_truth import official_table
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


class DSprites(official_table.OfficialTable):
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

  folder = FOLDER
  kind = "the official dSprites file"
  remedy = "fetch it again, or move it away to have the images rendered"
  cache_prefix = "packed"
  num_on_pixels = dsprites_renderer.NUM_ON_PIXELS

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
      observation_shape=(*IMAGE_SHAPE, 1),
      latent_factor_indices=latent_factor_indices,
      packed=True,
    )

  def read_table(self, folder: pathlib.Path) -> tuple[np.ndarray, dict[str, str]]:
    """Returns packed bits, uint8 `[737280, 512]`, and their provenance.

    `sha256` is that of the official file, or of the packed bits if they were rendered.

    Raises:
      DatasetError: If an official file is damaged or not what it should be.
      TryAgainError: If there is no space for the cache file.
    """
    if self.find_files(folder / self.folder):
      return super().read_table(folder)
    sha256 = dsprites_renderer.SHA256
    cache = folder / self.folder / "rendered.npy"
    shape = (NUM_ROWS, ROW_BYTES)
    table = table_cache.cached(cache, dsprites_renderer.render, shape, sha256)
    return table, {"source": "rendered", "sha256": sha256}

  def find_files(self, folder: pathlib.Path) -> list[pathlib.Path]:
    """Returns the official file, the .npz if both are there; none if neither is."""
    paths = [folder / OFFICIAL_NPZ, folder / OFFICIAL_HDF5]
    with checksums.clear_read_errors(folder / self.folder):
      return [path for path in paths if path.exists()][:1]

  def source(self, paths: Sequence[pathlib.Path], digests: Mapping[str, str]) -> str:
    """Returns "official" or "unofficial" and the format of the file."""
    return super().source(paths, digests).partition(" (")[0]

  def image_blocks(self, paths: Sequence[pathlib.Path]) -> Iterator[np.ndarray]:
    """Yields packed images, uint8 `[n, 512]`.

    Of an .npz only the member `imgs` is read, block by block. Its other members, one of them a
    pickle, are never opened.

    Raises:
      DatasetError: If the file is damaged, imgs is not uint8 `[num_rows, 64, 64]` of 0 and 1, or
        the number of pixels that are on is far from what it must be.
    """
    (path,) = paths
    rows, block = (
      (reading.npz_rows, _NPZ_BLOCK) if path.suffix == ".npz" else (reading.hdf5_rows, _HDF5_BLOCK)
    )
    found = 0
    with self.reading(path):
      for images in rows(path, "imgs", "uint8", (self.num_rows, *IMAGE_SHAPE), block):
        chunk = _pack(images)
        found += int(np.bitwise_count(chunk).sum())
        yield chunk
      if abs(found - self.num_on_pixels) > _MAX_OFF_PIXELS:
        raise ValueError(f"{found} pixels of imgs are 1, not about {self.num_on_pixels}")


def _pack(images: np.ndarray) -> np.ndarray:
  if images.max() > 1:
    raise ValueError(f"imgs holds the value {images.max()}, not 0 and 1 only")
  return np.packbits(images.reshape(-1, ROW_BYTES * 8), axis=1)
