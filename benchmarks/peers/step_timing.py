"""Images, flags, clock and output line shared by the step benchmarks.

A benchmark times one training step on a batch of 64 images, fetching the batch included, and
prints one line of JSON. `training_step.py` runs several of them in turn and compares the lines.
"""

# ruff: noqa: E402 (a package that is missing has to end in one line, before the imports)

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
import importlib.metadata
import importlib.util
import json
import math
import os
import platform
import sys
import time
from typing import NoReturn

EXIT_UNAVAILABLE = 2


def unavailable(reason: str) -> NoReturn:
  """Ends the program with exit code 2 and one line that says what it lacks."""
  print(f"Benchmark not available: {reason}", file=sys.stderr)
  sys.exit(EXIT_UNAVAILABLE)


def require(*modules: str) -> None:
  """Ends the program with one line if a module is not installed."""
  missing = [module for module in modules if importlib.util.find_spec(module) is None]
  if missing:
    unavailable(f"{sys.executable} has no {', '.join(missing)}; install with pip.")


require("absl", "numpy")

from absl import flags
import numpy as np

BATCH_SIZE = 64
IMAGE_SIZE = 64
NUM_LATENT = 10
NUM_IMAGES = 20_000
STEPS_PER_CALL = 20  # of the programs that loop over steps inside a compiled function
MALLOC_VARIABLES = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_")

_THREADS = flags.DEFINE_integer("threads", 2, "Threads to compute with.", lower_bound=1)
_STEPS = flags.DEFINE_integer("steps", 100, "Steps to time.", lower_bound=1)
_WARMUP = flags.DEFINE_integer("warmup", 20, "Steps before the clock starts.", lower_bound=1)


def threads() -> int:
  """Returns the flag --threads."""
  return _THREADS.value


def num_steps() -> int:
  """Returns the number of steps to run, those before the clock starts included."""
  return _WARMUP.value + _STEPS.value


def binary_images() -> np.ndarray:
  """Returns rectangles at random places, uint8 [num_images, 64, 64] in {0, 1}."""
  rng = np.random.default_rng(0)
  pixel = np.arange(IMAGE_SIZE)
  size, first = rng.integers(8, 25, size=(2, NUM_IMAGES, 2, 1))
  inside = (pixel >= first) & (pixel < first + size)  # [num_images, 2, 64]
  return (inside[:, 0, :, None] & inside[:, 1, None, :]).astype(np.uint8)


def time_steps(step: Callable[[], float]) -> tuple[np.ndarray, float]:
  """Runs a training step over and over.

  Args:
    step: Fetches a batch and trains on it. Returns the loss, or what `float` makes one of.

  Returns:
    Milliseconds each timed step took, [steps], and the loss of the last step.
  """
  ends = np.empty(num_steps())
  for i in range(num_steps()):
    loss = step()
    ends[i] = time.perf_counter()
  return step_milliseconds(ends), float(loss)


def time_calls(run_call: Callable[[int], float]) -> tuple[np.ndarray, float]:
  """Does what `time_steps` does with a function that runs `STEPS_PER_CALL` steps.

  Numbers of steps are rounded up to whole calls. Steps of one call count as equally long.

  Args:
    run_call: Trains from the step it is given on. Returns the loss of the last step.

  Returns:
    Milliseconds each timed step took, [steps], and the loss of the last step.
  """
  warmup, timed = (math.ceil(flag.value / STEPS_PER_CALL) for flag in (_WARMUP, _STEPS))
  ends = np.empty(warmup + timed)
  for call in range(warmup + timed):
    loss = run_call(call * STEPS_PER_CALL)
    ends[call] = time.perf_counter()
  milliseconds = 1000 * np.diff(ends)[warmup - 1 :] / STEPS_PER_CALL
  return np.repeat(milliseconds, STEPS_PER_CALL), float(loss)


def step_milliseconds(ends: Sequence[float]) -> np.ndarray:
  """Returns how long each timed step took, [steps].

  Args:
    ends: Time at which each step ended, in seconds, [warmup + steps].
  """
  return 1000 * np.diff(ends)[_WARMUP.value - 1 :]


def report(
  *, peer: str, model: str, milliseconds: np.ndarray, loss: float, packages: Sequence[str]
) -> None:
  """Prints the result as one line of JSON.

  Args:
    peer: Who trained.
    model: Objective that was trained.
    milliseconds: Time of each step, [steps].
    loss: Loss after the last step.
    packages: Distributions whose versions belong to the result.

  Raises:
    ValueError: If the loss is not finite: such a step was not training.
  """
  if not math.isfinite(loss):
    raise ValueError(f"{peer} {model}: loss must be finite, got {loss}.")
  p10, median, p90 = np.percentile(milliseconds, [10, 50, 90])
  versions = {package: importlib.metadata.version(package) for package in packages}
  record = {
    "peer": peer,
    "model": model,
    "threads": threads(),
    "batch_size": BATCH_SIZE,
    "median_ms": round(float(median), 2),
    "p10_ms": round(float(p10), 2),
    "p90_ms": round(float(p90), 2),
    "steps": len(milliseconds),
    "loss": round(loss, 2),
    "versions": {"python": platform.python_version(), **versions},
    "malloc": {name: os.environ.get(name) for name in MALLOC_VARIABLES},
  }
  print(json.dumps(record))


def surroundings(versions: Mapping[str, str], load: float) -> list[str]:
  """Returns lines of Markdown that say what a benchmark ran on and with.

  Args:
    versions: Version of each package.
    load: Load average when the benchmark started.
  """
  environment = {name: os.environ.get(name, "unset") for name in MALLOC_VARIABLES}
  return [
    f"{os.cpu_count()} CPUs, load average {load:.1f} at the start.",
    f"Environment: {assignments(environment)}.",
    f"Versions: {', '.join(f'{name} {version}' for name, version in versions.items())}.",
  ]


def assignments(variables: Mapping[str, str]) -> str:
  """Returns variables and their values as one line."""
  return ", ".join(f"{name}={value}" for name, value in variables.items())
