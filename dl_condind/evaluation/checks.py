"""Checks of what metrics are given: settings, arrays and data sets."""

from collections.abc import Sequence
import numbers
from typing import Any

import numpy as np

from dl_condind.data.ground_truth import ground_truth_data as ground_truth
from dl_condind.utils import errors

MIN_POINTS = 5  # One for each fold of `predictors.logistic_regression_cv`.
ESTIMATORS = ("discretized", "nearest_neighbors")  # of mutual information


def check_count(name: str, value: Any, minimum: int) -> None:
  """Checks that a setting is a whole number of at least minimum.

  Raises:
    ConfigError: If it is not.
  """
  whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
  if not whole or value < minimum:
    raise errors.ConfigError(f"{name} must be a whole number of at least {minimum}, got {value!r}.")


def check_is_list(name: str, value: Any) -> None:
  """Checks that a setting is a list of whole numbers with at least one.

  Raises:
    ConfigError: If it is not.
  """
  if isinstance(value, str) or not np.iterable(value) or not len(value):
    raise errors.ConfigError(
      f"{name} must be a list of whole numbers, such as [100], got {value!r}."
    )
  for number in value:
    check_count(f"Each of {name}", number, 1)


def check_choice(name: str, value: Any, choices: Sequence[str]) -> None:
  """Checks that a setting is one of the names to choose from.

  Raises:
    ConfigError: If it is not.
  """
  if value not in choices:
    raise errors.ConfigError(f"{name} must be one of {', '.join(choices)}, got {value!r}.")


def check_are_numbers(what: str, values: np.ndarray) -> None:
  """Checks that values are numbers.

  Raises:
    ConfigError: If they are not.
  """
  if values.dtype.kind not in "biuf":
    raise errors.ConfigError(
      f"{what} must be numbers, got {values.dtype}: number categories, for example by "
      "np.unique(values, return_inverse=True)[1]."
    )


def check_finite(what: str, values: np.ndarray) -> None:
  """Checks that values are numbers and each is finite.

  Raises:
    ConfigError: If they are not.
  """
  check_are_numbers(what, values)
  num_bad = values.size - np.count_nonzero(np.isfinite(values))
  if num_bad:
    raise errors.ConfigError(
      f"{what} has {num_bad} of {values.size} values that are not finite: the model has diverged "
      "or its input is not what it was trained on; train it again or choose another run."
    )


def varies(values: np.ndarray) -> np.ndarray:
  """Returns which columns have more than one value, bool `[num_columns]`.

  Args:
    values: Numbers of any type, `[num_points, num_columns]`.
  """
  return values.min(axis=0) < values.max(axis=0)


def widened(values: np.ndarray) -> np.ndarray:
  """Returns whole numbers and truth values as int64, in which differences fit, others as before."""
  return values.astype(np.int64) if values.dtype.kind in "biu" else values


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


def check_settable(ground_truth_data: ground_truth.GroundTruthData, metric: str) -> None:
  """Checks that a metric can set each of at least two factors.

  Raises:
    ConfigError: If the data set lacks combinations of factors, or a second factor.
  """
  if not ground_truth_data.has_complete_grid:
    raise errors.ConfigError(
      f"{metric} sets single factors, so it needs a complete grid of factors, which "
      f"{ground_truth_data.name} does not have: leave this metric out."
    )
  if ground_truth_data.num_factors < 2:
    raise errors.ConfigError(
      f"{metric} tells factors apart, {ground_truth_data.name} has "
      f"{ground_truth_data.num_factors}: leave this metric out."
    )


def is_continuous(values: np.ndarray) -> np.ndarray:
  """Returns which columns are not whole numbers everywhere, bool `[num_columns]`.

  Args:
    values: `[num_points, num_columns]`.
  """
  return (np.floor(values) != values).any(axis=0)


def continuous_factors(y_train: np.ndarray, y_test: np.ndarray) -> np.ndarray:
  """Returns which factors are not whole numbers everywhere, bool `[num_factors]`.

  Args:
    y_train: `[num_train, num_factors]`.
    y_test: `[num_test, num_factors]`.
  """
  return is_continuous(y_train) | is_continuous(y_test)


def check_powers(what: str, values: np.ndarray, power: int) -> None:
  """Checks that sums of powers of differences of values do not overflow the values' type.

  Args:
    what: What the values are, such as "The representation".
    values: `[num_points, num_columns]`, finite.
    power: 2 for a variance.

  Raises:
    ConfigError: If they could.
  """
  dtype = values.dtype if np.issubdtype(values.dtype, np.floating) else np.dtype(np.float64)
  limit = 0.5 * (float(np.finfo(dtype).max) / len(values)) ** (1 / power)
  largest = max(abs(float(values.min())), abs(float(values.max())))
  if largest > limit:
    raise errors.ConfigError(
      f"{what} has values up to {largest:.3g}, and above {limit:.3g} powers of {len(values)} "
      f"values are not finite in {dtype}: the model has diverged or the data are damaged."
    )


def check_arrays(codes: np.ndarray, factors: np.ndarray, split: str = "") -> None:
  """Checks that there are codes and factors of the same points.

  Args:
    codes: `[num_points, num_latent]`.
    factors: `[num_points, num_factors]`.
    split: What the points are for, such as "train ".

  Raises:
    ValueError: If an array has the wrong shape or no entry, or their lengths differ.
  """
  for name, values in (("representations", codes), ("factors", factors)):
    if values.ndim != 2 or values.size == 0:
      raise ValueError(
        f"{split}{name} must be [num_points, num_columns], got shape {values.shape}."
      )
  if len(codes) != len(factors):
    raise ValueError(
      f"{split}representations and factors must have a row for each point, got "
      f"{len(codes)} and {len(factors)} rows."
    )


def check_points(
  representations: np.ndarray, factors: np.ndarray, name: str, allow_continuous: bool = False
) -> tuple[np.ndarray, np.ndarray]:
  """Returns representations as float64 and factors as int64 if classifiers can use them.

  Args:
    representations: `[num_points, num_latent]`.
    factors: `[num_points, num_factors]`.
    name: What the points are for, such as "train".
    allow_continuous: Whether factors may be continuous. If one is, all are returned as float64.

  Raises:
    ConfigError: If a value is not a number, or not finite in float32, which trees compute in, or a
      factor is not a whole number and may not be continuous.
    ValueError: If an array has the wrong shape or no entry, or their lengths differ.
  """
  representations, factors = np.asarray(representations), np.asarray(factors)
  check_arrays(representations, factors, f"{name} ")
  check_are_numbers(f"The {name} representations", representations)
  check_are_numbers(f"The {name} factors", factors)
  representations = representations.astype(np.float64)
  with np.errstate(over="ignore"):
    for what, values in (("representations", representations), ("factors", factors)):
      num_bad = np.count_nonzero(~np.isfinite(values.astype(np.float32)))
      if num_bad:
        raise errors.ConfigError(
          f"The {name} {what} have {num_bad} of {values.size} values that are not finite in "
          "float32: the model has diverged or the data are damaged."
        )
  continuous = np.flatnonzero(is_continuous(factors))
  if continuous.size and not allow_continuous:
    raise errors.ConfigError(
      f"A classifier predicts discrete factors, and factor {continuous[0]} of the {name} factors "
      "is continuous: choose a metric that takes continuous factors, such as dci or mig."
    )
  return representations, factors.astype(np.float64 if continuous.size else np.int64)


def check_splits(
  x_train: np.ndarray,
  y_train: np.ndarray,
  x_test: np.ndarray,
  y_test: np.ndarray,
  allow_continuous: bool = False,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
  """Returns the four arrays of `check_points`, for training and testing.

  Raises:
    ConfigError: As `check_points`; or if there are fewer than 5 points to train on.
    ValueError: As `check_points`; or if the two splits differ in their number of columns.
  """
  x_train, y_train = check_points(x_train, y_train, "train", allow_continuous)
  x_test, y_test = check_points(x_test, y_test, "test", allow_continuous)
  for what, train, test in (("representations", x_train, x_test), ("factors", y_train, y_test)):
    if train.shape[1] != test.shape[1]:
      raise ValueError(
        f"train and test {what} must have the same columns, got {train.shape[1]} and "
        f"{test.shape[1]}."
      )
  if len(x_train) < MIN_POINTS:
    raise errors.ConfigError(
      f"Classifiers need at least {MIN_POINTS} points to train on, got {len(x_train)}: raise "
      "num_train, or num_labelled_samples of a validation."
    )
  return x_train, y_train, x_test, y_test


def varying_factors(
  y_train: np.ndarray, metric: str, y_test: np.ndarray | None = None
) -> np.ndarray:
  """Returns the indices of the factors that have more than one value.

  A factor of one value is predicted without a look at the representation: metrics leave it out.

  Args:
    y_train: Factors to fit, `[num_train, num_factors]`.
    metric: Name of the metric.
    y_test: Factors to test on, for a metric that takes continuous ones: their R2 needs two values.

  Raises:
    ConfigError: If no factor varies, or a continuous one that does has a single value in y_test.
  """
  varying = np.flatnonzero(varies(y_train))
  if not varying.size:
    raise errors.ConfigError(
      f"{metric} has nothing to score: none of the {y_train.shape[1]} factors varies in the "
      f"{len(y_train)} train points; raise {metric}.num_train, or num_labelled_samples of a "
      "validation."
    )
  if y_test is not None:
    is_missed = ~varies(y_test) & continuous_factors(y_train, y_test)
    for i in varying[is_missed[varying]]:
      raise errors.ConfigError(
        f"{metric} has no R2 of factor {i}, which is continuous and has a single value in the "
        f"{len(y_test)} test points; raise {metric}.num_test, or num_labelled_samples of a "
        "validation."
      )
  return varying
