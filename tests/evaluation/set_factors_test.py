import numpy as np
import pytest

from dl_condind.data.ground_truth import dummy_data
from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.evaluation import set_factors
from dl_condind.utils import errors

IMAGES = np.random.RandomState(0).randint(256, size=(24, 4, 5, 1), dtype=np.uint8)


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
  codes, next_number = draw(data, set_factors.DrawnCodes(data, pixels))
  expected_codes, expected_number = literally(data, pixels)
  np.testing.assert_array_equal(codes, expected_codes)
  assert next_number == expected_number


def test_a_row_of_a_table_is_encoded_once():
  calls = []

  def encode(observations):
    calls.append(len(observations))
    return pixels(observations)

  draw(Table(), set_factors.DrawnCodes(Table(), encode))
  assert calls == [24]  # 2,111 were drawn


def test_other_observations_are_encoded_in_chunks_of_whole_batches():
  calls = []

  def encode(observations):
    calls.append(len(observations))
    return pixels(observations)

  draw(Unknown(), set_factors.DrawnCodes(Unknown(), encode))
  assert calls == [503, 502, 501, 500, 15 * 7]  # of 11 + 142 * 7, 143 * 7 and 15 * 7


def grid(num_copies=2, seed=0):
  """Returns codes that are their factors and noise, of a grid in random order."""
  values = np.meshgrid([3, 5, 9], [0.5, 2.5], range(4), range(num_copies), indexing="ij")
  factors = np.stack([axis.ravel() for axis in values[:3]], axis=1)
  factors = np.random.RandomState(seed).permutation(factors)
  return np.concatenate([factors, np.arange(len(factors))[:, None]], axis=1), factors


@pytest.mark.parametrize("num_copies", [1, 2])
def test_code_table_finds_the_points_of_factors(num_copies):
  codes, factors = grid(num_copies)
  table = set_factors.CodeTable(codes, factors)
  assert table.factors_num_values == [3, 2, 4]
  assert table.has_complete_grid
  ranks, found = table.sample(2000, np.random.RandomState(0))
  np.testing.assert_array_equal(found[:, 0], np.array([3, 5, 9])[ranks[:, 0]])
  np.testing.assert_array_equal(found[:, 1], np.array([0.5, 2.5])[ranks[:, 1]])
  np.testing.assert_array_equal(found[:, 2], ranks[:, 2])
  assert len(np.unique(found[:, 3])) == len(codes)


def test_code_table_draws_as_a_table_with_one_more_factor():
  codes, factors = grid(2)
  ranks, found = set_factors.CodeTable(codes, factors).sample(50, np.random.RandomState(4))
  random_state = np.random.RandomState(4)
  columns = [random_state.randint(size, size=50) for size in (3, 2, 4, 2)]
  np.testing.assert_array_equal(ranks, np.stack(columns[:3], axis=1))
  order = np.lexsort((np.arange(len(codes)), *factors.T[::-1]))
  rows = order[np.ravel_multi_index(columns, (3, 2, 4, 2))]
  np.testing.assert_array_equal(found, codes[rows])


@pytest.mark.parametrize(
  "rows", [slice(1, None), [*range(48), 0], slice(10, 30)], ids=["missing", "twice", "few"]
)
def test_incomplete_grid_is_an_error(rows):
  codes, factors = grid(2)
  with pytest.raises(errors.ConfigError, match="must be a complete grid"):
    set_factors.CodeTable(codes[rows], factors[rows])


def test_grid_too_large_to_count_is_an_error():
  factors = np.arange(2000)[:, None] + np.zeros(30)
  with pytest.raises(errors.ConfigError, match=f"each of its {2000**30} combinations"):
    set_factors.CodeTable(np.zeros((2000, 1)), factors)
