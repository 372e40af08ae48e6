import hashlib

import h5py
import numpy as np
import pytest

from dl_condind.data.ground_truth import shapes3d
from dl_condind.utils import errors

SIZES = (3, 2, 2, 2, 4, 3)
NUM_ROWS = 288
IMAGES = np.random.RandomState(0).randint(256, size=(NUM_ROWS, 64, 64, 3), dtype=np.uint8)
_VALUES = [np.linspace(-1, 1, size) for size in SIZES]
LABELS = np.stack(np.meshgrid(*_VALUES, indexing="ij"), axis=-1).reshape(-1, 6)


def write(folder, images=IMAGES, labels=LABELS, **names):
  path = folder / "3dshapes" / "3dshapes.h5"
  path.parent.mkdir(exist_ok=True)
  with h5py.File(path, "w") as file:
    file.create_dataset(names.get("images", "images"), data=images, compression="gzip")
    file.create_dataset("labels", data=labels)
  return path


@pytest.fixture
def folder(tmp_path, monkeypatch):
  monkeypatch.setenv("DISENTANGLEMENT_LIB_DATA", str(tmp_path))
  monkeypatch.setattr(shapes3d, "_BLOCK", 100)
  return tmp_path


def test_data_set_describes_itself_before_it_is_read(folder):
  data = shapes3d.Shapes3D()
  names = ["floor hue", "wall hue", "object hue", "scale", "shape", "orientation"]
  assert data.factor_names == names
  assert data.factors_num_values == [10, 10, 10, 8, 4, 15]
  assert data.num_rows == 480_000
  assert list(folder.iterdir()) == []


def test_images_are_found_by_their_factors(folder):
  path = write(folder)
  data = shapes3d.Shapes3D(SIZES)
  factors, observations = data.sample(100, np.random.RandomState(2))
  expected = np.random.RandomState(2)
  columns = [expected.randint(size, size=100) for size in SIZES]
  np.testing.assert_array_equal(factors, np.stack(columns, axis=1))
  rows = np.zeros(100, int)
  for size, column in zip(SIZES, columns, strict=True):
    rows = rows * size + column
  np.testing.assert_array_equal(observations, IMAGES[rows].astype(np.float32) / np.float32(255))
  assert isinstance(data.table, np.memmap)
  assert data.provenance() == {
    "dataset": "shapes3d",
    "source": "unofficial hdf5 (synthetic or altered)",
    "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
  }


@pytest.mark.parametrize(
  ("changes", "message"),
  [
    ({"images": IMAGES[1:]}, r"images is uint8 \(287, 64, 64, 3\), not uint8 \(288"),
    ({"images": IMAGES.astype(np.float32)}, "images is float32"),
    ({"labels": LABELS[::-1]}, "labels of factor 0 are not in the order"),
    ({"labels": LABELS[:, ::-1]}, "labels of factor 0 are not in the order"),
    ({"labels": LABELS.astype(np.float32)}, "labels is float32"),
  ],
)
def test_a_file_of_another_layout_is_refused(folder, changes, message):
  path = write(folder, **changes)
  with pytest.raises(errors.DatasetError, match=message) as error:
    shapes3d.Shapes3D(SIZES).load()
  assert str(error.value).startswith(f"{path} is damaged or not the 3D Shapes file (")
  assert not list(path.parent.glob("*images-*"))


def test_a_damaged_or_missing_file_is_refused(folder):
  with pytest.raises(errors.DatasetError, match=r"3dshapes/3dshapes\.h5 is missing: put it there"):
    shapes3d.Shapes3D(SIZES).load()
  path = write(folder)
  path.write_bytes(path.read_bytes()[:20_000])
  with pytest.raises(errors.DatasetError, match="damaged or not the 3D Shapes file"):
    shapes3d.Shapes3D(SIZES).load()
