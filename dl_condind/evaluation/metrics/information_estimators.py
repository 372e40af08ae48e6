"""Estimators of the total correlation and the mutual information of an encoder, side by side."""

from collections.abc import Callable
import importlib.util  # noqa: F401  (gin uses it without importing it)
from typing import Any

import gin
import numpy as np

from dl_condind.data.ground_truth import ground_truth_data as ground_truth
from dl_condind.data.ground_truth import labelled_images
from dl_condind.evaluation import checks
from dl_condind.evaluation import posterior_samples
from dl_condind.evaluation import representation
from dl_condind.evaluation.metrics import density_ratio
from dl_condind.evaluation.metrics import estimators

_NUM_SAMPLED_POSTERIORS = 10000  # where num_posteriors is None and a data set has no rows


@gin.configurable(
  "information_estimators",
  denylist=["ground_truth_data", "representation_function", "random_state", "artifact_dir"],
)
def compute_information_estimators(
  ground_truth_data: ground_truth.GroundTruthData,
  representation_function: Callable,
  random_state: np.random.RandomState,
  artifact_dir: str | None = None,
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
    artifact_dir: Not used.
    num_posteriors: Number of observations to sample and encode, at least 6; they stand for the data
      set. None for every row of a data set whose rows are equally likely, and 10,000 samples of
      another.
    num_points: See `estimators.estimate`, as for the other settings.
    num_ratio_points: See there.
    minibatch_size: See there.
    num_samples: See there.
    num_minibatches: See there.
    density: See there.
    num_resamples: See there.

  Returns:
    The results of `estimators.estimate`, and `all_rows`, whether the posteriors are those of every
    row.

  Raises:
    ConfigError: If a setting is out of range, the representation has no `gaussian_encoder` or a
      posterior no density.
  """
  del artifact_dir
  gaussian_encoder = representation.model_function(
    representation_function, "gaussian_encoder", metric="information_estimators"
  )
  all_rows = num_posteriors is None and isinstance(
    ground_truth_data, (ground_truth.TableData, labelled_images.LabelledImages)
  )
  if all_rows:
    posteriors = posterior_samples.row_posteriors(ground_truth_data, gaussian_encoder)
  else:
    num_posteriors = _NUM_SAMPLED_POSTERIORS if num_posteriors is None else num_posteriors
    checks.check_count(
      "information_estimators.num_posteriors", num_posteriors, density_ratio.FEWEST_POINTS
    )
    posteriors = posterior_samples.sample_posteriors(
      ground_truth_data, gaussian_encoder, num_posteriors, random_state
    )
  results = estimators.estimate(
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
