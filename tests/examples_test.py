"""The files in examples/: pages of docs/ show them, and they do what they say."""

import ast
import importlib
import os
import pathlib
import re
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from dl_condind.data.ground_truth import named_data
from dl_condind.evaluation import evaluate
from dl_condind.postprocessing import postprocess
from dl_condind.reports import report
from dl_condind.studies import reproduce
from dl_condind.studies import study_file
from dl_condind.training import train
from dl_condind.utils import errors
from dl_condind.utils import results
from dl_condind.visualize import visualize_model

ROOT = pathlib.Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
NOTEBOOKS = (
  "first_run",
  "linear_laboratory",
  "own_parts",
  "own_representations",
  "vectors",
)  # Whole in themselves; the others are shown in pages.
MODULES = sorted(path.stem for path in EXAMPLES.glob("*.py") if path.stem not in NOTEBOOKS)
PAGES = "".join(
  (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8") for name in ("own_parts", "data")
)
FEW = ["model.training_steps = 2", "model.eval_steps = 1", "model.batch_size = 8"]
SMALL = [*FEW, "encoder.encoder_fn = @test_encoder", "decoder.decoder_fn = @test_decoder"]


def blocks(language):
  return re.findall(rf"^```{language}\n(.*?)\n```$", PAGES, re.MULTILINE | re.DOTALL)


def source(module):
  return (EXAMPLES / f"{module}.py").read_text(encoding="utf-8")


def commands(module):
  """Returns the indented paragraphs of a module's docstring: commands."""
  paragraphs = ast.get_docstring(ast.parse(source(module))).split("\n\n")
  return [textwrap.dedent(text) for text in paragraphs if text.startswith("  ")]


@pytest.fixture(autouse=True)
def _in_the_folder_of_the_examples(monkeypatch):
  monkeypatch.chdir(ROOT)
  monkeypatch.syspath_prepend(str(EXAMPLES))
  monkeypatch.setattr(named_data, "DATA_SETS", {**named_data.DATA_SETS})  # Left as it was.
  monkeypatch.delitem(sys.modules, "stripes", raising=False)


def test_pages_show_the_code_as_it_is():
  shown = blocks("python")
  bodies = {module: source(module).split('"""\n\n', 1)[1].rstrip("\n") for module in MODULES}
  assert len(bodies) == 5
  for module in set(MODULES) - {"own_arrays"}:
    assert bodies[module] in shown
  for block in shown:
    if "@gin" in block or "DATA_SETS" in block:
      assert block in bodies.values()


def test_pages_show_the_gin_files_as_they_are():
  files = [path.read_text(encoding="utf-8").rstrip("\n") for path in EXAMPLES.glob("*.gin")]
  of_examples = [block for block in blocks("gin") if block.startswith("# The")]
  assert len(of_examples) == 2
  assert set(of_examples) < set(files)


def test_pages_show_the_commands_as_the_examples_state_them():
  stated = [block for module in MODULES for block in commands(module)]
  shown = [block for block in blocks("sh") if "examples/" in block or "PYTHONPATH" in block]
  assert len(shown) == 5
  for block in shown:
    assert [part for part in block.split("\n\n") if part not in stated] == []


@pytest.mark.slow
@pytest.mark.parametrize("name, printed", [("first_run", "c = 0.9: MIG"), ("own_parts", "Largest")])
def test_notebooks_run(name, printed, tmp_path):
  process = subprocess.run(
    [sys.executable, EXAMPLES / f"{name}.py"],
    cwd=tmp_path,
    env={**os.environ, "STEPS": "2", "PYTHONPATH": str(ROOT)},
    capture_output=True,
    text=True,
  )
  assert process.returncode == 0, process.stderr
  assert printed in process.stdout
  assert len(list((tmp_path / "output").glob("*/**/saved_model"))) >= 2


@pytest.mark.slow
def test_tutorial_of_vectors_runs(tmp_path):
  process = subprocess.run(
    [sys.executable, EXAMPLES / "vectors.py"],
    cwd=tmp_path,
    env={**os.environ, "STEPS": "2", "PYTHONPATH": str(ROOT)},
    capture_output=True,
    text=True,
  )
  assert process.returncode == 0, process.stderr
  printed = process.stdout.splitlines()[-6:]
  page = (ROOT / "docs" / "vectors.md").read_text(encoding="utf-8")
  numbers = r"-?\d+\.\d+"
  assert re.sub(numbers, "?", "\n".join(printed)) in re.sub(numbers, "?", page)
  assert (tmp_path / "output/vectors_2_steps/traversals.png").stat().st_size > 10_000


@pytest.mark.slow
def test_linear_laboratory_draws_its_pictures(tmp_path):
  process = subprocess.run(
    [sys.executable, EXAMPLES / "linear_laboratory.py"],
    cwd=tmp_path,
    env={**os.environ, "MPLBACKEND": "Agg", "PYTHONPATH": str(ROOT)},
    capture_output=True,
    text=True,
  )
  assert process.returncode == 0, process.stderr
  assert "rotated           :  0.000 nats" in process.stdout
  pictures = sorted(path.name for path in (tmp_path / "output" / "linear_laboratory").iterdir())
  assert pictures == ["axes.png", "costs.png"]


def small(config, *bindings):
  return [config], [*SMALL, *bindings], True


@pytest.mark.slow
def test_network_is_trained(tmp_path):
  bindings = [*FEW, "dataset.name = 'dummy_data'", "decoder.decoder_fn = @test_decoder"]
  config = ["examples/own_network.gin"], bindings
  with pytest.raises(errors.ConfigError, match=r"own_network` would run code .*trust_gin_import"):
    train.train_with_gin(tmp_path, False, *config)
  train.train_with_gin(tmp_path, False, *config, True)
  assert results.read_results(tmp_path, "train")["global_step"] == 2
  build = importlib.import_module("own_network").pooling_encoder
  weights = [build((64, 64, 3), num_latent=4, seed=seed).get_weights() for seed in (3, 3, 4)]
  assert all(map(np.array_equal, weights[0], weights[1]))  # They depend on the seed alone.
  assert not np.array_equal(weights[0][0], weights[2][0])


def test_objective_and_metric_make_a_study(tmp_path):
  study = study_file.load_study("examples/sparse_study.gin")
  bindings = [*SMALL, "dataset.name = 'dummy_data'"]
  with pytest.raises(errors.ConfigError, match=r"gin:\d: `import largest_variance` would run"):
    reproduce.reproduce(study, 1, tmp_path / "1", bindings)
  with pytest.raises(errors.ConfigError, match="`import sparse_vae` would run"):
    reproduce.resolved_config(study, 1, bindings)
  assert not (tmp_path / "1").exists()
  text = reproduce.resolved_config(study, 1, bindings, trust_gin_imports=True)
  assert "import sparse_vae" in text
  assert "SparseVAE.weight = 0.1" in text
  reproduce.check(study, bindings, trust_gin_imports=True)


@pytest.fixture
def stripes_model(tmp_path):
  train.train_with_gin(tmp_path / "model", False, *small("examples/stripes.gin"))
  return tmp_path / "model"


@pytest.mark.slow
def test_data_set_is_known_to_later_stages_if_they_trust_its_import(
  stripes_model, tmp_path, monkeypatch
):
  stages = {
    "mean": lambda folder, trust: postprocess.postprocess_with_gin(
      stripes_model, folder, False, ["postprocess/mean.gin"], (), trust
    ),
    "mig": lambda folder, trust: evaluate.evaluate_with_gin(
      tmp_path / "mean", folder, False, ["metrics/mig.gin"], ["mig.num_train = 60"], trust
    ),
    "pictures": lambda folder, trust: visualize_model.visualize_model(
      stripes_model, folder, num_animations=0, trust_gin_imports=trust
    ),
  }
  for name, make in stages.items():
    with monkeypatch.context() as context:
      context.delitem(named_data.DATA_SETS, "stripes")  # As in a process that has not imported it.
      message = (
        r"the data set 'stripes' from .*`import stripes`\); allow it .*trust_gin_imports=True"
      )
      with pytest.raises(errors.ConfigError, match=message):
        make(tmp_path / name, False)
    assert not (tmp_path / name / "results").exists()
    make(tmp_path / name, True)
  assert results.read_provenance(tmp_path / "mig", "evaluation")["dataset"] == "stripes"
  assert "import stripes\n" in (tmp_path / "mig/results/gin/evaluation.gin").read_text()
  assert (tmp_path / "pictures" / "reconstructions" / "reconstructions.png").is_file()


@pytest.mark.slow
def test_report_shows_models_of_own_data_if_their_import_is_trusted(tmp_path, monkeypatch):
  (config,), bindings, trust = small("examples/stripes.gin", "encoder.num_latent = 3")
  for number, correlation in enumerate((0.0, 0.9)):
    noise = [f"equicorrelated.correlation = {correlation}"]
    files = [config, "posteriors/equicorrelated.gin"]
    train.train_with_gin(tmp_path / f"{number}/model", False, files, [*bindings, *noise], trust)
  with monkeypatch.context() as context:
    context.delitem(named_data.DATA_SETS, "stripes")
    with pytest.raises(errors.ConfigError, match=r"`import stripes`\); allow it .*trust_gin_imp"):
      report.write_report(tmp_path)
  page = report.write_report(tmp_path, trust_gin_imports=True)
  assert (page.parent / "figures" / "reconstructions.png").is_file()


OWN_DATA = """
import gin
from dl_condind.data.ground_truth import dummy_data
from dl_condind.data.ground_truth import named_data


@gin.configurable("bright")
class Bright(dummy_data.DummyData):
  def __init__(self, level: float = 0.5):
    super().__init__()
    self.name = f"bright {level}"


named_data.DATA_SETS["bright"] = Bright
"""


@pytest.mark.slow
def test_own_data_set_is_taken_over_with_its_parameters(tmp_path, monkeypatch):
  (tmp_path / "bright_data_of_examples_test.py").write_text(OWN_DATA)
  monkeypatch.syspath_prepend(str(tmp_path))
  imported = ["import bright_data_of_examples_test", "dataset.name = 'bright'", "bright.level = 1."]
  config = (["shared.gin", "methods/vae.gin"], [*SMALL, *imported], True)
  train.train_with_gin(tmp_path / "model", False, *config)
  made = tmp_path / "mean"
  as_mean = (tmp_path / "model", made, False, ["postprocess/mean.gin"])
  postprocess.postprocess_with_gin(*as_mean, [], True)
  assert results.read_provenance(made, "postprocess")["dataset"] == "bright 1.0"
  # The same stage without the import of its own, or with it: it is the same.
  before = (made / "results" / "aggregate" / "postprocess.json").read_bytes()
  postprocess.postprocess_with_gin(*as_mean, ["import bright_data_of_examples_test"], True)
  postprocess.postprocess_with_gin(*as_mean, [], False)  # This process knows the data set.
  assert (made / "results" / "aggregate" / "postprocess.json").read_bytes() == before
  with pytest.raises(errors.ConfigError, match=r"other settings: bright.level = 1.0; .* = 2.0"):
    postprocess.postprocess_with_gin(*as_mean, ["bright.level = 2."], True)


def test_a_module_that_is_not_found_names_the_variable(tmp_path, monkeypatch):
  message = r"^x.gin:1: `import no_such_module` failed: .* PYTHONPATH must name the folder"
  (tmp_path / "x.gin").write_text("import no_such_module\n")
  monkeypatch.chdir(tmp_path)
  with pytest.raises(errors.ConfigError, match=message):
    train.train_with_gin(tmp_path / "model", False, ["x.gin"], (), True)


@pytest.mark.slow
@pytest.mark.parametrize(
  ("modules", "made"),
  [
    (
      ["sparse_vae", "largest_variance"],
      ["sparse_study/report.html", "sparse/metrics/mean/largest_variance/results"],
    ),
    (["stripes"], ["stripes/metrics/mean/mig/results", "stripes/visualizations/sampled"]),
    (["own_arrays"], ["own/model/results"]),
    (["own_network"], ["pooling/model/results"]),
  ],
)
def test_commands_work_as_stated(modules, made, tmp_path):
  """Types the commands, with fewer steps."""
  programs = tmp_path / "bin"
  programs.mkdir()
  for path in (ROOT / "bin").glob("dl_condind_*"):
    (programs / path.name).write_text(f'#!/bin/sh\nexec "{sys.executable}" "{path}" "$@"\n')
    (programs / path.name).chmod(0o755)
  (tmp_path / "examples").symlink_to(EXAMPLES)
  stated = [text for module in modules for text in commands(module)]
  text = "\n".join(["set -e", *stated]).replace("\\\n", " ")
  noise = ["dataset.name = 'dummy_data'"] if modules[0] in ("sparse_vae", "own_network") else []
  for program in ("dl_condind_train", "dl_condind_reproduce"):
    few = " ".join(f'--gin_bindings="{binding}"' for binding in [*FEW, *noise])
    text = re.sub(rf"^(.*\b{program}\b.*)$", rf"\1 {few}", text, flags=re.MULTILINE)
  path = f"{programs}:{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"
  environment = {**os.environ, "PATH": path, "DISENTANGLEMENT_LIB_DATA": str(tmp_path / "data")}
  environment.pop("PYTHONPATH", None)
  done = subprocess.run(
    ["sh", "-c", text], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
  )
  assert done.returncode == 0, done.stderr
  for name in made:
    assert (tmp_path / "output" / name).exists()
