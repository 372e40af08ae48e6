"""Which axes do the latents of a VAE take? The exact answer of a linear VAE, in pictures.

Each `# %%` starts a cell: open the file as a notebook in VS Code, Spyder or Jupyter (with
jupytext), or run it as it is, which takes half a minute and leaves its pictures in output/:

  python examples/linear_laboratory.py
"""

# %% Data of six independent factors, and noise of six kinds.
import functools
import os

import matplotlib.pyplot as plt
import numpy as np
from scipy import stats

from dl_condind.evaluation.densities import family_cost
from dl_condind.laboratory import linear_vae

SIZE = 6
FOLDER = "output/linear_laboratory"
VARIANCES = linear_vae.SPECTRA["geometric x1.5"]  # Of the factors; try another one.


def equicorrelated(correlation):
  """Returns noise of which all latents share a part."""
  matrix = (1 - correlation) * np.eye(SIZE) + correlation
  return linear_vae.FixedCorrelation(matrix)


rotation = stats.ortho_group.rvs(SIZE, random_state=0)
noises = {
  "independent": equicorrelated(0.0),
  "equicorrelated 0.5": equicorrelated(0.5),
  "equicorrelated 0.9": equicorrelated(0.9),
  "rotated": linear_vae.Rotated(rotation),
  "isotropic": linear_vae.Isotropic(SIZE),
  "full": linear_vae.Full(SIZE),
}
os.makedirs(FOLDER, exist_ok=True)

# %% Train them. The objective is exact, so all that is left to chance is the start.
fits = {name: linear_vae.fit_jointly(VARIANCES, noise)[0] for name, noise in noises.items()}

# %% Look along the latents, and along the axes of the noise (the eigenvectors of its covariance).
along_latents = {name: found.encoder for name, found in fits.items()}
# NB: all axes of isotropic noise are alike, so its eigenvectors are arbitrary, as its latents are.
along_noise = {name: found.noise_axes.T @ found.encoder for name, found in fits.items()}

figure, panels = plt.subplots(2, len(fits), figsize=(2.2 * len(fits), 4.8), layout="constrained")
for row, (where, encoders) in enumerate(
  [("latents", along_latents), ("noise's axes", along_noise)]
):
  for panel, (name, encoder) in zip(panels[row], encoders.items(), strict=True):
    image = panel.imshow(
      linear_vae.squared_correlations(encoder, VARIANCES), vmin=0, vmax=1, cmap="Blues"
    )
    score = linear_vae.alignment(encoder, VARIANCES)
    panel.set(xticks=[], yticks=[], title=f"{name}\n{score:.2f}" if row == 0 else f"{score:.2f}")
  panels[row, 0].set_ylabel(where)
figure.supxlabel("factors")
figure.colorbar(image, ax=panels, label="squared correlation")
figure.suptitle("Which latent has which factor, and the alignment (1: one latent per factor)")
figure.savefig(f"{FOLDER}/axes.png", dpi=150)

# %% The price: nats below the best evidence lower bound, and what random rotations score.
null = [
  linear_vae.alignment(axes @ fits["independent"].encoder, VARIANCES)
  for axes in stats.ortho_group.rvs(SIZE, size=200, random_state=0)
]
print(f"random rotations: alignment {np.mean(null):.2f} +- {np.std(null):.2f}")
for name, found in fits.items():
  scores = [linear_vae.alignment(along[name], VARIANCES) for along in (along_latents, along_noise)]
  print(f"{name:18s}: {found.gap:6.3f} nats, alignment {scores[0]:.2f}, {scores[1]:.2f} turned")

# %% What each noise would cost each trained decoder. A column is least where it was trained.
families = {
  name: functools.partial(family_cost.fixed_correlation, correlation=noises[name].correlation)
  for name in ("independent", "equicorrelated 0.5", "equicorrelated 0.9")
}
families["rotated"] = functools.partial(family_cost.rotated, rotation=rotation)
families["isotropic"] = family_cost.isotropic
table = family_cost.cost_table({name: found.precision for name, found in fits.items()}, families)

costs = np.array([list(row.values()) for row in table.values()])
figure, panel = plt.subplots(figsize=(6, 5), layout="constrained")
panel.imshow(costs / costs.max(axis=0), cmap="Oranges", vmax=1.6)  # Each column on its own scale.
for (row, column), cost in np.ndenumerate(costs):
  is_least = cost == costs[:, column].min()
  panel.text(
    column, row, f"{cost:.2f}", ha="center", va="center", weight="bold" if is_least else "normal"
  )
panel.set_xticks(range(len(families)), list(families), rotation=30, ha="right")
panel.set_yticks(range(len(fits)), list(fits))
panel.set(xlabel="cost under, nats", ylabel="trained with", title="What a posterior family costs")
figure.savefig(f"{FOLDER}/costs.png", dpi=150)
