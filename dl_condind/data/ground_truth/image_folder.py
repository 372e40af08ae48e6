"""Users' own images and factors, from a folder of image files with a table."""

from collections.abc import Iterator
import contextlib
import csv
import hashlib
import os
import pathlib
import re
from typing import Any
import warnings

import gin
import numpy as np
from PIL import Image

from dl_condind.data import checksums
from dl_condind.data import reading
from dl_condind.data.ground_truth import factor_table
from dl_condind.data.ground_truth import labelled_images
from dl_condind.data.ground_truth import table_cache
from dl_condind.utils import errors
from dl_condind.utils import files

_FACTORS_FILE = "factors.csv"
_SUFFIXES = (".png", ".jpg", ".jpeg")
_MODES = {"1": "L", "L": "L", "P": "RGB", "RGB": "RGB"}  # Pillow's mode -> that of its pixels here
_CHANNELS = {"L": 1, "RGB": 3}
_MAX_PIXELS = 50_000_000
_MAX_TABLE_BYTES = 2**28

_INTEGER = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


@gin.configurable("image_folder")
class ImageFolder(labelled_images.LabelledImages):
  """The PNG and JPEG images of a folder, of any size, with any factors or none from a table.

  The images are all .png, .jpg and .jpeg directly in the folder, sorted by name. They have one size
  and are all of one channel (gray or black and white) or all of three (RGB, or with a palette,
  which is looked up). Images with transparency, 16 bits or other colors are refused. EXIF
  orientation and color profiles are not applied.

  The table is a CSV file: a line `file,NAME,...` and a line for each image, in any order. A factor
  whose entries are all integers has values from 0 to the largest; one with other numbers is
  continuous.

  Decoded images are kept in the folder, in `.images-KEY.npy`.
  """

  def __init__(self, path: str | None = None, factors_file: str = _FACTORS_FILE):
    """Describes the data set and reads its factors. The images are read on first use.

    Args:
      path: The folder, as named from the current folder, or else in the data folder.
      factors_file: Name of the table in the folder. The default one may be absent.

    Raises:
      ConfigError: If there is no path.
      DatasetError: If the folder is missing or has no images, the first image cannot be used, or
        the table does not fit the images.
    """
    folder = labelled_images.own_path("image_folder.path", path, "a folder of images")
    self._table = folder / factors_file
    names = _list_images(folder)
    version = _version(folder, names, self._table)
    with _clear_image_errors(folder / names[0]), _opened(folder / names[0]) as image:
      shape = _shape(image)
    factors, factor_names, num_values = _read_table(self._table, names)
    super().__init__(
      name="image_folder",
      path=folder,
      factor_names=factor_names,
      factors_num_values=num_values,
      num_rows=len(factors),
      observation_shape=shape,
      version=version,
    )
    self._factors = factors

  def read_factors(self) -> np.ndarray:
    """Returns the factors, as they were when the data set was opened."""
    return self._factors

  def read_images(self, folder: pathlib.Path) -> tuple[np.ndarray, dict[str, str]]:
    """Returns all images, uint8 `[num_rows, *observation_shape]`, and their provenance.

    `sha256` is that of the lines `SHA-256, two spaces, name` of all images and then the table.

    Raises:
      DatasetError: If an image is damaged, not like the others, or was changed since.
      TryAgainError: If there is no space for the cache file.
    """
    del folder  # The path is absolute.
    names = _list_images(self.path)
    if _version(self.path, names, self._table) != self.version:
      raise errors.DatasetError(f"{self.path} has changed since it was opened: start again.")
    lines = [_checksum_line(self.path / name) for name in names]
    key = hashlib.sha256(b"".join(lines)).hexdigest()
    images = table_cache.cached(
      self.path / f".images-{key[:16]}.npy",
      lambda: (_decode(self.path / name, self.observation_shape, names[0]) for name in names),
      (self.num_rows, *self.observation_shape),
    )
    if self._table.is_file():
      lines.append(_checksum_line(self._table))
    sha256 = hashlib.sha256(b"".join(lines)).hexdigest()
    return images, {"source": "own images", "sha256": sha256, "path": self.path.name}


def _list_images(folder: pathlib.Path) -> list[str]:
  """Returns the names of the images in a folder, sorted."""
  with checksums.clear_read_errors(folder):
    names = sorted(name for name in os.listdir(folder) if name.lower().endswith(_SUFFIXES))
  names = [name for name in names if not name.startswith(".")]
  if not names:
    raise errors.DatasetError(
      f"{folder} holds no images, {', '.join(_SUFFIXES)}: put them there, not into folders in it, "
      "or set image_folder.path to another folder."
    )
  return names


def _version(folder: pathlib.Path, names: list[str], table: pathlib.Path) -> str:
  """Returns a checksum of what the operating system tells about the files."""
  found = hashlib.sha256()
  for path in (*(folder / name for name in names), table):
    with checksums.clear_read_errors(path):
      stat = path.stat() if path.exists() else None
    state = (stat.st_size, stat.st_mtime_ns, stat.st_ino) if stat else None
    found.update(repr((str(path), state)).encode("utf-8", "surrogateescape"))
  return found.hexdigest()


def _checksum_line(path: pathlib.Path) -> bytes:
  with _clear_image_errors(path):
    _check_is_file(path)  # The contents of a pipe would be waited for.
    return f"{files.sha256(path)}  ".encode() + os.fsencode(path.name) + b"\n"


def _check_is_file(path: pathlib.Path) -> None:
  if not path.is_file():
    raise ValueError("it is not a file" if path.exists() else "it is missing")


def _clear_image_errors(path: pathlib.Path) -> contextlib.AbstractContextManager:
  what = "an image that image_folder can use"
  return reading.clear_errors(path, what, "convert or replace it, or take it out of the folder")


@contextlib.contextmanager
def _opened(path: pathlib.Path) -> Iterator[Image.Image]:
  """Opens an image whose pixels are not decoded yet.

  Raises:
    ValueError, OSError, ...: If it is damaged or of a kind that cannot be used.
  """
  _check_is_file(path)
  with warnings.catch_warnings():
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    image = Image.open(path, formats=("PNG", "JPEG"))
  with image:
    num_pixels = image.width * image.height
    if num_pixels > _MAX_PIXELS:
      raise ValueError(f"it has {num_pixels} pixels, more than {_MAX_PIXELS}")
    if image.mode.endswith("A") or "transparency" in image.info:
      raise ValueError("it has transparent pixels")
    # Pillow would take the upper 8 of 16 bits of a color without a word.
    if any(";16" in str(tile[3]) for tile in image.tile):
      raise ValueError("it has 16 bits for each channel, not 8")
    if image.mode not in _MODES:
      raise ValueError(f"its colors are {image.mode}, not gray or RGB")
    yield image


def _shape(image: Image.Image) -> tuple[int, int, int]:
  return (image.height, image.width, _CHANNELS[_MODES[image.mode]])


def _decode(path: pathlib.Path, shape: tuple[int, ...], first: str) -> np.ndarray:
  """Returns one image, uint8 `[1, height, width, channels]`, if it is like the first."""
  with _clear_image_errors(path), _opened(path) as image:
    if _shape(image) != shape:
      found, expected = ("{} x {} with {} channel(s)".format(*s) for s in (_shape(image), shape))
      raise ValueError(f"it is {found}, not {expected} like {first}")
    return np.asarray(image.convert(_MODES[image.mode])).reshape(1, *shape)


def _read_table(path: pathlib.Path, images: list[str]) -> tuple[np.ndarray, list[str], list[int]]:
  """Returns factors in the order of the images, their names and numbers of values.

  Raises:
    DatasetError: If the table does not fit the images.
  """
  remedy = "correct it; its first line is file,NAME,... and every image has a line"
  with reading.clear_errors(path, "a table of factors", remedy):
    if path.name == _FACTORS_FILE and not path.exists():
      return np.empty((len(images), 0), np.int64), [], []
    _check_is_file(path)
    if path.stat().st_size > _MAX_TABLE_BYTES:
      raise ValueError(f"it has more than {_MAX_TABLE_BYTES} bytes")
    with open(path, encoding="utf-8-sig", newline="") as file:
      lines = csv.reader(file, skipinitialspace=True, strict=True)
      names = _read_header(lines)
      rows, sizes = _read_rows(lines, names, set(images))
    missing = [image for image in images if image not in rows]
    if missing:
      others = f" and {len(missing) - 1} more images" if len(missing) > 1 else ""
      raise ValueError(f"it has no line for {missing[0]}{others}")
    factors = np.array([rows[image] for image in images], np.float64)
    factors, num_values = factor_table.check_factors(factors, names, sizes, images)
  return factors, names, num_values


def _read_header(lines: Iterator[list[str]]) -> list[str]:
  first, *names = next(lines, None) or [""]
  if first != "file":
    raise ValueError(f"its first line begins with {first[:80]!r}, not file")
  factor_table.check_names(names)
  return names


def _read_rows(
  lines: Any, names: list[str], images: set[str]
) -> tuple[dict[str, list[float]], list[int | None]]:
  """Returns the factors of each image, and 0 for each that is continuous, else None.

  Args:
    lines: A `csv.reader`, at its second line.
    names: Name of each factor.
    images: Names of the images.

  Raises:
    ValueError: If the table does not fit the images.
  """
  rows: dict[str, list[float]] = {}
  sizes: list[int | None] = [None] * len(names)
  for entries in filter(None, lines):
    where = f"line {lines.line_num}"
    image, *values = entries
    if image not in images or image in rows:
      problem = "again" if image in rows else "which is no image in the folder"
      raise ValueError(f"{where} names {image[:80]}, {problem}")
    if len(values) != len(names):
      raise ValueError(f"{where} has {len(values)} factors, not {len(names)}")
    for i, (name, value) in enumerate(zip(names, values, strict=True)):
      if not _NUMBER.fullmatch(value):
        raise ValueError(f"{where}: {name} is {value[:80]!r}, not a number")
      if not _INTEGER.fullmatch(value):
        sizes[i] = 0
    rows[image] = [float(value) for value in values]
  return rows, sizes
