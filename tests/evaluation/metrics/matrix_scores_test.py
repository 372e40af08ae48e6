import json

import numpy as np
import pytest

from dl_condind.evaluation.metrics import matrix_scores


def random_matrix(num_latent=5, num_factors=3, seed=0):
  return np.random.RandomState(seed).random_sample((num_latent, num_factors))


def literal_groups(connected):
  """Counts groups by repeated merging of sets."""
  groups = []
  for edge in np.argwhere(connected):
    new = {("row", edge[0]), ("column", edge[1])}
    for group in [g for g in groups if g & new]:
      groups.remove(group)
      new |= group
    groups.append(new)
  return len(groups)


def test_scores_of_a_diagonal_matrix():
  scores = matrix_scores.matrix_scores(2 * np.eye(3), np.array([2.0, 2.0, 4.0]))
  for key in ("dci", "dci_disentanglement", "dci_completeness", "modularity"):
    assert scores[key] == pytest.approx(1, abs=1e-9)
  assert [scores[f"mig.factor_{i}"] for i in range(3)] == [1, 1, 0.5]
  assert scores["mig"] == pytest.approx(5 / 6)
  assert scores["sap"] == scores["sap.factor_2"] == 2
  assert scores["max_precision"] == 3


def test_scores_of_a_duplicated_matrix():
  matrix = np.repeat(np.eye(3), 2, axis=0)
  scores = matrix_scores.matrix_scores(matrix, np.ones(3))
  assert scores["mig"] == scores["sap"] == 0
  assert scores["dci"] == pytest.approx(1, abs=1e-9)
  assert scores["dci_completeness"] == pytest.approx(1 - np.log(2) / np.log(6), abs=1e-9)
  assert scores["modularity"] == 1


def test_scores_of_no_relation_are_zero():
  scores = matrix_scores.matrix_scores(np.zeros((4, 3)), np.ones(3))
  for key in ("dci", "dci_completeness", "mig", "sap", "modularity", "area_precision"):
    assert scores[key] == pytest.approx(0, abs=1e-9)
  assert scores["max_precision"] == 0
  json.dumps(scores, allow_nan=False)


def test_parts_are_literal():
  matrix, entropy = random_matrix(), np.array([1.0, 2.0, 3.0])
  scores = matrix_scores.matrix_scores(matrix, entropy)
  gaps = [np.sort(column)[-1] - np.sort(column)[-2] for column in matrix.T]
  assert [scores[f"sap.factor_{i}"] for i in range(3)] == gaps
  assert [scores[f"mig.factor_{i}"] for i in range(3)] == pytest.approx(gaps / entropy)
  for j, row in enumerate(matrix):
    p = (row + 1e-11) / np.sum(row + 1e-11)
    entropy_of_row = -np.sum(p * np.log(p)) / np.log(3)
    assert scores[f"dci_disentanglement.code_{j}"] == pytest.approx(1 - entropy_of_row, abs=1e-14)
    other = np.sum(row**2) - np.max(row) ** 2
    expected = 1 - other / (np.max(row) ** 2 * 2)
    assert scores[f"modularity.code_{j}"] == pytest.approx(expected, abs=1e-14)
  for i, column in enumerate(matrix.T):
    p = (column + 1e-11) / np.sum(column + 1e-11)
    expected = 1 + np.sum(p * np.log(p)) / np.log(5)
    assert scores[f"dci_completeness.code_{i}"] == pytest.approx(expected, abs=1e-14)
  assert scores["matrix"] == matrix.tolist()


def test_factors_keep_their_indices():
  scores = matrix_scores.matrix_scores(random_matrix(), np.ones(3), np.array([0, 2, 5]))
  expected = {"mig.factor_5", "sap.factor_2", "dci_completeness.code_5", "merge_2_5", "merge_0_2"}
  assert expected <= scores.keys()
  assert not any("_1" in key for key in scores if "factor" in key or "merge" in key)


def test_one_factor():
  scores = matrix_scores.matrix_scores(random_matrix(4, 1), np.ones(1))
  assert scores["dci"] is None and scores["dci_disentanglement"] is None
  assert scores["modularity"] is None
  assert 0 <= scores["dci_completeness"] <= 1
  json.dumps(scores, allow_nan=False)


@pytest.mark.parametrize("seed", range(10))
def test_groups_are_counted_literally(seed):
  connected = random_matrix(6, 4, seed) < 0.2
  assert matrix_scores.num_groups(connected) == literal_groups(connected)


def test_group_curve_in_closed_form():
  # Thresholds 1, 2, 3 (0 has no edges of its own): 2 groups at 1, 2 at 2, 1 at 3; at 0 as at 1.
  matrix = np.array([[3.0, 0.0], [1.0, 0.0], [0.0, 2.0]])
  scores = matrix_scores.group_curve(matrix)
  assert scores == {"area_precision": 2 + 2 + 1.5, "max_precision": 2}


@pytest.mark.parametrize("seed", range(5))
def test_factors_merge_where_groups_do(seed):
  matrix = random_matrix(4, 3, seed)
  merges = matrix_scores.factor_merges(matrix, np.arange(3))
  assert merges.keys() == {"merge_0_1", "merge_0_2", "merge_1_2"}
  ordered = np.sort(matrix, axis=None)[::-1]
  for key, rank in merges.items():
    a, b = (int(i) for i in key.split("_")[1:])
    assert _together(matrix >= ordered[rank], a, b)
    assert not _together(matrix > ordered[rank], a, b)


def _together(connected, a, b):
  """Returns whether two columns are connected, by walking from one."""
  columns, rows = {a}, set()
  for _ in range(10):
    rows |= {i for i, j in np.argwhere(connected) if j in columns}
    columns |= {j for i, j in np.argwhere(connected) if i in rows}
  return b in columns
