import contextlib
import errno
import hashlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys

import pytest

from dl_condind.utils import errors
from dl_condind.utils import files


def tree(folder: pathlib.Path) -> dict[str, str]:
  return {
    str(path.relative_to(folder)): path.read_text()
    for path in sorted(folder.rglob("*"))
    if path.is_file()
  }


def start(code: str, *arguments: object) -> subprocess.Popen:
  """Starts a Python process and waits for its first line of output."""
  code = f"import pathlib, sys, time\nfrom dl_condind.utils import files\n{code}"
  command = [sys.executable, "-c", code, *map(str, arguments)]
  process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
  assert process.stdout.readline() == "ready\n"
  return process


@contextlib.contextmanager
def killed_afterwards(process: subprocess.Popen):
  try:
    yield process
  finally:
    process.kill()
    process.communicate()


def test_a_disk_that_fills_up_while_a_folder_is_copied_can_be_tried_again(tmp_path):
  reason = "[Errno 28] No space left on device"
  with pytest.raises(errors.TryAgainError), files.clear_write_errors(tmp_path):
    raise shutil.Error([("a", "b", reason)])
  with pytest.raises(shutil.Error), files.clear_write_errors(tmp_path):
    raise shutil.Error([("a", "b", "[Errno 5] Input/output error")])


def test_sha256(tmp_path):
  path = tmp_path / "a"
  path.write_bytes(b"abc" * 100_000)
  assert files.sha256(path) == hashlib.sha256(b"abc" * 100_000).hexdigest()


def test_atomic_file_appears_at_the_end(tmp_path):
  path = tmp_path / "new" / "a.txt"
  with files.atomic_file(path) as temporary:
    temporary.write_text("x")
    assert not path.exists()
  assert tree(tmp_path) == {"new/a.txt": "x"}
  assert path.stat().st_mode & 0o777 == 0o644


def test_atomic_file_keeps_the_old_one_after_an_exception(tmp_path):
  path = tmp_path / "a.txt"
  path.write_text("old")
  with pytest.raises(ZeroDivisionError), files.atomic_file(path) as temporary:
    temporary.write_text("half")
    raise ZeroDivisionError
  assert tree(tmp_path) == {"a.txt": "old"}


@pytest.fixture
def disk_log(monkeypatch):
  """A list of what is forced to the disk and of what gets its name, in order."""
  log, fsync, replace = [], os.fsync, os.replace

  def logged_fsync(descriptor):
    log.append(("fsync", os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}"))))
    fsync(descriptor)

  def logged_replace(source, target):
    log.append(("replace", os.path.basename(target)))
    replace(source, target)

  monkeypatch.setattr(os, "fsync", logged_fsync)
  monkeypatch.setattr(os, "replace", logged_replace)
  return log


def test_atomic_file_is_on_the_disk_before_it_has_its_name(tmp_path, disk_log):
  files.write_text(tmp_path / "folder" / "a.txt", "1")
  assert disk_log == [("fsync", "new"), ("replace", "a.txt"), ("fsync", "folder")]


def test_atomic_directory_is_on_the_disk_before_it_has_its_name(tmp_path, disk_log):
  with files.atomic_directory(tmp_path / "results") as temporary:
    (temporary / "a").write_text("1")
  named = next(i for i, (action, name) in enumerate(disk_log) if name == "results")
  before = [name for action, name in disk_log[:named] if action == "fsync"]
  assert {"a", files.MANIFEST, "new"} <= set(before)
  assert disk_log[named + 1 :] == [("fsync", tmp_path.name)]


def test_write_json(tmp_path):
  files.write_json(tmp_path / "a.json", {"b": [1.5, None], "a": "é"})
  assert json.loads((tmp_path / "a.json").read_text()) == {"b": [1.5, None], "a": "é"}
  with pytest.raises(ValueError, match="Out of range float values are not JSON compliant"):
    files.write_json(tmp_path / "a.json", {"a": float("nan")})
  assert json.loads((tmp_path / "a.json").read_text())["a"] == "é"


def test_atomic_directory_replaces_as_a_whole(tmp_path):
  path = tmp_path / "results"
  with files.atomic_directory(path) as temporary:
    (temporary / "sub").mkdir()
    (temporary / "sub" / "a").write_text("1")
    (temporary / "b").write_text("2")
    assert not path.exists()
  files.verify_manifest(path)
  digest = files.manifest_digest(path)
  assert sorted(json.loads((path / files.MANIFEST).read_text())) == ["b", "sub/a"]
  with files.atomic_directory(path) as temporary:
    (temporary / "b").write_text("3")
    assert (path / "b").read_text() == "2"
  files.verify_manifest(path)
  assert sorted(tree(tmp_path)) == ["results/b", "results/manifest.json"]
  assert files.manifest_digest(path) != digest
  assert path.stat().st_mode & 0o777 == 0o755


def test_atomic_directory_keeps_the_old_one_after_an_exception(tmp_path):
  path = tmp_path / "results"
  with files.atomic_directory(path) as temporary:
    (temporary / "a").write_text("old")
  with pytest.raises(ZeroDivisionError), files.atomic_directory(path) as temporary:
    (temporary / "a").write_text("half")
    raise ZeroDivisionError
  assert os.listdir(tmp_path) == ["results"]
  assert (path / "a").read_text() == "old"
  files.verify_manifest(path)


def test_atomic_directory_ignores_a_manifest_that_was_copied_in(tmp_path):
  with files.atomic_directory(tmp_path / "results") as temporary:
    (temporary / files.MANIFEST).write_text("{}")
    (temporary / "a").write_text("1")
  files.verify_manifest(tmp_path / "results")


def test_atomic_directory_writes_through_a_link(tmp_path):
  (tmp_path / "disk").mkdir()
  (tmp_path / "model").symlink_to("disk")
  with files.atomic_directory(tmp_path / "model") as temporary:
    (temporary / "a").write_text("1")
  assert (tmp_path / "model").is_symlink()
  assert (tmp_path / "disk" / "a").read_text() == "1"


def test_atomic_directory_does_not_replace_a_file(tmp_path):
  path = tmp_path / "results"
  path.write_text("mine")
  with (
    pytest.raises(errors.ConfigError, match=r"Cannot write .*results \(Not a directory\)"),
    files.atomic_directory(path),
  ):
    pass
  assert tree(tmp_path) == {"results": "mine"}


KILLED_IN_FILE = """
with files.atomic_file(sys.argv[1]) as temporary:
  temporary.write_text("half")
  print("ready", flush=True)
  time.sleep(60)
"""
KILLED_IN_DIRECTORY = """
with files.atomic_directory(sys.argv[1]) as temporary:
  (temporary / "a").write_text("half")
  print("ready", flush=True)
  time.sleep(60)
"""
WRITES_FOR_EVER = """
for i in range(10**9):
  with files.atomic_directory(sys.argv[1]) as temporary:
    for name in "abcd":
      (temporary / name).write_text(str(i))
  if i == 0:
    print("ready", flush=True)
"""


@pytest.mark.parametrize("exists", [False, True])
def test_killed_writer_of_a_file(tmp_path, exists):
  path = tmp_path / "a.txt"
  if exists:
    path.write_text("old")
  with killed_afterwards(start(KILLED_IN_FILE, path)) as process:
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
  assert path.exists() == exists
  assert not exists or path.read_text() == "old"
  assert len(os.listdir(tmp_path)) == 1 + exists
  files.write_text(path, "new")
  assert tree(tmp_path) == {"a.txt": "new"} and os.listdir(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("exists", [False, True])
def test_killed_writer_of_a_directory(tmp_path, exists):
  path = tmp_path / "results"
  if exists:
    with files.atomic_directory(path) as temporary:
      (temporary / "a").write_text("old")
  with killed_afterwards(start(KILLED_IN_DIRECTORY, path)) as process:
    process.send_signal(signal.SIGKILL)
    process.wait()
  assert path.exists() == exists
  if exists:
    files.verify_manifest(path)
    assert (path / "a").read_text() == "old"
  assert len(os.listdir(tmp_path)) == 1 + exists
  with files.atomic_directory(path) as temporary:
    (temporary / "a").write_text("new")
  assert (path / "a").read_text() == "new"
  assert os.listdir(tmp_path) == ["results"]


def test_killed_at_any_instant(tmp_path):
  path = tmp_path / "results"
  num_found = 0
  for kill in range(5):
    process = start(WRITES_FOR_EVER, path)
    with killed_afterwards(process), contextlib.suppress(subprocess.TimeoutExpired):
      process.wait(timeout=0.05 + 0.013 * kill)
    if path.exists():
      num_found += 1
      files.verify_manifest(path)
      assert len({(path / name).read_text() for name in "abcd"}) == 1
  assert num_found >= 3  # It may be away only between two renames.
  write_directory(path)
  assert os.listdir(tmp_path) == ["results"]


@pytest.mark.parametrize("command", ["write", "remove", "lock"])
def test_leftovers_of_others_in_the_same_folder_are_removed(tmp_path, command):
  with (
    killed_afterwards(start(KILLED_IN_FILE, tmp_path / "gone")),
    killed_afterwards(start(KILLED_IN_DIRECTORY, tmp_path / "gone")),
  ):
    assert len(os.listdir(tmp_path)) == 2
  assert len(os.listdir(tmp_path)) == 2
  if command == "write":
    files.write_text(tmp_path / "a", "1")
    assert os.listdir(tmp_path) == ["a"]
  elif command == "remove":
    (tmp_path / "a").mkdir()
    files.remove_directory(tmp_path / "a")
    assert not os.listdir(tmp_path)
  else:
    with files.locked(tmp_path):
      assert os.listdir(tmp_path) == [".lock"]


@pytest.mark.parametrize("code", [KILLED_IN_FILE, KILLED_IN_DIRECTORY])
def test_a_living_writer_is_left_alone(tmp_path, code):
  path = tmp_path / "results"
  finishes = code.replace("time.sleep(60)", "sys.stdin.readline()")
  with killed_afterwards(start(finishes, path)) as process:
    (temporary,) = tmp_path.iterdir()
    content = {name: text for name, text in tree(temporary).items() if name != "writer.lock"}
    for _ in range(3):
      files.write_text(tmp_path / "other", "1")
    assert {name: tree(temporary)[name] for name in content} == content
    process.communicate("\n")
    assert process.returncode == 0
  assert sorted(os.listdir(tmp_path)) == ["other", "results"]


def test_two_writers_at_once(tmp_path):
  path = tmp_path / "results"
  with killed_afterwards(start(WRITES_FOR_EVER, tmp_path / "other")) as process:
    for _ in range(100):
      write_directory(path)
    assert process.poll() is None
  files.verify_manifest(path)


def test_what_is_not_a_leftover_stays(tmp_path):
  for name in (".mine.abcdefgh.tmp", ".mine.tmp", "a.abcdefgh.tmp"):
    (tmp_path / name).mkdir()
    (tmp_path / name / "a").write_text("1")
  (tmp_path / ".file.abcdefgh.tmp").write_text("1")
  (tmp_path / ".link.abcdefgh.tmp").symlink_to(tmp_path / ".mine.tmp")
  before = tree(tmp_path)
  files.write_text(tmp_path / "new", "1")
  assert tree(tmp_path) == {**before, "new": "1"}


def test_a_folder_that_cannot_be_replaced_stays(tmp_path, monkeypatch):
  path = tmp_path / "results"
  write_directory(path)
  before = tree(path)
  replace = os.replace

  def refuse_new(source, target):
    if pathlib.Path(source).name == "new":
      raise OSError(errno.EIO, "")
    replace(source, target)

  monkeypatch.setattr(os, "replace", refuse_new)
  with pytest.raises(errors.ConfigError, match="Input/output error"):
    write_directory(path)
  assert tree(tmp_path) == {f"results/{name}": text for name, text in before.items()}


def damage(path: pathlib.Path, how: str) -> None:
  if how == "missing":
    (path / "sub" / "a").unlink()
  elif how == "changed":
    content = bytearray((path / "sub" / "a").read_bytes())
    content[0] ^= 1
    (path / "sub" / "a").write_bytes(content)
  elif how == "extra":
    (path / "sub" / "b").write_text("x")
  elif how == "no manifest":
    (path / files.MANIFEST).unlink()
  else:
    (path / files.MANIFEST).write_text(how)


@pytest.mark.parametrize(
  ("how", "message"),
  [
    ("missing", r"results/sub/a is missing; restore it or write \S*results again"),
    ("changed", r"results/sub/a has changed since it was written"),
    ("extra", r"results/sub/b is not in its manifest"),
    ("no manifest", r"results has no manifest\.json"),
    ('{"sub/a": ', r"manifest\.json is damaged"),
    ("[]", r"manifest\.json is damaged \(no object\)"),
    ("3", r"manifest\.json is damaged \(no object\)"),
    ('{"sub/a": 3}', r"results/sub/a has changed"),
    ('{"sub/a": ' + "[" * 100_000, r"manifest\.json is damaged \(nested too deeply\)"),
  ],
)
def test_verify_manifest(tmp_path, how, message):
  path = tmp_path / "results"
  with files.atomic_directory(path) as temporary:
    (temporary / "sub").mkdir()
    (temporary / "sub" / "a").write_text("1")
  files.verify_manifest(path)
  damage(path, how)
  with pytest.raises(errors.DatasetError, match=message) as caught:
    files.verify_manifest(path)
  assert "\n" not in str(caught.value)


def test_verify_manifest_of_no_folder(tmp_path):
  with pytest.raises(errors.DatasetError, match=r"nowhere has no manifest\.json"):
    files.verify_manifest(tmp_path / "nowhere")


def test_remove_directory(tmp_path):
  (tmp_path / "a" / "b").mkdir(parents=True)
  files.remove_directory(tmp_path / "a")
  assert not list(tmp_path.iterdir())


LOCKS = """
with files.locked(sys.argv[1]):
  print("ready", flush=True)
  time.sleep(60)
"""


def test_lock_between_processes(tmp_path):
  path = tmp_path / "run"
  with killed_afterwards(start(LOCKS, path)) as process:
    message = f"run is in use by process {process.pid}: wait for it to end"
    with pytest.raises(errors.TryAgainError, match=message), files.locked(path):
      pass
    process.send_signal(signal.SIGKILL)
    process.wait()
    with files.locked(path):
      assert (path / ".lock").read_text() == f"{os.getpid()}\n"
  with files.locked(path):
    pass


@pytest.mark.parametrize("content", [b"\xff\xfe", b"x\ny", b"9" * 5000])
def test_lock_whose_file_is_damaged(tmp_path, content):
  with killed_afterwards(start(LOCKS, tmp_path)):
    (tmp_path / ".lock").write_bytes(content)
    message = r"is in use by process \(unknown\): wait"
    with pytest.raises(errors.TryAgainError, match=message), files.locked(tmp_path):
      pass


def test_lock_is_released_after_an_exception(tmp_path):
  with pytest.raises(ZeroDivisionError), files.locked(tmp_path):
    raise ZeroDivisionError
  with files.locked(tmp_path):
    pass


def write_file(path):
  files.write_text(path, "x")


def write_directory(path):
  with files.atomic_directory(path) as temporary:
    (temporary / "a").write_text("x" * 100)


def lock(path):
  with files.locked(path):
    pass


WRITERS = pytest.mark.parametrize("write", [write_file, write_directory, lock])


@WRITERS
@pytest.mark.parametrize("below", ["x", "x/y/z"])
def test_path_below_a_file(tmp_path, write, below):
  (tmp_path / "file").write_text("mine")
  message = rf"^Cannot write \S*file/{below} \(Not a directory\): choose a folder"
  with pytest.raises(errors.ConfigError, match=message):
    write(tmp_path / "file" / below)
  assert tree(tmp_path) == {"file": "mine"}


def test_lock_of_a_file(tmp_path):
  (tmp_path / "file").write_text("mine")
  with pytest.raises(errors.ConfigError, match=r"Cannot write \S*file \(Not a directory\)"):
    lock(tmp_path / "file")


def test_file_in_place_of_a_folder(tmp_path):
  with pytest.raises(errors.ConfigError, match=r"\(Is a directory\)"):
    write_file(tmp_path)


@WRITERS
def test_name_that_is_too_long(tmp_path, write):
  write(tmp_path / ("é" * 127))
  with pytest.raises(errors.ConfigError, match=r"\(File name too long\)"):
    write(tmp_path / ("é" * 128))


def test_full_disk(tmp_path, mount_tmpfs):
  with mount_tmpfs(tmp_path / "disk", "size=64k") as disk:
    files.write_text(disk / "a.txt", "old")
    message = (
      r"^No space left to write \S*/disk\S* \([\d,]+ bytes free\): free some and run the same "
      r"command again\.$"
    )
    with pytest.raises(errors.TryAgainError, match=message):
      files.write_text(disk / "a.txt", "x" * 200_000)
    with (
      pytest.raises(errors.TryAgainError, match=message),
      files.atomic_directory(disk / "d") as d,
    ):
      (d / "x").write_text("x" * 200_000)
    assert tree(disk) == {"a.txt": "old"}
    (disk / "filler").write_bytes(bytes(16 * 4096 - 4096))
    with pytest.raises(errors.TryAgainError, match=message), files.locked(disk):
      pass


@WRITERS
def test_read_only_disk(tmp_path, write, mount_tmpfs):
  with mount_tmpfs(tmp_path / "disk", "size=64k") as disk:
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    with pytest.raises(errors.ConfigError, match=r"disk/x \(Read-only file system\): choose"):
      write(disk / "x")


def test_other_errors_pass_unchanged(tmp_path):
  with pytest.raises(FileNotFoundError), files.atomic_file(tmp_path / "a"):
    (tmp_path / "nowhere").read_text()
