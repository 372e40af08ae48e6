"""Representations that postprocessing stored, as functions of NumPy arrays."""

from collections.abc import Mapping
import os
from typing import Any
import zlib

import numpy as np
import tensorflow as tf

from dl_condind.evaluation import codes
from dl_condind.evaluation import representation
from dl_condind.methods import image_inputs
from dl_condind.methods import model_errors
from dl_condind.methods import saved_models
from dl_condind.utils import errors

_SIGNATURE = "representation_from_noise"
_BATCH_SIZE = 250  # A divisor of what is encoded at a time.


def load_representation(
  path: str | os.PathLike, random_seed: int = 0
) -> representation.Representation:
  """Loads a representation written by postprocessing.

  Noise is a function of random_seed and of the row of an observation or, where the data set has no
  rows, of the observations passed together. So evaluations can be repeated and do not depend on
  what was evaluated before.

  Args:
    path: Folder of the SavedModel.
    random_seed: Seed of the noise.

  Raises:
    DatasetError: If it is missing or was changed.
    ConfigError: If it is a model without a representation.
  """
  signatures = saved_models.load(path).signatures
  if _SIGNATURE not in signatures:
    raise errors.ConfigError(
      f"{path} holds no representation of this version: postprocess the model, with overwrite=True "
      "if that was done before."
    )
  model = _StoredModel(path, signatures, random_seed)
  return representation.Representation(
    model.represent_drawn,
    gaussian_encoder=codes.once_per_chunk(lambda images: model.call("gaussian_encoder", images)),
    elbo_terms=model.elbo_terms,
    row_representation_fn=model.represent_rows,
    # Models that were exported before the signature was added lack it.
    decoder_jacobian=model.decoder_jacobian if "decoder_jacobian" in signatures else None,
  )


class _StoredModel:
  """The signatures of a SavedModel as functions of NumPy arrays, with noise from a seed."""

  def __init__(self, path: str | os.PathLike, signatures: Mapping[str, Any], random_seed: int):
    self._path = path
    self._signatures = signatures
    self._random_seed = random_seed
    with model_errors.clear_errors(f"The model at {path}"):
      inputs = signatures[_SIGNATURE].structured_input_signature[1]
      self._shape, self._num_latent = inputs["images"].shape, inputs["noise"].shape[-1]
    self._row_noise = _RowNoise(random_seed, self._num_latent)

  def call(self, name: str, images: np.ndarray, **others: np.ndarray) -> dict[str, np.ndarray]:
    if not self._shape.is_compatible_with(images.shape):
      raise errors.ConfigError(
        f"The model at {self._path} takes observations of shape {self._shape.as_list()}, got "
        f"{list(images.shape)}: evaluate it on the data set it was trained on."
      )
    image_inputs.check_observations(images, "the data set")
    values = {"images": images.astype(np.float32, copy=False), **others}
    return self._run(name, **values)

  def represent_drawn(self, images: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng([self._random_seed, _checksum(images)])
    noise = rng.standard_normal((len(images), self._num_latent), np.float32)
    return self.call(_SIGNATURE, images, noise=noise)["default"]

  def represent_rows(self, images: np.ndarray, rows: np.ndarray) -> np.ndarray:
    # In batches of one size: the last digits of a code depend on the size of its batch.
    batches = []
    for start in range(0, len(images), _BATCH_SIZE):
      batch = images[start : start + _BATCH_SIZE]
      padding = _BATCH_SIZE - len(batch)
      noise = np.pad(self._row_noise(rows[start : start + _BATCH_SIZE]), [(0, padding), (0, 0)])
      batch = np.pad(batch, [(0, padding), *[(0, 0)] * (batch.ndim - 1)])
      codes = self.call(_SIGNATURE, batch, noise=noise)["default"]
      batches.append(codes[: _BATCH_SIZE - padding])
    return np.concatenate(batches)

  def elbo_terms(self, images: np.ndarray) -> dict[str, np.ndarray]:
    words = np.array([self._random_seed, _checksum(images)], np.uint32)
    return self.call("elbo_terms", images, seed=words.view(np.int32))  # TensorFlow's are signed.

  def decoder_jacobian(self, latent_vectors: np.ndarray) -> np.ndarray:
    latent_vectors = latent_vectors.astype(np.float32, copy=False)
    return self._run("decoder_jacobian", latent_vectors=latent_vectors)["jacobian"]

  def _run(self, name: str, **values: np.ndarray) -> dict[str, np.ndarray]:
    with model_errors.clear_errors(f"The model at {self._path}"):
      found = self._signatures[name](**{key: tf.constant(value) for key, value in values.items()})
      return {key: value.numpy() for key, value in found.items()}


def _checksum(images: np.ndarray) -> int:
  return zlib.crc32(np.ascontiguousarray(images, np.float32))


class _RowNoise:
  """Standard normal noise that is a function of a seed and the row."""

  def __init__(self, random_seed: int, num_latent: int):
    self._random_seed = random_seed
    self._table = np.zeros((0, num_latent), np.float32)

  def __call__(self, rows: np.ndarray) -> np.ndarray:
    """Returns the noise of rows, float32 `[num, num_latent]`."""
    num_rows = np.max(rows) + 1
    if num_rows > len(self._table):
      rng = np.random.default_rng(self._random_seed)
      shape = (max(num_rows, 2 * len(self._table)), self._table.shape[1])
      self._table = rng.standard_normal(shape, np.float32)  # A longer table starts the same.
    return self._table[rows]
