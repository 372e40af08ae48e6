"""What a run's recorded gin configuration says of it: method, data set, latents, noise, seed."""

import ast
from collections.abc import Mapping
from collections.abc import Sequence
import hashlib
from typing import Any

VAE, INFOGAN = "vae", "infogan"  # Kinds of models, as `methods.base_model` names them.

# What a setting stands for that is None, or absent as in a run made before there was the setting.
DEFAULTS = {
  "dynamics.redraw": "'uniform'",
  "labeller.labeller_fn": "@perfect_labeller",
  "posterior.noise_correlation": "@independent",
}

_METHOD_NAMES = {
  "annealed_vae": "AnnealedVAE",
  "beta_tc_vae": "beta-TCVAE",
  "dip_vae": "DIP-VAE",
  "factor_vae": "FactorVAE",
  "group_vae_argmax": "Ada-GVAE",
  "group_vae_labels": "GVAE",
  "infogan": "InfoGAN",
  "mlvae_argmax": "Ada-ML-VAE",
  "mlvae_labels": "ML-VAE",
  "s2_beta_tc_vae": "S2-beta-TCVAE",
  "s2_dip_vae": "S2-DIP-VAE",
  "s2_factor_vae": "S2-FactorVAE",
  "s2_mine_vae": "S2-MINE-VAE",
  "s2_vae": "S2-beta-VAE",
  "supervised": "supervised encoder",
  "vae": "VAE",
}


def of_record(record: Mapping[str, object], step: str = "train") -> dict[str, str]:
  """Returns the configuration of a step in a flat record: gin keys and values as text.

  Macros are not in it: where one was bound, its value is.
  """
  prefix = f"{step}_config."
  found = {k.removeprefix(prefix): str(v) for k, v in record.items() if k.startswith(prefix)}
  return {key: _without_macro(value, found) for key, value in found.items() if "." in key}


def _without_macro(value: str, config: Mapping[str, str]) -> str:
  """Returns the value of the macro that a value names; that of a damaged record as it is."""
  for _ in config:  # A macro may name another one.
    if not value.startswith("%") or value[1:] not in config:
      break
    value = config[value[1:]]
  return value


def literal(text: str) -> object:
  """Returns the value that gin wrote as text; references and macros as they are."""
  try:
    return ast.literal_eval(text)
  except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):  # Of a damaged record.
    return text


def canonical(text: str) -> str:
  """Returns gin's text of a value in one form: `6` for `6.0` and `6`, references as they are."""
  value = literal(text)
  return text if isinstance(value, str) else repr(_canonical_value(value))


def _canonical_value(value: Any) -> Any:
  if isinstance(value, list | tuple):
    return type(value)(_canonical_value(item) for item in value)
  if isinstance(value, float) and value.is_integer():
    return int(value)
  return value


def setting(config: Mapping[str, object], key: str) -> str:
  """Returns a value as text, strings without quotes, or `-`."""
  return str(literal(str(config.get(key, "-"))))


def method(config: Mapping[str, object]) -> str:
  """Returns the name of the method's gin configurable, such as `beta_tc_vae`."""
  return _reference(str(config.get("model.model", "-"))).split("/")[-1]


def method_name(config: Mapping[str, object]) -> str:
  """Returns the method's name for readers, such as `beta-TCVAE`."""
  found = method(config)
  return _METHOD_NAMES.get(found, found)


def kind(record: Mapping[str, object]) -> str:
  """Returns the kind of model of a run, such as VAE or INFOGAN.

  It is what the training recorded. Records of versions that did not, and runs that have no record
  yet, are told apart by their settings: only the generator of an InfoGAN has an optimizer.

  Args:
    record: A flat record, or a row of a table of runs, with keys `train_config.*`.
  """
  guessed = INFOGAN if "train_config.generator_optimizer.optimizer_fn" in record else VAE
  return str(record.get("train_provenance.kind", guessed))


def num_latent(config: Mapping[str, object]) -> str:
  """Returns the number of latents, or of the continuous codes that a method has instead, or `-`."""
  keys = ("encoder.num_latent", f"{method(config)}.num_continuous")
  return setting(config, next((key for key in keys if key in config), keys[0]))


def noise_correlation(config: Mapping[str, object]) -> str:
  """Returns the gin name of the noise's fixed correlation or of another family of posteriors.

  It is `independent` where there is neither, as in the records of disentanglement_lib.
  """
  found = [str(config.get(f"posterior.{key}", "None")) for key in ("family", "noise_correlation")]
  return _reference(next((name for name in found if name != "None"), "independent"))


def correlation(config: Mapping[str, object]) -> float | None:
  """Returns the correlation c of any two latents' noise, or None for another kind of noise."""
  noise = noise_correlation(config)
  if noise == "independent":
    return 0.0
  if noise.split("/")[-1] != "equicorrelated":
    return None
  value = literal(str(config.get(f"{noise}.correlation", "")))
  return float(value) if isinstance(value, int | float) and abs(value) <= 1 else None


def correlation_label(config: Mapping[str, object]) -> str:
  """Returns the correlation c as text; of another kind of noise, its name and its values."""
  found = correlation(config)
  return f"{found:g}" if found is not None else _noise_label(config).replace("_correlation", "")


def _noise_label(config: Mapping[str, object]) -> str:
  """Returns the name and the settings of the noise, such as `banded width=2`."""
  noise = noise_correlation(config)
  found = {key: literal(str(config[key])) for key in sorted(config) if key.startswith(f"{noise}.")}
  settings = []
  for key, value in found.items():
    name = key.removeprefix(f"{noise}.")
    if isinstance(value, int | float) and abs(value) < 1e9:  # Longer ones are damaged.
      settings.append(f"{name}={value:g}")
    elif isinstance(value, list | tuple):
      settings.append(f"{name}={_short(value)}")
    elif str(value).startswith("@"):
      settings.append(f"{name}={_reference(str(value))}")
  return " ".join([noise, *settings])


def _short(value: Sequence[object]) -> str:
  """Returns a list as text, such as `[5, 5]`; of a long one six digits of its SHA-256."""
  text = repr(list(_canonical_value(value)))
  return text if len(text) <= 20 else hashlib.sha256(text.encode()).hexdigest()[:6]


def name_correlation(label: str) -> str:
  """Returns `c = 0.9`, unbroken, for the label `0.9`; a name, such as `given`, as it is."""
  return f"c\u00a0=\u00a0{label}" if is_number(label) else label


def is_number(label: str) -> bool:
  """Returns whether a label of `correlation_label` is a number."""
  return label[:1] in "-.0123456789"


def columns(config: Mapping[str, object]) -> dict[str, object]:
  """Returns what tells runs apart as columns of a tidy table.

  Returns:
    `method`, `dataset`, `num_latent` (of an InfoGAN its continuous codes), `correlation` (a number,
    or the name and the values of another kind of noise) and `seed`; None for what the
    configuration does not say.
  """
  values = {
    "method": method(config),
    "dataset": setting(config, "dataset.name"),
    "num_latent": literal(num_latent(config)),
    "correlation": correlation(config),
    "seed": literal(setting(config, "model.random_seed")),
  }
  if values["correlation"] is None:
    values["correlation"] = _noise_label(config)
  return {key: None if value == "-" else value for key, value in values.items()}


def describe_training(config: Mapping[str, object], source: str) -> str:
  """Returns in words what is trained on what, for how long.

  Args:
    config: The configuration of a training.
    source: Where the data are from, as in their provenance.

  Returns:
    For example `beta-TCVAE on dsprites_full (rendered), 4,000 steps of 64 images, c = 0.9, seed 0`.
  """
  found = correlation(config)
  noise = f"noise of {noise_correlation(config)}" if found is None else f"c = {found:g}"
  unit = "pairs of images" if "dynamics.k" in config else "images"
  if "model.num_labelled_samples" in config:
    unit = f"images and as many of {_count(config, 'model.num_labelled_samples')} with labels"
  return (
    f"{method_name(config)} on {setting(config, 'dataset.name')} ({source}), "
    f"{_count(config, 'model.training_steps')} steps of {_count(config, 'model.batch_size')} "
    f"{unit}, {noise}, seed {setting(config, 'model.random_seed')}"
  )


def _count(config: Mapping[str, object], key: str) -> str:
  found = literal(setting(config, key))
  return f"{found:,}" if isinstance(found, int) else str(found)


def _reference(text: str) -> str:
  """Returns the name in a gin reference such as `@scope/vae()`."""
  return text.removeprefix("@").removesuffix("()")
