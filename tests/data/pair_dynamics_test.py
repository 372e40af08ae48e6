"""Frequencies of values that a factor is given, against the joint distribution of factors."""

import numpy as np
import pytest

import dl_condind as dl
from dl_condind.data import pair_dynamics
from dl_condind.data.ground_truth import factor_distributions
from dl_condind.utils import errors

NUM = 20_000
FIRST, SECOND, FREE = 0, 1, 2  # position_x, position_y, width


@pytest.fixture(scope="module")
def data():
  distribution = factor_distributions.FactorDistribution([("position_x", "position_y")], 0.2)
  return factor_distributions.redistribute(dl.load_data("spots"), distribution)


def frequencies(name, data, index, factors):
  random_state = np.random.RandomState(0)
  redraw = pair_dynamics.REDRAWS[name]
  drawn = [redraw(data, index, np.array(factors), random_state) for _ in range(NUM)]
  return np.bincount(drawn, minlength=data.factors_num_values[index]) / NUM


def assert_near(found, expected):
  np.testing.assert_allclose(found, expected, atol=4 * np.sqrt(0.25 / NUM))


def given(data, index, factors, exclude=()):
  """p(f_index | the other one of the pair), by Bayes' rule from the joint distribution."""
  joint = data.distribution  # [position_x, position_y]
  row = joint[:, factors[SECOND]] if index == FIRST else joint[factors[FIRST]]
  row = np.delete(row, exclude) if len(exclude) else row
  row = np.insert(row, exclude, 0) if len(exclude) else row
  return row / row.sum()


FACTORS = [2, 4, 1, 3]


def test_uniform_and_fresh_draws_do_not_see_the_other_factors(data):
  for index in (FIRST, SECOND, FREE):
    size = data.factors_num_values[index]
    assert_near(frequencies("uniform", data, index, FACTORS), np.full(size, 1 / size))
  marginal = data.distribution.sum(axis=0)
  assert_near(frequencies("fresh_draw", data, SECOND, FACTORS), marginal)
  assert np.ptp(marginal) > 0.01  # Not uniform.


def test_the_second_factor_follows_the_first_and_not_the_other_way_round(data):
  expected = given(data, SECOND, FACTORS)
  assert_near(frequencies("given_first", data, SECOND, FACTORS), expected)
  assert expected.argmax() == FACTORS[FIRST]
  for index in (FIRST, FREE):
    size = data.factors_num_values[index]
    assert_near(frequencies("given_first", data, index, FACTORS), np.full(size, 1 / size))


@pytest.mark.parametrize("index", [FIRST, SECOND])
def test_a_correlated_factor_gets_another_value_given_the_other(data, index):
  found = frequencies("given_others", data, index, FACTORS)
  assert found[FACTORS[index]] == 0
  assert_near(found, given(data, index, FACTORS, [FACTORS[index]]))


def test_an_independent_factor_may_keep_its_value(data):
  size = data.factors_num_values[FREE]
  assert_near(frequencies("given_others", data, FREE, FACTORS), np.full(size, 1 / size))


def test_a_factor_that_the_others_determine_stays():
  held_out = [{"width": 0, "brightness": [0, 1, 2, 4, 5]}]
  distribution = factor_distributions.FactorDistribution(held_out=held_out)
  data = factor_distributions.redistribute(dl.load_data("spots"), distribution)
  brightness = data.factor_names.index("brightness")
  assert frequencies("given_others", data, brightness, [0, 0, 0, 3])[3] == 1


def test_pairs_of_observations_are_as_the_data_set_draws_them(data):
  pairs = dl.Pairs(data, k=1, redraw="given_first")
  random_state = np.random.RandomState(1)
  before = data.sample_factors(4000, random_state)
  after = np.array([pairs.step(row, random_state)[0] for row in before])
  # position_y follows position_x where it was drawn again, so its correlation stays there.
  changed = after[:, SECOND] != before[:, SECOND]
  assert np.corrcoef(after[changed][:, [FIRST, SECOND]].T)[0, 1] > 0.5
  changed = after[:, FIRST] != before[:, FIRST]
  assert abs(np.corrcoef(after[changed][:, [FIRST, SECOND]].T)[0, 1]) < 0.15


def test_mistakes(data):
  with pytest.raises(errors.ConfigError, match="redraw must be one of uniform, fresh_draw"):
    dl.Pairs(data, k=1, redraw="other")
  with pytest.raises(errors.ConfigError, match="exclude_current is for dynamics.redraw='uniform'"):
    dl.Pairs(data, k=1, redraw="given_others", exclude_current=True)
