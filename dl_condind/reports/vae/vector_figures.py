"""The pictures of two stored models of vectors in a report."""

from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dl_condind.reports import charts
from dl_condind.reports import figures
from dl_condind.utils import observations
from dl_condind.visualize import traversals

if TYPE_CHECKING:
  from dl_condind.visualize import trained_vae  # It needs TensorFlow.

_VALUES = np.linspace(-2, 2, 21)
_NUM_LATENTS = 4  # of each model
_NUM_FEATURES = 8  # Curves that can be told apart.

_Curve = tuple[np.ndarray, np.ndarray]


def draw_models(
  titles: Sequence[str],
  models: Sequence["trained_vae.TrainedVAE"],
  kls: Sequence[np.ndarray],
  vectors: np.ndarray,
  described: str,
) -> list[figures.Drawn]:
  """Returns what the latents of models do to a vector, and reconstructions of the same vectors.

  Args:
    titles: What to call each model.
    models: The models.
    kls: Of each latent of each model, [num_latent].
    vectors: Observations, [num, num_features].
    described: The models in words.
  """
  names = observations.name_features(vectors.shape[1:], models[0].dataset.feature_names)
  moved = {}
  for title, model, kl in zip(titles, models, kls, strict=True):
    base = model.posterior(vectors[:1]).mean[0]
    decoded = model.decode(traversals.traverse(base, _VALUES))
    for latent in np.argsort(-kl, kind="stable")[:_NUM_LATENTS]:
      moved[f"{title}: z{latent}, KL {kl[latent]:.2f}"] = decoded[latent]
  rows = {"observation": vectors}
  rows |= {title: model.reconstruct(vectors) for title, model in zip(titles, models, strict=True)}
  return [
    figures.Drawn(
      "traversals",
      "What each latent does",
      f"The {_NUM_FEATURES} features that move most, or all if there are fewer, as one latent "
      "moves over [-2, 2] and the others stay at the mean of q(z|x) of one observation, by "
      f"{described}. Of each model at most {_NUM_LATENTS} latents, those with the highest KL to "
      "the prior.",
      charts.of_curves(_moving_features(moved, names), "value of the latent", "decoded value"),
    ),
    figures.Drawn(
      "reconstructions",
      "Reconstructions",
      f"The same observations over their features, each reconstructed from one sample of q(z|x) by "
      f"{described}.",
      charts.of_curves(_profiles(rows), "number of the feature", "value"),
    ),
  ]


def _moving_features(
  moved: Mapping[str, np.ndarray], names: Sequence[str]
) -> dict[str, dict[str, _Curve]]:
  """Returns the curves of the features whose range is largest over all panels.

  Args:
    moved: Title of a panel -> vectors as a latent moves, [num_values, num_features].
    names: Names of the features.
  """
  ranges = np.max([np.ptp(vectors, axis=0) for vectors in moved.values()], axis=0)
  shown = np.argsort(-ranges, kind="stable")[:_NUM_FEATURES]
  return {
    title: {names[feature]: (_VALUES, vectors[:, feature]) for feature in shown}
    for title, vectors in moved.items()
  }


def _profiles(rows: Mapping[str, np.ndarray]) -> dict[str, dict[str, _Curve]]:
  """Returns a panel for each observation, with a curve for each row over the features.

  Args:
    rows: Name -> vectors, [num, num_features].
  """
  num, num_features = next(iter(rows.values())).shape
  features = np.arange(num_features)
  return {
    f"observation {i}": {name: (features, vectors[i]) for name, vectors in rows.items()}
    for i in range(num)
  }
