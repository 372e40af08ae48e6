"""The pictures of a model of vectors, and of a data set of them, as files."""

import pathlib

import numpy as np

from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.visualize import figures
from dl_condind.visualize import picture_folders
from dl_condind.visualize import trained_vae
from dl_condind.visualize import traversals
from dl_condind.visualize import vector_figures

_NUM_PROFILES = 10


def save_pictures_of_model(
  model: trained_vae.TrainedVAE,
  vectors: np.ndarray,
  prior_samples: np.ndarray,
  bases: np.ndarray,
  values: np.ndarray,
  folder: pathlib.Path,
) -> None:
  """Writes reconstructions, samples and traversals under the names that pictures of images have.

  Args:
    model: The model.
    vectors: Observations, [num, num_features].
    prior_samples: Latents to decode, [num, num_latent].
    bases: Codes to traverse from, [num_bases, num_latent].
    values: Values that each latent takes, [num_values].
    folder: Where to write.
  """
  names = model.dataset.feature_names
  reconstructed = model.reconstruct(vectors)[:_NUM_PROFILES]
  profiles = {"observation": vectors[:_NUM_PROFILES], "reconstruction": reconstructed}
  panels = {
    f"{len(vectors)} observations": vectors,
    f"{len(prior_samples)} decoded samples of the prior": model.decode(prior_samples),
  }
  pictures = {
    "reconstructions/reconstructions.png": vector_figures.profiles(profiles, names),
    "sampled/samples.png": vector_figures.samples(panels, names),
  }
  for index, base in enumerate(bases):
    decoded = model.decode(traversals.traverse(base, values))
    figure = vector_figures.traversals(decoded, values, names)
    pictures[f"traversals/traversals{index}.png"] = figure
  for name, figure in pictures.items():
    _save(figure, model.dataset, folder / name)


def save_samples(
  dataset: ground_truth_data.GroundTruthData, vectors: np.ndarray, path: pathlib.Path
) -> None:
  """Writes a picture of observations, [num, num_features]."""
  panels = {f"{len(vectors)} random observations": vectors}
  _save(vector_figures.samples(panels, dataset.feature_names), dataset, path)


def _save(
  figure: figures.Figure, dataset: ground_truth_data.GroundTruthData, path: pathlib.Path
) -> None:
  caption = picture_folders.data_caption(dataset)
  figure.text(0.0, -0.01, caption, ha="left", va="top", fontsize=8)
  path.parent.mkdir(exist_ok=True)
  path.write_bytes(figures.to_png(figure))
