import numpy as np
import pytest
from scipy import stats

from dl_condind.evaluation.infogan import coded_generator
from dl_condind.utils import errors


def generator(**changes):
  values = {
    "num_continuous": 2,
    "num_noise": 3,
    "num_categories": 10,
    "continuous_prior": "normal",
    "generate": None,
    "recognize": None,
    "load_classifier": None,
  }
  return coded_generator.CodedGenerator(**{**values, **changes})


def draw(num=5000, seed=0, **changes):
  random_state = np.random.RandomState(seed)
  return coded_generator.draw_codes(generator(**changes), num, random_state)


@pytest.mark.parametrize(
  "prior, distribution", [("normal", stats.norm), ("uniform", stats.uniform(-1, 2))]
)
def test_codes_have_their_priors(prior, distribution):
  codes = draw(continuous_prior=prior)
  assert codes.continuous.dtype == codes.noise.dtype == np.float32
  assert codes.continuous.shape == (5000, 2) and codes.noise.shape == (5000, 3)
  for column in codes.continuous.T:
    assert stats.kstest(column, distribution.cdf).pvalue > 0.01
  for column in codes.noise.T:
    assert stats.kstest(column, stats.norm.cdf).pvalue > 0.01
  assert stats.chisquare(np.bincount(codes.categories, minlength=10)).pvalue > 0.01
  assert np.abs(np.corrcoef(codes.continuous, codes.noise, rowvar=False) - np.eye(5)).max() < 0.06


def test_draws_repeat_and_depend_on_the_seed():
  first, again, other = draw(), draw(), draw(seed=1)
  for name in ("continuous", "noise", "categories"):
    np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    assert (getattr(first, name) != getattr(other, name)).any()


def test_model_without_categories_has_none():
  codes = draw(num=4, num_categories=0)
  assert codes.categories is None
  assert coded_generator.traverse(codes, 0, np.zeros(2)).categories is None


def test_unknown_prior_is_refused():
  with pytest.raises(errors.ConfigError, match="must be one of normal, uniform, got 'cauchy'"):
    draw(continuous_prior="cauchy")


def test_traversal_moves_one_code():
  codes, values = draw(num=3), np.array([-2.0, 0.0, 2.0, 4.0])
  moved = coded_generator.traverse(codes, 1, values)
  assert moved.continuous.shape == (12, 2)
  for row in range(12):
    start, value = divmod(row, 4)
    assert moved.continuous[row, 0] == codes.continuous[start, 0]
    assert moved.continuous[row, 1] == values[value]
    np.testing.assert_array_equal(moved.noise[row], codes.noise[start])
    assert moved.categories[row] == codes.categories[start]


def test_it_is_no_representation():
  with pytest.raises(errors.ConfigError, match=r"no representation.*infogan_disentanglement\.gin"):
    generator()(np.zeros((1, 28, 28, 1)))
