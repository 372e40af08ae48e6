import json
import shutil

from PIL import Image
import pytest

from dl_condind.utils import errors
from dl_condind.utils import files
from dl_condind.visualize import visualize_infogan
from dl_condind.visualize import visualize_model

LOSSES = {"discriminator_loss": 0.5, "generator_loss": 1.0, "mutual_information_penalty": 2.0}
LOG = "".join(f"{json.dumps({'step': step, **LOSSES})}\n" for step in range(0, 50, 10))


def make_run(tiny_infogan, folder, correlation=None, sizes=None, prior="normal"):
  """Writes what the pictures need of a trained model."""
  tiny_infogan.write(folder, sizes)
  (folder / "train_log.jsonl").write_text(LOG)
  config = {
    "train_config.model.model": "@infogan()",
    "train_config.model.random_seed": "3",
    "train_config.infogan.continuous_prior": f"'{prior}'",
  }
  if correlation is not None:
    config["train_config.posterior.noise_correlation"] = "@equicorrelated"
    config["train_config.equicorrelated.correlation"] = str(correlation)
  with files.atomic_directory(folder / "results") as results:
    for name, values in {
      "aggregate/train.json": config,
      "json/train_provenance.json": {"dataset": "mnist", "dataset_source": "made up"},
    }.items():
      (results / name).parent.mkdir(exist_ok=True)
      (results / name).write_text(json.dumps(values))
  return folder


@pytest.fixture(scope="module")
def runs(tiny_infogan, tmp_path_factory):
  """Two runs, of correlation 0 and 0.9. To read."""
  folder = tmp_path_factory.mktemp("runs")
  return make_run(tiny_infogan, folder / "0"), make_run(tiny_infogan, folder / "1", 0.9)


@pytest.fixture(scope="module")
def visualized(runs, tmp_path_factory):
  output_dir = tmp_path_factory.mktemp("pictures") / "visualizations"
  visualize_infogan.visualize_infogan(runs, output_dir, num_frames=4)
  return output_dir


def test_files(visualized):
  found = {str(p.relative_to(visualized)) for p in visualized.rglob("*") if p.is_file()}
  assert found == {
    "losses.png",
    *(f"two_codes/category{k}.png" for k in range(10)),
    *(f"one_code/code{j}.png" for j in range(2)),
    *(f"animated_codes/code{j}.gif" for j in range(2)),
    "visualization.json",
    "manifest.json",
  }
  files.verify_manifest(visualized)
  with Image.open(visualized / "animated_codes" / "code1.gif") as image:
    assert image.n_frames == 4


def test_pictures_have_a_grid_for_each_model(visualized):
  # 11 images of 2 x 2 enlarged pixels and gaps, right of labels; title, labels and caption above
  # and below.
  for name, num_rows in (("two_codes/category4.png", 11), ("one_code/code0.png", 10)):
    with Image.open(visualized / name) as image:
      assert image.height == 38 + 6 * num_rows + 18
      assert image.width > 2 * 11 * 6


def test_the_same_models_give_the_same_pictures(runs, visualized, tmp_path):
  visualize_infogan.visualize_infogan(runs, tmp_path / "again", num_frames=4)
  assert files.manifest_digest(tmp_path / "again") == files.manifest_digest(visualized)


@pytest.mark.slow
def test_one_model_and_a_model_twice(runs, tmp_path):
  visualize_infogan.visualize_infogan(runs[:1], tmp_path / "one", num_frames=2)
  visualize_infogan.visualize_infogan([runs[0], runs[0]], tmp_path / "two", num_frames=2)
  one, two = (Image.open(tmp_path / name / "one_code" / "code0.png") for name in ("one", "two"))
  with one, two:
    assert two.width > 2 * one.width and two.height == one.height


def test_titles_say_correlation_and_seed(runs):
  assert list(visualize_infogan._load(runs)) == ["c = 0, seed 3", "c = 0.9, seed 3"]


def test_model_without_categories_and_with_one_code(tiny_infogan, tmp_path):
  sizes = {"continuous": 1, "noise": 2}
  run = make_run(tiny_infogan, tmp_path / "run", sizes=sizes)
  visualize_infogan.visualize_infogan([run], tmp_path / "one", num_frames=2)
  assert not list((tmp_path / "one" / "two_codes").iterdir())
  with Image.open(tmp_path / "one" / "one_code" / "code0.png") as image:
    assert image.height == 38 + 6 * 10 + 18  # A row for each of ten draws of the noise.
  run = make_run(tiny_infogan, tmp_path / "run2", sizes={"continuous": 3, "noise": 2})
  visualize_infogan.visualize_infogan([run], tmp_path / "three", num_frames=2)
  assert [p.name for p in (tmp_path / "three" / "two_codes").iterdir()] == ["noise0.png"]
  assert len(list((tmp_path / "three" / "one_code").iterdir())) == 3


def test_finished_pictures_are_left_and_others_only_replaced_on_demand(runs, visualized):
  before = visualized.stat().st_ino
  visualize_infogan.visualize_infogan(runs, visualized, num_frames=4)
  assert visualized.stat().st_ino == before
  with pytest.raises(errors.ConfigError, match=r"input_sha256 differ.*overwrite=True"):
    visualize_infogan.visualize_infogan(runs[:1], visualized, num_frames=4)
  with pytest.raises(errors.ConfigError, match="num_frames differ"):
    visualize_infogan.visualize_infogan(runs, visualized, num_frames=5)


def test_models_with_other_codes_are_not_put_side_by_side(runs, tiny_infogan, tmp_path):
  other = make_run(tiny_infogan, tmp_path / "other", sizes={**tiny_infogan.SIZES, "noise": 5})
  message = r"codes of the same sizes.* \(2, 10, 3\) and \(2, 10, 5\)"
  with pytest.raises(errors.ConfigError, match=message):
    visualize_infogan.visualize_infogan([runs[0], other], tmp_path / "pictures")
  assert not (tmp_path / "pictures").exists()


@pytest.mark.parametrize("setting", [{"num_frames": 1}, {"fps": 0}])
def test_settings_out_of_range_are_refused(runs, tmp_path, setting):
  with pytest.raises(errors.ConfigError, match=f"{next(iter(setting))} must be in"):
    visualize_infogan.visualize_infogan(runs, tmp_path / "pictures", **setting)


def test_program_for_vaes_names_this_one(runs, tmp_path):
  with pytest.raises(errors.ConfigError, match="an InfoGAN: .* dl_condind_visualize_infogan"):
    visualize_model.visualize_model(runs[0], tmp_path / "pictures")


def test_vae_is_refused(trained_run, tmp_path):
  with pytest.raises(errors.ConfigError, match="holds no InfoGAN"):
    visualize_infogan.visualize_infogan([trained_run / "model"], tmp_path / "pictures")


def test_what_is_missing_is_named(runs, tmp_path):
  with pytest.raises(errors.DatasetError, match="No model at"):
    visualize_infogan.visualize_infogan([tmp_path], tmp_path / "pictures")
  shutil.copytree(runs[0], tmp_path / "run")
  (tmp_path / "run" / "train_log.jsonl").unlink()
  with pytest.raises(errors.DatasetError, match=r"No .*train_log\.jsonl"):
    visualize_infogan.visualize_infogan([tmp_path / "run"], tmp_path / "pictures")


@pytest.mark.slow
def test_codes_of_a_uniform_prior_stay_in_it(tiny_infogan, runs, tmp_path):
  uniform = make_run(tiny_infogan, tmp_path / "uniform", prior="uniform")
  for models, limit in (([uniform], 1.0), ([runs[0], uniform], 1.0), ([runs[0]], 2.0)):
    folder = tmp_path / f"{len(models)} {limit}"
    visualize_infogan.visualize_infogan(models, folder, num_frames=2)
    settings = json.loads((folder / "visualization.json").read_text())
    assert settings["interval"] == [-limit, limit]


def test_log_of_one_line_has_no_picture(tiny_infogan, tmp_path):
  run = make_run(tiny_infogan, tmp_path / "run")
  (run / "train_log.jsonl").write_text(LOG.splitlines()[0] + "\n")
  visualize_infogan.visualize_infogan([run], tmp_path / "pictures", num_frames=2)
  assert (tmp_path / "pictures" / "one_code" / "code0.png").is_file()
  assert not (tmp_path / "pictures" / "losses.png").exists()
