"""Times InfoGAN's training step written in PyTorch, plainly or tuned for a CPU.

Networks, losses and optimizers are those of dl_condind's InfoGAN on 28 x 28 images; a step updates
all networks from the weights before it, on one batch of generated images. Images are gathered from
one tensor in memory.

Usage: python benchmarks/peers/pytorch_infogan_step.py --tuned --threads=2
"""

# ruff: noqa: E402 (a package that is missing has to end in one line, before the imports)

from collections.abc import Callable

import step_timing

step_timing.require("absl", "torch")

from absl import app
from absl import flags
import torch
from torch import nn
import torch.nn.functional as F

BATCH_SIZE = step_timing.BATCH_SIZE
NUM_CATEGORIES, NUM_CONTINUOUS, NUM_NOISE = 10, 2, 62
INFO_WEIGHT, CORRELATION = 0.1, 0.9
NUM_IMAGES, IMAGE_SIZE = 60_000, 28

_TUNED = flags.DEFINE_bool("tuned", False, "Channels-last tensors and fused Adam.")


def _generator() -> nn.Module:
  """Returns the generator: images in [0, 1], [batch, 1, 28, 28]."""
  return nn.Sequential(
    nn.Linear(NUM_CATEGORIES + NUM_CONTINUOUS + NUM_NOISE, 1024, bias=False),
    nn.BatchNorm1d(1024),
    nn.ReLU(inplace=True),
    nn.Linear(1024, 7 * 7 * 128, bias=False),
    nn.BatchNorm1d(7 * 7 * 128),
    nn.ReLU(inplace=True),
    nn.Unflatten(1, (128, 7, 7)),
    nn.ConvTranspose2d(128, 64, 4, stride=2, padding=1, bias=False),
    nn.BatchNorm2d(64),
    nn.ReLU(inplace=True),
    nn.ConvTranspose2d(64, 1, 4, stride=2, padding=1),
    nn.Sigmoid(),
  )


def _feature_network() -> nn.Module:
  """Returns what discriminator and recognition network share: features, [batch, 1024]."""
  return nn.Sequential(
    nn.Conv2d(1, 64, 4, stride=2, padding=1),
    nn.LeakyReLU(0.1, inplace=True),
    nn.Conv2d(64, 128, 4, stride=2, padding=1, bias=False),
    nn.BatchNorm2d(128),
    nn.LeakyReLU(0.1, inplace=True),
    nn.Flatten(),
    nn.Linear(7 * 7 * 128, 1024, bias=False),
    nn.BatchNorm1d(1024),
    nn.LeakyReLU(0.1, inplace=True),
  )


def _recognition_head() -> nn.Module:
  """Returns the head with mean, log variance and logits, [batch, 2 * 2 + 10]."""
  return nn.Sequential(
    nn.Linear(1024, 128, bias=False),
    nn.BatchNorm1d(128),
    nn.LeakyReLU(0.1, inplace=True),
    nn.Linear(128, 2 * NUM_CONTINUOUS + NUM_CATEGORIES),
  )


def _networks(tuned: bool) -> nn.ModuleDict:
  """Returns all networks, their kernels drawn from N(0, 0.02^2)."""
  networks = nn.ModuleDict(
    {
      "generator": _generator(),
      "features": _feature_network(),
      "discriminator": nn.Linear(1024, 1),
      "recognition": _recognition_head(),
    }
  )
  for module in networks.modules():
    if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
      nn.init.normal_(module.weight, std=0.02)
  return networks.to(memory_format=torch.channels_last) if tuned else networks


def _penalty(outputs: torch.Tensor, category: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
  """Returns the weighted negative log likelihood of the codes."""
  z_mean, z_logvar, logits = outputs.split([NUM_CONTINUOUS, NUM_CONTINUOUS, NUM_CATEGORIES], dim=1)
  covariance = torch.full((NUM_CONTINUOUS, NUM_CONTINUOUS), CORRELATION).fill_diagonal_(1)
  scale_tril = torch.exp(z_logvar / 2)[:, :, None] * torch.linalg.cholesky(covariance)
  posterior = torch.distributions.MultivariateNormal(
    z_mean, scale_tril=scale_tril, validate_args=False
  )
  return F.cross_entropy(logits, category) - INFO_WEIGHT * posterior.log_prob(z).mean()


def make_step(tuned: bool) -> Callable[[], torch.Tensor]:
  """Returns a function that trains on one batch and returns the discriminator's loss."""
  images = torch.randint(256, (NUM_IMAGES, 1, IMAGE_SIZE, IMAGE_SIZE), dtype=torch.uint8)
  networks = _networks(tuned)
  parameters = {name: list(network.parameters()) for name, network in networks.items()}
  parameters["discriminator"] = parameters.pop("features") + parameters["discriminator"]
  rates = {"discriminator": 2e-4, "recognition": 2e-4, "generator": 1e-3}
  optimizers = [
    torch.optim.Adam(parameters[name], lr=rate, betas=(0.5, 0.999), fused=tuned)
    for name, rate in rates.items()
  ]

  def step() -> torch.Tensor:
    rows = torch.randint(NUM_IMAGES, (BATCH_SIZE,))
    category = torch.randint(NUM_CATEGORIES, (BATCH_SIZE,))
    z, noise = torch.randn(BATCH_SIZE, NUM_CONTINUOUS), torch.randn(BATCH_SIZE, NUM_NOISE)
    code = torch.cat([F.one_hot(category, NUM_CATEGORIES).float(), z, noise], dim=1)
    real_features = networks["features"](images[rows].float() / 255)
    features = networks["features"](networks["generator"](code))
    real_logits = networks["discriminator"](real_features)
    fake_logits = networks["discriminator"](features)
    penalty = _penalty(networks["recognition"](features), category, z)
    loss = F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()
    generator_loss = F.softplus(-fake_logits).mean()
    for optimizer in optimizers:
      optimizer.zero_grad()
    # Each objective computes the gradients of its own networks only.
    recognizing = parameters["discriminator"] + parameters["recognition"]
    (loss + penalty).backward(inputs=recognizing, retain_graph=True)
    (generator_loss + penalty).backward(inputs=parameters["generator"])
    for optimizer in optimizers:
      optimizer.step()
    return loss.detach()

  return step


def main(argv: list[str]) -> None:
  """Times the step and prints the result."""
  if len(argv) > 1:
    raise app.UsageError(f"Unexpected arguments: {argv[1:]}.")
  torch.set_num_threads(step_timing.threads())
  torch.set_flush_denormal(True)  # As TensorFlow does.
  torch.manual_seed(0)
  milliseconds, loss = step_timing.time_steps(make_step(_TUNED.value))
  step_timing.report(
    peer="PyTorch, tuned" if _TUNED.value else "PyTorch, plain",
    model="infogan",
    milliseconds=milliseconds,
    loss=loss,
    packages=["torch", "numpy"],
  )


if __name__ == "__main__":
  app.run(main)
