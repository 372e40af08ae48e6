r"""A data set of your own: images of one bright row and one bright column.

Look at it, train on it, evaluate, and look at the model:

  export PYTHONPATH=examples
  dl_condind_visualize_dataset --dataset=stripes --output_dir=output/stripes/data \
    --gin_bindings="import stripes" --trust_gin_imports
  dl_condind_train --model_dir=output/stripes/model --gin_config=examples/stripes.gin \
    --trust_gin_imports
  dl_condind_postprocess --model_dir=output/stripes/model \
    --output_dir=output/stripes/postprocessed/mean --gin_config=postprocess/mean.gin \
    --trust_gin_imports
  dl_condind_evaluate --input_dir=output/stripes/postprocessed/mean \
    --output_dir=output/stripes/metrics/mean/mig --gin_config=metrics/mig.gin --trust_gin_imports
  dl_condind_visualize_model --model_dir=output/stripes/model \
    --output_dir=output/stripes/visualizations --trust_gin_imports

The training records the `import` of this module; each later stage repeats it if it is trusted.
Parameters of a data set go into a gin configurable that has the name of the data set (here that
would be `@gin.configurable("stripes")` above the class): later stages take them over too.
"""

import numpy as np

from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.data.ground_truth import named_data


class Stripes(ground_truth_data.GroundTruthData):
  """Images of one bright row and one bright column."""

  def __init__(self):
    super().__init__("stripes", ["row", "column"], [64, 64], (64, 64, 1))

  def sample_factors(self, num, random_state):
    """Returns rows and columns, `[num, 2]`."""
    return random_state.randint(64, size=(num, 2))

  def sample_observations_from_factors(self, factors, random_state):
    """Returns images in [0, 1], `[num, 64, 64, 1]`."""
    images = np.zeros((len(factors), 64, 64, 1), np.float32)
    images[np.arange(len(factors)), factors[:, 0]] = 1
    images[np.arange(len(factors)), :, factors[:, 1]] = 1
    return images


named_data.DATA_SETS["stripes"] = Stripes
