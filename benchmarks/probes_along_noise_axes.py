"""What probes read off codes along the latents, and off the same codes along the noise's axes.

    python benchmarks/probes_along_noise_axes.py output/posterior_families_spots rotated

Of each model of a family: the accuracy of boosted trees (`dci`) and InfoE (`info_mec`), first along
the latents, then along the eigenvectors of the mean covariance of the noise.
"""

import sys

import numpy as np

import dl_condind as dl
from dl_condind.evaluation import latent_axes
from dl_condind.evaluation.metrics import dci
from dl_condind.evaluation.metrics import info_mec
from dl_condind.reports import grouping
from dl_condind.reports import study_runs
from dl_condind.reports.vae import family_claims

NUM_TRAIN, NUM_TEST = 10000, 5000  # points, as in metrics/dci.gin
NUM_IMAGES = 1000  # of which the axes of the noise are a mean


def scores(run, data) -> list[float]:
  """Returns accuracy along latents and noise axes, then InfoE along latents and noise axes."""
  random_state = np.random.RandomState(0)
  factors = data.sample_factors(NUM_TRAIN + NUM_TEST, random_state)
  images = data.sample_observations_from_factors(factors, random_state)
  scale_tril = run.posterior(images[:NUM_IMAGES]).scale_tril.astype(np.float64)
  noise = np.mean(scale_tril @ np.swapaxes(scale_tril, 1, 2), axis=0)
  code = run.encode(images)
  axes = latent_axes.noise_eigenbasis(noise, np.cov(code, rowvar=False, ddof=0))
  both = (code, (code @ axes).astype(np.float32))
  train, test = slice(NUM_TRAIN), slice(NUM_TRAIN, None)
  accuracies = [
    dci.dci_scores(z[train], factors[train], z[test], factors[test])["informativeness_test"]
    for z in both
  ]
  return accuracies + [info_mec.info_mec_scores(z[train], factors[train])["info_e"] for z in both]


def main(study_dir: str, family: str) -> None:
  """Prints the scores of each model, and their means."""
  (runs,) = grouping.group_by_setting(study_runs.read_runs(study_dir)).values()
  print("run, trees along latents, along the noise's axes, InfoE along latents, along the axes")
  found = []
  for member in family_claims.by_family(runs)[family]:
    found.append(scores(dl.load(member.folder), dl.load_data(member.dataset)))
    print(member.name, *(f"{value:.3f}" for value in found[-1]), flush=True)
  print("mean", *(f"{value:.3f}" for value in np.mean(found, axis=0)))


if __name__ == "__main__":
  main(*sys.argv[1:])
