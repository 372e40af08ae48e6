import json

import numpy as np
from PIL import Image
import pytest
from scipy import stats

from dl_condind.utils import errors
from dl_condind.utils import files
from dl_condind.visualize import visualize_model


@pytest.fixture(scope="module")
def visualized(trained_study, tmp_path_factory):
  output_dir = tmp_path_factory.mktemp("pictures") / "visualizations"
  visualize_model.visualize_model(
    trained_study / "0" / "model", output_dir, num_animations=2, num_frames=3, num_effect_points=50
  )
  return output_dir


def test_files_are_those_of_the_library(visualized):
  found = {str(p.relative_to(visualized)) for p in visualized.rglob("*") if p.is_file()}
  cycles = visualize_model.cycles(np.zeros((2, 3)), np.ones((2, 3)))
  assert found == {
    "reconstructions/reconstructions.png",
    "sampled/samples.png",
    *(f"traversals/traversals{j}.png" for j in range(2)),
    *(f"animated_traversals/{cycle}{j}.gif" for cycle in cycles for j in range(2)),
    "interventional_effects/interventional_effect.png",
    "visualization.json",
    "manifest.json",
  }
  files.verify_manifest(visualized)


def test_latents_move_over_the_intervals_of_the_library():
  means = np.array([[0.0, 10.0], [2.0, 14.0]])  # Means 1 and 12, variances 1 and 4.
  stddevs = np.array([[0.0, 1.0], [0.0, 3.0]])  # Mean variances 0 and 5.
  found = {
    name: cycle(means.mean(axis=0), 1000)
    for name, cycle in visualize_model.cycles(means, stddevs).items()
  }
  ends = {
    name: [(v.min().round(1), v.max().round(1)) for v in values] for name, values in found.items()
  }
  quantile = stats.norm.ppf(0.99)
  assert ends == {
    "std_gaussian_cycle": [(-2.3, 2.3), (-2.3, 2.3)],
    "fitted_gaussian_cycle": [
      (round(1 - quantile, 1), round(1 + quantile, 1)),
      (round(12 - 3 * quantile, 1), round(12 + 3 * quantile, 1)),
    ],
    "fixed_interval_cycle": [(-2, 2), (-2, 2)],
    "conf_interval_cycle": [(-1, 3), (6, 18)],
    "minmax_interval_cycle": [(0, 2), (10, 14)],
  }
  for name in ("fitted_gaussian_cycle", "conf_interval_cycle", "minmax_interval_cycle"):
    np.testing.assert_allclose(found[name][:, 0], [1, 12])


def test_pictures_have_the_right_size(visualized):
  with Image.open(visualized / "reconstructions" / "reconstructions.png") as image:
    assert image.size == (2 + 8 * (128 + 2), 20 + 8 * 66 + 18)  # 64 pairs and a caption
  with Image.open(visualized / "sampled" / "samples.png") as image:
    assert image.size == (2 + 8 * 66, 20 + 8 * 66 + 18)
  with Image.open(visualized / "traversals" / "traversals0.png") as image:
    assert image.height == 38 + 3 * 66 + 18  # 3 latents
    assert image.width > 11 * 66
  with Image.open(visualized / "animated_traversals" / "fixed_interval_cycle0.gif") as image:
    assert image.n_frames == 3


def test_a_traversal_changes_along_a_row(visualized):
  with Image.open(visualized / "traversals" / "traversals0.png") as image:
    left = image.width - 11 * 66
    first, last = (image.crop((left + i * 66, 38, left + i * 66 + 64, 102)) for i in (0, 10))
  assert first.tobytes() != last.tobytes()


@pytest.mark.slow
def test_the_same_model_gives_the_same_pictures(trained_study, visualized, tmp_path):
  visualize_model.visualize_model(
    trained_study / "0" / "model",
    tmp_path / "again",
    num_animations=2,
    num_frames=3,
    num_effect_points=50,
  )
  assert files.manifest_digest(tmp_path / "again") == files.manifest_digest(visualized)


@pytest.mark.slow
def test_finished_pictures_are_left_and_others_only_replaced_on_demand(trained_study, tmp_path):
  output_dir = tmp_path / "pictures"
  first, second = (trained_study / name / "model" for name in ("0", "1"))
  settings = {"num_animations": 1, "num_frames": 2, "num_effect_points": 0}
  visualize_model.visualize_model(first, output_dir, **settings)
  before = output_dir.stat().st_ino
  visualize_model.visualize_model(first, output_dir, **settings)
  assert output_dir.stat().st_ino == before
  with pytest.raises(errors.ConfigError, match=r"input_sha256 differ.*overwrite=True"):
    visualize_model.visualize_model(second, output_dir, **settings)
  with pytest.raises(errors.ConfigError, match="num_frames differ"):
    visualize_model.visualize_model(first, output_dir, **{**settings, "num_frames": 3})
  visualize_model.visualize_model(second, output_dir, overwrite=True, **settings)
  found = json.loads((output_dir / "visualization.json").read_text())
  assert found["input_sha256"] == files.manifest_digest(second / "saved_model")
  (output_dir / "sampled" / "samples.png").unlink()
  with pytest.raises(errors.DatasetError, match="is missing"):
    visualize_model.visualize_model(second, output_dir, **settings)


def test_a_folder_of_something_else_is_never_replaced(trained_study, tmp_path):
  (tmp_path / "thesis.txt").write_text("precious")
  with pytest.raises(errors.ConfigError, match="not a folder of pictures"):
    visualize_model.visualize_model(trained_study / "0" / "model", tmp_path, overwrite=True)
  assert (tmp_path / "thesis.txt").read_text() == "precious"


@pytest.mark.parametrize(
  "setting", [{"num_animations": -1}, {"num_animations": 65}, {"num_frames": 1}, {"fps": 0}]
)
def test_settings_out_of_range(tmp_path, setting):
  with pytest.raises(errors.ConfigError, match=f"{next(iter(setting))} must be in"):
    visualize_model.visualize_model(tmp_path, tmp_path / "out", **setting)


def test_missing_model(tmp_path):
  with pytest.raises(errors.DatasetError, match="No model at"):
    visualize_model.visualize_model(tmp_path / "model", tmp_path / "out")
  assert not (tmp_path / "out").exists()
