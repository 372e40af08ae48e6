"""Compares InfoGAN's training step with the same step written in PyTorch, in one run.

The programs take turns as in `training_step.py`, whose table it prints. Run it on an idle machine.

Usage: python benchmarks/infogan_step.py --threads=2 --torch_python=PATH
"""

import sys

from absl import app
from absl import flags
import training_step

PEER = "peers/pytorch_infogan_step.py"


def contenders() -> list[training_step.Contender]:
  """Returns the programs in the order of the table; the first one is what ratios refer to."""
  torch = flags.FLAGS.torch_python
  return [
    training_step.Contender(sys.executable, "own_step.py", ("--model=infogan",)),
    training_step.Contender(torch, PEER),
    training_step.Contender(torch, PEER, ("--tuned",)),
  ]


def main(argv: list[str]) -> None:
  """Compares the programs."""
  if len(argv) > 1:
    raise app.UsageError(f"Unexpected arguments: {argv[1:]}.")
  training_step.compare(contenders())


if __name__ == "__main__":
  app.run(main)
