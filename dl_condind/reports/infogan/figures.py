"""The figures of a report on InfoGANs: what codes do to digits, and pictures of two models."""

from collections.abc import Sequence

import numpy as np

from dl_condind.reports import charts
from dl_condind.reports import comparisons
from dl_condind.reports import figures
from dl_condind.reports import measures
from dl_condind.reports import sentences as shared_sentences
from dl_condind.reports import strips
from dl_condind.reports import study_runs
from dl_condind.reports.infogan import sentences
from dl_condind.utils import priors
from dl_condind.utils import run_config
from dl_condind.utils import training_logs

MAIN = "conditional_r2_mean_gap"  # What a report says first.
MAIN_FIGURES = (MAIN,)
MAIN_PICTURES = "two_codes"

_MAX_SHOWN_RUNS = 5  # of a correlation, in the tables of shares
_R2 = "model.infogan_disentanglement.conditional_r2."
_ATTRIBUTES = ("slant", "width", "height", "thickness")


def draw(settings: study_runs.Settings, tables: comparisons.Tables) -> list[figures.Drawn]:
  """Draws the measures of all InfoGANs of a data set, and what each code of a run explains.

  Args:
    settings: Name of a setting of InfoGANs -> its runs; what has no value is left out.
    tables: `comparisons.compare_all` of all settings.
  """
  labels = study_runs.correlation_labels([run for runs in settings.values() for run in runs])
  by_dataset: dict[str, dict[str, Sequence[study_runs.Run]]] = {}
  for name, runs in settings.items():
    by_dataset.setdefault(runs[0].dataset, {})[name] = runs
  drawn = []
  for dataset, members in by_dataset.items():
    common, _ = shared_sentences.split_names(members)
    for measure in measures.drawn(run_config.INFOGAN, measures.OWN):
      title = f"{measure.title[0].upper()}{measure.title[1:]}"
      chart = charts.of_values(
        members, measure.name, tables[measure.name], labels, measure.axis_label, measure.digits
      )
      if chart:
        title = f"{title}: {common}" if common else title
        name = f"{measure.name}_{dataset}"
        drawn.append(figures.Drawn(name, title, f"{measure.caption or measure.title}.", chart))
  for number, (name, runs) in enumerate(settings.items()):
    drawn += _draw_shares(runs, name, f"codes_{runs[0].dataset}_{number}")
  return drawn


def _draw_shares(runs: Sequence[study_runs.Run], setting: str, name: str) -> list[figures.Drawn]:
  """Returns R² of attributes and codes of the first runs of each correlation, if there are any."""
  found = {key.rpartition(".")[2] for run in runs for key in run.row if key.startswith(_R2)}
  codes = sorted(found, key=lambda code: (len(code), code))  # code_2 before code_10
  keys = [[f"{_R2}{attribute}.{code}" for code in codes] for attribute in _ATTRIBUTES]
  rows: list[tuple[str, dict[str, np.ndarray]]] = []
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
    return []
  caption = (
    "Share of the variance of each attribute of generated digits that each code explains, within "
    "categories (or, without a categorical code, predicted digits). A code can be named after an "
    "attribute if its number is high in one row and those of all other codes are low there. The "
    f"first {_MAX_SHOWN_RUNS} runs of each correlation at most."
  )
  shares = figures.Shares(rows, _ATTRIBUTES, [code.replace("_", " ") for code in codes])
  return [figures.Drawn(name, f"What each code explains: {setting}", caption, shares)]


def draw_models(
  pair: Sequence[study_runs.Run], described: str, trust_gin_imports: bool = False
) -> list[figures.Drawn]:
  """Returns the first two codes of two models together, each code in each category, and the losses.

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

  models = [stored_infogan.StoredInfoGAN(run.model.saved_model) for run in pair]
  starts = infogan_pictures.starts_of(models[0])
  limit = priors.traversal_limit(sentences.continuous_prior(pair[0]))
  values = infogan_pictures.values_between(limit)
  labels = [f"{value:.1f}" for value in values]
  interval = f"[{-limit:g}, {limit:g}]"

  def beside(images: Sequence[np.ndarray], rows: Sequence[str], x_label: str) -> strips.Strips:
    """Returns the rows of images of both models, [num_rows, num_values, ...] each."""
    columns = [
      strips.Column(
        f"{run_config.name_correlation(run.correlation_label)}, seed {run.seed}",
        [strips.Strip(row, of_row) for row, of_row in zip(rows, of_model, strict=True)],
        run.name,
      )
      for run, of_model in zip(pair, images, strict=True)
    ]
    return strips.Strips(columns, labels, x_label)

  drawn = []
  if models[0].num_continuous > 1:
    name, start = next(iter(starts.items()))
    images = [infogan_pictures.vary_two_codes(model, values, start) for model in models]
    rows = [f"code 1 = {label}" for label in labels[::-1]]
    caption = f"The first two codes over {interval} with {name} (as in Figure 3), by {described}."
    content = beside(images, rows, "code 0")
    drawn.append(figures.Drawn(MAIN_PICTURES, "The first two codes together", caption, content))
  for code in range(models[0].num_continuous):
    images = [
      infogan_pictures.vary_one_code(model, code, values, list(starts.values())) for model in models
    ]
    caption = (
      f"Code {code} over {interval}, the other codes 0 and the noise the same everywhere, by "
      f"{described}."
    )
    content = beside(images, list(starts), f"code {code}")
    drawn.append(figures.Drawn(f"code_{code}", f"What code {code} does", caption, content))
  return [*drawn, *_draw_losses(pair, described)]


def _draw_losses(pair: Sequence[study_runs.Run], described: str) -> list[figures.Drawn]:
  """Returns the losses in the course of both trainings, if their logs have them."""
  if not all(run.model.log.is_file() for run in pair):
    return []
  logs = {
    f"{run_config.name_correlation(run.correlation_label)}, seed {run.seed}": training_logs.read(
      run.model.path
    )
    for run in pair
  }
  if max(len(log["step"]) for log in logs.values()) < 2:
    return []
  panels = {
    title: {
      measures.find(name).title: (log["step"], log[name])
      for name in measures.logged(run_config.INFOGAN)
    }
    for title, log in logs.items()
  }
  chart = charts.of_curves(panels, "training step", "loss [nats]")
  caption = f"Losses in training (as in Figure 4) of {described}."
  return [figures.Drawn("losses", "Losses", caption, chart)]
