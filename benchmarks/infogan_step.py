"""Compares InfoGAN's training step with the same step written in PyTorch, in one run.

The programs take turns as in `training_step.py`, whose table it prints. Run it on an idle machine.

Usage: python benchmarks/infogan_step.py --threads=2 --torch_python=PATH
"""

import os
import sys

from absl import app
from absl import flags
from absl import logging
import training_step

PEER = "peers/pytorch_infogan_step.py"


def contenders() -> list[training_step.Contender]:
  """Returns the programs in the order of the table; the first one is what ratios refer to."""
  torch = flags.FLAGS.torch_python
  return [
    training_step.Contender(sys.executable, "own_infogan_step.py"),
    training_step.Contender(torch, PEER),
    training_step.Contender(torch, PEER, ("--tuned",)),
  ]


def main(argv: list[str]) -> None:
  """Runs all programs in turn and prints the table."""
  if len(argv) > 1:
    raise app.UsageError(f"Unexpected arguments: {argv[1:]}.")
  load = os.getloadavg()[0]
  if load > training_step.MAX_LOAD:
    logging.warning("Load average is %.1f: other work distorts the ratios.", load)
  programs = contenders()
  for _ in range(flags.FLAGS.rounds):
    for allocator in training_step.ALLOCATORS:
      for program in programs:
        if not program.skipped:
          training_step.run(program, allocator)
  print("\n".join([*training_step.conditions(programs, load), *training_step.table(programs)]))


if __name__ == "__main__":
  app.run(main)
