import shutil

from helpers import programs
import numpy as np
from PIL import Image
import pytest

import dl_condind as dl
from dl_condind.evaluation import evaluate
from dl_condind.utils import errors
from dl_condind.visualize import score_figures
from dl_condind.visualize import visualize_scores

SMALL = [
  "unified_scores.num_train = 200",
  "unified_scores.num_test = 100",
  "unified_scores.matrix_fns = [@mutual_information_matrix]",
]


@pytest.fixture(scope="module")
def evaluated(trained_run, tmp_path_factory):
  folder = tmp_path_factory.mktemp("scores")
  mean = trained_run / "postprocessed" / "mean"
  evaluate.evaluate_with_gin(mean, folder / "unified", False, ["metrics/unified_scores.gin"], SMALL)
  small = ["mig.num_train = 50"]
  evaluate.evaluate_with_gin(mean, folder / "mig", False, ["metrics/mig.gin"], small)
  return folder


def test_each_matrix_has_three_figures(evaluated, tmp_path):
  visualize_scores.visualize_scores(evaluated / "unified", tmp_path / "out")
  suffixes = ("", "_pr", "_dendrogram")
  assert {path.name for path in (tmp_path / "out").iterdir()} == {
    *(f"mutual_information_matrix{suffix}.png" for suffix in suffixes),
    "visualization.json",
    "manifest.json",
  }
  for suffix in suffixes:
    with Image.open(tmp_path / "out" / f"mutual_information_matrix{suffix}.png") as image:
      pixels = np.asarray(image.convert("L"))
      assert pixels.shape[0] > 200 and len(np.unique(pixels)) > 10


def test_figures_of_the_same_scores_are_left(evaluated, tmp_path):
  visualize_scores.visualize_scores(evaluated / "unified", tmp_path / "out")
  before = (tmp_path / "out").stat().st_ino
  visualize_scores.visualize_scores(evaluated / "unified", tmp_path / "out")
  assert (tmp_path / "out").stat().st_ino == before


def test_other_evaluations_have_no_matrix(evaluated, tmp_path):
  with pytest.raises(errors.ConfigError, match=r"has no matrix .* metrics/unified_scores\.gin"):
    visualize_scores.visualize_scores(evaluated / "mig", tmp_path / "out")
  assert not (tmp_path / "out").exists()


def test_the_program_and_its_mistakes(evaluated, tmp_path):
  outcome = programs.run(
    "dl_condind_visualize_scores",
    f"--input_dir={evaluated / 'unified'}",
    f"--output_dir={tmp_path / 'out'}",
  )
  assert outcome.returncode == 0 and (tmp_path / "out" / "manifest.json").is_file()
  shutil.rmtree(tmp_path / "out")
  outcome = programs.run(
    "dl_condind_visualize_scores",
    f"--input_dir={tmp_path / 'absent'}",
    f"--output_dir={tmp_path / 'out'}",
  )
  assert outcome.returncode == 3
  assert outcome.stderr.splitlines()[-1].startswith("error: No evaluation at ")
  assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_an_evaluation_in_python_has_the_names_of_the_training(trained_run, tmp_path, monkeypatch):
  shutil.copytree(trained_run, tmp_path / "run")
  settings = {"unified_scores.num_train": 100, "unified_scores.num_test": 50}
  run, data = dl.load(tmp_path / "run"), dl.load_data("dummy_data")
  dl.evaluate(run, data, ["unified_scores"], settings=settings)
  drawn = []
  squares = score_figures.squares
  monkeypatch.setattr(
    score_figures, "squares", lambda matrix, names: drawn.append(names) or squares(matrix, names)
  )
  folder = tmp_path / "run" / "metrics" / "mean" / "unified_scores"
  visualize_scores.visualize_scores(folder, tmp_path / "out")
  assert drawn == 3 * [[f"factor_{i}" for i in range(10)]]
