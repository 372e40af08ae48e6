"""Checks of a table of factors that a user supplies."""

from collections.abc import Sequence

import numpy as np

MAX_FACTORS = 1000
_MAX_SIZE = 2**53  # float64 tells all smaller whole numbers apart.
_MAX_NAME = 200  # characters


def check_names(names: Sequence[str]) -> None:
  """Checks that names of factors can be told apart and printed.

  Raises:
    ValueError: If one is empty, too long, not printable, or there twice, or there are too many.
  """
  if len(names) > MAX_FACTORS:
    raise ValueError(f"it has {len(names)} factors, more than {MAX_FACTORS}")
  for i, name in enumerate(names):
    if not name or len(name) > _MAX_NAME or not name.isprintable():
      raise ValueError(
        f"the name {name[:80]!r} of factor {i} is empty, not printable or longer than {_MAX_NAME} "
        "characters"
      )
    if name in names[:i]:
      raise ValueError(f"two factors have the name {name!r}")


def check_factors(
  factors: np.ndarray,
  names: Sequence[str],
  sizes: Sequence[int | None],
  rows: Sequence[str] | None = None,
) -> tuple[np.ndarray, list[int]]:
  """Returns factors in the type that a data set has, and the number of values of each.

  Args:
    factors: Factors of each image, integers or floats `[num_rows, num_factors]`.
    names: Name of each factor.
    sizes: Number of values of each factor: 0 if it is continuous, None for the largest value + 1.
    rows: What to call each row in an error, if not by its number.

  Returns:
    int64 or, if one is continuous, float64 `[num_rows, num_factors]`; and the number of values of
    each, for a continuous one the number of different values.

  Raises:
    ValueError: If a factor or size is of another kind or out of range.
  """
  if factors.dtype.kind not in "biuf":
    raise ValueError(f"factors is {factors.dtype}, not integers or floats")
  if factors.dtype.kind in "bf":
    factors = factors.astype(np.int64 if factors.dtype.kind == "b" else np.float64)
  num_values, dtype = [], np.int64
  for i, (values, name, size) in enumerate(zip(factors.T, names, sizes, strict=True)):
    if size is None:
      size = min(max(values.max(), 0), _MAX_SIZE - 1) + 1
    size = int(size)
    if not 0 <= size <= _MAX_SIZE:
      raise ValueError(f"factor_sizes[{i}] ({name}) is {size}, not in [0, {_MAX_SIZE}]")
    if size:
      allowed = f"a whole number in [0, {size})"
      wrong = (values < 0) | (values >= size) | (np.floor(values) != values)
    else:
      allowed, wrong = "a finite number", ~np.isfinite(values)
    if wrong.any():
      row = np.argmax(wrong)
      where = f"factors[{row}, {i}] ({name})" if rows is None else f"{name} of {rows[row]}"
      raise ValueError(f"{where} is {values[row]}, not {allowed}")
    num_values.append(size or len(np.unique(values)))
    dtype = dtype if size else np.float64
  return factors.astype(dtype), num_values
