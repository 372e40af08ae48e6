"""Entropy and mutual information of discrete codes and factors.

Arrays have one row per point and one column per latent or factor, the transpose of
disentanglement_lib's.
"""

import numpy as np
from scipy import special

_NEGLIGIBLE = 1e-13  # nats, which are rounding of terms that cancel
_MAX_DENSE = 1000  # values up to which those in between may be missing


def discrete_mutual_info(codes: np.ndarray, factors: np.ndarray) -> np.ndarray:
  """Returns the mutual information of every code with every factor, in nats.

  Args:
    codes: Discrete values, `[num_points, num_codes]`.
    factors: Discrete values, `[num_points, num_factors]`.

  Returns:
    `[num_codes, num_factors]`, not negative, 0 where a column has one value or two are independent.
  """
  codes, num_code_values = enumerate_values(codes)
  factors, num_factor_values = enumerate_values(factors)
  num_factors, num_points = factors.shape
  first = np.cumsum(num_factor_values) - num_factor_values  # column of a factor's smallest value
  num_columns = int(num_factor_values.sum())
  factors += first[:, None]
  counts = np.bincount(factors.ravel(), minlength=num_columns)
  factor_terms = np.add.reduceat(special.xlogy(counts, counts), first)
  information = np.zeros((len(codes), num_factors))
  for i, code in enumerate(codes):
    pairs = np.bincount(
      (code * num_columns + factors).ravel(), minlength=num_code_values[i] * num_columns
    ).reshape(-1, num_columns)  # [values of the code, values of all factors]
    pair_terms = np.add.reduceat(special.xlogy(pairs, pairs).sum(axis=0), first)
    code_counts = pairs[:, : num_factor_values[0]].sum(axis=1)
    code_term = special.xlogy(code_counts, code_counts).sum()
    information[i] = (pair_terms - code_term - factor_terms) / num_points + np.log(num_points)
  return np.where(information > _NEGLIGIBLE, information, 0.0)


def enumerate_values(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Numbers the values of each column from 0, in their order; a number may belong to no value.

  Args:
    values: Discrete values, `[num_points, num_columns]`.

  Returns:
    Numbers, a new int64 array `[num_columns, num_points]`, and how many there are, `[num_columns]`.
  """
  columns = np.ascontiguousarray(np.asarray(values).T)
  is_integer = np.issubdtype(columns.dtype, np.integer)
  numbers = np.empty(columns.shape, np.int64)
  for j, column in enumerate(columns):
    is_dense = is_integer and 0 <= np.ptp(column) < _MAX_DENSE  # Negative where it overflows.
    numbers[j] = column - column.min() if is_dense else np.unique(column, return_inverse=True)[1]
  return numbers, numbers.max(axis=1) + 1


def discrete_entropy(values: np.ndarray) -> np.ndarray:
  """Returns the empirical entropy of each column, in nats, `[num_columns]`.

  Args:
    values: Discrete values, `[num_points, num_columns]`.
  """
  numbers, _ = enumerate_values(values)
  entropies = np.empty(len(numbers))
  for j, column in enumerate(numbers):
    counts = np.bincount(column)
    entropies[j] = np.log(len(column)) - special.xlogy(counts, counts).sum() / len(column)
  return np.where(entropies > _NEGLIGIBLE, entropies, 0.0)
