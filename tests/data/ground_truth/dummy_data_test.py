import numpy as np

from dl_condind.data.ground_truth import dummy_data


def test_dummy_data_draws_factors_then_noise():
  data = dummy_data.DummyData()
  factors, observations = data.sample(6, np.random.RandomState(3))

  expected = np.random.RandomState(3)
  np.testing.assert_array_equal(factors, expected.randint(5, size=(6, 10)))
  noise = expected.random_sample((6, 64, 64, 1)).astype(np.float32)
  np.testing.assert_array_equal(observations, noise)
  assert observations.dtype == np.float32
  assert data.observation_shape == observations.shape[1:]


def test_dummy_data_noise_is_independent_of_the_factors():
  data = dummy_data.DummyData()
  first = data.sample_observations_from_factors(np.zeros((2, 10), int), np.random.RandomState(0))
  second = data.sample_observations_from_factors(np.ones((2, 10), int), np.random.RandomState(0))
  np.testing.assert_array_equal(first, second)


def test_dummy_data_describes_itself():
  data = dummy_data.DummyData()
  assert data.num_factors == len(data.factor_names) == 10
  assert data.factors_num_values == [5] * 10
  assert data.provenance() == {"dataset": "dummy_data", "source": "synthetic", "sha256": "none"}


def test_identity_observations_are_the_factors():
  data = dummy_data.IdentityObservationsData()
  factors, observations = data.sample(3000, np.random.RandomState(5))
  np.testing.assert_array_equal(factors, np.random.RandomState(5).randint(1, 11, size=(3000, 10)))
  np.testing.assert_array_equal(observations, factors)
  assert data.observation_shape == (10,)
  assert data.factors_num_values == [len(np.unique(column)) for column in factors.T]
