"""The 3D Shapes data set (Burgess and Kim, 2018), from its public HDF5 file."""

from collections.abc import Iterator
from collections.abc import Sequence
import pathlib

import h5py
import numpy as np

from dl_condind.data import reading
from dl_condind.data.ground_truth import official_table

FOLDER = "3dshapes"
FILE = "3dshapes.h5"
FACTOR_SIZES = (10, 10, 10, 8, 4, 15)
IMAGE_SHAPE = (64, 64, 3)
_BLOCK = 4000  # images, 49 MB


class Shapes3D(official_table.OfficialTable):
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

  folder = FOLDER
  kind = "the 3D Shapes file"

  def __init__(self, factor_sizes: Sequence[int] = FACTOR_SIZES):
    """Describes the data set.

    Args:
      factor_sizes: Number of values of each factor in the file.
    """
    super().__init__(
      name="shapes3d",
      factor_names=["floor hue", "wall hue", "object hue", "scale", "shape", "orientation"],
      factor_sizes=factor_sizes,
      observation_shape=IMAGE_SHAPE,
    )

  def find_files(self, folder: pathlib.Path) -> list[pathlib.Path]:
    """Returns the file, without reading it.

    Raises:
      DatasetError: If it is missing.
    """
    return [reading.find(folder, [FILE], self.name)]

  def image_blocks(self, paths: Sequence[pathlib.Path]) -> Iterator[np.ndarray]:
    """Yields images, uint8 `[n, 64, 64, 3]`.

    Raises:
      DatasetError: If the file is damaged or its rows are in another order.
    """
    (path,) = paths
    with self.reading(path):
      _check_labels(path, self.factor_sizes)
      shape = (self.num_rows, *IMAGE_SHAPE)
      yield from reading.hdf5_rows(path, "images", "uint8", shape, _BLOCK)


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
