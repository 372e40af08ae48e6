"""The recipe of data sets that are published as tables: an image of every combination of factors.

Find the files, take their checksums, tell whether they are the official ones, then read the images
block by block, once, into a cache file next to them.
"""

import abc
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import contextlib
import hashlib
import json
import pathlib

from absl import logging
import numpy as np

from dl_condind.data import reading
from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.data.ground_truth import resizing
from dl_condind.data.ground_truth import table_cache

_FORMATS = {".npz": "npz", ".h5": "hdf5", ".hdf5": "hdf5"}


class OfficialTable(ground_truth_data.TableData):
  """A table of images that comes from published files.

  A subclass declares the attributes, gives the factors to the constructor of `TableData`, and has
  `find_files` and `image_blocks`.

  Attributes:
    folder: Where the files belong, in the data folder.
    kind: What one of the files is called in errors, such as "a Cars3D file".
    has_one_file: Whether all images are in one file. Otherwise they are taken to be resized from
      several, which all count for the checksum.
    cache_prefix: What the name of the cache file begins with.
    factor_sizes: Number of values of each factor of the table, the not exposed ones too.
  """

  folder: str
  kind: str
  has_one_file = True
  cache_prefix = "images"

  def __init__(
    self,
    name: str,
    factor_names: Sequence[str],
    factor_sizes: Sequence[int],
    observation_shape: Sequence[int],
    latent_factor_indices: Sequence[int] | None = None,
    packed: bool = False,
  ):
    """Describes the table; arguments as of `TableData`. All factors are exposed by default."""
    exposed = range(len(factor_sizes)) if latent_factor_indices is None else latent_factor_indices
    super().__init__(name, factor_names, factor_sizes, exposed, observation_shape, packed)
    self.factor_sizes = tuple(factor_sizes)
    self.table_arguments = (self.folder, *self.factor_sizes)

  @abc.abstractmethod
  def find_files(self, folder: pathlib.Path) -> list[pathlib.Path]:
    """Returns the files of the data set in a folder, without reading them.

    Raises:
      DatasetError: If one is missing.
    """

  @abc.abstractmethod
  def image_blocks(self, paths: Sequence[pathlib.Path]) -> Iterator[np.ndarray]:
    """Yields consecutive rows of the table, uint8 `[n, *observation_shape]`, packed `[n, bytes]`.

    Raises:
      DatasetError: If a file is damaged or not what it should be.
    """

  @property
  def remedy(self) -> str:
    """What to do about a damaged file."""
    return f"fetch it again with dl_condind_download_data --datasets={self.name}"

  def reading(self, path: pathlib.Path) -> contextlib.AbstractContextManager[None]:
    """Turns whatever goes wrong while a file is read into one clear line, a DatasetError."""
    return reading.clear_errors(path, self.kind, self.remedy)

  def check_files(self) -> None:
    """Checks that the files are there, without reading them.

    Raises:
      DatasetError: If one is missing.
    """
    self.find_files(reading.data_folder().resolve() / self.folder)

  def source(self, paths: Sequence[pathlib.Path], digests: Mapping[str, str]) -> str:
    """Returns where the images come from, such as "official npz", and warns if from elsewhere.

    Args:
      paths: The files.
      digests: SHA-256 of each, by name.

    Raises:
      DatasetError: If the official files were changed.
    """
    del digests
    kind = _FORMATS[paths[0].suffix]
    if all(map(reading.is_official, paths)):
      return f"official {kind}"
    logging.warning("%s is not the official file; records say so.", paths[0])
    return f"unofficial {kind} (synthetic or altered)"

  def read_table(self, folder: pathlib.Path) -> tuple[np.ndarray, dict[str, str]]:
    """Returns the table, uint8, and its provenance, read from the data folder.

    `sha256` is that of the file or, of several, that of their checksums.

    Raises:
      DatasetError: If a file is missing, damaged or not what it should be.
      TryAgainError: If there is no space for the cache file.
    """
    folder = folder / self.folder
    paths = self.find_files(folder)
    with self.reading(paths[0] if self.has_one_file else folder):
      digests = {path.name: reading.sha256(path) for path in paths}
      source = self.source(paths, digests)
    if self.has_one_file:
      (sha256,) = digests.values()
    else:
      text = json.dumps([resizing.VERSION, digests], sort_keys=True)
      sha256 = hashlib.sha256(text.encode()).hexdigest()
    row = (int(np.prod(self.observation_shape)) // 8,) if self.packed else self.observation_shape
    table = table_cache.cached(
      folder / f"{self.cache_prefix}-{sha256[:16]}.npy",
      lambda: self.image_blocks(paths),
      (self.num_rows, *row),
    )
    return table, {"source": source, "sha256": sha256}
