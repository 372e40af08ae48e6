"""Times a training step written by hand in PyTorch and tuned for a CPU.

Channels-last tensors, fused Adam, images gathered from one tensor in memory; networks, objectives
and optimizers are those of disentanglement_lib. `torch.compile` was no faster.

Usage: python benchmarks/peers/pytorch_step.py --model=vae --threads=2
"""

# ruff: noqa: E402 (a package that is missing has to end in one line, before the imports)

from collections.abc import Callable
import math

import step_timing

step_timing.require("absl", "torch")

from absl import app
from absl import flags
import torch
from torch import nn
import torch.nn.functional as F

BETA = 6.0
GAMMA = 10.0
NUM_LATENT = step_timing.NUM_LATENT

_MODEL = flags.DEFINE_enum(
  "model", "vae", ["vae", "beta_tc_vae", "factor_vae"], "Objective to train."
)


class _FlattenChannelsLast(nn.Module):
  """Flattens [batch, channels, height, width] in channels-last order, which copies nothing."""

  def forward(self, x: torch.Tensor) -> torch.Tensor:
    return x.permute(0, 2, 3, 1).flatten(1)


class _UnflattenChannelsLast(nn.Module):
  """Inverse of `_FlattenChannelsLast` for 4x4 maps of 64 channels."""

  def forward(self, x: torch.Tensor) -> torch.Tensor:
    return x.view(-1, 4, 4, 64).permute(0, 3, 1, 2)


def _initialize(module: nn.Module) -> None:
  if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
    nn.init.xavier_uniform_(module.weight)
    nn.init.zeros_(module.bias)


def _conv_encoder() -> nn.Module:
  """Returns conv_encoder, its two heads as one layer: [batch, 2 * num_latent]."""
  return nn.Sequential(
    nn.Conv2d(1, 32, 4, stride=2, padding=1),
    nn.ReLU(inplace=True),
    nn.Conv2d(32, 32, 4, stride=2, padding=1),
    nn.ReLU(inplace=True),
    nn.Conv2d(32, 64, 2, stride=2),
    nn.ReLU(inplace=True),
    nn.Conv2d(64, 64, 2, stride=2),
    nn.ReLU(inplace=True),
    _FlattenChannelsLast(),
    nn.Linear(1024, 256),
    nn.ReLU(inplace=True),
    nn.Linear(256, 2 * NUM_LATENT),
  )


def _deconv_decoder() -> nn.Module:
  """Returns deconv_decoder: logits, [batch, 1, 64, 64]."""
  return nn.Sequential(
    nn.Linear(NUM_LATENT, 256),
    nn.ReLU(inplace=True),
    nn.Linear(256, 1024),
    nn.ReLU(inplace=True),
    _UnflattenChannelsLast(),
    nn.ConvTranspose2d(64, 64, 4, stride=2, padding=1),
    nn.ReLU(inplace=True),
    nn.ConvTranspose2d(64, 32, 4, stride=2, padding=1),
    nn.ReLU(inplace=True),
    nn.ConvTranspose2d(32, 32, 4, stride=2, padding=1),
    nn.ReLU(inplace=True),
    nn.ConvTranspose2d(32, 1, 4, stride=2, padding=1),
  )


def _fc_discriminator() -> nn.Module:
  """Returns fc_discriminator: logits of (joint, shuffled), [batch, 2]."""
  layers = [nn.Linear(NUM_LATENT, 1000), nn.LeakyReLU(0.2, inplace=True)]
  for _ in range(5):
    layers += [nn.Linear(1000, 1000), nn.LeakyReLU(0.2, inplace=True)]
  return nn.Sequential(*layers, nn.Linear(1000, 2))


def _total_correlation(z: torch.Tensor, z_mean: torch.Tensor, z_logvar: torch.Tensor):
  """Returns the minibatch estimate of beta-TCVAE, without its constant."""
  squares = (z[:, None] - z_mean) ** 2 * torch.exp(-z_logvar)
  log_qz = -0.5 * (squares + z_logvar + math.log(2 * math.pi))  # [batch, batch, num_latent]
  joint = torch.logsumexp(log_qz.sum(2), dim=1)
  return (joint - torch.logsumexp(log_qz, dim=1).sum(1)).mean()


def _shuffle_columns(z: torch.Tensor) -> torch.Tensor:
  """Returns each latent shuffled over the batch by itself."""
  return z.gather(0, torch.rand_like(z).argsort(dim=0))


def _log_probs(logits: torch.Tensor) -> torch.Tensor:
  return torch.softmax(logits, dim=1).clamp(1e-6, 1 - 1e-6).log()


def make_step(model: str) -> Callable[[], torch.Tensor]:
  """Returns a function that trains on one batch and returns the loss of the VAE."""
  images = torch.from_numpy(step_timing.binary_images())[:, None]
  vae = nn.ModuleDict({"encoder": _conv_encoder(), "decoder": _deconv_decoder()})
  vae = vae.apply(_initialize).to(memory_format=torch.channels_last)
  optimizer = torch.optim.Adam(vae.parameters(), lr=1e-4, eps=1e-8, fused=True)

  def forward():
    rows = torch.randint(len(images), (step_timing.BATCH_SIZE,))
    x = images[rows].float()
    z_mean, z_logvar = vae["encoder"](x).chunk(2, dim=1)
    z = z_mean + torch.exp(z_logvar / 2) * torch.randn_like(z_mean)
    logits = vae["decoder"](z)
    reconstruction_loss = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
    kl_loss = 0.5 * (z_mean**2 + z_logvar.exp() - z_logvar - 1).sum(1).mean()
    return reconstruction_loss + kl_loss, z, z_mean, z_logvar

  def step() -> torch.Tensor:
    loss, z, z_mean, z_logvar = forward()
    if model == "beta_tc_vae":
      loss = loss + (BETA - 1) * _total_correlation(z, z_mean, z_logvar)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()

  if model != "factor_vae":
    return step
  return _make_factor_vae_step(forward, list(vae.parameters()), optimizer)


def _make_factor_vae_step(
  forward: Callable, parameters: list[nn.Parameter], optimizer: torch.optim.Optimizer
) -> Callable[[], torch.Tensor]:
  """Returns a step that updates the VAE and the discriminator on the same batch."""
  discriminator = _fc_discriminator().apply(_initialize)
  discriminator_parameters = list(discriminator.parameters())
  discriminator_optimizer = torch.optim.Adam(
    discriminator_parameters, lr=1e-4, betas=(0.5, 0.9), eps=1e-8, fused=True
  )

  def step() -> torch.Tensor:
    loss, z, _, _ = forward()
    joint_logits = discriminator(z)
    shuffled_logits = discriminator(_shuffle_columns(z.detach()))
    loss = loss + GAMMA * (joint_logits[:, 0] - joint_logits[:, 1]).mean()
    log_likelihood = _log_probs(joint_logits)[:, 0] + _log_probs(shuffled_logits)[:, 1]
    optimizer.zero_grad()
    discriminator_optimizer.zero_grad()
    # Each loss computes the gradients of its own networks only.
    loss.backward(inputs=parameters, retain_graph=True)
    (-0.5 * log_likelihood.mean()).backward(inputs=discriminator_parameters)
    optimizer.step()
    discriminator_optimizer.step()
    return loss.detach()

  return step


def main(argv: list[str]) -> None:
  """Times the step and prints the result."""
  if len(argv) > 1:
    raise app.UsageError(f"Unexpected arguments: {argv[1:]}.")
  torch.set_num_threads(step_timing.threads())
  torch.set_flush_denormal(True)  # As TensorFlow does.
  torch.manual_seed(0)
  milliseconds, loss = step_timing.time_steps(make_step(_MODEL.value))
  step_timing.report(
    peer="PyTorch, hand-tuned",
    model=_MODEL.value,
    milliseconds=milliseconds,
    loss=loss,
    packages=["torch", "numpy"],
  )


if __name__ == "__main__":
  app.run(main)
