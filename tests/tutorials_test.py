"""The tutorials in docs/: every page runs from top to bottom."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "tutorials"
TUTORIALS = sorted(path.stem for path in FOLDER.glob("*.md") if path.stem != "index")
PRINTED = {
  "linear_laboratory": r"rotated +:  0\.000 nats below",
  "own_data": r"SAP 0\.\d",
  "own_parts": r"scale 1\.0: 0\.\d+ nats",
  "score_arrays": r"aligned +0\.[89]",
  "study": r"verdict: open in this shorter protocol",
  "train_and_look": r"9\.2575\n9\.257",
}


def program(page: pathlib.Path) -> str:
  """Returns the blocks of a page as one program, in a short setting."""
  found = re.findall(r"^```(python|sh)\n(.*?)^```$", page.read_text("utf-8"), re.M | re.S)
  text = "\n".join(code if language == "python" else _command(code) for language, code in found)
  text = re.sub(r"^STEPS = \d+$", "STEPS = 2", text, flags=re.M)
  return re.sub(r"training_steps = \d+", "training_steps = 2", text)


def _command(code: str) -> str:
  return f"import subprocess\nsubprocess.run(['bash', '-ec', {code!r}], check=True)\n"


@pytest.mark.slow
@pytest.mark.parametrize("name", TUTORIALS)
def test_tutorial_runs(name, tmp_path):
  (tmp_path / "page.py").write_text(program(FOLDER / f"{name}.md"), encoding="utf-8")
  paths = [str(ROOT / "bin"), str(pathlib.Path(sys.executable).parent), os.environ["PATH"]]
  environment = {
    "DISENTANGLEMENT_LIB_DATA": str(tmp_path / "data"),
    **os.environ,
    "MPLBACKEND": "Agg",
    "PATH": os.pathsep.join(paths),
    "PYTHONPATH": str(ROOT),
    "TF_CPP_MIN_LOG_LEVEL": "3",
  }
  process = subprocess.run(
    [sys.executable, "-u", "page.py"],
    cwd=tmp_path,
    env=environment,
    capture_output=True,
    text=True,
  )
  assert process.returncode == 0, process.stderr
  assert re.search(PRINTED[name], process.stdout), process.stdout
