"""Pictures of two models of a study side by side: lowest against highest correlation."""

from collections.abc import Mapping
from collections.abc import Sequence

import numpy as np

from dl_condind.methods import saved_models
from dl_condind.methods import stored_infogan
from dl_condind.reports import study_runs
from dl_condind.reports.vae import figures as vae_figures
from dl_condind.utils import files
from dl_condind.utils import priors
from dl_condind.utils import run_config
from dl_condind.utils import training_logs
from dl_condind.visualize import image_figures
from dl_condind.visualize import infogan_pictures
from dl_condind.visualize import stored_models
from dl_condind.visualize import traversals
from dl_condind.visualize import visualize_model

_NUM_IMAGES = 10

Pair = tuple[study_runs.Run, study_runs.Run]


def choose(settings: Mapping[str, Sequence[study_runs.Run]]) -> Pair | None:
  """Returns a run of the lowest and one of the highest correlation, whose models are stored.

  They are of the first setting that has both; InfoGANs that did not collapse if there are any, and
  of the same seed if there is one.
  """
  for runs in settings.values():
    stored = [run for run in runs if (_saved_model(run) / files.MANIFEST).is_file()]
    extremes = study_runs.extremes(stored)
    if extremes:
      pairs = [(low, high) for low in extremes[0] for high in extremes[1]]
      return min(pairs, key=_preference)
  return None


def _saved_model(run: study_runs.Run):
  return run.folder / "model" / "saved_model"


def _preference(pair: Pair) -> tuple[bool, bool]:
  return any(map(_has_collapsed, pair)), pair[0].seed != pair[1].seed


def _has_collapsed(run: study_runs.Run) -> bool:
  return any(run.measure(name) for name in ("collapsed", "discriminator_collapsed"))


def draw(
  pair: Pair, trust_gin_imports: bool = False, trust_model: bool = False
) -> list[vae_figures.Drawn]:
  """Returns pictures of two models of one setting.

  Of VAEs, reconstructions of the same images and traversals from the first of them. Of InfoGANs,
  the losses, each code in each category, and the first two codes together.

  Args:
    pair: The runs.
    trust_gin_imports: Whether to run the modules that the trainings imported.
    trust_model: Whether models may have operations that no model of this package has.

  Raises:
    DatasetError: If a model or its log is damaged or the data set cannot be read.
    ConfigError: If the data set needs an import that is not trusted.
  """
  described = " and ".join(map(_describe, pair))
  with saved_models.trusting(trust_model):
    if pair[0].family == study_runs.INFOGAN:
      return _draw_infogans(pair, described)
    return _draw_vaes(pair, described, trust_gin_imports)


def _describe(run: study_runs.Run) -> str:
  correlation = run_config.name_correlation(run.correlation_label)
  return f"run {run.name} ({correlation}, seed {run.seed}{', collapsed' * _has_collapsed(run)})"


def _draw_vaes(pair: Pair, described: str, trust_gin_imports: bool) -> list[vae_figures.Drawn]:
  models = [stored_models.StoredModel(run.folder / "model", trust_gin_imports) for run in pair]
  observations = models[0].dataset.sample_observations(_NUM_IMAGES, np.random.RandomState(0))
  labels = [run_config.name_correlation(run.correlation_label) for run in pair]
  rows = {"image": observations}
  panels = {}
  values = visualize_model.TRAVERSAL_VALUES
  for label, model in zip(labels, models, strict=True):
    rows[label] = model.reconstruct(observations)
    codes = traversals.traverse(model.encode(observations[:1])[0], values)
    panels[label] = model.decode(codes).reshape(*codes.shape[:2], *observations.shape[1:])
  return [
    vae_figures.Drawn(
      "reconstructions",
      image_figures.image_rows(rows),
      f"The same images, each reconstructed from one sample of q(z|x) by {described}.",
    ),
    vae_figures.Drawn(
      "traversals",
      image_figures.traversals(panels, values),
      f"Latent traversals from the first of those images, by {described}. Each row moves one "
      "latent over [-2, 2] and leaves the others at the mean of q(z|x). A row in which nothing "
      "moves is a latent the model does not use.",
    ),
  ]


def _draw_infogans(pair: Pair, described: str) -> list[vae_figures.Drawn]:
  titles = [run_config.name_correlation(run.correlation_label) for run in pair]
  models = [stored_infogan.StoredInfoGAN(saved_models.load(_saved_model(run))) for run in pair]
  starts = infogan_pictures.starts_of(models[0])
  limit = priors.traversal_limit(pair[0].continuous_prior)
  values = infogan_pictures.values_between(limit)
  labels = [f"{value:.1f}" for value in values]
  drawn = []
  if all((run.folder / "model" / training_logs.NAME).is_file() for run in pair):
    logs = [training_logs.read(run.folder / "model") for run in pair]
    figure = infogan_pictures.losses(dict(zip(titles, logs, strict=True)))
    if figure:
      caption = f"Losses in training (as in Figure 4) of {described}."
      drawn.append(vae_figures.Drawn("losses", figure, caption))
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
    drawn.append(vae_figures.Drawn("two_codes", figure, caption))
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
    drawn.append(vae_figures.Drawn(f"code_{code}", figure, caption))
  return drawn
