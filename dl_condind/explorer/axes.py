"""Axes of a latent space to move along, and what is known of each: its KL and what it tells."""

from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

import numpy as np

from dl_condind.evaluation import latent_axes
from dl_condind.evaluation.information import discrete_information
from dl_condind.evaluation.information import discretization
from dl_condind.evaluation.metrics import mig


class Tells(NamedTuple):
  """What each axis tells of each factor.

  Attributes:
    measure: What a share is, in words.
    names: Names of the factors.
    shares: `[num_axes, num_factors]`, in [0, 1].
    score: What the shares are summed up to, such as "MIG 0.08"; "" for nothing.
  """

  measure: str
  names: Sequence[str]
  shares: np.ndarray
  score: str


class Posteriors(NamedTuple):
  """Gaussian posteriors q(z|x) of sampled images.

  Attributes:
    mean: `[num, num_latent]`.
    scale_tril: Cholesky factors of the covariances, `[num, num_latent, num_latent]`.
    factors: Ground truth of the images, `[num, num_factors]`.
  """

  mean: np.ndarray
  scale_tril: np.ndarray
  factors: np.ndarray


def kl(mean: np.ndarray, scale_tril: np.ndarray, axes: np.ndarray) -> np.ndarray:
  """Returns the KL of each coordinate to its prior N(0, 1), `[num, num_axes]`, nats.

  With m = a^T mean and v = a^T S a along the axis a: 0.5 * (m**2 + v - log(v) - 1).

  Args:
    mean: `[num, num_latent]`.
    scale_tril: `[num, num_latent, num_latent]`.
    axes: Orthonormal columns, `[num_latent, num_axes]`.
  """
  means = mean @ axes
  variances = np.sum((np.swapaxes(scale_tril, 1, 2) @ axes) ** 2, axis=1)
  return 0.5 * (means**2 + variances - np.log(variances) - 1)


def along_latents(num_latent: int, tells: Tells | None = None, name: str = "latent") -> dict:
  """Returns the latents as axes, in their order, as JSON can hold them."""
  return _described(np.eye(num_latent), name, range(num_latent), None, tells)


def of_posteriors(posteriors: Posteriors, factor_names: Sequence[str]) -> list[dict[str, Any]]:
  """Returns the latents and the axes of the mean noise, those that are used most first.

  The noise axes are those of the metric `aligned_mig`: the eigenvectors of the covariance of
  q(z|x), averaged over the images.

  Args:
    posteriors: Of sampled images.
    factor_names: Name of each factor.
  """
  scale_tril = posteriors.scale_tril.astype(np.float64)
  noise = np.mean(scale_tril @ np.swapaxes(scale_tril, 1, 2), axis=0)
  code = posteriors.mean - np.mean(posteriors.mean, axis=0, dtype=np.float64)
  latents, described = np.eye(len(noise)), []
  noise_axes = latent_axes.noise_eigenbasis(
    noise, np.atleast_2d(np.cov(code, rowvar=False, ddof=0))
  )
  for name, axes in (("latent", latents), ("noise axis", noise_axes)):
    nats = np.mean(kl(posteriors.mean, scale_tril, axes), axis=0)
    order = np.argsort(-nats, kind="stable")
    # The latents as they were encoded: the metric's bins depend on the last digits.
    values = posteriors.mean if axes is latents else latent_axes.coordinates(code, axes)
    tells = _information(values[:, order], posteriors.factors, factor_names)
    numbers = order if axes is latents else range(len(order))
    described.append(_described(axes[:, order], name, numbers, nats[order], tells))
  return described


def of_image(mean: np.ndarray, scale_tril: np.ndarray, code_covariance: np.ndarray) -> dict:
  """Returns the axes of the noise of one image, the one with the largest KL first.

  Args:
    mean: Mean of its posterior, `[num_latent]`.
    scale_tril: Cholesky factor of its covariance, `[num_latent, num_latent]`.
    code_covariance: Covariance of the means of all images, which settles the axes between which
      the noise makes no difference.
  """
  scale_tril = scale_tril.astype(np.float64)
  axes = latent_axes.noise_eigenbasis(scale_tril @ scale_tril.T, code_covariance)
  (nats,) = kl(mean[None], scale_tril[None], axes)
  order = np.argsort(-nats, kind="stable")
  return _described(axes[:, order], "axis", range(len(order)), nats[order], None)


def _information(
  values: np.ndarray, factors: np.ndarray, factor_names: Sequence[str]
) -> Tells | None:
  """Returns the share of each factor's entropy that each coordinate tells, and their MIG."""
  discretize = discretization.histogram_of_20_bins
  if not factors.shape[1]:
    return None
  factors = discretization.discretize_continuous(factors, discretize)
  information = discrete_information.discrete_mutual_info(discretize(values), factors)
  return information_shares(
    information, discrete_information.discrete_entropy(factors), factor_names
  )


def information_shares(
  information: np.ndarray, entropy: np.ndarray, factor_names: Sequence[str]
) -> Tells:
  """Returns mutual information as shares of the factors' entropies, and the gap.

  Args:
    information: Nats, `[num_axes, num_factors]`.
    entropy: Nats, `[num_factors]`; a factor of 0 is told by nothing.
    factor_names: Name of each factor.
  """
  varies = entropy > 0
  shares = np.divide(information, entropy, out=np.zeros_like(information), where=varies)
  score = ""
  if len(information) > 1 and varies.any():
    score = f"MIG {np.mean(mig.gaps(information[:, varies], entropy[varies])):.3f}"
  return Tells("share of the factor's entropy", factor_names, shares, score)


def _described(axes, name, numbers, nats, tells) -> dict[str, Any]:
  """Returns axes, the columns of a matrix, as JSON can hold them."""
  return {
    "name": name,
    "labels": [f"{name} {number}" for number in numbers],
    "axes": rounded(axes.T),
    "kl": None if nats is None else rounded(nats),
    "tells": None
    if tells is None
    else {
      "measure": tells.measure,
      "names": list(tells.names),
      "shares": rounded(tells.shares, digits=3),
      "score": tells.score,
    },
  }


def rounded(array: np.ndarray, digits: int = 7) -> list:
  """Returns an array as lists of numbers with a few digits."""
  return np.round(np.asarray(array, np.float64), digits).tolist()
