import hashlib
import os
import pathlib
import re
import subprocess
import sys
import zipfile

import gin
import h5py
import numpy as np
import pytest

import dl_condind as dl
from dl_condind.data.ground_truth import array_files
from dl_condind.data.ground_truth import arrays
from dl_condind.data.ground_truth import named_data
from dl_condind.utils import errors

RANDOM = np.random.RandomState(0)
COLORED = RANDOM.randint(256, size=(12, 5, 7, 3), dtype=np.uint8)
GRAY = RANDOM.randint(256, size=(12, 5, 7), dtype=np.uint8)
FACTORS = np.stack(np.divmod(np.arange(12), 4), axis=1)
FLOATS = np.stack([np.arange(12) % 3, np.linspace(-1, 1, 12)], axis=1)
WHOLE = {"observations": COLORED, "factors": FACTORS}
SUFFIXES = [".npz", ".h5", ".hdf5"]


class Bomb:
  """Leaves a file behind where it is unpickled."""

  def __init__(self, path):
    self.path = path

  def __reduce__(self):
    return pathlib.Path.touch, (self.path,)


def write(path, members, compress=True):
  """Writes arrays in the format that the name of the file tells."""
  if path.suffix == ".npz":
    (np.savez_compressed if compress else np.savez)(path, **members)
    return path
  with h5py.File(path, "w") as file:
    for name, values in members.items():
      values = np.asarray(values)
      if values.dtype.kind == "U":
        values = values.astype(h5py.string_dtype())
      more = {"compression": "gzip"} if compress and values.size > 100 else {}
      file.create_dataset(name, data=values, **more)
  return path


def load(path):
  data = arrays.Arrays(str(path))
  data.load()
  return data


def images_of(data):
  return data.observations_from_rows(np.arange(data.num_rows))


@pytest.fixture(params=SUFFIXES)
def path(request, tmp_path):
  """Where a file of each format can be written."""
  return tmp_path / f"own{request.param}"


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_vectors_are_those_of_the_file(path, dtype):
  vectors = (100 * RANDOM.standard_normal((12, 3))).astype(dtype)
  write(path, {"observations": vectors, "factors": FLOATS, "feature_names": np.array(list("äbc"))})
  data = load(path)
  assert (data.observation_shape, data.feature_names) == ((3,), ["ä", "b", "c"])
  assert images_of(data).dtype == np.float32
  np.testing.assert_array_equal(images_of(data), vectors.astype(np.float32))
  factors, drawn = data.sample(5, np.random.RandomState(0))
  rows = [np.flatnonzero((row == FLOATS).all(axis=1))[0] for row in factors]
  np.testing.assert_array_equal(drawn, images_of(data)[rows])


def test_vectors_need_no_names(path):
  write(path, {"observations": np.ones((12, 3))})
  data = load(path)
  assert (data.observation_shape, data.feature_names, data.num_factors) == ((3,), None, 0)


@pytest.mark.parametrize("compress", [True, False])
def test_images_and_factors_are_those_of_the_file(path, compress):
  names = np.array(["shape", "größe"])
  write(path, {**WHOLE, "factor_names": names}, compress)
  data = arrays.Arrays(str(path))
  assert (data.name, data.path, data.num_rows) == ("arrays", path, 12)
  assert data.factor_names == ["shape", "größe"]
  assert data.factors_num_values == [3, 4]
  assert data.observation_shape == (5, 7, 3)
  assert data.has_complete_grid
  np.testing.assert_array_equal(data.factors, FACTORS)
  assert data.factors.dtype == np.int64
  np.testing.assert_array_equal(images_of(data), COLORED.astype(np.float32) / np.float32(255))
  rows = np.random.RandomState(3).randint(12, size=20)
  factors, observations = data.sample(20, np.random.RandomState(3))
  np.testing.assert_array_equal(factors, FACTORS[rows])
  np.testing.assert_array_equal(observations, images_of(data)[rows])


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_provenance_is_the_file(tmp_path, suffix):
  path = write(tmp_path / f"own{suffix}", WHOLE)
  sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
  expected = {"dataset": "arrays", "source": "own arrays", "sha256": sha256, "path": path.name}
  assert load(path).provenance() == expected


@pytest.mark.parametrize("images", [GRAY, GRAY[..., None]])
def test_one_channel_may_have_no_axis(path, images):
  data = load(write(path, {"observations": images}))
  assert data.observation_shape == (5, 7, 1)
  np.testing.assert_array_equal(images_of(data)[..., 0], GRAY.astype(np.float32) / 255)


@pytest.mark.parametrize("dtype", ["<f2", "<f4", "<f8", ">f4", ">f8"])
def test_floats_are_kept_as_float32(path, dtype):
  images = (COLORED / 255).astype(dtype)
  images[0, 0, 0] = [0, -0.0, 1]
  observations = images_of(load(write(path, {"observations": images})))
  assert observations.dtype == np.float32
  np.testing.assert_array_equal(observations, images.astype(np.float32))


def test_without_factors(path):
  data = load(write(path, {"observations": COLORED}))
  assert (data.factor_names, data.factors_num_values, data.num_factors) == ([], [], 0)
  assert not data.has_complete_grid
  factors, observations = data.sample(4, np.random.RandomState(0))
  assert factors.shape == (4, 0)
  assert observations.shape == (4, 5, 7, 3)


def test_floats_are_continuous(path):
  data = load(write(path, {"observations": COLORED, "factors": FLOATS}))
  assert data.factor_names == ["factor_0", "factor_1"]
  assert data.factors_num_values == [3, 12]
  assert data.factors.dtype == np.float64
  assert not data.has_complete_grid
  wanted = FLOATS[[7, 2]]
  found = data.sample_observations_from_factors(wanted, np.random.RandomState(0))
  np.testing.assert_array_equal(found, images_of(data)[[7, 2]])


def test_sizes_say_which_factors_are_continuous(path):
  members = {"observations": COLORED, "factors": FLOATS, "factor_sizes": np.array([5, 0])}
  data = load(write(path, members))
  assert data.factors_num_values == [5, 12]
  members = {"observations": COLORED, "factors": FLOATS[:, :1], "factor_sizes": [3]}
  data = load(write(path, members))
  assert data.factors_num_values == [3]
  assert data.factors.dtype == np.int64
  assert data.has_complete_grid


def test_path_is_relative_to_the_data_folder(tmp_path, monkeypatch):
  monkeypatch.setenv("DISENTANGLEMENT_LIB_DATA", str(tmp_path))
  (tmp_path / "sub").mkdir()
  write(tmp_path / "sub" / "own.npz", WHOLE)
  data = arrays.Arrays("sub/own.npz")
  assert data.path == tmp_path / "sub" / "own.npz"
  monkeypatch.chdir("/")
  np.testing.assert_array_equal(data.factors, FACTORS)
  assert images_of(data).shape == COLORED.shape


def test_gin_binds_the_path(path):
  write(path, WHOLE)
  gin.parse_config(["dataset.name = 'arrays'", f"arrays.path = {str(path)!r}"])
  assert isinstance(named_data.get_named_ground_truth_data(), arrays.Arrays)


def test_changed_file_is_read_anew(path):
  first = load(write(path, WHOLE))
  stale = arrays.Arrays(str(path))
  write(path, {**WHOLE, "observations": COLORED[::-1]})
  second = load(path)
  np.testing.assert_array_equal(images_of(first), images_of(second)[::-1])
  np.testing.assert_array_equal(images_of(stale), images_of(first))


def test_file_that_changes_before_it_is_read_is_refused(path):
  data = arrays.Arrays(str(write(path, WHOLE)))
  write(path, {**WHOLE, "factors": FACTORS[::-1]}, compress=False)
  with pytest.raises(errors.DatasetError, match="it has changed since it was opened"):
    data.load()


def test_construction_reads_no_image(tmp_path):
  path = write(tmp_path / "own.npz", {"observations": COLORED.repeat(50, axis=0)}, compress=False)
  with zipfile.ZipFile(path) as archive:
    place = archive.getinfo("observations.npy").header_offset + 50_000
  content = bytearray(path.read_bytes())
  content[place] ^= 1
  path.write_bytes(content)
  data = arrays.Arrays(str(path))
  with pytest.raises(errors.DatasetError, match="Bad CRC-32 for file 'observations.npy'"):
    data.load()


def test_images_are_read_in_blocks(path, monkeypatch):
  monkeypatch.setattr(array_files, "_BLOCK_BYTES", 300)
  np.testing.assert_array_equal(images_of(load(write(path, WHOLE))), np.float32(COLORED) / 255)


def test_table_cannot_be_written_to(path):
  data = load(write(path, WHOLE))
  with pytest.raises(ValueError, match="read-only"):
    data._read()[0][0] = 0


def test_other_arrays_are_not_unpickled(tmp_path):
  path = tmp_path / "own.npz"
  bomb = np.array({"bomb": Bomb(tmp_path / "exploded")}, dtype=object)
  load(write(path, {**WHOLE, "metadata": bomb}))
  assert not (tmp_path / "exploded").exists()
  with np.load(path, allow_pickle=True) as file:
    file["metadata"]
  assert (tmp_path / "exploded").exists()


@pytest.mark.parametrize("name", ["observations", "factors", "factor_names", "factor_sizes"])
def test_pickled_arrays_are_refused(tmp_path, name):
  path = tmp_path / "own.npz"
  bomb = np.array([Bomb(tmp_path / "exploded")] * 2, dtype=object)
  assert_refused(write(path, {**WHOLE, name: bomb}), f"{name} holds Python objects, which are")
  assert not (tmp_path / "exploded").exists()


def assert_refused(path, message):
  with pytest.raises(errors.DatasetError, match=re.escape(message)) as error:
    load(path)
  first, *context = str(error.value).splitlines()
  assert first.startswith(f"{path} is damaged or not a file that arrays.path can name (")
  assert first.endswith("): correct or replace it.")
  assert all("In call to configurable" in line for line in context)  # By gin.


def _with(**members):
  return {**WHOLE, **members}


def _float_image(value):
  images = COLORED / 255
  images[8, 4, 0, 2] = value
  return images


WRONG_ARRAYS = {
  "no observations": ({"factors": FACTORS}, "it holds no observations, but factors"),
  "nothing": ({}, "it holds no observations, but nothing"),
  "misspelt observations": ({"observation": COLORED}, "it holds observation and no observations"),
  "misspelt factors": ({"observations": COLORED, "Factors": FACTORS}, "it holds Factors and no fa"),
  "no images": (_with(observations=COLORED[:0]), "observations has the shape (0, 5, 7, 3), not"),
  "no pixels": (_with(observations=COLORED[:, :0]), "observations has the shape (12, 0, 7, 3)"),
  "two channels": (_with(observations=COLORED[..., :2]), "(12, 5, 7, 2), not [n, height, width], "),
  "four channels": (_with(observations=COLORED[..., [0, 1, 2, 0]]), "the shape (12, 5, 7, 4)"),
  "vectors of bytes": (_with(observations=COLORED[:, 0, 0]), "observations are vectors of uint8"),
  "vectors without features": (_with(observations=np.ones((12, 0))), "has the shape (12, 0)"),
  "not a number": (_with(observations=np.full((12, 3), np.nan)), "[0, 0] is nan, not a finite"),
  "too large": (_with(observations=np.full((12, 3), 1e39)), "is 1e+39, not a finite number"),
  "names of features": (
    _with(observations=np.ones((12, 3)), feature_names=np.array(["a", "b"])),
    "feature_names has the shape (2,), and an observation (3,)",
  ),
  "names of pixels": (_with(feature_names=np.array(["a"])), "feature_names has the shape (1,)"),
  "five dimensions": (_with(observations=COLORED[..., None]), "the shape (12, 5, 7, 3, 1)"),
  "no dimension": (_with(observations=np.uint8(1)), "observations has the shape (), not"),
  "int64": (_with(observations=COLORED.astype(int)), "observations is int64, not uint8, float16"),
  "bool": (_with(observations=COLORED > 9), "observations is bool, not uint8"),
  "text": (_with(observations=np.array(["a"])), "not uint8, float16, float32 or float64"),
  "dark": (_with(observations=COLORED // 128), "is uint8 but nowhere above 1, of 255: multiply it"),
  "NaN": (_with(observations=_float_image(np.nan)), "observations[8, 4, 0, 2] is nan, not in [0,"),
  "infinity": (_with(observations=_float_image(np.inf)), "observations[8, 4, 0, 2] is inf, not in"),
  "negative": (_with(observations=_float_image(-0.125)), "observations[8, 4, 0, 2] is -0.125, not"),
  "large": (_with(observations=_float_image(1.5)), "observations[8, 4, 0, 2] is 1.5, not in [0, "),
  "bytes": (_with(observations=COLORED * np.float32(1)), "not in [0, 1]"),
  "fewer rows": (_with(factors=FACTORS[1:]), "factors has the shape (11, 2), not [12, num_factors"),
  "flat": (_with(factors=FACTORS[:, 0]), "factors has the shape (12,), not [12, num_factors]"),
  "no columns": (_with(factors=FACTORS[:, :0]), "factors has the shape (12, 0), not"),
  "many columns": (
    _with(factors=np.zeros((12, 1001), int)),
    "a row for each observation and up to",
  ),
  "complex factors": (_with(factors=FACTORS * 1j), "factors is complex128, not integers or floats"),
  "text factors": (_with(factors=FACTORS.astype(str)), ", not integers or floats"),
  "negative factor": (
    _with(factors=FACTORS - 1),
    "factors[0, 0] (factor_0) is -1, not a whole num",
  ),
  "NaN factor": (_with(factors=FLOATS * np.nan), "(factor_0) is nan, not a finite number"),
  "size": (
    _with(factor_sizes=[3, 3]),
    "factors[3, 1] (factor_1) is 3, not a whole number in [0, 3",
  ),
  "named": (
    _with(factor_sizes=[3, 3], factor_names=np.array(["a", "b"])),
    "factors[3, 1] (b) is 3, not a whole number in [0, 3)",
  ),
  "sizes": (_with(factor_sizes=[3, 4, 5]), "factor_sizes has the shape (3,), not (2,)"),
  "float sizes": (_with(factor_sizes=[3.0, 4.0]), "factor_sizes is float64, not integers"),
  "names": (_with(factor_names=np.array(["a"])), "factor_names has the shape (1,), not (2,)"),
  "same names": (_with(factor_names=np.array(["a", "a"])), "two factors have the name 'a'"),
  "empty name": (_with(factor_names=np.array(["a", ""])), "the name '' of factor 1 is empty"),
  "number names": (_with(factor_names=[1, 2]), "factor_names is int64, not text"),
  "names only": (
    {"observations": COLORED, "factor_names": np.array(["a"])},
    "it holds factor_names without factors",
  ),
  "sizes only": ({"observations": COLORED, "factor_sizes": [1]}, "it holds factor_sizes without f"),
}


@pytest.mark.parametrize("case", WRONG_ARRAYS)
def test_arrays_that_are_wrong_are_refused(path, case):
  members, message = WRONG_ARRAYS[case]
  assert_refused(write(path, members), message)


@pytest.mark.parametrize("name", [None, "", 7])
def test_path_is_required(name):
  with pytest.raises(errors.ConfigError, match=r"arrays\.path must be the name of an \.npz, \.h5"):
    arrays.Arrays(name)


@pytest.mark.parametrize("name", ["own.npy", "own", "own.npz.gz", "own.mat"])
def test_other_formats_are_refused(tmp_path, name):
  (tmp_path / name).touch()
  with pytest.raises(errors.ConfigError, match=r"an \.npz, \.h5 or \.hdf5 file, got "):
    arrays.Arrays(str(tmp_path / name))


def test_missing_file_is_named(path):
  with pytest.raises(
    errors.DatasetError, match=f"^{path} is missing: arrays.path must be the name"
  ):
    arrays.Arrays(str(path))


SPOILED = {
  "empty": (lambda path: path.write_bytes(b""), "not a zip file|file signature not found"),
  "HTML": (lambda path: path.write_text("<html>"), "not a zip file|file signature not found"),
  "truncated": (lambda path: os.truncate(path, 900), "not a zip file|truncated file"),
  "folder": (lambda path: path.unlink() or path.mkdir(), "it is not a file"),
}


@pytest.mark.parametrize("case", SPOILED)
def test_files_that_are_no_archives_are_refused(path, case):
  write(path, WHOLE)
  spoil, message = SPOILED[case]
  spoil(path)
  with pytest.raises(
    errors.DatasetError, match=rf"^{path} is damaged or not .*{message}.*\): corr"
  ):
    load(path)


def test_pipe_is_not_waited_for(path):
  os.mkfifo(path)
  assert_refused(path, "it is not a file")


@pytest.mark.slow
def test_memory_is_about_that_of_the_images(tmp_path):
  images = np.zeros((3000, 64, 64, 3), np.float64)
  images[:, 0, 0, 0] = np.linspace(0, 1, 3000)
  program = """
import resource, sys
import numpy as np
from dl_condind.data.ground_truth import arrays
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
data = arrays.Arrays(sys.argv[1])
data.load()
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
assert "tensorflow" not in sys.modules
"""
  for suffix in (".npz", ".h5"):
    path = write(tmp_path / f"own{suffix}", {"observations": images})
    done = subprocess.run(
      [sys.executable, "-c", program, path], check=True, capture_output=True, text=True
    )
    kept = images.size * 4
    # Blocks of 16 MiB with their copies and comparisons come on top.
    assert int(done.stdout) < kept + 64 * 2**20


def test_little_memory_is_one_line(tmp_path):
  path = write(tmp_path / "own.npz", {"observations": np.zeros((20_000, 64, 64, 3), np.uint8)})
  program = """
import resource, sys
from dl_condind.data.ground_truth import arrays
data = arrays.Arrays(sys.argv[1])
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**26, used + 2**26))
try:
  data.load()
except Exception as error:
  print(type(error).__name__, error)
"""
  done = subprocess.run(
    [sys.executable, "-c", program, path], check=True, capture_output=True, text=True
  )
  assert re.fullmatch(r"DatasetError .* \(Unable to allocate .*\): correct or .*\.\n", done.stdout)


def test_tables_in_fortran_order_are_read(tmp_path):
  vectors = np.random.RandomState(0).normal(size=(9, 4)).astype(np.float32)
  factors = np.stack([np.arange(9) % 3, np.arange(9) // 3]).T  # In Fortran order.
  path = tmp_path / "own.npz"
  np.savez(path, observations=np.asfortranarray(vectors), factors=np.asfortranarray(factors))
  data = arrays.Arrays(str(path))
  found = data.sample_observations_from_factors(factors, np.random.RandomState(0))
  np.testing.assert_array_equal(found, vectors)
  np.savez(path, observations=np.asfortranarray(COLORED))
  with pytest.raises(errors.DatasetError, match=r"save np\.ascontiguousarray\(observations\)"):
    arrays.Arrays(str(path)).check_files()


def test_a_path_object_names_a_file(tmp_path):
  np.savez(tmp_path / "own.npz", observations=np.zeros((3, 2), np.float32))
  assert dl.load_data("arrays", path=tmp_path / "own.npz").options["path"].endswith("own.npz")
