import re
import struct
import zipfile

import h5py
import numpy as np
import pytest

from dl_condind.data.ground_truth import array_files

ROWS = np.random.RandomState(0).randint(256, size=(1000, 6), dtype=np.uint8)
WANTED = ["rows", "names"]


def layouts(path, wanted=WANTED, required="rows"):
  return array_files.read_layouts(path, wanted, required)


def read(path, name="rows"):
  return array_files.read(path, name, layouts(path)[name])


def write(path, **members):
  if path.suffix == ".npz":
    np.savez_compressed(path, **members)
  else:
    with h5py.File(path, "w") as file:
      for name, values in members.items():
        file.create_dataset(name, data=values)
  return path


@pytest.fixture(params=array_files.SUFFIXES)
def path(request, tmp_path):
  return tmp_path / f"own{request.param}"


def test_layouts_are_those_of_the_arrays_that_are_there(path):
  assert layouts(write(path, rows=ROWS, other=ROWS)) == {"rows": (np.uint8, (1000, 6))}


def test_suffix_may_have_any_case(tmp_path):
  write(tmp_path / "a.npz", rows=ROWS)
  (tmp_path / "a.npz").rename(tmp_path / "a.NPZ")
  np.testing.assert_array_equal(read(tmp_path / "a.NPZ"), ROWS)


@pytest.mark.parametrize("block_bytes", [1, 6, 601, 2**24])
@pytest.mark.parametrize("chunks", [None, (1, 6), (70, 2), (1000, 6)])
def test_blocks_are_the_array(tmp_path, monkeypatch, block_bytes, chunks):
  monkeypatch.setattr(array_files, "_BLOCK_BYTES", block_bytes)
  monkeypatch.setattr(array_files, "_MAX_BLOCK_BYTES", 900)
  path = tmp_path / "own.h5"
  with h5py.File(path, "w") as file:
    file.create_dataset("rows", data=ROWS, chunks=chunks)
  found = list(array_files.blocks(path, "rows", layouts(path)["rows"]))
  np.testing.assert_array_equal(np.concatenate(found), ROWS)
  assert max(block.nbytes for block in found) <= 900
  if chunks == (70, 2) and block_bytes > 1:
    assert [len(block) for block in found[:2]] == [70 if block_bytes < 2**24 else 150] * 2


@pytest.mark.parametrize(
  ("names", "message"),
  [
    (["row"], "it holds no rows, but row"),
    (["ROWS"], "it holds ROWS and no rows: rename it"),
    (["rows", "name"], None),
    (["rows", "Names"], "it holds Names and no names: rename it"),
    (["rows", "rows1"], None),
    (["rows", "metadata"], None),
    (["a", "b"], "it holds no rows, but a, b"),
  ],
)
def test_misspelt_names_are_told(path, names, message):
  write(path, **{name: ROWS for name in names})
  if message:
    with pytest.raises(ValueError, match=message):
      layouts(path)
  else:
    assert layouts(path).keys() == {"rows"}


def test_texts(path, tmp_path):
  texts = ["shape", "größe", ""]
  if path.suffix == ".npz":
    write(path, rows=ROWS, names=np.array(texts))
    assert array_files.read_text(path, "names", layouts(path)["names"]) == texts
    return
  for values in (np.array(texts, h5py.string_dtype()), np.array([t.encode() for t in texts])):
    write(path, rows=ROWS, names=values)
    assert array_files.read_text(path, "names", layouts(path)["names"]) == texts


@pytest.mark.parametrize("values", [np.arange(3), np.zeros((2, 2)), np.array(["x" * 5000], "S")])
def test_what_is_no_text_is_refused(path, values):
  if path.suffix == ".npz" and values.dtype.kind == "S":
    values = values.astype("U")
  write(path, rows=ROWS, names=values)
  with pytest.raises(ValueError, match=r"^names is .*, not text of up to 4096 bytes$"):
    array_files.read_text(path, "names", layouts(path)["names"])


def _declare(path, shape, content, compression=zipfile.ZIP_DEFLATED):
  """Writes an array that declares a shape and holds other content."""
  with (
    zipfile.ZipFile(path, "w", compression) as archive,
    archive.open("rows.npy", "w", force_zip64=True) as member,
  ):
    layout = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(member, layout)
    member.write(content)
  return path


def _lie_about_size(path, file_size, compress_size=None):
  """Changes the sizes that the directory of an archive gives."""
  content = bytearray(path.read_bytes())
  place = content.rindex(b"PK\x01\x02")
  if compress_size is not None:
    content[place + 20 : place + 24] = struct.pack("<I", compress_size)
  content[place + 24 : place + 28] = struct.pack("<I", file_size)
  path.write_bytes(content)
  return path


HUGE = (60_000, 256, 256)
HUGE_BYTES = 128 + 60_000 * 2**16


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_small_npz_that_declares_a_huge_array_is_refused(tmp_path, compression):
  path = _declare(tmp_path / "bomb.npz", HUGE, b"few", compression)
  with pytest.raises(ValueError, match=r"does not have the size that its shape \(60000, 256, 256"):
    layouts(path)
  _lie_about_size(path, HUGE_BYTES)
  message = f"rows declares {HUGE_BYTES} bytes, which a file of {path.stat().st_size} bytes cannot"
  with pytest.raises(ValueError, match=message):
    layouts(path)
  _lie_about_size(path, HUGE_BYTES, 2**32 - 2)
  with pytest.raises(ValueError, match=message):
    layouts(path)


def test_zeros_that_compress_well_are_no_bomb(tmp_path):
  path = write(tmp_path / "zeros.npz", rows=np.zeros((2000, 64, 64), np.uint8))
  assert path.stat().st_size < 2000 * 64 * 64 / 900
  assert not read(path).any()


@pytest.mark.parametrize("shape", [(-2, -3), (2**62, 2**62), (1.5, 4), (True, 6)])
def test_shapes_that_are_none_are_refused(tmp_path, shape):
  path = _declare(tmp_path / "a.npz", shape, b"123456")
  if shape == (-2, -3):
    assert layouts(path)["rows"][1] == shape  # For the caller to refuse.
  elif shape == (True, 6):
    assert layouts(path)["rows"][1] == (1, 6)
  else:
    with pytest.raises(ValueError, match="shape"):
      layouts(path)


def _hdf5(path, make):
  with h5py.File(path, "w") as file:
    make(file)
  return path


def _mostly_absent(file):
  file.create_dataset("rows", HUGE, np.uint8, chunks=(1, 256, 256))[5] = 1


def _large_chunk(file):
  chunk = (2**31,)
  file.create_dataset("rows", (10,), np.uint8, maxshape=(None,), chunks=chunk, compression="gzip")
  file["rows"].id.write_direct_chunk((0,), b"x" * 1000)


HDF5_BOMBS = {
  "nothing stored": lambda file: file.create_dataset("rows", (5, 5), np.uint8),
  "nothing stored in chunks": lambda file: file.create_dataset("rows", HUGE, np.uint8, chunks=True),
  "one chunk of many": _mostly_absent,
  "large chunk": _large_chunk,
}


@pytest.mark.parametrize("case", HDF5_BOMBS)
def test_small_hdf5_file_that_declares_a_huge_array_is_refused(tmp_path, case):
  path = _hdf5(tmp_path / "bomb.h5", HDF5_BOMBS[case])
  assert path.stat().st_size < 10**6
  with pytest.raises(ValueError, match=r"^rows declares \d+ bytes, of which a file of \d+ bytes s"):
    layouts(path)


def test_array_without_rows_is_no_bomb(path):
  assert layouts(write(path, rows=ROWS[:0])) == {"rows": (np.uint8, (0, 6))}


def _virtual(file):
  layout = h5py.VirtualLayout((1000, 6), np.uint8)
  layout[:] = h5py.VirtualSource("other.h5", "rows", (1000, 6))
  file.create_virtual_dataset("rows", layout)


def _link_to_link(file):
  file["folder"] = h5py.ExternalLink("other.h5", "/")
  file["rows"] = h5py.SoftLink("/folder/rows")


ELSEWHERE = {
  "link": (
    lambda file: file.__setitem__("rows", h5py.ExternalLink("other.h5", "rows")),
    "rows is a link to another file",
  ),
  "link to link": (_link_to_link, "rows is a link to another file"),
  "virtual": (_virtual, "the data of rows are in other files"),
  "external": (
    lambda file: file.create_dataset("rows", (5, 5), np.uint8, external=[("other.h5", 0, 25)]),
    "the data of rows are in other files",
  ),
  "group": (lambda file: file.create_group("rows"), "rows is not an array"),
  "null": (lambda file: file.create_dataset("rows", data=h5py.Empty("u1")), "rows is empty"),
}


@pytest.mark.parametrize("case", ELSEWHERE)
def test_data_in_other_files_are_refused(tmp_path, case):
  write(tmp_path / "other.h5", rows=ROWS)
  make, message = ELSEWHERE[case]
  with pytest.raises(ValueError, match=re.escape(message)):
    layouts(_hdf5(tmp_path / "own.h5", make))


def test_link_to_nowhere_is_an_error(tmp_path):
  path = write(tmp_path / "own.h5", rows=ROWS)
  with h5py.File(path, "a") as file:
    file["names"] = h5py.SoftLink("/nowhere")
  with pytest.raises(KeyError, match="component not found"):
    layouts(path)


def test_link_within_the_file_is_followed(tmp_path):
  path = write(tmp_path / "own.h5", images=ROWS)
  with h5py.File(path, "a") as file:
    file["rows"] = h5py.SoftLink("/images")
  np.testing.assert_array_equal(read(path), ROWS)
