"""Draws what the axes of each family of posteriors do: along the latents, and along the noise.

    python benchmarks/family_traversals.py output/posterior_families_spots 0 traversals.png

The models are those of a seed, named beforehand, of a study of families of posteriors. A row moves
one coordinate over [-2, 2]; the others stay at the mean of q(z|x) of one image. Rows are the four
axes with the highest KL to the prior.
"""

import io
import sys

import numpy as np
from PIL import Image

import dl_condind as dl
from dl_condind.explorer import axes as explorer_axes
from dl_condind.reports import grouping
from dl_condind.reports import study_runs
from dl_condind.reports.vae import family_claims
from dl_condind.visualize import figures
from dl_condind.visualize import image_figures

VALUES = np.linspace(-2, 2, 9)
NUM_AXES = 4
NUM_IMAGES = 1000  # of which the axes of the noise are a mean


def traverse(run, images: np.ndarray) -> list[tuple[list[str], np.ndarray]]:
  """Returns labels and images of the axes, along the latents and along the noise.

  Args:
    run: A trained VAE.
    images: `[num_images, *observation_shape]`; the first is where all rows start.
  """
  posterior = run.posterior(images)
  posteriors = explorer_axes.Posteriors(
    posterior.mean, posterior.scale_tril, np.zeros((len(images), 0))
  )
  base = posterior.mean[0].astype(np.float64)
  found = []
  for described in explorer_axes.of_posteriors(posteriors, []):
    directions = np.array(described["axes"][:NUM_AXES])
    # [num_axes, num_values, num_latent]: the coordinate a^T z along the axis a has each value.
    codes = (
      base + (VALUES[None, :, None] - (directions @ base)[:, None, None]) * (directions[:, None, :])
    )
    decoded = np.stack([run.decode(row.astype(np.float32)) for row in codes])
    labels = [
      f"{label}, KL {nats:.2f}"
      for label, nats in zip(described["labels"], described["kl"], strict=True)
    ]
    found.append((labels[:NUM_AXES], decoded))
  return found


def main(study_dir: str, seed: str, path: str) -> None:
  """Draws the models of a seed."""
  (runs,) = grouping.group_by_setting(study_runs.read_runs(study_dir)).values()
  labels: list[list[str]] = [[], []]
  rows: list[list[np.ndarray]] = [[], []]
  for family, members in family_claims.by_family(runs).items():
    (member,) = (run for run in members if run.seed == seed)
    run = dl.load(member.folder)
    data = dl.load_data(member.dataset)
    images = data.sample_observations(NUM_IMAGES, np.random.RandomState(0))
    for side, (names, decoded) in enumerate(traverse(run, images)):
      labels[side] += [f"{family}: {names[0]}", *names[1:]]
      rows[side].append(decoded)
  titles = ("along the latents", "along the axes of the noise")
  grids = [
    image_figures.Grid(title, np.concatenate(images), names)
    for title, images, names in zip(titles, rows, labels, strict=True)
  ]
  values = [f"{value:.1f}" for value in VALUES]
  figure = image_figures.image_grids(grids, values, "value of the coordinate")
  picture = Image.open(io.BytesIO(figures.to_png(figure))).convert("L")
  picture.save(path, optimize=True)  # Grey levels alone take half the room.


if __name__ == "__main__":
  main(*sys.argv[1:])
