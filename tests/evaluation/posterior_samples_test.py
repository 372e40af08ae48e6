import numpy as np
import pytest

from dl_condind.evaluation import posterior_samples
from dl_condind.utils import errors


def test_observation_chunks_are_the_data_sets_own_draws(small_table):
  data = small_table()
  chunks = list(posterior_samples.sample_observation_chunks(data, 2300, np.random.RandomState(1)))
  assert [len(chunk) for chunk in chunks] == [1000, 1000, 300]
  random_state = np.random.RandomState(1)
  for chunk in chunks:
    np.testing.assert_array_equal(chunk, data.sample_observations(len(chunk), random_state))


def make_encoder(logvar):
  def gaussian_encoder(observations):
    mean = observations.reshape(len(observations), -1)
    full = np.full(mean.shape, logvar, np.float32)
    with np.errstate(over="ignore"):
      stddev = np.exp(full / 2)
    scale_tril = np.zeros((*mean.shape, 4), np.float32)
    scale_tril[:, range(4), range(4)] = stddev
    return {"mean": mean, "logvar": full, "scale_tril": scale_tril}

  return gaussian_encoder


def test_posteriors_are_float64_and_match_their_observations(small_table):
  data = small_table()
  mean, stddev, scale_tril = posterior_samples.sample_posteriors(
    data, make_encoder(np.log(4.0)), 1200, np.random.RandomState(2)
  )
  random_state = np.random.RandomState(2)
  observations = [data.sample_observations(n, random_state) for n in (1000, 200)]
  np.testing.assert_array_equal(mean, np.concatenate(observations).reshape(1200, 4))
  np.testing.assert_allclose(stddev, 2.0, rtol=1e-6)  # the encoder's float32
  np.testing.assert_allclose(scale_tril, 2.0 * np.broadcast_to(np.eye(4), (1200, 4, 4)), rtol=1e-6)
  assert {array.dtype for array in (mean, stddev, scale_tril)} == {np.dtype(np.float64)}


def test_posteriors_of_all_rows_are_in_their_order(monkeypatch, small_table):
  monkeypatch.setattr(posterior_samples, "CHUNK", 7)
  data = small_table()
  mean, stddev, scale_tril = posterior_samples.row_posteriors(data, make_encoder(np.log(4.0)))
  np.testing.assert_array_equal(mean, data.observations_from_rows(np.arange(60)).reshape(60, 4))
  np.testing.assert_allclose(stddev, 2.0, rtol=1e-6)  # the encoder's float32
  np.testing.assert_allclose(scale_tril, 2.0 * np.broadcast_to(np.eye(4), (60, 4, 4)), rtol=1e-6)
  assert mean.dtype == stddev.dtype == np.float64


def test_posteriors_of_all_rows_are_checked(small_table):
  with pytest.raises(errors.ConfigError, match="posterior's stddev has 240 of 240 .* not positive"):
    posterior_samples.row_posteriors(small_table(), make_encoder(-2000.0))


@pytest.mark.parametrize(
  "logvar, message",
  [
    (np.nan, "posterior's logvar has 40 of 40 values that are not finite: the model has diverged"),
    (-2000.0, "posterior's stddev has 40 of 40 values that are not positive.*model has diverged"),
    (2000.0, "posterior's stddev has 40 of 40 values that are not finite: the model has diverged"),
  ],
)
def test_posterior_without_density_is_refused(logvar, message, small_table):
  with pytest.raises(errors.ConfigError, match=message):
    posterior_samples.sample_posteriors(
      small_table(), make_encoder(logvar), 10, np.random.RandomState(0)
    )
