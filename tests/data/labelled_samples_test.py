import functools

import gin
from helpers import testdata
import numpy as np
import pytest

from dl_condind.data import labelled_samples
from dl_condind.data.ground_truth import dsprites
from dl_condind.data.ground_truth import dummy_data
from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.utils import configs
from dl_condind.utils import errors

LABELLERS = {
  "perfect": labelled_samples.perfect_labeller,
  "bin": labelled_samples.bin_labeller,
  "noisy": labelled_samples.noisy_labeller,
  "permuted": labelled_samples.permuted_labeller,
  "partial": labelled_samples.partial_labeller,
}


class Factors(ground_truth_data.GroundTruthData):
  """Factors as observations, with one more draw for each."""

  def __init__(self, sizes, dtype=np.int64):
    super().__init__("factors", [f"f{i}" for i in range(len(sizes))], sizes, (len(sizes),))
    self._dtype = dtype

  def sample_factors(self, num, random_state):
    columns = [random_state.randint(size, size=num) for size in self.factors_num_values]
    return np.stack(columns, axis=1).astype(self._dtype)

  def sample_observations_from_factors(self, factors, random_state):
    return np.float32(factors + random_state.rand(len(factors), 1))


def next_number(name, random_state, factors, sizes, settings):
  """Returns the number after the draws that a labeller makes, one by one as it is defined."""
  if name == "noisy":
    for _ in factors:
      for size in sizes:
        if random_state.rand() < settings["prob_random"]:
          random_state.randint(size)
  elif name == "permuted":
    for size in sizes:
      random_state.permutation(size)
  elif name == "partial":
    random_state.choice(len(sizes), settings["num_observed_factors"], replace=False)
  return random_state.rand()


@pytest.mark.parametrize("name", LABELLERS)
def test_labels_and_next_number_are_those_of_disentanglement_lib(name):
  expected = testdata.dlib_draws()["labellers"][name]
  data = dsprites.DSprites()
  random_state, other = (np.random.RandomState(expected["seed"]) for _ in range(2))
  factors = data.sample_factors(8, random_state)
  assert factors.tolist() == expected["factors"]
  labels, num_values = LABELLERS[name](factors, data, random_state, **expected["kwargs"])
  assert labels.dtype == np.float32
  assert labels.tolist() == expected["labels"]
  assert num_values == expected["sizes"]
  assert factors.tolist() == expected["factors"]  # They are not changed in place.
  data.sample_factors(8, other)
  sizes = data.factors_num_values
  assert random_state.rand() == next_number(name, other, factors, sizes, expected["kwargs"])


def test_bins_have_equal_width():
  labels = np.arange(5)[:, None]
  for num_bins, expected in ((3, [0, 0, 1, 1, 2]), (2, [0, 0, 0, 1, 1]), (5, [0, 1, 2, 3, 4])):
    found, num_values = labelled_samples.bin_labeller(labels, Factors([5]), None, num_bins)
    assert found[:, 0].tolist() == expected and num_values == [num_bins]
  _, num_values = labelled_samples.bin_labeller(labels, Factors([5]), None, num_bins=7)
  assert num_values == [5]


def test_noise_changes_the_share_of_labels_that_it_says():
  data = Factors([5] * 10)
  random_state = np.random.RandomState(0)
  factors = data.sample_factors(10_000, random_state)
  labels, _ = labelled_samples.noisy_labeller(factors, data, random_state, prob_random=0.1)
  # A value that is drawn may be the one before: 8,000 of 100,000 change, give or take 86.
  assert abs(np.sum(labels != factors) - 8000) < 350
  assert labels.min() == 0 and labels.max() == 4


def test_a_permutation_renames_values():
  data = Factors([4, 6])
  random_state = np.random.RandomState(0)
  factors = data.sample_factors(200, random_state)
  labels, _ = labelled_samples.permuted_labeller(factors, data, random_state)
  for before, after, size in zip(factors.T, labels.T, (4, 6), strict=True):
    names = {value: set(after[before == value]) for value in range(size)}
    assert all(len(found) == 1 for found in names.values())
    assert set.union(*names.values()) == set(range(size))


def test_partial_labels_keep_the_order_they_are_drawn_in():
  data = Factors([2, 3, 4, 5, 6])
  orders = set()
  for seed in range(20):
    random_state = np.random.RandomState(seed)
    factors = data.sample_factors(30, random_state)
    labels, num_values = labelled_samples.partial_labeller(factors, data, random_state, 3)
    kept = [size - 2 for size in num_values]
    np.testing.assert_array_equal(labels, factors[:, kept])
    orders.add(tuple(kept))
  assert any(order != tuple(sorted(order)) for order in orders)


def test_a_sample_is_drawn_in_the_order_of_disentanglement_lib():
  data = Factors([4, 6])
  noisy = functools.partial(labelled_samples.noisy_labeller, prob_random=0.5)
  sample = labelled_samples.sample(data, 7, seed=3, labeller_fn=noisy)
  random_state = np.random.RandomState(3)
  factors = data.sample_factors(7, random_state)
  observations = data.sample_observations_from_factors(factors, random_state)
  labels, _ = labelled_samples.noisy_labeller(factors, data, random_state, 0.5)
  np.testing.assert_array_equal(sample.observations, observations)
  np.testing.assert_array_equal(sample.labels, labels)
  assert sample.num_values == [4, 6]
  plain = labelled_samples.sample(data, 7, seed=3)
  np.testing.assert_array_equal(plain.labels, factors)


def test_labeller_is_bound_by_disentanglement_libs_names():
  configs.parse([], ["labeller.labeller_fn = @bin_labeller", "bin_labeller.num_bins = 2"])
  sample = labelled_samples.sample(Factors([4, 6]), 50, 0, labelled_samples.labeller())
  assert sample.num_values == [2, 2] and set(sample.labels.ravel()) == {0, 1}
  gin.clear_config()
  assert labelled_samples.sample(
    Factors([4, 6]), 50, 0, labelled_samples.labeller()
  ).num_values == [4, 6]


def test_split_takes_the_first_rows_rounded_up():
  rows, squares = np.arange(11), np.arange(11) ** 2
  train, test = labelled_samples.split(0.5, "p", rows, squares)
  assert train[0].tolist() == [0, 1, 2, 3, 4, 5] and test[0].tolist() == [6, 7, 8, 9, 10]
  np.testing.assert_array_equal(train[1], train[0] ** 2)
  np.testing.assert_array_equal(test[1], test[0] ** 2)


@pytest.mark.parametrize("train_percentage", [0.0, -0.5, 0.95, 1.0, 2.0])
def test_no_label_left_is_one_line(train_percentage):
  with pytest.raises(
    errors.ConfigError,
    match=rf"^model\.train_percentage must be a fraction in \(0, 1\) that leaves points to test on,"
    rf" got {train_percentage} of 10 points\.$",
  ):
    labelled_samples.split(train_percentage, "model.train_percentage", np.arange(10))


CONTINUOUS = Factors([4, 6], np.float64)


@pytest.mark.parametrize(
  "data, num, labeller, message",
  [
    (Factors([4]), 0, "perfect", r"num_labelled_samples must be in \[1, 1048576\], got 0"),
    (Factors([4]), 2**21, "perfect", r"num_labelled_samples must be in"),
    (Factors([4]), 5, ("bin", {"num_bins": 0}), r"bin_labeller\.num_bins must be in \[1, "),
    (
      Factors([4]),
      5,
      ("noisy", {"prob_random": 1.5}),
      r"prob_random must be in \[0, 1\], got 1\.5",
    ),
    (Factors([4]), 5, ("partial", {"num_observed_factors": 2}), r"must be in \[1, 1\], got 2"),
    (Factors([4]), 5, ("partial", {"num_observed_factors": 0}), r"num_observed_factors must be in"),
    (CONTINUOUS, 5, "bin", r"bin_labeller needs factors with whole numbers as values, and factors"),
    (CONTINUOUS, 5, "noisy", r"noisy_labeller needs factors .* choose @perfect_labeller"),
    (CONTINUOUS, 5, "permuted", r"permuted_labeller needs factors"),
  ],
)
def test_bad_input_is_one_line(data, num, labeller, message):
  name, settings = labeller if isinstance(labeller, tuple) else (labeller, {})
  labeller_fn = functools.partial(LABELLERS[name], **settings)
  with pytest.raises(errors.ConfigError, match=message) as caught:
    labelled_samples.sample(data, num, seed=0, labeller_fn=labeller_fn)
  assert "\n" not in str(caught.value)


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_out_of_range_is_one_line(seed):
  with pytest.raises(errors.ConfigError, match=rf"^seed must be in \[0, 2\*\*32\), got {seed}\.$"):
    labelled_samples.sample(Factors([4]), 5, seed)


def test_data_without_factors_is_one_line():
  data = dummy_data.DummyData()
  data.factors_num_values = []
  with pytest.raises(errors.ConfigError, match="dummy_data has no factors, of which labels are"):
    labelled_samples.sample(data, 5, seed=0)
