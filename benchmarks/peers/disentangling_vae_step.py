"""Times the training step of disentangling-vae (github.com/YannDubs/disentangling-vae).

Its own `Trainer._train_iteration`, Burgess networks, VAE loss and optimizer, from a checkout of
its repository. Its data loader is left out: batches are gathered from one tensor in memory.

Usage: python benchmarks/peers/disentangling_vae_step.py --checkout=PATH --threads=2
"""

# ruff: noqa: E402 (a package that is missing has to end in one line, before the imports)

import collections
from collections.abc import Callable
import pathlib
import sys
import tempfile

import step_timing

step_timing.require("absl", "torch", "imageio", "tqdm")

from absl import app
from absl import flags
import numpy as np
import torch

LEARNING_RATE = 5e-4  # Of its hyperparam.ini for the VAE.

_CHECKOUT = flags.DEFINE_string("checkout", "", "Folder of a checkout of disentangling-vae.")


def make_step(checkout: pathlib.Path, log_dir: str) -> Callable[[], float]:
  """Returns a function that trains on one batch and returns its loss."""
  if not (checkout / "disvae" / "training.py").is_file():
    step_timing.unavailable(
      f"--checkout must be a checkout of disentangling-vae, got {_CHECKOUT.value!r}."
    )
  sys.path.insert(0, str(checkout))
  if not hasattr(np, "product"):
    np.product = np.prod  # NumPy 2 dropped the name that its networks use.
  import disvae
  from disvae.models import losses

  model = disvae.init_specific_model("Burgess", (1, 64, 64), step_timing.NUM_LATENT)
  model.train()
  trainer = disvae.Trainer(
    model,
    torch.optim.Adam(model.parameters(), lr=LEARNING_RATE),
    losses.get_loss_f("VAE", rec_dist="bernoulli", reg_anneal=0),
    device=torch.device("cpu"),
    save_dir=log_dir,
    is_progress_bar=False,
  )
  images = torch.from_numpy(step_timing.binary_images())[:, None]
  storer = collections.defaultdict(list)

  def step() -> float:
    rows = torch.randint(len(images), (step_timing.BATCH_SIZE,))
    return trainer._train_iteration(images[rows].float(), storer)

  return step


def main(argv: list[str]) -> None:
  """Times the step and prints the result."""
  if len(argv) > 1:
    raise app.UsageError(f"Unexpected arguments: {argv[1:]}.")
  torch.set_num_threads(step_timing.threads())
  torch.manual_seed(0)
  with tempfile.TemporaryDirectory() as log_dir:
    step = make_step(pathlib.Path(_CHECKOUT.value), log_dir)
    milliseconds, loss = step_timing.time_steps(step)
  step_timing.report(
    peer="disentangling-vae",
    model="vae",
    milliseconds=milliseconds,
    loss=loss,
    packages=["torch", "numpy"],
  )


if __name__ == "__main__":
  app.run(main)
