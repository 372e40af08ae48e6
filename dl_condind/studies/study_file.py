"""Studies as plain data, and the gin files that they are read from.

A study is a gin file that binds `study.*`: what the runs share, the axes along which they differ,
and what is evaluated. `gin_configs/studies/` holds those that come with the package.
"""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import functools
import math
import pathlib
from typing import Any

import gin

from dl_condind.studies import run_state
from dl_condind.studies import stage_files
from dl_condind.utils import configs
from dl_condind.utils import errors
from dl_condind.utils import gin_texts
from dl_condind.utils import gin_types
from dl_condind.utils import run_folder

GIN_FILE = "gin_file"
BINDINGS = "bindings"
MODEL_NUM = "{model_num}"


@dataclasses.dataclass(frozen=True)
class Study:
  """Runs on a grid of settings and seeds.

  Attributes:
    name: Name of the study.
    gin_files: gin files that every run reads.
    bindings: gin bindings of every run.
    axes: (gin key, values) of each axis; the last one changes fastest. The key "gin_file" stands
      for a file to read after gin_files, the key "bindings" for a list of gin statements.
    metrics: Names of the metrics, each a file of `gin_configs/metrics/` or a path.
    representations: Names of the representations, each a file of `gin_configs/postprocess/`. Where
      there are none, metrics take the model itself.
    snapshot_metrics: Names of the metrics of each snapshot (`model.snapshot_steps`) of a run.
    only: (key of an axis, values): the study is those runs of the grid, with their numbers in it.
      Of several axes of one key, one must have such a value.
    folder: Name of the folder of its runs in `output/`.
    validation: Names of what each representation is validated with, each a file `labelled_*` of
      `gin_configs/validation/` or a path.
    reasoning: Names of the trainings on puzzles from the codes of each representation, each a file
      of `gin_configs/reasoning/` or a path.
    num_evaluations: Number of evaluations of each metric; see `repeated_evaluations`.
  """

  name: str
  gin_files: tuple[str, ...]
  bindings: tuple[str, ...]
  axes: tuple[tuple[str, tuple[Any, ...]], ...]
  metrics: tuple[str, ...]
  representations: tuple[str, ...]
  snapshot_metrics: tuple[str, ...]
  only: tuple[tuple[str, tuple[object, ...]], ...]
  folder: str
  validation: tuple[str, ...] = ()
  reasoning: tuple[str, ...] = ()
  num_evaluations: int = 1

  @property
  def num_runs(self) -> int:
    """Number of runs of the grid."""
    return math.prod(len(values) for _, values in self.axes)

  @property
  def evaluated(self) -> tuple[str, ...]:
    """Names of what metrics take: the representations, or `model`."""
    return self.representations or (run_folder.MODEL,)

  @functools.cached_property
  def model_nums(self) -> tuple[int, ...]:
    """Numbers of the runs, in ascending order: all of the grid, or those that `only` chooses."""
    numbers = range(self.num_runs)
    if not self.only:
      return tuple(numbers)
    return tuple(
      number
      for number in numbers
      if all(_has(self.values(number), key, chosen) for key, chosen in self.only)
    )

  def gin_files_of_stages(self) -> list[str]:
    """Returns the gin files of what follows the training."""
    metrics = tuple(dict.fromkeys([*self.metrics, *self.snapshot_metrics]))
    stages = {"metrics": metrics, "validation": self.validation, "reasoning": self.reasoning}
    return [
      *map(stage_files.postprocess_file, self.representations),
      *(stage_files.gin_file(folder, stage) for folder in stages for stage in stages[folder]),
    ]

  def values(self, model_num: int) -> list[tuple[str, Any]]:
    """Returns (gin key, value) of each axis for a run of the grid."""
    found = []
    for key, values in reversed(self.axes):
      model_num, position = divmod(model_num, len(values))
      found.append((key, values[position]))
    return found[::-1]

  def run(self, model_num: int) -> tuple[list[str], list[str]]:
    """Returns the gin files and the bindings of a run.

    Raises:
      ConfigError: If there is no run of this number.
    """
    if not 0 <= model_num < self.num_runs:
      raise errors.ConfigError(
        f"model_num must be in [0, {self.num_runs}) for the study {self.name}, got {model_num}."
      )
    if self.only and model_num not in self.model_nums:
      only = ", ".join(f"{key} in {list(values)}" for key, values in self.only)
      raise errors.ConfigError(
        f"Run {model_num} is not part of the study {self.name}, which has only those with {only}: "
        "take another number, or the whole study."
      )
    gin_files, bindings = list(self.gin_files), list(self.bindings)
    for key, value in self.values(model_num):
      if key == GIN_FILE:
        gin_files.append(value)
      elif key == BINDINGS:
        bindings += value
      else:
        bindings.append(f"{key} = {value!r}")
    return gin_files, [*bindings, f"model.model_num = {model_num}"]

  def settings(self, model_num: int, gin_bindings: Sequence[str] = ()) -> Mapping[str, object]:
    """Returns all that makes a run, as JSON can hold it; arguments and errors as `run`.

    Args:
      model_num: Number of the run.
      gin_bindings: Bindings that are read after those of the study.
    """
    gin_files, bindings = self.run(model_num)
    settings: dict[str, object] = {
      "gin_files": gin_files,
      "bindings": [*bindings, *gin_bindings],
      "metrics": list(self.metrics),
      "representations": list(self.representations),
    }
    for name in ("snapshot_metrics", "validation", "reasoning"):
      if found := getattr(self, name):
        settings[name] = list(found)
    if self.num_evaluations > 1:
      settings["num_evaluations"] = self.num_evaluations
    names = dict.fromkeys([*gin_files, *self.gin_files_of_stages()])
    if own := {name: digest for name in names if (digest := self._own_digest(name))}:
      settings[run_state.OWN_FILES] = own
    return settings

  @functools.cached_property
  def _own_digest(self) -> Callable[[str], str | None]:
    """Returns `gin_texts.own_digest`, which reads each file once for all runs."""
    return functools.cache(gin_texts.own_digest)

  def run_folder(self, pattern: str, model_num: int) -> str:
    """Returns the folder of a run: the pattern with `{study}` and `{model_num}` filled in."""
    return pattern.replace("{study}", self.folder).replace(MODEL_NUM, str(model_num))

  def covering_runs(self) -> list[int]:
    """Returns a few runs in which every value of every axis occurs that occurs in the study."""
    seen: set[tuple[str, str]] = set()
    runs: list[int] = []
    for model_num in self.model_nums:
      values = {(key, repr(value)) for key, value in self.values(model_num)}
      if not runs or not values <= seen:
        runs.append(model_num)
        seen |= values
    return runs


def _has(values: Sequence[tuple[str, object]], key: str, chosen: Sequence[object]) -> bool:
  return any(found == key and value in chosen for found, value in values)


def load_study(name: str, trust_gin_imports: bool = False) -> Study:
  """Reads a study.

  Args:
    name: Name of a file in `gin_configs/studies/`, without its ending, or a path.
    trust_gin_imports: Whether the file may import any module.

  Raises:
    ConfigError: If there is no such study, or its file is not valid.
  """
  is_path = name.endswith(".gin")
  if not is_path and name not in (names := study_names()):
    hint = gin_types.did_you_mean(name, names) or "."
    raise errors.ConfigError(
      f"study must be one of {', '.join(names)}, or the path of a gin file, got {name!r}{hint}"
    )
  file = name if is_path else f"studies/{name}.gin"
  configs.parse([file], trust_gin_imports=trust_gin_imports)
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
  return sorted(path.stem for path in (gin_texts.gin_config_folder() / "studies").glob("*.gin"))


@gin.configurable("study", denylist=["name"])
def make_study(
  name: str,
  gin_files: Sequence[str] = gin.REQUIRED,
  axes: Sequence[tuple[str, Sequence[object]]] = gin.REQUIRED,
  bindings: Sequence[str] = (),
  metrics: Sequence[str] = ("mig", "unsupervised", "total_correlation", "vae_terms"),
  representations: Sequence[str] = ("mean", "sampled"),
  snapshot_metrics: Sequence[str] = (),
  validation: Sequence[str] = (),
  reasoning: Sequence[str] = (),
  only: Sequence[tuple[str, Sequence[object]]] = (),
  folder: str | None = None,
) -> Study:
  """Returns a study; arguments as the attributes of `Study`, but that folder is by default name.

  Raises:
    ConfigError: If an axis or a choice of `only` is not a pair of a key and at least one value, if
      a value is none of its axis, if a value of "bindings" is not a list of gin statements, if two
      metrics, validations or reasonings have one name, or if there is no representation to validate
      or to reason from.
  """
  axes, only = _pairs("axes", axes), _pairs("only", only)
  for value in _values_of(axes, BINDINGS):
    if not isinstance(value, tuple | list) or not all(isinstance(line, str) for line in value):
      raise errors.ConfigError(
        f'study.axes: each value of "{BINDINGS}" must be a list of gin statements, got {value!r}.'
      )
  for key, values in only:
    absent = [value for value in values if value not in _values_of(axes, key)]
    if absent:
      raise errors.ConfigError(f"study.only: no axis {key!r} of study.axes has {absent[0]!r}.")
  of_representations = {"validation": validation, "reasoning": reasoning}
  lists = {"metrics": metrics, "snapshot_metrics": snapshot_metrics, **of_representations}
  for setting, names in lists.items():
    _check_names(setting, names)
  for setting, names in of_representations.items():
    if names and not representations:
      raise errors.ConfigError(
        f'study.{setting} needs a representation, and study.representations has none: add "mean".'
      )
  return Study(
    name=name,
    gin_files=tuple(gin_files),
    bindings=tuple(bindings),
    axes=axes,
    metrics=tuple(metrics),
    representations=tuple(representations),
    snapshot_metrics=tuple(snapshot_metrics),
    only=only,
    folder=folder or name,
    validation=tuple(validation),
    reasoning=tuple(reasoning),
  )


def _check_names(setting: str, stages: Sequence[str]) -> None:
  names = [stage_files.stage_name(stage) for stage in stages]
  if dotted := [stage for stage, name in zip(stages, names, strict=True) if "." in name]:
    raise errors.ConfigError(
      f"study.{setting}: {dotted[0]} has a dot in its name, which divides the names of results: "
      "rename the file."
    )
  alike = [stage for stage, name in zip(stages, names, strict=True) if names.count(name) > 1]
  if alike:
    raise errors.ConfigError(
      f"study.{setting}: several have one name, which would be the name of one folder: "
      f"{', '.join(alike)}. Rename a file, or take one of them."
    )


def _values_of(axes: Sequence[tuple[str, Sequence[object]]], key: str) -> list[object]:
  """Returns the values of all axes of a key."""
  return [value for found, values in axes if found == key for value in values]


def _pairs(
  name: str, pairs: Sequence[tuple[str, Sequence[object]]]
) -> tuple[tuple[str, tuple[object, ...]], ...]:
  for pair in pairs:
    is_pair = isinstance(pair, tuple | list) and len(pair) == 2 and isinstance(pair[0], str)
    if not is_pair or not isinstance(pair[1], tuple | list) or not pair[1]:
      raise errors.ConfigError(
        f"study.{name} must be pairs (gin key, [values]) with at least one value, got {pair!r}."
      )
  return tuple((key, tuple(values)) for key, values in pairs)
