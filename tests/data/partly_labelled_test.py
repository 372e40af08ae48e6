import functools

import numpy as np
import pytest

from dl_condind.data import batches
from dl_condind.data import labelled_samples
from dl_condind.data import partly_labelled
from dl_condind.data.ground_truth import dummy_data
from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.utils import errors

SIZES = [3, 6, 4]


class Factors(ground_truth_data.GroundTruthData):
  """Observations that are the factors and a number of their own."""

  def __init__(self, sizes=SIZES, dtype=np.int64, offset=0):
    super().__init__("factors", [f"f{i}" for i in range(len(sizes))], sizes, (len(sizes) + 1,))
    self._dtype, self._offset = dtype, offset

  def sample_factors(self, num, random_state):
    columns = [random_state.randint(size, size=num) for size in self.factors_num_values]
    return np.stack(columns, axis=1).astype(self._dtype) + self._dtype(self._offset)

  def sample_observations_from_factors(self, factors, random_state):
    return np.hstack([factors, random_state.rand(len(factors), 1)]).astype(np.float32)


def prepared(*arguments, seed=0, **settings):
  return partly_labelled.PartlyLabelled(*arguments, **settings).prepared(seed)


def test_labelled_rows_come_in_order_again_and_again():
  labelled = prepared(Factors(), 10, train_percentage=0.7, seed=3)
  sample = labelled_samples.sample(Factors(), 10, seed=3)
  found = [labelled.sample(4, np.random.RandomState(9), step) for step in range(5)]
  rows = np.arange(20) % 7
  np.testing.assert_array_equal(
    np.concatenate([batch.labelled_images for batch in found]), sample.observations[rows]
  )
  np.testing.assert_array_equal(np.concatenate([b.labels for b in found]), sample.labels[rows])
  assert found[0].labels.dtype == np.float32
  # A batch that is larger than the labelled observations has some of them twice.
  large = labelled.sample(10, np.random.RandomState(9), 1)
  np.testing.assert_array_equal(large.labels, sample.labels[np.arange(10, 20) % 7])


def test_rows_to_test_on_are_the_others():
  labelled = prepared(Factors(), 10, train_percentage=0.7)
  sample = labelled_samples.sample(Factors(), 10, seed=0)
  found = labelled.for_evaluation().sample(5, np.random.RandomState(9), 1)
  np.testing.assert_array_equal(found.labels, sample.labels[7:][np.arange(5, 10) % 3])
  again = labelled.sample(5, np.random.RandomState(9), 1)
  np.testing.assert_array_equal(again.labels, sample.labels[np.arange(5, 10) % 7])


def test_images_without_labels_are_those_of_the_state():
  labelled = prepared(Factors(), 10)
  plain = batches.Images(Factors())
  for seed in (0, 1):
    found = labelled.sample(6, np.random.RandomState(seed), step=seed).images
    np.testing.assert_array_equal(found, plain.sample(6, np.random.RandomState(seed)))


def test_labels_come_from_the_runs_seed_unless_they_have_their_own():
  def labels(own, run):
    settings = {} if own is None else {"seed": own}
    batch = partly_labelled.PartlyLabelled(Factors(), 20, **settings).prepared(run)
    return batch.sample(18, np.random.RandomState(0)).labels.tolist()

  assert labels(None, 5) == labels(5, 0) == labels(5, 7) != labels(None, 6)
  # The validation with this seed has the very labels.
  assert labels(None, 5) == labelled_samples.sample(Factors(), 20, seed=5).labels[:18].tolist()


def test_labelled_observations_are_held_once():
  labelled = prepared(Factors(), 10)
  evaluated = labelled.for_evaluation()
  assert evaluated._sample is labelled._sample


def test_layout_is_that_of_a_batch_also_before_anything_is_drawn():
  partial = functools.partial(labelled_samples.partial_labeller, num_observed_factors=2)
  described = partly_labelled.PartlyLabelled(dummy_data.DummyData(), 10, labeller_fn=partial)
  for labelled in (described, described.prepared(0, reads_data=False), described.prepared(0)):
    layout = labelled.layout(5)
    assert layout.images == layout.labelled_images == batches.Layout((5, 64, 64, 1), np.float32)
    assert layout.labels == batches.Layout((5, 2), np.float32)
  batch = labelled.sample(5, np.random.RandomState(0))
  for part, expected in zip(batch, layout, strict=True):
    assert (part.shape, part.dtype) == (expected.shape, expected.dtype)


def test_numbers_of_values_are_the_labellers():
  partial = functools.partial(labelled_samples.partial_labeller, num_observed_factors=2)
  seeds = range(6)
  found = [prepared(Factors(), 10, labeller_fn=partial, seed=seed).num_values for seed in seeds]
  expected = [labelled_samples.sample(Factors(), 10, seed, partial).num_values for seed in seeds]
  assert found == expected and len({tuple(sizes) for sizes in found}) > 1
  binned = functools.partial(labelled_samples.bin_labeller, num_bins=3)
  assert partly_labelled.PartlyLabelled(Factors(), 10, labeller_fn=binned).num_values == [3, 3, 3]


@pytest.mark.parametrize(
  "data, message",
  [
    (Factors(dtype=np.float64, offset=0.5), r"label 0 of factors, with 3 values, is \d\.5 once"),
    (Factors(offset=1), r"is [346] once: choose another supervised_loss\.loss_fn, or a labeller"),
    (Factors(offset=-1), r"is -1 once"),
  ],
)
def test_labels_that_are_no_classes_are_one_line(data, message):
  labelled = prepared(data, 50)
  with pytest.raises(errors.ConfigError, match=rf"^embed needs labels that are whole.*{message}"):
    labelled.check_classes("embed")
  partly_labelled.PartlyLabelled(data, 50).check_classes("embed")  # Nothing is drawn yet.
  prepared(Factors(), 50).check_classes("embed")


@pytest.mark.parametrize(
  "settings, message",
  [
    ({"num_labelled_samples": 0}, r"^model\.num_labelled_samples must be in \[1, 1048576\], got 0"),
    ({"num_labelled_samples": 2**21}, r"^model\.num_labelled_samples must be in"),
    ({"num_labelled_samples": 9.5}, r"num_labelled_samples must be a whole number, got 9\.5\.$"),
    ({"num_labelled_samples": 1}, r"train_percentage must .* points to test on, got 0\.9 of 1 poi"),
    (
      {"train_percentage": 1.0},
      r"^model\.train_percentage must be a fraction in \(0, 1\) that leaves points to test on, got "
      r"1\.0 of 20 points\.$",
    ),
    ({"train_percentage": 0.99}, r"leaves points to test on, got 0\.99 of 20 points"),
    ({"train_percentage": 0.0}, r"got 0\.0 of 20 points"),
    ({"seed": -1}, r"^model\.supervised_data_seed must be in \[0, 2\*\*32\), got -1\.$"),
    ({"data": Factors([])}, r"factors has no factors, of which labels are made"),
    ({"data": 3}, r"data must be a data set, .* got int\.$"),
  ],
)
def test_bad_settings_are_one_line(settings, message):
  with pytest.raises(errors.ConfigError, match=message) as caught:
    partly_labelled.PartlyLabelled(**{"data": Factors(), "num_labelled_samples": 20, **settings})
  assert "\n" not in str(caught.value)


def test_a_labeller_that_refuses_the_factors_is_one_line():
  labelled = partly_labelled.PartlyLabelled(
    Factors(dtype=np.float64), 20, labeller_fn=labelled_samples.bin_labeller
  )
  with pytest.raises(errors.ConfigError, match=r"^bin_labeller needs factors with whole numbers"):
    labelled.prepared(0)
