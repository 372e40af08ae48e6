"""Posteriors of every family, of three latents, as the files of gin_configs/posteriors set them."""

import gin

import dl_condind as dl
from dl_condind.training import gin_parts
from dl_condind.utils import configs
from dl_condind.utils import gin_texts

NUM_LATENT = 3
BINDINGS = {"block": ["block.sizes = [2, 1]"]}  # of files that are for another number of latents


def _of_file(name):
  """Returns the family that a file sets."""
  configs.parse([f"posteriors/{name}.gin"], BINDINGS.get(name, []))
  family = gin_parts.posterior()["posterior"]
  family.check(NUM_LATENT)  # Keeps the matrix of a fixed correlation.
  gin.clear_config()
  return family


FILES = sorted(p.stem for p in (gin_texts.gin_config_folder() / "posteriors").glob("*.gin"))
FAMILIES = {name: _of_file(name) for name in FILES}
FAMILIES["rotated full"] = dl.posteriors.Rotated(seed=1, family=dl.posteriors.Full())
FAMILIES["given"] = dl.posteriors.GivenCorrelation([[1, 0.5, 0], [0.5, 1, -0.3], [0, -0.3, 1]])
