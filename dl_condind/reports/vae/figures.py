"""The figures of a report on VAEs: those of the paper, and pictures of two stored models."""

from collections.abc import Sequence

import numpy as np

from dl_condind.reports import figures
from dl_condind.reports import measures
from dl_condind.reports import study_runs
from dl_condind.reports.vae import sentences
from dl_condind.reports.vae import vector_figures
from dl_condind.utils import observations as observation_shapes
from dl_condind.utils import run_config
from dl_condind.visualize import image_figures
from dl_condind.visualize import traversals

_PAPER_FIGURES = {("mig_mean", "10"): " (as in Figure 1)", ("mig_mean", "20"): " (as in Figure 5)"}
_X = "kl_loss"  # What the others are drawn over.
_OVER_KL = ("total_correlation", "reconstruction_loss")
_NUM_IMAGES = 10


def draw(settings: study_runs.Settings) -> list[figures.Drawn]:
  """Draws MIG of all data sets, then the other measures of each; leaves out what has no value.

  Args:
    settings: Name of a setting of VAEs -> its runs, as `grouping.group_by_setting` returns them.
  """
  by_latents: dict[str, dict[str, Sequence[study_runs.Run]]] = {}
  by_dataset: dict[tuple[str, str], dict[str, Sequence[study_runs.Run]]] = {}
  for name, runs in settings.items():
    by_latents.setdefault(runs[0].num_latent, {})[name] = runs
    by_dataset.setdefault((runs[0].dataset, runs[0].num_latent), {})[name] = runs
  labels = study_runs.correlation_labels([run for runs in settings.values() for run in runs])
  drawn = []
  for num_latent, members in by_latents.items():
    for measure in measures.drawn(run_config.VAE, measures.OWN):
      drawn.append(_draw_measure(members, labels, measure, num_latent))
  for (dataset, num_latent), members in by_dataset.items():
    drawn.append(_draw_terms(members, labels, dataset, num_latent))
    drawn.append(_draw_over_kl(members, labels, dataset, num_latent))
  return [found for found in drawn if found]


def _draw_measure(
  settings: study_runs.Settings, labels: Sequence[str], measure: measures.Measure, num_latent: str
) -> figures.Drawn | None:
  """Draws a measure of all data sets, a row for each method."""
  by_method: dict[str, dict[str, Sequence[study_runs.Run]]] = {}
  for title, runs in settings.items():
    by_method.setdefault(runs[0].method, {})[title] = runs
  rows = [
    (_axis_label(measure, settings), figures.panels_of(members, measure.name, labels))
    for members in by_method.values()
  ]
  if not figures.has_values(rows):
    return None
  caption = (
    f"{measure.caption or measure.title}, {num_latent} latents"
    f"{_PAPER_FIGURES.get((measure.name, num_latent), '')}. {figures.POINTS}"
  )
  figure = figures.values_by_correlation(rows, labels)
  return figures.Drawn(f"{measure.name}_{num_latent}_latents", figure, caption)


def _draw_terms(
  settings: study_runs.Settings, labels: Sequence[str], dataset: str, num_latent: str
) -> figures.Drawn | None:
  rows = [
    (_axis_label(measure, settings), figures.panels_of(settings, measure.name, labels))
    for measure in measures.drawn(run_config.VAE, measures.TERMS)
  ]
  if not figures.has_values(rows):
    return None
  caption = (
    f"Reconstruction error, KL and total correlation on {dataset}, {num_latent} latents (as in "
    "Figure 2). The reconstruction error is of one sample of q(z|x) for each image."
  )
  figure = figures.values_by_correlation(rows, labels)
  return figures.Drawn(f"terms_{dataset}_{num_latent}_latents", figure, caption)


def _draw_over_kl(
  settings: study_runs.Settings, labels: Sequence[str], dataset: str, num_latent: str
) -> figures.Drawn | None:
  rows = [
    (
      _axis_label(measures.find(name), settings),
      {title: _points(runs, name, labels) for title, runs in settings.items()},
    )
    for name in _OVER_KL
  ]
  if not figures.has_values(rows):
    return None
  caption = (
    "The paper's estimate of the total correlation, and the reconstruction error, over the "
    f"factorized KL on {dataset}, {num_latent} latents. Each point is one run."
  )
  figure = figures.scatter(rows, labels, _axis_label(measures.find(_X), settings))
  return figures.Drawn(f"kl_{dataset}_{num_latent}_latents", figure, caption)


def _points(
  runs: Sequence[study_runs.Run], measure: str, labels: Sequence[str]
) -> dict[str, list[tuple[float, float]]]:
  """Returns KL and a measure of the runs that have both, by correlation."""
  found = {label: [] for label in labels}
  for run in runs:
    point = run.measure(_X), run.measure(measure)
    if None not in point:
      found[run.correlation_label].append(point)
  return found


def _axis_label(measure: measures.Measure, settings: study_runs.Settings) -> str:
  unit = measure.unit
  if unit == measures.UNIT_OF_LOSS:
    unit = sentences.reconstruction_unit([run for runs in settings.values() for run in runs])
  return f"{measure.axis_label} [{unit}]" if unit else measure.axis_label


def draw_models(
  pair: Sequence[study_runs.Run], described: str, trust_gin_imports: bool = False
) -> list[figures.Drawn]:
  """Returns reconstructions of the same images by two models, and traversals from the first one.

  Args:
    pair: Two runs of one setting whose models are stored.
    described: The runs in words.
    trust_gin_imports: Whether to run the modules that the trainings imported.

  Raises:
    DatasetError: If a model is damaged or the data set cannot be read.
    ConfigError: If the data set needs an import that is not trusted.
  """
  from dl_condind.visualize import trained_vae  # It needs TensorFlow.
  from dl_condind.visualize import visualize_model

  models = [trained_vae.TrainedVAE(run.model.path, trust_gin_imports) for run in pair]
  observations = models[0].dataset.sample_observations(_NUM_IMAGES, np.random.RandomState(0))
  labels = [run_config.name_correlation(run.correlation_label) for run in pair]
  if observation_shapes.is_vector(models[0].image_shape):
    return vector_figures.draw_models(
      dict(zip(labels, models, strict=True)), observations, described
    )
  rows = {"image": observations}
  panels = {}
  values = visualize_model.TRAVERSAL_VALUES
  for label, model in zip(labels, models, strict=True):
    rows[label] = model.reconstruct(observations)
    codes = traversals.traverse(model.posterior(observations[:1]).mean[0], values)
    panels[label] = model.decode(codes)
  return [
    figures.Drawn(
      "reconstructions",
      image_figures.image_rows(rows),
      f"The same images, each reconstructed from one sample of q(z|x) by {described}.",
    ),
    figures.Drawn(
      "traversals",
      image_figures.traversals(panels, values),
      f"Latent traversals from the first of those images, by {described}. Each row moves one "
      "latent over [-2, 2] and leaves the others at the mean of q(z|x). A row in which nothing "
      "moves is a latent the model does not use.",
    ),
  ]
