import copy

import numpy as np

from dl_condind.utils import seeds


def test_seed_leaves_the_random_state_as_it_is():
  random_state = np.random.RandomState(3)
  before = copy.deepcopy(random_state)
  seed = seeds.seed_from(random_state)
  assert seed == seeds.seed_from(before)
  assert random_state.randint(10**9) == before.randint(10**9)
  assert seed != seeds.seed_from(random_state)  # which has moved on
