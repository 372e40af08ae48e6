import pathlib

import numpy as np
import pytest

from dl_condind.data.ground_truth import ground_truth_data

BYTES = np.random.RandomState(0).randint(256, size=(24, 4, 5, 3), dtype=np.uint8)
BITS = np.random.RandomState(1).randint(2, size=(24, 4, 5, 1), dtype=np.uint8)


class Colors(ground_truth_data.TableData):
  """Exposes factors 2 and 0 of three; counts how often it is read."""

  reads: list[pathlib.Path] = []  # noqa: RUF012  Counts for all objects.

  def __init__(self):
    super().__init__(
      name="colors",
      factor_names=["a", "b", "c"],
      factor_sizes=[2, 3, 4],
      latent_factor_indices=[2, 0],
      observation_shape=(4, 5, 3),
      packed=False,
    )

  def read_table(self, folder):
    self.reads.append(folder)
    return BYTES.copy(), {"source": "test", "sha256": "0"}


class Bits(ground_truth_data.TableData):
  """20 pixels an image: the last byte of a row is only half used."""

  def __init__(self):
    super().__init__(
      name="bits",
      factor_names=["a", "b"],
      factor_sizes=[4, 6],
      latent_factor_indices=[0, 1],
      observation_shape=(4, 5, 1),
      packed=True,
    )

  def read_table(self, folder):
    del folder
    return np.packbits(BITS.reshape(24, 20), axis=1), {"source": "test", "sha256": "0"}


@pytest.fixture(autouse=True)
def _own_data_folder(monkeypatch, tmp_path):
  monkeypatch.setenv("DISENTANGLEMENT_LIB_DATA", str(tmp_path))


def test_only_the_exposed_factors_are_described():
  data = Colors()
  assert data.factor_names == ["c", "a"]
  assert data.factors_num_values == [4, 2]
  assert data.num_factors == 2
  assert data.num_rows == 24


def test_samples_are_the_rows_of_their_factors():
  factors, observations = Colors().sample(200, np.random.RandomState(4))

  expected = np.random.RandomState(4)
  c, a = expected.randint(4, size=200), expected.randint(2, size=200)
  b = expected.randint(3, size=200)
  np.testing.assert_array_equal(factors, np.stack([c, a], axis=1))
  np.testing.assert_array_equal(
    observations, BYTES[(a * 3 + b) * 4 + c].astype(np.float32) / np.float32(255)
  )
  assert observations.dtype == np.float32
  assert (observations.min(), observations.max()) == (0, 1)


def test_rows_and_observations_take_the_same_draws():
  data = Colors()
  factors, rows = data.sample_rows(30, np.random.RandomState(9))
  same_factors, observations = data.sample(30, np.random.RandomState(9))
  np.testing.assert_array_equal(factors, same_factors)
  np.testing.assert_array_equal(data.observations_from_rows(rows), observations)
  np.testing.assert_array_equal(
    data.sample_observations(30, np.random.RandomState(9)), observations
  )


def test_packed_rows_are_unpacked():
  data = Bits()
  observations = data.observations_from_rows(np.array([3, 0, 23, 3]))
  np.testing.assert_array_equal(observations, BITS[[3, 0, 23, 3]].astype(np.float32))
  assert observations.dtype == np.float32
  assert data.observations_from_rows(np.array([], int)).shape == (0, 4, 5, 1)


def test_wrong_factors_are_refused():
  with pytest.raises(ValueError, match=r"factors\[0, 0\] must be in \[0, 3\], got 4"):
    Colors().sample_observations_from_factors(np.array([[4, 0]]), np.random.RandomState(0))


def test_table_is_read_once_for_each_folder_and_not_before_it_is_used(monkeypatch, tmp_path):
  Colors.reads.clear()
  first, second = Colors(), Colors()
  first.sample_rows(3, np.random.RandomState(0))
  assert Colors.reads == []
  assert first.table is second.table
  assert Colors.reads == [tmp_path]

  monkeypatch.setenv("DISENTANGLEMENT_LIB_DATA", str(tmp_path / "other"))
  Colors().load()
  assert Colors.reads == [tmp_path, tmp_path / "other"]


def test_table_is_read_only():
  with pytest.raises(ValueError, match="read-only"):
    Colors().table[0] = 0


def test_provenance_names_data_set_source_and_checksum():
  assert Colors().provenance() == {"dataset": "colors", "source": "test", "sha256": "0"}
