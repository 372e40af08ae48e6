"""Every estimator of the total correlation and the mutual information, from arrays.

What each of them is: `marginals` and `density_ratio`. Beside each value stand what it says where
the truth is 0 and an interval; which to trust when: docs/estimators.md.
"""

from typing import Any
from typing import NamedTuple

import numpy as np

from dl_condind.evaluation import checks
from dl_condind.evaluation.metrics import density_ratio
from dl_condind.evaluation.metrics import gaussian_posteriors
from dl_condind.evaluation.metrics import intervals
from dl_condind.evaluation.metrics import marginals
from dl_condind.evaluation.metrics import mixtures
from dl_condind.utils import errors

ESTIMATORS = (
  "all_data",
  "leave_one_out",
  "minibatch",
  "minibatch_weighted",
  "minibatch_stratified",
  "gaussian",
  "density_ratio",
)
QUANTITIES = ("total_correlation", "mutual_information")


def estimate(
  mean: np.ndarray,
  stddev: np.ndarray,
  scale_tril: np.ndarray | None,
  random_state: np.random.RandomState,
  num_points: int = 2000,
  num_ratio_points: int = 10000,
  minibatch_size: int = 64,
  num_samples: int = 30,
  num_minibatches: int = 30,
  density: str = "full",
  num_resamples: int = 1000,
) -> dict[str, Any]:
  """Returns every estimate from the posteriors of a data set.

  Every z is drawn from its own posterior, correlated noise included, whatever the density.

  The null value is what an estimator says where the truth is 0. Of the total correlation: the
  latents of the posteriors are shuffled over the observations, each by itself, and the noise is
  independent; mixtures of correlated noise are biased more than it shows. Of the mutual
  information: each z is paired with the x of another observation. The classifier learns that x says
  nothing; the other estimators believe the density of the wrong posterior and fall far below 0.

  The interval is nominally the 95 percent one of the mean that an estimator has over other
  observations and draws of z: it covers sampling variation, not bias. The posteriors are taken for
  those of a sample of all observations. For `all_data`, `leave_one_out` and `gaussian` it is a
  bootstrap over the observations that z was drawn from, with the mixture or Gaussian as it is: to
  first order a mixture's change of components changes nothing, since q(z|x) / q(z) is 1 on average
  over q(z), whatever x is. For minibatches and the classifier it is Student's, with the standard
  errors of `intervals.minibatch_error` and `density_ratio`. docs/estimators_coverage.md shows how
  often each covers: less where a mutual information saturates near its bound.

  Args:
    mean: `[num_posteriors, num_latent]`, of six posteriors or more.
    stddev: `[num_posteriors, num_latent]`.
    scale_tril: `[num_posteriors, num_latent, num_latent]`; None stands for independent noise, for
      `factorized` only.
    random_state: State that every draw comes from.
    num_points: Number of z, each of another observation, for `all_data`, `leave_one_out` and
      `gaussian`; at most num_posteriors are drawn.
    num_ratio_points: The same for `density_ratio`; at least 6.
    minibatch_size: Observations in a minibatch (B in Yang et al.), from 2 to num_posteriors.
    num_samples: Number of z of each observation of a minibatch (B' there).
    num_minibatches: Number of minibatches, at least 2.
    density: q(z|x) in the estimates: `full`, the density that z was drawn from, or `factorized`,
      its diagonal. `gaussian` and `density_ratio` have none in the total correlation.
    num_resamples: Number of bootstrap samples.

  Returns:
    In nats, for each of `QUANTITIES` and `ESTIMATORS`: `{quantity}.{estimator}` and the same with
    `_null`, `_low` and `_high`, the ends of the interval. `gaussian` is None with too few points,
    the interval of minibatches if each of them is all posteriors.
    `mutual_information.all_data_bound` and `mutual_information.minibatch_bound`: log num_posteriors
    and log minibatch_size, which these estimates cannot exceed. And `density`, `num_posteriors`.

  Raises:
    ConfigError: If a setting is out of range, `full` lacks scale_tril, shapes disagree, a posterior
      has no density or there are too few posteriors.
  """
  counts = {
    "num_points": (num_points, 2),
    "num_ratio_points": (num_ratio_points, density_ratio.FEWEST_POINTS),
    "minibatch_size": (minibatch_size, 2),
    "num_samples": (num_samples, 1),
    "num_minibatches": (num_minibatches, 2),
    "num_resamples": (num_resamples, 1),
  }
  for name, (value, minimum) in counts.items():
    checks.check_count(f"information_estimators.{name}", value, minimum)
  checks.check_choice("information_estimators.density", density, mixtures.DENSITIES)
  scored = (mean, stddev, mixtures.density_scales(scale_tril, density))
  gaussian_posteriors.check_posteriors(mean, stddev, scale_tril)
  checks.check_count("The number of posteriors", len(mean), density_ratio.FEWEST_POINTS)
  if minibatch_size > len(mean):
    raise errors.ConfigError(
      f"information_estimators.minibatch_size must be at most {len(mean)}, the number of "
      f"posteriors, got {minibatch_size}."
    )
  sizes = (num_points, minibatch_size, num_samples, num_minibatches)
  encoder = (mean, stddev, scale_tril)
  null_encoder = (*gaussian_posteriors.shuffle_latents(mean, stddev, random_state), None)
  draws = _draw_all(encoder, scored, *sizes, random_state)
  null_draws = _draw_all(null_encoder, null_encoder, *sizes, random_state)
  estimates = {
    "total_correlation": _total_correlation(draws),
    "total_correlation_null": _total_correlation(null_draws),
    "mutual_information": _mutual_information(draws, scored, paired=True),
    "mutual_information_null": _mutual_information(draws, scored, paired=False),
  }
  ratios = _density_ratios(encoder, null_encoder, scored, num_ratio_points, random_state)
  for name, found in ratios.items():
    estimates[name]["density_ratio"] = found.log_odds
  ratio_errors = {name: found.std_error for name, found in ratios.items()}
  return {
    "density": density,
    "num_posteriors": len(mean),
    "mutual_information.all_data_bound": float(np.log(len(mean))),
    "mutual_information.minibatch_bound": float(np.log(minibatch_size)),
    **_summarize(estimates, ratio_errors, (minibatch_size, len(mean)), num_resamples, random_state),
  }


class _Draw(NamedTuple):
  """Points with estimates of log q(z) at them.

  `own` is the index of the posterior each point was drawn from and `other` that of another one;
  `log_q` has `[1 + num_latent, num_points]`, as in `marginals`, by estimator.
  """

  z: np.ndarray
  own: np.ndarray
  other: np.ndarray
  log_q: dict[str, np.ndarray | None]
  num_clusters: int  # Points of one cluster are together, and depend on each other.


def _draw_all(
  encoder, scored, num_points, minibatch_size, num_samples, num_minibatches, random_state
):
  """Returns the draw that the estimators of the whole data set share, and that of minibatches.

  Args:
    encoder: mean, stddev and scale_tril that z is drawn from.
    scored: The same that densities are computed with, without scale_tril for the factorized one.
    num_points: See `estimate`, as for the others.
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
  minibatches = _Draw(
    *(np.concatenate([batch[i] for batch in batches]) for i in range(3)),
    log_q={
      name: np.concatenate([batch.log_q[name] for batch in batches], axis=1)
      for name in batches[0].log_q
    },
    num_clusters=num_minibatches,
  )
  return _Draw(z, own, np.roll(own, 1), log_q, num_clusters=len(z)), minibatches


def _draw_minibatch(encoder, scored, minibatch_size, num_samples, random_state):
  rows, z = _draw_points(encoder, minibatch_size, random_state, num_samples)
  position = np.repeat(np.arange(len(rows)), num_samples)
  log_q = marginals.of_minibatch(z, position, len(encoder[0]), *_rows_of(scored, rows))
  own = rows[position]
  return _Draw(z, own, np.roll(own, num_samples), log_q, num_clusters=1)


def _draw_points(encoder, num_rows, random_state, num_samples=1):
  """Returns random rows, none of them twice, and num_samples draws of z of each."""
  rows = random_state.permutation(len(encoder[0]))[:num_rows]
  mean, stddev, scale_tril = _rows_of(encoder, rows)
  if scale_tril is None:
    scale_tril = gaussian_posteriors.independent_scales(stddev)
  return rows, gaussian_posteriors.sample_mixture(mean, scale_tril, num_samples, random_state)


def _rows_of(posteriors, rows):
  return tuple(None if array is None else array[rows] for array in posteriors)


def _total_correlation(draws):
  """Returns the average over each cluster by estimator, `[num_clusters]` or None."""
  estimates = {}
  for draw in draws:
    for name, log_q in draw.log_q.items():
      log_ratio = None if log_q is None else log_q[0] - np.sum(log_q[1:], axis=0)
      estimates[name] = _cluster_means(log_ratio, draw.num_clusters)
  return estimates


def _mutual_information(draws, scored, paired):
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


def _density_ratios(encoder, null_encoder, scored, num_points, random_state):
  """Returns what the classifier says of each quantity and its null."""
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


def _summarize(estimates, ratio_errors, sizes, num_resamples, random_state):
  """Returns value, null value and interval of every estimate by its key.

  Args:
    estimates: Values of each cluster, `[num_clusters]` or None, by quantity and estimator.
    ratio_errors: Standard errors of the classifier's estimates by quantity.
    sizes: The numbers of observations in a minibatch and of all posteriors.
    num_resamples: See `estimate`.
    random_state: See there.
  """
  results = {}
  for quantity in QUANTITIES:
    for name in ESTIMATORS:
      values, nulls = estimates[quantity][name], estimates[f"{quantity}_null"][name]
      results[f"{quantity}.{name}"] = None if values is None else float(np.mean(values))
      results[f"{quantity}.{name}_null"] = None if nulls is None else float(np.mean(nulls))
      if values is None or (name.startswith("minibatch") and sizes[0] == sizes[1]):
        interval = (None, None)
      elif name.startswith("minibatch"):
        error = intervals.minibatch_error(values, *sizes)
        interval = intervals.student(np.mean(values), error, len(values))
      elif name == "density_ratio":
        interval = intervals.student(np.mean(values), ratio_errors[quantity], len(values))
      else:
        interval = intervals.bootstrap(values, num_resamples, random_state)
      results[f"{quantity}.{name}_low"], results[f"{quantity}.{name}_high"] = interval
  return results
