"""What kinds of observations there are: images and vectors."""

from collections.abc import Sequence


def is_vector(observation_shape: Sequence[int | None]) -> bool:
  """Returns whether observations are vectors of features instead of images.

  >>> is_vector((30,)), is_vector((64, 64, 1))
  (True, False)
  """
  return len(observation_shape) == 1


def name_features(observation_shape: Sequence[int], names: Sequence[str] | None) -> list[str]:
  """Returns a name for each feature of vectors: the given ones, or `feature 0`, `feature 1`, ..."""
  return [f"feature {i}" for i in range(observation_shape[0])] if names is None else list(names)
