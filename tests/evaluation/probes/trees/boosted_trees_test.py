import pickle

import numpy as np
import pytest
import sklearn
from sklearn import base
from sklearn import ensemble

from dl_condind.evaluation.probes.trees import boosted_trees
from dl_condind.evaluation.probes.trees import presorted_trees

pytestmark = pytest.mark.skipif(
  not sklearn.__version__.startswith(boosted_trees.SCIKIT_LEARN),
  reason="These are the trees of one version of scikit-learn.",
)


def labels_and_noise(num_points, num_classes, num_columns, seed=0):
  random_state = np.random.RandomState(seed)
  y = random_state.permutation(np.arange(num_points) % num_classes)
  return y, random_state.standard_normal((num_points, num_columns))


def informative(num_points=400, num_classes=3, num_columns=10, spread=0.5):
  """Returns points of which three columns tell of the class."""
  y, x = labels_and_noise(num_points, num_classes, num_columns)
  x[:, :3] = spread * x[:, :3] + np.outer(y, [1.0, -0.5, 0.2])[:, : x[:, :3].shape[1]]
  return x, y


def noise():
  y, x = labels_and_noise(300, 4, 10)
  return x, y


def separable_beside_nearly_constant_columns():
  x, y = informative(spread=0.01)
  x[:, 5:] *= 1e-6  # so that gaps are on both sides of the smallest
  return x, y


def rounded(digits=1):
  x, y = informative()
  return np.round(x, digits), y


def whole_numbers():
  y, x = labels_and_noise(300, 5, 4)
  return np.stack([y, np.round(x[:, 0]), np.round(x[:, 1]), y // 2], axis=1), y


def equal_points_of_different_classes():
  x, y = informative(num_points=200)
  return np.repeat(x, 2, axis=0), np.roll(np.repeat(y, 2), 1)


def equal_columns():
  x, y = informative(num_columns=3)
  return np.concatenate([x, x], axis=1), y


def constant_columns():
  x, y = informative()
  x[:, [0, 4, 9]] = 1.5
  return x, y


def rare_class():
  x, y = informative(num_points=120)
  y[y == 2] = 0
  y[7] = 2
  return x, y


TABLES = {
  "informative": informative,
  "two classes": lambda: informative(num_classes=2),
  "ten classes": lambda: informative(num_classes=10),
  "forty classes": lambda: informative(num_points=100, num_classes=40, num_columns=4),
  "noise": noise,
  "separable": separable_beside_nearly_constant_columns,
  "rounded": rounded,
  "coarse": lambda: rounded(0),
  "whole numbers": whole_numbers,
  "equal points": equal_points_of_different_classes,
  "equal columns": equal_columns,
  "constant columns": constant_columns,
  "all constant": lambda: (np.ones((30, 3)), np.arange(30) % 3),
  "too close": lambda: (1e-9 * np.arange(300)[:, None], np.arange(300) // 100),
  "one column": lambda: informative(num_columns=1),
  "rare class": rare_class,
  "few points": lambda: informative(num_points=6),
  "one point of each class": lambda: informative(num_points=5, num_classes=5),
  "large values": lambda: (1e30 * informative()[0], informative()[1]),
}


def assert_same(ours, theirs, x):
  assert ours.estimators_.shape == theirs.estimators_.shape
  for one, other in zip(ours.estimators_.flat, theirs.estimators_.flat, strict=True):
    for name in ("feature", "threshold", "children_left", "children_right", "n_node_samples"):
      np.testing.assert_array_equal(getattr(one.tree_, name), getattr(other.tree_, name))
    # Of points of equal value in another order sums differ by rounding.
    np.testing.assert_allclose(one.tree_.impurity, other.tree_.impurity, rtol=1e-10, atol=1e-12)
    is_leaf = one.tree_.feature < 0
    np.testing.assert_array_equal(one.tree_.value[is_leaf], other.tree_.value[is_leaf])
  np.testing.assert_array_equal(ours.decision_function(x), theirs.decision_function(x))
  np.testing.assert_array_equal(ours.predict(x), theirs.predict(x))
  np.testing.assert_allclose(
    ours.feature_importances_, theirs.feature_importances_, rtol=0, atol=1e-13
  )


@pytest.fixture
def grown(monkeypatch):
  """Returns a list of whether each tree was known here."""
  known, grow = [], presorted_trees.grow

  def watch(*arguments):
    nodes = grow(*arguments)
    known.append(nodes is not None)
    return nodes

  monkeypatch.setattr(presorted_trees, "grow", watch)
  return known


@pytest.mark.parametrize(
  "name",
  [
    pytest.param(name, marks=pytest.mark.slow if name.endswith("classes") else [])
    for name in TABLES
  ],
)
def test_everything_is_scikit_learns(name):
  x, y = TABLES[name]()
  for seed in (0, 1):
    ours = boosted_trees.GradientBoostingClassifier(random_state=seed)
    theirs = ensemble.GradientBoostingClassifier(random_state=seed)
    ours.n_estimators = theirs.n_estimators = 30
    new = np.concatenate([x, x[::-1] + np.float32(0.01)])
    assert_same(ours.fit(x, y), theirs.fit(x, y), new)


@pytest.mark.slow
def test_all_rounds_are_scikit_learns():
  x, y = informative(num_points=1200, num_columns=6)
  ours = boosted_trees.GradientBoostingClassifier(random_state=3).fit(x, y)
  assert_same(ours, ensemble.GradientBoostingClassifier(random_state=3).fit(x, y), x)


def test_trees_of_different_values_are_grown_here(grown):
  for x, y in (informative(), noise(), separable_beside_nearly_constant_columns()):
    boosted_trees.GradientBoostingClassifier(random_state=0).fit(x, y)
  assert len(grown) == 100 * (3 + 4 + 3)
  assert np.mean(grown) > 0.99


@pytest.mark.slow
def test_trees_that_depend_on_the_order_of_equal_values_are_left_to_scikit_learn(grown):
  for table in (equal_columns, equal_points_of_different_classes):
    boosted_trees.GradientBoostingClassifier(random_state=0).fit(*table())
  assert 0 < np.mean(grown) < 1


@pytest.mark.slow
def test_seed_decides_between_equal_columns():
  x, y = equal_columns()
  importances = [
    boosted_trees.GradientBoostingClassifier(random_state=seed).fit(x, y).feature_importances_
    for seed in (0, 0, 1)
  ]
  np.testing.assert_array_equal(importances[0], importances[1])
  assert not np.array_equal(importances[0], importances[2])


def test_random_state_may_be_missing_or_shared():
  x, y = informative(num_points=60)
  boosted_trees.GradientBoostingClassifier().fit(x, y)
  ours, theirs = np.random.RandomState(5), np.random.RandomState(5)
  boosted_trees.GradientBoostingClassifier(random_state=ours).fit(x, y)
  ensemble.GradientBoostingClassifier(random_state=theirs).fit(x, y)
  assert ours.randint(10**9) == theirs.randint(10**9)


def test_copies_behave_alike():
  x, y = informative(num_points=60)
  model = base.clone(boosted_trees.GradientBoostingClassifier(random_state=2)).fit(x, y)
  copy = pickle.loads(pickle.dumps(model))
  np.testing.assert_array_equal(copy.predict_proba(x), model.predict_proba(x))
  assert copy.get_params() == {"random_state": 2}
  assert not hasattr(model, "_columns")  # which is as large as the table


@pytest.mark.parametrize(
  ("change", "message"),
  [
    (lambda x, y: (np.full_like(x, np.nan), y), "contains NaN"),
    (lambda x, y: (x, np.zeros_like(y)), "a minimum of 2 classes are required"),
    (lambda x, y: (x[1:], y), "inconsistent numbers of samples"),
  ],
)
def test_points_that_cannot_be_fitted_are_refused(change, message):
  with pytest.raises(ValueError, match=message):
    boosted_trees.GradientBoostingClassifier().fit(*change(*informative(num_points=30)))
