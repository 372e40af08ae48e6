"""Disentanglement score of Higgins et al. (2017), openreview.net/forum?id=Sy2fzU9gl."""

from collections.abc import Callable
import warnings

import numpy as np
from sklearn import exceptions
from sklearn import linear_model

from dl_condind.data.ground_truth import ground_truth_data as ground_truth
from dl_condind.evaluation import checks
from dl_condind.evaluation import code_table
from dl_condind.evaluation import metric
from dl_condind.evaluation import representation
from dl_condind.utils import errors


@metric.metric("beta_vae_sklearn")
def compute_beta_vae_sklearn(
  ground_truth_data: ground_truth.GroundTruthData,
  representation_function: Callable,
  random_state: np.random.RandomState,
  batch_size: int = 64,
  num_train: int = 10_000,
  num_eval: int = 5_000,
) -> dict[str, float]:
  """Returns how well differences of codes tell which factor two observations share.

  The draws are disentanglement_lib's. It encodes every observation drawn, 1.92 million in its
  study; here each image is encoded once. A sampled representation has one sample for each
  image then.

  Args:
    ground_truth_data: Data set to sample from, with an observation of each combination of factors.
    representation_function: Observations -> representations.
    random_state: State that every draw comes from.
    batch_size: Number of pairs of observations that make one point (L in the paper).
    num_train: Number of points to fit.
    num_eval: Number of points to test on, drawn after those.

  Returns:
    The results of `factor_accuracies`.

  Raises:
    ConfigError: If the data set lacks combinations of factors or a second factor, or a
      representation is not finite; or as `factor_accuracies`.
  """
  checks.check_settable(ground_truth_data, "beta_vae_sklearn")
  counts = {"batch_size": batch_size, "num_train": num_train, "num_eval": num_eval}
  for name, count in counts.items():
    checks.check_count(f"beta_vae_sklearn.{name}", count, 1)
  drawn = representation.codes_of(representation_function, ground_truth_data).drawn()
  shared = np.zeros(num_train + num_eval, np.int64)
  for i in range(len(shared)):
    shared[i] = random_state.randint(ground_truth_data.num_factors)
    first = ground_truth_data.sample_factors(batch_size, random_state)
    second = ground_truth_data.sample_factors(batch_size, random_state).copy()
    second[:, shared[i]] = first[:, shared[i]]
    drawn.draw(first, random_state)
    drawn.draw(second, random_state)
  differences = mean_differences(drawn.codes(), batch_size)
  return factor_accuracies(
    differences[:num_train], shared[:num_train], differences[num_train:], shared[num_train:]
  )


def beta_vae_score(
  representations: np.ndarray,
  factors: np.ndarray,
  random_state: np.random.RandomState,
  batch_size: int = 64,
  num_train: int = 10_000,
  num_eval: int = 5_000,
) -> dict[str, float]:
  """Returns the score of the points of a complete grid; other arguments as the entry function.

  Args:
    representations: `[num_points, num_latent]`.
    factors: `[num_points, num_factors]`, each combination of values in equally many points.
    random_state: State that every draw comes from.
    batch_size: Number of pairs of points that make one difference.
    num_train: Number of differences to fit.
    num_eval: Number of differences to test on.

  Raises:
    ConfigError: If the grid is not complete, or as `compute_beta_vae_sklearn`.
    ValueError: If the arrays do not fit together.
  """
  return compute_beta_vae_sklearn(
    code_table.CodeTable(representations, factors),
    np.asarray,
    random_state,
    batch_size=batch_size,
    num_train=num_train,
    num_eval=num_eval,
  )


def mean_differences(codes: np.ndarray, batch_size: int) -> np.ndarray:
  """Returns the mean absolute difference of paired codes.

  Computed in the floating point type of codes, as in disentanglement_lib.

  Args:
    codes: `[num_points * 2 * batch_size, num_latent]`: for each point the first codes of all its
      pairs, then the second ones.
    batch_size: Number of pairs of one point.

  Returns:
    float64 `[num_points, num_latent]`.
  """
  pairs = codes.reshape(-1, 2, batch_size, codes.shape[1])
  return np.abs(pairs[:, 0] - pairs[:, 1]).mean(axis=1).astype(np.float64)


def factor_accuracies(
  x_train: np.ndarray, y_train: np.ndarray, x_eval: np.ndarray, y_eval: np.ndarray
) -> dict[str, float]:
  """Returns the accuracy of a linear classifier that tells the shared factor from differences.

  Implements Sec. 3 of Higgins et al. (2017) as disentanglement_lib does: with scikit-learn's
  logistic regression, which stops after 100 iterations, converged or not.

  Args:
    x_train: Mean differences to fit, `[num_train, num_latent]`.
    y_train: Index of the factor shared in each, `[num_train]`.
    x_eval: Mean differences to test on, `[num_eval, num_latent]`.
    y_eval: Index of the factor shared in each, `[num_eval]`.

  Returns:
    `train_accuracy` and `eval_accuracy`, in [0, 1]; each with `.factor_{i}`, the accuracy for the
    points that share factor i, if there are any.

  Raises:
    ConfigError: If the points to fit all share the same factor.
    ValueError: If there is no point to test on, or lengths differ.
  """
  for name, x, y in (("train", x_train, y_train), ("eval", x_eval, y_eval)):
    if len(x) != len(y) or len(y) == 0:
      raise ValueError(
        f"x_{name} and y_{name} must have a row for each point, got {len(x)} and {len(y)} rows."
      )
  if np.ptp(y_train) == 0:
    raise errors.ConfigError(
      f"beta_vae_sklearn has nothing to tell apart: its {len(y_train)} points to fit share the "
      "same factor; raise beta_vae_sklearn.num_train."
    )
  with warnings.catch_warnings():
    warnings.simplefilter("ignore", exceptions.ConvergenceWarning)
    model = linear_model.LogisticRegression().fit(x_train, y_train)
  results = {}
  for name, x, y in (("train", x_train, y_train), ("eval", x_eval, y_eval)):
    correct = model.predict(x) == y
    results[f"{name}_accuracy"] = float(np.mean(correct))
    for i in np.unique(y):
      results[f"{name}_accuracy.factor_{i}"] = float(np.mean(correct[y == i]))
  return results
