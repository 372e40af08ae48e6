import numpy as np
import pytest

from dl_condind.visualize import figures
from dl_condind.visualize import score_figures

MATRIX = np.array([[0.9, 0.1, 0.0], [0.6, 0.2, 0.0], [0.0, 0.0, 0.4]])  # 3 latents, 3 factors
NAMES = ["shape", "scale", "x"]


def test_squares_grow_with_the_entries():
  figure = score_figures.squares(MATRIX[:2], NAMES)
  axes = figure.axes[0]
  (drawn,) = axes.collections
  areas = {
    (round(x), round(y)): size
    for (x, y), size in zip(drawn.get_offsets(), drawn.get_sizes(), strict=True)
  }
  for latent in range(2):
    for factor in range(3):
      share = MATRIX[latent, factor] / 0.9
      assert areas[factor, latent] == pytest.approx(areas[0, 0] * share)
  assert [label.get_text() for label in axes.get_xticklabels()] == NAMES
  assert axes.yaxis_inverted()  # Latent 0 is at the top.
  np.testing.assert_array_equal(drawn.get_array(), MATRIX[:2].ravel())


def test_a_matrix_of_zeros_has_no_squares():
  (drawn,) = score_figures.squares(np.zeros((2, 2)), NAMES[:2]).axes[0].collections
  assert not drawn.get_sizes().any()


def test_groups_and_discovered_factors_over_thresholds():
  axes = score_figures.group_curves(MATRIX).axes[0]
  groups, discovered = (line.get_xydata() for line in axes.lines)
  thresholds = [0, 0, 0, 0, 0.1, 0.2, 0.4, 0.6, 0.9]
  np.testing.assert_array_equal(groups[:, 0], thresholds)
  # Latents 0 and 1 with shape, and scale as long as 0.2 is not cut; latent 2 with x up to 0.4.
  np.testing.assert_array_equal(groups[:, 1], [2, 2, 2, 2, 2, 2, 2, 1, 1])
  np.testing.assert_array_equal(discovered[:, 1], [3, 3, 3, 3, 3, 3, 2, 1, 1])


def test_factors_merge_at_the_rank_of_the_relation_that_joins_them():
  axes = score_figures.dendrogram(MATRIX, NAMES).axes[0]
  heights = sorted({y for path in axes.collections[0].get_paths() for _, y in path.vertices})
  # From the strongest: 0.9 and 0.6 join latents with shape, 0.4 joins latent 2 with x; 0.2, of rank
  # 3, joins scale with them, and only a relation of 0 joins x: ranks 5 and later.
  assert heights[:2] == [0, 3] and heights[2] >= 5
  labels = [label.get_text() for label in axes.get_xticklabels()]
  assert sorted(labels) == sorted(NAMES)
  assert {labels.index("shape"), labels.index("scale")} in ({0, 1}, {1, 2})


def test_effects_are_means_of_a_latent_for_the_values_of_its_parent_and_of_others():
  random_state = np.random.RandomState(0)
  factors = random_state.randint(0, 3, size=(4000, 2))
  means = np.stack([factors[:, 0], factors[:, 1] + 10 * factors[:, 0]], axis=1).astype(float)
  figure = score_figures.interventional_effects(means, factors, [0, 1], ["a", "b"])
  grid = np.array(figure.axes).reshape(2, 2)
  assert [axes.get_title() for axes in grid[0]] == ["a", "b"]
  mean, median = (line.get_xydata() for line in grid[0, 0].lines)
  np.testing.assert_allclose(mean, [[0, 0], [1, 1], [2, 2]])
  np.testing.assert_allclose(median, mean)
  # Latent 0 is robust: for each value of its parent it is the same along the other factor.
  for value, line in enumerate(grid[0, 1].lines):
    np.testing.assert_allclose(line.get_ydata(), [value] * 3)
  # Latent 1 is not: along factor 0 it moves by 10.
  for value, line in enumerate(grid[1, 0].lines):
    np.testing.assert_allclose(line.get_ydata(), value + 10 * np.arange(3))
  assert figures.to_png(figure).startswith(b"\x89PNG")
