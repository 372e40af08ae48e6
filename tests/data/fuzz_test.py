"""Damaged files of every format: no crash, no hang, and nothing but a DatasetError.

Each format is tried in a process of its own with little memory, so that a crash, an endless loop or
a huge allocation shows. As a program, this file is that process.
"""

import collections
import gzip
import json
import os
import pathlib
import random
import resource
import shutil
import signal
import struct
import subprocess
import sys

import h5py
from helpers import testdata
import numpy as np
from PIL import Image
import pytest
import scipy.io

from dl_condind.data.ground_truth import arrays
from dl_condind.data.ground_truth import cars3d
from dl_condind.data.ground_truth import dsprites
from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.data.ground_truth import image_folder
from dl_condind.data.ground_truth import mnist
from dl_condind.data.ground_truth import mpi3d
from dl_condind.data.ground_truth import norb
from dl_condind.data.ground_truth import official_table
from dl_condind.data.ground_truth import shapes3d
from dl_condind.utils import errors

MEMORY = 3 * 2**30  # bytes
SECONDS = 20  # for one file
SEED = 20260101

SPRITES = (np.random.RandomState(0).random_sample((60, 64, 64)) < 0.1).astype(np.uint8)
COLORED = np.random.RandomState(1).randint(256, size=(32, 64, 64, 3), dtype=np.uint8)
SIZES = (2, 2, 2, 2, 2, 1)
LABELS = np.stack(np.meshgrid(*map(np.arange, SIZES), indexing="ij"), axis=-1).reshape(-1, 6)
SPLIT = norb.Split("training", (0,), 10)


def _norb_matrix(magic, dims, content):
  padded = [*dims, *[1] * (3 - len(dims))]
  return struct.pack(f"<Ii{len(padded)}i", magic, len(dims), *padded) + content


def _write_norb(folder, suffix=""):
  pairs = np.random.RandomState(2).randint(256, size=(10, 2, 96, 96), dtype=np.uint8)
  info = np.array([[0, 0, 0, light] for light in range(2) for _ in range(5)], "<i4")
  category = np.tile(np.arange(5, dtype="<i4"), 2)
  contents = {
    "cat": _norb_matrix(0x1E3D4C54, [10], category.tobytes()),
    "info": _norb_matrix(0x1E3D4C54, [10, 4], info.tobytes()),
    "dat": _norb_matrix(0x1E3D4C55, [10, 2, 96, 96], pairs.tobytes()),
  }
  for part, content in contents.items():
    content = gzip.compress(content) if suffix else content
    (folder / f"training-{part}.mat{suffix}").write_bytes(content)


def _load_norb(folder):
  data = norb.SmallNORB([SPLIT], (5, 1, 1, 1, 2))
  data.folder = "."
  index = data.read_labels(folder)
  table, provenance = official_table.OfficialTable.read_table(data, folder)  # Without labels.
  factors = np.array([[category, 0, 0, 0, light] for category in range(5) for light in (0, 1)])
  return table[index.features_to_index(factors)], provenance["source"]


def _write_car(folder):
  (folder / "cars").mkdir()
  im = np.random.RandomState(3).randint(256, size=(4, 4, 3, 24, 4), dtype=np.uint8)
  im = im.repeat(32, axis=0).repeat(32, axis=1)
  scipy.io.savemat(folder / "cars" / "car_001_mesh.mat", {"im": im}, do_compression=True)


def _load_car(folder):
  table, provenance = cars3d.Cars3D(1).read_table(folder)
  return table, provenance["source"]


def _write_idx(folder):
  (folder / "mnist").mkdir()
  for name in ("t10k-labels-idx1-ubyte", "t10k-images-idx3-ubyte"):
    content = gzip.decompress((testdata.MNIST / f"{name}.gz").read_bytes())
    (folder / "mnist" / name).write_bytes(content)


def _write_idx_gz(folder):
  (folder / "mnist").mkdir()
  for name in ("t10k-labels-idx1-ubyte", "t10k-images-idx3-ubyte"):
    shutil.copy(testdata.MNIST / f"{name}.gz", folder / "mnist")


def _load_mnist(folder):
  del folder
  data = mnist.MNIST("test")
  data.load()
  images = data.observations_from_rows(np.arange(0, 10_000, 10))
  return np.concatenate([images.reshape(1000, -1), data.factors[::10]], axis=1), "official"


def _write_mpi3d(folder):
  (folder / "mpi3d_toy").mkdir()
  np.savez_compressed(folder / "mpi3d_toy" / "mpi3d_toy.npz", images=COLORED)


def _load_mpi3d(folder):
  table, provenance = mpi3d.MPI3D("mpi3d_toy", (2, 2, 2, 2, 2, 1, 1)).read_table(folder)
  return table, provenance["source"]


def _write_shapes3d(folder):
  (folder / "3dshapes").mkdir()
  with h5py.File(folder / "3dshapes" / "3dshapes.h5", "w") as file:
    file.create_dataset("images", data=COLORED, compression="gzip", chunks=(8, 64, 64, 3))
    file.create_dataset("labels", data=LABELS.astype(np.float64))


def _load_shapes3d(folder):
  table, provenance = shapes3d.Shapes3D(SIZES).read_table(folder)
  return table, provenance["source"]


def _write_dsprites_npz(folder):
  np.savez_compressed(folder / dsprites.OFFICIAL_NPZ, imgs=SPRITES)


def _write_dsprites_hdf5(folder):
  with h5py.File(folder / dsprites.OFFICIAL_HDF5, "w") as file:
    file.create_dataset("imgs", data=SPRITES, compression="gzip", chunks=(20, 2, 4))


def _load_dsprites(folder):
  dsprites._MAX_OFF_PIXELS = 0  # Of so few images.
  data = dsprites.DSprites()
  data.folder, data.num_rows, data.num_on_pixels = ".", len(SPRITES), int(SPRITES.sum())
  table, provenance = data.read_table(folder)
  return table, provenance["source"]


def _write_arrays_npz(folder):
  names = np.array([f"f{i}" for i in range(6)])
  np.savez_compressed(folder / "own.npz", observations=COLORED, factors=LABELS, factor_names=names)


def _write_arrays_hdf5(folder):
  with h5py.File(folder / "own.h5", "w") as file:
    file.create_dataset("observations", data=COLORED / np.float32(255), compression="gzip")
    file.create_dataset("factors", data=LABELS)


def _load_arrays(folder):
  (path,) = [path for path in folder.iterdir() if path.suffix in (".npz", ".h5")]
  data = arrays.Arrays(str(path))
  return data.observations_from_rows(np.arange(data.num_rows)), "own"


def _write_images(folder):
  (folder / "own").mkdir()
  for index, image in enumerate(COLORED[:4]):
    Image.fromarray(image).save(folder / "own" / f"{index}.{'png' if index % 2 else 'jpg'}")
  rows = "".join(f"{i}.{'png' if i % 2 else 'jpg'},{i % 2},{i / 3:.3f}\n" for i in range(4))
  (folder / "own" / "factors.csv").write_text(f"file,a,b\n{rows}")


def _load_images(folder):
  data = image_folder.ImageFolder(str(folder / "own"))
  return data.observations_from_rows(np.arange(data.num_rows)), "own"


# How a format is written into a folder, and loaded from it: (array, source).
FORMATS = {
  "norb": (_write_norb, _load_norb),
  "norb.gz": (lambda folder: _write_norb(folder, ".gz"), _load_norb),
  "car": (_write_car, _load_car),
  "idx": (_write_idx, _load_mnist),
  "idx.gz": (_write_idx_gz, _load_mnist),
  "mpi3d": (_write_mpi3d, _load_mpi3d),
  "shapes3d": (_write_shapes3d, _load_shapes3d),
  "dsprites.npz": (_write_dsprites_npz, _load_dsprites),
  "dsprites.hdf5": (_write_dsprites_hdf5, _load_dsprites),
  "arrays.npz": (_write_arrays_npz, _load_arrays),
  "arrays.hdf5": (_write_arrays_hdf5, _load_arrays),
  "images": (_write_images, _load_images),
}
# Formats whose every byte of data is covered by a checksum, here or in the format.
CHECKED = {"norb.gz", "car", "idx", "idx.gz", "mpi3d", "dsprites.npz", "arrays.npz"}


def mutate(content, rng):
  """Returns a file with one kind of damage at a random place, often near its beginning."""
  content = bytearray(content)
  place = rng.randrange(len(content) if rng.random() < 0.6 else min(400, len(content)))
  length = min(rng.choice([1, 4, 50, 5000]), len(content) - place)
  kind = rng.choice(["flip", "flip", "noise", "truncate", "delete", "insert", "zero", "ones"])
  if kind == "flip":
    content[place] ^= 1 << rng.randrange(8)
  elif kind == "noise":
    content[place : place + length] = rng.randbytes(length)
  elif kind == "truncate":
    del content[place:]
  elif kind == "delete":
    del content[place : place + length]
  elif kind == "insert":
    content[place:place] = rng.randbytes(length)
  else:
    content[place : place + length] = (b"\0" if kind == "zero" else b"\xff") * length
  return bytes(content)


def _try(load, folder):
  """Returns what became of a damaged file."""
  ground_truth_data._loaded.clear()
  signal.alarm(SECONDS)
  try:
    return load(folder)
  except errors.DatasetError as error:
    message, *context = str(error).splitlines()
    assert message.endswith(".") and all("In call to configurable" in line for line in context)
    return "refused", message
  finally:
    signal.alarm(0)


def fuzz(name, num_mutations, folder):
  """Tries damaged files of a format and counts what became of them."""
  write, load = FORMATS[name]
  write(folder)
  resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
  expected, _ = _try(load, folder)
  expected = np.array(expected)
  made = (".", "images-", "packed-")
  sources = [path for path in sorted(folder.rglob("*")) if not path.name.startswith(made)]
  sources = [path for path in sources if path.is_file()]
  rng = random.Random(f"{SEED} {name}")
  outcomes = collections.Counter()
  for _ in range(num_mutations):
    path = rng.choice(sources)
    whole = path.read_bytes()
    path.write_bytes(mutate(whole, rng))
    found, source = _try(load, folder)
    if isinstance(found, str):
      outcomes[found] += 1
    elif path.read_bytes() == whole or np.array_equal(found, expected):
      outcomes["same data"] += 1
    else:
      outcomes[f"other data, {source}"] += 1
    path.write_bytes(whole)
  return outcomes


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
def test_damaged_files_are_refused(name, tmp_path, request):
  if name.startswith("idx") and not testdata.MNIST.is_dir():
    pytest.skip("the MNIST files are not here")
  num_mutations = request.config.getoption("--num_mutations")
  done = subprocess.run(
    [sys.executable, __file__, name, str(num_mutations), str(tmp_path)],
    capture_output=True,
    text=True,
    check=False,
    env={
      "DISENTANGLEMENT_LIB_DATA": str(tmp_path),
      "PYTHONPATH": os.pathsep.join(map(str, (testdata.ROOT, testdata.ROOT / "tests"))),
    },
    timeout=SECONDS * num_mutations,
  )
  assert done.returncode == 0, done.stderr[-3000:]
  outcomes = json.loads(done.stdout.splitlines()[-1])
  print(name, outcomes)
  assert sum(outcomes.values()) == num_mutations
  assert outcomes["refused"] > num_mutations / 4
  changed = [outcome for outcome in outcomes if outcome.startswith("other data")]
  assert not [outcome for outcome in changed if outcome.startswith("other data, official")]
  if name in CHECKED:
    assert not changed


if __name__ == "__main__":
  format_name, number, directory = sys.argv[1:]
  print(json.dumps(fuzz(format_name, int(number), pathlib.Path(directory))))
