"""How much of an image's attributes each code explains, and other measures of paired arrays.

Undefined numbers, such as the explained share of an attribute that is the same everywhere, are NaN
here; `plain` turns them into None for a record.
"""

import numpy as np
from scipy import optimize
from scipy import stats

MIN_GROUP = 10  # points; the share that chance explains is 1 / (points - 1) on average

_ROUNDING = 1e-9  # of the largest value; attributes that are equal but for rounding do not vary


def explained_shares(
  codes: np.ndarray,
  attributes: np.ndarray,
  groups: np.ndarray | None = None,
  monotone: bool = False,
) -> np.ndarray:
  """Returns the share of each attribute's variance that each code alone explains (R^2).

  It is the squared correlation, that is R^2 of a linear regression on the one code. In groups, it
  is that within each group, averaged with the number of points as weights over the groups that
  have at least `MIN_GROUP` points and in which attribute and code vary.

  Args:
    codes: `[num_points, num_codes]`.
    attributes: `[num_points, num_attributes]`.
    groups: Group of each point, `[num_points]`, or None for one group of all.
    monotone: Whether to take ranks (within a group) in place of values. Then it is the square of
      Spearman's rank correlation, 1 for any monotone dependence.

  Returns:
    `[num_attributes, num_codes]` in [0, 1], or NaN where no group counts.
  """
  if groups is None:
    groups = np.zeros(len(codes), np.int64)
  total = np.zeros((attributes.shape[1], codes.shape[1]))
  num_points = np.zeros_like(total)
  for group in np.unique(groups):
    of_group = groups == group
    size = np.count_nonzero(of_group)
    if size >= MIN_GROUP:
      shares = _squared_correlations(codes[of_group], attributes[of_group], monotone)
      total += size * np.nan_to_num(shares)
      num_points += size * np.isfinite(shares)
  return np.divide(total, num_points, out=np.full_like(total, np.nan), where=num_points > 0)


def _squared_correlations(codes: np.ndarray, attributes: np.ndarray, monotone: bool) -> np.ndarray:
  """Returns `[num_attributes, num_codes]`, NaN where one of both has the same value everywhere."""
  varies = np.outer(_varies(attributes), _varies(codes))
  if monotone:
    codes, attributes = (stats.rankdata(values, axis=0) for values in (codes, attributes))
  codes, attributes = (values - values.mean(axis=0) for values in (codes, attributes))
  covariance = attributes.T @ codes
  scale = np.outer(np.sum(attributes**2, axis=0), np.sum(codes**2, axis=0))
  return np.divide(covariance**2, scale, out=np.full_like(scale, np.nan), where=varies)


def _varies(values: np.ndarray) -> np.ndarray:
  """Returns whether each column has more than one value, bool `[num_columns]`."""
  return np.ptp(values, axis=0) > _ROUNDING * np.max(np.abs(values), axis=0)


def gaps(shares: np.ndarray) -> np.ndarray:
  """Returns how much more of each attribute the best code explains than the second best.

  The gap of the mutual information gap (Chen et al., 2018), with R^2 in place of mutual
  information. R^2 is a share of the attribute's variance already, so nothing divides it: of
  independent codes the shares add up to at most 1, and the gap is 1 if one code explains all.

  Args:
    shares: `[num_attributes, num_codes]`.

  Returns:
    `[num_attributes]`, NaN where a share is, or if there are fewer than two codes.
  """
  if shares.shape[1] < 2:
    return np.full(len(shares), np.nan)
  second, best = np.sort(shares, axis=1)[:, -2:].T
  return best - second


def assign(shares: np.ndarray) -> np.ndarray:
  """Returns a different attribute for each code, such that they explain most of them in sum.

  Args:
    shares: `[num_attributes, num_codes]`; NaN counts as 0.

  Returns:
    Index of the attribute of each code, int64 `[num_codes]`; -1 for a code that is left over where
    there are more codes than attributes.
  """
  rows, columns = optimize.linear_sum_assignment(np.nan_to_num(shares), maximize=True)
  found = np.full(shares.shape[1], -1)
  found[columns] = rows
  return found


def change_rates(digits: np.ndarray) -> tuple[float, float]:
  """Returns how often the digit changes along traversals.

  Args:
    digits: Predicted digits, `[num_traversals, num_values]`.

  Returns:
    The share of traversals along which it is not the same everywhere, and the mean number of
    changes from one value to the next in a traversal.
  """
  changes = np.count_nonzero(np.diff(digits, axis=1), axis=1)
  return float(np.mean(changes > 0)), float(np.mean(changes))


def matched_accuracy(categories: np.ndarray, digits: np.ndarray) -> float:
  """Returns the share of points whose category is matched with their digit.

  Categories and digits are matched one to one such that the share is largest.

  Args:
    categories: Whole numbers from 0, `[num_points]`.
    digits: Whole numbers from 0, `[num_points]`.
  """
  pairs = np.zeros((categories.max() + 1, digits.max() + 1))
  np.add.at(pairs, (categories, digits), 1)
  rows, columns = optimize.linear_sum_assignment(pairs, maximize=True)
  return float(pairs[rows, columns].sum() / len(categories))


def mean_correlation(values: np.ndarray) -> float:
  """Returns the correlation of two columns, averaged over all pairs of columns.

  Args:
    values: `[num_points, num_columns]`.

  Returns:
    In [-1, 1], or NaN if there are fewer than two columns or one has the same value everywhere.
  """
  if values.shape[1] < 2 or not _varies(values).all():
    return np.nan
  pairs = np.triu_indices(values.shape[1], 1)
  return float(np.mean(np.corrcoef(values, rowvar=False)[pairs]))


def mean_reported_correlation(scale_tril: np.ndarray) -> float:
  """Returns the correlation of two codes in N(mean, L L^T), averaged over pairs and points.

  Args:
    scale_tril: L, `[num_points, num_codes, num_codes]`.

  Returns:
    In [-1, 1], or NaN if there is one code.
  """
  if scale_tril.shape[1] < 2:
    return np.nan
  rows = scale_tril / np.linalg.norm(scale_tril, axis=2, keepdims=True)
  correlations = rows @ rows.transpose(0, 2, 1)
  return float(np.mean(correlations[:, *np.triu_indices(scale_tril.shape[1], 1)]))


def mean_of_defined(values: np.ndarray) -> float:
  """Returns the mean of those values that are not NaN, or NaN if all are."""
  defined = values[np.isfinite(values)]
  return float(np.mean(defined)) if len(defined) else np.nan


def plain(value: float) -> float | None:
  """Returns a number for a record, None in place of NaN."""
  return None if np.isnan(value) else float(value)
