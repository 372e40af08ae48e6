"""MNIST (LeCun, Cortes and Burges), from its official files."""

from collections.abc import Sequence
import pathlib
import struct

import gin
import numpy as np

from dl_condind.data import reading
from dl_condind.data import sources
from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.data.ground_truth import labelled_images
from dl_condind.utils import errors

FOLDER = "mnist"
IMAGE_SHAPE = (28, 28, 1)
NUM_ROWS = {"train": 60_000, "test": 10_000}
_PREFIX = {"train": "train", "test": "t10k"}
_UNSIGNED_BYTES = 0x08


@gin.configurable("mnist")
class MNIST(labelled_images.LabelledImages):
  """Handwritten digits, 28 x 28 x 1.

  | index | factor | values |
  | ----- | ------ | ------ |
  | 0     | digit  | 10     |

  The official files, `.gz` or decompressed, lie in the folder `mnist` of the data folder. Every
  digit has many images: an observation of a digit is one of them.
  """

  def __init__(self, split: str = "train"):
    """Describes the data set. Labels and images are read on first use.

    Args:
      split: "train" (60,000 images) or "test" (10,000).

    Raises:
      ConfigError: If there is no such split.
    """
    if split not in NUM_ROWS:
      raise errors.ConfigError(f"mnist.split must be 'train' or 'test', got {split!r}.")
    self.split = split
    super().__init__(
      name="mnist",
      path=reading.data_folder() / FOLDER / f"{_PREFIX[split]}-images-idx3-ubyte",
      factor_names=["digit"],
      factors_num_values=[10],
      num_rows=NUM_ROWS[split],
      observation_shape=IMAGE_SHAPE,
    )

  def check_files(self) -> None:
    """Checks that the images and labels of the split are there, without reading them.

    Raises:
      DatasetError: If a file is missing.
    """
    folder = reading.data_folder().resolve()
    for name in (self._labels_name, self.path.name):
      _find(folder, name)

  @property
  def _labels_name(self) -> str:
    return f"{_PREFIX[self.split]}-labels-idx1-ubyte"

  def read_factors(self) -> np.ndarray:
    """Returns the digits, int64 `[num_rows, 1]`.

    Raises:
      DatasetError: If the file is missing, damaged or not the official one.
    """
    name = self._labels_name
    labels = ground_truth_data.read_once(
      ("mnist", name), lambda folder: _read_official(folder, name, (self.num_rows,))
    )
    return labels[:, None].astype(np.int64)

  def read_images(self, folder: pathlib.Path) -> tuple[np.ndarray, dict[str, str]]:
    """Returns the images, uint8 `[num_rows, 28, 28, 1]`, and their provenance.

    Raises:
      DatasetError: If the file is missing, damaged or not the official one.
    """
    name = self.path.name
    images = _read_official(folder, name, (self.num_rows, *IMAGE_SHAPE[:2]))
    source = f"official files, {self.split} split"
    return images[..., None], {"source": source, "sha256": _official_sha256(name)}


def _official_sha256(name: str) -> str:
  """Returns the SHA-256 of an official file, decompressed."""
  return sources.CHECKSUMS[f"{FOLDER}/{name}"].removeprefix("sha256:")


def _find(folder: pathlib.Path, name: str) -> pathlib.Path:
  return reading.find(folder / FOLDER, [name, f"{name}.gz"], "mnist")


def _read_official(folder: pathlib.Path, name: str, shape: Sequence[int]) -> np.ndarray:
  """Returns the content of an official file."""
  path = _find(folder, name)
  remedy = "fetch it again with dl_condind_download_data --datasets=mnist"
  with reading.clear_errors(path, "the official MNIST file", remedy):
    return read_idx(path, shape, _official_sha256(name))


def read_idx(path: pathlib.Path, shape: Sequence[int], sha256: str | None = None) -> np.ndarray:
  """Reads a file in the idx format, decompressed if its name ends in `.gz`.

  Args:
    path: The file.
    shape: Shape of the array in it.
    sha256: SHA-256 of the decompressed file, or None for any.

  Returns:
    Read-only uint8 array of this shape.

  Raises:
    ValueError: If the file has another layout or checksum.
    OSError, EOFError, zlib.error: If it cannot be read.
  """
  header = struct.pack(f">HBB{len(shape)}I", 0, _UNSIGNED_BYTES, len(shape), *shape)
  num_bytes = int(np.prod(shape))
  with reading.open_plain(path) as file:
    found = reading.exactly(file, len(header), "the header")
    if found != header:
      raise ValueError(f"its header is {found.hex()}, not {header.hex()}")
    content = reading.exactly(file, num_bytes, "the data")
    if file.read(1):
      raise ValueError("it goes on after its last element")
  reading.check_sha256([header, content], sha256)
  return np.frombuffer(content, np.uint8).reshape(shape)
