"""Files in the official formats with synthetic content, written in seconds.

They have the official names, sizes and factors. The images are coarse random patterns, so nothing
that is learned from them means anything.
"""

from collections.abc import Iterator
import pathlib
import struct
import zipfile

import h5py
import numpy as np
import scipy.io

from dl_condind.data.ground_truth import cars3d
from dl_condind.data.ground_truth import dsprites
from dl_condind.data.ground_truth import dsprites_renderer
from dl_condind.data.ground_truth import norb

_BLOCK = 3000  # images


def patterns(num: int, size: int, channels: int, seed: int) -> np.ndarray:
  """Returns images of 8 x 8 squares of random shades, uint8 `[num, size, size, channels]`."""
  shades = np.random.RandomState(seed).randint(256, size=(num, 8, 8, channels), dtype=np.uint8)
  return shades.repeat(size // 8, axis=1).repeat(size // 8, axis=2)


def _blocks(num: int, size: int, channels: int) -> Iterator[np.ndarray]:
  for start in range(0, num, _BLOCK):
    yield patterns(min(_BLOCK, num - start), size, channels, seed=start)


def _write_norb_matrix(path: str, magic: int, shape: tuple[int, ...], blocks) -> None:
  dims = [*shape, *[1] * (3 - len(shape))]
  with open(path, "wb") as file:
    file.write(struct.pack(f"<Ii{len(dims)}i", magic, len(shape), *dims))
    for block in blocks:
      file.write(np.ascontiguousarray(block))


def write_smallnorb(folder: pathlib.Path) -> None:
  """Writes both splits, raw: 0.9 GB."""
  folder = folder / norb.FOLDER
  folder.mkdir(parents=True)
  for split in norb.SPLITS:
    grid = np.meshgrid(split.instances, range(9), range(0, 36, 2), range(6), indexing="ij")
    info = np.stack(grid, axis=-1).reshape(-1, 4).repeat(5, axis=0)
    category = np.tile(np.arange(5), split.num_rows // 5)
    stem, num = folder / split.stem, split.num_rows
    _write_norb_matrix(f"{stem}-cat.mat", 0x1E3D4C54, (num,), [category.astype("<i4")])
    _write_norb_matrix(f"{stem}-info.mat", 0x1E3D4C54, (num, 4), [info.astype("<i4")])
    pairs = (block.transpose(0, 3, 1, 2) for block in _blocks(num, 96, 2))
    _write_norb_matrix(f"{stem}-dat.mat", 0x1E3D4C55, (num, 2, 96, 96), pairs)


def write_cars3d(folder: pathlib.Path, num_objects: int = cars3d.NUM_OBJECTS) -> None:
  """Writes cars and their list, compressed."""
  folder = folder / cars3d.FOLDER
  folder.mkdir(parents=True)
  names = [f"car_{number:03}_mesh" for number in range(1, num_objects + 1)]
  for seed, name in enumerate(names):
    views = patterns(cars3d.NUM_VIEWS, 128, 3, seed).reshape(24, 4, 128, 128, 3)
    content = {"im": views.transpose(2, 3, 4, 0, 1), "mask": np.zeros((128, 128, 24, 4), np.uint8)}
    scipy.io.savemat(folder / f"{name}.mat", content, do_compression=True)
  (folder / "list.txt").write_text("".join(f"{name}\n" for name in names))


def write_shapes3d(folder: pathlib.Path, factor_sizes: tuple[int, ...]) -> None:
  """Writes the images of all combinations of factors, compressed."""
  folder = folder / "3dshapes"
  folder.mkdir(parents=True)
  num_rows = int(np.prod(factor_sizes))
  with h5py.File(folder / "3dshapes.h5", "w") as file:
    shape = (num_rows, 64, 64, 3)
    chunks = (min(100, num_rows), 64, 64, 3)
    images = file.create_dataset("images", shape, "u1", chunks=chunks, compression="gzip")
    for start, block in enumerate(_blocks(num_rows, 64, 3)):
      images[start * _BLOCK : start * _BLOCK + len(block)] = block
    values = [np.linspace(0, 1, size) for size in factor_sizes]
    labels = np.stack(np.meshgrid(*values, indexing="ij"), axis=-1).reshape(-1, len(factor_sizes))
    file.create_dataset("labels", data=labels)


def _write_npz(path: pathlib.Path, name: str, shape: tuple[int, ...], blocks) -> None:
  with (
    zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
    archive.open(f"{name}.npy", "w", force_zip64=True) as member,
  ):
    layout = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(member, layout)
    for block in blocks:
      member.write(np.ascontiguousarray(block))


def write_mpi3d(folder: pathlib.Path, variant: str, num_rows: int) -> None:
  """Writes images, compressed."""
  (folder / variant).mkdir(parents=True)
  blocks = _blocks(num_rows, 64, 3)
  _write_npz(folder / variant / f"{variant}.npz", "images", (num_rows, 64, 64, 3), blocks)


def write_dsprites(folder: pathlib.Path) -> None:
  """Writes the rendered images in the layout of the official npz, without its metadata."""
  (folder / dsprites.FOLDER).mkdir(parents=True)
  blocks = (
    np.unpackbits(chunk, axis=1).reshape(-1, 64, 64) for chunk in dsprites_renderer.render()
  )
  shape = (dsprites.NUM_ROWS, 64, 64)
  _write_npz(folder / dsprites.FOLDER / dsprites.OFFICIAL_NPZ, "imgs", shape, blocks)
