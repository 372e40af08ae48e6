import struct

import numpy as np
from PIL import Image
import pytest
import scipy.io

from dl_condind.data import checksums
from dl_condind.data import reading
from dl_condind.data.ground_truth import cars3d
from dl_condind.utils import errors

NAMES = ["car_002_mesh", "car_010_mesh", "car_199_mesh"]


def views(seed):
  """Returns smooth views of a car, (128, 128, 3, 24, 4)."""
  values = np.random.RandomState(seed).randint(256, size=(4, 4, 3, 24, 4), dtype=np.uint8)
  return values.repeat(32, axis=0).repeat(32, axis=1)


def write_car(folder, name, im, do_compression=True, **variables):
  mask = np.zeros((128, 128, 24, 4), np.uint8)
  content = {"im": im, "mask": mask, **variables}
  scipy.io.savemat(folder / f"{name}.mat", content, do_compression=do_compression)


@pytest.fixture(scope="module")
def _cars():
  return {name: views(seed) for seed, name in enumerate(NAMES)}


@pytest.fixture
def data_folder(tmp_path, monkeypatch, _cars):
  """A data folder with three cars, written in an order that is not that of their names."""
  folder = tmp_path / "cars"
  folder.mkdir()
  for name in (NAMES[1], NAMES[2], NAMES[0]):
    write_car(folder, name, _cars[name])
  (folder / "list.txt").write_text("".join(f"{name}\n" for name in NAMES))
  monkeypatch.setenv("DISENTANGLEMENT_LIB_DATA", str(tmp_path))
  return tmp_path


@pytest.mark.parametrize("with_list", [True, False])
def test_views_are_found_by_their_factors_and_objects_sorted_by_name(data_folder, _cars, with_list):
  if not with_list:
    (data_folder / "cars" / "list.txt").unlink()
  data = cars3d.Cars3D(3)
  factors = np.array([[0, 0, 0], [3, 0, 1], [0, 23, 2], [2, 11, 1]])
  observations = data.sample_observations_from_factors(factors, np.random.RandomState(0))
  assert observations.dtype == np.float32 and observations.shape == (4, 64, 64, 3)
  for (elevation, azimuth, car), observation in zip(factors, observations, strict=True):
    image = Image.fromarray(np.ascontiguousarray(_cars[NAMES[car]][..., azimuth, elevation]))
    expected = np.asarray(image.resize((64, 64), Image.Resampling.LANCZOS))
    np.testing.assert_array_equal(np.round(observation * 255), expected)
  # In the middle of a square of one color the filter sees that color only.
  image = _cars[NAMES[1]][..., 11, 2]
  np.testing.assert_allclose(observations[3, 8::16, 8::16] * 255, image[16::32, 16::32], atol=1.01)


def test_data_set_describes_itself():
  data = cars3d.Cars3D()
  assert data.factor_names == ["elevation", "azimuth", "object"]
  assert data.factors_num_values == [4, 24, 183]
  assert data.num_rows == 17568


def test_draws_are_one_factor_after_the_other(data_folder):
  factors, observations = cars3d.Cars3D(3).sample(50, np.random.RandomState(5))
  expected = np.random.RandomState(5)
  columns = [expected.randint(size, size=50) for size in (4, 24, 3)]
  np.testing.assert_array_equal(factors, np.stack(columns, axis=1))
  table = cars3d.Cars3D(3).table
  rows = (columns[2] * 24 + columns[1]) * 4 + columns[0]
  np.testing.assert_array_equal(observations, table[rows].astype(np.float32) / np.float32(255))


def test_resized_images_are_cached(data_folder):
  table, provenance = cars3d.Cars3D(3).read_table(data_folder)
  (cache,) = (data_folder / "cars").glob("images-*.npy")
  written = cache.stat().st_mtime_ns
  again, same = cars3d.Cars3D(3).read_table(data_folder)
  assert cache.stat().st_mtime_ns == written and same == provenance
  np.testing.assert_array_equal(again, table)
  assert provenance["source"] == "unverified files (perhaps altered or synthetic)"


def test_files_as_they_were_unpacked_are_the_official_ones(data_folder):
  folder = data_folder / "cars"
  digests = {path.name: reading.sha256(path) for path in folder.glob("*.mat")}
  checksums.write_note(folder / "cars.sha256", digests)
  assert cars3d.Cars3D(3).read_table(data_folder)[1]["source"] == "official archive"
  write_car(folder, NAMES[0], views(9))
  message = r"car_002_mesh\.mat is not as it was unpacked.*fetches it again.*move cars\.sha256 away"
  with pytest.raises(errors.DatasetError, match=message):
    cars3d.Cars3D(3).read_table(data_folder)


def test_a_missing_car_is_named(data_folder):
  (data_folder / "cars" / f"{NAMES[1]}.mat").unlink()
  message = r"cars/car_010_mesh\.mat is missing, although list\.txt names it: dl_condind_down"
  with pytest.raises(errors.DatasetError, match=message):
    cars3d.Cars3D(3).load()


def test_an_extra_car_is_named(data_folder):
  for name in ("car_200_mesh", "old"):
    write_car(data_folder / "cars", name, views(9))
  message = (
    r"cars/car_200_mesh\.mat \(and 1 more\) is extra: list\.txt does not name it, move it away"
  )
  with pytest.raises(errors.DatasetError, match=message):
    cars3d.Cars3D(3).load()


@pytest.mark.parametrize(("number", "problem"), [(4, "1 missing"), (2, "1 too many")])
def test_another_number_of_cars_is_refused(data_folder, number, problem):
  message = rf"holds 3 cars \(\*\.mat\) instead of {number}, {problem}: dl_condind_download_data"
  with pytest.raises(errors.DatasetError, match=message):
    cars3d.Cars3D(number).load()
  (data_folder / "cars" / "list.txt").unlink()
  with pytest.raises(errors.DatasetError, match=rf"{problem}; the list\.txt of the archive"):
    cars3d.Cars3D(number).load()


def test_a_missing_folder_says_where_it_belongs(tmp_path, monkeypatch):
  monkeypatch.setenv("DISENTANGLEMENT_LIB_DATA", str(tmp_path))
  with pytest.raises(errors.DatasetError, match=r"cars/list\.txt is missing: put it there"):
    cars3d.Cars3D().load()
  (tmp_path / "cars").write_text("")
  with pytest.raises(errors.DatasetError, match=r"cars/list\.txt is missing: put it there"):
    cars3d.Cars3D().load()


def _flip(content, position):
  changed = bytearray(content)
  changed[position] ^= 0x10
  return bytes(changed)


def _bomb(path):
  """Writes a file of a few kB whose compressed variable has a gigabyte."""
  import zlib

  compressor = zlib.compressobj()
  body = b"".join(compressor.compress(bytes(2**20)) for _ in range(1024)) + compressor.flush()
  header = path.read_bytes()[:128]
  path.write_bytes(header + struct.pack("<II", 15, len(body)) + body)


SPOILED = {
  "empty": (lambda path: path.write_bytes(b""), "truncated"),
  "truncated": (lambda path: path.write_bytes(path.read_bytes()[:-3]), "it ends within a variable"),
  "flipped bit": (lambda path: path.write_bytes(_flip(path.read_bytes(), 5000)), "."),
  "flipped checksum": (lambda path: path.write_bytes(_flip(path.read_bytes(), -1)), "."),
  "HTML": (lambda path: path.write_text("<html>" * 100), "."),
  "without im": (
    lambda path: scipy.io.savemat(path, {"mask": np.zeros(3)}),
    r"it has no variable im, but \['mask'\]",
  ),
  "other shape": (
    lambda path: scipy.io.savemat(
      path, {"im": np.zeros((128, 128, 3, 24, 3), np.uint8)}, do_compression=True
    ),
    r"im is uint8 \(128, 128, 3, 24, 3\), not uint8 \(128, 128, 3, 24, 4\)",
  ),
  "other type": (
    lambda path: scipy.io.savemat(path, {"im": np.zeros((2, 2))}),
    r"im is double \(2, 2\), not uint8",
  ),
  "cell array": (
    lambda path: scipy.io.savemat(path, {"im": np.array([1, "a"], object)}),
    r"im is cell",
  ),
  "too large": (lambda path: path.write_bytes(bytes(17 * 2**20)), "bytes, which no car has"),
  "bomb": (_bomb, "a variable is larger than any of a car"),
}


@pytest.mark.parametrize(
  "case",
  [pytest.param(case, marks=pytest.mark.slow if case == "bomb" else []) for case in SPOILED],
)
def test_a_file_that_is_wrong_is_refused(data_folder, case):
  spoil, message = SPOILED[case]
  path = data_folder / "cars" / f"{NAMES[1]}.mat"
  spoil(path)
  with pytest.raises(errors.DatasetError, match=message) as error:
    cars3d.Cars3D(3).load()
  assert str(error.value).startswith(f"{path} is damaged or not a Cars3D file (")
  assert list(path.parent.glob("images-*")) == list(path.parent.glob(".images-*")) == []


def test_uncompressed_files_are_read_too(data_folder, _cars):
  expected = np.array(cars3d.Cars3D(3).read_table(data_folder)[0])
  write_car(data_folder / "cars", NAMES[0], _cars[NAMES[0]], do_compression=False)
  np.testing.assert_array_equal(cars3d.Cars3D(3).read_table(data_folder)[0], expected)


@pytest.mark.parametrize(("number", "problem"), [(182, "1 missing"), (184, "1 too many")])
def test_182_and_184_cars_are_not_183(tmp_path, number, problem):
  for car in range(1, number + 1):
    (tmp_path / f"car_{car:03}_mesh.mat").touch()
  message = (
    rf"holds {number} cars \(\*\.mat\) instead of 183, {problem}; the list\.txt of the archive"
  )
  with pytest.raises(errors.DatasetError, match=message):
    cars3d.Cars3D().find_files(tmp_path)
  names = [f"car_{car:03}_mesh" for car in range(1, 184)]
  (tmp_path / "list.txt").write_text("\n".join(names))
  car, what = (183, "missing") if number == 182 else (184, "extra")
  with pytest.raises(errors.DatasetError, match=rf"car_{car}_mesh\.mat is {what}"):
    cars3d.Cars3D().find_files(tmp_path)
