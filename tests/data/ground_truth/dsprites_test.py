import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import zipfile

import h5py
import numpy as np
import pytest

from dl_condind.data.ground_truth import dsprites
from dl_condind.data.ground_truth import dsprites_renderer
from dl_condind.utils import errors

NUM_IMAGES = 300
IMAGES = (np.random.RandomState(0).random_sample((NUM_IMAGES, 64, 64)) < 0.1).astype(np.uint8)
PACKED = np.packbits(IMAGES.reshape(NUM_IMAGES, -1), axis=1)
NUM_ON_PIXELS = int(IMAGES.sum())


@pytest.fixture
def _small_blocks(monkeypatch):
  """Makes the readers take the small files of these tests in more than one piece."""
  monkeypatch.setattr(dsprites, "_NPZ_BLOCK", 128)
  monkeypatch.setattr(dsprites, "_HDF5_BLOCK", 128)


@pytest.fixture(scope="module")
def data_set(tmp_path_factory):
  folder = tmp_path_factory.mktemp("data")
  with pytest.MonkeyPatch.context() as patch:
    patch.setenv("DISENTANGLEMENT_LIB_DATA", str(folder))
    data = dsprites.DSprites()
    data.load()
  yield data
  shutil.rmtree(folder)


class Bomb:
  """Leaves a file behind where it is unpickled."""

  def __init__(self, path):
    self.path = path

  def __reduce__(self):
    return pathlib.Path.touch, (self.path,)


def _write_npz(path, images=IMAGES, **members):
  metadata = np.array({"bomb": Bomb(path.with_name("exploded"))}, dtype=object)
  np.savez_compressed(path, metadata=metadata, imgs=images, **members)


def _write_hdf5(path, images=IMAGES):
  with h5py.File(path, "w") as file:
    file.create_dataset("imgs", data=images, chunks=(100, 2, 4), compression="gzip")
    file.create_dataset("latents/classes", data=np.zeros((len(images), 6), np.int64))


class SmallOfficial(dsprites.DSprites):
  """An official file with the images of these tests, in the data folder itself."""

  folder = "."
  num_on_pixels = NUM_ON_PIXELS

  def __init__(self):
    super().__init__()
    self.num_rows = NUM_IMAGES


def _read_official(folder):
  return SmallOfficial().read_table(folder)


def test_data_set_describes_itself_before_it_is_read(monkeypatch, tmp_path):
  monkeypatch.setenv("DISENTANGLEMENT_LIB_DATA", str(tmp_path))
  data = dsprites.DSprites()
  assert data.name == "dsprites_full"
  assert data.factor_names == ["shape", "scale", "orientation", "posX", "posY"]
  assert data.factors_num_values == [3, 6, 40, 32, 32]
  assert data.observation_shape == (64, 64, 1)
  assert data.num_rows == 737280
  assert data.packed
  data.sample_rows(10, np.random.RandomState(0))
  assert list(tmp_path.iterdir()) == []


def test_draws_are_one_factor_after_the_other(data_set):
  factors, observations = data_set.sample(100, np.random.RandomState(3))

  expected = np.random.RandomState(3)
  columns = [expected.randint(size, size=100) for size in (3, 6, 40, 32, 32)]
  np.testing.assert_array_equal(factors, np.stack(columns, axis=1))
  shape, scale, orientation, pos_x, pos_y = columns
  rows = (((shape * 6 + scale) * 40 + orientation) * 32 + pos_x) * 32 + pos_y
  pixels = np.unpackbits(data_set.table[rows], axis=1).reshape(100, 64, 64, 1)
  np.testing.assert_array_equal(observations, pixels)
  assert factors.dtype == np.int64
  assert observations.dtype == np.float32


def test_color_draw_leaves_the_random_state_as_disentanglement_lib_does(data_set):
  random_state, expected = np.random.RandomState(3), np.random.RandomState(3)
  data_set.sample(100, random_state)
  for size in (3, 6, 40, 32, 32, 1):
    expected.randint(size, size=100)
  assert random_state.randint(2**31) == expected.randint(2**31)


def test_rows_are_the_rendered_sprites(data_set):
  factors = np.array([[0, 0, 0, 0, 0], [1, 2, 39, 31, 4], [2, 5, 17, 3, 31]])
  observations = data_set.sample_observations_from_factors(factors, np.random.RandomState(0))
  for (shape, scale, orientation, pos_x, pos_y), observation in zip(
    factors, observations, strict=True
  ):
    sprite = dsprites_renderer.render_sprite(shape, scale, orientation)[pos_x * 32 + pos_y]
    np.testing.assert_array_equal(observation, np.unpackbits(sprite).reshape(64, 64, 1))


def test_position_factors_move_the_centre_of_mass(data_set):
  factors, observations = data_set.sample(300, np.random.RandomState(1))
  images = observations[..., 0]
  mass = images.sum(axis=(1, 2))
  x = images.sum(axis=1) @ (np.arange(64) + 0.5) / mass
  y = images.sum(axis=2) @ (np.arange(64) + 0.5) / mass
  # A heart's centre of mass is not its middle: up to 2 pixels off.
  assert np.abs(x - (16 + 32 * factors[:, 3] / 31)).max() < 2.5
  assert np.abs(y - (16 + 32 * factors[:, 4] / 31)).max() < 2.5


def test_scale_factor_grows_the_sprite(data_set):
  factors = np.array([[shape, scale, 0, 16, 16] for shape in range(3) for scale in range(6)])
  observations = data_set.sample_observations_from_factors(factors, np.random.RandomState(0))
  num_on_pixels = observations.sum(axis=(1, 2, 3)).reshape(3, 6)
  assert (np.diff(num_on_pixels, axis=1) > 0).all()


def test_rendering_names_its_provenance(data_set):
  assert data_set.provenance() == {
    "dataset": "dsprites_full",
    "source": "rendered",
    "sha256": hashlib.sha256(data_set.table).hexdigest(),
  }


def test_factors_out_of_range_are_refused(data_set):
  with pytest.raises(ValueError, match=r"factors\[0, 2\] must be in \[0, 39\], got 40"):
    data_set.sample_observations_from_factors(
      np.array([[0, 0, 40, 0, 0]]), np.random.RandomState(0)
    )


@pytest.mark.parametrize(
  ("name", "write", "source"),
  [
    (dsprites.OFFICIAL_NPZ, _write_npz, "unofficial npz"),
    (dsprites.OFFICIAL_HDF5, _write_hdf5, "unofficial hdf5"),
  ],
)
@pytest.mark.usefixtures("_small_blocks")
def test_official_file_is_read_and_kept_packed(tmp_path, name, write, source):
  write(tmp_path / name)
  table, provenance = _read_official(tmp_path)
  np.testing.assert_array_equal(table, PACKED)
  sha256 = hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
  assert provenance == {"source": source, "sha256": sha256}

  (cache,) = tmp_path.glob("*.npy")
  written = cache.stat().st_mtime_ns
  np.testing.assert_array_equal(_read_official(tmp_path)[0], PACKED)
  assert cache.stat().st_mtime_ns == written


def test_changed_official_file_is_read_anew(tmp_path):
  _write_npz(tmp_path / dsprites.OFFICIAL_NPZ)
  _read_official(tmp_path)
  _write_npz(tmp_path / dsprites.OFFICIAL_NPZ, IMAGES[::-1])
  np.testing.assert_array_equal(_read_official(tmp_path)[0], PACKED[::-1])


def test_npz_goes_before_hdf5(tmp_path):
  _write_hdf5(tmp_path / dsprites.OFFICIAL_HDF5, IMAGES[::-1])
  _write_npz(tmp_path / dsprites.OFFICIAL_NPZ)
  assert _read_official(tmp_path)[1]["source"] == "unofficial npz"


def test_official_file_need_not_be_there(tmp_path):
  assert dsprites.DSprites().find_files(tmp_path) == []


def test_pickle_in_an_official_file_is_not_executed(tmp_path):
  path = tmp_path / dsprites.OFFICIAL_NPZ
  _write_npz(path)
  _read_official(tmp_path)
  assert not (tmp_path / "exploded").exists()
  with np.load(path, allow_pickle=True) as file:
    file["metadata"]
  assert (tmp_path / "exploded").exists()


def test_pickled_images_are_refused(tmp_path):
  _write_npz(tmp_path / dsprites.OFFICIAL_NPZ, np.array([Bomb(tmp_path / "exploded")], object))
  with pytest.raises(
    errors.DatasetError, match="imgs holds Python objects, which are never unpickled"
  ):
    _read_official(tmp_path)
  assert not (tmp_path / "exploded").exists()


def _flip_byte_of_images(path):
  with zipfile.ZipFile(path) as archive:
    place = archive.getinfo("imgs.npy").header_offset + 10_000
  content = bytearray(path.read_bytes())
  content[place] ^= 1
  path.write_bytes(content)


def _too_long(path):
  with zipfile.ZipFile(path, "w") as archive, archive.open("imgs.npy", "w") as member:
    np.save(member, IMAGES)
    member.write(b"more")


def _too_short(path):
  with zipfile.ZipFile(path, "w") as archive, archive.open("imgs.npy", "w") as member:
    np.lib.format.write_array_header_1_0(
      member, {"descr": "|u1", "fortran_order": False, "shape": IMAGES.shape}
    )
    member.write(IMAGES[:-1].tobytes())


def _bzip2(path):
  with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive:
    archive.writestr("imgs.npy", b"")


@pytest.mark.parametrize(
  ("spoil", "message"),
  [
    (lambda path: path.write_bytes(b""), "File is not a zip file"),
    (lambda path: path.write_text("version https://git-lfs.example/spec"), "not a zip file"),
    (lambda path: os.truncate(path, 20_000), "File is not a zip file"),
    (lambda path: path.unlink() or path.mkdir(), "Is a directory"),
    (_flip_byte_of_images, "damaged or not the official"),
    (_too_long, "does not have the size that its shape"),
    (_too_short, "does not have the size that its shape"),
    (_bzip2, "not compressed with deflate"),
    (lambda path: np.savez(path, other=IMAGES), "no item named 'imgs.npy'"),
    (
      lambda path: _write_npz(path, IMAGES[1:]),
      r"imgs is uint8 \(299, 64, 64\), not uint8 \(300",
    ),
    (lambda path: _write_npz(path, IMAGES.astype(np.int64)), r"imgs is int64 \(300"),
    (lambda path: _write_npz(path, np.asfortranarray(IMAGES)), "Fortran order"),
    (lambda path: _write_npz(path, IMAGES * 255), "imgs holds the value 255"),
    (lambda path: _write_npz(path, 1 - IMAGES), r"pixels of imgs are 1, not about \d+"),
  ],
)
def test_npz_that_is_not_whole_is_refused(tmp_path, spoil, message):
  path = tmp_path / dsprites.OFFICIAL_NPZ
  _write_npz(path)
  spoil(path)
  _assert_refused(path, message)


@pytest.mark.parametrize(
  ("spoil", "message"),
  [
    (lambda path: path.write_text("<html>"), "file signature not found"),
    (lambda path: os.truncate(path, 20_000), "truncated file"),
    (lambda path: _write_hdf5(path, IMAGES[1:]), r"imgs is uint8 \(299, 64, 64\), not uint8"),
    (lambda path: _write_hdf5(path, IMAGES * 3), "imgs holds the value 3"),
    (lambda path: _write_hdf5(path, IMAGES * 0), "0 pixels of imgs are 1, not about"),
    (lambda path: h5py.File(path, "w").close(), "imgs"),
  ],
)
def test_hdf5_that_is_not_whole_is_refused(tmp_path, spoil, message):
  path = tmp_path / dsprites.OFFICIAL_HDF5
  _write_hdf5(path)
  spoil(path)
  _assert_refused(path, message)


def test_hdf5_group_instead_of_images_is_refused(tmp_path):
  path = tmp_path / dsprites.OFFICIAL_HDF5
  with h5py.File(path, "w") as file:
    file.create_group("imgs")
  _assert_refused(path, "imgs is not an array")


def _assert_refused(path, message):
  with pytest.raises(errors.DatasetError, match=message) as error:
    _read_official(path.parent)
  assert str(error.value).startswith(f"{path} is damaged or not the official dSprites file (")
  assert "fetch it again, or move it away" in str(error.value)
  assert "\n" not in str(error.value)
  assert list(path.parent.glob("*.npy*")) == list(path.parent.glob(".*.tmp")) == []


def test_official_file_in_the_data_folder_goes_before_the_rendering(monkeypatch, tmp_path):
  monkeypatch.setenv("DISENTANGLEMENT_LIB_DATA", str(tmp_path))
  (tmp_path / "dsprites").mkdir()
  _write_npz(tmp_path / "dsprites" / dsprites.OFFICIAL_NPZ)
  with pytest.raises(errors.DatasetError, match=r"\(300, 64, 64\), not uint8 \(737280, 64, 64\)"):
    dsprites.DSprites().load()


def _write_full_npz(path, blocks):
  with (
    zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
    archive.open("imgs.npy", "w", force_zip64=True) as member,
  ):
    layout = {"descr": "|u1", "fortran_order": False, "shape": (737280, 64, 64)}
    np.lib.format.write_array_header_1_0(member, layout)
    for block in blocks:
      member.write(block)


def _write_full_hdf5(path, blocks):
  with h5py.File(path, "w") as file:
    images = file.create_dataset(
      "imgs", (737280, 64, 64), np.uint8, chunks=(23040, 2, 4), compression="gzip"
    )
    for i, block in enumerate(blocks):
      images[i * 23040 : (i + 1) * 23040] = block


@pytest.mark.slow
@pytest.mark.parametrize(
  ("name", "write"),
  [(dsprites.OFFICIAL_NPZ, _write_full_npz), (dsprites.OFFICIAL_HDF5, _write_full_hdf5)],
)
def test_official_file_of_full_size_is_read_in_little_memory(tmp_path, data_set, name, write):
  path = tmp_path / "dsprites" / name
  path.parent.mkdir()
  starts = range(0, 737280, 23040)
  write(
    path,
    (
      np.unpackbits(data_set.table[start : start + 23040], axis=1).reshape(-1, 64, 64)
      for start in starts
    ),
  )
  program = """
import hashlib, re
from dl_condind.data.ground_truth import dsprites
data = dsprites.DSprites()
data.load()
peak = re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]
print(data.provenance()["source"], hashlib.sha256(data.table).hexdigest(), peak)
"""
  done = subprocess.run(
    [sys.executable, "-c", program],
    env={**os.environ, "DISENTANGLEMENT_LIB_DATA": str(tmp_path)},
    check=True,
    stdout=subprocess.PIPE,
    text=True,
  )
  shutil.rmtree(path.parent)
  *source, sha256, peak = done.stdout.split()
  assert source == ["unofficial", path.suffix[1:]]
  assert sha256 == dsprites_renderer.SHA256
  assert int(peak) < 400 * 1024  # KiB. One decompressed file alone is 3 GB.
