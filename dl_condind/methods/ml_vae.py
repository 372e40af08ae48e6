"""Ada-ML-VAE (Locatello et al., 2020, arXiv:2002.02886) and ML-VAE with known changes.

ML-VAE is from Bouchacourt et al. (2018, arXiv:1705.08841).
"""

import dataclasses

from dl_condind.methods import base_model
from dl_condind.methods import pair_vae


@base_model.register("mlvae")
@dataclasses.dataclass(eq=False)
class ProductAveragingVAE(pair_vae.PairVAE):
  """Multiplies the densities of shared latents.

  The base of both models below: `mlvae.beta` in gin is the beta of either.
  """

  def average(self, first, second):
    """Returns the mean of the product of densities, with the harmonic mean of variances."""
    return pair_vae.average_product(first, second)


@base_model.register("mlvae_argmax")
@dataclasses.dataclass(eq=False)
class AdaMLVAE(pair_vae.SharesCloseLatents, ProductAveragingVAE):
  """Ada-ML-VAE: a pair shares the latents whose posteriors are close to each other.

  Attributes:
    beta: Weight of the KL.
  """


@base_model.register("mlvae_labels")
@dataclasses.dataclass(eq=False)
class MLVAE(pair_vae.SharesAllLatentsButOne, ProductAveragingVAE):
  """ML-VAE: a pair shares all latents but one, that of the last factor that changed.

  Attributes:
    beta: Weight of the KL.
  """
