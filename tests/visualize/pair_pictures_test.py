from helpers import programs
import numpy as np
from PIL import Image

import dl_condind as dl
from dl_condind.utils import files
from dl_condind.visualize import image_grids
from dl_condind.visualize import pair_pictures

_LINE = 18  # pixels of a title


def test_rows_are_the_pairs_of_the_seed(tmp_path, monkeypatch):
  drawn = []
  image_grid = image_grids.image_grid

  def watch(images, num_columns, title="", row_labels=(), column_labels=()):
    drawn.append((images, num_columns, row_labels))
    return image_grid(images, num_columns, title, row_labels, column_labels)

  monkeypatch.setattr(image_grids, "image_grid", watch)
  data = dl.load_data("spots")
  pairs = dl.Pairs(data, k=1)
  pair_pictures.save_pairs(pairs, np.random.RandomState(0), tmp_path / "pairs")

  random_state = np.random.RandomState(0)
  before = data.sample_factors(10, random_state)
  steps = [pairs.step(row, random_state) for row in before]
  images, num_columns, labels = drawn[0]
  assert num_columns == 2 and images.shape == (20, 32, 32, 1)
  assert labels == [data.factor_names[changed[0]] for _, changed in steps]
  expected = data.sample_observations_from_factors(before, random_state)
  np.testing.assert_array_equal(images[::2, ::2, ::2], expected)
  with Image.open(tmp_path / "pairs" / "pairs.png") as picture:
    assert picture.height == 2 + _LINE + 10 * 34 + _LINE
  with Image.open(tmp_path / "pairs" / "pairs.gif") as animation:
    assert animation.n_frames == 2 and animation.info["duration"] == 1000


def test_the_program_draws_pairs_on_request(tmp_path):
  arguments = ["--dataset=spots", "--num_animations=0", f"--output_dir={tmp_path / 'out'}"]
  outcome = programs.run("dl_condind_visualize_dataset", *arguments, "--pairs_k=-1")
  assert outcome.returncode == 0, outcome.stderr
  assert (tmp_path / "out" / "pairs" / "pairs.png").is_file()
  files.verify_manifest(tmp_path / "out")
  outcome = programs.run("dl_condind_visualize_dataset", *arguments)
  assert outcome.returncode == 2 and "pairs_k differ" in outcome.stderr
  outcome = programs.run("dl_condind_visualize_dataset", *arguments, "--overwrite", "--pairs_k=9")
  assert outcome.returncode == 2
  assert "dynamics.k must be a whole number in [1, 4]" in outcome.stderr.splitlines()[-1]
