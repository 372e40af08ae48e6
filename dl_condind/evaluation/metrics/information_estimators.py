"""Every estimator of the total correlation and the mutual information of an encoder, side by side.

What each of them is: `marginals` and `density_ratio`. With each value come what the estimator says
where the truth is 0, and an interval; docs/estimators.md says which to trust when.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from dl_condind.data.ground_truth import ground_truth_data as ground_truth
from dl_condind.data.ground_truth import labelled_images
from dl_condind.evaluation import checks
from dl_condind.evaluation import metric
from dl_condind.evaluation import posterior_samples
from dl_condind.evaluation import representation
from dl_condind.evaluation.densities import density_ratio
from dl_condind.evaluation.densities import drawn_estimates
from dl_condind.evaluation.densities import gaussian_posteriors
from dl_condind.evaluation.densities import intervals
from dl_condind.evaluation.densities import mixtures
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

_NUM_SAMPLED_POSTERIORS = 10000  # where num_posteriors is None and a data set has no rows


@metric.metric("information_estimators")
def compute_information_estimators(
  ground_truth_data: ground_truth.GroundTruthData,
  representation_function: Callable,
  random_state: np.random.RandomState,
  num_posteriors: int | None = None,
  num_points: int = 2000,
  num_ratio_points: int = 10000,
  minibatch_size: int = 64,
  num_samples: int = 30,
  num_minibatches: int = 30,
  density: str = "full",
  num_resamples: int = 1000,
) -> dict[str, Any]:
  """Returns every estimate of the total correlation TC(z) and the mutual information I(z; x).

  Args:
    ground_truth_data: Data set to encode.
    representation_function: `Representation` with a `gaussian_encoder`.
    random_state: State that every draw comes from.
    num_posteriors: Number of observations to sample and encode, at least 6; they stand for the data
      set. None for every row of a data set whose rows are equally likely, and 10,000 samples of
      another.
    num_points: See `estimate`, as for the other settings.
    num_ratio_points: See there.
    minibatch_size: See there.
    num_samples: See there.
    num_minibatches: See there.
    density: See there.
    num_resamples: See there.

  Returns:
    The results of `estimate`, and `all_rows`, whether the posteriors are those of every
    row.

  Raises:
    ConfigError: If a setting is out of range, the representation has no `gaussian_encoder` or a
      posterior no density.
  """
  gaussian_encoder = representation.model_function(
    representation_function, "gaussian_encoder", metric="information_estimators"
  )
  all_rows = False
  if num_posteriors is None and isinstance(
    ground_truth_data, (ground_truth.TableData, labelled_images.LabelledImages)
  ):
    all_rows = True
    posteriors = posterior_samples.row_posteriors(ground_truth_data, gaussian_encoder)
  else:
    num_posteriors = _NUM_SAMPLED_POSTERIORS if num_posteriors is None else num_posteriors
    checks.check_count(
      "information_estimators.num_posteriors", num_posteriors, density_ratio.FEWEST_POINTS
    )
    posteriors = posterior_samples.sample_posteriors(
      ground_truth_data, gaussian_encoder, num_posteriors, random_state
    )
  results = estimate(
    *posteriors,
    random_state=random_state,
    num_points=num_points,
    num_ratio_points=num_ratio_points,
    minibatch_size=minibatch_size,
    num_samples=num_samples,
    num_minibatches=num_minibatches,
    density=density,
    num_resamples=num_resamples,
  )
  return {"all_rows": all_rows, **results}


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
  draws = drawn_estimates.draw_all(encoder, scored, *sizes, random_state)
  null_draws = drawn_estimates.draw_all(null_encoder, null_encoder, *sizes, random_state)
  estimates = {
    "total_correlation": drawn_estimates.total_correlation(draws),
    "total_correlation_null": drawn_estimates.total_correlation(null_draws),
    "mutual_information": drawn_estimates.mutual_information(draws, scored, paired=True),
    "mutual_information_null": drawn_estimates.mutual_information(draws, scored, paired=False),
  }
  ratios = drawn_estimates.density_ratios(
    encoder, null_encoder, scored, num_ratio_points, random_state
  )
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
