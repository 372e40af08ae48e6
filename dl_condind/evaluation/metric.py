"""What all metrics share: how disentanglement_lib calls them, what they draw, their name in gin.

A metric is a function under its equation:

    @metric.metric("dci", draw=metric.splits)
    def compute_dci(x_train, y_train, x_test, y_test, seed, predictor_fn=...):
      ...

The decorator makes of it the function that is called as in disentanglement_lib and is bound in gin:

    compute_dci(ground_truth_data, representation_function, random_state, artifact_dir=None,
                num_train=..., num_test=..., batch_size=16, predictor_fn=...)

It takes points from the data set as `draw` says, encodes them, and hands them on. The settings are
those of `draw` and of the function. Their defaults are the settings of the study of Locatello et
al. (2019), arXiv:1811.12359, if the metric is part of it. A function without `draw` is given the
data set and the representation function themselves. Every draw comes from random_state;
artifact_dir, a folder for disentanglement_lib's plots, is not used.
"""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
import contextlib
import functools
import importlib
import importlib.util  # gin uses it without importing it.
import inspect
import pkgutil
from typing import Any

import gin
from gin import config as gin_config
import numpy as np

from dl_condind.data.ground_truth import ground_truth_data as ground_truth
from dl_condind.evaluation import checks
from dl_condind.evaluation import representation
from dl_condind.utils import errors
from dl_condind.utils import seeds

_PROTOCOL = ("ground_truth_data", "representation_function", "random_state", "artifact_dir")
_metrics: dict[str, Callable[..., dict[str, Any]]] = {}


def points(
  ground_truth_data: ground_truth.GroundTruthData,
  representation_function: Callable,
  random_state: np.random.RandomState,
  num_train: int = 10_000,
  batch_size: int = 16,
) -> tuple[np.ndarray, np.ndarray]:
  """Draws points for a metric that compares representations with factors.

  Args:
    ground_truth_data: Data set to sample from.
    representation_function: Observations -> representations.
    random_state: State that every draw comes from.
    num_train: Number of points.
    batch_size: Number of points of one draw.

  Returns:
    Representations, `[num_train, num_latent]`, and factors, `[num_train, num_factors]`.
  """
  return representation.generate_batch_factor_code(
    ground_truth_data, representation_function, num_train, random_state, batch_size
  )


def splits(
  ground_truth_data: ground_truth.GroundTruthData,
  representation_function: Callable,
  random_state: np.random.RandomState,
  num_train: int = 10_000,
  num_test: int = 5_000,
  batch_size: int = 16,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
  """Draws points to fit and points to test on, for a metric that fits classifiers.

  Args:
    ground_truth_data: Data set to sample from.
    representation_function: Observations -> representations.
    random_state: State that every draw comes from.
    num_train: Number of points to fit.
    num_test: Number of points to test on, drawn after those.
    batch_size: Number of points of one draw.

  Returns:
    Representations and factors to fit, then those to test on; shapes as `points`.
  """
  return representation.generate_splits(
    ground_truth_data, representation_function, num_train, num_test, random_state, batch_size
  )


def metric(
  name: str,
  draw: Callable[..., tuple[np.ndarray, ...]] | None = None,
  choices: Mapping[str, Sequence[str]] | None = None,
) -> Callable[[Callable[..., dict[str, Any]]], Callable[..., dict[str, Any]]]:
  """Returns a decorator that makes a metric of a function; see the module.

  The function's first parameters take what draw returns, by position. If it has a parameter
  `random_state`, it is given the state after the draws; if it has one named `seed`, a seed for
  classifiers and estimators, `seeds.seed_from` of the state before them. Its other parameters are
  settings, which gin binds as `name.setting`.

  Args:
    name: Name in gin and in `load_all`.
    draw: `points`, `splits` or another function (data set, representation function, random state,
      settings) -> arrays; None to be given the data set and the representation function.
    choices: The values that a setting may have, checked before anything is drawn.

  Raises:
    ConfigError: If another module has a metric of this name.
  """

  def decorate(compute: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    draw_settings = {} if draw is None else _parameters(draw, skip=3)
    own = _parameters(compute)
    own = {key: own[key] for key in own if own[key].default is not inspect.Parameter.empty}
    protocol = _parameters(_call_of_disentanglement_lib)
    signature = inspect.Signature(
      [*(protocol | draw_settings | own).values()],
      return_annotation=inspect.signature(compute).return_annotation,
    )
    wanted = _parameters(compute).keys()

    @functools.wraps(compute)
    def evaluate(*args: Any, **kwargs: Any) -> dict[str, Any]:
      bound = signature.bind(*args, **kwargs)
      bound.apply_defaults()
      data, represent, random_state, _, *_ = bound.args
      settings = {key: bound.arguments[key] for key in own}
      for key, allowed in (choices or {}).items():
        checks.check_choice(f"{name}.{key}", settings[key], allowed)
      if "seed" in wanted:
        settings["seed"] = seeds.seed_from(random_state)
      if "random_state" in wanted:
        settings["random_state"] = random_state
      if draw is None:
        return compute(data, represent, **settings)
      drawn = {key: bound.arguments[key] for key in draw_settings}
      return compute(*draw(data, represent, random_state, **drawn), **settings)

    evaluate.__signature__ = signature  # type: ignore[attr-defined]
    del evaluate.__wrapped__  # Gin would take the parameters from there.
    # A cell of a notebook that is run again replaces its metric.
    earlier = getattr(_metrics.get(name), "__module__", None)
    if earlier not in (None, compute.__module__):
      raise errors.ConfigError(f"{earlier} has a metric {name!r} already: choose another name.")
    with gin_config.interactive_mode() if earlier else contextlib.nullcontext():
      _metrics[name] = gin.configurable(name, denylist=_PROTOCOL)(evaluate)
    return _metrics[name]

  return decorate


def _parameters(function: Callable, skip: int = 0) -> dict[str, inspect.Parameter]:
  return dict([*inspect.signature(function).parameters.items()][skip:])


def _call_of_disentanglement_lib(
  ground_truth_data: ground_truth.GroundTruthData,
  representation_function: Callable,
  random_state: np.random.RandomState,
  artifact_dir: str | None = None,
) -> None:
  """Is called as disentanglement_lib calls a metric, but for the metric's settings."""


def load_all() -> dict[str, Callable[..., dict[str, Any]]]:
  """Returns all metrics by name, once every module in `metrics` is imported.

  This makes their names known to gin, too.
  """
  package = importlib.import_module("dl_condind.evaluation.metrics")
  for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
    importlib.import_module(module.name)
  return dict(sorted(_metrics.items()))


def get(name: str) -> Callable[..., dict[str, Any]]:
  """Returns the metric of a name.

  Raises:
    ConfigError: If there is none.
  """
  metrics = load_all()
  if name not in metrics:
    raise errors.ConfigError(f"There is no metric {name!r}: choose from {', '.join(metrics)}.")
  return metrics[name]


def numbered(name: str, indices: Iterable[int], values: Iterable[float]) -> dict[str, float]:
  """Returns results named by the index of a factor or latent.

  Example:
    >>> numbered("mig.factor", [0, 2], [0.5, 0.25])
    {'mig.factor_0': 0.5, 'mig.factor_2': 0.25}
  """
  return {f"{name}_{i}": float(value) for i, value in zip(indices, values, strict=True)}
