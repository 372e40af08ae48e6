"""Ada-GVAE (Locatello et al., 2020, arXiv:2002.02886) and GVAE with known changes.

GVAE is from Hosoya (2019, arXiv:1809.02383).
"""

import dataclasses

from dl_condind.methods import base_model
from dl_condind.methods import pair_vae


@base_model.register("group_vae")
@dataclasses.dataclass(eq=False)
class ParameterAveragingVAE(pair_vae.PairVAE):
  """Averages the means and the variances of shared latents.

  The base of both models below: `group_vae.beta` in gin is the beta of either.
  """

  def average(self, first, second):
    """Returns the mean of means and of variances."""
    return pair_vae.average_parameters(first, second)


@base_model.register("group_vae_argmax")
@dataclasses.dataclass(eq=False)
class AdaGVAE(pair_vae.SharesCloseLatents, ParameterAveragingVAE):
  """Ada-GVAE: a pair shares the latents whose posteriors are close to each other.

  Attributes:
    beta: Weight of the KL.
  """


@base_model.register("group_vae_labels")
@dataclasses.dataclass(eq=False)
class GroupVAE(pair_vae.SharesAllLatentsButOne, ParameterAveragingVAE):
  """GVAE: a pair shares all latents but one, that of the last factor that changed.

  Attributes:
    beta: Weight of the KL.
  """
