"""Compares a training step of this package with those of other libraries, in one run.

The programs take turns for a few rounds, each in a process of its own, so that a slow spell of the
machine hits all of them. Each is run with the default memory allocator settings and with settings
that keep freed memory in the process, and is judged by the better of the two. Prints a Markdown
table. Peers that are not installed are listed as skipped. Run it on an idle machine.

Usage: python benchmarks/training_step.py --threads=2 --torch_python=PATH --checkout=PATH
"""

from collections.abc import Mapping
import dataclasses
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys

from absl import app
from absl import flags
from absl import logging
from peers import step_timing

BENCHMARKS = pathlib.Path(__file__).parent
# 32 MiB is the largest mmap threshold that every glibc accepts.
ALLOCATORS = {
  "default": {},
  "tuned": {"MALLOC_TRIM_THRESHOLD_": "1000000000", "MALLOC_MMAP_THRESHOLD_": "33554432"},
}
MAX_LOAD = 1.0

_ROUNDS = flags.DEFINE_integer("rounds", 3, "Times that each program is run.", lower_bound=1)
_TORCH_PYTHON = flags.DEFINE_string(
  "torch_python", sys.executable, "Python interpreter that has PyTorch and disent."
)
_CHECKOUT = flags.DEFINE_string("checkout", "", "Folder of a checkout of disentangling-vae.")

flags.register_validator(
  "torch_python", lambda path: shutil.which(path) is not None, "must be a Python interpreter."
)


@dataclasses.dataclass
class Contender:
  """A program to time.

  Attributes:
    python: Interpreter that runs it.
    script: Its file, relative to this folder.
    flags: Flags of its own.
    records: Records it printed, by allocator.
    skipped: Why it could not be run, or None.
  """

  python: str
  script: str
  flags: tuple[str, ...] = ()
  records: Mapping[str, list[dict]] = dataclasses.field(
    default_factory=lambda: {allocator: [] for allocator in ALLOCATORS}
  )
  skipped: str | None = None

  @property
  def label(self) -> str:
    """What was run, for people."""
    return " ".join([self.script, *self.flags])

  def median(self, allocator: str, key: str) -> float:
    """Returns the median over rounds of a number in the records."""
    return statistics.median(record[key] for record in self.records[allocator])

  def better_allocator(self) -> str:
    """Returns the allocator with which the step was faster."""
    return min(ALLOCATORS, key=lambda allocator: self.median(allocator, "median_ms"))


def contenders() -> list[Contender]:
  """Returns the programs in the order of the table; the first one is what ratios refer to."""
  models = ("vae", "beta_tc_vae", "factor_vae")
  torch = _TORCH_PYTHON.value
  return [
    *(Contender(sys.executable, "own_step.py", (f"--model={model}",)) for model in models),
    *(
      Contender(sys.executable, "own_step.py", (f"--model={model}",))
      for model in ("ada_gvae", "s2_vae", "s2_mine_vae")
    ),
    Contender(sys.executable, "peers/bare_tensorflow_step.py"),
    *(Contender(torch, "peers/pytorch_step.py", (f"--model={model}",)) for model in models),
    Contender(sys.executable, "peers/keras_fit.py"),
    Contender(torch, "peers/disent_step.py"),
    Contender(torch, "peers/disentangling_vae_step.py", (f"--checkout={_CHECKOUT.value}",)),
  ]


def run(contender: Contender, allocator: str) -> None:
  """Runs a program once and adds its record, or the reason why there is none.

  Raises:
    RuntimeError: If the program fails for another reason than a missing package or file.
  """
  script = BENCHMARKS / contender.script
  if not script.is_file():
    contender.skipped = "there is no such file."
    return
  inherited = {k: v for k, v in os.environ.items() if k not in step_timing.MALLOC_VARIABLES}
  command = [contender.python, str(script), *contender.flags]
  command += [f"--{name}={flags.FLAGS[name].value}" for name in ("threads", "steps", "warmup")]
  result = subprocess.run(
    command,
    env={**inherited, **ALLOCATORS[allocator]},
    capture_output=True,
    text=True,
    check=False,  # The exit code tells a missing peer from a failure.
  )
  if result.returncode == step_timing.EXIT_UNAVAILABLE:
    contender.skipped = result.stderr.strip().splitlines()[-1]
  elif result.returncode != 0:
    raise RuntimeError(f"{contender.label} failed ({result.returncode}):\n{result.stderr}")
  else:
    record = json.loads(result.stdout.strip().splitlines()[-1])
    contender.records[allocator].append(record)
    logging.info("%s, %s: %.1f ms", contender.label, allocator, record["median_ms"])


def row(contender: Contender, own_ms: float | None) -> str:
  """Returns the contender's row of the table."""
  better = contender.better_allocator()
  record = contender.records[better][0]
  median, p10, p90 = (contender.median(better, f"{q}_ms") for q in ("median", "p10", "p90"))
  cells = [
    f"{record['peer']}, {record['model']}",
    *(f"{contender.median(allocator, 'median_ms'):.1f}" for allocator in ALLOCATORS),
    f"{median:.1f} ({p10:.1f}-{p90:.1f})",
    "-" if own_ms is None else f"{median / own_ms:.2f}",
  ]
  return f"| {' | '.join(cells)} |"


def table(programs: list[Contender]) -> list[str]:
  """Returns the lines of the table and of the list of skipped programs."""
  own = programs[0]
  own_ms = None if own.skipped else own.median(own.better_allocator(), "median_ms")
  return [
    "| training step | default malloc, ms | tuned malloc, ms | better (p10-p90), ms | ratio |",
    "| --- | ---: | ---: | ---: | ---: |",
    *(row(program, own_ms) for program in programs if not program.skipped),
    "",
    *(f"Skipped {program.label}: {program.skipped}" for program in programs if program.skipped),
  ]


def conditions(programs: list[Contender], load: float) -> list[str]:
  """Returns lines that say under which conditions the table came about."""
  versions = {}
  for program in programs:
    for record in program.records["default"][:1]:
      versions.update(record["versions"])
  return [
    f"Batch {step_timing.BATCH_SIZE}, {step_timing.threads()} threads; median of {_ROUNDS.value} "
    f"rounds of {flags.FLAGS['steps'].value} steps.",
    f"Tuned malloc: {step_timing.assignments(ALLOCATORS['tuned'])}; default: both unset.",
    *step_timing.surroundings(versions, load),
    "",
  ]


def compare(programs: list[Contender]) -> None:
  """Runs all programs in turn and prints the table."""
  load = os.getloadavg()[0]
  if load > MAX_LOAD:
    # OpenMP threads spin at barriers: a busy core costs PyTorch far more than TensorFlow.
    logging.warning("Load average is %.1f: other work distorts the ratios.", load)
  for _ in range(_ROUNDS.value):
    for allocator in ALLOCATORS:
      for program in programs:
        if not program.skipped:
          run(program, allocator)
  print("\n".join([*conditions(programs, load), *table(programs)]))


def main(argv: list[str]) -> None:
  """Compares the programs."""
  if len(argv) > 1:
    raise app.UsageError(f"Unexpected arguments: {argv[1:]}.")
  compare(contenders())


if __name__ == "__main__":
  app.run(main)
