"""Trains beta-TCVAE with independent and with correlated noise, and compares the two runs.

Each `# %%` starts a cell: open the file as a notebook in VS Code, Spyder or Jupyter (with
jupytext), or run it as it is, which takes about five minutes on two cores:

  python examples/first_run.py
"""

# %% What to compare: the same model and seed, with and without correlated noise.
import os

import numpy as np

import dl_condind as dl

STEPS = int(os.environ.get("STEPS", "4000"))  # Fewer to try it out.

data = dl.load_data("dsprites_full")
noises = {"c = 0": dl.posteriors.Independent(), "c = 0.9": dl.posteriors.Equicorrelated(0.9)}

# %% Train. An interrupted training goes on where it stopped when this is run again.
runs = {}
for name, noise in noises.items():
  model = dl.BetaTCVAE(beta=6.0, num_latent=10, posterior=noise)
  directory = f"output/first_run_{STEPS}_steps/{name.replace(' ', '')}"
  runs[name] = dl.train(
    model, data, directory, steps=STEPS, learning_rate=5e-4, seed=0, eval_steps=min(STEPS, 100)
  )

# %% Use the models: codes, posteriors, reconstructions.
images = data.sample_observations(16, np.random.RandomState(0))
for name, run in runs.items():
  error = np.mean(np.sum((run.reconstruct(images) - images) ** 2, axis=(1, 2, 3)))
  scales = run.posterior(images[:1]).scale_tril[0]
  stddev = np.linalg.norm(scales, axis=1)
  correlation = (scales @ scales.T)[0, 1] / (stddev[0] * stddev[1])
  print(f"{name}: squared error {error:.1f}, correlation of the noise {correlation:.2f}")

# %% Score them. In a notebook, the last line of a cell may be just `run`: it shows itself.
settings = {"mig.num_train": 2000, "vae_terms.num_points": 1000}
for name, run in runs.items():
  scores = dl.evaluate(run, data, ["mig", "vae_terms"], settings=settings)
  mig, kl = scores["mig"]["discrete_mig"], scores["vae_terms"]["kl_loss_full"]
  print(f"{name}: MIG {mig:.3f}, KL {kl:.2f} nats")
