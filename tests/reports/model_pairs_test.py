import shutil

import numpy as np
import pytest

from dl_condind.reports import grouping
from dl_condind.reports import model_pairs
from dl_condind.reports import study_runs
from dl_condind.visualize import infogan_pictures

pytestmark = pytest.mark.slow


def make_pair(generated, tiny_infogan, folder, prior="normal"):
  runs = []
  for number, correlation in enumerate((0.0, 0.9)):
    config = generated.config_of("infogan", "mnist", 2, correlation)
    config["infogan.continuous_prior"] = f"'{prior}'"
    generated.write_infogan(folder / str(number), config)
    tiny_infogan.write(folder / str(number) / "model")
  runs = study_runs.read_runs(folder)
  return runs[0], runs[1]


def drawn_of(pair):
  return {drawn.name: drawn for drawn in model_pairs.draw(pair)}


def pixels(column):
  """Returns the four pixels of each image of a model, [num_rows, num_columns, 2, 2]."""
  return np.stack([strip.images[..., 0] for strip in column.strips])


@pytest.fixture(scope="module")
def pair(generated, tiny_infogan, tmp_path_factory):
  return make_pair(generated, tiny_infogan, tmp_path_factory.mktemp("pair"))


def test_first_code_grows_to_the_right_and_second_upwards(pair):
  drawn = drawn_of(pair)
  assert list(drawn) == ["two_codes", "code_0", "code_1", "losses"]
  content = drawn["two_codes"].content
  values = np.linspace(-2, 2, 11)
  assert (content.x_label, content.values) == ("code 0", [f"{value:.1f}" for value in values])
  for column, title in zip(content.columns, ("c\u00a0=\u00a00", "c\u00a0=\u00a00.9"), strict=True):
    assert column.title == f"{title}, seed 0"
    labels = [strip.label for strip in column.strips]
    assert labels == [f"code 1 = {value:.1f}" for value in values[::-1]]
    shown = pixels(column)
    codes = np.clip(0.5 + 0.25 * values, 0, 1)
    np.testing.assert_allclose(shown[:, :, 0, 0], np.tile(codes, (11, 1)), atol=1e-6)
    np.testing.assert_allclose(shown[:, :, 0, 1], np.tile(codes[::-1, None], (1, 11)), atol=1e-6)
    np.testing.assert_allclose(shown[:, :, 1, 0], 0)  # category 0


@pytest.mark.parametrize("code", [0, 1])
def test_one_code_moves_in_each_category(pair, code):
  drawn = drawn_of(pair)[f"code_{code}"]
  column = drawn.content.columns[1]
  assert [strip.label for strip in column.strips] == [f"category {k}" for k in range(10)]
  shown = pixels(column)
  moved, still = shown[:, :, 0, code], shown[:, :, 0, 1 - code]
  np.testing.assert_allclose(
    moved, np.tile(0.5 + 0.25 * np.linspace(-2, 2, 11), (10, 1)), atol=1e-6
  )
  np.testing.assert_allclose(still, 0.5)
  np.testing.assert_allclose(
    shown[:, :, 1, 0], np.tile(np.arange(10)[:, None] / 10, (1, 11)), atol=1e-6
  )
  assert "over [-2, 2]" in drawn.caption
  assert "run 0 (c\u00a0=\u00a00, seed 0) and run 1 (c\u00a0=\u00a00.9, seed 0)" in drawn.caption


def test_codes_of_a_uniform_prior_stay_in_it(generated, tiny_infogan, tmp_path):
  drawn = drawn_of(make_pair(generated, tiny_infogan, tmp_path, prior="uniform"))
  column = drawn["code_0"].content.columns[0]
  np.testing.assert_allclose(pixels(column)[0, [0, -1], 0, 0], [0.25, 0.75], atol=1e-6)
  assert "over [-1, 1]" in drawn["two_codes"].caption


def test_losses_are_those_of_the_logs_and_left_out_without_one(generated, tiny_infogan, tmp_path):
  pair = make_pair(generated, tiny_infogan, tmp_path)
  panel = drawn_of(pair)["losses"].content.panels[1]
  lines = (tmp_path / "1" / "model" / "train_log.jsonl").read_text().count("\n")
  assert [len(line.points) for line in panel.lines] == [lines] * 3
  (tmp_path / "1" / "model" / "train_log.jsonl").unlink()
  assert list(drawn_of(pair)) == ["two_codes", "code_0", "code_1"]


def test_pair_that_did_not_collapse_comes_first(generated, tiny_infogan, tmp_path):
  for number in range(4):
    config = generated.config_of("infogan", "mnist", 2, 0.9 * (number % 2), number // 2)
    generated.write_infogan(tmp_path / str(number), config, collapsed=number == 1)
  tiny_infogan.write(tmp_path / "0" / "model")
  for number in "123":
    shutil.copytree(tmp_path / "0/model/saved_model", tmp_path / number / "model/saved_model")
  settings = grouping.group_by_setting(study_runs.read_runs(tmp_path))
  found = model_pairs.choose(settings)
  assert [run.name for run in found] == ["2", "3"]
  runs = study_runs.read_runs(tmp_path)
  caption = model_pairs.draw((runs[0], runs[1]))[0].caption
  assert "run 1 (c\u00a0=\u00a00.9, seed 0, collapsed)" in caption


def test_values_are_symmetric_about_zero():
  np.testing.assert_allclose(infogan_pictures.values_between(1.5)[[0, 5, 10]], [-1.5, 0, 1.5])


def test_pair_has_the_extreme_correlations_and_one_seed(trained_study):
  low, high = study_runs.read_runs(trained_study)
  other = study_runs.Run(
    "9", high.folder, {**high.row, "train_config.model.random_seed": "5"}, high.provenance
  )
  assert model_pairs.choose({"a": [other, high, low]}) == (low, high)
  assert model_pairs.choose({"a": [low], "b": [low, other]}) == (low, other)
  assert model_pairs.choose({"a": [low, other], "b": [low, high]}) == (low, high)
  assert model_pairs.choose({"a": [low]}) is None
