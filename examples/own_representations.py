r"""Scores of representations from elsewhere: arrays in, numbers out, without TensorFlow.

pip install numpy scipy scikit-learn gin-config absl-py h5py
pip install --no-deps ./dl_condind   # the path of a clone
python examples/own_representations.py
"""

import numpy as np

from dl_condind.evaluation.metrics import dci
from dl_condind.evaluation.metrics import info_mec
from dl_condind.evaluation.metrics import mig
from dl_condind.evaluation.metrics import sap_score


# %% Somebody's arrays: one row for each observation.
def load_arrays():
  """Returns representations, `[1000, 4]`, and factors, `[1000, 3]`, the last one continuous."""
  rng = np.random.default_rng(0)
  shape, size = rng.integers(3, size=1000), rng.integers(5, size=1000)
  angle = rng.uniform(0, 1, size=1000)
  factors = np.stack([shape, size, angle], axis=1)
  clean = np.stack([shape - 1, size / 2 - 1, 2 * angle - 1, np.zeros(1000)], axis=1)
  return clean + 0.2 * rng.standard_normal(clean.shape), factors


def scores(z, y):
  """Returns scores of representations z with factors y, the first three quarters to fit."""
  cut = len(z) * 3 // 4
  splits = (z[:cut], y[:cut], z[cut:], y[cut:])
  found = info_mec.info_mec_scores(z, y) | dci.dci_scores(*splits)
  found |= mig.mutual_information_gap(z, y) | sap_score.sap_scores(*splits)
  return {name: found[name] for name in NAMES}


NAMES = ("discrete_mig", "SAP_score", "disentanglement", "completeness", "informativeness_test")
NAMES += ("info_m", "info_c", "info_e")

# %% The same information, disentangled and rotated by 45 degrees in each plane of two latents.
if __name__ == "__main__":
  z, y = load_arrays()
  rotation = np.kron(np.eye(2), [[1, 1], [-1, 1]]) / np.sqrt(2)
  for name, representations in {"disentangled": z, "rotated": z @ rotation}.items():
    print(name, {key: round(value, 2) for key, value in scores(representations, y).items()})
