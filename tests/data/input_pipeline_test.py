import pathlib

import numpy as np
import pytest
from scipy import stats
import tensorflow as tf

from dl_condind.data import batches
from dl_condind.data import input_pipeline
from dl_condind.data import partly_labelled
from dl_condind.data.ground_truth import dummy_data
from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.data.ground_truth import labelled_images
from dl_condind.utils import errors


class SmallTable(ground_truth_data.TableData):
  """12 images; the first pixel of a byte table is the number of the row."""

  def __init__(self, observation_shape, packed):
    super().__init__(
      name="small_table",
      factor_names=["a", "b"],
      factor_sizes=[3, 4],
      latent_factor_indices=[0, 1],
      observation_shape=observation_shape,
      packed=packed,
    )
    self.table_arguments = (type(self).__name__,)

  def read_table(self, folder):
    rng = np.random.default_rng(0)
    if self.packed:
      bits = rng.integers(2, size=(12, np.prod(self.observation_shape)), dtype=np.uint8)
      table = np.packbits(bits, axis=1)
    else:
      table = rng.integers(256, size=(12, *self.observation_shape), dtype=np.uint8)
      table[:, 0, 0, 0] = np.arange(12)
      table[:, 0, 1, 0] = np.linspace(0, 255, 12)
    return table, {"source": "synthetic", "sha256": "none"}


class Bits(SmallTable):
  def __init__(self):
    super().__init__((5, 3, 1), packed=True)  # 15 bits, so that the last of the table is padding.


class WholeBytesOfBits(SmallTable):
  def __init__(self):
    super().__init__((4, 4, 2), packed=True)


class Bytes(SmallTable):
  def __init__(self):
    super().__init__((4, 3, 3), packed=False)


TABLES = (Bits, WholeBytesOfBits, Bytes)
each_table = pytest.mark.parametrize("make_dataset", TABLES)
each_dataset = pytest.mark.parametrize("make_dataset", [*TABLES, dummy_data.DummyData])


def batch_of(make_dataset, step, seed=7, batch_size=6):
  batch_fn = input_pipeline.make_batch_fn(batches.Images(make_dataset()), batch_size, seed)
  return batch_fn(tf.constant(step, tf.int64)).numpy()


def many_of(make_dataset, num_batches):
  """Returns batches of 12, as many as a small table has rows, one after the other."""
  batch_fn = input_pipeline.make_batch_fn(batches.Images(make_dataset()), 12, seed=7)
  steps = range(num_batches)
  return np.concatenate([batch_fn(tf.constant(step, tf.int64)).numpy() for step in steps])


@each_dataset
def test_batches_have_shape_and_type(make_dataset):
  batch = batch_of(make_dataset, 0)
  assert batch.shape == (6, *make_dataset().observation_shape)
  assert batch.dtype == np.float32
  assert batch.min() >= 0
  assert batch.max() <= 1
  assert batch.max() > 0.5


@each_dataset
def test_batch_is_a_function_of_seed_and_step(make_dataset):
  dataset = make_dataset()
  batch_fn = input_pipeline.make_batch_fn(batches.Images(dataset), 6, seed=7)
  steps = [3, 0, 10**6, 3]
  drawn = [batch_fn(tf.constant(step, tf.int64)).numpy() for step in steps]
  np.testing.assert_array_equal(drawn[0], drawn[3])
  np.testing.assert_array_equal(drawn[0], batch_of(make_dataset, 3))
  others = [*drawn[1:3], batch_of(make_dataset, 3, seed=8), batch_of(make_dataset, 7, seed=3)]
  for other in others:
    assert not np.array_equal(drawn[0], other)


@each_dataset
def test_large_seeds(make_dataset):
  largest = batch_of(make_dataset, 0, seed=2**32 - 1)
  np.testing.assert_array_equal(largest, batch_of(make_dataset, 0, seed=2**32 - 1))
  assert not np.array_equal(largest, batch_of(make_dataset, 0, seed=2**31 - 1))


@each_dataset
def test_global_generators_do_not_matter_and_are_left_alone(make_dataset):
  np.random.seed(0)
  tf.random.set_seed(0)
  batch = batch_of(make_dataset, 3)
  state = np.random.get_state()[1].copy()
  np.random.seed(1)
  tf.random.set_seed(1)
  np.testing.assert_array_equal(batch, batch_of(make_dataset, 3))
  np.random.seed(0)
  np.testing.assert_array_equal(state, np.random.get_state()[1])


@each_table
def test_images_are_those_of_the_table(make_dataset):
  dataset = make_dataset()
  if dataset.packed:
    num_pixels = np.prod(dataset.observation_shape)
    images = np.unpackbits(dataset.table, axis=1)[:, :num_pixels].astype(np.float32)
  else:
    images = np.float32(dataset.table) / np.float32(255)
  images = images.reshape(12, *dataset.observation_shape)
  np.testing.assert_array_equal(images, dataset.observations_from_rows(np.arange(12)))
  batch = many_of(make_dataset, 20)
  matches = np.all(batch[:, None] == images[None], axis=(2, 3, 4))
  # Each image of the batch is one row of the table, and each row occurs.
  np.testing.assert_array_equal(matches.sum(axis=1), np.ones(240))
  assert np.all(matches.any(axis=0))


def test_rows_are_drawn_uniformly_and_independently():
  rows = np.rint(255 * many_of(Bytes, 500)[:, 0, 0, 0]).reshape(500, 12)
  counts = np.bincount(np.concatenate(rows).astype(int), minlength=12)
  assert len(counts) == 12
  assert stats.chisquare(counts).pvalue > 1e-3
  # Rows at the same place of successive batches, and successive rows of a batch.
  for first, second in [(rows[:-1], rows[1:]), ([r[:-1] for r in rows], [r[1:] for r in rows])]:
    correlation = np.corrcoef(np.concatenate(first), np.concatenate(second))[0, 1]
    assert abs(correlation) < 0.06  # 4 standard errors of 1 / sqrt(5500).


def test_bytes_are_scaled_to_the_unit_interval():
  batch = many_of(Bytes, 20)
  assert batch.max() == 1
  assert batch.min() == 0
  np.testing.assert_allclose(255 * batch, np.rint(255 * batch), atol=1e-4)


@each_dataset
def test_observations_are_sampled_by_a_generator_of_seed_and_step(make_dataset):
  words = np.random.SeedSequence([7, 3]).generate_state(8)
  expected = make_dataset().sample_observations(6, np.random.RandomState(words))
  np.testing.assert_array_equal(batch_of(make_dataset, 3), expected)


@each_dataset
def test_batches_in_a_compiled_loop_are_those_drawn_eagerly(make_dataset):
  batch_fn = input_pipeline.make_batch_fn(batches.Images(make_dataset()), 4, seed=7)

  @tf.function
  def several(start):
    return tf.map_fn(batch_fn, start + tf.range(5, dtype=tf.int64), fn_output_signature=tf.float32)

  compiled = several(tf.constant(10, tf.int64))
  assert compiled.shape[1:] == (4, *make_dataset().observation_shape)
  for index, batch in enumerate(compiled):
    np.testing.assert_array_equal(batch, batch_fn(tf.constant(10 + index, tf.int64)))


@each_dataset
def test_shape_is_known_when_a_step_is_traced(make_dataset):
  batch_fn = input_pipeline.make_batch_fn(batches.Images(make_dataset()), 4, seed=7)
  traced = tf.function(batch_fn).get_concrete_function(tf.TensorSpec([], tf.int64))
  assert traced.output_shapes == (4, *make_dataset().observation_shape)


class SixImages(labelled_images.LabelledImages):
  def __init__(self):
    path = pathlib.Path("/some/where.npz")
    super().__init__("six", path, ["a"], [6], 6, (2, 2, 1))

  def read_factors(self):
    raise NotImplementedError

  def read_images(self, folder):
    raise NotImplementedError


@pytest.mark.parametrize(
  ("make_dataset", "message"),
  [
    (SixImages, r"six \(/some/where\.npz\) has 6 images, fewer than a batch of 13: add images or"),
    (Bytes, r"small_table has 12 images, .* or set model\.batch_size to 12 or less\."),
  ],
)
def test_batch_of_more_images_than_there_are_is_refused(make_dataset, message):
  with pytest.raises(errors.DatasetError, match=f"^{message}") as error:
    input_pipeline.make_batch_fn(batches.Images(make_dataset()), 13, seed=7)
  assert "\n" not in str(error.value)


def test_batch_of_all_images_is_allowed():
  assert batch_of(Bytes, 0, batch_size=12).shape == (12, 4, 3, 3)


def test_a_batch_of_pairs_is_a_nest_of_seed_and_step():
  pairs = batches.Pairs(Bytes(), k=1)
  batch_fn = input_pipeline.make_batch_fn(pairs, 6, seed=7)
  words = np.random.SeedSequence([7, 3]).generate_state(8)
  expected = pairs.sample(6, np.random.RandomState(words))
  traced = tf.function(batch_fn)
  for batch in (batch_fn(tf.constant(3, tf.int64)), traced(tf.constant(3, tf.int64))):
    assert isinstance(batch, batches.Pair)
    assert [part.dtype for part in batch] == [tf.float32, tf.float32, tf.int32]
    for part, values in zip(batch, expected, strict=True):
      np.testing.assert_array_equal(part, values)
  specs = input_pipeline.specs(pairs, 6)
  shapes = traced.get_concrete_function(tf.TensorSpec([], tf.int64)).structured_outputs
  assert [part.shape for part in shapes] == [spec.shape for spec in specs]
  assert specs.first.shape == (6, *Bytes().observation_shape)


def test_a_batch_of_labelled_images_knows_its_step():
  labelled = partly_labelled.PartlyLabelled(Bytes(), 10, train_percentage=0.7).prepared(0)
  batch_fn = input_pipeline.make_batch_fn(labelled, 3, seed=7)
  words = np.random.SeedSequence([7, 4]).generate_state(8)
  expected = labelled.sample(3, np.random.RandomState(words), step=4)
  traced = tf.function(batch_fn)
  for batch in (batch_fn(tf.constant(4, tf.int64)), traced(tf.constant(4, tf.int64))):
    assert isinstance(batch, partly_labelled.LabelledBatch)
    for part, values in zip(batch, expected, strict=True):
      np.testing.assert_array_equal(part, values)
  first = labelled.sample(3, np.random.RandomState(0), step=0)
  np.testing.assert_array_equal(expected.labels[2], first.labels[0])  # Row 14 of 7 is row 0.
