"""Linear-Gaussian encoders, whose total correlation and mutual information have a closed form."""

import numpy as np

# num_latent, stddev, correlation of the noise, correlation of the means.
Model = tuple[int, float, float, float]


def gaussian_encoder(
  model: Model, num_posteriors: int, seed: int
) -> tuple[list[np.ndarray], dict[str, float]]:
  """Returns posteriors (mean, stddev, scale_tril) of a linear-Gaussian encoder and the truth.

  Latents of correlated means share one of the x and have another one each: no Cholesky root, which
  a correlation of 1 does not have.
  """
  num_latent, stddev, correlation, of_means = model
  equal = np.ones((num_latent, num_latent))
  noise = stddev**2 * ((1 - correlation) * np.eye(num_latent) + correlation * equal)
  signal = (1 - stddev**2) * ((1 - of_means) * np.eye(num_latent) + of_means * equal)
  random_state = np.random.RandomState(seed)
  own, shared = (random_state.standard_normal((num_posteriors, n)) for n in (num_latent, 1))
  mean = np.sqrt(1 - stddev**2) * (np.sqrt(1 - of_means) * own + np.sqrt(of_means) * shared)
  scale_tril = np.broadcast_to(np.linalg.cholesky(noise), (num_posteriors, *noise.shape))
  log_det = np.linalg.slogdet(signal + noise)[1]  # The variances are 1.
  truth = {
    "total_correlation": -0.5 * log_det,
    "mutual_information": 0.5 * (log_det - np.linalg.slogdet(noise)[1]),
  }
  return [mean, np.full(mean.shape, stddev), scale_tril], truth


def row(cells: list[str]) -> str:
  """Returns a row of a Markdown table."""
  return f"| {' | '.join(cells)} |"


def table_head(columns: list[str]) -> list[str]:
  """Returns the first two lines of a Markdown table."""
  return [row(columns), row(["---"] * len(columns))]
