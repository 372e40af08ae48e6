import gzip
import os
import shutil
import struct

from helpers import testdata
import numpy as np
import pytest

from dl_condind.data.ground_truth import mnist
from dl_condind.utils import errors

pytestmark = testdata.needs_mnist

# The published number of images of each digit.
COUNTS = {
  "train": [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
  "test": [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009],
}
LABELS, IMAGES = "t10k-labels-idx1-ubyte", "t10k-images-idx3-ubyte"


@pytest.fixture
def folder(tmp_path, monkeypatch):
  """The folder of the files, of which the test split is there."""
  monkeypatch.setenv("DISENTANGLEMENT_LIB_DATA", str(tmp_path))
  (tmp_path / "mnist").mkdir()
  for name in (LABELS, IMAGES):
    shutil.copy(testdata.MNIST / f"{name}.gz", tmp_path / "mnist")
  return tmp_path / "mnist"


@pytest.mark.parametrize("split", ["train", "test"])
def test_official_files_have_the_published_counts(monkeypatch, split):
  monkeypatch.setenv("DISENTANGLEMENT_LIB_DATA", str(testdata.OFFICIAL))
  data = mnist.MNIST(split)
  assert data.factor_names == ["digit"] and data.factors_num_values == [10]
  assert data.observation_shape == (28, 28, 1)
  np.testing.assert_array_equal(np.bincount(data.factors[:, 0]), COUNTS[split])
  provenance = data.provenance()
  assert provenance["dataset"] == "mnist"
  assert provenance["source"] == f"official files, {split} split"


def test_pixels_are_those_of_the_file(folder):
  content = gzip.decompress((testdata.MNIST / f"{IMAGES}.gz").read_bytes())
  labels = gzip.decompress((testdata.MNIST / f"{LABELS}.gz").read_bytes())
  data = mnist.MNIST("test")
  digits, observations = data.sample(20, np.random.RandomState(0))
  rows = np.random.RandomState(0).randint(10_000, size=20)
  for row, digit, observation in zip(rows, digits, observations, strict=True):
    assert digit == [labels[8 + row]]
    image = np.frombuffer(content[16 + row * 784 : 16 + (row + 1) * 784], np.uint8)
    np.testing.assert_array_equal(np.round(observation.ravel() * 255), image)


def test_an_observation_of_a_digit_has_this_digit(folder):
  data = mnist.MNIST("test")
  assert data.has_complete_grid
  digits = np.arange(10).repeat(20)[:, None]
  observations = data.sample_observations_from_factors(digits, np.random.RandomState(0))
  images = data.observations_from_rows(np.arange(10_000)).reshape(10_000, -1)
  for digit, observation in zip(digits[:, 0], observations, strict=True):
    (row,) = np.flatnonzero((images == observation.ravel()).all(axis=1))
    assert data.factors[row] == digit
  assert len({observation.tobytes() for observation in observations}) > 150


def test_raw_files_give_the_same(folder):
  compressed = mnist.MNIST("test").sample(50, np.random.RandomState(1))
  for name in (LABELS, IMAGES):
    (folder / name).write_bytes(gzip.decompress((folder / f"{name}.gz").read_bytes()))
    (folder / f"{name}.gz").unlink()
    np.testing.assert_array_equal(
      mnist.read_idx(folder / name, (10_000,) if name == LABELS else (10_000, 28, 28)).ravel()[:9],
      np.frombuffer((folder / name).read_bytes()[8 if name == LABELS else 16 :][:9], np.uint8),
    )
  raw = mnist.MNIST("test").sample(50, np.random.RandomState(1))
  np.testing.assert_array_equal(raw[0], compressed[0])
  np.testing.assert_array_equal(raw[1], compressed[1])


def test_a_split_that_does_not_exist_is_refused():
  with pytest.raises(errors.ConfigError, match=r"mnist\.split must be 'train' or 'test', got 'x'"):
    mnist.MNIST("x")


def _rewrite(change):
  """Decompresses a file, changes it and compresses it again."""

  def spoil(path):
    content = change(bytearray(gzip.decompress(path.read_bytes())))
    path.write_bytes(gzip.compress(bytes(content), 1))

  return spoil


def _flip(content):
  content[20] ^= 1
  return content


SPOILED = {
  "empty": (lambda path: path.write_bytes(b""), "the header ends too early"),
  "truncated": (lambda path: os.truncate(path, path.stat().st_size - 9), "ended before|ends too"),
  "HTML": (lambda path: path.write_text("<html>"), "Not a gzipped file"),
  "other content": (_rewrite(_flip), "its SHA-256 is [0-9a-f]{64}, not [0-9a-f]{64}"),
  "other header": (
    _rewrite(lambda c: struct.pack(">I", 0x00000D03) + c[4:]),
    "its header is 00000d03",
  ),
  "huge size": (_rewrite(lambda c: c[:4] + b"\xff\xff\xff\xff" + c[8:]), "its header is"),
  "too long": (_rewrite(lambda c: c + b"x"), "goes on after its last element"),
  "bomb": (_rewrite(lambda c: c + bytes(10**8)), "goes on after its last element"),
  "train labels": (
    lambda path: shutil.copy(testdata.MNIST / "train-labels-idx1-ubyte.gz", path),
    "its header is 000008010000ea60, not 0000080100002710|its header is",
  ),
}


@pytest.mark.parametrize("name", [LABELS, IMAGES])
@pytest.mark.parametrize("case", SPOILED)
def test_a_file_that_is_wrong_is_refused(folder, case, name):
  spoil, message = SPOILED[case]
  path = folder / f"{name}.gz"
  spoil(path)
  with pytest.raises(errors.DatasetError, match=message) as error:
    mnist.MNIST("test").load()
  assert str(error.value).startswith(f"{path} is damaged or not the official MNIST file (")


def test_digits_are_known_without_images_and_the_set_without_either(folder):
  (folder / f"{IMAGES}.gz").unlink()
  assert mnist.MNIST("test").factors.shape == (10_000, 1)
  (folder / f"{LABELS}.gz").unlink()
  data = mnist.MNIST("train")
  assert (data.num_rows, data.observation_shape) == (60_000, (28, 28, 1))
  with pytest.raises(errors.DatasetError, match="train-labels-idx1-ubyte is missing"):
    data.sample_factors(1, np.random.RandomState(0))


@pytest.mark.parametrize("name", [LABELS, IMAGES])
def test_a_missing_file_is_named(folder, name):
  (folder / f"{name}.gz").unlink()
  with pytest.raises(errors.DatasetError, match=rf"mnist/{name} is missing: put it there"):
    mnist.MNIST("test").load()
