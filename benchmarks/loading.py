"""Compares loading the data sets with what disentanglement_lib does, in time and memory.

Files with synthetic content are written in the official formats and sizes (about 25 GB with the
cache files) and deleted afterwards. Each load happens in a process of its own: the first one, which
makes the cache file, the second one, and one the way of disentanglement_lib, which reads everything
into an array of its element type, 23 times for a model that is trained and evaluated by its study.

Usage: python benchmarks/loading.py --folder=/tmp --datasets=smallnorb,cars3d
"""

from collections.abc import Callable
import functools
import json
import os
import pathlib
import re
import struct
import subprocess
import sys
import tempfile
import time

from absl import app
from absl import flags
from absl import logging
import numpy as np
from PIL import Image
import scipy.io
import stand_ins

from dl_condind.data import reading
from dl_condind.data.ground_truth import named_data
from dl_condind.data.ground_truth import norb
from dl_condind.data.ground_truth import shapes3d

LOADS_PER_MODEL = 23  # Of disentanglement_lib: training, pictures, representations and metrics.

WRITERS: dict[str, Callable[[pathlib.Path], None]] = {
  "dsprites_full": stand_ins.write_dsprites,
  "smallnorb": stand_ins.write_smallnorb,
  "cars3d": stand_ins.write_cars3d,
  "mpi3d_toy": functools.partial(stand_ins.write_mpi3d, variant="mpi3d_toy", num_rows=460_800),
  "shapes3d": functools.partial(stand_ins.write_shapes3d, factor_sizes=shapes3d.FACTOR_SIZES),
}

_DATASETS = flags.DEFINE_list("datasets", list(WRITERS), f"Which of {', '.join(WRITERS)}.")
_FOLDER = flags.DEFINE_string("folder", tempfile.gettempdir(), "Where files are written.")
_CHILD = flags.DEFINE_enum("child", None, ["ours", "theirs"], "Only load once and print a record.")


def _read_norb_images(path: str) -> np.ndarray:
  with open(path, "rb") as file:
    struct.unpack("<Ii", file.read(8))
    shape = struct.unpack("<4i", file.read(16))
    return np.frombuffer(file.read(), np.int8).reshape(shape)[:, 0]


def their_smallnorb(folder: pathlib.Path) -> np.ndarray:
  """Resizes one image after the other into float64."""
  stems = [folder / norb.FOLDER / split.stem for split in norb.SPLITS]
  images = np.concatenate([_read_norb_images(f"{stem}-dat.mat") for stem in stems])
  resized = np.zeros((len(images), 64, 64))
  for image, target in zip(images, resized, strict=True):
    picture = Image.fromarray(image.view(np.uint8)).resize((64, 64), Image.Resampling.LANCZOS)
    target[:] = np.asarray(picture) / 255.0
  return resized


def their_cars3d(folder: pathlib.Path) -> np.ndarray:
  """Resizes one view after the other into float64."""
  table = np.zeros((183 * 96, 64, 64, 3))
  for index, path in enumerate((folder / "cars").glob("*.mat")):
    views = np.einsum("abcde->deabc", scipy.io.loadmat(path)["im"]).reshape(-1, 128, 128, 3)
    for row, view in enumerate(views):
      picture = Image.fromarray(view)
      picture.thumbnail((64, 64), Image.Resampling.LANCZOS)
      table[index * 96 + row] = np.asarray(picture) / 255.0
  return table


def their_dsprites(folder: pathlib.Path) -> np.ndarray:
  """Reads all bytes, and copies them."""
  (path,) = (folder / "dsprites").glob("*.npz")
  return np.array(np.load(path)["imgs"])


def their_mpi3d(folder: pathlib.Path) -> np.ndarray:
  """Reads all bytes."""
  return np.load(folder / "mpi3d_toy" / "mpi3d_toy.npz")["images"]


THEIRS = {
  "dsprites_full": their_dsprites,
  "smallnorb": their_smallnorb,
  "cars3d": their_cars3d,
  "mpi3d_toy": their_mpi3d,
}


def load(name: str, whose: str) -> dict[str, float]:
  """Loads a data set in this process and returns seconds, peak memory and size of the table."""
  start = time.perf_counter()
  if whose == "ours":
    dataset = named_data.get_named_ground_truth_data(name)
    dataset.load()
    size = dataset.table.nbytes
  else:
    size = THEIRS[name](reading.data_folder()).nbytes
  seconds = time.perf_counter() - start
  status = pathlib.Path("/proc/self/status").read_text(encoding="utf-8")
  peak = int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024
  return {"seconds": seconds, "peak_mb": peak / 1e6, "table_mb": size / 1e6}


def load_in_child(name: str, whose: str, folder: pathlib.Path) -> dict[str, float]:
  """Loads a data set in a process of its own."""
  command = [sys.executable, __file__, f"--child={whose}", f"--datasets={name}"]
  done = subprocess.run(
    command,
    check=True,
    stdout=subprocess.PIPE,
    text=True,
    env={**os.environ, reading.DATA_FOLDER_VARIABLE: str(folder)},
  )
  return json.loads(done.stdout.splitlines()[-1])


def measure(name: str) -> str:
  """Returns the row of a data set in the table."""
  with tempfile.TemporaryDirectory(dir=_FOLDER.value) as temporary:
    folder = pathlib.Path(temporary)
    WRITERS[name](folder)
    logging.info("Wrote %s.", name)
    first, second = (load_in_child(name, "ours", folder) for _ in range(2))
    cells = [
      name,
      f"{first['table_mb']:,.0f}",
      f"{first['seconds']:.1f}",
      f"{second['seconds']:.2f}",
      f"{max(first['peak_mb'], second['peak_mb']):,.0f}",
    ]
    if name in THEIRS:
      theirs = load_in_child(name, "theirs", folder)
      cells += [
        f"{theirs['seconds']:.1f}",
        f"{LOADS_PER_MODEL * theirs['seconds']:.0f}",
        f"{theirs['peak_mb']:,.0f}",
      ]
    else:
      cells += ["-"] * 3
  return f"| {' | '.join(cells)} |"


def main(argv: list[str]) -> None:
  """Prints the table."""
  if len(argv) > 1:
    raise app.UsageError(f"Unexpected arguments: {argv[1:]}.")
  if _CHILD.value:
    print(json.dumps(load(_DATASETS.value[0], _CHILD.value)))
    return
  rows = [measure(name) for name in _DATASETS.value]
  print(
    "| | table, MB | first load, s | later, s | peak, MB | dlib's way, s | x 23, s | peak, MB |"
  )
  print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
  print("\n".join(rows))


if __name__ == "__main__":
  app.run(main)
