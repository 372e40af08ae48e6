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
