"""The pictures of two stored models of vectors in a report."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from dl_condind.reports import figures
from dl_condind.visualize import traversals
from dl_condind.visualize import vector_figures

if TYPE_CHECKING:
  from dl_condind.visualize import trained_vae  # It needs TensorFlow.

_VALUES = np.linspace(-2, 2, 21)


def draw_models(
  models: Mapping[str, "trained_vae.TrainedVAE"], vectors: np.ndarray, described: str
) -> list[figures.Drawn]:
  """Returns reconstructions of the same vectors by models, and traversals of each from the first.

  Args:
    models: Label -> model.
    vectors: Observations, [num, num_features].
    described: The models in words.
  """
  names = next(iter(models.values())).dataset.feature_names
  rows = {"observation": vectors}
  rows |= {label: model.reconstruct(vectors) for label, model in models.items()}
  drawn = [
    figures.Drawn(
      "reconstructions",
      vector_figures.profiles(rows, names),
      f"The same observations over their features, each reconstructed from one sample of q(z|x) by "
      f"{described}.",
    )
  ]
  for number, (label, model) in enumerate(models.items()):
    base = model.posterior(vectors[:1]).mean[0]
    decoded = model.decode(traversals.traverse(base, _VALUES))
    drawn.append(
      figures.Drawn(
        f"traversals_{number}",
        vector_figures.traversals(decoded, _VALUES, names),
        f"{label}: the features as one latent moves over [-2, 2] from the first of those "
        "observations, the others at the mean of q(z|x). A panel of level lines is a latent the "
        "model does not use.",
      )
    )
  return drawn
