"""Pictures of two models of a study side by side: lowest against highest correlation."""

from collections.abc import Mapping
from collections.abc import Sequence

from matplotlib import figure as mpl_figure
import numpy as np

from dl_condind.utils import files
from dl_condind.visualize import figures
from dl_condind.visualize import stored_models
from dl_condind.visualize import study_runs
from dl_condind.visualize import traversals
from dl_condind.visualize import visualize_model

_NUM_IMAGES = 10

Pair = tuple[study_runs.Run, study_runs.Run]


def choose(settings: Mapping[str, Sequence[study_runs.Run]]) -> Pair | None:
  """Returns a run of the lowest and one of the highest correlation, whose models are stored.

  They are of the first setting that has both, and of the same seed if there is one.
  """
  for runs in settings.values():
    stored = [run for run in runs if (_saved_model(run) / files.MANIFEST).is_file()]
    extremes = study_runs.extremes(stored)
    if extremes:
      pairs = [(low, high) for low in extremes[0] for high in extremes[1]]
      return min(pairs, key=lambda pair: pair[0].seed != pair[1].seed)
  return None


def _saved_model(run: study_runs.Run):
  return run.folder / "model" / "saved_model"


def draw(pair: Pair) -> dict[str, mpl_figure.Figure]:
  """Returns `reconstructions` of the same images and `traversals` from the first of them.

  Raises:
    DatasetError: If a model is damaged or the data set cannot be read.
  """
  models = [stored_models.StoredModel(run.folder / "model") for run in pair]
  observations = models[0].dataset.sample_observations(_NUM_IMAGES, np.random.RandomState(0))
  labels = [study_runs.name_correlation(run.correlation_label) for run in pair]
  rows = {"image": observations}
  panels = {}
  values = visualize_model.TRAVERSAL_VALUES
  for label, model in zip(labels, models, strict=True):
    rows[label] = model.reconstruct(observations)
    codes = traversals.traverse(model.encode(observations[:1])[0], values)
    panels[label] = model.decode(codes).reshape(*codes.shape[:2], *observations.shape[1:])
  return {
    "reconstructions": figures.image_rows(rows),
    "traversals": figures.traversals(panels, values),
  }
