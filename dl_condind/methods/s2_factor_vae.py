"""Semi-supervised FactorVAE (Locatello et al., 2020, arXiv:1905.01258)."""

from collections.abc import Sequence
import dataclasses
from typing import ClassVar

from dl_condind.methods import base_model
from dl_condind.methods import factor_vae
from dl_condind.methods import labelled_vae


@base_model.register("s2_factor_vae")
@dataclasses.dataclass(eq=False)
class S2FactorVAE(
  labelled_vae.AnnealedLabelledVAE, labelled_vae.SupervisedLossVAE, factor_vae.FactorVAE
):
  """Minimizes reconstruction loss + KL + gamma * total correlation + weight * supervised loss.

  The total correlation is that of the images without labels. As of `FactorVAE`, a step is an
  update; disentanglement_lib counts it twice, so that there the threshold of an annealer, too,
  comes after half as many updates. And there, what the supervised losses `SquaredError` and
  `Embedding` would learn stays as it is at the start.

  Attributes:
    gamma: Weight of the total correlation.
    gamma_sup: Weight of the supervised loss.
    train_supervised_loss: Whether the weights of the supervised loss are trained. False is
      disentanglement_lib's way.
  """

  WEIGHTS: ClassVar[Sequence[str]] = ("gamma", "gamma_sup")

  gamma_sup: float
  train_supervised_loss: bool = True

  @property
  def vae_variables(self):
    """What the optimizer of the networks changes."""
    if self.train_supervised_loss:
      return super().vae_variables
    return self.encoder.trainable_variables + self.decoder.trainable_variables
