import gin
import pytest

from dl_condind.data.ground_truth import dsprites
from dl_condind.data.ground_truth import dummy_data
from dl_condind.data.ground_truth import named_data
from dl_condind.utils import errors


@pytest.fixture(autouse=True)
def _clear_gin():
  yield
  gin.clear_config()


@pytest.mark.parametrize(
  ("name", "data_class"),
  [("dsprites_full", dsprites.DSprites), ("dummy_data", dummy_data.DummyData)],
)
def test_gin_names_the_data_set(name, data_class):
  gin.parse_config(f"dataset.name = '{name}'")
  data = named_data.get_named_ground_truth_data()
  assert type(data) is data_class
  assert data.name == name


def test_every_name_is_that_of_its_data_set():
  for name in named_data.DATA_SETS.keys() - {"arrays", "image_folder", "mnist"}:
    assert named_data.get_named_ground_truth_data(name).name == name


@pytest.mark.parametrize("name", ["arrays", "image_folder"])
def test_own_data_need_a_path(name):
  with pytest.raises(errors.ConfigError, match=rf"{name}\.path must be the name of .*, got None"):
    named_data.get_named_ground_truth_data(name)


def test_misspelt_name_gets_a_suggestion():
  with pytest.raises(
    errors.ConfigError,
    match=r"one of abstract_dsprites, .*, got 'smalnorb'\. Did you mean 'smallnorb'\? A data set "
    "of your own needs the `import` of its module .* trust_gin_imports=True",
  ):
    named_data.get_named_ground_truth_data("smalnorb")


@pytest.mark.parametrize("name", ["celeba", None, ["dummy_data"]])
def test_unknown_name_is_refused(name):
  with pytest.raises(errors.ConfigError, match=r"dataset\.name must be one of"):
    named_data.get_named_ground_truth_data(name)


def test_name_is_required():
  with pytest.raises(RuntimeError, match="name"):
    named_data.get_named_ground_truth_data()
