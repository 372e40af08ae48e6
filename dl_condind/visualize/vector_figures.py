"""Figures of vectors: arrays in, matplotlib figures out. Nothing here reads or writes a file."""

from collections.abc import Mapping
from collections.abc import Sequence

import numpy as np

from dl_condind.utils import observations
from dl_condind.visualize import figures

_NUM_NAMED = 8  # features that a traversal tells apart; the others are grey
_MAX_TICKS = 30  # features that an axis names
_PER_ROW = 5  # panels
_GREY = "#bbbbbb"


def traversals(
  decoded: np.ndarray, values: np.ndarray, feature_names: Sequence[str] | None = None
) -> figures.Figure:
  """Draws what each latent does: a panel for each, and in it a line for each feature.

  The features that move most, over all latents, have colours and a legend.

  Args:
    decoded: Vectors as one latent changes, [num_latent, num_values, num_features].
    values: Values of that latent, [num_values].
    feature_names: [num_features]; None stands for their numbers.
  """
  num_latent, _, num_features = decoded.shape
  names = observations.name_features((num_features,), feature_names)
  ranges = np.ptp(decoded, axis=1).max(axis=0)
  named = np.argsort(-ranges, kind="stable")[:_NUM_NAMED]
  figure, grid = _panels(num_latent)
  drawn = {}
  for latent, axes in enumerate(grid):
    figures.finish(axes, f"latent {latent}", "", "")
    others = np.delete(decoded[latent], named, axis=1)
    if others.size:
      axes.plot(values, others, color=_GREY, linewidth=0.6)
    for number, feature in enumerate(named):
      color, marker = figures.STYLES[number]
      (drawn[figures.plain_label(names[feature])],) = axes.plot(
        values,
        decoded[latent][:, feature],
        color=color,
        marker=marker,
        markevery=max(1, len(values) // 4),
        markersize=4,
        linewidth=1.3,
      )
  figure.supxlabel("value of the latent that changes", fontsize=10)
  figure.supylabel("decoded value of a feature", fontsize=10)
  _legend(figure, drawn, "features that move most")
  return figure


def profiles(
  rows: Mapping[str, np.ndarray], feature_names: Sequence[str] | None = None
) -> figures.Figure:
  """Draws each observation in a panel: its values over the features, and those of others with it.

  Args:
    rows: Label -> vectors, [num, num_features], such as observations and their reconstructions.
    feature_names: [num_features]; None stands for their numbers.
  """
  first = next(iter(rows.values()))
  figure, grid = _panels(len(first), height=2.4)
  drawn = {}
  for index, axes in enumerate(grid):
    figures.finish(axes, f"observation {index}", "", "")
    for number, (label, vectors) in enumerate(rows.items()):
      color, marker = ("#000000", "") if number == 0 else figures.STYLES[number - 1]
      (drawn[label],) = axes.plot(
        vectors[index], color=color, marker=marker, markersize=3, linewidth=1.2
      )
  _name_features(figure, grid, first.shape[1], feature_names)
  _legend(figure, drawn)
  return figure


def samples(
  panels: Mapping[str, np.ndarray], feature_names: Sequence[str] | None = None
) -> figures.Figure:
  """Draws many vectors in a panel, a thin line for each over the features.

  Args:
    panels: Title -> vectors, [num, num_features].
    feature_names: [num_features]; None stands for their numbers.
  """
  figure, grid = _panels(len(panels), width=5.0, height=figures.PANEL_HEIGHT)
  for axes, (title, vectors) in zip(grid, panels.items(), strict=True):
    figures.finish(axes, title, "", "")
    axes.plot(vectors.T, color=figures.STYLES[0][0], alpha=0.3, linewidth=0.8)
  num_features = next(iter(panels.values())).shape[1]
  _name_features(figure, grid, num_features, feature_names)
  return figure


def _panels(
  num_panels: int, width: float = 2.4, height: float = 2.2
) -> tuple[figures.Figure, list[figures.Axes]]:
  """Returns a figure and its panels, which share both axes."""
  columns = min(num_panels, _PER_ROW)
  num_rows = -(-num_panels // columns)
  figure = figures.Figure(
    (max(width * columns, 5.0), height * num_rows + 0.8),
    dpi=figures.DOTS_PER_INCH,
    layout="constrained",
  )
  grid = list(figure.subplots(num_rows, columns, squeeze=False, sharex=True, sharey=True).flat)
  for axes in grid[num_panels:]:
    axes.remove()
  return figure, grid[:num_panels]


def _name_features(
  figure: figures.Figure,
  grid: Sequence[figures.Axes],
  num_features: int,
  feature_names: Sequence[str] | None,
) -> None:
  """Labels the axes of features: with names if there are few, else with their numbers."""
  for axes in grid:
    if feature_names is not None and num_features <= _MAX_TICKS:
      labels = [figures.plain_label(name) for name in feature_names]
      axes.set_xticks(np.arange(num_features), labels, rotation=90, fontsize=7)
  figure.supxlabel("feature", fontsize=10)
  figure.supylabel("value", fontsize=10)


def _legend(figure: figures.Figure, drawn: Mapping[str, object], title: str | None = None) -> None:
  figure.legend(
    drawn.values(), drawn, loc="outside upper center", ncols=4, frameon=False, title=title
  )
