import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from dl_condind.evaluation.metrics import mig
from dl_condind.evaluation.metrics import relabelled_mig
from dl_condind.utils import errors

# All pairs of 8 values, with a third factor that is not part of the pair.
FACTORS = np.stack(np.meshgrid(np.arange(3), np.arange(8), np.arange(8), indexing="ij"), axis=-1)
FACTORS = FACTORS.reshape(-1, 3)
PAIR = (1, 2)


def score(representations, factors=FACTORS, pair=PAIR):
  return relabelled_mig.relabelled_mutual_information_gap(representations, factors, pair)


def test_latents_along_the_factors_and_along_the_diagonals():
  first, second = FACTORS[:, 1], FACTORS[:, 2]
  along = score(np.stack([first, second], axis=1).astype(float))
  assert along["pair_mig"] == pytest.approx(1.0)
  assert along["sum_difference_mig"] == pytest.approx(0.0, abs=1e-12)
  diagonal = score(np.stack([first + second, first - second], axis=1).astype(float))
  assert diagonal["sum_difference_mig"] > 0.5
  assert diagonal["pair_mig"] == pytest.approx(0.0, abs=1e-12)


def test_gaps_are_those_of_an_independent_computation():
  random_state = np.random.RandomState(0)
  codes = random_state.randint(4, size=(len(FACTORS), 3)) + FACTORS  # fewer than 20 values
  results = score(codes.astype(float))
  label = FACTORS[:, 1] + FACTORS[:, 2]
  first, second = sorted(metrics.mutual_info_score(code, label) for code in codes.T)[:-3:-1]
  entropy = stats.entropy(np.unique(label, return_counts=True)[1])
  assert results["gap.sum"] == pytest.approx((first - second) / entropy, rel=1e-9)
  of_pair = mig.mutual_information_gap(codes.astype(float), FACTORS[:, 1:])
  assert results["pair_mig"] == pytest.approx(of_pair["discrete_mig"], rel=1e-12)


def test_relabelling_twice_gives_the_pair_again():
  random_state = np.random.RandomState(1)
  codes = FACTORS + random_state.standard_normal(FACTORS.shape)
  first, second = FACTORS[:, 1], FACTORS[:, 2]
  relabelled = np.stack([FACTORS[:, 0], first + second, first - second], axis=1)
  before, after = score(codes), score(codes, relabelled)
  assert after["pair_mig"] == before["sum_difference_mig"]
  assert after["sum_difference_mig"] == pytest.approx(before["pair_mig"], rel=1e-12)  # 2a and 2b


@pytest.mark.parametrize("pair", [(0,), (1, 1), (1, 3), (-1, 1), (0, 1, 2)])
def test_a_bad_pair_is_one_line(pair):
  with pytest.raises(errors.ConfigError, match=r"^relabelled_mig.pair must be two .*\[0, 1, 2\]"):
    score(FACTORS.astype(float), pair=pair)


def test_a_factor_that_does_not_vary_is_refused():
  factors = FACTORS * [0, 1, 1]
  with pytest.raises(errors.ConfigError, match=r"\[1, 2\], got \(0, 1\)"):
    score(FACTORS.astype(float), factors, pair=(0, 1))


def test_sums_of_small_integers_do_not_wrap():
  factors = np.stack(np.meshgrid(np.arange(0, 200, 8), np.arange(0, 200, 8)), axis=-1).reshape(
    -1, 2
  )
  codes = factors + np.random.RandomState(0).standard_normal(factors.shape)
  assert score(codes, factors.astype(np.uint8), (0, 1)) == score(codes, factors, (0, 1))
