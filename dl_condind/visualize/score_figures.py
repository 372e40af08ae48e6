"""Figures of what latents have to do with factors: arrays in, matplotlib figures out.

They are those that disentanglement_lib draws of `unified_scores` and of `irs`.
"""

from collections.abc import Sequence

import numpy as np
from scipy.cluster import hierarchy
from scipy.spatial import distance

from dl_condind.evaluation.metrics import matrix_scores
from dl_condind.visualize import figures

_CELL = 0.55  # inches
_MAX_LINES = 60  # of other factors in a panel; of more, evenly spread ones are drawn


def squares(matrix: np.ndarray, factor_names: Sequence[str]) -> figures.Figure:
  """Draws a square for each entry of a matrix, whose area and colour grow with it.

  Args:
    matrix: Not negative, [num_latent, num_factors].
    factor_names: [num_factors].
  """
  num_latent, num_factors = matrix.shape
  size = _CELL * num_factors + 2.2, _CELL * num_latent + 1.6
  figure = figures.Figure(size, dpi=figures.DOTS_PER_INCH, layout="constrained")
  axes = figure.subplots()
  latents, factors = np.indices(matrix.shape)
  shares = matrix / (matrix.max() or 1.0)
  # Points per inch, squared: the largest entry fills nine tenths of its cell.
  areas = shares.ravel() * (0.9 * 72 * _CELL * 0.8) ** 2
  drawn = axes.scatter(
    factors.ravel(), latents.ravel(), s=areas, c=matrix.ravel(), cmap="viridis_r", marker="s"
  )
  drawn.set_clim(0, None)
  figure.colorbar(drawn, ax=axes)
  names = [figures.plain_label(name) for name in factor_names]
  axes.set_xticks(range(num_factors), names, rotation=45, ha="right")
  axes.set_yticks(range(num_latent))
  axes.set_xlim(-0.5, num_factors - 0.5)
  axes.set_ylim(num_latent - 0.5, -0.5)
  axes.set_ylabel("latent")
  axes.set_aspect("equal")
  return figure


def group_curves(matrix: np.ndarray) -> figures.Figure:
  """Draws how many groups and discovered factors there are as relations below a threshold are cut.

  Groups are those of `matrix_scores.group_counts`. A factor is discovered if it has an entry of at
  least the threshold.

  Args:
    matrix: Not negative, [num_latent, num_factors].
  """
  thresholds, groups = matrix_scores.group_counts(matrix)
  largest = matrix.max(axis=0)  # [num_factors]
  discovered = [np.count_nonzero(largest >= threshold) for threshold in thresholds]
  figure = figures.curves(
    {"": {"groups": (thresholds, groups), "discovered factors": (thresholds, discovered)}},
    "threshold",
    "number",
  )
  figure.axes[0].yaxis.get_major_locator().set_params(integer=True)
  return figure


def dendrogram(matrix: np.ndarray, factor_names: Sequence[str]) -> figures.Figure:
  """Draws at which relation, counted from the strongest, factors come to share a group.

  Args:
    matrix: [num_latent, num_factors], of at least two factors.
    factor_names: [num_factors].
  """
  num_factors = matrix.shape[1]
  ranks = np.zeros((num_factors, num_factors))
  for key, rank in matrix_scores.factor_merges(matrix, np.arange(num_factors)).items():
    i, j = map(int, key.removeprefix("merge_").split("_"))
    ranks[i, j] = ranks[j, i] = rank
  # Two factors share a group as soon as a chain of relations joins them.
  tree = hierarchy.linkage(distance.squareform(ranks), method="single")
  size = 0.5 * num_factors + 2.5, figures.PANEL_HEIGHT
  figure = figures.Figure(size, dpi=figures.DOTS_PER_INCH, layout="constrained")
  axes = figure.subplots()
  names = [figures.plain_label(name) for name in factor_names]
  hierarchy.dendrogram(
    tree,
    ax=axes,
    labels=names,
    leaf_rotation=45,
    color_threshold=0,
    above_threshold_color="#333333",
  )
  figures.finish(axes, "", "", "rank of the relation that joins")
  for label in axes.get_xticklabels():
    label.set_ha("right")
  return figure


def interventional_effects(
  means: np.ndarray,
  factors: np.ndarray,
  parents: Sequence[int],
  factor_names: Sequence[str],
) -> figures.Figure:
  """Draws how each latent depends on its parent, the factor it tells best, and on the others.

  A row for each latent and a column for each factor. In the parent's column: mean, median and mean
  +- stddev of the latent for each value of the parent. In another factor's column: a line for each
  value of the parent, the latent's mean over the values of that factor. Flat lines there say that
  the latent is robust.

  Args:
    means: Latents, [num_points, num_latent].
    factors: Integers, [num_points, num_factors].
    parents: Index of a factor of each latent, [num_latent].
    factor_names: [num_factors].
  """
  num_latent, num_factors = means.shape[1], factors.shape[1]
  figure = figures.Figure(
    (1.9 * num_factors + 0.8, 1.5 * num_latent + 0.6),
    dpi=figures.DOTS_PER_INCH,
    layout="constrained",
  )
  grid = figure.subplots(num_latent, num_factors, squeeze=False, sharex="col", sharey="row")
  for latent, parent in enumerate(parents):
    for factor in range(num_factors):
      axes = grid[latent][factor]
      if factor == parent:
        _draw_parent(axes, means[:, latent], factors[:, parent])
      else:
        _draw_other(axes, means[:, latent], factors[:, parent], factors[:, factor])
      figures.finish(axes, "", "", f"latent {latent}" if factor == 0 else "")
      axes.tick_params(labelsize=7)
  for axes, name in zip(grid[0], factor_names, strict=True):
    axes.set_title(figures.plain_label(name), fontsize=10)
  figure.suptitle(
    "Shaded: the factor that the latent tells best, with mean, median (dashed) and stddev.\n"
    "Elsewhere: the mean for each value of that factor, from dark to light.",
    fontsize=9,
  )
  figure.supxlabel("value of the factor", fontsize=10)
  return figure


def _draw_parent(axes: figures.Axes, latent: np.ndarray, parent: np.ndarray) -> None:
  values = np.unique(parent)
  groups = [latent[parent == value] for value in values]
  mean, stddev = (np.array([f(group) for group in groups]) for f in (np.mean, np.std))
  axes.fill_between(values, mean - stddev, mean + stddev, color=figures.STYLES[0][0], alpha=0.25)
  axes.plot(values, mean, color=figures.STYLES[0][0])
  axes.plot(values, [np.median(group) for group in groups], color="#000000", linestyle="dashed")
  axes.set_facecolor("#f3f6fa")


def _draw_other(
  axes: figures.Axes, latent: np.ndarray, parent: np.ndarray, other: np.ndarray
) -> None:
  values = np.unique(parent)
  shown = values[np.unique(np.linspace(0, len(values) - 1, _MAX_LINES).astype(int))]
  shades = figures.sequence(len(shown))
  for value, shade in zip(shown, shades, strict=True):
    chosen = parent == value
    places = np.unique(other[chosen])
    means = [np.mean(latent[chosen & (other == place)]) for place in places]
    axes.plot(places, means, color=shade, linewidth=0.8)
