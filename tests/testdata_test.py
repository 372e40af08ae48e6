import hashlib
import re

from helpers import testdata


def test_files_are_those_that_the_readme_describes():
  readme = (testdata.FOLDER / "README.md").read_text(encoding="utf-8")
  described = dict(re.findall(r"^\| `([\w.]+)` .*`([0-9a-f]{64})` \|$", readme, re.MULTILINE))
  files = [path for path in testdata.FOLDER.iterdir() if path.name != "README.md"]
  found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
  assert len(found) == 6
  assert found == described
