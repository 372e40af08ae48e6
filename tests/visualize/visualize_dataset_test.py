import json
import os
import pathlib
import shutil
import subprocess
import sys

import gin
import numpy as np
from PIL import Image
import pytest

from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.data.ground_truth import named_data
from dl_condind.data.ground_truth import state_space
from dl_condind.utils import errors
from dl_condind.utils import files
from dl_condind.visualize import visualize_dataset

ROOT = pathlib.Path(__file__).parents[2]
SIZES = (3, 2, 20, 1)  # The second one is not exposed.
EXPOSED = (0, 2, 3)
NAMES = ("wall/floor hue", "hidden", "angle", "../ø")
FILES = ("factor_0_wall_floor_hue", "factor_1_angle", "factor_2_ø")
LINE = 18  # pixels


class TinyData(ground_truth_data.GroundTruthData):
  """Every combination of factors has an image that is unlike all others."""

  def __init__(self, name="tiny", source="made up", shape=(33, 40, 3)):
    exposed = [SIZES[factor] for factor in EXPOSED]
    super().__init__(name, [NAMES[factor] for factor in EXPOSED], exposed, shape)
    self.source = source
    self.states = state_space.SplitDiscreteStateSpace(SIZES, EXPOSED)
    random_state = np.random.RandomState(1)
    self.images = random_state.randint(256, size=(np.prod(SIZES), *shape)).astype(np.uint8)

  def sample_factors(self, num, random_state):
    return self.states.sample_latent_factors(num, random_state)

  def sample_observations_from_factors(self, factors, random_state):
    factors = self.states.sample_all_factors(factors, random_state)
    return self.images[np.ravel_multi_index(tuple(factors.T), SIZES)] / np.float32(255)

  def provenance(self):
    return {"dataset": self.name, "source": self.source, "sha256": "0" * 64}

  def factors_of(self, cell):
    """Returns all factors, the hidden one too, of the image that a part of a picture shows."""
    distances = np.abs(self.images.astype(int) - cell).mean(axis=(1, 2, 3))
    row = np.argmin(distances)
    assert distances[row] < 40  # A GIF has few colours; of two images it is about 85.
    return tuple(int(value) for value in np.unravel_index(row, SIZES))


class IncompleteData(TinyData):
  """Lacks some combinations of factors."""

  has_complete_grid = False


@gin.register(module="visualize_dataset_test")
def parameterized_tiny_data(shade=0):
  dataset = TinyData()
  dataset.images //= 1 + shade
  return dataset


def use(monkeypatch, make):
  monkeypatch.setattr(named_data, "get_named_ground_truth_data", make)


@pytest.fixture
def tiny(monkeypatch):
  dataset = TinyData()
  use(monkeypatch, lambda: dataset)
  return dataset


def shown_in(picture, dataset, num_columns, top):
  """Returns the factors of each image of a picture, [num_rows, num_columns, factors]."""
  height, width, channels = dataset.observation_shape
  pixels = np.array(picture.convert("L" if channels == 1 else "RGB")).reshape(
    picture.height, picture.width, channels
  )
  num_rows = (picture.height - top - LINE) // (height + 2)
  rows = [
    [
      dataset.factors_of(pixels[y : y + height, x : x + width].astype(int))
      for x in range(2, 2 + num_columns * (width + 2), width + 2)
    ]
    for y in range(top, top + num_rows * (height + 2), height + 2)
  ]
  return np.array(rows)


def png(path, dataset, num_columns, top=2 + 2 * LINE):
  with Image.open(path) as image:
    return shown_in(image, dataset, num_columns, top)


def starts_of(folder, dataset):
  return png(folder / "samples.png", dataset, num_columns=8, top=2 + LINE)[0]


def names_in(folder):
  return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


def test_files(tiny, tmp_path):
  visualize_dataset.visualize_dataset(tmp_path / "out", num_animations=1)
  assert names_in(tmp_path / "out") == {
    "samples.png",
    *(f"traversals/{name}.png" for name in FILES),
    *(f"animated_traversals/{name}.gif" for name in FILES),
    "visualization.json",
    "manifest.json",
  }
  files.verify_manifest(tmp_path / "out")


@pytest.mark.parametrize("channels", [1, 3])
def test_a_traversal_changes_one_factor_and_nothing_else(monkeypatch, tmp_path, channels):
  dataset = TinyData(shape=(33, 40, channels))
  use(monkeypatch, lambda: dataset)
  visualize_dataset.visualize_dataset(tmp_path / "out", num_animations=0)
  starts = starts_of(tmp_path / "out", dataset)
  hidden = set()
  expected = {
    0: [0, 1, 2],
    2: [0, 1, 3, 4, 5, 6, 8, 9, 10, 11, 13, 14, 15, 16, 18, 19],  # 16 of 20
    3: [0],
  }
  for name, (factor, values) in zip(FILES, expected.items(), strict=True):
    path = tmp_path / "out" / "traversals" / f"{name}.png"
    shown = png(path, dataset, num_columns=len(values))
    assert shown.shape == (8, len(values), len(SIZES))
    assert np.all(shown[:, :, factor] == values)
    for other in set(EXPOSED) - {factor}:
      assert np.all(shown[:, :, other] == starts[:, np.newaxis, other])
    assert np.all(shown[:, :, 1] == shown[:, :1, 1])  # What is not exposed does not flicker ...
    hidden |= {*shown[:, 0, 1].tolist()}
  assert hidden == {0, 1}  # ... nor is it the same in all rows.
  assert not (tmp_path / "out" / "animated_traversals").exists()


@pytest.mark.parametrize("channels", [1, 3])
def test_an_animation_shows_each_value_in_turn(monkeypatch, tmp_path, channels):
  dataset = TinyData(shape=(33, 40, channels))
  use(monkeypatch, lambda: dataset)
  visualize_dataset.visualize_dataset(tmp_path / "out", num_animations=3, num_frames=10)
  starts = starts_of(tmp_path / "out", dataset)[:3]
  expected = {0: [0, 1, 2], 2: [0, 2, 4, 6, 8, 11, 13, 15, 17, 19], 3: [0]}
  for name, (factor, values) in zip(FILES, expected.items(), strict=True):
    with Image.open(tmp_path / "out" / "animated_traversals" / f"{name}.gif") as animation:
      assert animation.n_frames == len(values)
      seen = []
      for frame in range(animation.n_frames):
        animation.seek(frame)
        seen.append(shown_in(animation, dataset, 3, top=2 + LINE)[0])
    seen = np.stack(seen, axis=1)
    assert np.all(seen[:, :, factor] == values)
    for other in set(EXPOSED) - {factor}:
      assert np.all(seen[:, :, other] == starts[:, np.newaxis, other])
    assert np.all(seen[:, :, 1] == seen[:, :1, 1])


def test_animations_do_not_flash(tiny, tmp_path):
  visualize_dataset.visualize_dataset(tmp_path / "out", num_animations=1, fps=8)
  durations = []
  for name in FILES[:2]:
    with Image.open(tmp_path / "out" / "animated_traversals" / f"{name}.gif") as animation:
      durations.append(animation.info["duration"])
  # In milliseconds, of which GIF keeps tens: 3 frames in 2 seconds, 20 at 8 per second or 10.
  assert durations == [pytest.approx(2000 / 3, abs=10), pytest.approx(125, abs=10)]


def test_drawn_noise_does_not_flicker(tmp_path):
  bindings = ["dataset.name = 'dummy_data'"]
  visualize_dataset.visualize_dataset_with_gin(tmp_path / "out", False, 0, [], bindings)
  with Image.open(tmp_path / "out" / "traversals" / "factor_4_factor_4.png") as image:
    pixels = np.array(image)
  top = 2 + 2 * LINE
  rows = [pixels[y : y + 64] for y in range(top, top + 8 * 66, 66)]
  cells = np.array([[row[:, x : x + 64] for x in range(2, 2 + 5 * 66, 66)] for row in rows])
  assert np.all(cells == cells[:, :1])
  assert not np.any(np.all(cells[0] == cells[1:], axis=(1, 2, 3)))


@pytest.mark.parametrize(
  ("shape", "shown_shape"),
  [
    ((8, 6, 1), (32, 24)),
    pytest.param((150, 200, 3), (150, 200), marks=pytest.mark.slow),
  ],
)
def test_images_of_any_size(monkeypatch, tmp_path, shape, shown_shape):
  dataset = TinyData(shape=shape)
  use(monkeypatch, lambda: dataset)
  visualize_dataset.visualize_dataset(tmp_path / "out", num_animations=1)
  height, width = shown_shape
  with Image.open(tmp_path / "out" / "samples.png") as image:
    assert image.size == (2 + 8 * (width + 2), 2 + 2 * LINE + 8 * (height + 2))
    pixels = np.array(image)[2 + LINE : 2 + LINE + height, 2 : 2 + width]
  scale = height // shape[0]
  shown = pixels[::scale, ::scale]
  assert np.array_equal(pixels, shown.repeat(scale, axis=0).repeat(scale, axis=1))
  assert np.any(np.all(dataset.images == shown.reshape(shape), axis=(1, 2, 3)))


def test_titles_and_captions_show(monkeypatch, tmp_path):
  pictures = []
  for number, source in enumerate(("rendered", "an unofficial copy " * 5)):
    use(monkeypatch, lambda source=source: TinyData(source=source))
    visualize_dataset.visualize_dataset(tmp_path / str(number), num_animations=0)
    with Image.open(tmp_path / str(number) / "traversals" / f"{FILES[0]}.png") as image:
      pictures.append(np.array(image))
  short, long = pictures
  assert np.any(short[:LINE] < 128) and np.any(short[LINE : 2 * LINE] < 128)
  assert np.any(short[-LINE:] < 128)
  assert long.shape[1] > short.shape[1] > 2 + 3 * 42
  assert np.all(long[:, -3:] == 255)  # The caption is not cut off.
  assert np.array_equal(long[:-LINE, : 2 + 3 * 42], short[:-LINE, : 2 + 3 * 42])


def test_without_a_complete_grid_there_are_samples_only(monkeypatch, tmp_path, caplog):
  use(monkeypatch, IncompleteData)
  with caplog.at_level("INFO", logger="absl"):
    visualize_dataset.visualize_dataset(tmp_path / "out")
  assert names_in(tmp_path / "out") == {"samples.png", "visualization.json", "manifest.json"}
  assert "Single factors of tiny cannot be set" in caplog.text


def test_the_same_data_set_gives_the_same_pictures(tiny, tmp_path):
  for name in ("a", "b"):
    visualize_dataset.visualize_dataset(tmp_path / name, num_animations=2)
  assert files.manifest_digest(tmp_path / "a") == files.manifest_digest(tmp_path / "b")


def test_finished_pictures_are_left_and_others_only_replaced_on_demand(monkeypatch, tmp_path):
  output_dir = tmp_path / "out"
  use(monkeypatch, TinyData)
  visualize_dataset.visualize_dataset(output_dir, num_animations=1)
  before = output_dir.stat().st_ino
  visualize_dataset.visualize_dataset(output_dir, num_animations=1)
  assert output_dir.stat().st_ino == before
  with pytest.raises(errors.ConfigError, match=r"\(fps differ\)"):
    visualize_dataset.visualize_dataset(output_dir, num_animations=1, fps=5)
  use(monkeypatch, lambda: TinyData("other", "official npz"))
  with pytest.raises(errors.ConfigError, match=r"\(dataset, source differ\).*overwrite=True"):
    visualize_dataset.visualize_dataset(output_dir, num_animations=1)
  assert output_dir.stat().st_ino == before
  visualize_dataset.visualize_dataset(output_dir, overwrite=True, num_animations=1)
  settings = json.loads((output_dir / "visualization.json").read_text())
  assert (settings["dataset"], settings["source"]) == ("other", "official npz")
  (output_dir / "samples.png").unlink()
  with pytest.raises(errors.DatasetError, match="is missing"):
    visualize_dataset.visualize_dataset(output_dir, num_animations=1)


def test_other_parameters_make_another_data_set(monkeypatch, tmp_path):
  make = gin.get_configurable("visualize_dataset_test.parameterized_tiny_data")
  use(monkeypatch, make)
  bindings = ["parameterized_tiny_data.shade = 1"]
  visualize_dataset.visualize_dataset_with_gin(tmp_path / "out", False, 0, [], bindings)
  visualize_dataset.visualize_dataset_with_gin(tmp_path / "out", False, 0, [], bindings)
  with pytest.raises(errors.ConfigError, match=r"\(bindings differ\)"):
    visualize_dataset.visualize_dataset_with_gin(tmp_path / "out", False, 0)


def test_a_folder_of_something_else_is_never_replaced(tiny, tmp_path):
  (tmp_path / "thesis.txt").write_text("precious")
  with pytest.raises(errors.ConfigError, match="not a folder of pictures"):
    visualize_dataset.visualize_dataset(tmp_path, overwrite=True)
  assert (tmp_path / "thesis.txt").read_text() == "precious"


@pytest.mark.parametrize(
  "setting", [{"num_animations": -1}, {"num_animations": 65}, {"num_frames": 1}, {"fps": 0}]
)
def test_settings_out_of_range(tmp_path, setting):
  with pytest.raises(errors.ConfigError, match=f"{next(iter(setting))} must be in"):
    visualize_dataset.visualize_dataset(tmp_path / "out", **setting)


@pytest.mark.parametrize("shape", [(4, 10), (33, 40, 4)])
def test_observations_that_are_no_images(monkeypatch, tmp_path, shape):
  use(monkeypatch, lambda: TinyData(shape=shape))
  with pytest.raises(errors.ConfigError, match=r"must be images .* got shape \["):
    visualize_dataset.visualize_dataset(tmp_path / "out")
  assert not (tmp_path / "out").exists()


def test_gin_is_clear_afterwards(tmp_path):
  bindings = ["dataset.name = 'absent'"]
  with pytest.raises(errors.ConfigError, match=r"dataset\.name must be one of"):
    visualize_dataset.visualize_dataset_with_gin(tmp_path / "out", False, 0, [], bindings)
  assert not gin.config_str()


@pytest.mark.parametrize("num_values", [1, 2, 15, 16, 17, 40, 1000])
def test_values_are_spread_evenly(num_values):
  values = visualize_dataset.spread_values(num_values, 16)
  steps = np.diff(values)
  assert len(values) == min(num_values, 16)
  assert (values[0], values[-1]) == (0, num_values - 1)
  assert not steps.size or (steps.min() >= 1 and steps.max() - steps.min() <= 1)


# Runs a program, and prints the names of all modules that it has loaded at its end.
LISTING = """
import atexit, runpy, sys
atexit.register(lambda: print(*sys.modules))
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
  """Runs the program on dSprites, and returns its pictures and the packages it loaded."""
  folder = tmp_path_factory.mktemp("dsprites")
  program = ROOT / "bin" / "dl_condind_visualize_dataset"
  flags = ["--dataset=dsprites_full", f"--output_dir={folder / 'out'}", "--num_animations=2"]
  done = subprocess.run(
    [sys.executable, "-c", LISTING, program, *flags],
    env={**os.environ, "DISENTANGLEMENT_LIB_DATA": str(folder / "data")},
    capture_output=True,
    text=True,
    check=False,
    cwd=ROOT,
  )
  assert done.returncode == 0, done.stderr
  yield folder / "out", {name.partition(".")[0] for name in done.stdout.split()}
  shutil.rmtree(folder / "data")  # 377 MB


@pytest.mark.slow
def test_program_needs_no_tensorflow(rendered):
  _, packages = rendered
  assert "numpy" in packages
  assert not packages & {"tensorflow", "keras", "tensorflow_probability", "tf_keras", "matplotlib"}


@pytest.mark.slow
def test_dsprites(rendered):
  output_dir, _ = rendered
  sizes = {"shape": 3, "scale": 6, "orientation": 40, "posX": 32, "posY": 32}
  pixels = {}
  for factor, (name, num_values) in enumerate(sizes.items()):
    stem = f"factor_{factor}_{name}"
    with Image.open(output_dir / "animated_traversals" / f"{stem}.gif") as animation:
      assert animation.n_frames == num_values
    with Image.open(output_dir / "traversals" / f"{stem}.png") as image:
      assert image.height == 2 + 3 * LINE + 8 * 66
      pixels[name] = np.array(image)
  for name, axis in (("posX", 1), ("posY", 0)):
    cells = [pixels[name][38:102, x : x + 64] > 0 for x in range(2, 2 + 16 * 66, 66)]
    centres = np.array([np.argwhere(cell).mean(axis=0) for cell in cells])
    assert np.all(np.diff(centres[:, axis]) > 1)
    assert np.ptp(centres[:, 1 - axis]) < 0.1
  settings = json.loads((output_dir / "visualization.json").read_text())
  assert (settings["dataset"], settings["source"]) == ("dsprites_full", "rendered")
