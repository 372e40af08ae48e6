"""The MPI3D data sets (Gondal et al., NeurIPS 2019), from their public files."""

from collections.abc import Iterator
from collections.abc import Sequence
import pathlib

import numpy as np

from dl_condind.data import checksums
from dl_condind.data import reading
from dl_condind.data.ground_truth import official_table

IMAGE_SHAPE = (64, 64, 3)
_BLOCK = 4000  # images, 49 MB

# Sizes of the factors, by the number of images in a file. disentanglement_lib used the first for
# the rendered variants, the files published since have the second.
FACTOR_SIZES = {460_800: (4, 4, 2, 3, 3, 40, 40), 1_036_800: (6, 6, 2, 3, 3, 40, 40)}
_EXPECTED_ROWS = {"mpi3d_toy": 460_800, "mpi3d_realistic": 460_800, "mpi3d_real": 1_036_800}


class MPI3D(official_table.OfficialTable):
  """A robot arm that holds an object, 64 x 64 x 3: rendered simply, realistically, or filmed.

  | index | factor           | values |
  | ----- | ---------------- | ------ |
  | 0     | object color     | 4 or 6 |
  | 1     | object shape     | 4 or 6 |
  | 2     | object size      | 2      |
  | 3     | camera height    | 3      |
  | 4     | background color | 3      |
  | 5     | first DOF        | 40     |
  | 6     | second DOF       | 40     |

  Row of the table: the factors in this order, the last one changing fastest.

  The file `{variant}.npz` lies in the folder `{variant}` of the data folder. If it has 460,800
  images there are 4 colors and 4 shapes, if it has 1,036,800 there are 6 and 6; without the file,
  disentanglement_lib's numbers are taken. It is unpacked once into a cache file beside it (5.7 or
  12.7 GB), which all processes share.
  """

  kind = "an MPI3D file"

  def __init__(self, variant: str, factor_sizes: tuple[int, ...] | None = None):
    """Describes the data set.

    Args:
      variant: "mpi3d_toy", "mpi3d_realistic" or "mpi3d_real".
      factor_sizes: Number of values of each factor in the file, or None to tell it from the file.

    Raises:
      DatasetError: If the file cannot be read.
    """
    self.name = self.folder = variant
    super().__init__(
      name=variant,
      factor_names=[
        "object color",
        "object shape",
        "object size",
        "camera height",
        "background color",
        "first DOF",
        "second DOF",
      ],
      factor_sizes=factor_sizes or FACTOR_SIZES[self._num_rows_in_file()],
      observation_shape=IMAGE_SHAPE,
    )

  def _num_rows_in_file(self) -> int:
    """Returns the number of images in the file; what disentanglement_lib expects if it is absent.

    Raises:
      DatasetError: If the file is damaged or has another number of images.
    """
    path = reading.data_folder() / self.folder / f"{self.name}.npz"
    with checksums.clear_read_errors(path):
      if not path.is_file():
        return _EXPECTED_ROWS[self.name]
    with self.reading(path), reading.npz_member(path, "images") as (_, (dtype, shape), _):
      if dtype != np.uint8 or shape[1:] != IMAGE_SHAPE or shape[0] not in FACTOR_SIZES:
        numbers = " or ".join(map(str, FACTOR_SIZES))
        raise ValueError(f"images is {dtype} {shape}, not uint8 ({numbers}, 64, 64, 3)")
      return shape[0]

  def find_files(self, folder: pathlib.Path) -> list[pathlib.Path]:
    """Returns the file, without reading it.

    Raises:
      DatasetError: If it is missing.
    """
    return [reading.find(folder, [f"{self.name}.npz"], self.name)]

  def image_blocks(self, paths: Sequence[pathlib.Path]) -> Iterator[np.ndarray]:
    """Yields images, uint8 `[n, 64, 64, 3]`.

    Raises:
      DatasetError: If the file is damaged.
    """
    (path,) = paths
    with self.reading(path):
      shape = (self.num_rows, *IMAGE_SHAPE)
      yield from reading.npz_rows(path, "images", "uint8", shape, _BLOCK)
