import pathlib
import re

import numpy as np
import pytest

from dl_condind.data.ground_truth import labelled_images
from dl_condind.utils import errors

SHAPE = (3, 2, 1)


class Listed(labelled_images.LabelledImages):
  """The first pixel of an image is its row."""

  def __init__(self, path, factors, sizes, is_float=False, version=None):
    names = [f"f{i}" for i in range(factors.shape[1])]
    super().__init__("listed", path, names, sizes, len(factors), SHAPE, version)
    self.own_factors = factors
    self.is_float = is_float
    self.num_reads = self.num_factor_reads = 0

  def read_factors(self):
    self.num_factor_reads += 1
    return self.own_factors

  def read_images(self, folder):
    self.num_reads += 1
    return images_of(self.num_rows, self.is_float), {"source": "a test", "sha256": "none"}


def images_of(num_rows, is_float=False):
  images = np.arange(num_rows * 6, dtype=np.uint8).reshape(num_rows, *SHAPE)
  images[:, 0, 0, 0] = np.arange(num_rows)
  return images / np.float32(256) if is_float else images


def rows_of(observations):
  return np.round(observations[:, 0, 0, 0] * 255).astype(int)


# The combinations of two factors with 2 and 3 values, one of them twice, in no order.
COMPLETE = np.array([[1, 2], [0, 0], [1, 0], [0, 2], [0, 1], [1, 1], [0, 1]])
INCOMPLETE = np.array([[1, 2], [0, 0], [1, 0], [0, 2], [0, 2], [1, 1]])
CONTINUOUS = np.array([[0, 0.0], [1, 0.25], [1, -3.5], [0, 0.25], [1, 0.25]])
NONE = np.empty((5, 0), np.int64)


@pytest.fixture
def complete(tmp_path):
  return Listed(tmp_path, COMPLETE, [2, 3])


def test_data_set_describes_itself_without_reading_images(complete, tmp_path):
  assert complete.num_factors == 2
  assert complete.factor_names == ["f0", "f1"]
  assert complete.factors_num_values == [2, 3]
  assert complete.observation_shape == SHAPE
  assert (complete.num_rows, complete.path) == (7, tmp_path)
  assert (complete.num_reads, complete.num_factor_reads) == (0, 0)
  complete.sample_factors(3, np.random.RandomState(0))
  assert complete.has_complete_grid
  assert (complete.num_reads, complete.num_factor_reads) == (0, 1)
  complete.load()
  complete.sample(3, np.random.RandomState(0))
  assert (complete.num_reads, complete.num_factor_reads) == (1, 1)


def test_factors_that_do_not_fit_are_found_with_the_images(complete):
  complete.own_factors = COMPLETE[:-1]
  with pytest.raises(errors.DatasetError, match="has changed since it was opened"):
    complete.load()


def test_rows_are_drawn_as_images_are(complete):
  factors, rows = complete.sample_rows(50, np.random.RandomState(5))
  expected_factors, observations = complete.sample(50, np.random.RandomState(5))
  np.testing.assert_array_equal(factors, expected_factors)
  np.testing.assert_array_equal(complete.observations_from_rows(rows), observations)
  rows = complete.sample_rows_from_factors(factors, np.random.RandomState(6))
  observations = complete.sample_observations_from_factors(factors, np.random.RandomState(6))
  np.testing.assert_array_equal(complete.observations_from_rows(rows), observations)


def test_images_and_their_factors_are_drawn_together(complete):
  rows = np.random.RandomState(5).randint(7, size=50)
  factors, observations = complete.sample(50, np.random.RandomState(5))
  np.testing.assert_array_equal(factors, COMPLETE[rows])
  np.testing.assert_array_equal(observations, images_of(7)[rows] / np.float32(255))
  assert observations.dtype == np.float32
  np.testing.assert_array_equal(complete.sample_factors(50, np.random.RandomState(5)), factors)
  again = complete.sample_observations(50, np.random.RandomState(5))
  np.testing.assert_array_equal(again, observations)


def test_every_image_is_drawn_equally_often(complete):
  rows = rows_of(complete.sample_observations(70_000, np.random.RandomState(0)))
  # Expected 10,000 of each, with a standard deviation of 93.
  np.testing.assert_allclose(np.bincount(rows), 10_000, atol=4 * 93)


def test_float_images_are_handed_on_as_they_are(tmp_path):
  data = Listed(tmp_path, COMPLETE, [2, 3], is_float=True)
  observations = data.observations_from_rows(np.array([6, 0, 6]))
  np.testing.assert_array_equal(observations, images_of(7, is_float=True)[[6, 0, 6]])
  assert observations.dtype == np.float32


def test_images_are_found_by_their_factors(complete):
  wanted = COMPLETE[[5, 0, 2, 2, 1, 3]]
  observations = complete.sample_observations_from_factors(wanted, np.random.RandomState(0))
  np.testing.assert_array_equal(rows_of(observations), [5, 0, 2, 2, 1, 3])


def test_an_image_of_several_with_the_same_factors_is_drawn(complete):
  wanted = np.tile([0, 1], (20_000, 1))
  first = complete.sample_observations_from_factors(wanted, np.random.RandomState(0))
  counts = np.bincount(rows_of(first), minlength=7)
  assert counts.sum() == counts[4] + counts[6]
  assert abs(counts[4] - 10_000) < 4 * 71  # standard deviations
  again = complete.sample_observations_from_factors(wanted, np.random.RandomState(0))
  np.testing.assert_array_equal(first, again)


def test_grid_is_complete_when_no_combination_is_missing(tmp_path, complete):
  assert complete.has_complete_grid
  assert not Listed(tmp_path, INCOMPLETE, [2, 3]).has_complete_grid
  assert not Listed(tmp_path, COMPLETE, [2, 4]).has_complete_grid
  assert not Listed(tmp_path, CONTINUOUS, [2, 3]).has_complete_grid
  assert not Listed(tmp_path, NONE, []).has_complete_grid
  assert not Listed(tmp_path, COMPLETE, [2**40, 2**40]).has_complete_grid


def test_missing_combination_is_named(tmp_path):
  data = Listed(tmp_path, INCOMPLETE, [2, 3])
  expected = f"listed ({tmp_path}) has no image with f0, f1 = [0, 1]: what sets single factors"
  with pytest.raises(errors.ConfigError, match=f"^{re.escape(expected)}"):
    data.sample_observations_from_factors(np.array([[0, 0], [0, 1]]), np.random.RandomState(0))


@pytest.mark.parametrize("wanted", [[0.5, 1.0], [0, -1], [2, 0], [np.nan, 0], [2**40, 0]])
def test_value_that_no_image_has_is_not_rounded(complete, wanted):
  with pytest.raises(errors.ConfigError, match="has no image with f0, f1 ="):
    complete.sample_observations_from_factors(np.array([wanted]), np.random.RandomState(0))


@pytest.mark.parametrize("wanted", [np.zeros((4, 3), int), np.zeros((4, 1), int), np.zeros(2)])
def test_factors_of_another_shape_are_refused(complete, wanted):
  with pytest.raises(ValueError, match=r"^factors must be \[num, 2\], got shape \("):
    complete.sample_observations_from_factors(wanted, np.random.RandomState(0))


def test_continuous_factors_are_found_too(tmp_path):
  data = Listed(tmp_path, CONTINUOUS, [2, 3])
  wanted = np.array([[1, -3.5], [0, -0.0], [-0.0, 0.25], [0, 0]])
  observations = data.sample_observations_from_factors(wanted, np.random.RandomState(0))
  np.testing.assert_array_equal(rows_of(observations), [2, 0, 3, 0])
  with pytest.raises(errors.ConfigError, match=r"no image with f0, f1 = \[1, 0\]"):
    data.sample_observations_from_factors(np.array([[1, 0]]), np.random.RandomState(0))
  factors, _ = data.sample(30, np.random.RandomState(0))
  assert factors.dtype == np.float64


def test_negative_zero_in_the_table_is_zero(tmp_path):
  data = Listed(tmp_path, np.array([[-0.0], [0.5]]), [2])
  observations = data.sample_observations_from_factors(np.array([[0.0]]), np.random.RandomState(0))
  np.testing.assert_array_equal(rows_of(observations), [0])


def test_random_factors_are_found_as_by_a_plain_search(tmp_path):
  random_state = np.random.RandomState(1)
  factors = random_state.randint(-3, 4, size=(400, 3)) / np.array([1, 4, 3])
  data = Listed(tmp_path, factors, [7, 7, 7])
  wanted = factors[random_state.permutation(400)]
  order, keys = data._sorted_keys()
  assert len(keys) == 400
  counts = np.searchsorted(keys, labelled_images._keys(wanted), "right")
  counts -= np.searchsorted(keys, labelled_images._keys(wanted), "left")
  matches = (wanted[:, None] == factors[None]).all(axis=2)
  np.testing.assert_array_equal(counts, matches.sum(axis=1))
  first = np.searchsorted(keys, labelled_images._keys(wanted), "left")
  for row, start, count in zip(matches, first, counts, strict=True):
    np.testing.assert_array_equal(order[start : start + count], np.flatnonzero(row))


def test_without_factors_any_image_is_drawn(tmp_path):
  data = Listed(tmp_path, NONE, [])
  factors, observations = data.sample(40, np.random.RandomState(0))
  assert factors.shape == (40, 0)
  assert set(rows_of(observations)) == set(range(5))
  observations = data.sample_observations_from_factors(factors, np.random.RandomState(0))
  assert set(rows_of(observations)) == set(range(5))


def test_images_are_read_once_for_a_path_and_version(tmp_path):
  first, second, changed = (
    Listed(tmp_path, COMPLETE, [2, 3], version=version) for version in (1, 1, 2)
  )
  for data in (first, second, changed):
    data.load()
    data.sample_observations(3, np.random.RandomState(0))
    assert data.provenance() == {"dataset": "listed", "source": "a test", "sha256": "none"}
  assert (first.num_reads, second.num_reads, changed.num_reads) == (1, 0, 1)


def test_other_number_of_images_than_factors_is_refused(tmp_path):
  data = Listed(tmp_path, COMPLETE, [2, 3])
  data.load()
  data.num_rows = 8
  with pytest.raises(errors.DatasetError, match=f"^{tmp_path} has changed since it was opened"):
    data.load()


@pytest.mark.parametrize("path", [None, "", 3])
def test_own_path_has_to_be_set(path):
  with pytest.raises(errors.ConfigError, match=f"^a.path must be the name of a cat, got {path!r}"):
    labelled_images.own_path("a.path", path, "a cat")


def test_own_path_is_looked_for_as_named_then_in_the_data_folder(tmp_path, monkeypatch):
  here, data = tmp_path / "here", tmp_path / "data"
  here.mkdir()
  data.mkdir()
  monkeypatch.chdir(here)
  monkeypatch.setenv("DISENTANGLEMENT_LIB_DATA", "../data")
  (data / "cat").touch()
  assert labelled_images.own_path("a.path", "cat", "a cat").samefile(data / "cat")
  (here / "cat").touch()
  found = labelled_images.own_path("a.path", "cat", "a cat")
  assert found == here / "cat"
  assert labelled_images.own_path("a.path", str(data / "cat"), "a cat") == data / "cat"
  monkeypatch.delenv("DISENTANGLEMENT_LIB_DATA")
  assert labelled_images.own_path("a.path", "cat", "a cat") == here / "cat"


@pytest.mark.parametrize("path", ["dog", "cat/dog", "/no/where", "nul\0"])
def test_own_path_that_is_missing_is_named(tmp_path, monkeypatch, path):
  monkeypatch.setenv("DISENTANGLEMENT_LIB_DATA", str(tmp_path))
  (tmp_path / "cat").touch()
  expected = f"{path} is missing: a.path must be the name of a cat; looked for "
  places = dict.fromkeys([str(pathlib.Path(path).absolute()), str(tmp_path / path)])
  expected += f"{' and '.join(places)} (in the data folder, DISENTANGLEMENT_LIB_DATA)."
  with pytest.raises(errors.DatasetError, match=f"^{re.escape(expected)}$"):
    labelled_images.own_path("a.path", path, "a cat")


def test_own_path_that_cannot_be_read_is_named(tmp_path, monkeypatch):
  monkeypatch.setenv("DISENTANGLEMENT_LIB_DATA", str(tmp_path))
  with pytest.raises(errors.DatasetError, match=r"^Cannot read .*x \(File name too long\)\.$"):
    labelled_images.own_path("a.path", "x" * 300, "a cat")
