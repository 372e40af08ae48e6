"""Studies: grids of runs as plain data.

A study is a gin file that binds `study.*`: what the runs share, the axes along which they differ,
and what is evaluated. `gin_configs/studies/` holds those that come with the package.
"""

from collections.abc import Sequence
import dataclasses
import math
import pathlib

import gin

from dl_condind.utils import configs
from dl_condind.utils import errors

GIN_FILE = "gin_file"


@dataclasses.dataclass(frozen=True)
class Study:
  """A grid of runs.

  Attributes:
    name: Name of the study.
    gin_files: gin files that every run reads.
    bindings: gin bindings of every run.
    axes: (gin key, values) of each axis; the last one changes fastest. The key "gin_file" stands
      for a file to read after gin_files.
    metrics: Names of the metrics, each a file of `gin_configs/metrics/` or a path.
    representations: Names of the representations, each a file of `gin_configs/postprocess/`.
  """

  name: str
  gin_files: tuple[str, ...]
  bindings: tuple[str, ...]
  axes: tuple[tuple[str, tuple[object, ...]], ...]
  metrics: tuple[str, ...]
  representations: tuple[str, ...]

  @property
  def num_runs(self) -> int:
    """Number of runs."""
    return math.prod(len(values) for _, values in self.axes)

  def run(self, model_num: int) -> tuple[list[str], list[str]]:
    """Returns the gin files and the bindings of a run.

    Raises:
      ConfigError: If there is no run of this number.
    """
    if not 0 <= model_num < self.num_runs:
      raise errors.ConfigError(
        f"--model_num must be in [0, {self.num_runs}) for the study {self.name}, got {model_num}."
      )
    gin_files, bindings = list(self.gin_files), list(self.bindings)
    index = model_num
    for key, values in reversed(self.axes):
      index, position = divmod(index, len(values))
      if key == GIN_FILE:
        gin_files.append(values[position])
      else:
        bindings.append(f"{key} = {values[position]!r}")
    return gin_files, [*bindings, f"model.model_num = {model_num}"]


def load_study(name: str) -> Study:
  """Reads a study.

  Args:
    name: Name of a file in `gin_configs/studies/`, without its ending, or a path.

  Raises:
    ConfigError: If there is no such study, or its file is not valid.
  """
  is_path = name.endswith(".gin")
  if not is_path and name not in (names := study_names()):
    raise errors.ConfigError(
      f"--study must be one of {', '.join(names)}, or the path of a gin file, got {name!r}."
    )
  configs.parse([name if is_path else f"studies/{name}.gin"])
  try:
    for key in configs.bound_keys():
      if not key.startswith("study."):
        raise errors.ConfigError(
          f"{name} binds {key}, which no run would read: put it in study.bindings."
        )
    return make_study(name=pathlib.Path(name).stem)
  finally:
    gin.clear_config()


def study_names() -> list[str]:
  """Returns the names of the studies that come with the package."""
  return sorted(path.stem for path in (configs.gin_config_folder() / "studies").glob("*.gin"))


@gin.configurable("study", denylist=["name"])
def make_study(
  name: str,
  gin_files: Sequence[str] = gin.REQUIRED,
  axes: Sequence[tuple[str, Sequence[object]]] = gin.REQUIRED,
  bindings: Sequence[str] = (),
  metrics: Sequence[str] = ("mig", "unsupervised", "total_correlation", "vae_terms"),
  representations: Sequence[str] = ("mean", "sampled"),
) -> Study:
  """Returns a study; arguments as the attributes of `Study`.

  Raises:
    ConfigError: If an axis is not a pair of a key and at least one value.
  """
  for axis in axes:
    is_pair = isinstance(axis, tuple | list) and len(axis) == 2 and isinstance(axis[0], str)
    if not is_pair or not isinstance(axis[1], tuple | list) or not axis[1]:
      raise errors.ConfigError(
        f"study.axes must be pairs (gin key, [values]) with at least one value, got {axis!r}."
      )
  return Study(
    name=name,
    gin_files=tuple(gin_files),
    bindings=tuple(bindings),
    axes=tuple((key, tuple(values)) for key, values in axes),
    metrics=tuple(metrics),
    representations=tuple(representations),
  )
