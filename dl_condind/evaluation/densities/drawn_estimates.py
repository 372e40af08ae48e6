"""Estimates of the total correlation and the mutual information from points drawn from posteriors.

The estimates of log q(z) are those of `marginals`; here they become averages over points. An
`encoder` is a tuple of mean, stddev and scale_tril that z is drawn from, `scored` the same that
densities are computed with.
"""

from typing import NamedTuple

import numpy as np

from dl_condind.evaluation.densities import density_ratio
from dl_condind.evaluation.densities import gaussian_posteriors
from dl_condind.evaluation.densities import marginals
from dl_condind.evaluation.densities import mixtures


class Draw(NamedTuple):
  """Points with estimates of log q(z) at them.

  `own` is the index of the posterior each point was drawn from and `other` that of another one;
  `log_q` has `[1 + num_latent, num_points]`, as in `marginals`, by estimator.
  """

  z: np.ndarray
  own: np.ndarray
  other: np.ndarray
  log_q: dict[str, np.ndarray | None]
  num_clusters: int  # Points of one cluster are together, and depend on each other.


def draw_all(
  encoder, scored, num_points, minibatch_size, num_samples, num_minibatches, random_state
):
  """Returns the draw that the estimators of the whole data set share, and that of minibatches.

  Args:
    encoder: mean, stddev and scale_tril that z is drawn from.
    scored: The same that densities are computed with, without scale_tril for the factorized one.
    num_points: See `information_estimators.estimate`, as for the others.
    minibatch_size: See there.
    num_samples: See there.
    num_minibatches: See there.
    random_state: See there.
  """
  own, z = _draw_points(encoder, num_points, random_state)
  log_q = marginals.of_all_data(z, own, *scored)
  log_q["gaussian"] = marginals.of_gaussian(z)
  batches = [
    _draw_minibatch(encoder, scored, minibatch_size, num_samples, random_state)
    for _ in range(num_minibatches)
  ]
  minibatches = Draw(
    *(np.concatenate([batch[i] for batch in batches]) for i in range(3)),
    log_q={
      name: np.concatenate([batch.log_q[name] for batch in batches], axis=1)
      for name in batches[0].log_q
    },
    num_clusters=num_minibatches,
  )
  return Draw(z, own, np.roll(own, 1), log_q, num_clusters=len(z)), minibatches


def _draw_minibatch(encoder, scored, minibatch_size, num_samples, random_state):
  rows, z = _draw_points(encoder, minibatch_size, random_state, num_samples)
  position = np.repeat(np.arange(len(rows)), num_samples)
  log_q = marginals.of_minibatch(z, position, len(encoder[0]), *_rows_of(scored, rows))
  own = rows[position]
  return Draw(z, own, np.roll(own, num_samples), log_q, num_clusters=1)


def _draw_points(encoder, num_rows, random_state, num_samples=1):
  """Returns random rows, none of them twice, and num_samples draws of z of each."""
  rows = random_state.permutation(len(encoder[0]))[:num_rows]
  mean, stddev, scale_tril = _rows_of(encoder, rows)
  if scale_tril is None:
    scale_tril = gaussian_posteriors.independent_scales(stddev)
  return rows, gaussian_posteriors.sample_mixture(mean, scale_tril, num_samples, random_state)


def _rows_of(posteriors, rows):
  return tuple(None if array is None else array[rows] for array in posteriors)


def total_correlation(draws):
  """Returns the average over each cluster by estimator, `[num_clusters]` or None."""
  estimates = {}
  for draw in draws:
    for name, log_q in draw.log_q.items():
      log_ratio = None if log_q is None else log_q[0] - np.sum(log_q[1:], axis=0)
      estimates[name] = _cluster_means(log_ratio, draw.num_clusters)
  return estimates


def mutual_information(draws, scored, paired):
  """Returns the average over each cluster by estimator, `[num_clusters]` or None."""
  estimates = {}
  for draw in draws:
    rows = draw.own if paired else draw.other
    log_density = mixtures.log_posterior_density(draw.z, *_rows_of(scored, rows))[0]
    for name, log_q in draw.log_q.items():
      log_ratio = None if log_q is None else log_density - log_q[0]
      estimates[name] = _cluster_means(log_ratio, draw.num_clusters)
  return estimates


def _cluster_means(values, num_clusters):
  return None if values is None else np.mean(values.reshape(num_clusters, -1), axis=1)


def density_ratios(encoder, null_encoder, scored, num_points, random_state):
  """Returns the classifier's estimate of each quantity and of its null."""
  rows, z = _draw_points(encoder, num_points, random_state)
  _, null_z = _draw_points(null_encoder, num_points, random_state)
  ratios = {
    "total_correlation": density_ratio.total_correlation_ratios(z, random_state),
    "total_correlation_null": density_ratio.total_correlation_ratios(null_z, random_state),
  }
  pairings = {"mutual_information": rows, "mutual_information_null": np.roll(rows, 1)}
  for name, paired in pairings.items():
    ratios[name] = density_ratio.mutual_information_ratios(z, *_rows_of(scored, paired))
  return ratios
