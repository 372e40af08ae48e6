import gin
import numpy as np
import pytest

from dl_condind.data.ground_truth import cars3d
from dl_condind.data.ground_truth import dsprites
from dl_condind.data.ground_truth import factor_distributions
from dl_condind.data.ground_truth import factor_presets
from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.data.ground_truth import mpi3d
from dl_condind.data.ground_truth import named_data
from dl_condind.data.ground_truth import shapes3d
from dl_condind.utils import configs
from dl_condind.utils import errors

TRAEUBLE = {"a": "shapes3d", "b": "dsprites", "c": "mpi3d", "d": "shapes3d", "e": "shapes3d"}


class Grid(ground_truth_data.GroundTruthData):
  """The factors of a data set without its images."""

  def sample_factors(self, num, random_state):
    raise AssertionError("the distribution draws")

  def sample_observations_from_factors(self, factors, random_state):
    return np.zeros((len(factors), 1, 1, 1), np.float32)


def grid_of(preset):
  first, second, *_ = preset.split("_")
  name = TRAEUBLE[second] if first == "traeuble" else first
  made = {
    "cars3d": cars3d.Cars3D,
    "dsprites": dsprites.DSprites,
    "mpi3d": lambda: mpi3d.MPI3D("mpi3d_real", factor_sizes=[6, 6, 2, 3, 3, 40, 40]),
    "shapes3d": shapes3d.Shapes3D,
  }[name]()
  return Grid(name, made.factor_names, made.factors_num_values, (1, 1, 1))


@pytest.mark.parametrize("name", factor_presets.names())
def test_every_preset_fits_its_data_set(name):
  distribution = factor_presets.named_factor_distribution(name)
  data = factor_distributions.RedistributedFactors(grid_of(name), distribution)
  factors = data.sample_factors(500, np.random.RandomState(0))
  correlations = data.correlations()
  for pair in distribution.pairs(data.factor_names):
    first, second = sorted(pair, key=data.factor_names.index)
    assert correlations[f"{first}~{second}"] > 0.2
    columns = factors[:, [data.factor_names.index(name) for name in (first, second)]]
    assert np.corrcoef(columns.T)[0, 1] > 0.1


def test_there_are_all_that_were_published():
  names = factor_presets.names()
  assert len(names) == 65 and len([name for name in names if name.startswith("traeuble")]) == 15


@pytest.mark.parametrize(
  ("name", "pairs", "kind", "strength"),
  [
    ("traeuble_b_04", [("orientation", "posX")], "line", 0.4),
    (
      "shapes3d_double_1_004",
      [("scale", "floor hue"), ("shape", "wall hue")],
      "unit_gaussian",
      0.04,
    ),
    (
      "cars3d_conf_3_02",
      [("object", "elevation"), ("object", "azimuth")],
      "unit_gaussian",
      0.2,
    ),
  ],
)
def test_settings_of_presets(name, pairs, kind, strength):
  found = factor_presets.named_factor_distribution(name)
  assert found.pairs(grid_of(name).factor_names) == pairs
  assert (found.kind, found.strength) == (kind, strength)


def test_gin_binds_a_name():
  bindings = [
    "dataset.name = 'dsprites_full'",
    "dataset.factor_distribution = @named_factor_distribution()",
    "named_factor_distribution.name = 'dsprites_single_2_01'",
  ]
  configs.parse([], bindings)
  data = named_data.get_named_ground_truth_data()
  assert data.correlations()["posX~posY"] == pytest.approx(0.942, abs=5e-4)
  gin.clear_config()


def test_an_unknown_name_is_one_line_with_a_hint():
  with pytest.raises(errors.ConfigError, match=r"'traeuble_a_2'\. Did you mean 'traeuble_a_02'\?"):
    factor_presets.named_factor_distribution("traeuble_a_2")
