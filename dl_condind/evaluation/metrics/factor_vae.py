"""Disentanglement score of Kim and Mnih (2018), arXiv:1802.05983."""

from collections.abc import Callable
from typing import Any

import numpy as np

from dl_condind.data.ground_truth import ground_truth_data as ground_truth
from dl_condind.evaluation import checks
from dl_condind.evaluation import code_table
from dl_condind.evaluation import gin_settings
from dl_condind.evaluation import metric
from dl_condind.evaluation import representation
from dl_condind.utils import errors


@metric.metric("factor_vae_score")
def compute_factor_vae(
  ground_truth_data: ground_truth.GroundTruthData,
  representation_function: Callable,
  random_state: np.random.RandomState,
  batch_size: int = 64,
  num_train: int = 10_000,
  num_eval: int = 5_000,
  num_variance_estimate: int = 10_000,
) -> dict[str, Any]:
  """Returns how well the latent that varies least tells which factor a batch shares.

  The draws are disentanglement_lib's. It encodes every observation drawn, 0.97 million in its
  study; here each image is encoded once. A sampled representation has one sample for each
  image then. Latents are pruned by gin's `prune_dims.threshold`.

  Args:
    ground_truth_data: Data set to sample from, with an observation of each combination of factors.
    representation_function: Observations -> representations.
    random_state: State that every draw comes from.
    batch_size: Number of observations of one vote, at least 2 (L in the paper).
    num_train: Number of votes that make the classifier.
    num_eval: Number of votes to test on, drawn after those.
    num_variance_estimate: Number of observations that the variance of latents is estimated from, at
      least 2, drawn first.

  Returns:
    The results of `majority_vote_scores`.

  Raises:
    ConfigError: If the data set lacks combinations of factors or a second factor, a representation
      is not finite, or a count or `prune_dims.threshold` is out of range.
  """
  sizes = (batch_size, num_train, num_eval, num_variance_estimate)
  threshold = gin_settings.prune_threshold()
  return _vote(ground_truth_data, representation_function, random_state, *sizes, threshold)


def factor_vae_score(
  representations: np.ndarray,
  factors: np.ndarray,
  random_state: np.random.RandomState,
  batch_size: int = 64,
  num_train: int = 10_000,
  num_eval: int = 5_000,
  num_variance_estimate: int = 10_000,
  threshold: float = 0.0,
) -> dict[str, Any]:
  """Returns the score of the points of a complete grid.

  Args:
    representations: `[num_points, num_latent]`.
    factors: `[num_points, num_factors]`, each combination of values in equally many points.
    random_state: State that every draw comes from.
    batch_size: Number of points of one vote.
    num_train: Number of votes that make the classifier.
    num_eval: Number of votes to test on.
    num_variance_estimate: Number of points that the variance of latents is estimated from.
    threshold: Standard deviation below which a latent has no vote.

  Returns:
    The results of `majority_vote_scores`.

  Raises:
    ConfigError: If the grid is not complete; see also `compute_factor_vae`.
    ValueError: If the arrays do not fit together.
  """
  table = code_table.CodeTable(representations, factors)
  sizes = (batch_size, num_train, num_eval, num_variance_estimate)
  return _vote(table, np.asarray, random_state, *sizes, threshold)


def _vote(
  data, represent, random_state, batch_size, num_train, num_eval, num_variance_estimate, threshold
) -> dict[str, Any]:
  """Draws the batches that share a factor, and returns the scores of their votes."""
  checks.check_settable(data, "factor_vae_score")
  for name, count, minimum in (
    ("batch_size", batch_size, 2),
    ("num_train", num_train, 1),
    ("num_eval", num_eval, 1),
    ("num_variance_estimate", num_variance_estimate, 2),
  ):
    checks.check_count(f"factor_vae_score.{name}", count, minimum)
  if not threshold >= 0:
    raise errors.ConfigError(f"prune_dims.threshold must not be negative, got {threshold}.")
  drawn = representation.codes_of(represent, data).drawn()
  drawn.sample(num_variance_estimate, random_state)
  fixed = np.zeros(num_train + num_eval, np.int64)
  for i in range(len(fixed)):
    fixed[i] = random_state.randint(data.num_factors)
    factors = data.sample_factors(batch_size, random_state).copy()
    factors[:, fixed[i]] = factors[0, fixed[i]]
    drawn.draw(factors, random_state)
  codes = drawn.codes()
  checks.check_powers("The representation", codes, power=2)
  latents, active = least_varying_latents(
    codes[:num_variance_estimate],
    codes[num_variance_estimate:].reshape(-1, batch_size, codes.shape[1]),
    threshold,
  )
  return majority_vote_scores(
    (fixed[:num_train], latents[:num_train]),
    (fixed[num_train:], latents[num_train:]),
    data.num_factors,
    active,
  )


def least_varying_latents(
  codes: np.ndarray, batches: np.ndarray, threshold: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
  """Returns the latent of each batch whose variance is the least part of its variance overall.

  Variances are computed in the floating point type of the codes, as in disentanglement_lib.

  Args:
    codes: Codes of random observations, `[num_observations, num_latent]`.
    batches: Codes of observations that share a factor, `[num_batches, batch_size, num_latent]`.
    threshold: Latents whose standard deviation is below it are not active. A constant latent never
      is (disentanglement_lib divides 0 by 0 if the threshold is 0).

  Returns:
    Index of the latent, `[num_batches]`, all -1 if no latent is active; and which latents are
    active, bool `[num_latent]`.
  """
  variance = np.var(codes, axis=0, ddof=1)
  active = (np.ptp(codes, axis=0) > 0) & (variance > 0) & (np.sqrt(variance) >= threshold)
  if not active.any():
    return np.full(len(batches), -1), active
  ratio = np.var(batches[:, :, active], axis=1, ddof=1) / variance[active]
  return np.flatnonzero(active)[np.argmin(ratio, axis=1)], active


def majority_vote_scores(
  train: tuple[np.ndarray, np.ndarray],
  evaluation: tuple[np.ndarray, np.ndarray],
  num_factors: int,
  active: np.ndarray,
) -> dict[str, Any]:
  """Returns the accuracy of the classifier that assigns each latent its most frequent factor.

  Implements Sec. 4 of Kim and Mnih (2018). A latent that no vote of the training points went to is
  assigned factor 0. Differs from disentanglement_lib in `num_active_dims`, where it counts
  all latents once one is active.

  Args:
    train: The fixed factor of each vote and the latent it went to, both `[num_train]`.
    evaluation: The same to test on, both `[num_eval]`.
    num_factors: Number of factors.
    active: Which latents are active, `[num_latent]`.

  Returns:
    `train_accuracy` and `eval_accuracy`, in [0, 1], both 0 if no latent is active; each with
    `.factor_{i}`, the accuracy for the votes with factor i fixed, if there are any;
    `num_active_dims`; `train_votes`, how many went from each factor to each latent,
    `[num_factors][num_latent]`.
  """
  train_votes, eval_votes = (
    _count_votes(*votes, num_factors, len(active)) for votes in (train, evaluation)
  )
  assigned = np.argmax(train_votes, axis=0) if active.any() else np.full(len(active), -1)
  correct = assigned == np.arange(num_factors)[:, None]  # [num_factors, num_latent]
  results = {}
  for name, (fixed, _), votes in (
    ("train_accuracy", train, train_votes),
    ("eval_accuracy", evaluation, eval_votes),
  ):
    num_correct = np.sum(votes * correct, axis=1)
    num_fixed = np.bincount(fixed, minlength=num_factors)
    results[name] = float(num_correct.sum() / num_fixed.sum())
    for i in np.flatnonzero(num_fixed):
      results[f"{name}.factor_{i}"] = float(num_correct[i] / num_fixed[i])
  return {
    **results,
    "num_active_dims": int(np.count_nonzero(active)),
    "train_votes": train_votes.tolist(),
  }


def _count_votes(
  fixed: np.ndarray, latents: np.ndarray, num_factors: int, num_latent: int
) -> np.ndarray:
  """Returns how many votes went from each factor to each latent; none of latent -1."""
  cast = latents >= 0
  pairs = fixed[cast] * num_latent + latents[cast]
  return np.bincount(pairs, minlength=num_factors * num_latent).reshape(num_factors, num_latent)
