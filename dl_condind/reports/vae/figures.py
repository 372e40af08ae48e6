"""The figures of a report on VAEs: those of the paper, and pictures of two stored models."""

from collections.abc import Sequence

import numpy as np

from dl_condind.reports import charts
from dl_condind.reports import comparisons
from dl_condind.reports import figures
from dl_condind.reports import measures
from dl_condind.reports import sentences as shared_sentences
from dl_condind.reports import strips
from dl_condind.reports import study_runs
from dl_condind.reports.vae import family_figures
from dl_condind.reports.vae import sentences
from dl_condind.reports.vae import vector_figures
from dl_condind.utils import observations as observation_shapes
from dl_condind.utils import run_config
from dl_condind.visualize import traversals

MAIN = "mig_mean"  # What a report says first.
MAIN_FIGURES = (family_figures.NAME, MAIN)  # The first of them that there is, it shows first.
MAIN_PICTURES = "traversals"

_PAPER_FIGURES = {("mig_mean", "10"): " (as in Figure 1)", ("mig_mean", "20"): " (as in Figure 5)"}
_X = "kl_loss"  # What the others are drawn over.
_OVER_KL = ("total_correlation", "reconstruction_loss")
_NUM_IMAGES = 10
_NUM_IMAGES_OF_KL = 256
_UNUSED_KL = 0.01  # nats; a latent of which the images tell less is not used.

_Settings = study_runs.Settings


def draw(settings: _Settings, tables: comparisons.Tables) -> list[figures.Drawn]:
  """Draws MIG of all data sets, then the other measures of each; leaves out what has no value.

  Args:
    settings: Name of a setting of VAEs -> its runs, as `grouping.group_by_setting` returns them.
    tables: `comparisons.compare_all` of all settings.
  """
  by_latents: dict[str, dict[str, Sequence[study_runs.Run]]] = {}
  by_dataset: dict[tuple[str, str], dict[str, Sequence[study_runs.Run]]] = {}
  for name, runs in settings.items():
    by_latents.setdefault(runs[0].num_latent, {})[name] = runs
    by_dataset.setdefault((runs[0].dataset, runs[0].num_latent), {})[name] = runs
  labels = study_runs.correlation_labels([run for runs in settings.values() for run in runs])
  drawn: list[figures.Drawn | None] = [*family_figures.draw(settings, tables)]
  for num_latent, members in by_latents.items():
    for measure in measures.drawn(run_config.VAE, measures.OWN):
      name = f"{measure.name}_{num_latent}_latents"
      caption = (
        f"{measure.caption or measure.title}{_PAPER_FIGURES.get((measure.name, num_latent), '')}."
      )
      drawn.append(_draw_measure(members, tables, labels, measure, name, caption))
  for (dataset, num_latent), members in by_dataset.items():
    where = f"{dataset}_{num_latent}_latents"
    for measure in measures.drawn(run_config.VAE, measures.TERMS):
      name, caption = f"{measure.name}_{where}", f"On {dataset} (as in Figure 2)."
      drawn.append(_draw_measure(members, tables, labels, measure, name, caption))
    drawn += [_draw_over_kl(members, labels, measure, where) for measure in _OVER_KL]
  return [found for found in drawn if found]


def _draw_measure(
  settings: _Settings,
  tables: comparisons.Tables,
  labels: Sequence[str],
  measure: measures.Measure,
  name: str,
  caption: str,
) -> figures.Drawn | None:
  """Draws a measure, a panel for each setting."""
  label = _axis_label(measure, settings)
  chart = charts.of_values(
    settings, measure.name, tables[measure.name], labels, label, measure.digits
  )
  if chart is None:
    return None
  common, _ = shared_sentences.split_names(settings)
  title = f"{measure.title[0].upper()}{measure.title[1:]}"
  return figures.Drawn(name, f"{title}: {common}" if common else title, caption, chart)


def _draw_over_kl(
  settings: _Settings, labels: Sequence[str], name: str, where: str
) -> figures.Drawn | None:
  """Draws a measure of each run over its KL, a panel for each setting."""
  x, y = measures.find(_X), measures.find(name)
  axis_labels = _axis_label(x, settings), _axis_label(y, settings)
  chart = charts.of_points(settings, (_X, name), labels, axis_labels, 2)
  if chart is None:
    return None
  common, _ = shared_sentences.split_names(settings)
  title = f"{y.title[0].upper()}{y.title[1:]} over factorized KL"
  return figures.Drawn(
    f"{name}_over_kl_{where}",
    f"{title}: {common}" if common else title,
    "Each point is one run.",
    chart,
  )


def _axis_label(measure: measures.Measure, settings: _Settings) -> str:
  unit = measure.unit
  if unit == measures.UNIT_OF_LOSS:
    unit = sentences.reconstruction_unit([run for runs in settings.values() for run in runs])
  return f"{measure.axis_label} [{unit}]" if unit else measure.axis_label


def draw_models(
  pair: Sequence[study_runs.Run], described: str, trust_gin_imports: bool = False
) -> list[figures.Drawn]:
  """Returns traversals of two models from the same image, and reconstructions of the same images.

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
  random_state = np.random.RandomState(0)
  observations = models[0].dataset.sample_observations(_NUM_IMAGES, random_state)
  others = models[0].dataset.sample_observations(_NUM_IMAGES_OF_KL, random_state)
  posteriors = [model.posterior(others) for model in models]
  kls = [kl_of_latents(posterior.mean, posterior.scale_tril) for posterior in posteriors]
  titles = [run_config.name_correlation(run.correlation_label) for run in pair]
  if observation_shapes.is_vector(models[0].image_shape):
    return vector_figures.draw_models(titles, models, kls, observations, described)
  reconstructions = [strips.Strip("image", observations)]
  columns = []
  values = visualize_model.TRAVERSAL_VALUES
  for run, title, model, kl in zip(pair, titles, models, kls, strict=True):
    reconstructed = model.reconstruct(observations)
    reconstructions.append(strips.Strip(title, reconstructed))
    base = model.posterior(observations[:1]).mean[0]
    images = model.decode(traversals.traverse(base, values))
    rows = _sorted_rows(images, kl)
    singles = [("image", observations[0]), ("reconstruction", reconstructed[0])]
    name = f"{run.method_name}, {title}, seed {run.seed}"
    columns.append(strips.Column(name, rows, run.name, singles))
  labels = [f"{value:.1f}" for value in values]
  return [
    figures.Drawn(
      MAIN_PICTURES,
      "What each latent does",
      f"Latent traversals from one image, by {described}. Each row moves one latent over [-2, 2] "
      "and leaves the others at the mean of q(z|x). Rows are sorted by the KL of the latent to its "
      f"prior (mean of {_NUM_IMAGES_OF_KL} images); those below {_UNUSED_KL:g} nats are faded: the "
      "model does not use the latent.",
      strips.Strips(columns, labels, "value of the latent"),
    ),
    figures.Drawn(
      "reconstructions",
      "Reconstructions",
      f"The same images, each reconstructed from one sample of q(z|x) by {described}.",
      strips.Strips([strips.Column("", reconstructions)]),
    ),
  ]


def kl_of_latents(mean: np.ndarray, scale_tril: np.ndarray) -> np.ndarray:
  """Returns the KL of each latent's marginal of q(z|x) to N(0, 1), in nats, averaged over images.

    KL(N(m, s^2) || N(0, 1)) = 0.5 * (m^2 + s^2 - 1 - log s^2)

  Args:
    mean: [num_images, num_latent].
    scale_tril: Cholesky factors of the covariances, [num_images, num_latent, num_latent].
  """
  variance = np.sum(scale_tril**2, axis=-1)
  return 0.5 * np.mean(mean**2 + variance - 1 - np.log(variance), axis=0)


def _sorted_rows(images: np.ndarray, kl: np.ndarray) -> list[strips.Strip]:
  """Returns a row for each latent, the one with the highest KL first."""
  return [
    strips.Strip(
      f"z{latent}", images[latent], f"KL {kl[latent]:.2f}", bool(kl[latent] < _UNUSED_KL)
    )
    for latent in np.argsort(-kl, kind="stable")
  ]
