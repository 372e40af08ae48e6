import gzip
import hashlib
import json
import os
import pathlib
import zipfile

import h5py
import numpy as np
import pytest

from dl_condind.data import reading
from dl_condind.data import sources
from dl_condind.utils import errors
from dl_condind.utils import files

ROWS = np.random.RandomState(0).randint(256, size=(10, 3, 2), dtype=np.uint8)


def test_data_folder_is_read_when_asked_for(monkeypatch):
  monkeypatch.setenv("DISENTANGLEMENT_LIB_DATA", "/some/where")
  assert reading.data_folder() == pathlib.Path("/some/where")
  monkeypatch.setenv("DISENTANGLEMENT_LIB_DATA", "")
  assert reading.data_folder() == pathlib.Path(".")
  monkeypatch.delenv("DISENTANGLEMENT_LIB_DATA")
  assert reading.data_folder() == pathlib.Path(".")


def test_data_folder_that_is_a_file_is_refused(monkeypatch, tmp_path):
  (tmp_path / "file").write_text("")
  monkeypatch.setenv("DISENTANGLEMENT_LIB_DATA", str(tmp_path / "file"))
  match = r"^DISENTANGLEMENT_LIB_DATA is \S+/file, which is a file, not a folder: set it to the"
  with pytest.raises(errors.DatasetError, match=match):
    reading.data_folder()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_data_folder_that_may_not_be_read_is_refused(monkeypatch, tmp_path):
  (tmp_path / "folder").mkdir(mode=0)
  monkeypatch.setenv("DISENTANGLEMENT_LIB_DATA", str(tmp_path / "folder"))
  with pytest.raises(errors.DatasetError, match=r"/folder, which may not be read: set it to the"):
    reading.data_folder()


@pytest.mark.parametrize(
  "error",
  [
    KeyError("im"),
    MemoryError(),
    NotImplementedError("v7.3"),
    ValueError("two\nlines"),
    EOFError(),
  ],
)
def test_any_error_becomes_one_line(error):
  with (
    pytest.raises(errors.DatasetError, match=r"^/a is damaged or not a car \(.+\): fetch it\.$"),
    reading.clear_errors("/a", "a car", "fetch it"),
  ):
    raise error


def test_errors_that_are_clear_and_interruptions_pass():
  for error in (errors.ConfigError("x"), errors.TryAgainError("x"), KeyboardInterrupt()):
    with pytest.raises(type(error)), reading.clear_errors("/a", "a car", "fetch it"):
      raise error


def _unset(monkeypatch, folder):
  monkeypatch.delenv("DISENTANGLEMENT_LIB_DATA")
  monkeypatch.chdir(folder)


def _absent(monkeypatch, folder):
  monkeypatch.setenv("DISENTANGLEMENT_LIB_DATA", str(folder / "absent"))


@pytest.mark.parametrize(
  ("change", "why"),
  [
    (lambda *_: None, ""),
    (_unset, r" \(DISENTANGLEMENT_LIB_DATA is not set\)"),
    (_absent, r" \(DISENTANGLEMENT_LIB_DATA is \S+/absent, which does not exist\)"),
  ],
)
def test_a_missing_file_says_where_it_belongs(monkeypatch, tmp_path, change, why):
  monkeypatch.setenv("DISENTANGLEMENT_LIB_DATA", str(tmp_path))
  change(monkeypatch, tmp_path)
  match = rf"a\.mat is missing{why}: put it there, .*dl_condind_download_data --datasets=cars3d\.$"
  with pytest.raises(errors.DatasetError, match=match):
    reading.find(reading.data_folder() / "cars", ["a.mat", "a.mat.gz"], "cars3d")


def test_the_first_name_that_is_there_is_found(tmp_path):
  (tmp_path / "b").write_text("")
  assert reading.find(tmp_path, ["a", "b"], "cars3d") == tmp_path / "b"
  (tmp_path / "a").write_text("")
  assert reading.find(tmp_path, ["a", "b"], "cars3d") == tmp_path / "a"


def test_a_name_that_cannot_be_looked_up_is_refused(tmp_path):
  with pytest.raises(errors.DatasetError, match=r"Cannot read .*\(File name too long\): change"):
    reading.find(tmp_path, ["a" * 300], "cars3d")


def test_digest_is_computed_once_until_the_file_changes(tmp_path, monkeypatch):
  path = tmp_path / "a"
  path.write_bytes(b"one")
  assert reading.sha256(path) == hashlib.sha256(b"one").hexdigest()
  assert reading.digest(path, "md5", start=1) == hashlib.md5(b"ne").hexdigest()
  with monkeypatch.context() as patch:
    patch.setattr(files, "digest", None)  # Not called.
    assert reading.sha256(path) == hashlib.sha256(b"one").hexdigest()
  path.write_bytes(b"two")
  os.utime(path, ns=(0, 0))
  assert reading.sha256(path) == hashlib.sha256(b"two").hexdigest()


def test_a_file_is_official_by_its_checksum(tmp_path, monkeypatch):
  path = tmp_path / "3dshapes" / "3dshapes.h5"
  path.parent.mkdir()
  path.write_bytes(b"one")
  assert not reading.is_official(path)
  monkeypatch.setitem(
    sources.CHECKSUMS, "3dshapes/3dshapes.h5", f"md5:{hashlib.md5(b'one').hexdigest()}"
  )
  assert reading.is_official(path)
  assert not reading.is_official(tmp_path / "3dshapes" / "other.h5")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"sha256 0 a": 3}', "\xff"])
def test_damaged_notes_are_written_anew(tmp_path, content):
  path = tmp_path / "a"
  path.write_bytes(b"one")
  (tmp_path / ".checksums.json").write_text(content, encoding="latin-1")
  assert reading.sha256(path) == hashlib.sha256(b"one").hexdigest()
  assert len(json.loads((tmp_path / ".checksums.json").read_text())["sha256 0 a"]) == 4


def test_plain_and_compressed_files_are_opened(tmp_path):
  (tmp_path / "a").write_bytes(b"bytes")
  (tmp_path / "a.gz").write_bytes(gzip.compress(b"bytes"))
  for name in ("a", "a.gz"):
    with reading.open_plain(tmp_path / name) as file:
      assert reading.exactly(file, 4, "a") == b"byte"
      with pytest.raises(ValueError, match="a ends too early"):
        reading.exactly(file, 2, "a")


@pytest.mark.parametrize("rows_per_block", [3, 5, 10, 100])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_is_read_in_blocks(tmp_path, save, rows_per_block):
  save(tmp_path / "a.npz", images=ROWS, other=np.array([print], object))
  blocks = list(reading.npz_rows(tmp_path / "a.npz", "images", "uint8", ROWS.shape, rows_per_block))
  np.testing.assert_array_equal(np.concatenate(blocks), ROWS)
  assert max(map(len, blocks)) == min(rows_per_block, 10)


def test_npz_bomb_is_refused_before_it_is_read(tmp_path):
  path = tmp_path / "a.npz"
  with zipfile.ZipFile(path, "w") as archive, archive.open("images.npy", "w") as member:
    header = {"descr": "|u1", "fortran_order": False, "shape": (2**40, 2**40)}
    np.lib.format.write_array_header_1_0(member, header)
  with (
    pytest.raises(ValueError, match="does not have the size that its shape"),
    reading.npz_member(path, "images"),
  ):
    pass


@pytest.mark.parametrize("rows_per_block", [3, 100])
def test_hdf5_is_read_in_blocks(tmp_path, rows_per_block):
  with h5py.File(tmp_path / "a.h5", "w") as file:
    file.create_dataset("images", data=ROWS, compression="gzip")
  blocks = reading.hdf5_rows(tmp_path / "a.h5", "images", "uint8", ROWS.shape, rows_per_block)
  np.testing.assert_array_equal(np.concatenate(list(blocks)), ROWS)


def _external_link(path):
  with h5py.File(path, "w") as file:
    file["images"] = h5py.ExternalLink("/etc/passwd", "/images")


def _external_data(path):
  with h5py.File(path, "w") as file:
    file.create_dataset("images", (10,), "u1", external=[("/etc/passwd", 0, 10)])


def _virtual(path):
  layout = h5py.VirtualLayout((10,), "u1")
  layout[:] = h5py.VirtualSource("/tmp/other.h5", "images", (10,))
  with h5py.File(path, "w") as file:
    file.create_virtual_dataset("images", layout)


@pytest.mark.parametrize("write", [_external_link, _external_data, _virtual])
def test_hdf5_that_points_elsewhere_is_refused(tmp_path, write):
  write(tmp_path / "a.h5")
  with (
    h5py.File(tmp_path / "a.h5") as file,
    pytest.raises(ValueError, match="other file"),
  ):
    reading.hdf5_array(file, "images")
