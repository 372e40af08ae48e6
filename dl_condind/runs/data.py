"""Data sets by name."""

import os
from typing import Any

from dl_condind.data.ground_truth import factor_distributions
from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.data.ground_truth import named_data
from dl_condind.utils import errors


@errors.on_one_line()
def load_data(
  name: str,
  factor_distribution: factor_distributions.FactorDistribution | None = None,
  **options: Any,
) -> ground_truth_data.GroundTruthData:
  """Returns a data set. Its files are read when it is first used.

  Args:
    name: Name of the data set, such as "dsprites_full".
    factor_distribution: How its factors are drawn, if not uniformly and independently.
    **options: What the data set itself takes, such as `path` of "arrays".

  Raises:
    ValueError: If there is no data set of this name, or an option does not fit.
    DatasetError: If a file that describes the data set cannot be read.

  >>> load_data("dsprites_full").factor_names
  ['shape', 'scale', 'orientation', 'posX', 'posY']
  """
  options = {k: os.fspath(v) if isinstance(v, os.PathLike) else v for k, v in options.items()}
  return named_data.get_named_ground_truth_data(name, factor_distribution, options)
