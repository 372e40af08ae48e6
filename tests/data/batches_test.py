from helpers import testdata
import numpy as np
import pytest
from scipy import stats

from dl_condind.data import batches
from dl_condind.data.ground_truth import dsprites
from dl_condind.data.ground_truth import dummy_data
from dl_condind.data.ground_truth import factor_distributions
from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.utils import errors

SIZES = [3, 6, 40, 32, 32]


class FactorsAsImages(ground_truth_data.GroundTruthData):
  """The first pixels of an image are its factors, the last is a factor that is not exposed."""

  def __init__(self, sizes=SIZES):
    names = [f"f{i}" for i in range(len(sizes))]
    super().__init__("factors_as_images", names, sizes, (1, len(sizes) + 1, 1))

  def sample_factors(self, num, random_state):
    columns = [random_state.randint(size, size=num) for size in self.factors_num_values]
    return np.stack(columns, axis=1)

  def sample_observations_from_factors(self, factors, random_state):
    hidden = random_state.randint(1000, size=(len(factors), 1))
    return np.hstack([factors, hidden])[:, None, :, None].astype(np.float32)


def pairs_of(num, seed=0, sizes=SIZES, **settings):
  """Returns factors before and after, [num, num_factors], their hidden ones, and the label."""
  pairs = batches.Pairs(FactorsAsImages(sizes), **settings)
  pair = pairs.sample(num, np.random.RandomState(seed))
  first, second = (part[:, 0, :, 0].astype(int) for part in pair[:2])
  return first[:, :-1], second[:, :-1], (first[:, -1], second[:, -1]), pair.changed


@pytest.mark.parametrize("number", range(15))
def test_the_factors_that_change_are_those_of_disentanglement_lib(number):
  draw = testdata.dlib_draws()["dynamics"][number]
  k, seed, before, after = draw["k"], draw["seed"], draw["z"], draw["next"]
  random_state = np.random.RandomState(seed)
  data = dsprites.DSprites()
  factors = data.sample_factors(1, random_state)[0]
  assert factors.tolist() == before
  _, chosen = batches.Pairs(data, k).step(factors, random_state)
  assert chosen[-1] == draw["index"]
  # Its new values come from the global generator, and may be the ones before.
  different = np.flatnonzero(np.not_equal(before, after))
  assert set(different) <= set(chosen)
  # The order of its draws.
  expected = np.random.RandomState(seed)
  data.sample_factors(1, expected)
  most = expected.randint(1, 5) if k == -1 else k
  num_changed = expected.choice([1, most])
  assert chosen.tolist() == expected.choice(5, num_changed, replace=False).tolist()


def test_what_changes_is_drawn_from_the_given_state_alone():
  np.random.seed(0)
  one = pairs_of(20, seed=3, k=-1)
  np.random.seed(1)
  for part, again in zip(one, pairs_of(20, seed=3, k=-1), strict=True):
    np.testing.assert_array_equal(part, again)
  assert not np.array_equal(one[1], pairs_of(20, seed=4, k=-1)[1])


def expected_shares(num_values):
  """Returns P(n factors differ) for k = 1: one is drawn again, which may keep its value."""
  same = np.mean([1 / size for size in num_values])
  return [same, 1 - same]


def test_shares_of_pairs_by_how_many_factors_differ():
  before, after, _, label = pairs_of(20_000, k=1)
  counts = np.bincount((before != after).sum(axis=1))
  assert stats.chisquare(counts, 20_000 * np.array(expected_shares(SIZES))).pvalue > 1e-3
  assert stats.chisquare(np.bincount(label)).pvalue > 1e-3
  # disentanglement_lib, 20,000 pairs of dSprites: none, one, two, three, four differ.
  before, after, _, _ = pairs_of(20_000, k=-1)
  shares = np.bincount((before != after).sum(axis=1)) / 20_000
  np.testing.assert_allclose(shares, [0.071, 0.585, 0.143, 0.128, 0.073], atol=0.012)


def test_half_of_the_pairs_change_k_factors_and_new_values_are_uniform():
  before, after, _, label = pairs_of(20_000, sizes=[4, 4, 4, 4], k=3)
  differ = before != after
  # Each of 1 or 3 factors differs with probability 3 / 4.
  share = [(stats.binom.pmf(n, 1, 0.75) + stats.binom.pmf(n, 3, 0.75)) / 2 for n in range(4)]
  counts = np.bincount(differ.sum(axis=1), minlength=4)
  assert stats.chisquare(counts, 20_000 * np.array(share)).pvalue > 1e-3
  table = np.zeros((4, 4))
  rows = np.arange(20_000)
  np.add.at(table, (before[rows, label], after[rows, label]), 1)
  assert stats.chi2_contingency(table).pvalue > 1e-3
  assert stats.chisquare(table.sum(axis=0)).pvalue > 1e-3


def test_the_current_value_can_be_excluded():
  before, after, _, label = pairs_of(20_000, sizes=[4, 3, 5], k=1, exclude_current=True)
  differ = before != after
  np.testing.assert_array_equal(differ, np.eye(3, dtype=bool)[label])
  for factor, size in enumerate([4, 3, 5]):
    step = (after - before)[label == factor, factor] % size
    counts = np.bincount(step, minlength=size)
    assert counts[0] == 0 and stats.chisquare(counts[1:]).pvalue > 1e-3


def test_factors_that_are_not_exposed_are_drawn_for_each_image():
  _, _, (first, second), _ = pairs_of(2000, k=1)
  assert np.mean(first == second) < 0.01
  assert abs(np.corrcoef(first, second)[0, 1]) < 0.09  # 4 standard errors of 1 / sqrt(2000).


def test_all_factors_may_change():
  before, after, _, _ = pairs_of(2000, k=5, exclude_current=True)
  assert set((before != after).sum(axis=1)) == {1, 5}


def test_pairs_of_images_are_images_of_the_data_set():
  pair = batches.Pairs(dummy_data.DummyData(), k=2).sample(3, np.random.RandomState(0))
  assert pair.first.shape == pair.second.shape == (3, 64, 64, 1)
  assert pair.changed.dtype == np.int32 and pair.changed.shape == (3,)


def test_the_first_image_follows_the_distribution_of_the_data():
  described = factor_distributions.FactorDistribution([("factor_0", "factor_1")], strength=0.05)
  data = factor_distributions.redistribute(dummy_data.DummyData(), described)
  pairs = batches.Pairs(data, k=1)
  assert pairs.layout(4).first.shape == (4, 64, 64, 1)
  state = np.random.RandomState(0)
  factors = data.sample_factors(500, state)
  assert np.corrcoef(factors[:, :2].T)[0, 1] > 0.95
  after = np.stack([pairs.step(row, state)[0] for row in factors])
  changed = (factors != after)[:, 0]
  # What is drawn again is uniform, as in disentanglement_lib.
  assert abs(np.corrcoef(after[changed, 0], after[changed, 1])[0, 1]) < 0.5


class Incomplete(FactorsAsImages):
  has_complete_grid = False


@pytest.mark.parametrize(
  "make, settings, message",
  [
    (FactorsAsImages, {"k": 0}, r"dynamics\.k must be a whole number in \[1, 5\], the number of f"),
    (FactorsAsImages, {"k": 6}, r"or -1 \(any number\), got 6\."),
    (FactorsAsImages, {"k": -2}, r"or -1 \(any number\), got -2\."),
    (lambda: FactorsAsImages([7]), {"k": -1}, r"in \[1, 1\], .*_as_images, got -1\."),
    (FactorsAsImages, {"k": 1.5}, r"must be a whole number in .* got 1\.5\."),
    (FactorsAsImages, {"k": True}, r"got True\."),
    (FactorsAsImages, {"k": None}, r"got None\."),
    (lambda: np.zeros((3, 4, 4, 1)), {"k": 1}, r"^data must be a data set, .* got ndarray\.$"),
    (Incomplete, {"k": 1}, r"Pairs need a complete grid, .* which factors_as_images does not have"),
    (
      lambda: FactorsAsImages([3, 1]),
      {"k": 1, "exclude_current": True},
      r"exclude_current needs factors of two or more values, and f1 of .* has one",
    ),
  ],
)
def test_pairs_that_cannot_be_are_one_line(make, settings, message):
  with pytest.raises(errors.ConfigError, match=message) as caught:
    batches.Pairs(make(), **settings)
  assert "\n" not in str(caught.value)
