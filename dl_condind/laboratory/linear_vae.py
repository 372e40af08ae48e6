"""The linear VAE, whose objective is exact: which axes does the noise of the posterior choose?

The data are `x_k = f_k + noise` with independent Gaussian factors f_k, whose `variances` are in
units of the noise's. The model is p(z) = N(0, I), p(x|z) = N(W z, I) and q(z|x) = N(B x, S), with
the same covariance S for every x. With `M = I + W^T W`, the best mean is `M^-1 W^T x` and

    -ELBO = E[-log p(x)] + KL(N(0, S) || N(0, M^-1))

The first term, that of probabilistic principal component analysis, does not change if the latents
are rotated (Lucas et al., 2019, arXiv:1911.02469). So the second one alone chooses their axes.

Proposition. Of all W with given singular values, the one whose right singular vectors are the
eigenvectors of S is best, the largest singular value with the smallest eigenvalue. Proof: S enters
the objective with W only by tr(M S), and von Neumann's inequality says that the trace of a product
is least where the eigenvectors agree and the eigenvalues are in opposite order.

So along the eigenvectors of S, the noise's axes, each latent is one principal component. `fit` uses
the proposition; `fit_jointly` does not, and finds the same.
"""

from collections.abc import Callable
from typing import NamedTuple
from typing import Protocol

import numpy as np
from scipy import optimize

_UNUSED = 1e-6  # of the largest variance of a posterior mean; where it stops is rounding
_FLAT = np.array([1.05, 1.0, 0.95])
SPECTRA = {  # Variances of the factors.
  "geometric x4": 400 * 4.0 ** -np.arange(6),
  "geometric x1.5": 400 * 1.5 ** -np.arange(6),
  "flat +-5 %": 400 * np.linspace(1.05, 0.95, 6),
  "two scales 3+3": np.concatenate([400 * _FLAT, 8 * _FLAT]),
}


class Noise(Protocol):
  """A family of covariances S, described by numbers without bounds."""

  def num_parameters(self, num_latent: int) -> int:
    """Returns how many numbers describe S."""

  def covariance(self, parameters: np.ndarray) -> np.ndarray:
    """Returns S, `[num_latent, num_latent]`."""

  def gradient(self, parameters: np.ndarray, by_covariance: np.ndarray) -> np.ndarray:
    """Returns the gradient of a function of S, given its derivative by S, which is symmetric."""


class FixedCorrelation(NamedTuple):
  """S = D R D with a fixed R and D = diag(exp(parameters)). With R = I: independent noise."""

  correlation: np.ndarray

  def num_parameters(self, num_latent: int) -> int:  # noqa: D102
    return num_latent

  def covariance(self, parameters: np.ndarray) -> np.ndarray:  # noqa: D102
    stddev = np.exp(parameters)
    return stddev[:, None] * self.correlation * stddev

  def gradient(self, parameters: np.ndarray, by_covariance: np.ndarray) -> np.ndarray:  # noqa: D102
    # dS_ij / d log s_i = S_ij, and again in column i.
    return 2 * np.sum(self.covariance(parameters) * by_covariance, axis=1)


class Rotated(NamedTuple):
  """S = U D^2 U^T with a fixed orthogonal U and D = diag(exp(parameters))."""

  rotation: np.ndarray

  def num_parameters(self, num_latent: int) -> int:  # noqa: D102
    return num_latent

  def covariance(self, parameters: np.ndarray) -> np.ndarray:  # noqa: D102
    return self.rotation * np.exp(2 * parameters) @ self.rotation.T

  def gradient(self, parameters: np.ndarray, by_covariance: np.ndarray) -> np.ndarray:  # noqa: D102
    along_axes = np.sum(self.rotation * (by_covariance @ self.rotation), axis=0)
    return 2 * np.exp(2 * parameters) * along_axes


class Isotropic(NamedTuple):
  """S = exp(2 * parameter) I."""

  num_latent: int

  def num_parameters(self, num_latent: int) -> int:  # noqa: D102
    return 1

  def covariance(self, parameters: np.ndarray) -> np.ndarray:  # noqa: D102
    return np.exp(2 * parameters[0]) * np.eye(self.num_latent)

  def gradient(self, parameters: np.ndarray, by_covariance: np.ndarray) -> np.ndarray:  # noqa: D102
    return 2 * np.exp(2 * parameters) * np.trace(by_covariance)


class Full(NamedTuple):
  """S = L L^T, learned: the lower triangle of L, its diagonal as logarithms."""

  num_latent: int

  def num_parameters(self, num_latent: int) -> int:  # noqa: D102
    return num_latent * (num_latent + 1) // 2

  def covariance(self, parameters: np.ndarray) -> np.ndarray:  # noqa: D102
    root = self._root(parameters)
    return root @ root.T

  def gradient(self, parameters: np.ndarray, by_covariance: np.ndarray) -> np.ndarray:  # noqa: D102
    root = self._root(parameters)
    by_root = 2 * by_covariance @ root
    np.fill_diagonal(by_root, np.diag(by_root) * np.diag(root))
    return by_root[np.tril_indices(self.num_latent)]

  def _root(self, parameters):
    root = np.zeros((self.num_latent, self.num_latent))
    root[np.tril_indices(self.num_latent)] = parameters
    np.fill_diagonal(root, np.exp(np.diag(root)))
    return root


class Fit(NamedTuple):
  """A trained linear VAE.

  Attributes:
    gap: Nats of the evidence lower bound below the best factorized (or any) posterior, which is
      the log-likelihood of probabilistic principal component analysis.
    weights: W, `[num_factors, num_latent]`.
    covariance: S, `[num_latent, num_latent]`.
  """

  gap: float
  weights: np.ndarray
  covariance: np.ndarray

  @property
  def precision(self) -> np.ndarray:
    """M = I + W^T W, `[num_latent, num_latent]`."""
    return np.eye(self.weights.shape[1]) + self.weights.T @ self.weights

  @property
  def encoder(self) -> np.ndarray:
    """B = M^-1 W^T, which makes the posterior mean of x, `[num_latent, num_factors]`."""
    return np.linalg.solve(self.precision, self.weights.T)

  @property
  def noise_axes(self) -> np.ndarray:
    """Eigenvectors of S in columns, `[num_latent, num_latent]`."""
    return np.linalg.eigh(self.covariance)[1]


def fit(variances: np.ndarray, noise: Noise, num_starts: int = 3, seed: int = 0) -> list[Fit]:
  """Trains linear VAEs with the decoder that the proposition says is the best for S.

  Args:
    variances: Of the factors, `[num_factors]`, positive. There are as many latents.
    noise: Family of S.
    num_starts: Number of random starts.
    seed: Seed of these.

  Returns:
    One for each start, the smallest gap first.
  """

  def loss_of(parameters: np.ndarray) -> tuple[float, np.ndarray]:
    covariance = noise.covariance(parameters)
    loss, _, by_covariance = _loss(variances, best_decoder(variances, covariance), covariance)
    return loss, noise.gradient(parameters, by_covariance)  # W is at its optimum: no more terms.

  rng = np.random.default_rng(seed)
  fits = []
  for _ in range(num_starts):
    start = 0.5 * rng.standard_normal(noise.num_parameters(len(variances)))
    covariance = noise.covariance(_minimize(loss_of, start))
    fits.append(_result(variances, best_decoder(variances, covariance), covariance))
  return sorted(fits, key=lambda found: found.gap)


def fit_jointly(
  variances: np.ndarray, noise: Noise, num_starts: int = 3, seed: int = 0
) -> list[Fit]:
  """Trains linear VAEs by L-BFGS on W and the noise together; arguments and result as `fit`.

  Where variances are nearly equal, it needs thousands of steps to turn the axes.
  """
  num_factors = len(variances)

  def split(parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    weights, of_noise = np.split(parameters, [num_factors**2])
    return weights.reshape(num_factors, num_factors), of_noise

  def loss_of(parameters: np.ndarray) -> tuple[float, np.ndarray]:
    weights, of_noise = split(parameters)
    loss, by_weights, by_covariance = _loss(variances, weights, noise.covariance(of_noise))
    by_noise = noise.gradient(of_noise, by_covariance)
    return loss, np.concatenate([by_weights.ravel(), by_noise])

  rng = np.random.default_rng(seed)
  fits = []
  for _ in range(num_starts):
    start = np.zeros(num_factors**2 + noise.num_parameters(num_factors))
    start[: num_factors**2] = rng.standard_normal(num_factors**2)
    weights, of_noise = split(_minimize(loss_of, start))
    fits.append(_result(variances, weights, noise.covariance(of_noise)))
  return sorted(fits, key=lambda found: found.gap)


def best_decoder(variances: np.ndarray, covariance: np.ndarray) -> np.ndarray:
  """Returns the W with the largest evidence lower bound for a given S, by the proposition.

  Along the axis with the k-th smallest eigenvalue e_k of S lies the factor with the k-th largest
  variance v_k of x, 1 + that of the factor. The loss 0.5 * (v_k / m_k + m_k e_k) is least at
  m_k = sqrt(v_k / e_k), or 1, where the axis stays unused.

  Args:
    variances: Of the factors, `[num_factors]`.
    covariance: S, `[num_factors, num_factors]`.
  """
  eigenvalues, axes = np.linalg.eigh(covariance)
  order = np.argsort(-variances, kind="stable")
  precisions = np.maximum(np.sqrt((1 + variances[order]) / eigenvalues), 1)
  weights = np.zeros_like(covariance)
  weights[order] = np.sqrt(precisions - 1)[:, None] * axes.T
  return weights


def alignment(encoder: np.ndarray, variances: np.ndarray) -> float:
  """Returns how far each factor is in one latent, in [0, 1]: a Gaussian MIG.

  The mean over factors of the largest minus the second largest squared correlation of a latent's
  posterior mean with the factor's part of the data, x_k = f_k + noise.

  Args:
    encoder: Posterior means are `encoder @ x`, `[num_latent, num_factors]`.
    variances: Of the factors, `[num_factors]`.
  """
  largest = np.sort(squared_correlations(encoder, variances), axis=0)
  return float(np.mean(largest[-1] - largest[-2]))


def squared_correlations(encoder: np.ndarray, variances: np.ndarray) -> np.ndarray:
  """Returns the squared correlation of latents with factors, 0 for a latent that is not used.

  Arguments as `alignment`; `[num_latent, num_factors]`, rows with sum 1 or 0.
  """
  parts = encoder**2 * (1 + variances)
  total = np.sum(parts, axis=1, keepdims=True)  # the variance of each posterior mean
  is_used = total > _UNUSED * total.max()
  return np.divide(parts, total, out=np.zeros_like(parts), where=is_used)


def _loss(variances, weights, covariance):
  """Returns -ELBO up to a constant, and its derivatives by W and S.

  With C = diag(1 + variances) and A = (I + W W^T)^-1, and log det(I + W W^T) = log det M,

      -ELBO = 0.5 * (log det M + tr(C A)) + 0.5 * (tr(M S) - J - log det M - log det S)
  """
  num_latent = weights.shape[1]
  model_precision = np.linalg.inv(np.eye(len(weights)) + weights @ weights.T)
  precision = np.eye(num_latent) + weights.T @ weights
  loss = np.sum(np.diag(model_precision) * (1 + variances)) - num_latent
  loss += np.sum(precision * covariance) - np.linalg.slogdet(covariance)[1]
  by_weights = weights @ covariance
  by_weights -= model_precision * (1 + variances) @ model_precision @ weights
  return 0.5 * loss, by_weights, 0.5 * (precision - np.linalg.inv(covariance))


def _minimize(
  loss_of: Callable[[np.ndarray], tuple[float, np.ndarray]], start: np.ndarray
) -> np.ndarray:
  options = {"maxiter": 5000, "maxfun": 20_000, "maxcor": 30, "ftol": 1e-15, "gtol": 1e-8}
  return optimize.minimize(loss_of, start, jac=True, method="L-BFGS-B", options=options).x


def _result(variances, weights, covariance):
  loss = _loss(variances, weights, covariance)[0]
  lowest = 0.5 * np.sum(1 + np.log1p(variances))  # W W^T + I = C and S = M^-1
  return Fit(float(loss - lowest), weights, covariance)
