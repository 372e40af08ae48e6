"""The parts of a model under disentanglement_lib's gin names.

gin makes a model of its hyperparameters alone (`model.model = @vae()`). Its parts are bound one by
one, such as `encoder.encoder_fn`; `complete` gives them to the model.
"""

from collections.abc import Callable
from typing import Any

import gin
import keras
import numpy as np

from dl_condind import posteriors
from dl_condind.data import batches as batches_of_data
from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.methods import annealers
from dl_condind.methods import base_model
from dl_condind.methods import losses
from dl_condind.methods import optimizers
from dl_condind.methods import supervised_losses
from dl_condind.networks import network_parts
from dl_condind.utils import configs
from dl_condind.utils import errors
from dl_condind.utils import gin_types


@gin.configurable
def encoder(
  num_latent: int = gin.REQUIRED, encoder_fn: network_parts.EncoderFn = gin.REQUIRED
) -> dict[str, Any]:
  """Returns the parts `num_latent` and `encoder`."""
  return {"num_latent": num_latent, "encoder": encoder_fn}


@gin.configurable
def decoder(decoder_fn: network_parts.DecoderFn = gin.REQUIRED) -> dict[str, Any]:
  """Returns the part `decoder`."""
  return {"decoder": decoder_fn}


@gin.configurable
def discriminator(discriminator_fn: network_parts.DiscriminatorFn = gin.REQUIRED) -> dict[str, Any]:
  """Returns the part `discriminator`."""
  return {"discriminator": discriminator_fn}


@gin.configurable
def posterior(
  noise_correlation: Callable[[int], np.ndarray] | None = None,
  family: Callable[[], posteriors.Posterior] = posteriors.FixedCorrelation,
) -> dict[str, Any]:
  """Returns the part `posterior`.

  Args:
    noise_correlation: Function from num_latent to the correlation matrix of the noise, for the
      family of a fixed one; None stands for `independent`.
    family: Another family, such as `@isotropic`.

  Raises:
    ConfigError: If both are given.
  """
  if noise_correlation is None:
    is_default = family is posteriors.FixedCorrelation
    return {"posterior": posteriors.Independent() if is_default else family()}
  if family is not posteriors.FixedCorrelation:
    raise errors.ConfigError(
      "posterior.noise_correlation is for noise of a fixed correlation, and posterior.family names "
      "another family: leave out one of them."
    )
  return {"posterior": posteriors.FixedCorrelation(noise_correlation)}


@gin.configurable
def reconstruction_loss(
  loss_fn: losses.ReconstructionLoss = gin.REQUIRED, activation: str = "logits"
) -> dict[str, Any]:
  """Returns the parts `reconstruction_loss` and `activation`."""
  return {"reconstruction_loss": loss_fn, "activation": activation}


@gin.configurable
def supervised_loss(
  loss_fn: Callable[[], supervised_losses.SupervisedLoss] = gin.REQUIRED,
) -> dict[str, Any]:
  """Returns the part `supervised_loss`."""
  return {"supervised_loss": loss_fn()}


@gin.configurable
def annealer(
  anneal_fn: annealers.Annealer = gin.REQUIRED, iteration_threshold: int | None = None
) -> dict[str, Any]:
  """Returns the parts `anneal_fn` and `iteration_threshold`."""
  return {"anneal_fn": anneal_fn, "iteration_threshold": iteration_threshold}


def _optimizer_part(part: str, gin_name: str) -> Callable[[], dict[str, Any]]:
  @gin.configurable(gin_name)
  def optimizer(
    optimizer_fn: Callable[..., keras.optimizers.Optimizer] = gin.REQUIRED,
    learning_rate: optimizers.LearningRate | None = None,
  ) -> dict[str, Any]:
    """Returns a function that makes an optimizer.

    Args:
      optimizer_fn: Function that returns an optimizer.
      learning_rate: Replaces the optimizer's own: a number or a schedule function.
    """
    if learning_rate is None:
      return {part: optimizer_fn}
    return {part: optimizers.with_learning_rate(optimizer_fn, learning_rate)}

  return optimizer


# Part of a model -> the function that gives it its value.
_SOURCES = {
  "encoder": encoder,
  "posterior": posterior,
  "decoder": decoder,
  "reconstruction_loss": reconstruction_loss,
  "supervised_loss": supervised_loss,
  "anneal_fn": annealer,
  "optimizer": _optimizer_part("optimizer", "vae_optimizer"),
  "discriminator": discriminator,
  "discriminator_optimizer": _optimizer_part("discriminator_optimizer", "discriminator_optimizer"),
  "recognition_optimizer": _optimizer_part("recognition_optimizer", "recognition_optimizer"),
  "generator_optimizer": _optimizer_part("generator_optimizer", "generator_optimizer"),
}
_ONLY_VAES = ("encoder", "decoder", "reconstruction_loss", "vae_optimizer", "discriminator")


def complete(model: base_model.Model) -> None:
  """Gives a model the parts that gin's configuration binds.

  Raises:
    ConfigError: If the model is an InfoGAN and a part is bound that only VAEs have.
    RuntimeError: If a part without a default is not bound.
  """
  names = {part.name for part in base_model.parts(model)}
  if model.kind == base_model.INFOGAN:
    _check_no_vae_settings()
  for name, source in _SOURCES.items():
    if name in names:
      for part, value in source().items():
        setattr(model, part, value)


def batches(
  model: base_model.Model, dataset: ground_truth_data.GroundTruthData
) -> batches_of_data.Batches:
  """Returns what a model learns from, with the settings that gin binds, such as `dynamics.k`.

  Raises:
    ConfigError: If a setting does not fit the data set.
    TypeError: If one without a default is not bound.
  """
  kind = model.learns_from
  return (gin.get_configurable(kind) if gin_types.name_of(kind) else kind)(dataset)


def _check_no_vae_settings() -> None:
  for key in configs.bound_keys():
    if key.partition(".")[0] in _ONLY_VAES:
      raise errors.ConfigError(
        f"{key} is a setting of VAEs, which infogan does not read: leave it out, and shared.gin "
        "too if it is from there."
      )
