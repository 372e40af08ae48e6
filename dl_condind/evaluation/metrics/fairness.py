"""Unfairness of Locatello et al. (2019), "On the Fairness of Disentangled Representations"."""

from collections.abc import Callable

import numpy as np

from dl_condind.data.ground_truth import ground_truth_data as ground_truth
from dl_condind.evaluation import checks
from dl_condind.evaluation import gin_settings
from dl_condind.evaluation import metric
from dl_condind.evaluation import representation
from dl_condind.evaluation.probes import predictors


@metric.metric("fairness")
def compute_fairness(
  ground_truth_data: ground_truth.GroundTruthData,
  representation_function: Callable,
  random_state: np.random.RandomState,
  seed: int,
  num_train: int = 10_000,
  num_test_points_per_class: int = 100,
  batch_size: int = 16,
) -> dict[str, float]:
  """Returns how much predictions of one factor depend on the value of another.

  Implements Sec. 4 of arXiv:1905.13662: a classifier, gin's `predictor`, predicts the target factor
  while the sensitive factor is set to each of its values. The unfairness is the total variation
  distance between the predictions for one value and those for all, 0 if the predictions do not
  depend on the sensitive factor. The paper's score is `mean_fairness:mean_pred:mean_sens`.

  Differs from disentanglement_lib: the classifiers have a seed, which random_state determines;
  distances are in float64; a target factor that has one value in the train points has unfairness 0
  (an error there); the values of a target factor may be any whole numbers.

  Args:
    ground_truth_data: Data set to sample from, with an observation of each combination of factors.
    representation_function: Observations -> representations.
    random_state: State that every draw comes from.
    seed: Seed of the classifiers.
    num_train: Number of points to fit.
    num_test_points_per_class: Number of points for each value of the sensitive factor. They differ
      in this factor only.
    batch_size: Number of points of one draw of train points.

  Returns:
    `mean_fairness:{key}`, the mean distance over the values of the sensitive factor, and
    `max_fairness:{key}`, the largest, with the keys of `summarize`.

  Raises:
    ConfigError: If the data set lacks combinations of factors or a second factor, or as
      `checks.check_points`.
  """
  checks.check_settable(ground_truth_data, "fairness")
  checks.check_count("fairness.num_train", num_train, checks.MIN_POINTS)
  checks.check_count("fairness.num_test_points_per_class", num_test_points_per_class, 1)
  num_values = ground_truth_data.factors_num_values
  x_train, y_train = checks.check_points(
    *representation.generate_batch_factor_code(
      ground_truth_data, representation_function, num_train, random_state, batch_size
    ),
    name="train",
  )
  models = predictors.fit_factors(gin_settings.predictor_fns()[0], x_train, y_train, seed)
  all_codes = representation.codes_of(representation_function, ground_truth_data)
  mean = np.zeros((len(num_values), len(num_values)))  # [target, sensitive]
  largest = np.zeros_like(mean)
  for target, model in enumerate(models):
    for sensitive, num_sensitive in enumerate(num_values):
      if target == sensitive:
        continue
      factors = ground_truth_data.sample_factors(num_test_points_per_class, random_state).copy()
      predictions = []
      for value in range(num_sensitive):
        factors[:, sensitive] = value
        codes = all_codes.of_factors(factors, random_state)
        predictions.append(model.predict(codes.astype(np.float64)))
      counts = [np.sum(np.equal(predictions, label), axis=1) for label in model.classes_]
      mean[target, sensitive], largest[target, sensitive] = group_distances(np.array(counts))
  return {
    **{f"mean_fairness:{key}": value for key, value in summarize(mean).items()},
    **{f"max_fairness:{key}": value for key, value in summarize(largest).items()},
  }


def group_distances(counts: np.ndarray) -> tuple[float, float]:
  """Returns the total variation distances between the predictions of a group and those of all.

  Args:
    counts: How often each label is predicted in each group, `[num_labels, num_groups]`; no group is
      empty.

  Returns:
    The mean over groups, weighted by their size, and the largest distance, in [0, 1].

  Raises:
    ValueError: If a group is empty.
  """
  counts = np.asarray(counts, dtype=np.float64)
  sizes = counts.sum(axis=0)
  if counts.size == 0 or (sizes == 0).any():
    raise ValueError(f"counts must have a prediction in each group, got groups of {sizes}.")
  overall = counts.sum(axis=1) / counts.sum()
  distances = 0.5 * np.abs(counts / sizes - overall[:, None]).sum(axis=0)
  return float(np.sum(distances * sizes) / sizes.sum()), float(distances.max())


def summarize(unfairness: np.ndarray) -> dict[str, float]:
  """Returns the unfairness of each pair of factors, and means and maxima.

  Args:
    unfairness: `[num_factors, num_factors]`, indexed [target, sensitive], at least two factors. Its
      diagonal is not used.

  Returns:
    `pred{i}:sens{j}`; over the other factors `pred{i}:{mean, max}_sens` and
    `sens{j}:{mean, max}_pred`; over all, `{mean, max}_pred:{mean, max}_sens` and
    `{mean, max}_sens:{mean, max}_pred`. What stands second is summarized first.
  """
  num_factors = len(unfairness)
  pairs = ~np.eye(num_factors, dtype=bool)
  results = {f"pred{i}:sens{j}": float(unfairness[i, j]) for i, j in np.argwhere(pairs)}
  reductions = {"mean": np.mean, "max": np.max}
  for one, other, matrix in (("pred", "sens", unfairness), ("sens", "pred", unfairness.T)):
    rows = matrix[pairs].reshape(num_factors, num_factors - 1)
    for inner, reduce_inner in reductions.items():
      values = reduce_inner(rows, axis=1)
      for i, value in enumerate(values):
        results[f"{one}{i}:{inner}_{other}"] = float(value)
      for outer, reduce_outer in reductions.items():
        results[f"{outer}_{one}:{inner}_{other}"] = float(reduce_outer(values))
  return results
