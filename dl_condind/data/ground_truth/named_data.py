"""Data sets by name, as `dataset.name` gives it."""

import difflib
import importlib.util  # noqa: F401  gin uses it without importing it.

import gin

from dl_condind.data.ground_truth import dsprites
from dl_condind.data.ground_truth import dummy_data
from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.utils import errors

DATA_SETS = {
  "dsprites_full": dsprites.DSprites,
  "dummy_data": dummy_data.DummyData,
}


@gin.configurable("dataset")
def get_named_ground_truth_data(name: str = gin.REQUIRED) -> ground_truth_data.GroundTruthData:
  """Returns the data set of a name. Its files are read when it is first used.

  Raises:
    ConfigError: If there is no data set of this name.
  """
  names = sorted(DATA_SETS)
  if name not in names:
    close = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise errors.ConfigError(f"dataset.name must be one of {', '.join(names)}, got {name!r}.{hint}")
  return DATA_SETS[name]()
