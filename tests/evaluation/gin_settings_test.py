import numpy as np
import pytest

from dl_condind.evaluation import gin_settings
from dl_condind.utils import configs
from dl_condind.utils import errors

VALUES = np.random.RandomState(0).random_sample((500, 2))
OF_HISTOGRAM = "discretizer.discretizer_fn = @histogram_discretizer"


def num_bins():
  return len(np.unique(gin_settings.discretize(VALUES)))


@pytest.mark.parametrize("bindings", [[], [OF_HISTOGRAM]])
def test_bins_of_either_name(bindings):
  configs.parse([], bindings)
  assert num_bins() == 20
  configs.parse([], [*bindings, "discretizer.num_bins = 6"])
  assert num_bins() == 6
  configs.parse([], [*bindings, "histogram_discretizer.num_bins = 7"])
  assert num_bins() == 7
  assert configs.operative().values["histogram_discretizer.num_bins"] == "7"
  both = ["discretizer.num_bins = 8", "histogram_discretizer.num_bins = 8"]
  configs.parse([], [*bindings, *both])
  assert num_bins() == 8


def test_bins_that_would_have_no_effect_are_refused():
  configs.parse([], ["discretizer.num_bins = 8", "histogram_discretizer.num_bins = 9"])
  with pytest.raises(errors.ConfigError, match=r"= 9 has no effect, for discretizer\.num_bins = 8"):
    num_bins()
  configs.parse([], ["histogram_discretizer.num_bins = 9"])
  with pytest.raises(errors.ConfigError, match=r"for discretizer\.discretizer_fn is another"):
    gin_settings.discretize(VALUES, discretizer_fn=lambda target, num_bins: target)


def test_another_function_gets_the_bins():
  configs.parse([], [])
  seen = []
  for bins in (None, 5):
    gin_settings.discretize(VALUES, bins, lambda target, num_bins: seen.append(num_bins))
  assert seen == [20, 5]
