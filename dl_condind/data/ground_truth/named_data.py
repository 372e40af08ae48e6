"""Data sets by name, as `dataset.name` gives it."""

from collections.abc import Callable
from collections.abc import Mapping
import functools
import inspect
from typing import Any

import gin

from dl_condind.data.ground_truth import arrays
from dl_condind.data.ground_truth import cars3d
from dl_condind.data.ground_truth import dsprites
from dl_condind.data.ground_truth import dsprites_variants
from dl_condind.data.ground_truth import dummy_data
from dl_condind.data.ground_truth import factor_distributions
from dl_condind.data.ground_truth import factor_presets  # noqa: F401 (registers its names)
from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.data.ground_truth import image_folder
from dl_condind.data.ground_truth import mnist
from dl_condind.data.ground_truth import mpi3d
from dl_condind.data.ground_truth import norb
from dl_condind.data.ground_truth import shapes3d
from dl_condind.data.ground_truth import spots
from dl_condind.utils import checks
from dl_condind.utils import errors

DATA_SETS: dict[str, Callable[[], ground_truth_data.GroundTruthData]] = {
  "abstract_dsprites": dsprites_variants.AbstractDSprites,
  "arrays": arrays.Arrays,
  "cars3d": cars3d.Cars3D,
  "color_dsprites": dsprites_variants.ColorDSprites,
  "dsprites_full": dsprites.DSprites,
  "dsprites_noshape": dsprites_variants.DSpritesNoShape,
  "dummy_data": dummy_data.DummyData,
  "image_folder": image_folder.ImageFolder,
  "mnist": mnist.MNIST,
  "mpi3d_real": functools.partial(mpi3d.MPI3D, "mpi3d_real"),
  "mpi3d_realistic": functools.partial(mpi3d.MPI3D, "mpi3d_realistic"),
  "mpi3d_toy": functools.partial(mpi3d.MPI3D, "mpi3d_toy"),
  "noisy_dsprites": dsprites_variants.NoisyDSprites,
  "scream_dsprites": dsprites_variants.ScreamDSprites,
  "shapes3d": shapes3d.Shapes3D,
  "smallnorb": norb.SmallNORB,
  "spots": spots.Spots,
}


@gin.configurable("dataset", denylist=["options"])
def get_named_ground_truth_data(
  name: str = gin.REQUIRED,
  factor_distribution: factor_distributions.FactorDistribution | None = None,
  options: Mapping[str, Any] | None = None,
) -> ground_truth_data.GroundTruthData:
  """Returns the data set of a name. Its files are read when it is first used.

  Args:
    name: Name of the data set.
    factor_distribution: How its factors are drawn, if not uniformly and independently.
    options: What the data set itself takes.

  Raises:
    ConfigError: If there is no data set of this name, it has no such option, or it does not allow
      the distribution.
    DatasetError: If a file that describes the data set cannot be read.
  """
  names = sorted(DATA_SETS)
  if name not in names:
    close = checks.closest(str(name), names, cutoff=0.5)
    hint = f" Did you mean {close!r}?" if close else ""
    raise errors.ConfigError(
      f"dataset.name must be one of {', '.join(names)}, got {name!r}.{hint} A data set of your own "
      "needs the `import` of its module in the gin file of the training, and "
      "trust_gin_imports=True."
    )
  try:
    inspect.signature(DATA_SETS[name]).bind(**(options or {}))
  except TypeError as error:
    raise errors.ConfigError(f"{name}: {error}.") from error
  data = DATA_SETS[name](**(options or {}))
  if options:
    data.options = dict(options)
  if factor_distribution is None:
    return data
  return factor_distributions.redistribute(data, factor_distribution)
