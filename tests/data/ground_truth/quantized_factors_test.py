import numpy as np
import pytest

from dl_condind.data.ground_truth import dsprites_variants
from dl_condind.data.ground_truth import dummy_data
from dl_condind.data.ground_truth import quantized_factors
from dl_condind.data.ground_truth import shapes3d
from dl_condind.data.ground_truth import spots
from dl_condind.utils import errors

ABSTRACT = (5, 6, 3, 3, 4, 4)


def test_values_are_evenly_spaced():
  data = quantized_factors.QuantizedFactors(shapes3d.Shapes3D(), (10, 10, 10, 4, 4, 4))
  assert data.factors_num_values == [10, 10, 10, 4, 4, 4]
  steps = data.original(np.arange(4)[:, None] * np.ones((1, 6), int))
  assert steps[:, 3].tolist() == [0, 2, 4, 6]  # of 8
  assert steps[:, 4].tolist() == [0, 1, 2, 3]  # of 4
  assert steps[:, 5].tolist() == [0, 3, 7, 11]  # of 15


def test_observations_and_draws_are_those_of_the_data_set():
  whole = spots.Spots()
  data = quantized_factors.QuantizedFactors(whole, (5, 10, 3, 100))
  assert data.factors_num_values == [5, 10, 3, 6]
  factors = data.sample_factors(50, np.random.RandomState(0))
  assert factors.max(axis=0).tolist() == [4, 9, 2, 5]
  expected = whole.sample_observations_from_factors(
    factors * [2, 1, 2, 1], np.random.RandomState(1)
  )
  found = data.sample_observations_from_factors(factors, np.random.RandomState(1))
  np.testing.assert_array_equal(found, expected)
  rows = data.sample_rows_from_factors(factors, np.random.RandomState(1))
  np.testing.assert_array_equal(data.observations_from_rows(rows), expected)
  assert data.provenance() == whole.provenance()


def test_every_row_is_found_once():
  data = quantized_factors.QuantizedFactors(dsprites_variants.AbstractDSprites(), ABSTRACT)
  assert len(data.all_factors()) == 4320
  rows = data.all_rows()
  assert len(rows) == 4320 * 40  # orientations
  assert (np.diff(rows) > 0).all()
  drawn = data.sample_rows_from_factors(data.all_factors(), np.random.RandomState(0))
  assert np.isin(drawn, rows).all()
  assert len(set(drawn.tolist())) == 4320


def test_rows_of_abstract_dsprites_are_drawn_as_its_observations():
  data = dsprites_variants.AbstractDSprites()
  factors = data.sample_factors(20, np.random.RandomState(3))
  states = [np.random.RandomState(4) for _ in range(2)]
  rows = data.sample_rows_from_factors(factors, states[0])
  images = data.sample_observations_from_factors(factors, states[1])
  assert states[0].random_sample() == states[1].random_sample()
  np.testing.assert_array_equal(data.observations_from_rows(rows), images)
  for number, possible in enumerate(data.rows_with_factors(factors)):
    assert len(set(possible.tolist())) == 40 and rows[number] in possible
  # The corners show the background, and the brightest pixel elsewhere the color of the object.
  background = dsprites_variants.BACKGROUND_COLORS[factors[:, 0]]
  np.testing.assert_allclose(images[:, 0, 0], background[:, None] * np.ones(3))


def test_data_without_rows_says_so():
  data = quantized_factors.QuantizedFactors(dummy_data.DummyData(), [3] * 10)
  assert not data.has_rows
  images = data.sample_observations_from_factors(np.zeros((2, 10), int), np.random.RandomState(0))
  assert images.shape == (2, 64, 64, 1)


@pytest.mark.parametrize("max_values", [(5, 5), (5, 5, 0, 5)])
def test_misfit_is_refused(max_values):
  with pytest.raises(errors.ConfigError, match=r"must be 4 positive numbers.*position_x, .*got \["):
    quantized_factors.QuantizedFactors(spots.Spots(), max_values)
