"""The figures of a report on InfoGANs: what codes do to digits, and pictures of two models."""

from collections.abc import Sequence
import itertools

import numpy as np

from dl_condind.reports import figures
from dl_condind.reports import measures
from dl_condind.reports import study_runs
from dl_condind.reports.infogan import sentences
from dl_condind.utils import priors
from dl_condind.utils import run_config
from dl_condind.utils import training_logs
from dl_condind.visualize import image_figures

_MAX_SHOWN_RUNS = 5  # of a correlation, in the tables of shares
_MAX_PANELS = 3  # side by side
_R2 = "model.infogan_disentanglement.conditional_r2."
_ATTRIBUTES = ("slant", "width", "height", "thickness")


def draw(settings: study_runs.Settings) -> list[figures.Drawn]:
  """Draws the measures of all InfoGANs of a data set, and what each code of a run explains.

  Args:
    settings: Name of a setting of InfoGANs -> its runs; what has no value is left out.
  """
  labels = study_runs.correlation_labels([run for runs in settings.values() for run in runs])
  by_dataset: dict[str, dict[str, Sequence[study_runs.Run]]] = {}
  for name, runs in settings.items():
    by_dataset.setdefault(runs[0].dataset, {})[name] = runs
  drawn = []
  for dataset, members in by_dataset.items():
    for start in range(0, len(members), _MAX_PANELS):
      part = dict(itertools.islice(members.items(), start, start + _MAX_PANELS))
      drawn.append(_draw_measures(part, labels, f"infogan_{dataset}_{start // _MAX_PANELS}"))
  for number, (name, runs) in enumerate(settings.items()):
    drawn.append(_draw_shares(runs, name, f"codes_{runs[0].dataset}_{number}"))
  return [found for found in drawn if found]


def _draw_measures(
  members: study_runs.Settings, labels: Sequence[str], name: str
) -> figures.Drawn | None:
  rows = [
    (measure.axis_label, figures.panels_of(members, measure.name, labels))
    for measure in measures.drawn(run_config.INFOGAN, measures.OWN)
  ]
  rows = [row for row in rows if figures.has_values([row])]
  if not rows:
    return None
  caption = (
    "What the codes do: gap between the shares of an attribute's variance (R²) that the best "
    "and the second code explain; R² of a code with an attribute of its own; share of the "
    "traversals along which the digit changes; correlation of the recognition network's errors. "
    f"{figures.POINTS}"
  )
  figure = figures.values_by_correlation(rows, labels)
  return figures.Drawn(name, figure, caption)


def _draw_shares(runs: Sequence[study_runs.Run], setting: str, name: str) -> figures.Drawn | None:
  """Draws R² of attributes and codes of the first runs of each correlation."""
  codes = {key.rpartition(".")[2] for run in runs for key in run.row if key.startswith(_R2)}
  codes = sorted(codes, key=lambda code: (len(code), code))  # code_2 before code_10
  keys = [[f"{_R2}{attribute}.{code}" for code in codes] for attribute in _ATTRIBUTES]
  rows = []
  for label in study_runs.correlation_labels(runs):
    of_label = [
      run
      for run in study_runs.of_correlation(runs, label)
      if any(run.row.get(key) is not None for row in keys for key in row)
    ]
    tables = {
      f"run {run.name}": np.array([[run.row.get(key) for key in row] for row in keys], np.float64)
      for run in of_label[:_MAX_SHOWN_RUNS]
    }
    if tables:
      rows.append((run_config.name_correlation(label), tables))
  if not rows:
    return None
  caption = (
    f"{setting}: share of the variance of each attribute of generated digits that each code "
    "explains, within categories (or, without a categorical code, predicted digits). A code can be "
    "named after an attribute if its number is high in one row and those of all other codes are "
    f"low there. The first {_MAX_SHOWN_RUNS} runs of each correlation at most."
  )
  figure = figures.shares(rows, _ATTRIBUTES, [code.replace("_", " ") for code in codes])
  return figures.Drawn(name, figure, caption)


def draw_models(
  pair: Sequence[study_runs.Run], described: str, trust_gin_imports: bool = False
) -> list[figures.Drawn]:
  """Returns the losses of two models, each code in each category, and the first two codes together.

  Args:
    pair: Two runs of one setting whose models are stored.
    described: The runs in words.
    trust_gin_imports: Not used, for no data are read.

  Raises:
    DatasetError: If a model or its log is damaged.
  """
  del trust_gin_imports
  from dl_condind.saved_models import stored_infogan  # They need TensorFlow.
  from dl_condind.visualize import infogan_pictures

  titles = [run_config.name_correlation(run.correlation_label) for run in pair]
  models = [stored_infogan.StoredInfoGAN(run.model.saved_model) for run in pair]
  starts = infogan_pictures.starts_of(models[0])
  limit = priors.traversal_limit(sentences.continuous_prior(pair[0]))
  values = infogan_pictures.values_between(limit)
  labels = [f"{value:.1f}" for value in values]
  drawn = []
  if all(run.model.log.is_file() for run in pair):
    logs = [training_logs.read(run.model.path) for run in pair]
    figure = infogan_pictures.losses(dict(zip(titles, logs, strict=True)))
    if figure:
      caption = f"Losses in training (as in Figure 4) of {described}."
      drawn.append(figures.Drawn("losses", figure, caption))
  if models[0].num_continuous > 1:
    name, start = next(iter(starts.items()))
    panels = [infogan_pictures.vary_two_codes(model, values, start) for model in models]
    figure = image_figures.image_grids(
      dict(zip(titles, panels, strict=True)), labels[::-1], labels, "code 0", "code 1"
    )
    caption = (
      f"The first two codes over [{-limit:g}, {limit:g}] with {name} (as in Figure 3), by "
      f"{described}."
    )
    drawn.append(figures.Drawn("two_codes", figure, caption))
  for code in range(models[0].num_continuous):
    panels = [
      infogan_pictures.vary_one_code(model, code, values, list(starts.values())) for model in models
    ]
    figure = image_figures.image_grids(
      dict(zip(titles, panels, strict=True)), list(starts), labels, f"code {code}"
    )
    caption = (
      f"Code {code} over [{-limit:g}, {limit:g}], the other codes 0 and the noise the same "
      f"everywhere, by {described}."
    )
    drawn.append(figures.Drawn(f"code_{code}", figure, caption))
  return drawn
