import gzip
import struct

from helpers import testdata
import numpy as np
import pytest

from dl_condind.data import reading
from dl_condind.data import sources
from dl_condind.data.ground_truth import norb
from dl_condind.data.ground_truth import official_table
from dl_condind.utils import errors

SIZES = (5, 2, 2, 3, 2)  # category, instance, elevation, azimuth, lighting
SPLITS = (norb.Split("training", (1,), 60), norb.Split("testing", (0,), 60))


class SmallOfficial(norb.SmallNORB):
  """The splits of these tests, in the data folder itself."""

  folder = "."

  def __init__(self):
    super().__init__(SPLITS, SIZES)


def read_images(folder):
  return official_table.OfficialTable.read_table(SmallOfficial(), folder)  # Without labels.


def read_labels(folder):
  return SmallOfficial().read_labels(folder)


def matrix(magic, dims, content):
  padded = [*dims, *[1] * (3 - len(dims))]
  return struct.pack(f"<Ii{len(padded)}i", magic, len(dims), *padded) + content


def make_split(split, seed):
  """Returns the factors and stereo pairs of a split, in random order within each category."""
  random_state = np.random.RandomState(seed)
  grid = np.stack(
    np.meshgrid(split.instances, range(2), (0, 2, 4), range(2), indexing="ij"), axis=-1
  ).reshape(-1, 4)
  info = np.empty((split.num_rows, 4), np.int32)
  for category in range(5):
    info[category::5] = grid[random_state.permutation(len(grid))]
  category = np.tile(np.arange(5, dtype=np.int32), len(grid))
  pairs = random_state.randint(256, size=(split.num_rows, 2, 96, 96), dtype=np.uint8)
  return category, info, pairs


def write(folder, split, category, info, pairs):
  num = split.num_rows
  contents = {
    "cat": matrix(0x1E3D4C54, [num], category.astype("<i4").tobytes()),
    "info": matrix(0x1E3D4C54, [num, 4], info.astype("<i4").tobytes()),
    "dat": matrix(0x1E3D4C55, [num, 2, 96, 96], pairs.tobytes()),
  }
  for part, content in contents.items():
    (folder / f"{split.stem}-{part}.mat").write_bytes(content)


@pytest.fixture
def folder(tmp_path):
  """A small data set in the official format."""
  for seed, split in enumerate(SPLITS):
    write(tmp_path, split, *make_split(split, seed))
  return tmp_path


def lanczos(image, size):
  """Returns an image resized by sums of Lanczos-3 weights, in floating point and clipped."""
  scale = image.shape[0] / size
  weights = np.zeros((size, image.shape[0]))
  for i in range(size):
    centre = (i + 0.5) * scale
    x = (np.arange(image.shape[0]) + 0.5 - centre) / scale
    weights[i] = np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0)
  weights /= weights.sum(axis=1, keepdims=True)
  return np.clip(weights @ np.clip(np.round(image @ weights.T), 0, 255), 0, 255)


def test_images_are_the_left_ones_resized_and_found_by_their_factors(folder):
  table, _ = read_images(folder)
  index = read_labels(folder)
  assert table.shape == (120, 64, 64, 1) and table.dtype == np.uint8
  for seed, split in enumerate(SPLITS):
    category, info, pairs = make_split(split, seed)
    for row in (0, 7, 31, 59):
      instance, elevation, azimuth, lighting = info[row]
      factors = [[category[row], instance, elevation, azimuth // 2, lighting]]
      image = table[index.features_to_index(np.array(factors))[0], :, :, 0]
      expected = lanczos(pairs[row, 0].astype(float), 64)
      assert np.abs(image - expected).max() <= 2  # Pillow rounds its weights to fixed point.


def test_compressed_files_give_the_same(folder):
  plain = np.array(read_images(folder)[0])
  for path in folder.glob("*.mat"):
    path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
  table, provenance = read_images(folder)
  np.testing.assert_array_equal(table, plain)
  assert provenance["source"] == "unofficial files (synthetic or altered)"
  assert read_labels(folder).factor_sizes == list(SIZES)


def test_cache_belongs_to_its_sources(folder):
  first, provenance = read_images(folder)
  (cache,) = folder.glob("images-*.npy")
  written = cache.stat().st_mtime_ns
  again, same = read_images(folder)
  assert isinstance(again, np.memmap) and same == provenance
  assert cache.stat().st_mtime_ns == written
  category, info, pairs = make_split(SPLITS[0], 0)
  write(folder, SPLITS[0], category, info, 255 - pairs)
  changed, other = read_images(folder)
  assert other["sha256"] != provenance["sha256"]
  assert not np.array_equal(changed[:60], first[:60])
  np.testing.assert_array_equal(changed[60:], first[60:])


def _edit(part, change, stem="training"):
  def spoil(folder):
    path = folder / f"{stem}-{part}.mat"
    content = bytearray(path.read_bytes())
    changed = change(content)
    path.write_bytes(content if changed is None else changed)

  return spoil


def _set_int(position, value):
  def change(content):
    content[position : position + 4] = struct.pack("<i", value)

  return change


# What is done to the files, and the message. In `info`, data begin at byte 20, 4 numbers a row.
IMAGES_SPOILED = {
  "empty": (_edit("dat", lambda c: b""), "the header ends too early"),
  "truncated": (_edit("dat", lambda c: c[:-1]), "the data ends too early"),
  "too long": (_edit("dat", lambda c: c + b"x"), "goes on after its last element"),
  "HTML": (_edit("dat", lambda c: b"<html><body>not found"), "no type that is known, not uint8"),
  "other type": (
    _edit("dat", _set_int(0, 0x1E3D4C54)),
    "magic number 0x1E3D4C54 stands for int32, not uint8",
  ),
  "packed": (_edit("dat", _set_int(0, 0x1E3D4C52)), "0x1E3D4C52 stands for no type that is known"),
  "other rank": (_edit("dat", _set_int(4, 3)), "it has 3 dimensions, not 4"),
  "negative rank": (_edit("dat", _set_int(4, -1)), "it has -1 dimensions, not 4"),
  "negative size": (_edit("dat", _set_int(8, -60)), r"its dimensions are \[-60, 2, 96, 96\]"),
  "huge size": (_edit("dat", _set_int(12, 2**31 - 1)), r"are \[60, 2147483647, 96, 96\], not \[60"),
  "folder": (
    lambda folder: [
      (folder / "training-dat.mat").unlink(),
      (folder / "training-dat.mat").mkdir(),
    ],
    "Is a directory",
  ),
}
LABELS_SPOILED = {
  "category out of range": (_edit("cat", _set_int(20, 5)), r"must be in \[0, 4\], got 5"),
  "one category too many": (_edit("cat", _set_int(20, 1)), "1 are missing, 1 are there more than"),
  "instance of the other split": (_edit("info", _set_int(20, 0)), r"instances \[0\] are not of"),
  "odd azimuth": (_edit("info", _set_int(28, 3)), "an azimuth is odd"),
  "azimuth out of range": (_edit("info", _set_int(28, 6)), r"must be in \[0, 2\], got 3"),
  "negative lighting": (_edit("info", _set_int(32, -1)), r"must be in \[0, 1\], got -1"),
  "fewer rows": (
    _edit("info", _set_int(8, 59)),
    r"its dimensions are \[59, 4, 1\], not \[60, 4, 1",
  ),
  "other file": (_edit("info", lambda c: matrix(0x1E3D4C54, [60], bytes(240))), "has 1 dimensions"),
}


@pytest.mark.parametrize("case", IMAGES_SPOILED)
def test_a_file_of_images_that_is_wrong_is_refused(folder, case):
  spoil, message = IMAGES_SPOILED[case]
  spoil(folder)
  with pytest.raises(errors.DatasetError, match=message) as error:
    read_images(folder)
  assert "-dat.mat is damaged or not a SmallNORB file (" in str(error.value) or case == "folder"
  assert "dl_condind_download_data --datasets=smallnorb" in str(error.value)
  assert list(folder.glob("images-*")) == list(folder.glob(".images-*")) == []


@pytest.mark.parametrize("case", LABELS_SPOILED)
def test_labels_that_are_wrong_are_refused(folder, case):
  spoil, message = LABELS_SPOILED[case]
  spoil(folder)
  with pytest.raises(errors.DatasetError, match=message) as error:
    read_labels(folder)
  assert "dl_condind_download_data --datasets=smallnorb" in str(error.value)


@pytest.mark.parametrize("part", ["dat", "cat", "info"])
def test_a_missing_file_is_named(folder, part):
  (folder / f"testing-{part}.mat").unlink()
  with pytest.raises(errors.DatasetError, match=rf"testing-{part}\.mat is missing.*put it there"):
    read_images(folder)


@pytest.mark.parametrize(
  "damage",
  [
    lambda content: content[:-1],
    lambda content: content[:-9] + bytes([content[-9] ^ 1]) + content[-8:],
    lambda content: content + b"more",
    lambda content: gzip.compress(bytes(10**8)),
  ],
)
def test_a_damaged_gz_is_refused(folder, damage):
  path = folder / "training-dat.mat"
  compressed = gzip.compress(path.read_bytes())
  path.unlink()
  path.with_name("training-dat.mat.gz").write_bytes(damage(compressed))
  with pytest.raises(errors.DatasetError, match=r"training-dat\.mat\.gz is damaged"):
    read_images(folder)


def test_official_files_must_all_be_official(tmp_path, monkeypatch):
  folder = tmp_path / "small_norb"
  folder.mkdir()
  paths = []
  for split in norb.SPLITS:
    for part in ("dat", "cat", "info"):
      path = folder / f"{split.stem}-{part}.mat.gz"
      path.write_text(path.name)
      paths.append(path)
      checksum = f"sha256:{reading.sha256(path)}"
      monkeypatch.setitem(sources.CHECKSUMS, f"small_norb/{path.name}", checksum)
  assert norb.SmallNORB().source(paths, {}) == "official files"
  paths[3].write_text("damaged")
  with pytest.raises(errors.DatasetError, match=r"testing-dat\.mat\.gz is damaged: the other"):
    norb.SmallNORB().source(paths, {})
  for path in (paths[0], paths[2]):  # What is left can be told from the format.
    path.write_text("damaged")
  assert norb.SmallNORB().source(paths, {}) == "unofficial files (synthetic or altered)"


def test_data_set_describes_itself_before_it_is_read(monkeypatch, tmp_path):
  monkeypatch.setenv("DISENTANGLEMENT_LIB_DATA", str(tmp_path))
  data = norb.SmallNORB()
  assert data.factor_names == ["category", "elevation", "azimuth", "lighting"]
  assert data.factors_num_values == [5, 9, 18, 6]
  assert data.observation_shape == (64, 64, 1)
  assert data.num_rows == 48600


@testdata.needs_norb_labels
def test_official_label_files_are_read_and_agree_with_what_is_published():
  training, testing = norb.SPLITS
  for split in norb.SPLITS:
    path = testdata.NORB_LABELS / f"{split.stem}-cat.mat.gz"
    (category,) = norb.matrix_blocks(path, "int32", (24300,), 24300)
    np.testing.assert_array_equal(np.bincount(category), [4860] * 5)
  path = testdata.NORB_LABELS / f"{testing.stem}-info.mat.gz"
  factors = norb.SmallNORB().read_factors(testdata.NORB_LABELS, testing)
  assert factors.shape == (24300, 5)
  assert set(factors[:, 1]) == {0, 1, 2, 3, 5}
  assert [len(set(column)) for column in factors.T] == [5, 5, 9, 18, 6]
  assert len(np.unique(factors, axis=0)) == 24300
  with pytest.raises(errors.DatasetError, match=rf"{training.stem}-info\.mat is missing"):
    norb.SmallNORB().read_labels(testdata.NORB_LABELS)
  assert path.is_file()
