"""Codes of panels by a stored model: all of them encoded once, or panel by panel in a step."""

import os
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from dl_condind.data import puzzles
from dl_condind.methods import image_inputs
from dl_condind.saved_models import stored_model
from dl_condind.utils import errors
from dl_condind.utils import progress_lines

_SIGNATURE = "representation_from_noise"
_ENCODER = "gaussian_encoder"
_CHUNK = 250  # panels; always as many, as the last digits of a code depend on it
_TOLERANCE = 1e-4


class StoredEncoder:
  """The representation of a stored model, a function of images and noise.

  Attributes:
    num_latent: Number of latents.
  """

  def __init__(self, path: str | os.PathLike, image_shape: tuple[int, ...]):
    """Loads it.

    Args:
      path: Folder of the SavedModel.
      image_shape: Shape of the images that it will get.

    Raises:
      DatasetError: If it is missing, damaged or not harmless.
      ConfigError: If it has no representation, or its images have another shape.
    """
    self._model = stored_model.StoredModel(path)
    if _SIGNATURE not in self._model:
      raise errors.ConfigError(
        f"{path} holds no representation: postprocess the model, and name the folder of what that "
        "writes."
      )
    expected = self._model.row_shape(_SIGNATURE, "images")
    if expected != tuple(image_shape):
      raise errors.ConfigError(
        f"The model at {path} takes images of shape {list(expected)}, and the panels of the "
        f"puzzles have the shape {list(image_shape)}: choose a model of the same data set."
      )
    (self.num_latent,) = self._model.row_shape(_SIGNATURE, "noise")
    self._function = self._model.signature(_SIGNATURE)

  def represent(self, images: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
    """Returns representations, `[num, num_latent]`, inside a graph."""
    return self._function(images=images, noise=noise)["default"]

  def from_noise(self, images: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Returns representations, `[num, num_latent]`, of arrays."""
    return self._model.call(_SIGNATURE, images=images, noise=noise)["default"]

  def scale_tril(self, images: np.ndarray) -> np.ndarray:
    """Returns Cholesky factors of the covariances of q(z|x), `[num, num_latent, num_latent]`."""
    return self._model.call(_ENCODER, images=images)["scale_tril"]


class Table(NamedTuple):
  """The codes of all panels.

  Attributes:
    codes: Codes without noise, `[num_panels, num_latent]`.
    scale_tril: What multiplies the noise, `[num_panels, num_latent, num_latent]`; None for codes
      without noise.
  """

  codes: tf.Tensor
  scale_tril: tf.Tensor | None

  def look_up(self, rows: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
    """Returns the codes of panels, `[num, num_latent]`.

    Args:
      rows: Indices of the panels, `[num]`.
      noise: Standard normal, `[num, num_latent]`.
    """
    codes = tf.gather(self.codes, rows)
    if self.scale_tril is None:
      return codes
    return codes + tf.linalg.matvec(tf.gather(self.scale_tril, rows), noise)


def encode_all(encoder: StoredEncoder, made: puzzles.Puzzles) -> Table | None:
  """Returns the codes of all panels that puzzles of a data set with rows can have.

  None if the representation is neither a function of the image alone nor the mean plus the
  posterior's noise, so that its codes cannot be tabled.

  Raises:
    DatasetError: If the data cannot be read or is not in [0, 1].
  """
  data = made.data
  rows = data.all_rows()
  first = _padded(data.observations_from_rows(rows[:_CHUNK]))
  image_inputs.check_observations(first, data.name)
  has_noise = _has_noise(encoder, first)
  if has_noise is None:
    return None
  silence = np.zeros((_CHUNK, encoder.num_latent), np.float32)
  codes, factors = [], []
  starts = range(0, len(rows), _CHUNK)
  what = f"Encoding {len(rows):,} panels, part"
  for start in progress_lines.each(starts, what, len(starts)):
    num = len(rows[start : start + _CHUNK])
    images = _padded(data.observations_from_rows(rows[start : start + num]))
    codes.append(encoder.from_noise(images, silence)[:num])
    if has_noise:
      factors.append(encoder.scale_tril(images)[:num])
  return Table(
    tf.constant(np.concatenate(codes)), tf.constant(np.concatenate(factors)) if has_noise else None
  )


def _padded(images: np.ndarray) -> np.ndarray:
  """Returns images, float32, and zeros up to a whole chunk."""
  padding = [(0, _CHUNK - len(images)), *[(0, 0)] * (images.ndim - 1)]
  return np.pad(images.astype(np.float32, copy=False), padding)


def _has_noise(encoder: StoredEncoder, images: np.ndarray) -> bool | None:
  """Returns whether a representation adds the posterior's noise, None if it does something else."""
  noise = np.random.default_rng(0).standard_normal((len(images), encoder.num_latent), np.float32)
  without = encoder.from_noise(images, np.zeros_like(noise))
  difference = encoder.from_noise(images, noise) - without
  if not difference.any():
    return False
  expected = np.einsum("nij,nj->ni", encoder.scale_tril(images), noise)
  return True if np.allclose(difference, expected, _TOLERANCE, _TOLERANCE) else None
