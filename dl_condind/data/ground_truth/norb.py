"""The SmallNORB data set (LeCun, Huang and Bottou, CVPR 2004), from its official files."""

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import pathlib
import struct

from absl import logging
import numpy as np

from dl_condind.data import reading
from dl_condind.data import sources
from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.data.ground_truth import official_table
from dl_condind.data.ground_truth import resizing
from dl_condind.data.ground_truth import state_space
from dl_condind.utils import errors

FOLDER = "small_norb"
FACTOR_SIZES = (5, 10, 9, 18, 6)  # category, instance, elevation, azimuth, lighting
IMAGE_SIZE = 64  # pixels, of the table
SOURCE_SIZE = 96  # pixels, of the files
_BLOCK = 600  # rows of a dat file, 11 MB

# By the first four bytes of a file. disentanglement_lib takes bytes for signed ones.
_TYPES = {
  0x1E3D4C51: "float32",
  0x1E3D4C53: "float64",
  0x1E3D4C54: "int32",
  0x1E3D4C55: "uint8",
  0x1E3D4C56: "int16",
}


@dataclasses.dataclass(frozen=True)
class Split:
  """One half of the data set: three files.

  Attributes:
    stem: What the names of its files begin with.
    instances: The instances of each category that it shows.
    num_rows: Number of stereo pairs.
  """

  stem: str
  instances: tuple[int, ...]
  num_rows: int

  def names(self, part: str) -> list[str]:
    """Returns the names under which the file `dat`, `cat` or `info` may be there."""
    return [f"{self.stem}-{part}.mat", f"{self.stem}-{part}.mat.gz"]


SPLITS = (
  Split("smallnorb-5x46789x9x18x6x2x96x96-training", (4, 6, 7, 8, 9), 24300),
  Split("smallnorb-5x01235x9x18x6x2x96x96-testing", (0, 1, 2, 3, 5), 24300),
)

# Files that only the official set has. Both label files of the test split and the categories can be
# told from their format alone.
_TELLING = (f"{SPLITS[0].stem}-dat", f"{SPLITS[1].stem}-dat", f"{SPLITS[0].stem}-info")


class SmallNORB(official_table.OfficialTable):
  """Grey photographs of toys, 64 x 64 x 1, both splits together, the left camera only.

  | index | factor    | values                                            |
  | ----- | --------- | ------------------------------------------------- |
  | 0     | category  | 5 (animal, human, airplane, truck, car)           |
  | -     | instance  | 10, not exposed: drawn anew for every observation |
  | 1     | elevation | 9 (30 to 70 degrees)                              |
  | 2     | azimuth   | 18 (0 to 340 degrees)                             |
  | 3     | lighting  | 6                                                 |

  Rows of the table are in the order of the files, the training split first.

  The six official files, raw or `.gz`, lie in the folder `small_norb` of the data folder. Images
  are resized from 96 x 96 with a Lanczos filter and kept in a cache file next to them. Pixels are
  unsigned and clipped, where disentanglement_lib reads signed bytes and does not clip.
  """

  folder = FOLDER
  kind = "a SmallNORB file"
  has_one_file = False

  def __init__(self, splits: Sequence[Split] = SPLITS, factor_sizes: Sequence[int] = FACTOR_SIZES):
    """Describes the data set.

    Args:
      splits: The splits, in order, which together show every combination of factors once.
      factor_sizes: Number of values of category, instance, elevation, azimuth and lighting.
    """
    super().__init__(
      name="smallnorb",
      factor_names=["category", "instance", "elevation", "azimuth", "lighting"],
      factor_sizes=factor_sizes,
      observation_shape=(IMAGE_SIZE, IMAGE_SIZE, 1),
      latent_factor_indices=[0, 2, 3, 4],
    )
    self.splits = tuple(splits)
    self.table_arguments = (*self.table_arguments, self.splits)

  def rows_from_all_factors(self, factors: np.ndarray) -> np.ndarray:
    """Returns the row of each combination of all factors, `[num]`. Reads the labels on first use.

    Raises:
      DatasetError: If a file of labels is missing, damaged or not what it should be.
    """
    return self._labels().features_to_index(factors)

  def _labels(self) -> state_space.StateSpaceAtomIndex:
    key = (SmallNORB, "labels", *self.table_arguments)
    return ground_truth_data.read_once(key, lambda folder: self.read_labels(folder / self.folder))

  def read_table(self, folder: pathlib.Path) -> tuple[np.ndarray, dict[str, str]]:
    """Returns the images, uint8 `[48600, 64, 64, 1]`, and their provenance.

    Raises:
      DatasetError: If a file is missing, damaged or not what it should be.
      TryAgainError: If there is no space for the cache file.
    """
    self._labels()
    return super().read_table(folder)

  def find_files(self, folder: pathlib.Path) -> list[pathlib.Path]:
    """Returns the categories, the other labels and the images of each split in turn.

    Raises:
      DatasetError: If one is missing.
    """
    return [
      self._find(folder, split, part) for split in self.splits for part in ("cat", "info", "dat")
    ]

  def _find(self, folder: pathlib.Path, split: Split, part: str) -> pathlib.Path:
    return reading.find(folder, split.names(part), self.name)

  def source(self, paths: Sequence[pathlib.Path], digests: Mapping[str, str]) -> str:
    """Returns whether the files are the official ones.

    Raises:
      DatasetError: If some are and others are not, so that those must be damaged.
    """
    del digests
    telling = [path for path in paths if path.name.startswith(_TELLING)]
    known = [path for path in telling if f"{FOLDER}/{path.name}" in sources.CHECKSUMS]
    wrong = [path for path in known if not reading.is_official(path)]
    if known and not wrong:
      return "official files"
    if len(wrong) < len(known):
      raise errors.DatasetError(
        f"{wrong[0]} is damaged: the other files are the official ones, and it has another "
        f"checksum; {self.remedy}."
      )
    logging.warning("%s does not hold the official files; records say so.", paths[0].parent)
    return "unofficial files (synthetic or altered)"

  def image_blocks(self, paths: Sequence[pathlib.Path]) -> Iterator[np.ndarray]:
    """Yields the left images of all splits, resized, uint8 `[n, 64, 64, 1]`.

    Raises:
      DatasetError: If a file is damaged or has another layout.
    """
    for split, path in zip(self.splits, paths[2::3], strict=True):
      with self.reading(path):
        shape = (split.num_rows, 2, SOURCE_SIZE, SOURCE_SIZE)
        for block in matrix_blocks(path, "uint8", shape, _BLOCK):
          yield resizing.resize(block[:, 0], (IMAGE_SIZE, IMAGE_SIZE))[..., None]
      logging.info("Resized %s.", path)

  def read_labels(self, folder: pathlib.Path) -> state_space.StateSpaceAtomIndex:
    """Returns the index from factors to rows, the splits one after the other.

    Raises:
      DatasetError: If a file is missing, damaged or not what it should be.
    """
    factors = [self.read_factors(folder, split) for split in self.splits]
    with self.reading(self._find(folder, self.splits[-1], "info")):
      return state_space.StateSpaceAtomIndex(self.factor_sizes, np.concatenate(factors))

  def read_factors(self, folder: pathlib.Path, split: Split) -> np.ndarray:
    """Returns the factors of a split's rows, int64 `[num_rows, 5]`.

    Raises:
      DatasetError: If a file is missing, damaged or not what it should be.
    """
    num = split.num_rows
    path = self._find(folder, split, "cat")
    with self.reading(path):
      (category,) = matrix_blocks(path, "int32", (num,), num)
      state_space.check_factors(category[:, None], self.factor_sizes[:1])
    path = self._find(folder, split, "info")
    with self.reading(path):
      (info,) = matrix_blocks(path, "int32", (num, 4), num)
      foreign = sorted(set(info[:, 0].tolist()) - set(split.instances))
      if foreign:
        raise ValueError(f"instances {foreign[:5]} are not of this split, {split.instances} are")
      if (info[:, 2] % 2).any():
        raise ValueError("an azimuth is odd")
      factors = np.column_stack([category, info]).astype(np.int64)
      factors[:, 3] //= 2
      return state_space.check_factors(factors, self.factor_sizes)


def matrix_blocks(
  path: pathlib.Path, dtype: str, shape: Sequence[int], rows_per_block: int
) -> Iterator[np.ndarray]:
  """Yields a file in NORB's binary matrix format block by block, along its first axis.

  Raises:
    ValueError: If the file has another layout.
    OSError, EOFError, zlib.error: If it cannot be read.
  """
  dims = [*shape, *[1] * (3 - len(shape))]
  row = (int(np.prod(shape[1:])), np.dtype(dtype).itemsize)
  with reading.open_plain(path) as file:
    magic, num_dims = struct.unpack("<Ii", reading.exactly(file, 8, "the header"))
    if _TYPES.get(magic) != dtype:
      meaning = _TYPES.get(magic, "no type that is known")
      raise ValueError(f"magic number 0x{magic:08X} stands for {meaning}, not {dtype}")
    if num_dims != len(shape):
      raise ValueError(f"it has {num_dims} dimensions, not {len(shape)}")
    found = struct.unpack(f"<{len(dims)}i", reading.exactly(file, 4 * len(dims), "the header"))
    if list(found) != dims:
      raise ValueError(f"its dimensions are {list(found)}, not {dims}")
    for start in range(0, shape[0], rows_per_block):
      num = min(rows_per_block, shape[0] - start)
      content = reading.exactly(file, num * row[0] * row[1], "the data")
      yield np.frombuffer(content, np.dtype(dtype).newbyteorder("<")).reshape(num, *shape[1:])
    if file.read(1):
      raise ValueError("it goes on after its last element")
