"""Representations that postprocessing stored, as functions of NumPy arrays."""

import os
import zlib

import numpy as np

from dl_condind.evaluation import codes
from dl_condind.evaluation import representation
from dl_condind.methods import image_inputs
from dl_condind.saved_models import stored_model
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
  model = stored_model.StoredModel(path)
  if _SIGNATURE not in model:
    raise errors.ConfigError(
      f"{path} holds no representation of this version: postprocess the model, with overwrite=True "
      "if that was done before."
    )
  seeded = _Seeded(model, path, random_seed)
  return representation.Representation(
    seeded.represent_drawn,
    gaussian_encoder=codes.once_per_chunk(lambda images: seeded.call("gaussian_encoder", images)),
    elbo_terms=seeded.elbo_terms,
    row_representation_fn=seeded.represent_rows,
    # Models that were exported before the signature was added lack it.
    fisher_gram=seeded.fisher_gram if "fisher_gram" in model else None,
  )


class _Seeded:
  """A stored representation with the noise of a seed."""

  def __init__(self, model: stored_model.StoredModel, path: str | os.PathLike, random_seed: int):
    self._model = model
    self._path = path
    self._random_seed = random_seed
    self._image_shape = model.row_shape(_SIGNATURE, "images")
    (self._num_latent,) = model.row_shape(_SIGNATURE, "noise")
    self._row_noise = _RowNoise(random_seed, self._num_latent)

  def call(self, name: str, images: np.ndarray, **others: np.ndarray) -> dict[str, np.ndarray]:
    if images.shape[1:] != self._image_shape:
      raise errors.ConfigError(
        f"The model at {self._path} takes observations of shape {[None, *self._image_shape]}, got "
        f"{list(images.shape)}: evaluate it on the data set it was trained on."
      )
    image_inputs.check_observations(images, "the data set")
    return self._model.call(name, images=images.astype(np.float32, copy=False), **others)

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

  def fisher_gram(self, latent_vectors: np.ndarray) -> np.ndarray:
    latent_vectors = latent_vectors.astype(np.float32, copy=False)
    return self._model.call("fisher_gram", latent_vectors=latent_vectors)["gram"]


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
