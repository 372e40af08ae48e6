import pytest

from dl_condind.utils import errors
from dl_condind.utils import files
from dl_condind.utils import stages


def record(folder, config):
  values = {f"train_config.{key}": value for key, value in config.items()}
  files.write_json(folder / "results" / "aggregate" / "train.json", values)
  return folder / "results" / "gin" / "train.gin"


def test_the_data_set_of_a_stage_is_its_name_and_parameters(tmp_path):
  config = {
    "dataset.name": "%name", "name": "'arrays'", "arrays.path": "%p", "p": "%q", "q": "'a.npz'",
    "vae.beta": "4.0",
  }  # fmt: skip
  expected = {"dataset.name": "'arrays'", "arrays.path": "'a.npz'"}
  assert stages.dataset_bindings(record(tmp_path, config)) == expected


@pytest.mark.parametrize(
  "config",
  [
    {"dataset.name": "%name"},
    {"dataset.name": "%name", "name": "%name"},
    {"dataset.name": "%a", "a": "%b", "b": "%a"},
    {"dataset.name": "%"},
  ],
)
def test_a_macro_without_a_value_is_one_line(tmp_path, config):
  with pytest.raises(errors.DatasetError, match=r"is damaged: %.* has no value") as caught:
    stages.dataset_bindings(record(tmp_path, config))
  assert "\n" not in str(caught.value)


def test_values_that_are_no_text_are_taken_as_they_are(tmp_path):
  assert stages.dataset_bindings(record(tmp_path, {"dataset.name": 3})) == {"dataset.name": "3"}
