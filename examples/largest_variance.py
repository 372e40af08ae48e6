r"""A metric of your own: the largest variance of a latent.

Evaluate it on the representation that sparse_vae.py says how to make, or on any other one:

  PYTHONPATH=examples dl_condind_evaluate --input_dir=output/sparse/postprocessed/mean \
    --output_dir=output/sparse/metrics/mean/largest_variance \
    --gin_config=examples/largest_variance.gin --trust_gin_imports
"""

import gin
import numpy as np

from dl_condind.evaluation import representation


@gin.configurable(
  denylist=["ground_truth_data", "representation_function", "random_state", "artifact_dir"]
)
def largest_variance(
  ground_truth_data,
  representation_function,
  random_state,
  artifact_dir=None,
  num_points: int = 1000,
):
  """Returns the variance of the latent that varies most over num_points observations."""
  codes, _ = representation.generate_batch_factor_code(
    ground_truth_data, representation_function, num_points, random_state, batch_size=16
  )
  return {"largest_variance": float(np.var(codes, axis=0).max())}
