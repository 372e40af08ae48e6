"""What disentanglement_lib's semi-supervised gin files bind to `model` in words of their own.

They name the class of a model (`model.model = @s2_vae`), `model.model_seed` instead of a random
seed, and seeds of images and labels. A configuration that is recorded has the words of all others.
"""

from collections.abc import Callable

from absl import logging

from dl_condind.data import labelled_samples
from dl_condind.data import partly_labelled
from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.methods import base_model
from dl_condind.utils import configs
from dl_condind.utils import errors

_OF_LABELS = ("num_labelled_samples", "train_percentage", "supervised_data_seed")
# Settings of `model` that a record has only where they have an effect.
SETTINGS = (*_OF_LABELS, "unsupervised_data_seed", "model_seed")


def seed(random_seed: int | None, model_seed: int | None) -> int:
  """Returns the seed of a run, which has two names.

  Raises:
    ConfigError: If none is bound, or both to different values.
  """
  if random_seed is None and model_seed is None:
    raise errors.ConfigError("model.random_seed must be set: it is the seed of the run.")
  if None not in (random_seed, model_seed) and random_seed != model_seed:
    raise errors.ConfigError(
      "model.model_seed is another name of model.random_seed: leave out one of them, or set both "
      f"to the same seed, got {model_seed} and {random_seed}."
    )
  return model_seed if random_seed is None else random_seed


def made(
  model: base_model.Model | Callable[..., base_model.Model], num_labelled_samples: int | None
) -> tuple[base_model.Model, bool]:
  """Returns a model, and whether its class was bound.

  Args:
    model: The model, or its class, which stands for it next to `model.num_labelled_samples`.
    num_labelled_samples: Number of labels, None if it is not bound.

  Raises:
    ConfigError: If a class was bound where no labels are.
  """
  if isinstance(model, base_model.Model):
    return model, False
  if num_labelled_samples is None:
    bound = configs.bound("model.model")
    raise errors.ConfigError(f"model.model must be a model, got {bound}. Did you mean {bound}()?")
  return model(), True


def needs_labels(model: base_model.Model) -> bool:
  """Returns whether a model learns from labels."""
  return model.learns_from is partly_labelled.PartlyLabelled


def batches(
  model: base_model.Model,
  dataset: ground_truth_data.GroundTruthData,
  num_labelled_samples: int | None,
  train_percentage: float,
  supervised_data_seed: int | None,
) -> partly_labelled.PartlyLabelled:
  """Returns what a semi-supervised model learns from, with the labeller that gin binds.

  Raises:
    ConfigError: If a setting is missing or does not fit the data set.
  """
  if num_labelled_samples is None:
    raise errors.ConfigError(
      f"{type(model).__name__} learns from {model.learns_from.what}: set "
      "model.num_labelled_samples, as labels.gin does."
    )
  return partly_labelled.PartlyLabelled(
    dataset,
    num_labelled_samples,
    train_percentage,
    supervised_data_seed,
    labelled_samples.labeller(),
  )


def check_no_labels(
  model: base_model.Model, num_labelled_samples: int | None, is_class: bool
) -> None:
  """Checks that labels which have no effect are not bound by mistake.

  In disentanglement_lib the class of a method without labels is the baseline of those with labels.

  Raises:
    ConfigError: If the model itself is bound.
  """
  if num_labelled_samples is None:
    return
  name = type(model).__name__
  if not is_class:
    raise errors.ConfigError(
      f"model.num_labelled_samples is for models that learn from labels, and {name} learns from "
      f"{model.learns_from.what}: leave it out."
    )
  logging.info("%s learns without labels: model.num_labelled_samples has no effect.", name)


def normalized(config: configs.Config, model: base_model.Model, run_seed: int) -> configs.Config:
  """Returns the configuration of a training in the words that all trainings have.

  Args:
    config: What gin says.
    model: The model.
    run_seed: The seed of the run.
  """
  unused = [name for name in SETTINGS if config.values.get(f"model.{name}") == "None"]
  unused += [] if needs_labels(model) else _OF_LABELS
  changes = dict.fromkeys(f"model.{name}" for name in (*unused, "model_seed"))
  named = config.values["model.model"].removesuffix("()")
  return config.replaced(
    {**changes, "model.random_seed": str(run_seed), "model.model": f"{named}()"}
  )
