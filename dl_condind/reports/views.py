"""What the templates print of figures: pixels, colours and images as data URIs."""

import base64
from collections.abc import Mapping
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dl_condind.reports import charts
from dl_condind.reports import figures
from dl_condind.reports import strips
from dl_condind.reports import svg
from dl_condind.visualize import figures as visualize_figures
from dl_condind.visualize import image_grids


class Picture(NamedTuple):
  """An image in the page: its data, size in pixels and what it shows."""

  source: str
  width: int
  height: int
  alternative: str


class Row(NamedTuple):
  """A row of images; attributes as of `strips.Strip`."""

  label: str
  detail: str
  is_faded: bool
  picture: Picture


class Model(NamedTuple):
  """The rows of one model; attributes as of `strips.Column`."""

  title: str
  run: str
  singles: Sequence[tuple[str, Picture]]
  rows: Sequence[Row]


class Share(NamedTuple):
  """A cell of a table of shares: its text, and how dark it is, in [0, 1]."""

  text: str
  share: float


class Figure(NamedTuple):
  """A figure of the page.

  Attributes:
    name: Name of its files.
    title: What it shows.
    caption: What to know about it.
    panels: Panels of a chart.
    looks: How each style of the chart looks.
    legend: Names of the styles; empty without a legend.
    has_curves: Whether the styles are those of curves.
    models: Columns of rows of images.
    values: Labels along a row.
    x_label: What changes along a row.
    shares: (label, title of a table -> rows of cells) of tables of shares.
    row_labels: Of the rows of these tables.
    column_labels: Of their columns.
    is_target: Whether points of other figures lead to its models.
  """

  name: str
  title: str
  caption: str
  panels: Sequence[svg.Panel] = ()
  looks: Sequence[visualize_figures.Look] = ()
  legend: Sequence[str] = ()
  has_curves: bool = False
  models: Sequence[Model] = ()
  values: Sequence[str] = ()
  x_label: str = ""
  shares: Sequence[tuple[str, Mapping[str, Sequence[Sequence[Share]]]]] = ()
  row_labels: Sequence[str] = ()
  column_labels: Sequence[str] = ()
  is_target: bool = False


def of_figure(drawn: figures.Drawn) -> Figure:
  """Returns what a page shows of a figure."""
  shown = Figure(drawn.name, drawn.title, drawn.caption)
  content = drawn.content
  if isinstance(content, charts.Chart):
    kinds = {line.kind for panel in content.panels for line in panel.lines}
    return shown._replace(
      panels=[svg.place(panel) for panel in content.panels],
      looks=visualize_figures.looks(content.names, content.is_ordered),
      legend=content.legend,
      has_curves=charts.CURVE in kinds,
    )
  if isinstance(content, strips.Strips):
    models = [_model(column, content.values) for column in content.columns]
    return shown._replace(models=models, values=content.values, x_label=content.x_label)
  tables = [
    (label, {title: _shares(values) for title, values in of_label.items()})
    for label, of_label in content.rows
  ]
  return shown._replace(
    shares=tables, row_labels=content.row_labels, column_labels=content.column_labels
  )


def _model(column: strips.Column, values: Sequence[str]) -> Model:
  where = f", from {values[0]} to {values[-1]}" if values else ""
  rows = [
    Row(
      strip.label,
      strip.detail,
      strip.is_faded,
      _picture(strip.images, f"{strip.label}{where}, {column.title}".rstrip(", ")),
    )
    for strip in column.strips
  ]
  singles = [
    (label, _picture(image[None], f"{label}, {column.title}"))
    for label, image in column.single_images
  ]
  return Model(column.title, column.run, singles, rows)


def _picture(images: np.ndarray, alternative: str) -> Picture:
  media_type, data = image_grids.encode_row(images)
  num, height, width = images.shape[:3]
  source = f"data:{media_type};base64,{base64.b64encode(data).decode('ascii')}"
  return Picture(source, num * (width + 1) - 1, height, alternative)


def _shares(values: np.ndarray) -> list[list[Share]]:
  return [
    [Share(figures.share_text(v), 0.0 if np.isnan(v) else round(float(v), 3)) for v in row]
    for row in values
  ]
