import errno
import fcntl
import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest

from dl_condind.data.ground_truth import table_cache
from dl_condind.utils import errors

TABLE = np.random.RandomState(0).randint(256, size=(50, 7), dtype=np.uint8)
SHA256 = hashlib.sha256(TABLE).hexdigest()


class Maker:
  """Makes the table in two chunks and counts how often it did."""

  def __init__(self):
    self.count = 0

  def __call__(self):
    self.count += 1
    yield TABLE[:20]
    yield TABLE[20:]


@pytest.mark.parametrize("sha256", [None, SHA256])
def test_table_is_made_once_then_mapped(tmp_path, sha256):
  path = tmp_path / "data" / "table.npy"
  maker = Maker()
  for _ in range(2):
    table = table_cache.cached(path, maker, TABLE.shape, sha256)
    assert isinstance(table, np.memmap)
    assert not table.flags.writeable
    np.testing.assert_array_equal(table, TABLE)
  assert maker.count == 1
  np.testing.assert_array_equal(np.load(path), TABLE)


def _flip_last_bit(path):
  content = bytearray(path.read_bytes())
  content[-1] ^= 1
  path.write_bytes(content)


def _flip_header_bit(path):
  content = bytearray(path.read_bytes())
  content[20] ^= 1
  path.write_bytes(content)


def _truncate(path):
  os.truncate(path, path.stat().st_size - 1)


def _append(path):
  path.write_bytes(path.read_bytes() + b"x")


def _empty(path):
  path.write_bytes(b"")


@pytest.mark.parametrize("damage", [_flip_last_bit, _flip_header_bit, _truncate, _append, _empty])
@pytest.mark.parametrize("sha256", [None, SHA256])
def test_damaged_cache_is_made_again(tmp_path, caplog, damage, sha256):
  path = tmp_path / "table.npy"
  maker = Maker()
  table_cache.cached(path, maker, TABLE.shape, sha256)
  damage(path)
  table = table_cache.cached(path, maker, TABLE.shape, sha256)
  np.testing.assert_array_equal(table, TABLE)
  np.testing.assert_array_equal(np.load(path), TABLE)
  assert maker.count == 2
  assert f"{path} is damaged" in caplog.text


@pytest.mark.parametrize("content", [None, b"", b"\xff\x00", b"0" * 64])
def test_cache_without_its_checksum_is_made_again(tmp_path, content):
  path = tmp_path / "table.npy"
  maker = Maker()
  table_cache.cached(path, maker, TABLE.shape)
  checksum = tmp_path / "table.npy.sha256"
  assert checksum.read_text() == f"{SHA256}\n"
  if content is None:
    checksum.unlink()
  else:
    checksum.write_bytes(content)
  np.testing.assert_array_equal(table_cache.cached(path, maker, TABLE.shape), TABLE)
  assert maker.count == 2
  assert checksum.read_text() == f"{SHA256}\n"


def test_table_with_another_checksum_is_refused_and_not_kept(tmp_path):
  with pytest.raises(errors.DatasetError, match=f"SHA-256 {SHA256} instead of 1234"):
    table_cache.cached(tmp_path / "table.npy", Maker(), TABLE.shape, "1234")
  assert list(tmp_path.glob("*.npy*")) == list(tmp_path.glob(".*.tmp")) == []


def test_failure_leaves_nothing(tmp_path):
  def fail():
    yield TABLE[:20]
    raise errors.DatasetError("broken")

  with pytest.raises(errors.DatasetError, match="broken"):
    table_cache.cached(tmp_path / "table.npy", fail, TABLE.shape)
  assert list(tmp_path.glob("*.npy*")) == list(tmp_path.glob(".*.tmp")) == []


def test_without_a_folder_to_write_to_the_table_stays_in_memory(tmp_path, caplog):
  (tmp_path / "file").write_text("in the way")
  table = table_cache.cached(tmp_path / "file" / "table.npy", Maker(), TABLE.shape, SHA256)
  np.testing.assert_array_equal(table, TABLE)
  assert "in memory: Cannot write" in caplog.text


def test_on_a_disk_without_locks_the_table_stays_in_memory(tmp_path, caplog, monkeypatch):
  def refuse(file, operation):
    raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

  monkeypatch.setattr(fcntl, "flock", refuse)
  table = table_cache.cached(tmp_path / "table.npy", Maker(), TABLE.shape, SHA256)
  np.testing.assert_array_equal(table, TABLE)
  assert "in memory: " in caplog.text and "is on a disk without locks" in caplog.text


def test_read_only_folder_keeps_the_table_in_memory(tmp_path, caplog):
  tmp_path.chmod(0o500)
  if os.access(tmp_path, os.W_OK):
    pytest.skip("this user may write everywhere")
  table = table_cache.cached(tmp_path / "table.npy", Maker(), TABLE.shape)
  tmp_path.chmod(0o700)
  np.testing.assert_array_equal(table, TABLE)
  assert "in memory: Cannot write" in caplog.text


def test_table_in_memory_is_checked_too(tmp_path):
  (tmp_path / "file").write_text("in the way")
  with pytest.raises(errors.DatasetError, match="instead of 1234"):
    table_cache.cached(tmp_path / "file" / "table.npy", Maker(), TABLE.shape, "1234")


def test_processes_that_start_together_make_the_table_once(tmp_path):
  program = f"""
import pathlib, time
import numpy as np
from dl_condind.data.ground_truth import table_cache

def chunks():
  with open({str(tmp_path / "made")!r}, "a") as file:
    file.write("once\\n")
  time.sleep(1)  # So that the other process comes while the table is being made.
  yield np.ones((3, 2), np.uint8)

table = table_cache.cached(pathlib.Path({str(tmp_path / "table.npy")!r}), chunks, (3, 2))
assert table.sum() == 6
"""
  processes = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(2)]
  assert [process.wait(timeout=60) for process in processes] == [0, 0]
  assert (tmp_path / "made").read_text() == "once\n"
