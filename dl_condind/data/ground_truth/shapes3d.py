"""The 3D Shapes data set (Burgess and Kim, 2018), from its public HDF5 file."""

from collections.abc import Iterator
from collections.abc import Sequence
import pathlib

from absl import logging
import h5py
import numpy as np

from dl_condind.data import reading
from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.data.ground_truth import table_cache

FOLDER = "3dshapes"
FILE = "3dshapes.h5"
FACTOR_SIZES = (10, 10, 10, 8, 4, 15)
IMAGE_SHAPE = (64, 64, 3)
_BLOCK = 4000  # images, 49 MB


class Shapes3D(ground_truth_data.TableData):
  """Rendered objects in a room, 64 x 64 x 3.

  | index | factor      | values                |
  | ----- | ----------- | --------------------- |
  | 0     | floor hue   | 10                    |
  | 1     | wall hue    | 10                    |
  | 2     | object hue  | 10                    |
  | 3     | scale       | 8 (0.75 to 1.25)      |
  | 4     | shape       | 4                     |
  | 5     | orientation | 15 (-30 to 30 degrees) |

  Row of the table: the factors in this order, the last one changing fastest.

  The public file `3dshapes.h5` lies in the folder `3dshapes` of the data folder. It is unpacked
  once into a cache file of 5.9 GB beside it, which all processes share. disentanglement_lib makes
  23.6 GB of floating point numbers of it.
  """

  def __init__(self, factor_sizes: Sequence[int] = FACTOR_SIZES):
    """Describes the data set.

    Args:
      factor_sizes: Number of values of each factor in the file.
    """
    super().__init__(
      name="shapes3d",
      factor_names=["floor hue", "wall hue", "object hue", "scale", "shape", "orientation"],
      factor_sizes=factor_sizes,
      latent_factor_indices=range(6),
      observation_shape=IMAGE_SHAPE,
      packed=False,
    )
    self.table_arguments = tuple(factor_sizes)

  def check_files(self) -> None:
    """Checks that the file is there, without reading it.

    Raises:
      DatasetError: If it is missing.
    """
    reading.find(reading.data_folder().resolve() / FOLDER, [FILE], "shapes3d")

  def read_table(self, folder: pathlib.Path) -> tuple[np.ndarray, dict[str, str]]:
    """Returns the images, uint8 `[480000, 64, 64, 3]`, and their provenance.

    Raises:
      DatasetError: If the file is missing, damaged or not what it should be.
      TryAgainError: If there is no space for the cache file.
    """
    path = reading.find(folder / FOLDER, [FILE], "shapes3d")
    shape = (self.num_rows, *IMAGE_SHAPE)
    with _clear_errors(path):
      sha256 = reading.sha256(path)
      official = reading.is_official(path)

    def make() -> Iterator[np.ndarray]:
      with _clear_errors(path):
        _check_labels(path, self.table_arguments)
        yield from reading.hdf5_rows(path, "images", "uint8", shape, _BLOCK)

    if not official:
      logging.warning("%s is not the official file; records say so.", path)
    table = table_cache.cached(path.with_name(f"images-{sha256[:16]}.npy"), make, shape)
    source = "official hdf5" if official else "unofficial hdf5 (synthetic or altered)"
    return table, {"source": source, "sha256": sha256}


def _clear_errors(path: pathlib.Path):
  remedy = "fetch it again with dl_condind_download_data --datasets=shapes3d"
  return reading.clear_errors(path, "the 3D Shapes file", remedy)


def _check_labels(path: pathlib.Path, factor_sizes: Sequence[int]) -> None:
  """Checks that the rows of the file are in the order of their factors.

  Raises:
    ValueError, KeyError, ...: If they are not, or the labels have another layout.
  """
  num_rows = int(np.prod(factor_sizes))
  with h5py.File(path, "r") as file:
    labels = reading.hdf5_array(file, "labels")
    reading.check_layout("labels", (labels.dtype, labels.shape), ("float64", (num_rows, 6)))
    expected = np.unravel_index(np.arange(num_rows), factor_sizes)
    for index, values in enumerate(expected):
      _, found = np.unique(labels[:, index], return_inverse=True)
      if not np.array_equal(found, values):
        raise ValueError(f"labels of factor {index} are not in the order of the data set")
