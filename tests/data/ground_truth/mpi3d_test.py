import hashlib
import zipfile

import numpy as np
import pytest

from dl_condind.data.ground_truth import mpi3d
from dl_condind.utils import errors

SIZES = (2, 2, 2, 3, 3, 2, 2)
IMAGES = np.random.RandomState(0).randint(256, size=(288, 64, 64, 3), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path, monkeypatch):
  monkeypatch.setenv("DISENTANGLEMENT_LIB_DATA", str(tmp_path))
  monkeypatch.setattr(mpi3d, "_BLOCK", 100)
  return tmp_path


def write(folder, variant, **content):
  path = folder / variant / f"{variant}.npz"
  path.parent.mkdir(exist_ok=True)
  np.savez_compressed(path, **content)
  return path


@pytest.mark.parametrize("variant", ["mpi3d_toy", "mpi3d_realistic", "mpi3d_real"])
def test_images_are_found_by_their_factors(folder, variant):
  path = write(folder, variant, images=IMAGES)
  data = mpi3d.MPI3D(variant, SIZES)
  factors, observations = data.sample(100, np.random.RandomState(2))
  expected = np.random.RandomState(2)
  columns = [expected.randint(size, size=100) for size in SIZES]
  np.testing.assert_array_equal(factors, np.stack(columns, axis=1))
  rows = np.zeros(100, int)
  for size, column in zip(SIZES, columns, strict=True):
    rows = rows * size + column
  np.testing.assert_array_equal(observations, IMAGES[rows].astype(np.float32) / np.float32(255))
  assert data.provenance()["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
  assert data.provenance()["dataset"] == variant


@pytest.mark.parametrize(
  ("variant", "sizes"),
  [
    ("mpi3d_toy", [4, 4, 2, 3, 3, 40, 40]),
    ("mpi3d_realistic", [4, 4, 2, 3, 3, 40, 40]),
    ("mpi3d_real", [6, 6, 2, 3, 3, 40, 40]),
  ],
)
def test_sizes_are_those_of_disentanglement_lib_without_a_file(folder, variant, sizes):
  data = mpi3d.MPI3D(variant)
  assert data.factors_num_values == sizes
  assert data.num_factors == len(data.factor_names) == 7
  with pytest.raises(errors.DatasetError, match=rf"{variant}/{variant}\.npz is missing: put it"):
    data.load()


def test_sizes_follow_the_number_of_images_in_the_file(folder):
  """The header is enough: it declares the number of images, of which none is read."""
  path = write(folder, "mpi3d_toy", images=np.zeros((0, 64, 64, 3), np.uint8))
  path.unlink()
  with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
    with archive.open("images.npy", "w", force_zip64=True) as member:
      header = {"descr": "|u1", "fortran_order": False, "shape": (1_036_800, 64, 64, 3)}
      np.lib.format.write_array_header_1_0(member, header)
    archive.infolist()[0].file_size += 1_036_800 * 64 * 64 * 3
  assert mpi3d.MPI3D("mpi3d_toy").factors_num_values == [6, 6, 2, 3, 3, 40, 40]


@pytest.mark.parametrize(
  ("content", "message"),
  [
    ({"images": IMAGES}, r"images is uint8 \(288, 64, 64, 3\), not uint8 \(460800 or 1036800,"),
    ({"imgs": IMAGES}, "no item named 'images.npy'"),
    ({"images": np.array([print], object)}, "never unpickled"),
  ],
)
def test_a_file_of_another_layout_is_refused(folder, content, message):
  path = write(folder, "mpi3d_real", **content)
  with pytest.raises(errors.DatasetError, match=message) as error:
    mpi3d.MPI3D("mpi3d_real")
  assert str(error.value).startswith(f"{path} is damaged or not an MPI3D file (")


def test_a_damaged_file_is_refused(folder):
  path = write(folder, "mpi3d_real", images=IMAGES)
  content = bytearray(path.read_bytes())
  content[5000] ^= 1
  path.write_bytes(content)
  with pytest.raises(errors.DatasetError, match="damaged or not an MPI3D file"):
    mpi3d.MPI3D("mpi3d_real", SIZES).load()
  assert not list(path.parent.glob("*images-*"))
