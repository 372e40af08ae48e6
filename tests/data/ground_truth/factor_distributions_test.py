import numpy as np
import pytest

from dl_condind.data.ground_truth import dummy_data
from dl_condind.data.ground_truth import factor_distributions
from dl_condind.data.ground_truth import factor_pairs
from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.utils import errors


class Plain(ground_truth_data.GroundTruthData):
  """Observations that are their factors."""

  def __init__(self, sizes=(3, 4, 5, 2)):
    super().__init__("plain", list("abcd")[: len(sizes)], sizes, (len(sizes), 1, 1))

  def sample_factors(self, num, random_state):
    raise AssertionError("the distribution draws")

  def sample_observations_from_factors(self, factors, random_state):
    return factors.astype(np.float32)[:, :, None, None]


def redistribute(**settings):
  distribution = factor_distributions.FactorDistribution(**settings)
  return factor_distributions.RedistributedFactors(Plain(), distribution)


@pytest.mark.parametrize("strength", [0.1, 0.4, 5.0])
def test_pair_has_the_distribution_of_the_paper(strength):
  data = redistribute(correlated_pairs=[("c", "a")], strength=strength)
  factors = data.sample_factors(200_000, np.random.RandomState(0))
  expected = np.array(
    [[np.exp(-((a / 3 - c / 5) ** 2) / (2 * strength**2)) for c in range(5)] for a in range(3)]
  )
  expected /= expected.sum()
  found = np.zeros((3, 5))
  np.add.at(found, (factors[:, 0], factors[:, 2]), 1 / len(factors))
  # Four standard deviations of a frequency.
  assert np.abs(found - expected).max() < 4 * np.sqrt(0.25 / len(factors))
  np.testing.assert_allclose(data.distribution, expected)
  correlation = np.corrcoef(factors[:, 0], factors[:, 2])[0, 1]
  assert data.correlations()["a~c"] == pytest.approx(correlation, abs=0.01)


@pytest.mark.parametrize("sizes", [(8, 15), (10, 10), (6, 32)])
@pytest.mark.parametrize("strength, correlation", [(0.2, 0.77), (0.4, 0.40), (0.7, 0.16)])
def test_correlation_at_the_strengths_of_the_docstring(sizes, strength, correlation):
  distribution = factor_distributions.FactorDistribution([("a", "b")], strength)
  data = factor_distributions.RedistributedFactors(Plain(sizes), distribution)
  assert data.correlations()["a~b"] == pytest.approx(correlation, abs=0.006)


def test_a_line_is_in_the_order_of_its_pair():
  line = {"strength": 0.4, "kind": "line"}
  there, back = (
    redistribute(correlated_pairs=[pair], **line).distribution for pair in (("b", "c"), ("c", "b"))
  )
  np.testing.assert_allclose(there, np.exp(factor_pairs.line((4, 5), 0.4)), atol=1e-15)
  np.testing.assert_allclose(back, np.exp(factor_pairs.line((5, 4), 0.4)).T, atol=1e-15)
  factors = redistribute(correlated_pairs=[("b", "c")], **line).sample_factors(
    20_000, np.random.RandomState(0)
  )
  drawn = np.zeros((4, 5))
  np.add.at(drawn, (factors[:, 1], factors[:, 2]), 1 / len(factors))
  assert not drawn[there == 0].any() and np.abs(drawn - there).max() < 0.015


def test_lines_that_exclude_each_other_are_refused():
  pairs = [("a", "c"), ("c", "b")]
  redistribute(correlated_pairs=pairs, strength=0.2, kind="line")
  with pytest.raises(errors.ConfigError, match="holds out every combination"):
    redistribute(
      correlated_pairs=pairs, strength=0.2, kind="line", held_out=[{"c": [0, 1, 2, 3, 4]}]
    )


def test_a_confounder_is_correlated_with_every_other_factor():
  confounded = {"strength": 0.3, "kind": "unit_gaussian"}
  data = redistribute(confounders=["c"], **confounded)
  a, b, c, d = np.ogrid[:3, :4, :5, :2]
  squares = [(c / 4 - other) ** 2 for other in (a / 2, b / 3, d)]
  expected = np.exp(-sum(squares) / (2 * 0.3**2))
  np.testing.assert_allclose(data.distribution, expected / expected.sum())
  # A pair that is named too, or that two confounders share, counts once.
  named = redistribute(confounders=["c"], correlated_pairs=[("c", "a")], **confounded)
  np.testing.assert_allclose(named.distribution, data.distribution)
  both = redistribute(confounders=["c", "a"], **confounded)
  squares += [(a / 2 - other) ** 2 for other in (b / 3, d)]
  expected = np.exp(-sum(squares) / (2 * 0.3**2))
  np.testing.assert_allclose(both.distribution, expected / expected.sum())
  assert "'confounders': ['c', 'a']" in both.provenance()["factor_distribution"]
  assert "'kind': 'unit_gaussian'" in both.provenance()["factor_distribution"]


def test_the_other_factors_stay_uniform_and_independent():
  factors = redistribute(correlated_pairs=[("a", "c")], strength=0.1).sample_factors(
    100_000, np.random.RandomState(1)
  )
  for column, size in ((1, 4), (3, 2)):
    frequencies = np.bincount(factors[:, column], minlength=size) / len(factors)
    assert np.abs(frequencies - 1 / size).max() < 0.007
  correlations = np.corrcoef(factors.T)
  np.fill_diagonal(correlations, 0)
  correlations[0, 2] = correlations[2, 0] = 0
  assert np.abs(correlations).max() < 0.015


def test_rows_are_those_of_the_data_set():
  class Table(ground_truth_data.TableData):
    """Images whose pixel is their row."""

    def __init__(self):
      super().__init__("table", ["a", "b"], [3, 4], [0, 1], (1, 1, 1), packed=False)

    def read_table(self, folder):
      return np.arange(12, dtype=np.uint8).reshape(12, 1, 1, 1), {"source": "", "sha256": ""}

  distribution = factor_distributions.FactorDistribution(correlated_pairs=[("a", "b")])
  data = factor_distributions.redistribute(Table(), distribution)
  assert data.num_rows == 12
  factors, rows = data.sample_rows(20, np.random.RandomState(0))
  np.testing.assert_array_equal(rows, 4 * factors[:, 0] + factors[:, 1])
  np.testing.assert_array_equal(
    data.observations_from_rows(rows), data.sample_observations(20, np.random.RandomState(0))
  )
  assert redistribute(held_out=[{"a": 0}]).num_rows is None


def test_several_pairs_multiply():
  data = redistribute(correlated_pairs=[("a", "b"), ("b", "c")], strength=0.3)
  a, b, c = np.ogrid[:3, :4, :5]
  expected = np.exp(-((a / 3 - b / 4) ** 2 + (b / 4 - c / 5) ** 2) / (2 * 0.3**2))
  np.testing.assert_allclose(data.distribution, expected / expected.sum())
  assert data.correlations().keys() == {"a~b", "a~c", "b~c"}
  assert data.correlations()["a~b"] > data.correlations()["a~c"] > 0


def test_held_out_combinations_are_never_drawn():
  data = redistribute(held_out=[{"a": 2, "c": [0, 1]}, {"d": 1, "a": 0}])
  factors = data.sample_factors(20_000, np.random.RandomState(2))
  a, c, d = factors[:, 0], factors[:, 2], factors[:, 3]
  held_out = ((a == 2) & (c <= 1)) | ((d == 1) & (a == 0))
  assert not held_out.any()
  assert len(np.unique(factors[:, [0, 2, 3]], axis=0)) == 30 - 4 - 5
  assert data.provenance()["held_out_share"] == pytest.approx(9 / 30)


def test_draws_repeat_and_provenance_tells():
  data = redistribute(correlated_pairs=[("a", "c")], strength=0.2)
  first, observations = data.sample(100, np.random.RandomState(3))
  np.testing.assert_array_equal(first, data.sample_factors(100, np.random.RandomState(3)))
  np.testing.assert_array_equal(observations[:, :, 0, 0], first)
  provenance = data.provenance()
  assert provenance["dataset"] == "plain"
  assert provenance["factor_correlation.a~c"] == data.correlations()["a~c"]
  # As records of earlier versions have it, which trainings go on from.
  assert provenance["factor_distribution"] == (
    "{'correlated_pairs': [('a', 'c')], 'strength': 0.2, 'held_out': []}"
  )


def test_a_factor_of_one_value_has_no_correlation():
  distribution = factor_distributions.FactorDistribution([("a", "b")])
  data = factor_distributions.RedistributedFactors(Plain((1, 4)), distribution)
  assert data.correlations() == {"a~b": 0.0}


@pytest.mark.parametrize(
  ("settings", "message"),
  [
    (
      {"correlated_pairs": [("a", "b")], "strength": 0.0},
      r"\[1e-06, 1e\+06\], got 0.0",
    ),
    ({"correlated_pairs": [("a", "b")], "strength": float("nan")}, "1e-06.*got nan"),
    ({}, "needs correlated_pairs, confounders or held_out"),
    ({"correlated_pairs": [("a", "b")], "kind": "lines"}, "one of gaussian, line, unit_gaussian"),
    ({"confounders": "c"}, "confounders must be a list of names, got 'c'"),
    ({"confounders": ["x"]}, "names the factor 'x'; plain has a, b, c, d"),
    ({"correlated_pairs": [("a", "x")]}, "names the factor 'x'; plain has a, b, c, d"),
    ({"held_out": [{"a": 3}]}, r"gives a the values \[3\]; plain has 0 to 2"),
    ({"held_out": [{"a": -1}]}, r"gives a the values \[-1\]"),
    ({"held_out": [{"a": 0.5}]}, r"gives a the values \[0\.5\]"),
    ({"held_out": [{"a": [0, 1, 2]}]}, "holds out every combination"),
    ({"held_out": [{}]}, r"must be mappings from names of factors to values, got \[\{\}\]"),
    ({"held_out": ["a"]}, "must be mappings from names of factors"),
    ({"correlated_pairs": [("a", "a")]}, "must be pairs of different names"),
    ({"correlated_pairs": ["ab"]}, "must be pairs of different names"),
    ({"correlated_pairs": [("a", "b", "c")]}, "must be pairs of different names"),
    ({"correlated_pairs": [("a", "b", "a")]}, "must be pairs of different names"),
    ({"held_out": [{"a": []}]}, r"gives a the values \[\]; plain has 0 to 2"),
  ],
)
def test_settings_that_make_no_sense_are_refused(settings, message):
  with pytest.raises(errors.ConfigError, match=message):
    redistribute(**settings)


def test_too_many_combinations_are_refused():
  pairs = [(f"factor_{i}", f"factor_{i + 1}") for i in range(9)]
  with pytest.raises(errors.ConfigError, match="more than 10000000 combinations"):
    distribution = factor_distributions.FactorDistribution([*pairs, ("factor_0", "factor_9")])
    data = dummy_data.DummyData()
    data.factors_num_values = [9] * 10
    factor_distributions.RedistributedFactors(data, distribution)


def test_a_data_set_without_a_complete_grid_is_refused():
  data = Plain()
  data.has_complete_grid = False
  with pytest.raises(errors.ConfigError, match=r"needs a complete grid.*plain does not have"):
    factor_distributions.RedistributedFactors(
      data, factor_distributions.FactorDistribution([("a", "b")])
    )
