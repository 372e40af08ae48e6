import inspect
import typing

import gin
import numpy as np
import pytest

from dl_condind.data.ground_truth import dummy_data
from dl_condind.evaluation import metric
from dl_condind.utils import configs
from dl_condind.utils import errors
from dl_condind.utils import seeds

METRICS = metric.load_all()
DATA = dummy_data.IdentityObservationsData()


@metric.metric("probe_of_points", draw=metric.points, choices={"kind": ("sum", "mean")})
def compute_probe_of_points(representations, factors, seed, random_state, kind: str = "sum"):
  """Returns what it was given."""
  after = random_state.randint(10**9)
  return {"x": representations, "y": factors, "seed": seed, "after": after, "kind": kind}


@metric.metric("probe_of_splits", draw=metric.splits)
def compute_probe_of_splits(x_train, y_train, x_test, y_test):
  return {"lengths": [len(values) for values in (x_train, y_train, x_test, y_test)]}


@metric.metric("probe_of_data")
def compute_probe_of_data(ground_truth_data, representation_function, size: int = 3):
  return {"data": ground_truth_data, "represent": representation_function, "size": size}


def test_a_metric_that_is_defined_again_replaces_the_first():
  for value in (1, 2):

    @metric.metric("probe_again")
    def compute_again(ground_truth_data, representation_function, result: int = value):
      return {"result": result}

  assert metric.get("probe_again")(DATA, represent, np.random.RandomState(0)) == {"result": 2}
  with pytest.raises(errors.ConfigError, match=r"metrics\.mig has a metric 'mig' already"):
    metric.metric("mig")(compute_again)


def represent(observations):
  return observations * 2.0


def test_points_are_drawn_encoded_and_handed_on_with_a_seed_from_before():
  results = compute_probe_of_points(DATA, represent, np.random.RandomState(1), num_train=50)
  state = np.random.RandomState(1)
  assert results["seed"] == seeds.seed_from(state)
  factors = np.concatenate([DATA.sample(n, state)[0] for n in (16, 16, 16, 2)])
  np.testing.assert_array_equal(results["y"], factors)
  np.testing.assert_array_equal(results["x"], factors * 2.0)
  assert results["after"] == state.randint(10**9)


def test_splits_are_drawn_one_after_the_other():
  state = np.random.RandomState(0)
  results = compute_probe_of_splits(DATA, represent, state, num_train=9, num_test=4)
  assert results["lengths"] == [9, 9, 4, 4]


def test_without_draw_the_data_set_is_handed_on():
  results = compute_probe_of_data(DATA, represent, np.random.RandomState(0), "folder", size=4)
  assert results == {"data": DATA, "represent": represent, "size": 4}


def test_gin_binds_the_settings_of_the_draw_and_of_the_metric():
  gin.parse_config("probe_of_points.num_train = 20\nprobe_of_points.kind = 'mean'")
  results = compute_probe_of_points(DATA, represent, np.random.RandomState(0))
  assert len(results["x"]) == 20
  assert results["kind"] == "mean"
  assert configs.operative().values == {
    "probe_of_points.batch_size": "16",
    "probe_of_points.kind": "'mean'",
    "probe_of_points.num_train": "20",
  }


def test_a_choice_is_checked_before_anything_is_drawn():
  with pytest.raises(errors.ConfigError, match=r"probe_of_points\.kind must be one of sum, mean"):
    compute_probe_of_points(None, None, None, num_train=1, kind="max")


def test_an_unknown_setting_is_an_error():
  with pytest.raises(TypeError, match="sise"):
    compute_probe_of_data(DATA, represent, np.random.RandomState(0), sise=3)


def test_a_name_finds_its_metric():
  assert metric.get("probe_of_data") is compute_probe_of_data
  with pytest.raises(errors.ConfigError, match="no metric 'mgi': choose from aligned_mig, "):
    metric.get("mgi")


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_is_called_as_in_disentanglement_lib(name):
  compute = METRICS[name]
  first, second, third, fourth, *settings = inspect.signature(compute).parameters.values()
  names = [parameter.name for parameter in (first, second, third, fourth)]
  assert names == ["ground_truth_data", "representation_function", "random_state", "artifact_dir"]
  assert fourth.default is None
  returned = inspect.signature(compute).return_annotation
  assert typing.get_origin(returned) is dict  # By which `@mig()`, its results, is no metric.
  assert all(parameter.default is not inspect.Parameter.empty for parameter in settings)
  assert not {"seed", "random_state"} & {parameter.name for parameter in settings}
  assert compute.__doc__.startswith("Returns ") or name.startswith("probe_")


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("argument", ["ground_truth_data", "random_state", "artifact_dir"])
def test_gin_binds_settings_only(name, argument):
  with pytest.raises(ValueError, match="denylist"):
    gin.bind_parameter(f"{name}.{argument}", 1)
