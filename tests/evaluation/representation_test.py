import pathlib

import numpy as np
import pytest

from dl_condind.data.ground_truth import dummy_data
from dl_condind.data.ground_truth import labelled_images
from dl_condind.evaluation import codes
from dl_condind.evaluation import representation
from dl_condind.utils import errors


class Flatten:
  """Encodes an observation as its values and counts the observations of every call."""

  def __init__(self):
    self.calls = []

  def __call__(self, observations):
    self.calls.append(len(observations))
    return observations.reshape(len(observations), -1)


@pytest.fixture(params=["rows", "no rows"])
def data(request, small_table):
  return small_table() if request.param == "rows" else dummy_data.IdentityObservationsData()


def draw_in_batches(data, num_points, batch_size, random_state):
  """Draws as disentanglement_lib does."""
  parts, drawn = [], 0
  while drawn < num_points:
    size = min(batch_size, num_points - drawn)
    parts.append(data.sample(size, random_state))
    drawn += size
  factors, observations = zip(*parts, strict=True)
  return np.concatenate(factors), np.concatenate(observations)


@pytest.mark.parametrize("num_points, batch_size", [(2050, 16), (5, 16), (32, 16), (2500, 2500)])
def test_points_are_those_drawn_batch_by_batch(data, num_points, batch_size):
  expected_state = np.random.RandomState(3)
  expected_factors, observations = draw_in_batches(data, num_points, batch_size, expected_state)
  random_state = np.random.RandomState(3)
  encoder = Flatten()

  representations, factors = representation.generate_batch_factor_code(
    data, encoder, num_points, random_state, batch_size
  )

  np.testing.assert_array_equal(factors, expected_factors)
  np.testing.assert_array_equal(representations, observations.reshape(num_points, -1))
  assert factors.dtype == np.int64
  assert representations.dtype == observations.dtype
  assert random_state.randint(2**31) == expected_state.randint(2**31)
  if data.num_rows is None:
    assert sum(encoder.calls) == num_points
  else:
    assert sum(encoder.calls) == len(np.unique(observations, axis=0))
  assert max(encoder.calls) <= codes.ENCODE_CHUNK
  assert len(encoder.calls) <= 2 * -(-num_points // codes.ENCODE_CHUNK)


def test_second_metric_on_the_same_points_does_not_encode(data):
  encoder = Flatten()
  shared = representation.Representation(encoder)
  first_state, second_state = np.random.RandomState(0), np.random.RandomState(0)
  first = representation.generate_batch_factor_code(data, shared, 100, first_state, 16)
  num_calls = len(encoder.calls)
  expected = [array.copy() for array in first]
  first[0][:] = -1  # what a metric does to its arrays stays with it

  second = representation.generate_batch_factor_code(data, shared, 100, second_state, 16)

  assert len(encoder.calls) == num_calls
  np.testing.assert_array_equal(second[0], expected[0])
  np.testing.assert_array_equal(second[1], expected[1])
  assert first_state.randint(2**31) == second_state.randint(2**31)


@pytest.mark.parametrize(
  "data, num_points, seed, batch_size",
  [(0, 99, 0, 16), (0, 100, 1, 16), (0, 100, 0, 8), (1, 100, 0, 16)],
)
def test_other_points_of_a_data_set_without_rows_are_sampled_anew(
  data, num_points, seed, batch_size
):
  data_sets = [dummy_data.IdentityObservationsData(), dummy_data.IdentityObservationsData()]
  encoder = Flatten()
  shared = representation.Representation(encoder)
  representation.generate_batch_factor_code(data_sets[0], shared, 100, np.random.RandomState(0), 16)
  num_calls = len(encoder.calls)
  representation.generate_batch_factor_code(
    data_sets[data], shared, num_points, np.random.RandomState(seed), batch_size
  )
  assert len(encoder.calls) > num_calls


def test_a_row_is_encoded_once_for_all_metrics(small_table):
  encoder = Flatten()
  shared = representation.Representation(encoder)
  data = small_table()
  rows = np.array([3, 50, 3, 7])
  codes = representation.codes_of(shared, data).of_rows(rows)
  np.testing.assert_array_equal(codes, data.observations_from_rows(rows).reshape(4, -1))
  assert encoder.calls == [3]
  representation.generate_batch_factor_code(data, shared, 3000, np.random.RandomState(0), 16)
  factors = np.array([[0, 0], [2, 3]])
  codes = representation.codes_of(shared, data).of_factors(factors, np.random.RandomState(5))
  expected = data.sample_observations_from_factors(factors, np.random.RandomState(5))
  np.testing.assert_array_equal(codes, expected.reshape(2, -1))
  assert encoder.calls == [3, 57]
  other = small_table()
  representation.codes_of(shared, other).of_rows(rows)
  assert encoder.calls == [3, 57, 3]


def test_noise_of_a_row_does_not_depend_on_what_was_encoded_before(small_table):
  def row_representation(observations, rows):
    return observations.reshape(len(observations), -1) + rows[:, None]

  data = small_table()
  one, other = (
    representation.Representation(Flatten(), row_representation_fn=row_representation)
    for _ in range(2)
  )
  representation.codes_of(one, data).of_rows(np.arange(20))
  rows = np.array([59, 5, 5, 20])
  codes = representation.codes_of(one, data).of_rows(rows)
  np.testing.assert_array_equal(codes, representation.codes_of(other, data).of_rows(rows))
  np.testing.assert_array_equal(codes, row_representation(data.observations_from_rows(rows), rows))


@pytest.mark.parametrize("make", [Flatten, lambda: representation.Representation(Flatten())])
def test_codes_of_factors_without_rows_are_the_data_sets_draws(make):
  data = dummy_data.IdentityObservationsData()
  factors = data.sample_factors(5, np.random.RandomState(0))
  codes = representation.codes_of(make(), data).of_factors(factors, np.random.RandomState(1))
  expected = data.sample_observations_from_factors(factors, np.random.RandomState(1))
  np.testing.assert_array_equal(codes, expected.reshape(5, -1))


def test_advanced_random_state_gives_other_points(small_table):
  data, shared = small_table(), representation.Representation(Flatten())
  random_state = np.random.RandomState(0)
  first, _ = representation.generate_batch_factor_code(data, shared, 100, random_state, 16)
  second, _ = representation.generate_batch_factor_code(data, shared, 100, random_state, 16)
  assert not np.array_equal(first, second)


@pytest.mark.parametrize(
  "num_points, batch_size", [(0, 16), (-1, 16), (2.5, 16), (10, 0), (True, 16)]
)
def test_counts_are_checked(num_points, batch_size, small_table):
  with pytest.raises(errors.ConfigError, match="must be a whole number of at least 1, got"):
    representation.generate_batch_factor_code(
      small_table(), Flatten(), num_points, np.random.RandomState(0), batch_size
    )


class FewImages(labelled_images.LabelledImages):
  """Images of 2 x 2 pixels with any factors."""

  def __init__(self, factors):
    names, sizes = ["a", "b"][: factors.shape[1]], [3, 4][: factors.shape[1]]
    path = pathlib.Path("few.npz")
    shape, version = (2, 2, 1), factors.tobytes()
    super().__init__("few", path, names, sizes, len(factors), shape, version)
    self.own_factors = factors

  def read_factors(self):
    return self.own_factors

  def read_images(self, folder):
    images = np.arange(self.num_rows * 4, dtype=np.uint8).reshape(-1, 2, 2, 1)
    return images, {"source": "synthetic", "sha256": "none"}


@pytest.mark.parametrize("dtype", [np.int64, np.float64])
def test_factors_of_images_keep_their_type(dtype):
  factors = (np.arange(24).reshape(12, 2) / (1 if dtype == np.int64 else 8)).astype(dtype)
  data = FewImages(factors)
  rows = np.random.RandomState(3)
  rows = np.concatenate([rows.randint(12, size=size) for size in (16, 16, 8)])
  shared = representation.Representation(Flatten())
  for _ in range(2):
    representations, found = representation.generate_batch_factor_code(
      data, shared, 40, np.random.RandomState(3), 16
    )
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, factors[rows])
    np.testing.assert_array_equal(representations, data.observations_from_rows(rows).reshape(40, 4))


def test_data_set_without_factors_is_refused_where_they_are_needed():
  data = FewImages(np.empty((12, 0), np.int64))
  arguments = (data, Flatten(), 40, np.random.RandomState(3), 16)
  message = "^few has no factors: add factors to the data set, or leave out the metrics that"
  with pytest.raises(errors.ConfigError, match=message):
    representation.generate_batch_factor_code(*arguments)
  representations, factors = representation.generate_batch_factor_code(
    *arguments, needs_factors=False
  )
  assert representations.shape == (40, 4)
  assert factors.shape == (40, 0)


def test_plain_function_has_no_model():
  with pytest.raises(errors.ConfigError, match="total_correlation needs the model's gaussian_enc"):
    representation.model_function(Flatten(), "gaussian_encoder", "total_correlation")
  with pytest.raises(errors.ConfigError, match="vae_terms needs the model's elbo_terms"):
    representation.model_function(
      representation.Representation(Flatten()), "elbo_terms", "vae_terms"
    )
