"""Vectors as data: blood measurements of 442 diabetes patients, against age, sex and progression.

The data set comes with scikit-learn. Each `# %%` starts a cell: open the file as a notebook in VS
Code, Spyder or Jupyter (with jupytext), or run it as it is, which takes about a minute:

  python examples/vectors.py
"""

# %% A file with the arrays: observations [n, features] and factors [n, num_factors].
import functools
import os
import pathlib

import numpy as np
from sklearn import datasets

import dl_condind as dl
from dl_condind.evaluation.metrics import dci
from dl_condind.evaluation.metrics import info_mec
from dl_condind.evaluation.metrics import mig

STEPS = int(os.environ.get("STEPS", "400"))  # Fewer to try it out.


def standardize(values):
  """Returns columns with mean 0 and standard deviation 1."""
  return (values - values.mean(axis=0)) / values.std(axis=0)


patients = datasets.load_diabetes(scaled=False)
age, sex, measurements = patients.data[:, 0], patients.data[:, 1], patients.data[:, 2:]
# Sex is a class. The others are measurements: standardized, they are not whole numbers.
factors = np.stack([sex - 1, standardize(age), standardize(patients.target)], axis=1)

folder = pathlib.Path(f"output/vectors_{STEPS}_steps")
folder.mkdir(parents=True, exist_ok=True)
np.savez(
  folder / "diabetes.npz",
  observations=standardize(measurements),
  feature_names=patients.feature_names[2:],
  factors=factors,
  factor_names=["sex", "age", "progression"],
  factor_sizes=[2, 0, 0],  # 0 stands for a continuous factor.
)

# %% Train. The decoder's outputs are the means of normal features, of standard deviation 0.5.
data = dl.load_data("arrays", path=str(folder / "diabetes.npz"))
model = dl.BetaVAE(
  beta=1.0,
  num_latent=4,
  encoder=dl.networks.fc_encoder,
  decoder=dl.networks.fc_decoder,
  reconstruction_loss=functools.partial(dl.losses.gaussian_loss, stddev=0.5),
  activation="linear",
)
run = dl.train(model, data, folder / "run", steps=STEPS, seed=0, eval_steps=min(STEPS, 100))

# %% Score the codes of the patients, each once: 300 to fit probes on, the others to test.
observations = data.observations_from_rows(np.arange(data.num_rows))
order = np.random.default_rng(0).permutation(data.num_rows)
z, y = run.encode(observations)[order], data.factors[order]
scores = dci.dci_scores(z[:300], y[:300], z[300:], y[300:])
for i, name in enumerate(data.factor_names):
  kind = "R2" if i in scores["continuous_factors"] else "accuracy"
  print(f"{name}: {kind} {scores[f'informativeness_test.factor_{i}']:.2f}")
print(f"MIG {mig.mutual_information_gap(z, y)['discrete_mig']:.2f}")
print(f"InfoE {info_mec.info_mec_scores(z, y)['info_e']:.2f}")
error = np.sqrt(np.mean((run.reconstruct(observations) - observations) ** 2))
print(f"root mean squared error {error:.2f} of a standard deviation")

# %% What each latent does: a panel for each, a line for each feature.
from dl_condind.visualize import figures  # noqa: E402 (needs matplotlib)
from dl_condind.visualize import vector_figures  # noqa: E402

values = np.linspace(-2, 2, 21)
figure = vector_figures.traversals(run.traverse(values=values), values, data.feature_names)
(folder / "traversals.png").write_bytes(figures.to_png(figure))
