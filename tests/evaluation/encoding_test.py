import numpy as np
import pytest

from dl_condind.evaluation import encoding
from dl_condind.utils import errors


def test_misshapen_representation_is_refused():
  with pytest.raises(errors.ConfigError, match=r"returned shape \(1,\) for 4 observations"):
    encoding.encode(lambda x: np.zeros(1), np.zeros((4, 2)))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_non_finite_representation_is_refused(value):
  observations = np.zeros((1500, 2))
  observations[1200, 1] = value
  with pytest.raises(errors.ConfigError, match="1 of 1500 values that are not finite"):
    encoding.encode(lambda x: x, observations)


def test_chunks_are_equal_and_not_too_large():
  sizes = []

  def encoder(observations):
    sizes.append(len(observations))
    return observations

  observations = np.arange(2002.0)[:, None]
  np.testing.assert_array_equal(encoding.encode(encoder, observations), observations)
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

  codes = encoding.RowCodes(Data(), encode_rows)
  rows = np.array([650, 3, 3, 650, 20])
  np.testing.assert_array_equal(codes(rows), rows[:, None] * 10 + 1)
  assert calls == [[3, 20, 650]]
  everything = np.random.RandomState(0).permutation(700)
  np.testing.assert_array_equal(codes(everything), everything[:, None] * 10 + 1)
  assert [len(call) for call in calls[1:]] == [250, 250, 197]
  encoded = np.concatenate(calls[1:])
  np.testing.assert_array_equal(encoded, np.delete(np.arange(700), [3, 20, 650]))
  codes(everything)
  assert len(calls) == 4


def test_each_code_gets_the_noise_of_its_row_whatever_the_sizes_of_chunks(monkeypatch):
  class Data:
    num_rows = 2500

    def observations_from_rows(self, rows):
      return rows[:, None] * 1.0

  def encode_rows(observations, rows):
    noise = rows[: len(observations), None] / 4096  # As a stored model takes the noise of a batch.
    return observations + noise

  monkeypatch.setattr(encoding, "ROW_CHUNK", 2 * encoding.ENCODE_CHUNK)
  rows = np.arange(2500)
  codes = encoding.RowCodes(Data(), encode_rows)(rows)
  np.testing.assert_array_equal(codes[:, 0], rows + rows / 4096)
