"""Semi-supervised beta-VAE, DIP-VAE and beta-TCVAE (Locatello et al., 2020, arXiv:1905.01258)."""

from collections.abc import Sequence
import dataclasses
from typing import ClassVar

from dl_condind.methods import base_model
from dl_condind.methods import beta_tc_vae
from dl_condind.methods import dip_vae
from dl_condind.methods import labelled_vae
from dl_condind.posteriors import gaussian_formulas


@dataclasses.dataclass(eq=False)
class SemiSupervisedVAE(labelled_vae.AnnealedLabelledVAE, labelled_vae.SupervisedLossVAE):
  """Minimizes reconstruction loss + unsupervised regularizer + weight * supervised loss."""


@base_model.register("s2_vae")
@dataclasses.dataclass(eq=False)
class S2BetaVAE(SemiSupervisedVAE):
  """Semi-supervised beta-VAE.

  Attributes:
    beta: Weight of the KL.
    gamma_sup: Weight of the supervised loss.
  """

  WEIGHTS: ClassVar[Sequence[str]] = ("beta", "gamma_sup")

  beta: float
  gamma_sup: float

  def regularizer(self, kl_loss, z_mean, z_logvar, z_sampled):
    """Returns beta * kl_loss."""
    del z_mean, z_logvar, z_sampled
    return self.beta * kl_loss


@base_model.register("s2_dip_vae")
@dataclasses.dataclass(eq=False)
class S2DIPVAE(SemiSupervisedVAE):
  """Semi-supervised DIP-VAE. Its covariance is that of the images without labels.

  Attributes:
    lambda_od: As `DIPVAE`.
    lambda_d_factor: As `DIPVAE`.
    gamma_sup: Weight of the supervised loss.
    dip_type: As `DIPVAE`.
  """

  WEIGHTS: ClassVar[Sequence[str]] = ("lambda_od", "lambda_d_factor", "gamma_sup")

  lambda_od: float
  lambda_d_factor: float
  gamma_sup: float
  dip_type: str = "i"

  def __post_init__(self):
    dip_vae.check_type(self.dip_type, "s2_dip_vae.dip_type")

  def posterior_regularizer(self, kl_loss, encoded, z_sampled):
    """Returns kl_loss + the weighted distance of the covariance from the identity."""
    del z_sampled
    distance = dip_vae.distance_from_identity(
      encoded, self.posterior, self.dip_type, self.lambda_d_factor
    )
    return kl_loss + self.lambda_od * distance


@base_model.register("s2_beta_tc_vae")
@dataclasses.dataclass(eq=False)
class S2BetaTCVAE(SemiSupervisedVAE):
  """Semi-supervised beta-TCVAE. Its total correlation is that of the images without labels.

  Attributes:
    beta: Weight of the total correlation; the part of 1 is in the KL.
    gamma_sup: Weight of the supervised loss.
    density: As `BetaTCVAE`.
  """

  WEIGHTS: ClassVar[Sequence[str]] = ("beta", "gamma_sup")

  beta: float
  gamma_sup: float
  density: str = "factorized"

  def __post_init__(self):
    gaussian_formulas.check_density(self.density, "s2_beta_tc_vae.density")

  def posterior_regularizer(self, kl_loss, encoded, z_sampled):
    """Returns kl_loss + (beta - 1) * total_correlation."""
    penalty = beta_tc_vae.total_correlation(z_sampled, encoded, self.posterior, self.density)
    return kl_loss + (self.beta - 1) * penalty
