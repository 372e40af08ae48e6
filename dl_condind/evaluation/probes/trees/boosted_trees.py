"""Gradient boosted trees of scikit-learn, fitted several times as fast."""

from typing import Self

import numpy as np
from sklearn import ensemble
from sklearn import tree
from sklearn.tree import _tree

from dl_condind.evaluation.probes.trees import presorted_trees

SCIKIT_LEARN = "1.9."  # The version whose trees these are; others may decide ties another way.
_SMALLEST_CURVATURE = 1e-150  # scikit-learn's


class GradientBoostingClassifier(ensemble.GradientBoostingClassifier):
  """scikit-learn's classifier with its defaults: 100 rounds, depth 3, learning rate 0.1.

  With the same random_state it splits at the same places and predicts the same; importances are the
  same to rounding. Nodes that are no leaves have no value. How a tree is grown differs, see
  `presorted_trees`; a tree that is not known there is grown by scikit-learn.

  Args:
    random_state: Seed, or None.
  """

  def __init__(self, random_state: int | None = None):
    super().__init__(random_state=random_state)

  def fit(self, x: np.ndarray, y: np.ndarray) -> Self:
    """Fits the trees.

    Args:
      x: Points, `[num_points, num_columns]`, finite in float32.
      y: Their classes, `[num_points]`, at least two different ones.

    Raises:
      ValueError: If the arrays are not so.
    """
    super().fit(x, y)
    del self._columns
    return self

  def _fit_stage(
    self,
    i,
    X,
    y,
    raw_predictions,
    sample_weight,
    sample_mask,
    random_state,
    X_csc=None,
    X_csr=None,
  ):
    """Grows the trees of round i, one of each class, and adds them to raw_predictions."""
    del sample_weight, sample_mask, X_csc, X_csr  # all weights are 1
    if i == 0:
      self._columns = presorted_trees.sort_columns(X)
    gradient = self._loss.gradient(y_true=y, raw_prediction=raw_predictions)
    residuals = -gradient.reshape(len(y), -1)
    for k in range(self.n_trees_per_iteration_):
      targets = np.ascontiguousarray(residuals[:, k])
      regressor = self._fit_tree(X, targets, random_state)
      labels = (y == k).astype(np.float64) if self.n_classes_ > 2 else y
      grown = regressor.tree_
      leaves = grown.apply(X)
      for leaf in np.flatnonzero(grown.children_left == presorted_trees.LEAF):
        inside = np.flatnonzero(leaves == leaf)
        grown.value[leaf] = _newton_step(targets[inside], labels[inside], self.n_classes_)
      raw_predictions[:, k] += self.learning_rate * grown.value[:, 0, 0][leaves]
      self.estimators_[i, k] = regressor
    return raw_predictions

  def _fit_tree(self, x, targets, random_state) -> tree.DecisionTreeRegressor:
    regressor = tree.DecisionTreeRegressor(max_depth=self.max_depth, random_state=random_state)
    before = random_state.get_state()
    seed = random_state.randint(presorted_trees.SEEDS)
    nodes = presorted_trees.grow(self._columns, targets, self.max_depth, seed)
    if nodes is None:
      random_state.set_state(before)
      return regressor.fit(x, targets, check_input=False)
    regressor.n_features_in_, regressor.n_outputs_ = x.shape[1], 1
    regressor.tree_ = _make_tree(nodes, x.shape[1], self.max_depth)
    return regressor


def _newton_step(residuals: np.ndarray, labels: np.ndarray, num_classes: int) -> float:
  """Returns what a leaf adds to the logit of a class, by one Newton step.

  Implements Friedman (2001), doi:10.1214/aos/1013203451, algorithm 6; with two classes, as in
  scikit-learn, without the factor. 0 if the loss is straight.

  Args:
    residuals: Labels less probabilities of the points in the leaf, `[num_inside]`.
    labels: 1 if a point is of the class, else 0, `[num_inside]`.
    num_classes: Number of classes.
  """
  probabilities = labels - residuals
  curvature = (probabilities * (1.0 - probabilities)).sum() / len(labels)
  if abs(curvature) < _SMALLEST_CURVATURE:
    return 0.0
  factor = (num_classes - 1) / num_classes if num_classes > 2 else 1.0
  return residuals.sum() / len(labels) * factor / curvature


def _make_tree(nodes: list[list], num_columns: int, max_depth: int) -> _tree.Tree:
  """Returns scikit-learn's tree of nodes, as it would be loaded from a file."""
  table = np.zeros(len(nodes), dtype=_tree.NODE_DTYPE)
  names = ("left_child", "right_child", "feature", "threshold", "impurity", "n_node_samples")
  for name, values in zip(names, zip(*nodes, strict=True), strict=True):
    table[name] = values
  table["weighted_n_node_samples"] = table["n_node_samples"]
  made = _tree.Tree(num_columns, np.array([1]), 1)
  made.__setstate__(
    {
      "max_depth": max_depth,
      "node_count": len(nodes),
      "nodes": table,
      "values": np.zeros((len(nodes), 1, 1)),
    }
  )
  return made
