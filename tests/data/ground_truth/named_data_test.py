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
  for name in named_data.DATA_SETS:
    assert named_data.get_named_ground_truth_data(name).name == name


def test_misspelt_name_gets_a_suggestion():
  with pytest.raises(
    errors.ConfigError,
    match=r"one of dsprites_full, dummy_data, got 'dsprite'\. Did you mean 'dsprites_full'\?",
  ):
    named_data.get_named_ground_truth_data("dsprite")


@pytest.mark.parametrize("name", ["mnist", None, ["dummy_data"]])
def test_unknown_name_is_refused(name):
  with pytest.raises(errors.ConfigError, match=r"dataset\.name must be one of"):
    named_data.get_named_ground_truth_data(name)


def test_name_is_required():
  with pytest.raises(RuntimeError, match="name"):
    named_data.get_named_ground_truth_data()
