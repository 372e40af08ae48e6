"""Settings of `FactorDistribution` under which published results were made, by name.

`traeuble_{a,b,c,d,e}_{02,04,07}` are those of Traeuble et al. (2021), arXiv:2006.07886, as their
code draws them. The others are those of Roth et al. (2023), arXiv:2210.07347, under the names of
their file of correlations: `single`, `double` and `triple` have so many pairs, in `conf` and `all`
one factor is correlated with every other. A name ends with the strength: `01` is 0.1, `004` 0.04.
"""

from collections.abc import Iterator
from collections.abc import Sequence
import itertools
from typing import Any

import gin

from dl_condind.data.ground_truth import factor_distributions
from dl_condind.utils import checks
from dl_condind.utils import errors

_Pairs = list[tuple[str, str]]

# Letter -> the data set, for readers, and the pair.
_TRAEUBLE = {
  "a": ("shapes3d", ("scale", "orientation")),
  "b": ("dsprites_full", ("orientation", "posX")),
  "c": ("mpi3d_real", ("first DOF", "second DOF")),
  "d": ("shapes3d", ("object hue", "scale")),
  "e": ("shapes3d", ("object hue", "orientation")),
}

_SHAPES3D: dict[str, _Pairs] = {
  "single_1": [("floor hue", "wall hue")],
  "single_2": [("shape", "scale")],
  "single_3": [("shape", "wall hue")],
  "single_4": [("shape", "object hue")],
  "double_1": [("scale", "floor hue"), ("shape", "wall hue")],
  "double_2": [("scale", "shape"), ("floor hue", "wall hue")],
  "double_3": [("shape", "object hue"), ("shape", "scale")],
  "triple_1": [("scale", "orientation"), ("shape", "wall hue"), ("object hue", "floor hue")],
  "triple_2": [("object hue", "orientation"), ("shape", "scale"), ("floor hue", "wall hue")],
}
_MPI3D: dict[str, _Pairs] = {
  "single_1": [("camera height", "background color")],
  "single_2": [("object color", "object size")],
  "single_3": [("first DOF", "second DOF")],
  "double_1": [("object color", "object shape"), ("first DOF", "second DOF")],
  "double_2": [("object color", "first DOF"), ("object shape", "second DOF")],
  "triple_1": [
    ("object color", "background color"),
    ("camera height", "first DOF"),
    ("object shape", "second DOF"),
  ],
  "triple_2": [
    ("object color", "object shape"),
    ("first DOF", "second DOF"),
    ("background color", "camera height"),
  ],
}
_DSPRITES: dict[str, _Pairs] = {
  "single_1": [("shape", "scale")],
  "single_2": [("posX", "posY")],
  "single_3": [("shape", "posY")],
  "double_1": [("shape", "posX"), ("scale", "posY")],
  "double_2": [("shape", "scale"), ("posX", "posY")],
}
_CARS3D: dict[str, _Pairs] = {
  "single_1": [("elevation", "azimuth")],
  "single_2": [("elevation", "object")],
  "single_3": [("azimuth", "object")],
}
_PAIRS = {"shapes3d": _SHAPES3D, "mpi3d": _MPI3D, "dsprites": _DSPRITES, "cars3d": _CARS3D}
_CONFOUNDERS = {
  "shapes3d": ["shape", "wall hue"],
  "mpi3d": ["object shape", "first DOF"],
  "dsprites": ["shape", "posX"],
  "cars3d": ["elevation", "azimuth", "object"],
}
_STRENGTHS = {"02": 0.2, "04": 0.4, "07": 0.7, "01": 0.1, "004": 0.04}


def _traeuble() -> Iterator[tuple[str, dict[str, Any]]]:
  for (letter, (_, pair)), code in itertools.product(_TRAEUBLE.items(), ("02", "04", "07")):
    settings = {"correlated_pairs": [pair], "strength": _STRENGTHS[code], "kind": "line"}
    yield f"traeuble_{letter}_{code}", settings


def _roth() -> Iterator[tuple[str, dict[str, Any]]]:
  kind = {"kind": "unit_gaussian"}
  for dataset, named in _PAIRS.items():
    for name, pairs in named.items():
      for code in _codes(dataset, name):
        settings = {"correlated_pairs": pairs, "strength": _STRENGTHS[code], **kind}
        yield f"{dataset}_{name}_{code}", settings
    for number, factor in enumerate(_CONFOUNDERS[dataset], start=1):
      yield f"{dataset}_conf_{number}_02", {"confounders": [factor], "strength": 0.2, **kind}
  both = _DSPRITES["double_2"]
  yield "dsprites_double_01", {"correlated_pairs": both, "strength": 0.1, **kind}
  yield "dsprites_all_01", {"confounders": ["posX"], "strength": 0.1, **kind}


def _codes(dataset: str, name: str) -> Sequence[str]:
  """Returns the strengths at which Roth et al. have the pairs of a name."""
  if dataset == "cars3d":
    return ("02", "01")
  return ("01", "04", "004") if name in ("double_1", "double_2") else ("01",)


_PRESETS = dict(itertools.chain(_traeuble(), _roth()))


def names() -> list[str]:
  """Returns the names of all presets, sorted."""
  return sorted(_PRESETS)


@gin.register
def named_factor_distribution(name: str) -> factor_distributions.FactorDistribution:
  """Returns the distribution of a published experiment.

  Args:
    name: One of `names`.

  Raises:
    ConfigError: If there is none of this name.

  Example:
    >>> named_factor_distribution("dsprites_single_1_01").correlated_pairs
    [('shape', 'scale')]
  """
  if name not in _PRESETS:
    close = checks.closest(str(name), _PRESETS)
    hint = f" Did you mean {close!r}?" if close else ""
    raise errors.ConfigError(
      f"named_factor_distribution.name must be one of {', '.join(names())}, got {name!r}.{hint}"
    )
  return factor_distributions.FactorDistribution(**_PRESETS[name])
