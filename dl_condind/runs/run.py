"""A trained run as an object: NumPy in, NumPy out."""

import abc
import base64
import functools
import html
import io
import os
import pathlib
from typing import Any
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from dl_condind.methods import base_model
from dl_condind.methods import losses
from dl_condind.methods import model_errors
from dl_condind.methods import saved_models
from dl_condind.methods import stored_infogan
from dl_condind.methods import training
from dl_condind.utils import errors
from dl_condind.utils import results
from dl_condind.utils import run_config
from dl_condind.utils import stages
from dl_condind.visualize import image_grids
from dl_condind.visualize import traversals

_CHUNK = 1000  # images; large enough to be fast, small enough for any memory
_SHOWN_LATENTS = 10


class Posteriors(NamedTuple):
  """Gaussian posteriors q(z|x) of images.

  Attributes:
    mean: [num, num_latent].
    stddev: Standard deviation of each latent, [num, num_latent].
    scale_tril: Cholesky factors of the covariances, [num, num_latent, num_latent].
  """

  mean: np.ndarray
  stddev: np.ndarray
  scale_tril: np.ndarray


class Run(abc.ABC):
  """A trained model in its folder.

  Attributes:
    model_dir: Folder of the trained model.
    config: What it was trained with: gin key to gin value, both as text.
    losses: What its training recorded, by name.
    provenance: What the result depends on in addition: versions, data, seeds.
  """

  def __init__(self, model_dir: pathlib.Path, record: dict[str, Any], trust_model: bool):
    """Describes a run; `load` makes it.

    Args:
      model_dir: Folder of the trained model.
      record: The aggregate of its training.
      trust_model: Whether its SavedModel may have operations that no model of this package has.
    """
    self.model_dir = model_dir
    self.config = _part_of(record, "config")
    self.losses = _part_of(record, "results")
    self.provenance = _part_of(record, "provenance")
    self.trust_model = trust_model

  @functools.cached_property
  def saved_model(self) -> Any:
    """The SavedModel, loaded on first use.

    Raises:
      DatasetError: If it is missing, damaged or not harmless. It is a ValueError.
    """
    with saved_models.trusting(self.trust_model):
      return saved_models.load(self.model_dir / "saved_model")

  @abc.abstractmethod
  def picture(self) -> np.ndarray:
    """Returns what shows the model at a glance, [rows, columns, height, width, channels]."""

  def __repr__(self) -> str:
    return f"{type(self).__name__}({str(self.model_dir)!r}: {self._description()})"

  def _description(self) -> str:
    source = str(self.provenance.get("dataset_source", "unknown"))
    return run_config.describe_training(self.config, source)

  def _repr_html_(self) -> str:
    images = self.picture()
    buffer = io.BytesIO()
    grid = images.reshape(-1, *images.shape[2:])
    image_grids.image_grid(grid, images.shape[1]).save(buffer, "PNG")
    png = base64.b64encode(buffer.getvalue()).decode()
    return (
      f"<p><b>{html.escape(self._description())}</b><br>{html.escape(str(self.model_dir))}</p>"
      f'<img alt="One latent per row" src="data:image/png;base64,{png}">'
      f"<details><summary>Losses</summary>{_table(self.losses)}</details>"
      f"<details><summary>Settings</summary>{_table(self.config)}</details>"
    )

  def _call(self, name: str, **inputs: np.ndarray) -> dict[str, np.ndarray]:
    """Calls a signature or function of the SavedModel, chunk by chunk."""
    model = self.saved_model
    function = getattr(model, name) if name == "encode" else model.signatures[name]
    chunks = []
    with model_errors.clear_errors(f"The model at {self.model_dir}"):
      for start in range(0, len(next(iter(inputs.values()))), _CHUNK):
        parts = {key: tf.constant(v[start : start + _CHUNK]) for key, v in inputs.items()}
        chunks.append(function(**parts))
    return {key: np.concatenate([chunk[key] for chunk in chunks]) for key in chunks[0]}


class VAERun(Run):
  """A trained model with an encoder and a decoder."""

  @functools.cached_property
  def image_shape(self) -> tuple[int, ...]:
    """(height, width, channels)."""
    inputs = self.saved_model.signatures["gaussian_encoder"].structured_input_signature[1]
    return tuple(inputs["images"].shape[1:])

  @functools.cached_property
  def num_latent(self) -> int:
    """Number of latents."""
    inputs = self.saved_model.signatures["decoder"].structured_input_signature[1]
    return inputs["latent_vectors"].shape[-1]

  def posterior(self, images: np.ndarray) -> Posteriors:
    """Returns the posteriors q(z|x) of images.

    Args:
      images: [num, height, width, channels], uint8, or floating point in [0, 1].

    Raises:
      ConfigError: If they have another shape or type, or are out of range. It is a ValueError.
    """
    encoded = self._call("encode", images=check_images(images, self.image_shape))
    return Posteriors(encoded["mean"], np.exp(0.5 * encoded["logvar"]), encoded["scale_tril"])

  def encode(self, images: np.ndarray) -> np.ndarray:
    """Returns the means of q(z|x), [num, num_latent]; argument and errors as `posterior`."""
    return self.posterior(images).mean

  def sample(self, images: np.ndarray, seed: int = 0) -> np.ndarray:
    """Samples z = mean + L noise of each image, [num, num_latent]; errors as `posterior`.

    Args:
      images: [num, height, width, channels].
      seed: Seed of the noise.
    """
    mean, _, scale_tril = self.posterior(images)
    noise = np.random.default_rng(seed).standard_normal(mean.shape, np.float32)
    return mean + np.einsum("nij,nj->ni", scale_tril, noise)

  def decode(self, z: np.ndarray) -> np.ndarray:
    """Returns the images of latents in [0, 1], [..., height, width, channels].

    Args:
      z: [..., num_latent].

    Raises:
      ConfigError: If z has another number of latents. It is a ValueError.
    """
    z = np.asarray(z, np.float32)
    if z.shape[-1:] != (self.num_latent,):
      raise errors.ConfigError(f"z must be [..., {self.num_latent}], got {list(z.shape)}.")
    outputs = self._call("decoder", latent_vectors=z.reshape(-1, self.num_latent))["images"]
    activation = run_config.setting(self.config, "reconstruction_loss.activation")
    images = np.asarray(losses.images_of(outputs, activation))
    return images.reshape(*z.shape[:-1], *self.image_shape)

  def reconstruct(self, images: np.ndarray, seed: int | None = None) -> np.ndarray:
    """Returns what the decoder makes of the code of each image; errors as `posterior`.

    Args:
      images: [num, height, width, channels].
      seed: Seed of a sample of q(z|x) to decode; None stands for the mean.
    """
    return self.decode(self.encode(images) if seed is None else self.sample(images, seed))

  def traverse(
    self, image: np.ndarray | None = None, values: np.ndarray | None = None
  ) -> np.ndarray:
    """Returns images along each latent, [num_latent, num_values, height, width, channels].

    Args:
      image: [height, width, channels], from whose code the others differ in one latent; None
        stands for the prior's mean.
      values: Values each latent takes, [num_values]; by default seven from -2 to 2.

    Raises:
      ConfigError: As `posterior`.
    """
    base = np.zeros(self.num_latent) if image is None else self.encode(np.asarray(image)[None])[0]
    values = np.linspace(-2, 2, 7) if values is None else np.asarray(values)
    return self.decode(traversals.traverse(base, values))

  def picture(self) -> np.ndarray:
    """Returns a traversal from the prior's mean."""
    return self.traverse()[:_SHOWN_LATENTS]


class InfoGANRun(Run):
  """A trained InfoGAN."""

  @functools.cached_property
  def _stored(self) -> stored_infogan.StoredInfoGAN:
    return stored_infogan.StoredInfoGAN(self.saved_model)

  @property
  def num_continuous(self) -> int:
    """Number of continuous codes."""
    return self._stored.num_continuous

  def generate(
    self, continuous: np.ndarray, categories: np.ndarray | None = None, seed: int = 0
  ) -> np.ndarray:
    """Returns the images of codes, [num, height, width, channels] in [0, 1].

    Args:
      continuous: [num, num_continuous].
      categories: Whole numbers from 0, [num]; None draws them.
      seed: Seed of the noise, which is the other part of a code, and of the categories.

    Raises:
      ConfigError: If the codes have another shape. It is a ValueError.
    """
    continuous = np.asarray(continuous, np.float32)
    if continuous.ndim != 2 or continuous.shape[1] != self.num_continuous:
      raise errors.ConfigError(
        f"continuous must be [num, {self.num_continuous}], got {list(continuous.shape)}."
      )
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((len(continuous), self._stored.num_noise), np.float32)
    if categories is None and self._stored.num_categories:
      categories = rng.integers(self._stored.num_categories, size=len(continuous))
    return self._stored.generate(continuous, noise, categories)

  def recognize(self, images: np.ndarray) -> dict[str, np.ndarray]:
    """Returns what the recognition network finds in images.

    Args:
      images: [num, height, width, channels], uint8, or floating point in [0, 1].

    Returns:
      `mean`, `logvar` and `scale_tril` of q(z|x) of the continuous codes, and `categorical_logits`.

    Raises:
      ConfigError: If images have another shape or type, or are out of range. It is a ValueError.
    """
    inputs = self.saved_model.signatures["recognition_network"].structured_input_signature[1]
    images = check_images(images, tuple(inputs["images"].shape[1:]))
    if images.dtype == np.uint8:
      images = images.astype(np.float32) / np.float32(255)
    return self._stored.recognize(images)

  def picture(self) -> np.ndarray:
    """Returns images whose first continuous code grows from left to right."""
    limit = run_config.code_limit(run_config.setting(self.config, "infogan.continuous_prior"))
    continuous = np.zeros((7, self.num_continuous))
    continuous[:, 0] = np.linspace(-limit, limit, 7)
    num_rows = self._stored.num_categories or 1
    categories = np.repeat(np.arange(num_rows), 7)
    images = self.generate(np.tile(continuous, (num_rows, 1)), categories)
    return images.reshape(num_rows, 7, *images.shape[1:])


def load(directory: str | os.PathLike, trust_model: bool = False) -> Run:
  """Loads a run.

  Args:
    directory: Folder of a run, which has a subfolder `model`, or of a trained model.
    trust_model: Whether its SavedModel may have operations that no model of this package has. A
      SavedModel is a program: trust only what you made yourself.

  Raises:
    DatasetError: If there is no finished run, or its record is damaged. It is a ValueError.
  """
  directory = pathlib.Path(directory)
  stages.check_folder(directory, "directory")
  model_dir = directory / "model" if (directory / "model").is_dir() else directory
  if not results.is_complete(model_dir, training.STEP):
    raise errors.DatasetError(f"{directory} holds no finished run: train it to its end first.")
  record = results.read_aggregate(model_dir / "results" / "aggregate" / "train.json")
  kind = record.get("train_provenance.kind", base_model.VAE)
  run_class = {base_model.VAE: VAERun, base_model.INFOGAN: InfoGANRun}.get(kind)
  if run_class is None:
    raise errors.ConfigError(f"{directory} holds a model of another kind: {kind!r}.")
  return run_class(model_dir, record, trust_model)


def check_images(images: np.ndarray, image_shape: tuple[int, ...]) -> np.ndarray:
  """Returns images as float32 or uint8, if they are what a model takes.

  Raises:
    ConfigError: If they have another shape or type, or are outside [0, 1]. It is a ValueError.
  """
  images = np.asarray(images)
  if images.shape[1:] != image_shape:
    shape = ", ".join(map(str, image_shape))
    raise errors.ConfigError(f"images must be [num, {shape}], got {list(images.shape)}.")
  if images.dtype == np.uint8:
    return images
  if images.dtype.kind != "f":
    raise errors.ConfigError(f"images must be uint8 or floating point, got {images.dtype}.")
  if images.size and not (images.min() >= 0 and images.max() <= 1):
    raise errors.ConfigError(
      f"images must be in [0, 1], got values from {images.min():g} to {images.max():g}: divide "
      "pixels of 0...255 by 255, or give them as uint8."
    )
  return images.astype(np.float32, copy=False)


def _part_of(record: dict[str, Any], part: str) -> dict[str, Any]:
  prefix = f"{training.STEP}_{part}."
  return {key.removeprefix(prefix): v for key, v in record.items() if key.startswith(prefix)}


def _table(values: dict[str, Any]) -> str:
  rows = "".join(
    f"<tr><td>{html.escape(key)}</td><td>{html.escape(str(value))}</td></tr>"
    for key, value in values.items()
  )
  return f"<table>{rows}</table>"
