"""A run described in Python in the words of gin: the keys and values a configuration would have.

They are the identity of the run and go into its record, so that a run of either kind can be
continued, evaluated and reported as one of the other.
"""

from collections.abc import Callable
from collections.abc import Collection
import dataclasses
import functools
import hashlib
import inspect
import types
from typing import TypeGuard

import keras
import numpy as np

from dl_condind import posteriors
from dl_condind.data import batches as batches_of_data
from dl_condind.data import partly_labelled
from dl_condind.data.ground_truth import factor_distributions
from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.methods import base_model
from dl_condind.methods import supervised_losses
from dl_condind.training import gin_labels
from dl_condind.training import trainer
from dl_condind.utils import configs
from dl_condind.utils import errors
from dl_condind.utils import gin_types

# Part of a model -> its gin key, and the scope of what it names.
_PARTS = {
  "num_latent": ("encoder.num_latent", ""),
  "encoder": ("encoder.encoder_fn", ""),
  "decoder": ("decoder.decoder_fn", ""),
  "discriminator": ("discriminator.discriminator_fn", ""),
  "reconstruction_loss": ("reconstruction_loss.loss_fn", ""),
  "activation": ("reconstruction_loss.activation", ""),
  "anneal_fn": ("annealer.anneal_fn", ""),
  "iteration_threshold": ("annealer.iteration_threshold", ""),
  "optimizer": ("vae_optimizer.optimizer_fn", "vae/"),
  "discriminator_optimizer": ("discriminator_optimizer.optimizer_fn", "discriminator/"),
  "generator_optimizer": ("generator_optimizer.optimizer_fn", "generator/"),
  "recognition_optimizer": ("recognition_optimizer.optimizer_fn", "recognition/"),
}
_WITH_CONFIG = (keras.optimizers.Optimizer, keras.optimizers.schedules.LearningRateSchedule)


def describe(
  model: base_model.Model,
  batches: batches_of_data.Batches,
  settings: trainer.Settings,
) -> configs.Config:
  """Returns the configuration of a training.

  Args:
    model: The model before it is built.
    batches: What it learns from.
    settings: How to train.
  """
  words = _Words()
  words.values |= {"model.name": "''", "model.model_num": "None"}
  for name, value in dataclasses.asdict(settings).items():
    if value is not None or name not in gin_labels.SETTINGS:
      words.values[f"model.{name}"] = words.text(value)
  hyperparameters = words.object(model, {part.name for part in base_model.parts(model)})
  words.values["model.model"] = f"{hyperparameters}()"
  for part in base_model.parts(model):
    value = getattr(model, part.name)
    if isinstance(value, posteriors.Posterior):
      _describe_posterior(words, value)
    elif isinstance(value, supervised_losses.SupervisedLoss):
      words.values["supervised_loss.loss_fn"] = words.object(value)
    else:
      own = f"{hyperparameters.removeprefix('@')}.{part.name}", f"{part.name}/"
      key, scope = _PARTS.get(part.name, own)
      words.values[key] = words.text(value, scope)
      if key.endswith("optimizer_fn"):
        words.values[key.replace("optimizer_fn", "learning_rate")] = "None"
  if isinstance(batches, partly_labelled.PartlyLabelled):
    _describe_labels(words, batches)
  else:
    words.object(batches, left_out=("data",))
  words.values["dataset.factor_distribution"] = "None"
  words.values |= dataset_bindings(batches.data)
  text = "".join(f"{key} = {value}\n" for key, value in sorted(words.values.items()))
  return configs.Config(words.values, text)


def _describe_labels(words: "_Words", batches: partly_labelled.PartlyLabelled) -> None:
  words.values["model.num_labelled_samples"] = words.text(batches.num_labelled_samples)
  words.values["model.train_percentage"] = words.text(batches.train_percentage)
  if batches.seed is not None:
    words.values["model.supervised_data_seed"] = words.text(batches.seed)
  words.values["labeller.labeller_fn"] = words.text(batches.labeller_fn)


def _describe_posterior(words: "_Words", posterior: posteriors.Posterior) -> None:
  if _is_correlation_alone(posterior):
    words.values["posterior.noise_correlation"] = words.text(posterior.noise_correlation)
  else:
    words.values["posterior.noise_correlation"] = "None"
    words.values["posterior.family"] = words.object(posterior)


def _is_correlation_alone(posterior: object) -> TypeGuard[posteriors.FixedCorrelation]:
  """Returns whether a posterior is its noise correlation; a class of the user may be more."""
  is_own = type(posterior).__module__.partition(".")[0] != __name__.partition(".")[0]
  return isinstance(posterior, posteriors.FixedCorrelation) and not is_own


def dataset_bindings(dataset: ground_truth_data.GroundTruthData) -> dict[str, str]:
  """Returns the gin keys and values of a data set, its name first."""
  words = _Words()
  words.values["dataset.name"] = repr(dataset.name)
  if isinstance(dataset, factor_distributions.RedistributedFactors):
    words.values["dataset.factor_distribution"] = f"{words.object(dataset.described)}()"
  for parameter, value in dataset.options.items():
    words.values[f"{dataset.name}.{parameter}"] = words.text(value)
  return words.values


def gin_text(value: object) -> str:
  """Returns a value as gin's text; NumPy's numbers and arrays are numbers and lists there."""
  return repr(value.tolist() if isinstance(value, np.ndarray | np.generic) else value)


class _Words:
  """Collects gin keys and values, both as text."""

  def __init__(self):
    self.values: dict[str, str] = {}

  def text(self, value: object, scope: str = "") -> str:
    """Returns a value as gin's text. What a function is called with goes into `values`."""
    if isinstance(value, keras.Model):
      return repr(f"Keras model {_digest(value)}")
    if isinstance(value, _WITH_CONFIG):
      return repr(f"{type(value).__name__} {value.get_config()}")
    if isinstance(value, posteriors.Posterior):
      return f"{self.object(value)}()"
    if callable(value):
      return self._reference(value, scope)
    return gin_text(value)

  def object(self, value: object, left_out: Collection[str] = ()) -> str:
    """Returns a reference to the class of a value. What it was made with goes into `values`.

    Raises:
      ConfigError: If the value does not say what it was made with.
    """
    name = gin_types.name_of(type(value)) or type(value).__name__
    parameters = inspect.signature(type(value)).parameters.values()
    names = [p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    if _is_correlation_alone(value):  # Its function says it, as in gin.
      names = ["noise_correlation"]
    for parameter in names:
      if parameter in left_out:
        continue
      if not hasattr(value, parameter):
        raise errors.ConfigError(
          f"{name} must keep its argument {parameter!r} as the attribute self.{parameter}: without "
          "it, runs with different values could not be told apart."
        )
      self.values[f"{name}.{parameter}"] = self.text(getattr(value, parameter))
    return f"@{name}"

  def _reference(self, function: Callable, scope: str) -> str:
    given = {}
    while isinstance(function, functools.partial):
      names = inspect.signature(function.func).parameters
      given = {**dict(zip(names, function.args, strict=False)), **function.keywords, **given}
      function = function.func
    name = gin_types.name_of(function)
    if name is None:  # A function of the user that gin does not know.
      qualified = getattr(function, "__qualname__", str(function))
      if inspect.isfunction(function) and "<" in qualified:  # A lambda, or made in a function.
        given = {**inspect.getclosurevars(function).nonlocals, **given}
        qualified += f" {_code_digest(function)}"
      words = ", ".join(f"{key}={self.text(value)}" for key, value in given.items())
      return repr(f"{function.__module__}.{qualified}({words})")
    for parameter in inspect.signature(function).parameters.values():
      value = given.get(parameter.name, parameter.default)
      if value is not parameter.empty:
        self.values[f"{scope}{name}.{parameter.name}"] = self.text(value)
    return f"@{scope}{name}"


def _code_digest(function: types.FunctionType) -> str:
  """Returns a digest of what a function does, which its name does not tell."""

  def text(code: types.CodeType) -> str:
    constants = [text(c) if isinstance(c, types.CodeType) else repr(c) for c in code.co_consts]
    return f"{code.co_code.hex()} {code.co_names} {constants}"

  defaults = function.__defaults__, function.__kwdefaults__
  return hashlib.sha256(f"{text(function.__code__)} {defaults}".encode()).hexdigest()[:16]


def _digest(network: keras.Model) -> str:
  """Returns a digest of the layers and weights of a network."""
  digest = hashlib.sha256(network.to_json().encode())
  for weights in network.get_weights():
    digest.update(weights.tobytes())
  return digest.hexdigest()[:16]
