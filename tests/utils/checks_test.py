import doctest

import pytest

from dl_condind.utils import checks
from dl_condind.utils import errors


@pytest.mark.parametrize("value", [1, 2.5, 7])
def test_bounds_are_allowed(value):
  checks.check_in("model.x", value, 1, 7)


@pytest.mark.parametrize(
  ("value", "bounds", "message"),
  [
    (0, (1, 2**31 - 1), r"^model\.x must be in \[1, 2147483647\], got 0\.$"),
    (1e7, (1e-6, 1e6), r"^model\.x must be in \[1e-06, 1e\+06\], got 10000000\.0\.$"),
    (float("nan"), (0, 1), r"got nan\.$"),
  ],
)
def test_value_out_of_its_bounds_is_one_line(value, bounds, message):
  with pytest.raises(errors.ConfigError, match=message):
    checks.check_in("model.x", value, *bounds)


def test_closest_name():
  assert doctest.testmod(checks).failed == 0
  assert checks.closest("zzz", ["abc"]) is None
  assert checks.closest("cars", ["cars3d"], cutoff=0.5) == "cars3d"
