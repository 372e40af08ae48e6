"""Summaries of a matrix that says how much each latent has to do with each factor."""

from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from dl_condind.evaluation.metrics import dci
from dl_condind.evaluation.metrics import modularity_explicitness


def matrix_scores(
  matrix: np.ndarray, entropy: np.ndarray, factors: np.ndarray | None = None
) -> dict[str, Any]:
  """Returns the summaries of DCI, MIG, SAP and modularity, and when factors merge.

  The keys are disentanglement_lib's, among them `dci_completeness.code_{i}` for factor i. It gives
  `merge_{i}_{j}` with i and j in an order that depends on the matrix; here i < j.

  Args:
    matrix: Not negative, `[num_latent, num_factors]`, at least two latents.
    entropy: Of each factor, in nats, positive, `[num_factors]`.
    factors: The index by which to name each factor, `[num_factors]`; their order if None.

  Returns:
    `dci_disentanglement` and `dci` (the same), `dci_completeness`, as `dci.importance_scores`;
    `mig`: mean gap of the two largest entries of a column divided by the entropy; `sap`: mean gap;
    `modularity`, as of mutual information; each with its parts (`.code_{j}`, `.factor_{i}`);
    the results of `group_curve` and `factor_merges`; `matrix`. What has no meaning for a single
    factor is None.
  """
  num_latent, num_factors = matrix.shape
  factors = np.arange(num_factors) if factors is None else factors
  ordered = np.sort(matrix, axis=0)  # [num_latent, num_factors], largest last
  gaps = ordered[-1] - ordered[-2]
  results: dict[str, float | None] = {"dci": None, "modularity": None}
  for key, value in dci.importance_scores(matrix, factors).items():
    results[f"dci_{key}".replace("completeness.factor", "completeness.code")] = value
  results["dci"] = results["dci_disentanglement"]
  results["mig"] = float(np.mean(gaps / entropy))
  results["sap"] = float(np.mean(gaps))
  for i, gap, nats in zip(factors, gaps, entropy, strict=True):
    results[f"mig.factor_{i}"] = float(gap / nats)
    results[f"sap.factor_{i}"] = float(gap)
  if num_factors > 1:
    modularity = modularity_explicitness.modularity_per_code(matrix)
    results["modularity"] = float(np.mean(modularity))
    results |= {f"modularity.code_{j}": float(modularity[j]) for j in range(num_latent)}
  return {
    **results,
    **group_curve(matrix),
    **factor_merges(matrix, factors),
    "matrix": matrix.tolist(),
  }


def group_curve(matrix: np.ndarray) -> dict[str, float]:
  """Returns how many groups of latents and factors there are as weak relations are cut.

  At a threshold, latents and factors whose entry is at least that are connected; those connected
  with anything form groups. A disentangled representation has a group for each factor.

  Args:
    matrix: Not negative, `[num_latent, num_factors]`.

  Returns:
    `area_precision`: number of groups integrated over thresholds, from the smallest entry to the
    largest, by the trapezoidal rule; `max_precision`: largest number of groups.
  """
  thresholds, groups = group_counts(matrix)
  return {
    "area_precision": float(np.trapezoid(groups, thresholds)),
    "max_precision": int(np.max(groups)),
  }


def group_counts(matrix: np.ndarray) -> tuple[np.ndarray, list[int]]:
  """Returns thresholds, which are the entries of a matrix from the smallest, and groups at each.

  Args:
    matrix: Not negative, `[num_latent, num_factors]`.
  """
  thresholds = np.sort(matrix, axis=None)
  return thresholds, [num_groups((matrix >= t) & (matrix > 0)) for t in thresholds]


def num_groups(connected: np.ndarray) -> int:
  """Returns the number of connected groups of rows and columns, without isolated ones.

  Args:
    connected: Whether a row and a column are connected, bool `[num_rows, num_columns]`.
  """
  graph = sparse.block_array([[None, connected], [connected.T, None]])
  count, _ = csgraph.connected_components(graph, directed=False)
  isolated = np.count_nonzero(~connected.any(axis=0)) + np.count_nonzero(~connected.any(axis=1))
  return int(count - isolated)


def factor_merges(matrix: np.ndarray, factors: np.ndarray) -> dict[str, int]:
  """Returns how many relations are stronger than the one that puts two factors in a group.

  Args:
    matrix: `[num_latent, num_factors]`. Of equal entries the last in C order comes first, as in
      disentanglement_lib.
    factors: Index of each factor, rising.

  Returns:
    `merge_{i}_{j}` of all factors i < j, in [0, num_latent * num_factors).
  """
  num_latent, num_factors = matrix.shape
  group = np.arange(num_factors + num_latent)  # of each factor, then of each latent
  results = {}
  for rank, entry in enumerate(np.argsort(matrix, axis=None, kind="stable")[::-1]):
    latent, factor = divmod(entry, num_factors)
    one, other = group[factor], group[num_factors + latent]
    if one != other:
      for a in np.flatnonzero(group[:num_factors] == one):
        for b in np.flatnonzero(group[:num_factors] == other):
          results[f"merge_{factors[min(a, b)]}_{factors[max(a, b)]}"] = rank
      group[group == other] = one
  return results
