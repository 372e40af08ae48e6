import os
import signal
import subprocess
import sys

import pytest

from dl_condind.utils import errors
from dl_condind.utils import files
from dl_condind.visualize import picture_folders

IS_KILLED = """
import os, pathlib, signal, sys
from dl_condind.visualize import picture_folders
with picture_folders.written(pathlib.Path(sys.argv[1]), {"a": 2}) as folder:
  (folder / "picture.png").write_bytes(b"half")
  os.kill(os.getpid(), signal.SIGKILL)
"""


def write(folder, settings):
  with picture_folders.written(folder, settings) as temporary:
    (temporary / "picture.png").write_bytes(b"whole")


def test_pictures_are_complete_for_the_settings_they_were_made_with(tmp_path):
  folder = tmp_path / "visualizations"
  assert not picture_folders.is_complete(folder, {"a": 1}, overwrite=False)
  write(folder, {"a": 1})
  assert picture_folders.is_complete(folder, {"a": 1}, overwrite=False)
  assert not picture_folders.is_complete(folder, {"a": 1}, overwrite=True)
  with pytest.raises(errors.ConfigError, match=r"with other settings \(a differ\)"):
    picture_folders.is_complete(folder, {"a": 2}, overwrite=False)


@pytest.mark.parametrize("exists", [False, True])
def test_what_a_killed_process_left_is_removed(tmp_path, exists):
  folder = tmp_path / "visualizations"
  if exists:
    write(folder, {"a": 1})
  done = subprocess.run([sys.executable, "-c", IS_KILLED, folder], check=False)
  assert done.returncode == -signal.SIGKILL
  assert len(os.listdir(tmp_path)) == 1 + exists
  assert picture_folders.is_complete(folder, {"a": 1}, overwrite=False) == exists
  assert os.listdir(tmp_path) == ["visualizations"] * exists


@pytest.mark.parametrize("content", ["[]", "{", '{"a": ' + "[" * 100_000])
def test_damaged_settings_that_fit_the_manifest_are_one_line(tmp_path, content):
  write(tmp_path / "out", {"a": 1})
  path = tmp_path / "out" / picture_folders.SETTINGS
  path.write_text(content)
  digests = {name: files.sha256(path.with_name(name)) for name in ("picture.png", path.name)}
  files.write_json(tmp_path / "out" / files.MANIFEST, digests)
  with pytest.raises(errors.DatasetError, match=r"visualization\.json is damaged .*make the pict"):
    picture_folders.is_complete(tmp_path / "out", {"a": 1}, overwrite=False)
