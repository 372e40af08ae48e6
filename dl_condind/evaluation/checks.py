"""Checks of what metrics are given: settings, arrays and data sets."""

from collections.abc import Sequence
import numbers
from typing import Any

import numpy as np

from dl_condind.data.ground_truth import ground_truth_data as ground_truth
from dl_condind.utils import errors


def check_count(name: str, value: Any, minimum: int) -> None:
  """Checks that a setting is a whole number of at least minimum.

  Raises:
    ConfigError: If it is not.
  """
  whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
  if not whole or value < minimum:
    raise errors.ConfigError(f"{name} must be a whole number of at least {minimum}, got {value!r}.")


def check_choice(name: str, value: Any, choices: Sequence[str]) -> None:
  """Checks that a setting is one of the names to choose from.

  Raises:
    ConfigError: If it is not.
  """
  if value not in choices:
    raise errors.ConfigError(f"{name} must be one of {', '.join(choices)}, got {value!r}.")


def check_finite(what: str, values: np.ndarray) -> None:
  """Checks that every number is finite.

  Raises:
    ConfigError: If one is not.
  """
  num_bad = values.size - np.count_nonzero(np.isfinite(values))
  if num_bad:
    raise errors.ConfigError(
      f"{what} has {num_bad} of {values.size} values that are not finite: the model has diverged "
      "or its input is not what it was trained on; train it again or choose another run."
    )


def check_has_factors(ground_truth_data: ground_truth.GroundTruthData) -> None:
  """Checks that there are factors to compare representations with.

  Raises:
    ConfigError: If there are none.
  """
  if ground_truth_data.num_factors == 0:
    raise errors.ConfigError(
      f"{ground_truth_data.name} has no factors: add factors to the data set, or leave out the "
      "metrics that compare representations with them."
    )
