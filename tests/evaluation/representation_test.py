import pathlib

import numpy as np
import pytest

from dl_condind.data.ground_truth import dummy_data
from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.data.ground_truth import labelled_images
from dl_condind.evaluation import representation
from dl_condind.utils import errors


class SmallTable(ground_truth_data.TableData):
  """3 x 4 images of 2 x 2 pixels; the factor of 5 values is drawn for every observation."""

  def __init__(self):
    super().__init__(
      name="small_table",
      factor_names=["a", "hidden", "b"],
      factor_sizes=[3, 5, 4],
      latent_factor_indices=[0, 2],
      observation_shape=(2, 2, 1),
      packed=False,
    )

  def read_table(self, folder: pathlib.Path):
    table = np.arange(60 * 4, dtype=np.uint8).reshape(60, 2, 2, 1)
    return table, {"source": "synthetic", "sha256": "none"}


class Flatten:
  """Encodes an observation as its values and counts the observations of every call."""

  def __init__(self):
    self.calls = []

  def __call__(self, observations):
    self.calls.append(len(observations))
    return observations.reshape(len(observations), -1)


def draw_in_batches(data, num_points, batch_size, random_state):
  """Draws as disentanglement_lib does."""
  parts, drawn = [], 0
  while drawn < num_points:
    size = min(batch_size, num_points - drawn)
    parts.append(data.sample(size, random_state))
    drawn += size
  factors, observations = zip(*parts, strict=True)
  return np.concatenate(factors), np.concatenate(observations)


@pytest.mark.parametrize("data", [SmallTable(), dummy_data.IdentityObservationsData()])
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
  assert sum(encoder.calls) == num_points
  assert max(encoder.calls) <= representation.ENCODE_CHUNK
  assert len(encoder.calls) <= 2 * -(-num_points // representation.ENCODE_CHUNK)


def test_second_metric_on_the_same_points_neither_samples_nor_encodes():
  data = SmallTable()
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
def test_other_points_are_sampled_anew(data, num_points, seed, batch_size):
  data_sets = [SmallTable(), SmallTable()]
  encoder = Flatten()
  shared = representation.Representation(encoder)
  representation.generate_batch_factor_code(data_sets[0], shared, 100, np.random.RandomState(0), 16)
  num_calls = len(encoder.calls)
  representation.generate_batch_factor_code(
    data_sets[data], shared, num_points, np.random.RandomState(seed), batch_size
  )
  assert len(encoder.calls) > num_calls


def test_advanced_random_state_gives_other_points():
  data, shared = SmallTable(), representation.Representation(Flatten())
  random_state = np.random.RandomState(0)
  first, _ = representation.generate_batch_factor_code(data, shared, 100, random_state, 16)
  second, _ = representation.generate_batch_factor_code(data, shared, 100, random_state, 16)
  assert not np.array_equal(first, second)


@pytest.mark.parametrize(
  "num_points, batch_size", [(0, 16), (-1, 16), (2.5, 16), (10, 0), (True, 16)]
)
def test_counts_are_checked(num_points, batch_size):
  with pytest.raises(errors.ConfigError, match="must be a whole number of at least 1, got"):
    representation.generate_batch_factor_code(
      SmallTable(), Flatten(), num_points, np.random.RandomState(0), batch_size
    )


class FewImages(labelled_images.LabelledImages):
  """Images of 2 x 2 pixels with any factors."""

  def __init__(self, factors):
    names, sizes = ["a", "b"][: factors.shape[1]], [3, 4][: factors.shape[1]]
    path = pathlib.Path("few.npz")
    super().__init__("few", path, names, sizes, factors, (2, 2, 1), version=factors.tobytes())

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


def test_misshapen_representation_is_refused():
  with pytest.raises(errors.ConfigError, match=r"returned shape \(1,\) for 4 observations"):
    representation.encode(lambda x: np.zeros(1), np.zeros((4, 2)))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_non_finite_representation_is_refused(value):
  observations = np.zeros((1500, 2))
  observations[1200, 1] = value
  with pytest.raises(errors.ConfigError, match="1 of 1000 values that are not finite"):
    representation.encode(lambda x: x, observations)


def test_plain_function_has_no_model():
  with pytest.raises(errors.ConfigError, match="total_correlation needs the model's gaussian_enc"):
    representation.model_function(Flatten(), "gaussian_encoder", "total_correlation")
  with pytest.raises(errors.ConfigError, match="vae_terms needs the model's elbo_terms"):
    representation.model_function(
      representation.Representation(Flatten()), "elbo_terms", "vae_terms"
    )


def test_observation_chunks_are_the_data_sets_own_draws():
  data = SmallTable()
  chunks = list(representation.sample_observation_chunks(data, 2300, np.random.RandomState(1)))
  assert [len(chunk) for chunk in chunks] == [1000, 1000, 300]
  random_state = np.random.RandomState(1)
  for chunk in chunks:
    np.testing.assert_array_equal(chunk, data.sample_observations(len(chunk), random_state))


def make_encoder(logvar):
  def gaussian_encoder(observations):
    mean = observations.reshape(len(observations), -1)
    full = np.full(mean.shape, logvar, np.float32)
    return {"mean": mean, "logvar": full, "scale_tril": np.exp(full / 2)[:, :, None] * np.eye(4)}

  return gaussian_encoder


def test_posteriors_are_float64_and_match_their_observations():
  data = SmallTable()
  mean, stddev, scale_tril = representation.sample_posteriors(
    data, make_encoder(np.log(4.0)), 1200, np.random.RandomState(2)
  )
  random_state = np.random.RandomState(2)
  observations = [data.sample_observations(n, random_state) for n in (1000, 200)]
  np.testing.assert_array_equal(mean, np.concatenate(observations).reshape(1200, 4))
  np.testing.assert_allclose(stddev, 2.0, rtol=1e-6)  # the encoder's float32
  np.testing.assert_allclose(scale_tril, 2.0 * np.broadcast_to(np.eye(4), (1200, 4, 4)), rtol=1e-6)
  assert {array.dtype for array in (mean, stddev, scale_tril)} == {np.dtype(np.float64)}


@pytest.mark.parametrize(
  "logvar, message", [(np.nan, "logvar has 40 of 40 values"), (-2000.0, "standard deviation of 0")]
)
def test_posterior_without_density_is_refused(logvar, message):
  with pytest.raises(errors.ConfigError, match=message):
    representation.sample_posteriors(
      SmallTable(), make_encoder(logvar), 10, np.random.RandomState(0)
    )
