import copy

import numpy as np
import pytest

from dl_condind.utils import errors
from dl_condind.utils import seeds


def test_seed_leaves_the_random_state_as_it_is():
  random_state = np.random.RandomState(3)
  before = copy.deepcopy(random_state)
  seed = seeds.seed_from(random_state)
  assert seed == seeds.seed_from(before)
  assert random_state.randint(10**9) == before.randint(10**9)
  assert seed != seeds.seed_from(random_state)  # which has moved on


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_out_of_range_is_an_error(seed):
  with pytest.raises(errors.ConfigError, match=r"x\.seed must be in \[0, 2\*\*32\), got "):
    seeds.check_seed("x.seed", seed)
  seeds.check_seed("x.seed", 2**32 - 1)
