"""Metrics of arrays where TensorFlow is not installed."""

import importlib.metadata
import os
import pathlib
import re
import subprocess
import sys
import textwrap
import venv

import pytest

ROOT = pathlib.Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "own_representations.md").read_text(encoding="utf-8")
PACKAGES = re.search(r"^pip install (numpy .*)$", PAGE, re.MULTILINE)[1].split()
EXAMPLE = ROOT / "examples" / "own_representations.py"


def top_level_modules(packages):
  """Returns the importable names of packages and of what they require."""
  found, left = set(), [*packages]
  while left:
    name = re.split(r"[^\w.-]", left.pop(), maxsplit=1)[0].lower().replace("_", "-")
    if name not in found:
      found.add(name)
      requires = importlib.metadata.requires(name) or []
      left += [line for line in requires if "extra ==" not in line]
  names = importlib.metadata.packages_distributions()
  return {m for m, owners in names.items() if {o.lower().replace("_", "-") for o in owners} & found}


# Makes everything unimportable that the named packages do not bring.
ONLY = """
import importlib.abc
import sys

class Only(importlib.abc.MetaPathFinder):
  def find_spec(self, name, path=None, target=None):
    top = name.partition(".")[0]
    standard = top in sys.stdlib_module_names or top.startswith("_sysconfigdata")
    if not standard and top not in ALLOWED:
      raise ImportError(f"{name} is not installed here")

ALLOWED = {allowed}
sys.meta_path.insert(0, Only())
"""


@pytest.mark.slow
def test_six_packages_suffice():
  assert len(PACKAGES) == 6
  allowed = top_level_modules(PACKAGES) | {"dl_condind", "own_representations"}
  assert {"numpy", "sklearn", "joblib", "gin", "absl", "h5py"} <= allowed
  assert not allowed & {"tensorflow", "keras", "tensorflow_probability", "PIL", "matplotlib"}
  program = ONLY.replace("{allowed}", repr(allowed)) + textwrap.dedent("""
    import own_representations
    from dl_condind.evaluation import metric
    from dl_condind.evaluation.probes import predictors
    from dl_condind.evaluation.metrics import dci

    z, y = own_representations.load_arrays()
    splits = (z[:300], y[:300], z[300:600], y[300:600])
    scores = dci.dci_scores(*splits, predictor_fn=predictors.extra_trees_classifier)
    print(scores["continuous_factors"], scores["disentanglement"] > 0.8)
    print(own_representations.mig.mutual_information_gap(z, y)["discrete_mig"] > 0.5)
    try:
      import tensorflow
    except ImportError as error:
      print(error)
  """)
  env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(EXAMPLE.parent)])}
  done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=env)
  assert done.returncode == 0, done.stderr
  assert done.stdout.splitlines() == ["[2] True", "True", "tensorflow is not installed here"]


def example_output(python, folder):
  env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
  if python == sys.executable:
    env["PYTHONPATH"] = str(ROOT)
  done = subprocess.run([python, EXAMPLE], capture_output=True, text=True, env=env, cwd=folder)
  assert done.returncode == 0, done.stderr
  return done.stdout


@pytest.mark.slow
def test_page_shows_what_the_example_prints(tmp_path):
  assert f"```\n{example_output(sys.executable, tmp_path)}```\n" in PAGE


@pytest.mark.slow
def test_example_runs_in_an_environment_without_tensorflow(tmp_path):
  venv.create(tmp_path / "venv", with_pip=True)
  python = str(tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python")

  def pip(*arguments):
    command = [python, "-m", "pip", "--disable-pip-version-check", "--retries=1", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)

  probe = pip("download", "--no-deps", "--dest", str(tmp_path), "gin-config")
  if probe.returncode:
    pytest.skip(f"pip reaches no index: {probe.stderr.splitlines()[-1:]}")
  for arguments in (PACKAGES, ["--no-deps", str(ROOT)]):
    installed = pip("install", *arguments)
    assert installed.returncode == 0, installed.stderr
  listed = pip("list").stdout.lower()
  assert "dl_condind" in listed and "tensorflow" not in listed and "keras" not in listed
  output = example_output(python, tmp_path)
  assert len(output.splitlines()) == 2
  # Versions of packages may differ from those here.
  found, expected = (
    [float(number) for number in re.findall(r": ([\d.]+)", text)] for text in (output, PAGE)
  )
  assert found == pytest.approx(expected[: len(found)], abs=0.03)
