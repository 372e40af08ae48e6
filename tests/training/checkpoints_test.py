import contextlib
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from dl_condind.training import checkpoints
from dl_condind.utils import errors
from dl_condind.utils import files


@pytest.fixture
def directory(tmp_path):
  return tmp_path / "tf_checkpoint"


def checkpoint_of(value, size=3):
  """Returns a checkpoint of a variable that is full of value."""
  return tf.train.Checkpoint(weights=tf.Variable(np.full(size, value, np.float32)))


def save(value, directory, step, size=3):
  checkpoints.save(checkpoint_of(value, size), directory, step)


def restored(directory, size=3):
  """Returns the step and the value of the newest checkpoint."""
  checkpoint = checkpoint_of(-1.0, size)
  step = checkpoints.restore_newest(checkpoint, directory)
  (value,) = np.unique(checkpoint.weights.numpy())
  return step, value


def names(directory):
  return sorted(path.name for path in directory.iterdir())


def damage(folder):
  data = folder / "checkpoint.data-00000-of-00001"
  content = bytearray(data.read_bytes())
  content[0] ^= 1
  data.write_bytes(content)


@contextlib.contextmanager
def small_disk(path, size):
  """Mounts a file system of a given size at path, where that is allowed."""
  path.mkdir()
  command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path)]
  try:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
  except FileNotFoundError:
    pytest.skip("no mount program")
  if done.returncode:
    pytest.skip(f"cannot mount a tmpfs: {done.stderr.strip()}")
  try:
    yield
  finally:
    subprocess.run(["umount", str(path)], check=True)


def test_nothing_to_restore_is_step_0(directory):
  assert restored(directory) == (0, -1.0)
  directory.mkdir()
  assert restored(directory) == (0, -1.0)


def test_the_newest_two_are_kept_and_the_newest_is_restored(directory):
  # Steps whose order as text is not their order as numbers once they outgrow nine digits.
  for step in (5, 999_999_999, 1_000_000_000):
    save(step % 10, directory, step)
  assert names(directory) == ["step_1000000000", "step_999999999"]
  assert restored(directory) == (1_000_000_000, 0.0)


def test_a_checkpoint_of_the_same_step_is_replaced(directory):
  save(1.0, directory, 5)
  save(2.0, directory, 5)
  assert names(directory) == ["step_000000005"]
  assert restored(directory) == (5, 2.0)


def test_a_damaged_checkpoint_is_passed_over(directory):
  save(1.0, directory, 5)
  save(2.0, directory, 6)
  damage(directory / "step_000000006")
  assert restored(directory) == (5, 1.0)
  (directory / "step_000000005" / "checkpoint.index").unlink()
  assert restored(directory) == (0, -1.0)


def test_what_is_no_checkpoint_is_left_alone(directory):
  save(1.0, directory, 5)
  (directory / "step_best").mkdir()
  (directory / "notes.txt").write_text("mine")
  save(2.0, directory, 6)
  save(3.0, directory, 7)
  assert restored(directory) == (7, 3.0)
  assert names(directory) == ["notes.txt", "step_000000006", "step_000000007", "step_best"]


IS_KILLED = """
import os, pathlib, signal, sys
from dl_condind.utils import files
with files.atomic_directory(pathlib.Path(sys.argv[1])) as temporary:
  (temporary / "checkpoint.data-00000-of-00001").write_bytes(b"half")
  os.kill(os.getpid(), signal.SIGKILL)
"""


def test_leftovers_of_a_killed_process_are_removed(directory):
  save(1.0, directory, 5)
  subprocess.run([sys.executable, "-c", IS_KILLED, directory / "step_000000006"], check=False)
  assert len(names(directory)) == 2
  assert restored(directory) == (5, 1.0)
  assert names(directory) == ["step_000000005"]


def test_weights_of_another_model_are_not_half_restored(directory):
  save(1.0, directory, 5)
  other = tf.train.Checkpoint(weights=tf.Variable(0.0), bias=tf.Variable(0.0))
  message = r"step_000000005 fits its manifest but not the model .*: restore it, or start the run"
  with pytest.raises(errors.DatasetError, match=message) as caught:
    checkpoints.restore_newest(other, directory)
  assert "\n" not in str(caught.value)


def write_manifest(folder):
  """Makes a damaged folder fit its manifest."""
  digests = {path.name: files.sha256(path) for path in folder.iterdir()}
  del digests[files.MANIFEST]
  files.write_json(folder / files.MANIFEST, digests)


MUTATIONS = [
  *(("checkpoint.index", "flip", position) for position in range(0, 180, 12)),
  *(("checkpoint.index", "cut", size) for size in (0, 1, 60, 150)),
  *(("checkpoint.data-00000-of-00001", "cut", size) for size in (0, 1, 10)),
  *(("checkpoint.data-00000-of-00001", "flip", position) for position in (0, 11, 40)),
]


def mutate(path, how, number):
  content = bytearray(path.read_bytes())
  if how == "cut":
    content = content[:number]
  else:
    content[number] ^= 4
  path.write_bytes(content)


@pytest.mark.parametrize(("name", "how", "number"), MUTATIONS)
def test_damage_that_fits_the_manifest_is_passed_over(directory, name, how, number):
  save(1.0, directory, 5)
  save(2.0, directory, 6)
  newest = directory / "step_000000006"
  mutate(newest / name, how, number)
  write_manifest(newest)
  assert restored(directory) in ((5, 1.0), (6, 2.0))  # A flipped bit may mean nothing.
  if how == "cut" or name.startswith("checkpoint.data"):
    assert restored(directory) == (5, 1.0)


def test_without_another_checkpoint_damage_is_one_line(directory):
  save(1.0, directory, 5)
  mutate(directory / "step_000000005" / "checkpoint.data-00000-of-00001", "cut", 3)
  write_manifest(directory / "step_000000005")
  with pytest.raises(errors.DatasetError, match="start the run anew with overwrite=True") as caught:
    restored(directory)
  assert "\n" not in str(caught.value)


def test_a_checkpoint_under_another_name_is_passed_over(directory):
  save(1.0, directory, 5)
  (directory / "step_000000005").rename(directory / "step_000000009")
  save(2.0, directory, 6)
  assert restored(directory) == (6, 2.0)


@pytest.mark.parametrize("content", [b"", b"\xff", b"5", b"05\n", b"9" * 5000])
def test_a_damaged_step_is_passed_over(directory, content):
  save(1.0, directory, 5)
  save(2.0, directory, 6)
  (directory / "step_000000006" / "step").write_bytes(content)
  write_manifest(directory / "step_000000006")
  assert restored(directory) == (5, 1.0)


def test_a_checkpoint_without_its_step_is_refused(directory):
  save(1.0, directory, 5)
  (directory / "step_000000005" / "step").unlink()
  write_manifest(directory / "step_000000005")
  with pytest.raises(errors.ConfigError, match="of an earlier version, which did not note the ste"):
    restored(directory)


def test_a_full_disk_leaves_the_earlier_checkpoint(tmp_path):
  disk = tmp_path / "disk"
  with small_disk(disk, "3m"):
    directory = disk / "run" / "tf_checkpoint"
    save(1.0, directory, 5, size=500_000)  # 2 MB
    with pytest.raises(errors.TryAgainError, match="No space left to write") as caught:
      save(2.0, directory, 6, size=500_000)
    assert "\n" not in str(caught.value)
    assert names(directory) == ["step_000000005"]
    files.verify_manifest(directory / "step_000000005")
    assert restored(directory, size=500_000) == (5, 1.0)


def test_a_path_below_a_file_is_refused(tmp_path):
  (tmp_path / "file").write_text("")
  with pytest.raises(errors.ConfigError, match=r"Cannot write .*file.*Not a directory"):
    save(1.0, pathlib.Path(tmp_path / "file" / "tf_checkpoint"), 5)
