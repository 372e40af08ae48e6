"""Evaluates a metric from Python: on objects, without gin and without files."""

from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

import numpy as np

from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.evaluation import metric
from dl_condind.utils import seeds


def evaluate_metric(
  dataset: ground_truth_data.GroundTruthData,
  represent: Callable,
  metric_fn: str | Callable[..., dict[str, Any]],
  random_seed: int = 0,
  settings: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
  """Returns the results of a metric, those that `dl_condind_evaluate` writes into its record.

  Args:
    dataset: Data set to sample from.
    represent: Observations -> representations; a `representation.Representation` lets several
      metrics share codes, and those that need the model itself have it from there.
    metric_fn: Name of a metric, such as "mig", or a function of disentanglement_lib's signature.
    random_seed: Seed of all draws, in [0, 2**32).
    settings: The metric's own, such as `{"num_train": 1000}`; its defaults for the others.

  Raises:
    ConfigError: If there is no metric of this name, or the metric refuses what it is given.
  """
  seeds.check_seed("random_seed", random_seed)
  compute = metric.get(metric_fn) if isinstance(metric_fn, str) else metric_fn
  random_state = np.random.RandomState(random_seed)
  return compute(dataset, represent, random_state=random_state, **(settings or {}))
