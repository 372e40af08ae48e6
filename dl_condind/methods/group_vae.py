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
class AdaGVAE(ParameterAveragingVAE):
  """Ada-GVAE: a pair shares the latents whose posteriors are close to each other.

  Attributes:
    beta: Weight of the KL.
  """

  def shared(self, first, second, changed):
    """Returns which latents are closer than the middle of the pair's divergences."""
    del changed
    return pair_vae.are_close(first, second)


@base_model.register("group_vae_labels")
@dataclasses.dataclass(eq=False)
class GroupVAE(ParameterAveragingVAE):
  """GVAE: a pair shares all latents but one, that of the last factor that changed.

  Attributes:
    beta: Weight of the KL.
  """

  def check_batches(self, batches):
    """Checks that there is a latent for each factor."""
    super().check_batches(batches)
    pair_vae.check_a_latent_for_each_factor(self, batches)

  def shared(self, first, second, changed):
    """Returns all latents but one."""
    del second
    return pair_vae.all_but(changed, first.mean.shape[1])
