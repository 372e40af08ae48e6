"""Labelled samples of a data set: few observations, with labels as a person might give them.

A labeller makes labels of factors. The draws are those of disentanglement_lib, in its order: one
`RandomState` gives the same observations, labels and next random number in both.
"""

from collections.abc import Callable
import dataclasses
import math

import gin
import numpy as np

from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.utils import checks
from dl_condind.utils import errors
from dl_condind.utils import limits
from dl_condind.utils import seeds

_DRAWN = ["labels", "dataset", "random_state"]

# (factors, data set, random state) -> labels, float32 `[num, num_labels]`, and the number of values
# of each label.
Labeller = Callable[
  [np.ndarray, ground_truth_data.GroundTruthData, np.random.RandomState],
  tuple[np.ndarray, list[int]],
]


@dataclasses.dataclass(frozen=True)
class LabelledSample:
  """Observations with labels.

  Attributes:
    observations: `[num, height, width, channels]`.
    labels: float32 `[num, num_labels]`.
    num_values: Number of values of each label.
  """

  observations: np.ndarray
  labels: np.ndarray
  num_values: list[int]


@gin.register("perfect_labeller", denylist=_DRAWN)
def perfect_labeller(
  labels: np.ndarray,
  dataset: ground_truth_data.GroundTruthData,
  random_state: np.random.RandomState,
) -> tuple[np.ndarray, list[int]]:
  """Returns the factors as they are.

  Args:
    labels: Factors, `[num, num_factors]`.
    dataset: The data set they are of.
    random_state: State that every draw comes from; here there is none.

  Returns:
    Labels, float32 `[num, num_factors]`, and the number of values of each.
  """
  del random_state
  return labels.astype(np.float32), list(dataset.factors_num_values)


@gin.register("bin_labeller", denylist=_DRAWN)
def bin_labeller(
  labels: np.ndarray,
  dataset: ground_truth_data.GroundTruthData,
  random_state: np.random.RandomState,
  num_bins: int = 5,
) -> tuple[np.ndarray, list[int]]:
  """Returns factors in bins of equal width, where a factor has more values than there are bins.

  Args:
    labels: As `perfect_labeller`.
    dataset: As `perfect_labeller`.
    random_state: As `perfect_labeller`.
    num_bins: Number of bins, at least 1.

  Returns:
    As `perfect_labeller`.

  Raises:
    ConfigError: If num_bins is not positive, or a factor is continuous.
  """
  del random_state
  _check_discrete(labels, dataset, "bin_labeller")
  checks.check_in("bin_labeller.num_bins", num_bins, 1, 2**24)
  binned = labels.astype(np.float32)
  for column, size in enumerate(dataset.factors_num_values):
    if size > num_bins:
      # In single precision, as disentanglement_lib: floor(v / (size / num_bins)).
      bins = binned[:, column] // np.float32(size / num_bins)
      binned[:, column] = np.minimum(bins, num_bins - 1)
  return binned, [min(size, num_bins) for size in dataset.factors_num_values]


@gin.register("noisy_labeller", denylist=_DRAWN)
def noisy_labeller(
  labels: np.ndarray,
  dataset: ground_truth_data.GroundTruthData,
  random_state: np.random.RandomState,
  prob_random: float = 0.1,
) -> tuple[np.ndarray, list[int]]:
  """Returns factors, each replaced with some probability by a random value, maybe the same.

  Args:
    labels: As `perfect_labeller`.
    dataset: As `perfect_labeller`.
    random_state: As `perfect_labeller`.
    prob_random: The probability, in [0, 1].

  Returns:
    As `perfect_labeller`.

  Raises:
    ConfigError: If prob_random is out of range, or a factor is continuous.
  """
  _check_discrete(labels, dataset, "noisy_labeller")
  checks.check_in("noisy_labeller.prob_random", prob_random, 0.0, 1.0)
  noisy = labels.astype(np.float32)
  for row in range(len(noisy)):
    for column, size in enumerate(dataset.factors_num_values):
      if random_state.rand() < prob_random:
        noisy[row, column] = random_state.randint(size)
  return noisy, list(dataset.factors_num_values)


@gin.register("permuted_labeller", denylist=_DRAWN)
def permuted_labeller(
  labels: np.ndarray,
  dataset: ground_truth_data.GroundTruthData,
  random_state: np.random.RandomState,
) -> tuple[np.ndarray, list[int]]:
  """Returns factors whose values are renamed by a random permutation, so that they have no order.

  Arguments and result as `perfect_labeller`.

  Raises:
    ConfigError: If a factor is continuous.
  """
  _check_discrete(labels, dataset, "permuted_labeller")
  permuted = [
    random_state.permutation(size)[column]
    for column, size in zip(labels.T, dataset.factors_num_values, strict=True)
  ]
  return np.stack(permuted, axis=1).astype(np.float32), list(dataset.factors_num_values)


@gin.register("partial_labeller", denylist=_DRAWN)
def partial_labeller(
  labels: np.ndarray,
  dataset: ground_truth_data.GroundTruthData,
  random_state: np.random.RandomState,
  num_observed_factors: int = 2,
) -> tuple[np.ndarray, list[int]]:
  """Returns some factors, drawn for all observations alike, in the order they are drawn in.

  Args:
    labels: As `perfect_labeller`.
    dataset: As `perfect_labeller`.
    random_state: As `perfect_labeller`.
    num_observed_factors: Number of factors, in [1, num_factors].

  Returns:
    Labels, float32 `[num, num_observed_factors]`, and the number of values of each.

  Raises:
    ConfigError: If num_observed_factors is out of range.
  """
  checks.check_in(
    "partial_labeller.num_observed_factors", num_observed_factors, 1, dataset.num_factors
  )
  kept = random_state.choice(dataset.num_factors, num_observed_factors, replace=False)
  return labels[:, kept].astype(np.float32), [dataset.factors_num_values[i] for i in kept]


@gin.configurable("labeller")
def labeller(labeller_fn: Labeller = perfect_labeller) -> Labeller:
  """Returns the labeller that gin binds, with its settings."""
  return labeller_fn


def sample(
  dataset: ground_truth_data.GroundTruthData,
  num_labelled_samples: int,
  seed: int,
  labeller_fn: Labeller = perfect_labeller,
) -> LabelledSample:
  """Draws observations and labels them.

  Args:
    dataset: The data set.
    num_labelled_samples: Number of observations, at least 1.
    seed: Seed of all draws, in [0, 2**32).
    labeller_fn: What makes labels of factors.

  Raises:
    ConfigError: If the number or the seed is out of range, the data set has no factors, or the
      labeller refuses them.
  """
  seeds.check_seed("seed", seed)
  checks.check_in("num_labelled_samples", num_labelled_samples, 1, limits.MAX_BATCH_SIZE)
  check_has_factors(dataset)
  random_state = np.random.RandomState(seed)
  factors, observations = dataset.sample(num_labelled_samples, random_state)
  labels, num_values = labeller_fn(factors, dataset, random_state)
  return LabelledSample(observations, labels, [int(size) for size in num_values])


def check_has_factors(dataset: ground_truth_data.GroundTruthData) -> None:
  """Checks that a data set has what labels are made of.

  Raises:
    ConfigError: If it has no factors.
  """
  if dataset.num_factors == 0:
    raise errors.ConfigError(
      f"{dataset.name} has no factors, of which labels are made: choose another data set, or add "
      "factors to it."
    )


def split(
  train_percentage: float, name: str, *arrays: np.ndarray
) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
  """Splits rows: the first ones to train on, the others to test on.

  Args:
    train_percentage: Fraction of the rows to train on, in (0, 1), rounded up to a whole row.
    name: What the error calls train_percentage.
    *arrays: Arrays of the same number of rows.

  Returns:
    The first rows of each array, and the others.

  Raises:
    ConfigError: If there would be no row to train on or none to test on.
  """
  num_rows = len(arrays[0])
  num_train = math.ceil(num_rows * train_percentage)
  if not 0 < num_train < num_rows:
    raise errors.ConfigError(
      f"{name} must be a fraction in (0, 1) that leaves points to test on, got {train_percentage} "
      f"of {num_rows} points."
    )
  return tuple(a[:num_train] for a in arrays), tuple(a[num_train:] for a in arrays)


def _check_discrete(
  labels: np.ndarray, dataset: ground_truth_data.GroundTruthData, name: str
) -> None:
  if not np.issubdtype(labels.dtype, np.integer):
    raise errors.ConfigError(
      f"{name} needs factors with whole numbers as values, and {dataset.name} has continuous ones: "
      "choose @perfect_labeller or @partial_labeller."
    )
