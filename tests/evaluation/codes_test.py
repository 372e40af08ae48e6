import numpy as np
import pytest

from dl_condind.data.ground_truth import dummy_data
from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.evaluation import codes
from dl_condind.utils import errors

IMAGES = np.random.RandomState(0).randint(256, size=(24, 4, 5, 1), dtype=np.uint8)


def test_misshapen_representation_is_refused():
  with pytest.raises(errors.ConfigError, match=r"returned shape \(1,\) for 4 observations"):
    codes.encode(lambda x: np.zeros(1), np.zeros((4, 2)))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_non_finite_representation_is_refused(value):
  observations = np.zeros((1500, 2))
  observations[1200, 1] = value
  with pytest.raises(errors.ConfigError, match="1 of 1500 values that are not finite"):
    codes.encode(lambda x: x, observations)


def test_chunks_are_equal_and_not_too_large():
  sizes = []

  def encoder(observations):
    sizes.append(len(observations))
    return observations

  observations = np.arange(2002.0)[:, None]
  np.testing.assert_array_equal(codes.encode(encoder, observations), observations)
  assert sizes == [668, 667, 667]


def test_rows_are_encoded_once_in_chunks_and_in_their_order():
  class Data:
    num_rows = 700

    def observations_from_rows(self, rows):
      return rows[:, None] * 10.0

  calls = []

  def encode_rows(observations, rows):
    np.testing.assert_array_equal(observations[:, 0], rows * 10)
    calls.append(rows.tolist())
    return observations + 1

  of_rows = codes.Codes(Data(), None, encode_rows).of_rows
  rows = np.array([650, 3, 3, 650, 20])
  np.testing.assert_array_equal(of_rows(rows), rows[:, None] * 10 + 1)
  assert calls == [[3, 20, 650]]
  everything = np.random.RandomState(0).permutation(700)
  np.testing.assert_array_equal(of_rows(everything), everything[:, None] * 10 + 1)
  assert [len(call) for call in calls[1:]] == [250, 250, 197]
  encoded = np.concatenate(calls[1:])
  np.testing.assert_array_equal(encoded, np.delete(np.arange(700), [3, 20, 650]))
  of_rows(everything)
  assert len(calls) == 4


def test_each_code_gets_the_noise_of_its_row_whatever_the_sizes_of_chunks(monkeypatch):
  class Data:
    num_rows = 2500

    def observations_from_rows(self, rows):
      return rows[:, None] * 1.0

  def encode_rows(observations, rows):
    noise = rows[: len(observations), None] / 4096  # As a stored model takes the noise of a batch.
    return observations + noise

  monkeypatch.setattr(codes, "ROW_CHUNK", 2 * codes.ENCODE_CHUNK)
  rows = np.arange(2500)
  found = codes.Codes(Data(), None, encode_rows).of_rows(rows)
  np.testing.assert_array_equal(found[:, 0], rows + rows / 4096)


class Table(ground_truth_data.TableData):
  """Exposes factors 2 and 0 of three."""

  def __init__(self):
    super().__init__("table", ["a", "b", "c"], [2, 3, 4], [2, 0], (4, 5, 1), packed=False)

  def read_table(self, folder):
    del folder
    return IMAGES.copy(), {"source": "test", "sha256": "0"}


class Unknown(ground_truth_data.GroundTruthData):
  """The table, but not known to be one."""

  def __init__(self):
    self._data = Table()
    super().__init__("unknown", ["c", "a"], [4, 2], (4, 5, 1))

  def sample_factors(self, num, random_state):
    return self._data.sample_factors(num, random_state)

  def sample_observations_from_factors(self, factors, random_state):
    return self._data.sample_observations_from_factors(factors, random_state)


def pixels(observations):
  return observations.reshape(len(observations), -1)[:, :3].astype(np.float64)


def draw(data, drawn, num_batches=300, batch_size=7):
  """Draws a sample and then batches; returns the codes and the next number of the random state."""
  random_state = np.random.RandomState(3)
  drawn.sample(11, random_state)
  for _ in range(num_batches):
    drawn.draw(data.sample_factors(batch_size, random_state), random_state)
  return drawn.codes(), random_state.randint(10**9)


def literally(data, encode, num_batches=300, batch_size=7):
  random_state = np.random.RandomState(3)
  codes = [encode(data.sample_observations(11, random_state))]
  for _ in range(num_batches):
    factors = data.sample_factors(batch_size, random_state)
    codes.append(encode(data.sample_observations_from_factors(factors, random_state)))
  return np.concatenate(codes), random_state.randint(10**9)


@pytest.mark.parametrize(
  "make_data", [Table, Unknown, dummy_data.DummyData, dummy_data.IdentityObservationsData]
)
def test_codes_are_those_of_encoding_batch_by_batch(make_data):
  data = make_data()
  found, next_number = draw(data, codes.Codes(data, pixels).drawn())
  expected_codes, expected_number = literally(data, pixels)
  np.testing.assert_array_equal(found, expected_codes)
  assert next_number == expected_number


def test_a_row_of_a_table_is_encoded_once():
  calls = []

  def encode(observations):
    calls.append(len(observations))
    return pixels(observations)

  draw(Table(), codes.Codes(Table(), encode).drawn())
  assert calls == [24]  # 2,111 were drawn


def test_other_observations_are_encoded_in_chunks_of_whole_batches():
  calls = []

  def encode(observations):
    calls.append(len(observations))
    return pixels(observations)

  draw(Unknown(), codes.Codes(Unknown(), encode).drawn())
  assert calls == [503, 502, 501, 500, 15 * 7]  # of 11 + 142 * 7, 143 * 7 and 15 * 7
