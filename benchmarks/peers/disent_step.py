"""Times the training step of disent (pypi.org/project/disent).

Its own VAE framework, conv64 networks and optimizer, stepped in a plain loop: `training_step`,
backward, optimizer. Lightning's Trainer and disent's data sets, which would add to the time, are
left out: batches are gathered from one tensor in memory.

Usage: python benchmarks/peers/disent_step.py --threads=2
"""

# ruff: noqa: E402 (a package that is missing has to end in one line, before the imports)

from collections.abc import Callable
import warnings

import step_timing

step_timing.require("absl", "torch", "disent")

from absl import app
import disent.frameworks.vae
import disent.model
import disent.model.ae
import torch


def make_step() -> Callable[[], torch.Tensor]:
  """Returns a function that trains on one batch and returns its loss."""
  x_shape = (1, step_timing.IMAGE_SIZE, step_timing.IMAGE_SIZE)
  z_size = step_timing.NUM_LATENT
  framework = disent.frameworks.vae.Vae(
    model=disent.model.AutoEncoder(
      encoder=disent.model.ae.EncoderConv64(x_shape=x_shape, z_size=z_size, z_multiplier=2),
      decoder=disent.model.ae.DecoderConv64(x_shape=x_shape, z_size=z_size),
    ),
    cfg=disent.frameworks.vae.Vae.cfg(recon_loss="bce", loss_reduction="mean_sum"),
  )
  framework.train()
  optimizer = framework.configure_optimizers()  # Adam, 1e-3.
  images = torch.from_numpy(step_timing.binary_images())[:, None]

  def step() -> torch.Tensor:
    rows = torch.randint(len(images), (step_timing.BATCH_SIZE,))
    loss = framework.training_step({"x_targ": (images[rows].float(),)}, 0)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()

  return step


def main(argv: list[str]) -> None:
  """Times the step and prints the result."""
  if len(argv) > 1:
    raise app.UsageError(f"Unexpected arguments: {argv[1:]}.")
  # Without a Trainer, every value logged is answered with a warning.
  warnings.filterwarnings("ignore", message=".*self.log.*")
  torch.set_num_threads(step_timing.threads())
  torch.manual_seed(0)
  milliseconds, loss = step_timing.time_steps(make_step())
  step_timing.report(
    peer="disent",
    model="vae",
    milliseconds=milliseconds,
    loss=loss,
    packages=["disent", "torch", "lightning", "numpy"],
  )


if __name__ == "__main__":
  app.run(main)
